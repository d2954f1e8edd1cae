"""Seeds in one pass: each as it would be alone, whichever way is taken."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import pytest
import torch
from torch import nn

from gpt import replicas
from gpt.config import RunConfig
from gpt.events import Diverged, Eval, Event, Finished, Step, Working
from gpt.options import ConfigError
from gpt.presets import list_presets
from gpt.replicas import Stack, as_one, clip, in_turn, seconds_a_step, seeded, stackable, train_replicas
from gpt.run import Run
from gpt.train import train
from support import SMALL, pairwise, small_run

SEEDS = [3, 1, 7]
NOISY = replace(SMALL, dropout_embd=0.1, dropout_attn=0.1, dropout_resid=0.1)
EVERYTHING = {"schedule": "cosine", "warmup": 5, "weight_decay": 0.3, "grad_clip": 0.3}


def config(model=SMALL, **change) -> RunConfig:
    base = small_run(model=model)
    return replace(base, train=replace(base.train, **{"steps": 50, "eval_every": 20, **change}))


def runs_of(cfg: RunConfig, seeds: list[int] = SEEDS) -> list[Run]:
    return [Run(seeded(cfg, seed)) for seed in seeds]


def alone(run: Run) -> list[Event]:
    return [event for event in train(run.state, run.data, run.cfg.train) if not isinstance(event, Working)]


def by_seed(told: Iterator[tuple[int, Event]]) -> dict[int, list[Event]]:
    events = defaultdict(list)
    for seed, event in told:
        if not isinstance(event, Working):
            events[seed].append(event)
    return dict(events)


def assert_alike(some: list[Event], others: list[Event], within: float) -> None:
    """The same events, but for seconds; losses `within` a distance."""
    assert [(type(e), e.step) for e in some] == [(type(e), e.step) for e in others]
    for a, b in zip(some, others):
        for name in vars(a).keys() - {"seconds"}:
            assert getattr(a, name) == (pytest.approx(getattr(b, name), abs=within) if "loss" in name else getattr(b, name))


# Each as alone ------------------------------------------------------------------------------------------------------

@pytest.fixture
def double(monkeypatch):
    """With twice the digits throughout, so that what amplifies rounding errors does not pass for wrong."""
    monkeypatch.setattr(torch.Tensor, "float", lambda x: x)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("model", pairwise())
def test_every_model_trains_as_alone(model, double):
    cfg = config(model, **EVERYTHING)
    found = by_seed(train_replicas(cfg, SEEDS[:2], together=True))
    for run in runs_of(cfg, SEEDS[:2]):
        assert_alike(found[run.cfg.train.seed], alone(run), within=1e-7)


@pytest.mark.parametrize("change", [
    {"optimizer": "adamw"}, {"optimizer": "adam"}, {"optimizer": "lion", "lr": 3e-4}, {"optimizer": "muon", "lr": 0.02},
    {"optimizer": "sgd", "lr": 0.1}, {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0},
], ids=lambda change: "-".join(map(str, change.values())))
@pytest.mark.parametrize("more", [{}, EVERYTHING], ids=str)
@pytest.mark.parametrize("model", [
    replace(NOISY, norm="rms", position="rope", activation="swiglu", tie_weights=False, queries_per_kv=2),
    replace(SMALL, qkv_bias=False),  # a bias of keys has no gradient but rounding errors
    replace(SMALL, architecture="bigram"),
], ids=["llama", "gpt", "bigram"])
def test_every_optimizer_trains_as_alone(model, change, more, request):
    """Losses, and the weights at the end: those of the run itself."""
    if change["optimizer"] in replicas.SENSITIVE:
        request.getfixturevalue("double")
    cfg = config(model, **change, **more)
    runs, others = runs_of(cfg), runs_of(cfg)
    found = by_seed(as_one(runs))
    for run, other in zip(runs, others):
        assert_alike(found[run.cfg.train.seed], alone(other), within=1e-4)
        for name, weight in run.model.state_dict().items():
            assert torch.allclose(weight, other.model.state_dict()[name], atol=2e-3), name
        assert run.state.step == other.state.step == 50


@pytest.mark.parametrize("preset", [p for p in list_presets() if p.number in (1, 3, 9, 10)], ids=lambda p: p.id)
def test_the_ladder_trains_as_alone(preset):
    cfg = small_run(model=preset.config.model)
    cfg = replace(cfg, train=replace(preset.config.train, steps=50, eval_every=50, eval_tokens=128, device="cpu"))
    found = by_seed(train_replicas(cfg, SEEDS, together=True))
    for run in runs_of(cfg):
        assert_alike(found[run.cfg.train.seed], alone(run), within=1e-4)


@pytest.mark.parametrize("model", [replace(NOISY, norm="rms", position="rope", qk_norm=True, activation="relu2"), SMALL])
def test_operations_of_large_tensors_train_as_alone(monkeypatch, model):
    """Longer batches reach the sizes from which other functions compute the same."""
    runs, others = runs_of(config(model)), runs_of(config(model))
    monkeypatch.setattr("gpt.kernels.SMALL", 5 * SMALL.block_size * SMALL.n_embd)  # of 4 rows alone, 12 here
    found = by_seed(as_one(runs))
    for run, other in zip(runs, others):
        assert_alike(found[run.cfg.train.seed], alone(other), within=1e-4)


# Events -------------------------------------------------------------------------------------------------------------

def test_both_ways_tell_the_same():
    cfg = config(NOISY)
    told = [list(train_replicas(cfg, SEEDS, together)) for together in (True, False)]
    one, other = map(by_seed, map(iter, told))
    for seed in SEEDS:
        assert_alike(one[seed], other[seed], within=1e-4)
    rounds = [[(seed, type(e), e.step) for seed, e in pairs if isinstance(e, Eval | Finished)] for pairs in told]
    assert rounds[0] == rounds[1] == [
        *((seed, Eval, step) for step in (0, 20, 40, 50) for seed in SEEDS), *((seed, Finished, 50) for seed in SEEDS)]


@pytest.mark.parametrize("together", [True, False])
def test_no_seed_passes_a_check_before_the_others_reach_it(together):
    done = dict.fromkeys(SEEDS, 0)
    for seed, event in train_replicas(config(), SEEDS, together):
        if isinstance(event, Step):
            done[seed] = event.step
            assert (max(done.values()) - 1) // 20 * 20 <= min(done.values())
    assert set(done.values()) == {50}


@pytest.mark.parametrize("together", [True, False])
def test_seconds_are_of_training_and_add_up(together):
    cfg = config(steps=20)
    for events in by_seed(train_replicas(cfg, SEEDS, together)).values():
        seconds = [event.seconds for event in events]
        assert seconds == sorted(seconds) and seconds[0] == 0 < seconds[-1]


def test_long_checks_come_in_pieces(monkeypatch):
    monkeypatch.setattr("gpt.train.EVAL_TOKENS", 40)
    pairs = list(train_replicas(config(steps=1), SEEDS, together=True))
    kinds = [seed for (seed, kind), _ in groupby((seed, type(event)) for seed, event in pairs) if kind is Working]
    assert kinds == SEEDS * 3  # before the step, after it, and over the whole validation text


# Divergence ---------------------------------------------------------------------------------------------------------

def poisoned(told: Iterator[tuple[int, Event]], run: Run, after: int) -> Iterator[tuple[int, Event]]:
    """The same; the run's weights stop being numbers after a step of its own."""
    for seed, event in told:
        yield seed, event
        if seed == run.cfg.train.seed and isinstance(event, Step) and event.step == after:
            with torch.no_grad():
                for parameter in run.model.parameters():
                    parameter.fill_(torch.nan)


