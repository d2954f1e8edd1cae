"""Studies from their plan to their verdicts, on models that are really trained."""

import torch

from gpt.arms import candidates, make_arm, pick
from gpt.options import replace
from gpt.presets import load
from gpt.recording import Recording
from gpt.results import create, results
from gpt.run import Run
from gpt.store import RunStore
from gpt.study import plan

DEEP = {"model.n_layer": 8, "model.n_head": 1, "train.steps": 120, "train.eval_every": 120, "train.eval_tokens": 2048}


def test_an_ablation_of_the_deep_pre_ln_model_finds_what_matters_and_what_does_not(tmp_path):
    """Without residual connections eight layers hardly learn; one head by two names is one model."""
    config = replace(load("09").config, DEEP)
    alias = make_arm(config, "swap", {"model.attention": "single"})
    arms = [*pick(candidates(config), ["-residual", "-attention", "-MLP", "-norm"]), alias]
    store = RunStore(tmp_path)
    id, runs = create(store, plan(config, arms, "steps", 3, lambda config: 65), owner="me", preset="ladder/09-pre-ln", title="")
    assert len(runs) == 18
    early = results(store, store.study(id))
    assert early.going and early.done == 0 and all(arm.status == "waiting" and arm.effect.mean is None for arm in early.arms)
    for run in runs:
        list(Recording(store, run))
    found = results(store, store.study(id))
    assert not found.going and found.done == 18 and all(arm.status == "done" for arm in found.arms)
    worst = found.rows[0]
    assert worst.name == "-residual" and worst.low > 0.2 and worst.clear and "hurts" in worst.verdict
    assert worst.low > max(row.high for row in found.rows[1:])
    equal = next(row for row in found.rows if row.name == alias.name)
    assert equal.differences == (0.0, 0.0, 0.0) and not equal.clear and "not distinguishable" in equal.verdict
    store.close()


def test_arms_share_starting_weights_and_batches_exactly():
    config = replace(load("09").config, {"train.seed": 7})
    base = Run(config)
    for arm in (arm for arm in candidates(config) if "data.tokenizer" not in arm.changes):
        other = Run(arm.config(config))
        shared = dict(base.model.named_parameters())
        for name, weight in other.model.named_parameters():
            same_start = name in shared and shared[name].shape == weight.shape and not any(
                path in arm.changes for path in ("model.init", "model.tie_weights"))
            assert not same_start or torch.equal(weight, shared[name]), (arm.name, name)
        for step in (0, 11):
            mine, theirs = (run.data.batch(step, run.cfg.train.seed, 4, 8) for run in (base, other))
            assert all(torch.equal(a, b) for a, b in zip(mine, theirs)), arm.name


def test_runs_that_were_deleted_or_diverged_are_counted_as_such(tmp_path):
    config = replace(load("03").config, {"train.steps": 4, "train.eval_every": 4, "train.eval_tokens": 64})
    store = RunStore(tmp_path)
    wild = make_arm(config, "swap", {"train.optimizer": "sgd", "train.lr": 1.0})
    id, runs = create(store, plan(config, [wild], "steps", 2, lambda config: 65), owner="me", preset="ladder/03-multi-head", title="")
    for run in runs:
        list(Recording(store, run))
    assert results(store, store.study(id)).rows[0].diverged == 2  # by how far their losses ran away
    store.discard(runs[:2])
    found = results(store, store.study(id))
    assert len(found.runs) == 2 and found.rows[0].diverged == 1 and found.base.effect.loss is not None
    store.close()


def test_a_loss_that_ran_away_measures_nothing(tmp_path):
    """It is a number still, and an interval over such numbers would be absurd."""
    config = replace(load("03").config, {"train.steps": 60, "train.eval_every": 60, "train.eval_tokens": 64})
    store = RunStore(tmp_path)
    wild = make_arm(config, "swap", {"train.lr": 1.0})
    id, runs = create(store, plan(config, [wild], "steps", 2, lambda config: 65), owner="me", preset="ladder/03-multi-head", title="")
    for run in runs:
        list(Recording(store, run))
    found = results(store, store.study(id)).rows[0]
    assert store.run(runs[1]).val_loss > 10 and found.mean is None and found.diverged == 2 and found.clear
    assert "diverge" in found.verdict and results(store, store.study(id)).base.effect.loss < 4.2
    store.close()
