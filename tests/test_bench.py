"""Benchmarks compare equal things: the plain models are ours weight by weight; and their arithmetic is right."""

import re
from dataclasses import replace
from itertools import count

import pytest
import torch
from torch import Tensor, nn

from gpt import bench
from gpt.bench import loss, sampling, speed
from gpt.bench.plain import NanoGPT, plain_batch, plain_model, plain_step
from gpt.bench.table import HEAD, Row, in_turn, machine, ratio
from gpt.config import ModelConfig, RunConfig, SampleConfig, TrainConfig
from gpt.events import Finished
from gpt.generate import generate
from gpt.model import GPT, build
from gpt.options import ConfigError
from gpt.presets import list_presets, load
from gpt.run import Run
from gpt.train import start, train_step
from support import SMALL, moved, own_text, small_data, tokens

V = 30
CPU = torch.device("cpu")
LADDER = [preset for preset in list_presets() if preset.number]


def copy_weights(ours: GPT, plain: nn.Module) -> None:
    """Fill a plain model with the weights of ours."""
    plain.load_state_dict(plain_weights(ours, plain), strict=False)
    buffers = {name for name, _ in plain.named_buffers()}
    assert set(plain.state_dict()) - buffers <= set(plain_weights(ours, plain))


def with_our_gelu(plain: nn.Module) -> nn.Module:
    """nanoGPT has the exact GELU and ours is GPT-2's, which no comparison of weights could bridge."""
    for module in plain.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "tanh"
    return plain


def plain_weights(ours: GPT, plain: nn.Module) -> dict[str, Tensor]:
    given = ours.state_dict()
    if "table.weight" in given:
        return given
    found = {}
    for name, weight in given.items():
        for pattern, target in NANO if isinstance(plain, NanoGPT) else LECTURE:
            if match := re.fullmatch(pattern, name):
                found |= placed(match, target, weight, ours.cfg)
    return found


def placed(match: re.Match, target: str, weight: Tensor, cfg: ModelConfig) -> dict[str, Tensor]:
    """One weight of ours under its names in the plain model: queries, keys and values of each head apart."""
    if "HEAD" not in target:
        return {match.expand(target): weight}
    found = {}
    for part, rows in zip(("query", "key", "value"), weight.split(cfg.n_embd)):
        for head, own in enumerate(rows.split(cfg.head_dim)):
            found[match.expand(target).replace("HEAD", f"heads.{head}.{part}")] = own
    return found


LECTURE = [
    ("embed.weight", "tokens.weight"), ("position.table.weight", "positions.weight"), (r"final_norm\.(.*)", r"ln_f.\1"),
    (r"head\.(.*)", r"head.\1"), (r"blocks\.(\d)\.attn\.(?:before|after)\.(.*)", r"blocks.\1.ln1.\2"),
    (r"blocks\.(\d)\.mlp\.(?:before|after)\.(.*)", r"blocks.\1.ln2.\2"),
    (r"blocks\.(\d)\.attn\.inner\.qkv\.weight", r"blocks.\1.attn.HEAD.weight"),
    (r"blocks\.(\d)\.attn\.inner\.proj\.(.*)", r"blocks.\1.attn.proj.\2"),
    (r"blocks\.(\d)\.mlp\.inner\.fc\.(.*)", r"blocks.\1.ffwd.net.0.\2"),
    (r"blocks\.(\d)\.mlp\.inner\.proj\.(.*)", r"blocks.\1.ffwd.net.2.\2"),
]
NANO = [
    ("embed.weight", "wte.weight"), ("head.weight", "lm_head.weight"), ("position.table.weight", "wpe.weight"),
    (r"final_norm\.(.*)", r"ln_f.\1"), (r"blocks\.(\d)\.attn\.before\.(.*)", r"h.\1.ln_1.\2"),
    (r"blocks\.(\d)\.mlp\.before\.(.*)", r"h.\1.ln_2.\2"), (r"blocks\.(\d)\.attn\.inner\.qkv\.(.*)", r"h.\1.attn.c_attn.\2"),
    (r"blocks\.(\d)\.attn\.inner\.proj\.(.*)", r"h.\1.attn.c_proj.\2"), (r"blocks\.(\d)\.mlp\.inner\.fc\.(.*)", r"h.\1.c_fc.\2"),
    (r"blocks\.(\d)\.mlp\.inner\.proj\.(.*)", r"h.\1.c_proj.\2"),
]


@pytest.mark.parametrize("preset", [*LADDER, load("nanogpt")], ids=lambda preset: preset.id)
def test_the_plain_models_are_ours(preset):
    cfg = preset.config.model
    ours = moved(cfg, vocab_size=V, scale=0.1).eval()
    plain = with_our_gelu(plain_model(cfg, V))
    copy_weights(ours, plain)
    x = tokens(3, cfg.block_size, vocab_size=V)
    theirs, none = plain.eval()(x)
    assert none is None
    torch.testing.assert_close(theirs, ours(x), atol=1e-4, rtol=1e-4)
    trained = sum(p.numel() for p in plain.parameters())
    assert trained == sum(p.numel() for p in ours.parameters())  # so the same work is measured


