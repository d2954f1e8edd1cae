"""The background training thread: fair to all runs, and nothing is lost when one is paused, stopped or fails."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from gpt.config import RunConfig, SampleConfig, TrainConfig
from gpt.events import Eval
from gpt.options import ConfigError, replace
from gpt.store import RunStore
from gpt.tokenizers import TextError
from playground import jobs as module
from playground.jobs import QueueFull
from playground.scheduler import Scheduler
from support import until

TINY = {"model.architecture": "bigram", "model.block_size": 8, "train.batch_size": 4, "train.eval_tokens": 64,
        "sample.length": 5, "train.steps": 100_000, "train.eval_every": 10_000}
BRIEF = TINY | {"train.steps": 200, "train.eval_every": 100}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path)


@pytest.fixture
def scheduler(store):
    scheduler = Scheduler(store, max_active=2)
    yield scheduler
    for run in store.runs():
        scheduler.stop(run.id)
    until(lambda: all(run.status not in ("queued", "running") for run in store.runs()))


def submit(scheduler: Scheduler, owner: str = "ann", changes: dict = TINY, **more) -> str:
    return scheduler.submit(replace(RunConfig(), changes), owner=owner, preset="ladder/01-bigram", **more)


def status(store: RunStore, run: str) -> str:
    return store.run(run).status


def test_a_submitted_run_is_trained_to_its_end(scheduler, store):
    run = submit(scheduler, changes=BRIEF)
    until(lambda: status(store, run) == "finished")
    assert [e.step for _, e in store.events(run) if isinstance(e, Eval)] == [0, 100, 200]
    until(lambda: scheduler.active() == 0)


def test_bad_options_are_refused_before_anything_is_stored(scheduler, store):
    with pytest.raises(ConfigError):
        replace(RunConfig(), {"model.n_head": 5})
    broken = RunConfig(train=TrainConfig(steps=-1))
    with pytest.raises(ConfigError, match="steps"):
        scheduler.submit(broken, owner="ann", preset="x")
    assert store.runs() == []


def test_active_runs_share_the_machine_fairly(scheduler, store):
    """Two equal runs of two visitors advance alike."""
    first, second = submit(scheduler, "ann"), submit(scheduler, "bob")
    until(lambda: min(store.run(first).step, store.run(second).step) > 0)
    a, b = store.run(first).step, store.run(second).step
    until(lambda: store.run(first).step > a + 4000)
    gained = store.run(first).step - a, store.run(second).step - b
    assert 0.3 < gained[0] / gained[1] < 3


def test_runs_over_the_limit_wait_and_the_queue_goes_round_the_visitors(scheduler, store):
    ann = [submit(scheduler, "ann") for _ in range(4)]
    until(lambda: scheduler.active() == 2)
    bob = submit(scheduler, "bob")
    until(lambda: scheduler.place(bob) == 1)
    assert [scheduler.place(run) for run in ann] == [None, None, 2, 3]
    assert status(store, bob) == "queued"
    scheduler.stop(ann[0])
    until(lambda: status(store, bob) == "running")
    assert scheduler.place(ann[2]) == 1


def test_a_waiting_run_can_be_stopped(scheduler, store):
    runs = [submit(scheduler) for _ in range(3)]
    until(lambda: scheduler.active() == 2)
    scheduler.stop(runs[2])
    assert status(store, runs[2]) == "stopped" and scheduler.place(runs[2]) is None


def test_paused_and_resumed_equals_never_paused(scheduler, store):
    changes = BRIEF | {"train.steps": 4000}
    whole, parted = submit(scheduler, changes=changes), submit(scheduler, changes=changes)
    until(lambda: store.run(parted).step > 0)
    scheduler.pause(parted)
    until(lambda: status(store, parted) in ("paused", "finished"))
    assert status(store, parted) == "paused"
    scheduler.resume(parted)
    until(lambda: status(store, parted) == status(store, whole) == "finished")
    assert [p[:2] for p in store.points(parted, limit=9999)] == [p[:2] for p in store.points(whole, limit=9999)]


def pressed_while_leaving(scheduler: Scheduler, store: RunStore, press: Callable[[str], None], **more) -> str:
    """A run on which `press` is called while it is being saved for a pause."""
    run = submit(scheduler, **more)
    until(lambda: store.run(run).step > 0)
    recording = scheduler._jobs[run].recording.result()
    save = recording.save

    def slowly():
        save()
        recording.save = save
        press(run)

    recording.save = slowly
    scheduler.pause(run)
    until(lambda: recording.save is save)
    return run


def test_stop_pressed_while_a_pause_is_saved_counts(scheduler, store):
    run = pressed_while_leaving(scheduler, store, scheduler.stop)
    until(lambda: status(store, run) == "stopped" and scheduler.active() == 0)


def test_resume_pressed_while_a_pause_is_saved_counts(scheduler, store):
    run = pressed_while_leaving(scheduler, store, scheduler.resume)
    at = store.run(run).step
    until(lambda: status(store, run) == "running" and store.run(run).step > at)


def test_two_presses_of_step_are_two_steps(scheduler, store):
    run = submit(scheduler, quota=1)
    scheduler.step(run)
    until(lambda: status(store, run) == "paused")
    assert store.run(run).step == 2


def test_pause_pressed_after_the_end_changes_nothing(scheduler, store):
    run = submit(scheduler, changes=BRIEF)
    until(lambda: status(store, run) == "finished")
    scheduler.pause(run)
    scheduler.stop(run)
    assert status(store, run) == "finished"


def test_a_step_to_the_end_finishes_the_run(scheduler, store):
    run = submit(scheduler, changes=TINY | {"train.steps": 2}, quota=1)
    until(lambda: status(store, run) == "paused")
    scheduler.step(run)
    until(lambda: status(store, run) == "finished")
    assert [e.step for _, e in store.events(run) if isinstance(e, Eval)] == [0, 2]


def test_a_paused_run_can_be_stopped(scheduler, store):
    run = submit(scheduler, quota=1)
    until(lambda: status(store, run) == "paused")
    scheduler.stop(run)
    assert status(store, run) == "stopped"


def test_a_visitor_without_a_run_gets_room(scheduler, store):
    """Two endless runs of one visitor fill the machine; the next visitor does not wait for their end."""
    first, second = submit(scheduler, "ann"), submit(scheduler, "ann")
    until(lambda: min(store.run(first).step, store.run(second).step) > 0)
    third = submit(scheduler, "bob")
    until(lambda: status(store, third) == "running")
    assert {status(store, first), status(store, second)} == {"running", "queued"}
    assert scheduler.active() == 2


def test_time_is_shared_by_visitors_not_by_runs(store):
    """Whatever a step of theirs takes: three slow runs of one visitor leave another's run about half of the time."""
    scheduler = Scheduler(store, max_active=4)
    slow = TINY | {"model.architecture": "transformer", "model.block_size": 128, "train.batch_size": 32, "model.n_layer": 2}
    for _ in range(3):
        submit(scheduler, "ann", slow)
    run = submit(scheduler, "bob")
    until(lambda: scheduler.active() == 4 and store.run(run).step > 0 and all(r.step for r in store.runs("ann")))
    before = store.run(run).seconds, sum(r.seconds for r in store.runs("ann"))
    until(lambda: sum(r.seconds for r in store.runs("ann")) > before[1] + 1.5)
    share = (store.run(run).seconds - before[0]) / (sum(r.seconds for r in store.runs("ann")) - before[1])
    scheduler.close()
    assert 0.3 < share < 2.5


