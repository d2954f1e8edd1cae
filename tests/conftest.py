"""What every test runs under: its own home folder, one thread, no network for transformers."""

import os
import tempfile

# Before anything imports torch or transformers, and inherited by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
_home = tempfile.TemporaryDirectory(prefix="gpt-playground-tests-")
os.environ["GPT_PLAYGROUND_HOME"] = _home.name

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def home_is_temporary():
    """No test ever reads or writes the runs of whoever runs it; the folder goes when the session ends."""
    yield
    _home.cleanup()


# What the page asks and does, on runs of the tests of one file; imported late, so that each file imports what it needs.

@pytest.fixture(scope="module")
def store(tmp_path_factory):
    from gpt.store import RunStore

    return RunStore(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def scheduler(store):
    from playground.scheduler import Scheduler

    scheduler = Scheduler(store)  # closes the store, too
    yield scheduler
    scheduler.close()


@pytest.fixture(scope="module")
def do(store, scheduler):
    from playground.actions import actions

    return actions(store, scheduler)


@pytest.fixture(scope="module")
def ask(store, scheduler):
    from playground.questions import questions

    return questions(store, scheduler)