@pytest.mark.parametrize("way", [as_one, in_turn])
@pytest.mark.parametrize("after", [7, 20])  # 20: the check sees it first
@pytest.mark.parametrize("optimizer", ["adamw", "lion", "muon", "sgd"])
def test_one_that_diverges_leaves_the_others_alone(way, after, optimizer):
    cfg = config(NOISY, optimizer=optimizer, grad_clip=0.5, steps=30)
    runs = runs_of(cfg)
    found = by_seed(poisoned(way(runs), runs[1], after))
    last = found[SEEDS[1]][-1]
    assert isinstance(last, Diverged) and last.step == after and "lr" in last.advice
    for number in (0, 2):
        assert_alike(found[SEEDS[number]], alone(runs_of(cfg)[number]), within=1e-4)


@pytest.mark.parametrize("way", [as_one, in_turn])
def test_all_may_diverge(way):
    cfg = config(optimizer="sgd", lr=1.0, momentum=0.99)
    runs = runs_of(cfg)
    with torch.no_grad():
        for run in runs:
            for parameter in run.model.parameters():
                parameter *= 1e4
    assert {type(events[-1]) for events in by_seed(way(runs)).values()} == {Diverged}


# Which way ----------------------------------------------------------------------------------------------------------

def ways_taken(monkeypatch, cfg: RunConfig, seeds: list[int] = SEEDS) -> list[str]:
    taken = []
    monkeypatch.setattr(replicas, "as_one", lambda runs: taken.append("as one") or iter(()))
    monkeypatch.setattr(replicas, "in_turn", lambda runs: taken.append("in turn") or iter(()))
    list(train_replicas(cfg, seeds))
    return taken