def test_a_store_that_fails_ends_the_run_and_not_the_trainer(scheduler, store, monkeypatch):
    run, other = submit(scheduler), submit(scheduler, "bob")
    until(lambda: min(store.run(run).step, store.run(other).step) > 0)
    append, set_status = store.append, store.set_status

    def full(id, *rest):
        if id == run:
            raise sqlite3.OperationalError("database or disk is full")
        return append(id, *rest)

    monkeypatch.setattr(store, "append", full)
    monkeypatch.setattr(store, "set_status", lambda id, *rest: full(id) if id == run else set_status(id, *rest))
    until(lambda: scheduler.active() == 1)
    at = store.run(other).step
    until(lambda: store.run(other).step > at)
    monkeypatch.undo()
    store.set_status(run, "failed")


def test_closing_saves_what_runs(tmp_path):
    store = RunStore(tmp_path)
    scheduler = Scheduler(store)
    run = submit(scheduler)
    until(lambda: store.run(run).step > 0)
    scheduler.close()
    again = RunStore(tmp_path)
    stored = again.run(run)
    assert stored.status == "interrupted" and again.load_checkpoint(run)[0] == stored.step > 0


def test_step_does_one_step(scheduler, store):
    run = submit(scheduler, quota=1)
    for steps in (1, 2, 3):
        until(lambda: status(store, run) == "paused")
        assert store.run(run).step == steps
        scheduler.step(run)
        until(lambda: store.run(run).step > steps)


def test_extend_goes_on_from_the_end(scheduler, store):
    run = submit(scheduler, changes=BRIEF)
    until(lambda: status(store, run) == "finished")
    before = store.points(run)
    scheduler.extend(run, 300)
    until(lambda: status(store, run) == "finished" and store.run(run).step == 500)
    assert store.points(run)[: len(before)] == before
    with pytest.raises(ConfigError):
        scheduler.extend(run, 10**9)


def test_a_failing_run_says_why_and_the_others_go_on(scheduler, store, monkeypatch):
    missing = submit(scheduler, changes=TINY | {"data.dataset": "own", "data.text": "0" * 64})
    good = submit(scheduler, changes=BRIEF)
    until(lambda: status(store, missing) == "failed" and status(store, good) == "finished")
    assert "not on this machine" in store.run(missing).message


