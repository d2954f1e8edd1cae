"""What is said of a run's losses: each trouble where it is, none where there is none, and fixes that can be trained."""

import math
import random
from dataclasses import replace as changed

import pytest
from support import each_other_value, own_text

from gpt.causes import RATES
from gpt.config import RunConfig
from gpt.diagnosis import History, findings
from gpt.events import Diverged, Eval, Finished, Started, Step
from gpt.options import ConfigError, difference, options, replace, sections, walk
from gpt.presets import list_presets, load
from gpt.run import Run

UNIGRAM, BIGRAM, GUESSING = 3.26, 2.39, math.log(65)
KINDS = ["diverged", "stuck", "overfitting", "short text"]


def healthy(share: float) -> float:
    """Falls below the letters' entropy within a twentieth of the run, and on to 1.7."""
    return 1.6 + (GUESSING - 1.6) / (1 + 25 * share)


def history(config: RunConfig, val=healthy, train=None, share: float = 1.0, wander: float = 0.0, **about) -> History:
    """A run whose losses are `val` and `train` of the share of its steps that is done, up to `share`."""
    steps, chance = round(share * config.train.steps), random.Random(1)
    marks = [*range(0, steps + 1, config.train.eval_every), *([steps] * (share == 1.0 and steps % config.train.eval_every > 0))]
    stride = max(1, steps // 40)

    def points(curve, steps_done, noise):
        return [(step, curve(step / config.train.steps) + chance.gauss(0, noise)) for step in steps_done]

    known = dict(preset_id="", status="running" if share < 1 else "finished", vocab_size=65, unigram=UNIGRAM, bigram=BIGRAM,
                 parameters=100_000, train_tokens=None, final=None)
    return History(**known | dict(config=config, step=steps, evals=points(val, marks, wander),
                                  train=points(train or val, range(stride, steps + 1, stride), wander * 3)) | about)


def kinds(h: History) -> list[str]:
    return [found.kind for found in findings(h)]


def preset(name: str, **changes) -> RunConfig:
    """A preset of 1000 steps and twenty checks, with options changed by their names."""
    paths = {path.split(".")[1]: path for path, _ in walk(RunConfig) if not path.startswith("sample.")}
    return replace(load(name).config, {paths[n]: v for n, v in {"steps": 1000, "eval_every": 50, **changes}.items()})


def ways(config: RunConfig):
    """The config, and it with each option changed to each of its other values, where that works."""
    yield config
    for section in sections(config):
        for option in options(getattr(config, section)).values():
            for other in each_other_value(option, getattr(config, section)):
                if not (way := changed(config, **{section: other})).problems():
                    yield way


def check_fix(h: History) -> None:
    """Each fix can be trained, is another recipe, and is named; where there is none, the words still help."""
    for found in findings(h):
        assert found.kind in KINDS and 40 < len(found.words) < 400 and "!" not in found.words
        if found.fix:
            assert difference(replace(h.config, found.fix), h.config)
            assert found.label.startswith("Train with ") and len(found.label) < 60
        else:
            assert found.label == "" and found.words.endswith("at a time.")


# Every preset, every option


@pytest.mark.parametrize("name", [p.id for p in list_presets()])
def test_a_healthy_run_is_left_alone_and_a_diverged_one_gets_a_fix(name):
    for config in ways(load(name).config):
        for share in (0.1, 0.4, 1.0):
            assert findings(history(config, share=share, wander=0.01)) == []
        broken = history(config, share=0.1, status="diverged", evals=[(0, 4.2)])
        assert kinds(broken) == ["diverged"] and findings(broken)[0].fix
        check_fix(broken)
        stopped = history(config, val=lambda share: max(3.25, 4.17 - 20 * share))
        assert set(kinds(stopped)) <= {"stuck"}
        check_fix(stopped)


@pytest.mark.parametrize("name", [p.id for p in list_presets()])
def test_presets_read_their_own_text_too_few_times_to_learn_it_by_heart(name):
    assert findings(history(load(name).config, parameters=1_208_385, train_tokens=534_654)) == []


# Diverged


@pytest.mark.parametrize("changes, label", [
    ({"lr": 1.0}, "lr 1e-3"), ({"lr": 0.01}, "lr 1e-3"), ({"optimizer": "lion", "lr": 0.01}, "lr 3e-4"),
    ({"optimizer": "sgd", "lr": 1.0}, "lr 0.05"), ({"optimizer": "muon", "lr": 0.02, "lr_rest": 1.0}, "lr rest 0.01"),
    ({"optimizer": "muon", "lr": 1.0}, "lr 0.02"), ({"beta2": 0.0}, "beta2 0.99"), ({"norm": "none"}, "LayerNorm"),
    ({}, "clip 1"), ({"grad_clip": 1.0}, "warmup 100"), ({"grad_clip": 1.0, "warmup": 10}, "lr 1e-4"),
])
def test_a_diverged_run_gets_the_likeliest_fix(changes, label):
    found, = findings(history(preset("09", **changes), share=0.1, status="diverged"))
    assert found.kind == "diverged" and found.label.startswith(f"Train with {label}") and "number after step 100" in found.words


def test_where_nothing_mends_it_the_words_still_name_a_way_out():
    broken = history(preset("09", lr=1e-5, grad_clip=1.0, warmup=10), status="diverged")
    assert findings(broken)[0].fix == {}
    check_fix(broken)


@pytest.mark.parametrize("rise", [
    lambda share: 4.2 + 400 * min(share, 0.1), lambda share: 2.3 if 0.1 < share < 0.5 else 3.3 + share,
    lambda share: 4.2 + 1e9 * share])
def test_a_loss_that_rises_and_stays_has_diverged(rise):
    assert kinds(history(preset("09"), val=rise, wander=0.02)) == ["diverged"]


@pytest.mark.parametrize("val, train", [
    (lambda share: healthy(share) + 3 * (0.5 < share < 0.52), None),  # a bad batch, and back
    (lambda share: 60 * math.exp(-50 * share) + healthy(share), None),  # embeddings that start large
    (healthy, lambda share: healthy(share) + 1.2 * (share > 0.5)),  # dropout was raised on the way
    (lambda share: healthy(share) + 2 * max(0, share - 0.3), lambda share: healthy(share) - share),  # learnt by heart
])
def test_a_loss_that_comes_back_or_is_only_one_of_two_has_not_diverged(val, train):
    assert "diverged" not in kinds(history(preset("09"), val=val, train=train, wander=0.01))


def test_points_without_a_number_are_left_out():
    h = history(preset("09"))
    holes = changed(h, evals=[*h.evals, (1001, math.nan)], train=[(1, None), *h.train, (1000, math.inf)])
    assert (holes.evals, holes.train, holes.loss) == (h.evals, h.train, h.loss)
    assert findings(changed(h, evals=[], train=[])) == []


# Stuck


def letters(share: float) -> float:
    """Learns how common each letter is, and nothing more."""
    return 3.25 + 0.9 * math.exp(-30 * share)


@pytest.mark.parametrize("name, changes, label", [
    ("05", {}, "Train with residual"), ("05", {"n_layer": 12}, "residual and LayerNorm"),
    ("gpt2", {"residual_mlp": False}, "MLP residual"),
    ("gpt2", {"residual_attn": False, "init": "zero", "n_layer": 1}, "attention residual"),
    ("gpt2", {"norm_place": "post", "warmup": 0}, "pre-LN"), ("09", {"lr": 0.1}, "lr 1e-3"), ("09", {"lr": 1e-5}, "lr 1e-3"),
    ("09", {"optimizer": "lion", "lr": 1e-5}, "lr 3e-4"), ("09", {"optimizer": "sgd", "lr": 1e-4}, "lr 0.05"),
    ("09", {"optimizer": "sgd", "lr": 0.05}, "AdamW"), ("09", {"dropout_embd": 0.9}, "embd dropout 0.2"),
    ("07", {}, "LayerNorm"), ("01", {"lr": 1e-4}, "lr 1e-3"), ("gpt2", {"attention": "none", "mlp": False}, "lr 0.03"),
])
def test_a_run_that_learns_letters_only_is_stuck_and_told_why(name, changes, label):
    h = history(preset(name, **changes), val=letters, wander=0.005)
    found, = findings(h)
    assert found.kind == "stuck" and label in found.label, found
    check_fix(h)


@pytest.mark.parametrize("share, says", [(0.0, []), (0.05, []), (0.1, []), (0.3, ["stuck"]), (0.6, ["stuck"]), (1.0, ["stuck"])])
def test_a_stuck_run_is_given_a_fifth_of_its_steps(share, says):
    assert kinds(history(preset("05", n_layer=12), val=letters, share=share, wander=0.004)) == says


def test_the_warm_up_is_not_counted():
    config = preset("09", warmup=500)
    late = [history(config, val=lambda share: GUESSING, share=share) for share in (0.5, 0.65)]
    assert [kinds(h) for h in late] == [[], ["stuck"]]


BIGRAM_TABLE = [4.72, 4.15, 3.68, 3.32, 3.07, 2.87, 2.73, 2.63, 2.55, 2.51, 2.47, 2.45, 2.43, 2.41, 2.40, 2.39, 2.39, 2.38,
                2.38, 2.38, 2.37]  # step 1 of the ladder, each 500 steps
BLOCKS = [4.17, 3.10, 2.75, 2.62, 2.53, 2.47, 2.42, 2.37, 2.33, 2.29, 2.26, 2.23, 2.21, 2.17, 2.15, 2.13, 2.12, 2.11, 2.10, 2.10,
          2.09]  # step 5, without residual connections
PAIRS = [4.17, 3.16, 3.09, 3.05, 3.03, 3.02, 3.02, 3.02, 3.01, 3.01, 3.01]  # attention and MLP off, tied tables
SLOW = [4.32, 3.48, 3.22, 3.11, 3.04, 2.98, 2.93, 2.88, 2.84, 2.81, 2.78]  # SGD at 1e-3


@pytest.mark.parametrize("config, losses", [
    (load("01").config, BIGRAM_TABLE), (load("05").config, BLOCKS), (preset("gpt2", attention="none", mlp=False), PAIRS),
    (preset("09", optimizer="sgd", lr=1e-3), SLOW), (load("fast").config, [4.2, 2.4, 2.0, 1.75, 1.62])])
def test_what_learns_slowly_or_can_learn_no_more_is_not_stuck(config, losses):
    """Losses of real runs, at every check and between."""
    def curve(share):
        at = share * (len(losses) - 1)
        return losses[int(at)] + (at % 1) * (losses[min(int(at) + 1, len(losses) - 1)] - losses[int(at)])

    for percent in range(0, 101, 4):
        assert findings(history(config, val=curve, share=percent / 100, wander=0.004)) == []


def test_a_run_that_falls_too_slowly_is_told_so():
    found, = findings(history(preset("01", lr=1e-4), val=lambda share: 4.7 - 0.12 * share))
    assert found.kind == "stuck" and "too slowly" in found.words


def test_a_text_in_which_pairs_tell_nothing_more_blames_nobody():
    assert findings(history(preset("09"), val=lambda share: 3.0, unigram=3.0, bigram=2.99)) == []


# Learning by heart


def by_heart(share: float) -> float:
    return healthy(share) + 0.4 * max(0, share - 0.5)


def train_loss(share: float) -> float:
    return healthy(share) - 0.5 * share


@pytest.mark.parametrize("changes, fix", [
    ({}, {"model.dropout_resid": 0.2}), ({"dropout_resid": 0.2}, {"model.dropout_resid": 0.3}),
    ({"dropout_resid": 0.85}, {"model.dropout_resid": 0.9}), ({"dropout_resid": 0.9}, None),
    ({"attention": "none", "mlp": False}, None),
    ({"device": "cuda", "replay": True}, {"model.dropout_resid": 0.2, "train.replay": False})])
def test_rising_validation_and_falling_training_is_learning_by_heart(changes, fix):
    """Mended by more dropout, or where there can be none or no more, by stopping at the best step (None)."""
    h = history(preset("gpt2", **changes), val=by_heart, train=train_loss, wander=0.003)
    found, = findings(h)
    best = min(h.evals, key=lambda point: point[1])
    assert found.kind == "overfitting" and found.fix == (fix or {"train.steps": best[0]})
    assert f"step {best[0]} with {best[1]:.2f}" in found.words
    check_fix(h)


@pytest.mark.parametrize("val, train, wander", [
    (healthy, train_loss, 0.02),  # noisy
    (by_heart, by_heart, 0.003),  # both rise: something else
    (lambda share: healthy(share) + 0.2 * (share > 0.97), train_loss, 0.003),  # one bad check
    (lambda share: healthy(share) + 0.02 * (share > 0.5), train_loss, 0.003),  # too little
])
def test_other_rises_are_not_learning_by_heart(val, train, wander):
    for percent in range(0, 101, 5):
        assert kinds(history(preset("gpt2"), val=val, train=train, share=percent / 100, wander=wander)) == []


@pytest.mark.parametrize("tokens, parameters, changes, label", [
    (20_000, 200_000, {}, "Train with dropout 0.2"),
    (20_000, 200_000, {"dropout_resid": 0.2}, "Train with layers 2 and width 32"),
    (20_000, 10_000, {}, None), (200_000, 400_000, {}, None), (None, 400_000, {}, None)])
def test_a_short_text_for_a_large_model_is_foreseen(tokens, parameters, changes, label):
    h = history(preset("gpt2", **changes), share=0.0, train_tokens=tokens, parameters=parameters)
    assert [found.label for found in findings(h)] == [label] * (label is not None)
    assert all("51 times" in found.words and "10.0 parameters" in found.words for found in findings(h))
    check_fix(h)


# Real runs


def trained(config: RunConfig) -> History:
    """A run's history, as the store would give it."""
    losses, evals, final, status, started = [], [], None, "running", None
    for event in Run(config).events():
        match event:
            case Started():
                started = event
            case Step():
                losses.append((event.step, event.loss))
            case Eval():
                evals.append((event.step, event.loss))
            case Finished():
                final, status = event.val_loss, "finished"
            case Diverged():
                status = "diverged"
    return History(config, "", len(losses), status, evals, losses, started.vocab_size, started.unigram, started.bigram,
                   started.parameters, started.train_tokens, final)


@pytest.mark.parametrize("changes", [{}, {"optimizer": "sgd"}, {"norm": "none"}])
def test_a_real_run_that_diverges_is_mended_by_its_fix(changes):
    config = preset("09", lr=1.0, steps=150, eval_every=25, device="cpu", **changes)
    config = replace(changed(config, data=own_text()), {"sample.length": 1})
    broken = trained(config)
    found = findings(broken)[0]
    assert found.kind == "diverged"
    mended = trained(replace(config, found.fix))
    assert mended.final < mended.unigram and "diverged" not in kinds(mended)


def test_each_optimiser_has_rates():
    assert set(RATES) == set(options(RunConfig().train)["optimizer"].choices)
    assert all(least < usual < most for least, usual, most in RATES.values())
