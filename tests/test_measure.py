"""Bits a character: what the losses of different tokens are compared in, on the way from the text to a study's verdict."""

import math

import pytest

from gpt.__main__ import main
from gpt.arms import candidates, pick, suggested, sweep, sweepable
from gpt.compare import comparable, outcome
from gpt.config import DataConfig, ModelConfig, RunConfig, SampleConfig, TrainConfig
from gpt.data import load
from gpt.measure import BITS, NATS, bits, tokens_of, unit_of
from gpt.options import ConfigError, replace
from gpt.recording import Recording
from gpt.report import gather, markdown, page
from gpt.results import create, curves, results
from gpt.run import Run
from gpt.store import RunStore
from gpt.study import plan
from gpt.texts import read_text
from gpt.train import evaluate
from support import own_text, small_text

TINY = RunConfig(
    ModelConfig(n_layer=1, n_head=2, n_embd=16, block_size=8),
    train=TrainConfig(steps=8, batch_size=4, eval_every=4, eval_tokens=256), sample=SampleConfig(length=0))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))
    store = RunStore(tmp_path)
    yield store
    store.close()


def tiny(text: str | None = None, **changes) -> RunConfig:
    return replace(TINY, {"data.dataset": "own", "data.text": own_text(text).text, **{f"data.{k}": v for k, v in changes.items()}})


def size(config: RunConfig) -> int:
    return load(config.data, config.model.block_size).tokenizer.vocab_size


def test_bits_are_what_the_text_costs_by_its_characters():
    """By hand: "the cat é" twice is 18 characters, 20 bytes; of two nats each, 40 nats over 18 characters."""
    assert bits(2.0, 18 / 20) == pytest.approx(40 / 18 / math.log(2))
    assert bits(math.log(2), 1.0) == 1.0


@pytest.mark.parametrize(("kind", "tokens"), [("char", 90), ("byte", 110), ("bpe", 31)])
def test_bits_of_a_text_counted_by_hand(kind, tokens, store):
    """ "ab éé cd " ten times is held out: 90 characters, 110 bytes, three pieces each and a last space."""
    config = tiny("ab éé cd " * 40, tokenizer=kind, vocab_size=300, val_fraction=0.25)
    run = Run(config)
    counted = len(run.data.val)
    assert counted == tokens
    loss = evaluate(run.model, run.data.whole_split(8))
    assert bits(loss, run.data.characters) == pytest.approx(loss * counted / 90 / math.log(2))


def test_a_uniform_model_costs_the_same_however_it_says_it():
    """Guessing among 256 bytes takes 8 bits a byte."""
    assert bits(math.log(256), 1.0) == pytest.approx(8.0)


def test_what_one_token_is():
    assert tokens_of({}) == "char" and tokens_of({"data.tokenizer": "bpe", "data.vocab_size": 512}) == "bpe 512"
    char, other = {"data.tokenizer": "char", "data.vocab_size": 512}, {"data.tokenizer": "char", "data.vocab_size": 300}
    assert unit_of([char, other]) == NATS  # without effect
    assert unit_of([char, {"data.tokenizer": "byte"}]) == BITS
    assert unit_of([{"data.tokenizer": "bpe", "data.vocab_size": n} for n in (300, 400)]) == BITS


def train(store: RunStore, config: RunConfig) -> str:
    id = store.create(config, owner="me", preset="ladder/06-residual", labels=[])
    list(Recording(store, id))
    return id


def test_every_run_knows_its_bits_and_says_so(store, capsys):
    ids = [train(store, tiny(tokenizer=kind, vocab_size=280)) for kind in ("char", "byte", "bpe")]
    runs = [store.run(id) for id in ids]
    assert [run.characters for run in runs[:2]] == [1.0, 1.0] and runs[2].characters > 1.2
    told = [outcome(store, run) for run in runs]
    for run, found in zip(runs, told):
        assert found.bits == pytest.approx(found.final / run.characters / math.log(2))
    assert main(["eval", ids[2]]) == 0
    assert f"bits per character {told[2].bits:.4f}" in capsys.readouterr().out
    assert any("not the same unit, so compare bits a character" in caution for caution in comparable(runs))
    sized = [store.run(train(store, tiny(tokenizer="bpe", vocab_size=n))) for n in (270, 280)]
    assert any("word pieces 270; word pieces 280" in caution for caution in comparable(sized))
    report = page(gather(store, ids), "x")
    lowest = f"{min(found.bits for found in told):.4f}"
    assert report.count('class="num best"') == 1 and f'class="num best">{lowest}' in report  # of bits, and of no nats


def test_a_study_of_tokenizers_ranks_by_bits(store):
    config = tiny()
    arms = pick(candidates(config), ["bytes", "word pieces"])
    id, runs = create(store, plan(config, arms, "steps", 2, size), owner="me", preset="ladder/06-residual", title="T")
    for run in runs:
        list(Recording(store, run))
    found = results(store, store.study(id))
    assert found.unit == BITS and "Losses are bits a character" in found.caution
    base, pieces = found.base, next(arm for arm in found.arms if arm.effect.name == "word pieces")
    by_hand = [b.val_loss / b.characters / math.log(2) - a.val_loss / math.log(2) for a, b in zip(base.runs, pieces.runs)]
    assert pieces.effect.differences == pytest.approx(by_hand)
    assert pieces.effect.mean < 0 < pieces.runs[0].val_loss - base.runs[0].val_loss  # nats a token say the opposite
    assert curves(store, pieces.runs, BITS)[0][-1][1] < curves(store, base.runs, BITS)[0][-1][1]
    told = markdown(gather(store, [run.id for run in found.runs]), "T", found)
    assert "change in loss, bits a character" in told


def test_a_study_of_one_tokenizer_stays_in_nats(store):
    config = tiny(tokenizer="byte")
    id, _ = create(store, plan(config, sweep(config, "train.lr", [1e-3, 1e-2]), "steps", 1, size, "train.lr"), owner="me", preset="", title="")
    assert results(store, store.study(id)).unit == NATS


def test_the_vocabulary_can_be_swept_where_it_has_an_effect():
    config = replace(RunConfig(), {"data.tokenizer": "bpe"})
    assert "data.vocab_size" in sweepable(config) and "data.vocab_size" not in sweepable(RunConfig())
    assert suggested(config, "data.vocab_size") == [512, 1024, 2048, 4096, 8192]
    with pytest.raises(ConfigError, match="no effect in this config, unless tokenizer = bpe"):
        sweep(RunConfig(), "data.vocab_size", [300, 400])


def test_each_arm_of_a_plan_has_its_own_vocabulary(store):
    """So that equal parameters are equal, and what does not fit is refused."""
    config = tiny(read_text(DataConfig())[:20_000], tokenizer="bpe", vocab_size=270)
    study = plan(config, sweep(config, "data.vocab_size", [270, 330]), "parameters", 1, size, "data.vocab_size")
    narrower = next(arm for arm in study.arms if arm.kind == "sweep")
    assert narrower.config.model.n_embd < config.model.n_embd and "width" in narrower.note