def test_a_visitor_may_not_fill_the_queue(scheduler, monkeypatch):
    monkeypatch.setattr(module, "MAX_UNFINISHED", 3)
    for _ in range(3):
        submit(scheduler)
    with pytest.raises(QueueFull, match="stop some"):
        submit(scheduler)
    submit(scheduler, "bob")


def test_sampling_works_while_training_and_after(scheduler, store):
    run = submit(scheduler)
    until(lambda: store.run(run).step > 0)
    during = "".join(scheduler.sample(run, SampleConfig(length=50)))
    assert len(during) == 50 and status(store, run) == "running"
    scheduler.stop(run)
    until(lambda: status(store, run) == "stopped")
    assert "".join(scheduler.sample(run, SampleConfig(length=50))) == "".join(scheduler.sample(run, SampleConfig(length=50)))
    with pytest.raises(TextError, match="é"):
        next(scheduler.sample(run, SampleConfig(prompt="é")))


def test_a_run_without_weights_cannot_be_sampled(scheduler, store):
    runs = [submit(scheduler) for _ in range(3)]
    with pytest.raises(ConfigError, match="no weights yet"):
        scheduler.sample(runs[2], SampleConfig())


def test_sampling_does_not_change_the_training(scheduler, store):
    changes = BRIEF | {"train.steps": 3000, "model.architecture": "transformer", "model.n_layer": 1, "model.n_embd": 8,
                       "model.dropout_resid": 0.2}
    plain, sampled = submit(scheduler, changes=changes), submit(scheduler, changes=changes)
    while status(store, sampled) != "finished":
        if store.run(sampled).step > 0:
            list(scheduler.sample(sampled, SampleConfig(length=20)))
    until(lambda: status(store, plain) == "finished")
    assert [p[:2] for p in store.points(plain, limit=9999)] == [p[:2] for p in store.points(sampled, limit=9999)]


@pytest.fixture
def held(monkeypatch):
    """Steps that begin and do not end: `held.at` is set once one is under way, and `held.on` lets all go on."""
    from gpt import train

    held, step = SimpleNamespace(at=threading.Event(), on=threading.Event(), after=1), train.train_step

    def slowly(state, *rest):
        if state.step >= held.after:
            held.at.set()
            assert held.on.wait(20)
        return step(state, *rest)

    monkeypatch.setattr(train, "train_step", slowly)
    yield held
    held.on.set()


def test_a_sample_waits_for_no_step(held, scheduler, store):
    """Neither for one of its own run, nor for one of another's: the weights keep still meanwhile."""
    runs = [submit(scheduler, owner) for owner in ("ann", "bob")]
    assert held.at.wait(20)
    until(lambda: all(scheduler._jobs[run].recording and scheduler._jobs[run].recording.done() for run in runs))
    for run in runs:
        assert len("".join(scheduler.sample(run, SampleConfig(length=20)))) == 20
    held.on.set()
    until(lambda: all(run.step > 2 for run in store.runs()))


def test_a_sample_is_answered_whatever_becomes_of_its_run(scheduler, store):
    run = submit(scheduler)
    until(lambda: store.run(run).step > 0)
    job = scheduler._jobs[run]
    scheduler.stop(run)
    until(lambda: status(store, run) == "stopped")
    assert job.sampler().sample(SampleConfig(length=5))


def test_all_who_ask_at_once_share_one_copy(scheduler, store):
    run = submit(scheduler, quota=1)
    job = scheduler._jobs[run]
    until(lambda: status(store, run) == "paused")
    answers = [Future(), Future()]
    job.asked.extend(answers)
    job.answer(job.recording.result().run)
    assert answers[0].result(0) is answers[1].result(0) and not job.asked


CHECKED = TINY | {"train.eval_tokens": 50_000, "sample.length": 500}


def test_a_pause_takes_effect_within_a_batch_of_a_check(scheduler, store, monkeypatch):
    from gpt import train

    batches, loss = [], train.summed_loss

    def pressed(*given):
        batches.append(given)
        if len(batches) == 3:
            scheduler.pause(run)
        return loss(*given)

    monkeypatch.setattr(train, "summed_loss", pressed)
    run = submit(scheduler, changes=CHECKED)
    until(lambda: status(store, run) == "paused")
    assert len(batches) == 3 and store.run(run).step == 0
    scheduler.resume(run)
    until(lambda: store.run(run).step > 0)


def test_a_pause_takes_effect_within_a_piece_of_a_sample(scheduler, store, monkeypatch):
    from gpt import generate
    from gpt.run import TOKENS_AT_ONCE

    tokens, draw = [], generate.next_token

    def pressed(*given):
        tokens.append(given)
        if len(tokens) == 5:
            scheduler.pause(run)
        return draw(*given)

    monkeypatch.setattr(generate, "next_token", pressed)
    run = submit(scheduler, changes=CHECKED)
    until(lambda: status(store, run) == "paused")
    assert len(tokens) == TOKENS_AT_ONCE and store.run(run).step == 0
