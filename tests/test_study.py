"""Studies: arms by declaration, over every preset; sweeps; equal budgets; and plans that survive being stored."""

import json
import subprocess
import sys
from dataclasses import replace as changed
from pathlib import Path

import pytest
import torch

from gpt import estimate, study
from gpt.arms import BASE, KINDS, MOST_ARMS, Arm, candidates, make_arm, plain, suggested, sweep, sweepable, usual
from gpt.config import MOST_CHECKS, ModelConfig, RunConfig, TrainConfig
from gpt.estimate import floating_point_operations
from gpt.model import build, count_parameters
from gpt.options import ConfigError, difference, get, has_effect, replace, values, walk
from gpt.presets import list_presets, load
from gpt.study import BUDGETS, MOST_RUNS, Planned, Study, fit, plan, step_seconds
from gpt.train import evaluate, start, train_step
from support import shake, small_data, small_run

PRESETS = list_presets()
OPTIONS = dict(walk(RunConfig))
each_preset = pytest.mark.parametrize("config", [preset.config for preset in PRESETS], ids=[preset.id for preset in PRESETS])
V = 65


def size(config: RunConfig) -> int:
    return V



def by_name(arms: list[Arm]) -> dict[str, Arm]:
    return {arm.name: arm for arm in arms}


# Ablations ----------------------------------------------------------------------------------------------------------

@each_preset
def test_candidates_can_work_and_differ(config):
    arms = candidates(config)
    assert len({arm.key for arm in arms}) == len({arm.name for arm in arms}) == len(arms) > 5
    for arm in arms:
        changed_config = arm.config(config)
        assert changed_config.problems() == [] and set(difference(changed_config, config)) == set(arm.changes)
        assert arm.name and arm.part == OPTIONS[next(iter(arm.changes))].part
    plainest = {plain(arm.config(config)) for arm in arms}
    assert len(plainest) == len(arms) and plain(config) not in plainest


@each_preset
def test_candidates_come_in_order(config):
    """Removed, added, swapped; in each the options' order, a family before its members."""
    order = list(OPTIONS)
    places = [(KINDS.index(a.kind), order.index(next(iter(a.changes))), -len(a.changes)) for a in candidates(config)]
    assert places == sorted(places)


@each_preset
def test_every_switch_that_matters_is_switched(config):
    flipped = {path: arm for arm in candidates(config) for path in arm.changes if len(arm.changes) == 1}
    for path, option in OPTIONS.items():
        section, name = path.split(".")
        if section == "model" and option.kind == "switch" and has_effect(config.model, name):
            on = get(config, path)
            if plain(replace(config, {path: not on})) != plain(config):
                assert flipped[path].kind == ("minus" if on else "plus") and flipped[path].name.startswith("-" if on else "+")


@each_preset
def test_residual_connections_go_together_and_alone(config):
    family = {path for path in ("model.residual_attn", "model.residual_mlp") if has_effect(config.model, path.split(".")[1])}
    found = [set(arm.changes) for arm in candidates(config) if any("residual_" in path for path in arm.changes)]
    assert found == ([family] if len(family) > 1 else []) + [{path} for path in sorted(family)]


def test_residual_connections_of_which_one_is_on_do_not_go_together():
    arms = by_name(candidates(RunConfig(ModelConfig(residual_mlp=False))))
    assert arms["-attention residual"].kind == "minus" and arms["+MLP residual"].kind == "plus" and "-residual" not in arms


def test_kinds_by_rule():
    arms = by_name(candidates(load("gpt2").config))
    expected = {
        "-attention": "minus", "-position": "minus", "-MLP": "minus", "-residual": "minus", "-norm": "minus", "-clip": "minus",
        "+QK-norm": "plus", "+parallel": "plus", "window 16": "plus", "dropout 0.1": "plus", "one head": "swap", "RoPE": "swap",
        "RMSNorm": "swap", "identity": "swap", "init PyTorch": "swap", "Lion": "swap", "linear": "swap"}
    assert {name: arms[name].kind for name in expected} == expected
    assert arms["-norm"].key == "model.norm=none" and arms["-norm"].part == "norm"
    assert arms["-clip"].changes == {"train.grad_clip": 0.0}
    assert arms["-residual"].key == "model.residual_attn=False,model.residual_mlp=False"
    changed_options = {path for arm in arms.values() for path in arm.changes}
    assert not changed_options & {"model.architecture", "model.n_layer", "model.n_head", "model.expansion", "train.lr",
                                  "train.seed", "train.device", "train.precision", "train.warmup"}


