"""The background training thread: shares the machine between all runs.

Each active run gets a quantum of training in turn. More runs than may be active wait; the queue goes round the
visitors, so that one with many runs does not hold up the others. The page never talks to a run: it reads the store.
No torch is imported before the first run or `warm_up`, so that the server can answer first.
"""

import logging
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Iterator

from gpt.config import RunConfig, SampleConfig
from gpt.events import Step
from gpt.options import ConfigError, replace
from gpt.store import RunStore

if TYPE_CHECKING:
    from gpt.recording import Recording

QUANTUM_SECONDS = 0.1
MAX_ACTIVE = 4
MAX_WAITING = 50  # runs of one visitor that have not ended

log = logging.getLogger(__name__)


class QueueFull(RuntimeError):
    """A visitor has as many unfinished runs as one may have; the message says what to do."""


@dataclass
class Job:
    """A run that is waiting or active."""

    id: str
    owner: str
    quota: int | None = None  # steps left before it pauses; None: no limit
    leaving: str = ""  # the status it is to leave with: "paused", "stopped"
    recording: "Future[Recording] | None" = None  # once active; loading a text can take a minute
    lock: threading.Lock = field(default_factory=threading.Lock)  # held while the model changes


class Scheduler:
    """One thread that trains the active runs in turn, and a queue of those that wait."""

    def __init__(self, store: RunStore, max_active: int = MAX_ACTIVE):
        self.store, self.max_active = store, max_active
        self._jobs: dict[str, Job] = {}  # in the order of their arrival
        self._changed = threading.Condition()
        self._loader = ThreadPoolExecutor(2, thread_name_prefix="loader")
        threading.Thread(target=self._work, name="trainer", daemon=True).start()

    # What visitors can do

    def submit(self, config: RunConfig, *, owner: str, preset: str, name: str, quota: int | None = None) -> str:
        """Queue a new run, which pauses after `quota` steps if given; returns its id. Raises ConfigError, QueueFull."""
        if wrong := config.problems():
            raise ConfigError(wrong)
        with self._changed:
            self._check_room(owner)
            id = self.store.create(config, owner=owner, preset=preset, name=name)
            self._enter(Job(id, owner, quota))
        return id

    def resume(self, id: str, quota: int | None = None) -> None:
        """Go on with a run that was paused, stopped or interrupted, for `quota` steps if given. Raises RunHeld, QueueFull."""
        with self._changed:
            if job := self._jobs.get(id):
                job.quota, job.leaving = quota, ""
                return
            owner = self.store.run(id).owner
            self._check_room(owner)
            self.store.adopt(id)
            self._enter(Job(id, owner, quota))

    def step(self, id: str) -> None:
        """Train a run for one step, then leave it paused."""
        self.resume(id, quota=1)

    def pause(self, id: str) -> None:
        """Leave a run so that `resume` continues it exactly."""
        self._leave(id, "paused")

    def stop(self, id: str) -> None:
        """End a run where it is. Its weights are kept: it can be sampled, resumed and extended."""
        self._leave(id, "stopped")

    def extend(self, id: str, steps: int) -> None:
        """Train an ended run for `steps` more than it has done. Raises ConfigError, RunHeld, QueueFull."""
        stored = self.store.run(id)
        longer = replace(stored.config, {"train.steps": stored.step + steps})
        with self._changed:
            if id in self._jobs:
                raise ConfigError(["The run is still going: wait for its end, or stop it, and extend it then."])
            self._check_room(stored.owner)
            self.store.adopt(id, longer)
            self._enter(Job(id, stored.owner))

    def sample(self, id: str, cfg: SampleConfig) -> Iterator[str]:
        """Pieces of text from the run's present weights, training or not. Raises ConfigError, TextError, UnknownRun."""
        from gpt.run import Run

        if wrong := cfg.problems():
            raise ConfigError(wrong)
        job = self._jobs.get(id)
        if job and job.recording and job.recording.done() and not job.recording.exception():
            with job.lock:  # a copy, so that training goes on while text is drawn
                run = job.recording.result().run
                run = Run(run.cfg, run.checkpoint())
        elif checkpoint := self.store.load_checkpoint(id):
            run = Run(self.store.run(id).config, checkpoint)
        else:
            raise ConfigError(["This run has no weights yet: wait for its first step, or press Train."])
        return run.sample(cfg)

    # What the page shows

    def active(self) -> int:
        """How many runs share the machine now."""
        with self._changed:
            return len(self._active())

    def place(self, id: str) -> int | None:
        """A waiting run's place in the queue, 1 for the next; None for a run that does not wait."""
        with self._changed:
            waiting = [job.id for job in self._waiting()]
        return waiting.index(id) + 1 if id in waiting else None

    # The queue; all of it under self._changed

    def _check_room(self, owner: str) -> None:
        if sum(job.owner == owner for job in self._jobs.values()) >= MAX_WAITING:
            raise QueueFull(f"You have {MAX_WAITING} runs that have not ended: stop some, or wait for them.")

    def _enter(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._changed.notify_all()

    def _leave(self, id: str, status: str) -> None:
        with self._changed:
            job = self._jobs.get(id)
            if job is None:
                return
            if job.recording is None:  # still waiting: nothing to save
                del self._jobs[id]
                self.store.set_status(id, status)
            else:
                job.leaving = status
                self._changed.notify_all()

    def _active(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.recording]

    def _waiting(self) -> list[Job]:
        """In the order in which they will start: every visitor's first, then every visitor's second, ..."""
        count = Counter(job.owner for job in self._active())
        ranked = []
        for job in self._jobs.values():
            if not job.recording:
                ranked.append((count[job.owner], job))
                count[job.owner] += 1
        return [job for _, job in sorted(ranked, key=lambda pair: pair[0])]

    def _admit(self) -> list[Job]:
        """Start waiting runs while there is room; returns those that can train now, waiting for one if there is none."""
        with self._changed:
            while True:
                for job in self._waiting()[: self.max_active - len(self._active())]:
                    job.recording = self._loader.submit(self._load, job.id)
                    job.recording.add_done_callback(self._wake)
                if ready := [job for job in self._active() if job.recording.done()]:
                    return ready
                self._changed.wait()

    def _load(self, id: str) -> "Recording":
        from gpt.device import limit_threads
        from gpt.recording import Recording

        limit_threads()
        return Recording(self.store, id)

    def _wake(self, _: Future) -> None:
        with self._changed:
            self._changed.notify_all()

    # The thread

    def _work(self) -> None:
        while True:
            ready = self._admit()
            for job in ready:
                try:
                    ended = self._quantum(job)
                except Exception as error:  # one run's failure must not end the others
                    log.exception("run %s failed", job.id)
                    self.store.set_status(job.id, "failed", str(error) or type(error).__name__)
                    ended = True
                if ended:
                    with self._changed:
                        del self._jobs[job.id]

    def _quantum(self, job: Job) -> bool:
        """Train one run for a moment; True when it has left."""
        recording = job.recording.result()
        end = monotonic() + QUANTUM_SECONDS
        while not job.leaving and monotonic() < end:
            with job.lock:
                event = next(recording, None)
            if event is None:
                return True
            if job.quota is not None and isinstance(event, Step):
                job.quota -= 1
                if not job.quota:
                    job.leaving = "paused"
        if job.leaving:
            recording.leave(job.leaving)
        return bool(job.leaving)
