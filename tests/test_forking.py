"""Forks, and options changed on the way: what a run was up to that step stays what it was."""

from dataclasses import replace as swap

import pytest
import torch

from gpt.config import RunConfig
from gpt.events import Changed, Eval, Forked, Step
from gpt.forking import fork
from gpt.options import ConfigError, replace
from gpt.recording import Recording
from gpt.run import Run
from gpt.store import RunStore

SMALL = {"model.n_layer": 2, "model.n_embd": 16, "model.block_size": 8, "train.batch_size": 4, "train.steps": 24,
         "train.eval_every": 8, "train.eval_tokens": 64, "sample.length": 4}


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path)
    yield store
    store.close()


def trained(store: RunStore, plan=(), **changes) -> str:
    run = store.create(replace(RunConfig(), SMALL | changes), owner="me", preset="modern/gpt2", plan=plan)
    list(Recording(store, run))
    return run


def losses(store: RunStore, run: str) -> list[float]:
    return [loss for _, loss, _ in store.points(run)]


def forked(store: RunStore, parent: str, step: int, **changes) -> tuple[str, Forked]:
    stored = store.run(parent)
    return fork(store, stored, step, replace(stored.config, changes), owner="me", preset="modern/gpt2")


# Forks


@pytest.mark.parametrize("optimizer", ["adamw", "lion", "muon", "sgd"])
def test_an_unchanged_fork_is_its_parent_bit_for_bit(store, optimizer):
    parent = trained(store, **{"train.optimizer": optimizer, "model.dropout_resid": 0.1})
    child, told = forked(store, parent, 12)
    assert losses(store, child) == losses(store, parent)[:12] and not told.fresh
    list(Recording(store, child))
    assert losses(store, child) == losses(store, parent)
    weights = [store.load_checkpoint(run)[1] for run in (parent, child)]
    assert weights[0].keys() == weights[1].keys() and all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert store.run(child).parent == parent and store.run(child).forked_at == 12


def test_a_changed_fork_carries_what_fits_and_says_what_is_new(store):
    parent = trained(store, **{"model.norm": "none"})
    child, told = forked(store, parent, 12, **{"model.norm": "rms", "model.expansion": 2.0, "train.lr": 3e-4, "train.steps": 30})
    assert "blocks.*.mlp.before.weight" in told.fresh and "blocks.*.mlp.inner.proj.weight" in told.fresh
    assert "embed.weight" in told.carried and "blocks.*.attn.inner.qkv.weight" in told.carried
    step, tensors, _ = store.load_checkpoint(child)
    assert step == 12 and torch.equal(tensors["model.embed.weight"], store.load_checkpoint(parent, 12)[1]["model.embed.weight"])
    remembered = {name for name in tensors if name.startswith("optimizer.blocks.0.mlp")}
    assert {name.rsplit(".", 1)[0] for name in remembered} == {"optimizer.blocks.0.mlp.inner.proj.bias"}  # of one size
    list(Recording(store, child))
    assert losses(store, child)[:12] == losses(store, parent)[:12] and len(losses(store, child)) == 30
    assert [e.step for _, e in store.events(child) if isinstance(e, Eval)] == [0, 8, 16, 24, 30]
    assert [e for _, e in store.events(child) if isinstance(e, Forked)] == [told]
    assert store.run(child).status == "finished"


@pytest.mark.parametrize("step, changes, says", [
    (13, {}, "fork it at step 1, 2, 6, 12, 18, 24"), (12, {"train.steps": 12}, "use steps = 13 or more"),
    (12, {"data.tokenizer": "byte"}, "text of its parent"), (12, {"model.n_head": 5}, "n_head")])
def test_what_cannot_be_forked_is_refused_and_leaves_nothing(store, step, changes, says):
    parent = store.run(trained(store))
    config = parent.config
    for path, value in changes.items():  # not by `replace`, which would refuse some itself
        section, name = path.split(".")
        config = swap(config, **{section: swap(getattr(config, section), **{name: value})})
    with pytest.raises(ConfigError, match=says):
        fork(store, parent, step, config, owner="me", preset="modern/gpt2")
    assert len(store.runs()) == 1


def test_quarters_of_a_run_and_its_beginning_are_kept(store):
    assert store.checkpoint_steps(trained(store)) == [1, 2, 6, 12, 18, 24]


# Options changed on the way


def test_a_change_holds_from_the_next_step_on_and_is_told(store):
    plain, changed = Run(replace(RunConfig(), SMALL)), Run(replace(RunConfig(), SMALL))
    seen, told = [], []
    for event in changed.events():
        if isinstance(event, Step):
            seen.append(event.loss)
            if event.step == 10:
                changed.change({"train.lr": 0.01, "model.dropout_resid": 0.3, "train.weight_decay": 0.1})
        if isinstance(event, Changed):
            told.append(event)
    reference = [event.loss for event in plain.events() if isinstance(event, Step)]
    assert seen[:10] == reference[:10] and seen[10] != reference[10] and len(seen) == 24
    assert told == [Changed(10, {"train.lr": 0.01, "model.dropout_resid": 0.3, "train.weight_decay": 0.1})]
    decays = {group["weight_decay"] for optimizer in changed.state.optimizers for group in optimizer.param_groups}
    assert decays == {0.1, 0.0} and changed.cfg.train.lr == 0.01


@pytest.mark.parametrize("changes", [{"train.lr": 0.02}, {"model.dropout_attn": 0.2, "model.dropout_embd": 0.1}, {"train.weight_decay": 0.3}])
@pytest.mark.parametrize("at", [0, 7, 8, 23])
def test_changes_are_replayed_when_the_run_is_reproduced_or_resumed(store, changes, at):
    live = store.create(replace(RunConfig(), SMALL), owner="me", preset="modern/gpt2")
    recording = Recording(store, live)
    for event in recording:
        if isinstance(event, Eval | Step) and event.step == at == recording.run.state.step and not store.run(live).plan:
            recording.run.change(changes)
    assert store.run(live).plan == [(at, changes)] and store.run(live).present != store.run(live).config
    again = trained(store, plan=store.run(live).plan)
    assert losses(store, again) == losses(store, live)
    stored = store.run(live)
    resumed = Run(stored.config, store.load_checkpoint(live, 18), stored.plan)
    rest = [event.loss for event in resumed.events() if isinstance(event, Step)]
    assert rest == losses(store, live)[18:]


def test_what_cannot_change_on_the_way_is_refused_in_words():
    run = Run(replace(RunConfig(), SMALL))
    for changes, says in (({"model.norm": "rms"}, "model.norm cannot change while a run goes"), ({}, "Nothing"),
                          ({"train.lr": 50.0}, "use a number"), ({"train.nothing": 1}, "no such option")):
        with pytest.raises(ConfigError, match=says):
            run.change(changes)
    assert not run.change_is_due()


def test_a_change_asked_for_just_before_a_run_is_left_is_made_when_it_goes_on(store):
    run = store.create(replace(RunConfig(), SMALL), owner="me", preset="modern/gpt2")
    recording = Recording(store, run)
    for event in recording:
        if isinstance(event, Step) and event.step == 5:
            recording.run.change({"train.lr": 0.02})
            break
    recording.leave("paused")
    assert store.run(run).plan == [(5, {"train.lr": 0.02})]
    list(Recording(store, run))
    assert losses(store, run) == losses(store, trained(store, plan=[(5, {"train.lr": 0.02})]))