def test_any_value_of_a_choice_that_is_off_is_added():
    arms = by_name(candidates(RunConfig(ModelConfig(norm="none", position="none"))))
    assert [arms[name].kind for name in ("LayerNorm", "RMSNorm", "learned", "RoPE")] == ["plus"] * 4
    assert list(arms).index("LayerNorm") < list(arms).index("RMSNorm")  # the default first


def test_what_cannot_work_is_no_arm():
    """RoPE turns pairs, and a head of 5 has none to spare; grouped queries leave no single head."""
    names = by_name(candidates(RunConfig(ModelConfig(n_embd=20, n_head=4))))
    assert "RoPE" not in names and "ALiBi" in names


def test_usual_arms_are_the_models_parts():
    config = replace(load("gpt2").config, {"model.dropout_embd": 0.1, "model.qk_norm": True})
    names = [arm.name for arm in usual(candidates(config))]
    assert {"-attention", "-QK-norm", "-position", "-MLP", "-residual", "-norm", "-final norm", "-clip"} <= set(names)
    assert any("embd dropout" in name for name in names)
    assert not {"-bias", "-tying", "-attention residual", "-MLP residual", "RMSNorm"} & set(names)


@each_preset
def test_usual_arms_are_few_enough_to_train(config):
    arms = candidates(config)
    assert all(arm in arms and arm.kind == "minus" for arm in usual(arms)) and len(usual(arms)) < MOST_ARMS


# The same under another name ------------------------------------------------------------------------------------------

def behaviour(config: RunConfig) -> torch.Tensor:
    """Losses of eight steps from weights off their start, and of a check after them; small, whatever the config's size."""
    small = replace(config, {
        "model.n_layer": min(config.model.n_layer, 2), "model.n_embd": 16, "model.block_size": 12, "train.steps": 8,
        "train.warmup": 0, "train.batch_size": 2, "train.eval_every": 8, "train.precision": "float32", "train.device": "cpu"})
    data = small_data(small.model.block_size)
    state = start(shake(build(small.model, data.tokenizer.vocab_size, 1)), small.train)
    losses = []
    for state.step in range(small.train.steps):
        losses.append(float(train_step(state, data, small.train, torch.device("cpu"))))
    return torch.tensor([*losses, evaluate(state.model.eval(), data.eval_batches(256, small.model.block_size))])


ALIKE = [
    ({"model.n_head": 1}, {"model.n_head": 1, "model.attention": "single"}),
    ({}, {"model.window": 12}), ({"model.softcap": 2.0}, {"model.softcap": 2.0, "model.window": 200}),
    ({"model.attention": "none", "model.position": "none"}, {"model.attention": "none", "model.position": "rope"}),
    ({"model.attention": "none", "model.position": "alibi"}, {"model.attention": "none", "model.position": "rope"}),
    ({"model.attn_proj": False, "model.mlp_proj": False},
     {"model.attn_proj": False, "model.mlp_proj": False, "model.init": "zero"}),
    ({"model.architecture": "bigram"}, {"model.architecture": "bigram", "model.init": "zero"}),
    ({"model.attn_proj": False, "model.mlp": False, "model.norm": "rms"},
     {"model.attn_proj": False, "model.mlp": False, "model.norm": "rms", "model.bias": False}),
    ({}, {"train.optimizer": "adam"}), ({}, {"train.schedule": "cosine", "train.lr_end": 1.0}),
    ({}, {"model.rope_base": 500.0}), ({"model.mlp": False}, {"model.mlp": False, "model.activation": "relu"}),
]