@pytest.mark.parametrize("seconds, way", [((1.0, 2.0), "as one"), ((2.0, 1.0), "in turn")])
def test_the_faster_way_is_taken(monkeypatch, seconds, way):
    asked = []
    monkeypatch.setattr(replicas, "seconds_a_step", lambda cfg, count, threads: asked.append((cfg, count)) or seconds)
    assert ways_taken(monkeypatch, config()) == [way]
    assert asked == [(seeded(config(), 0), 3)]


def refuse(*args) -> tuple[float, float]:
    raise AssertionError("timed in vain")


@pytest.mark.parametrize("cfg", [
    config(replace(SMALL, n_embd=256, n_layer=8, block_size=64), batch_size=32), config(precision="bfloat16"),
    config(optimizer="muon"), config(optimizer="lion"),
], ids=["large", "bfloat16", "muon", "lion"])
def test_what_cannot_gain_or_would_differ_goes_in_turn_without_a_trial(monkeypatch, cfg):
    monkeypatch.setattr("gpt.kernels.bfloat16_is_fast", lambda device: True)
    monkeypatch.setattr(replicas, "seconds_a_step", refuse)
    assert ways_taken(monkeypatch, cfg) == ["in turn"]


def test_one_seed_needs_no_trial(monkeypatch):
    monkeypatch.setattr(replicas, "seconds_a_step", refuse)
    assert ways_taken(monkeypatch, config(), seeds=[5]) == ["in turn"]


def test_a_trial_is_short_and_made_once():
    seconds_a_step.cache_clear()
    for cfg in (config(), config(seed=5)):
        list(train_replicas(replace(cfg, train=replace(cfg.train, steps=1, eval_every=1)), SEEDS))
    assert seconds_a_step.cache_info().misses == 1
    assert all(0 < seconds < 1 for seconds in seconds_a_step(seeded(config(), 0), 4, 1))


def test_every_model_can_be_stacked():
    """So that a new layer with parameters is not left out unnoticed."""
    for model in pairwise():
        assert stackable(Run(config(model)), 8)
    assert stackable(Run(config(replace(SMALL, architecture="bigram"))), 8)


def test_what_cannot_be_stacked(monkeypatch):
    run = Run(config())
    assert not stackable(run, 10**6)  # the activations of so many fit nowhere
    run.model.new = nn.PReLU()
    assert not stackable(run, 2)
    monkeypatch.setitem(replicas.LAYERS, nn.PReLU, lambda layer, x: x)
    assert stackable(run, 2)


@pytest.mark.parametrize("seeds", [[], [1, 2, 1]])
def test_seeds_must_be_some_and_different(seeds):
    with pytest.raises(ValueError, match="seeds = "):
        train_replicas(config(), seeds)


def test_what_is_wrong_is_told_before_training(monkeypatch):
    with pytest.raises(ConfigError, match="n_head"):
        train_replicas(config(replace(SMALL, n_head=3)), SEEDS)
    with pytest.raises(ValueError, match="stacked"):
        train_replicas(config(replace(SMALL, n_embd=256, n_layer=8, block_size=64), batch_size=32), SEEDS, together=True)
    monkeypatch.setenv("GPT_PLAYGROUND_MEMORY_GIB", "0.01")
    with pytest.raises(ConfigError, match="1000 seeds do not fit"):
        train_replicas(config(), list(range(1000)))


# Parts --------------------------------------------------------------------------------------------------------------

def test_clipping_is_by_replica():
    each = [[torch.randn(4, 3) * size, torch.randn(5) * size] for size in (0.01, 1.0, 100.0)]
    stacked = [torch.stack(parts) for parts in zip(*each)]
    clip(stacked, 1.5)
    for number, grads in enumerate(each):
        parameters = [nn.Parameter(torch.zeros_like(g)) for g in grads]
        for parameter, grad in zip(parameters, grads):
            parameter.grad = grad
        nn.utils.clip_grad_norm_(parameters, 1.5)
        for parameter, whole in zip(parameters, stacked):
            assert torch.allclose(parameter.grad, whole[number], rtol=1e-5)


def test_the_runs_share_the_weights_of_the_stack():
    """What makes checks, samples and checkpoints of each run those of the replica."""
    runs = runs_of(config(replace(NOISY, tie_weights=False)))
    before = [{name: weight.clone() for name, weight in run.model.state_dict().items()} for run in runs]
    stack = Stack(runs)
    for run, weights in zip(runs, before):
        assert all(torch.equal(weight, weights[name]) for name, weight in run.model.state_dict().items())
    stack.step(runs)
    for run, weights in zip(runs, before):
        assert not any(torch.equal(p, weights[name]) for name, p in run.model.named_parameters() if "bias" not in name)