@pytest.mark.parametrize("name", ["03", "08", "09", "nanogpt"])
def test_they_train_alike(monkeypatch, name):
    """Twenty steps from the same weights on the same batches: the same losses."""
    preset = load(name).config
    cfg = replace(preset, model=replace(preset.model, block_size=8, n_embd=32), data=own_text(),
                  train=replace(preset.train, batch_size=4, warmup=0))
    data = small_data(8)
    state = start(build(cfg.model, data.tokenizer.vocab_size, 1), cfg.train)
    plain = with_our_gelu(plain_model(cfg.model, data.tokenizer.vocab_size))
    copy_weights(state.model, plain)
    numbers = count()
    monkeypatch.setattr("gpt.bench.plain.plain_batch",
                        lambda data, batch, block, device: data.batch(next(numbers), cfg.train.seed, batch, block))
    step = plain_step(plain, data, cfg, CPU)
    for state.step in range(20):
        assert float(train_step(state, data, cfg.train, CPU)) == pytest.approx(float(step(state.step)), abs=1e-4)


def test_plain_batches_are_of_the_training_text():
    data = small_data(8)
    x, y = plain_batch(data, 5, 8, CPU)
    assert x.shape == y.shape == (5, 8) and torch.equal(x[:, 1:], y[:, :-1])
    assert " ".join(map(str, x[0].tolist())) in " ".join(map(str, data.train.tolist()))


def test_every_way_is_measured_in_turn():
    calls = []
    times = in_turn(lambda: calls.append("a"), lambda: calls.append("b"), seconds=0.0, least=3)
    assert calls == ["a", "b"] * 4 and [len(each) for each in times] == [3, 3]
    assert ratio([4.0, 9.0, 1.0], [2.0, 3.0, 1.0]) == 2.0


def test_rows_are_lines_of_a_table():
    assert str(Row("a", "1", "2", 1.5, "2 x", False)) == "| a | 1 | 2 | 1.50 x | 2 x ✗ |"
    assert {line.count("|") for line in [*HEAD.splitlines(), str(Row("a", "1"))]} == {6}
    assert "1 thread," in machine(1)


TINY = RunConfig(replace(SMALL, norm="layer", tie_weights=False), own_text(), TrainConfig(steps=12, batch_size=4, device="cpu"))


def test_speed_is_tokens_by_seconds(monkeypatch):
    config = replace(TINY, data=own_text(), model=replace(TINY.model, attn_proj=True, position="learned", activation="relu"))
    monkeypatch.setattr(speed, "in_turn", lambda *ways, **_: ([way() for way in ways], [[0.4], [0.2]])[1])
    row = speed.against_plain("tiny", config, CPU)
    assert row.ratio == 2.0 and row.met and row.ours.startswith(f"{config.tokens_per_step / 0.2:,.0f} tokens/s")
    row = speed.in_bfloat16("tiny", config, CPU)
    assert row.ratio == 2.0 and row.met is None


def test_the_peak_is_no_less_than_a_product_takes(monkeypatch):
    monkeypatch.setattr(speed, "in_turn", lambda *ways, **_: [[0.5, 0.1], [0.2, 0.3]][: len(ways)])
    assert speed.peak.__wrapped__(CPU, torch.float32) == 2 * 1024**3 / 0.1


def test_refeeding_draws_what_the_cache_draws():
    model, cfg = moved(replace(SMALL, block_size=40)).eval(), SampleConfig(length=30)
    assert sampling.refeeding(model, [1, 2], cfg) == list(generate(model, [1, 2], cfg))


def test_a_preset_is_timed_and_scored_as_it_trains():
    """The loss in the end is that of the same run, over the whole split."""
    seconds, value = loss.train_steps(TINY, 12)
    finished = [e for e in Run(TINY).events() if isinstance(e, Finished)]
    assert value == finished[0].val_loss and seconds > 0


def test_the_reference_is_scored_over_the_whole_split():
    data = small_data(12)
    cfg = replace(TINY, model=ModelConfig(n_layer=1, n_embd=16, block_size=12, bias=False, qkv_bias=False),
                  train=replace(TINY.train, warmup=2, steps=5))
    seconds, value = loss.train_plainly(cfg, data)
    assert seconds > 0 and 1 < value < 5


def test_more_steps_of_a_smaller_model_take_as_long():
    cfg = replace(TINY, model=ModelConfig(n_layer=1, n_embd=16, block_size=12, bias=False, qkv_bias=False))
    larger = replace(cfg, model=replace(cfg.model, n_layer=8, n_embd=128))
    few, many = loss.fitting_steps(cfg, larger, seconds=0.2), loss.fitting_steps(larger, cfg, seconds=0.2)
    assert 0 < few < cfg.train.steps < many


def test_a_part_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="--only loud: use speed, sampling, seeds, loss, page"):
        bench.run("tinyplays", ["loud"])


@pytest.mark.parametrize("name", [name for name in bench.SECTIONS if name != "page"])
def test_every_part_has_its_rows(name):
    assert callable(bench.section(name))