@pytest.mark.parametrize("one, other", ALIKE, ids=str)
def test_what_trains_the_same_is_the_same(one, other):
    base = RunConfig(ModelConfig(block_size=12), train=TrainConfig(lr=1e-2))
    one, other = replace(base, one), replace(base, other)
    assert one != other and plain(one) == plain(other) and plain(plain(one)) == plain(one)
    assert torch.allclose(behaviour(one), behaviour(other), atol=1e-5, rtol=0)


def test_what_trains_the_same_as_the_base_is_no_arm():
    names = by_name(candidates(RunConfig(ModelConfig(block_size=16, n_head=1))))
    assert not {"one head", "window 16", "Adam"} & set(names)
    names = by_name(candidates(RunConfig(ModelConfig(block_size=32), train=TrainConfig(weight_decay=0.1))))
    assert {"one head", "window 16", "Adam"} <= set(names)


@pytest.mark.parametrize("name", ["01", "03", "05", "gpt2", "best"])
def test_candidates_train_differently(name):
    """From the base and from each other: two that did not would be one part under two names."""
    config = replace(load(name).config, {"model.block_size": 12, "train.lr": 0.02, "train.lr_rest": 0.01})
    same = {"train.grad_clip", "data.tokenizer"}  # these gradients may be short, and these tokens are given
    arms = [BASE, *(arm for arm in candidates(config) if not same & arm.changes.keys())]
    rows = torch.stack([behaviour(arm.config(config)) for arm in arms])
    apart = (rows[:, None] - rows).abs().amax(-1) + torch.eye(len(rows))
    assert rows.isfinite().all()
    assert [(arms[i].name, arms[j].name) for i, j in (apart < 1e-6).nonzero().tolist() if i < j] == []


# Sweeps -------------------------------------------------------------------------------------------------------------

def test_a_sweep_goes_up_and_holds_the_base():
    arms = sweep(RunConfig(), "model.n_layer", [6, 2.0, 4, 1, 6])
    assert [arm.name for arm in arms] == ["layers 1", "layers 2", "base", "layers 6"]
    assert [arm.kind for arm in arms] == ["sweep", "sweep", "base", "sweep"] and arms[0].changes == {"model.n_layer": 1}
    assert len({arm.key for arm in arms}) == 4 and arms[2] is BASE
    added = sweep(RunConfig(), "train.lr", [1e-2, 1e-4])
    assert [arm.name for arm in added] == ["lr 1e-4", "base", "lr 0.01"]
    assert [arm.name for arm in sweep(RunConfig(), "model.window", [0, 8])] == ["base", "window 8"]


def test_values_that_look_alike_are_told_apart():
    names = [arm.name for arm in sweep(RunConfig(), "train.lr", [1.23456e-4, 1.23457e-4])]
    assert len(set(names)) == 3 and "lr 0.000123456" in names


@pytest.mark.parametrize("path, given, parts", [
    ("model.n_layers", [1, 2], ["model.n_layers cannot be swept, there is no such option: use one of model.n_head"]),
    ("model.norm", [1, 2], ["it is no number"]), ("data.val_fraction", [0.1, 0.2], ["leaves the model and its training"]),
    ("sample.temperature", [0.1, 0.2], ["leaves"]), ("train.seed", [1, 2], ["leaves"]),
    ("train.eval_tokens", [64, 128], ["leaves"]),
    ("model.rope_base", [100, 200], ["it has no effect in this config"]),
    ("model.n_layer", [4], ["give at least two different values, such as 1, 2, 3, 4, 6, 8."]),
    ("model.n_layer", [], ["at least two"]), ("model.n_layer", [3, 3.0], ["at least two"]),
    ("model.n_layer", range(1, 60), ["would have 59 values, the present one included: use at most 24."]),
    ("model.n_embd", [65, 2, 64.5, "wide", [96], None, 1 << 20],
     ["model.n_embd = 65: n_embd = 65 cannot be shared by n_head = 4", "n_embd = 2: use", "n_embd = 64.5: use",
      "n_embd = 'wide': use", "n_embd = [96]: use", "n_embd = None: use", "n_embd = 1,048,576: use"]),
    ("train.steps", [50, 2000], ["train.steps = 50: warmup = 100 is longer than steps = 50"]),
])
def test_all_problems_of_a_sweep_are_named_at_once(path, given, parts):
    with pytest.raises(ConfigError) as error:
        sweep(RunConfig(train=TrainConfig(warmup=100)), path, list(given))
    assert len(error.value.problems) >= len(parts)
    for part in parts:
        assert any(part in problem for problem in error.value.problems), part


