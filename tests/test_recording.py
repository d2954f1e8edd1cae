"""Runs on their way into the store: what is kept, and that a run goes on as if it had never stopped."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpt.config import RunConfig
from gpt.events import Diverged, Eval, Finished, Health, Sample, Started, Step, Working, to_dict
from gpt.options import replace
from gpt.recording import Recording
from gpt.store import RunStore

ROOT = Path(__file__).resolve().parent.parent
SMALL = {"model.n_layer": 2, "model.n_embd": 16, "model.block_size": 16, "model.dropout_resid": 0.1, "train.batch_size": 4,
         "train.steps": 60, "train.eval_every": 20, "train.eval_tokens": 256, "sample.length": 20}


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path)
    yield store
    store.close()


def new_run(store: RunStore, **changes) -> str:
    return store.create(replace(RunConfig(), SMALL | changes), owner="test", preset="modern/gpt2")


def losses(store: RunStore, run: str) -> list[tuple[int, float]]:
    return [(step, loss) for step, loss, _ in store.points(run, limit=100_000)]


def happenings(store: RunStore, run: str) -> list[dict]:
    """All events but steps, without the seconds, which no two runs share."""
    return [{k: v for k, v in to_dict(event).items() if k != "seconds"} for _, event in store.events(run)]


def test_every_event_reaches_the_store(store):
    run = new_run(store)
    events = [event for event in Recording(store, run) if not isinstance(event, Working)]
    assert [type(e) for e in events[:5]] == [Started, Eval, Sample, Health, Step] and isinstance(events[-1], Sample | Finished)
    assert losses(store, run) == [(e.step, e.loss) for e in events if isinstance(e, Step)]
    assert [e for _, e in store.events(run)] == [e for e in events if not isinstance(e, Step)]
    stored = store.run(run)
    assert stored.status == "finished" and stored.step == 60 and stored.parameters == events[0].parameters
    assert store.load_checkpoint(run)[0] == 60


def test_what_is_done_but_not_yet_told_is_told_before_leaving(store, monkeypatch):
    """A GPU is several steps ahead of what is told."""
    monkeypatch.setattr("gpt.train.most_at_once", lambda device: 8)
    run = new_run(store)
    recording = Recording(store, run)
    told = next(event for event in recording if isinstance(event, Step) and event.step == 4)
    ahead = recording.run.state.step
    assert told.step < ahead
    recording.leave("paused")
    assert [step for step, _ in losses(store, run)] == list(range(1, ahead + 1))
    assert store.run(run).step == store.load_checkpoint(run)[0] == ahead


@pytest.mark.parametrize("leave_after", [1, 19, 20, 21, 40, 59])
def test_a_left_run_goes_on_bit_for_bit(store, leave_after):
    """Left anywhere, also right where a check falls, and continued by another object, as after a restart."""
    whole, parted = new_run(store), new_run(store)
    list(Recording(store, whole))
    first = Recording(store, parted)
    for event in first:
        if isinstance(event, Step) and event.step == leave_after:
            break
    first.leave("paused")
    assert store.run(parted).status == "paused"
    list(Recording(store, parted))
    assert losses(store, parted) == losses(store, whole)
    assert happenings(store, parted) == happenings(store, whole)


def test_a_run_left_after_a_check_repeats_it_once(store):
    run = new_run(store)
    recording = Recording(store, run)
    for event in recording:
        if isinstance(event, Sample) and event.step == 20:
            break
    recording.leave("stopped")
    list(Recording(store, run))
    assert [e["step"] for e in happenings(store, run) if e["event"] == "eval"] == [0, 20, 40, 60]


def test_a_diverged_run_says_what_to_try(store):
    run = new_run(store, **{"train.lr": 1.0, "train.optimizer": "sgd", "train.momentum": 0.99, "model.norm": "none",
                            "model.init": "torch", "train.steps": 500})
    events = list(Recording(store, run))
    assert isinstance(events[-1], Diverged)
    stored = store.run(run)
    assert stored.status == "diverged" and "grad" in stored.message.lower()
    assert all(loss == loss for _, loss in losses(store, run))


def test_a_killed_process_loses_little_and_resumes_bit_for_bit(tmp_path, monkeypatch):
    """kill -9 in the middle: the run shows as interrupted, and its continuation equals a run that never stopped."""
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))
    flags = [f"--{path}={value}" for path, value in (SMALL | {"train.steps": 100_000, "train.eval_every": 500}).items()]
    train = [sys.executable, "-m", "gpt", "train", "gpt2", "--json", *flags]
    process = subprocess.Popen(train, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    told, seen = 0, time.monotonic()
    for line in process.stdout:
        event = json.loads(line)
        run = event["run"]
        if event["event"] == "step":
            told = event["step"]
        if time.monotonic() - seen > 2.0 and told > 1000:
            break
    process.send_signal(signal.SIGKILL)
    told += sum(json.loads(line)["event"] == "step" for line in process.stdout if line.endswith("}\n"))  # what the pipe still held
    process.wait()

    with_store = RunStore(tmp_path)
    stored = with_store.run(run)
    assert stored.status == "interrupted"
    rate = told / (stored.seconds or 1)
    assert stored.step > told - max(200, 1.5 * rate), "more than about a second of events was lost"

    until = stored.step + 200
    with_store.adopt(run, replace(stored.config, {"train.steps": until}))
    list(Recording(with_store, run))
    whole = with_store.create(with_store.run(run).config, owner="test", preset="modern/gpt2")
    list(Recording(with_store, whole))
    assert with_store.run(run).step == until
    assert losses(with_store, run) == losses(with_store, whole)
    assert happenings(with_store, run) == happenings(with_store, whole)
    with_store.close()