def test_a_config_that_cannot_work_is_not_swept():
    with pytest.raises(ConfigError, match="n_embd = 65 cannot be shared"):
        sweep(RunConfig(ModelConfig(n_embd=65)), "train.lr", [1e-3, 1e-2])


@each_preset
def test_suggested_values_can_be_swept(config):
    assert {"train.lr", "train.steps", "train.batch_size"} <= set(sweepable(config))
    for path in sweepable(config):
        found = suggested(config, path)
        assert get(config, path) in found and found == sorted(set(found)) and 2 <= len(found) <= 7, path
        assert all(type(value) is type(OPTIONS[path].default) for value in found)
        arms = sweep(config, path, found)
        assert len(arms) == len(found) and [arm.kind for arm in arms].count("base") == 1


@pytest.mark.parametrize("path, expected", [
    ("model.n_layer", [1, 2, 3, 4, 6, 8]), ("model.n_embd", [24, 32, 48, 64, 96, 128]), ("model.n_head", [1, 2, 4, 8, 16, 32]),
    ("model.queries_per_kv", [1, 2, 4]), ("model.dropout_resid", [0, 0.03, 0.05, 0.1, 0.2, 0.3]),
    ("train.lr", [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3]), ("train.batch_size", [2, 4, 8, 16, 32, 64]),
    ("train.beta2", [0, 0.997, 0.998, 0.999, 0.9995, 0.9997]),
])
def test_suggested_values_are_what_people_type(path, expected):
    assert suggested(RunConfig(), path) == expected


# Budgets ------------------------------------------------------------------------------------------------------------

BUDGETED = ["06", "gpt2", "llama"]


def fitted(name: str, budget: str) -> list[tuple[RunConfig, Arm, RunConfig, str]]:
    """(base, arm, its config at that budget, the note) of the base itself and every second arm."""
    base = load(name).config
    return [(base, arm, *fit(base, arm, budget, size)) for arm in (BASE, *candidates(base)[::2])]


def valid_with_as_many_checks(base: RunConfig, config: RunConfig) -> bool:
    wanted, checks = (c.train.steps / c.train.eval_every for c in (base, config))
    return config.problems(V) == [] and wanted * 0.8 <= checks <= wanted * 1.25 and config.train.warmup <= config.train.steps


@pytest.mark.parametrize("name", BUDGETED)
def test_equal_steps_change_nothing(name):
    assert all(config == arm.config(base) and note == "" for base, arm, config, note in fitted(name, "steps"))


@pytest.mark.parametrize("name", BUDGETED)
def test_equal_operations_are_equal_within_a_step(name):
    notes = []
    for base, arm, config, note in fitted(name, "flops"):
        wanted, one = (floating_point_operations(c, V) for c in (base, config))
        assert abs(base.train.steps * wanted - config.train.steps * one) <= one and valid_with_as_many_checks(base, config)
        assert note == ("" if config == arm.config(base) else f"{config.train.steps:,} steps instead of {base.train.steps:,}")
        notes.append(note)
    assert notes[0] == "" and any(notes)


@pytest.mark.parametrize("changes", [{"train.batch_size": 48}, {"train.batch_size": 5}, {"model.block_size": 16}])
def test_equal_tokens(changes):
    base = load("gpt2").config
    config, note = fit(base, make_arm(base, "sweep", changes), "tokens", size)
    tokens = [c.train.steps * c.tokens_per_step for c in (base, config)]
    assert abs(tokens[0] - tokens[1]) <= config.tokens_per_step / 2 and note and valid_with_as_many_checks(base, config)


def test_warmup_and_checks_stay_possible():
    base = RunConfig(train=TrainConfig(steps=900, warmup=800, eval_every=1, batch_size=4))
    fewer, _ = fit(base, make_arm(base, "sweep", {"train.batch_size": 64}), "tokens", size)
    assert (fewer.train.steps, fewer.train.warmup, fewer.train.eval_every) == (56, 56, 1)
    more, note = fit(base, make_arm(base, "sweep", {"train.batch_size": 1}), "tokens", size)
    assert (more.train.steps, more.train.eval_every, note) == (3600, 4, "3,600 steps instead of 900")
    assert more.train.steps // more.train.eval_every <= MOST_CHECKS


@pytest.mark.parametrize("name", BUDGETED)
def test_equal_parameters_are_as_near_as_widths_allow(name):
    for base, arm, config, note in fitted(name, "parameters"):
        wanted, found = (count_parameters(c.model, V)["total"] for c in (base, config))
        assert config.problems(V) == [] and config == replace(arm.config(base), {"model.n_embd": config.model.n_embd})
        unit = 8 if arm.config(base).model.attention == "multi" else 2
        for width in (config.model.n_embd - unit, config.model.n_embd + unit):
            beside = changed(config.model, n_embd=width)
            assert beside.problems() or abs(count_parameters(beside, V)["total"] - wanted) >= abs(found - wanted), arm.name
        assert bool(note) == (config.model.n_embd != base.model.n_embd)


def test_equal_seconds_by_measured_steps(monkeypatch):
    base, cost = load("gpt2").config, {"multi": 2.0, "none": 1.0, "single": 1.97}
    monkeypatch.setattr(study, "step_seconds", lambda config: cost[config.model.attention])
    arms = by_name(candidates(base))
    config, note = fit(base, arms["-attention"], "seconds", size)
    assert config.train.steps == 2000 and note == "2,000 steps instead of 1,000" and valid_with_as_many_checks(base, config)
    assert fit(base, arms["one head"], "seconds", size) == (arms["one head"].config(base), "")  # less than timing tells apart


def test_a_step_is_timed_once_whatever_does_not_slow_it():
    config = small_run()
    other = replace(config, {"train.steps": 9, "train.seed": 5, "train.lr": 1.0, "sample.length": 3})
    assert 0 < step_seconds(config) == step_seconds(other) < 1


@pytest.mark.parametrize("changes, arm, budget, message", [
    ({}, {"model.n_layer": 2}, "money", "no budget 'money': use one of steps, tokens"),
    ({"model.architecture": "bigram"}, {"train.batch_size": 2}, "flops", "no products to count: use budget = steps"),
    ({}, {"model.n_embd": 96}, "parameters", "model.n_embd cannot be .*use budget = steps"),
    ({}, {"train.steps": 96}, "flops", "train.steps cannot be .*use budget = steps"),
    ({"train.steps": 90_000, "train.eval_every": 500}, {"train.batch_size": 8}, "tokens",
     "steps = 180,000: .*100,000.*lower train.steps"),
    ({"train.steps": 3}, {"train.batch_size": 512}, "tokens", "steps = 0: .*raise train.steps, or use budget = steps"),
    ({"model.n_layer": 1, "model.n_embd": 4, "model.n_head": 1}, {"model.n_layer": 24}, "parameters",
     "No n_embd from 4 to 1024 gives about .*change n_layer or n_embd in the base"),
])
def test_a_budget_that_cannot_be_kept_is_refused_with_a_way_out(changes, arm, budget, message):
    base = replace(RunConfig(), changes)
    with pytest.raises(ConfigError, match=message):
        fit(base, make_arm(base, "sweep", arm), budget, size)


# Plans --------------------------------------------------------------------------------------------------------------

def test_a_plan_trains_the_first_seed_of_all_arms_first():
    base = RunConfig(train=TrainConfig(seed=7))
    arms = usual(candidates(base))[:2]
    planned = plan(base, arms, "steps", 3, size)
    assert planned.kind == "ablation" and planned.seeds == (7, 8, 9) and planned.base == 0
    assert [arm.name for arm in planned.arms] == ["base", *(arm.name for arm in arms)]
    assert [(index, seed) for index, seed, _ in planned.configs()] == [(i, seed) for seed in (7, 8, 9) for i in range(3)]
    for index, seed, config in planned.configs():
        assert config == replace((BASE, *arms)[index].config(base), {"train.seed": seed, "sample.length": 0})


def test_a_plan_survives_json():
    base = load("llama").config
    planned = plan(base, usual(candidates(base)), "flops", 2, size)
    read = Study.from_json(planned.to_json())
    assert read == planned and list(read.configs()) == list(planned.configs()) and any(arm.note for arm in read.arms)
    assert json.loads(planned.to_json())["arms"][0]["options"] == values(base)


def test_a_sweep_knows_its_values():
    planned = plan(RunConfig(), sweep(RunConfig(), "model.n_layer", [2, 4, 8]), "flops", 1, size, "model.n_layer")
    assert planned.kind == "sweep" and planned.path == "model.n_layer" and planned.base == 1
    assert [arm.value for arm in planned.arms] == [2, 4, 8] and [arm.kind for arm in planned.arms] == ["sweep", "base", "sweep"]
    assert planned.arms[0].note and Study.from_json(planned.to_json()) == planned


def test_everything_wrong_with_a_plan_is_said_at_once():
    base = RunConfig(train=TrainConfig(seed=2**31 - 2))
    for arms, seeds, parts in [
        ([], 1, ["nothing to compare"]), ([], 0, ["nothing to compare", "seeds = 0: use a whole number from 1 to 10"]),
        (candidates(base), 10, ["choose at most 24", f"runs, and {MOST_RUNS} can be", "use at most 2147483638"]),
        (candidates(base)[:20], 10, ["21 variants with 10 seeds are 210 runs, and 120 can be: use at most 5 seeds or 12 variants"]),
        (candidates(base)[:2], True, ["seeds = True"]), (candidates(base)[:2], 2.0, ["seeds = 2.0"]),
    ]:
        with pytest.raises(ConfigError) as error:
            plan(base, arms, "steps", seeds, size)
        assert all(any(part in problem for problem in error.value.problems) for part in parts), parts


def test_arms_that_cannot_keep_the_budget_are_named_together():
    with pytest.raises(ConfigError) as error:
        plan(RunConfig(), sweep(RunConfig(), "model.n_embd", [32, 96]), "parameters", 1, size, "model.n_embd")
    assert len(error.value.problems) == 1 and error.value.problems[0].startswith("width 32, width 96: model.n_embd cannot be")


def test_the_time_of_a_study_is_that_of_its_runs(monkeypatch):
    machine = object.__new__(estimate.Machine)
    machine.step, machine.sublayer, machine.rate = 1e-3, 1e-4, 1e9
    monkeypatch.setattr(estimate, "measure", lambda threads, precision: machine)
    planned = plan(RunConfig(), usual(candidates(RunConfig()))[:3], "steps", 2, size)
    arms = [replace(arm.config, {"sample.length": 0}) for arm in planned.arms]
    assert study.seconds(planned) == pytest.approx(2 * sum(map(estimate.seconds, arms)))


def test_every_budget_and_kind_has_its_words():
    assert list(BUDGETS) == ["steps", "tokens", "seconds", "flops", "parameters"] and all(BUDGETS.values())
    assert Planned("x", "swap", "", "", values(RunConfig())).config == RunConfig()


@pytest.mark.parametrize("module", ["gpt.arms", "gpt.study"])
def test_arms_and_plans_need_no_torch(module):
    root = Path(__file__).resolve().parent.parent
    code = f"import sys, {module}; from gpt.arms import *; candidates(RunConfig()); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60).returncode == 0
