"""The background training thread: shares the machine between all runs, a moment each, in the order that jobs.py knows.

The page never talks to a run: it reads the store. No torch is imported before the first run, so that the server can answer first.
"""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from gpt import compare as comparison
from gpt.changes import changeable
from gpt.config import RunConfig, SampleConfig
from gpt.events import Diverged, Finished, Forked, Step
from gpt.options import ConfigError, Refusal, replace, shorten
from gpt.records import StoredRun
from gpt.results import create
from gpt.store import RunStore
from playground.jobs import Job, Jobs

if TYPE_CHECKING:
    from gpt.recording import Recording
    from gpt.run import Sampler
    from gpt.study import Study

QUANTUM_SECONDS = 0.1
MAX_ACTIVE = 4
UNDO_SECONDS = 3600.0  # for which a deleted run can be brought back

log = logging.getLogger(__name__)


class Scheduler:
    """One thread that trains the active runs in turn, and a queue of those that wait."""

    def __init__(self, store: RunStore, max_active: int = MAX_ACTIVE):
        self.store = store
        store.purge(time() - UNDO_SECONDS)
        self._jobs = Jobs(max_active)
        self._closing = False
        self._changed = threading.Condition()
        self._loader = ThreadPoolExecutor(2, thread_name_prefix="loader")
        self._trainer = threading.Thread(target=self._work, name="trainer", daemon=True)
        self._trainer.start()

    # What visitors can do

    def submit(self, config: RunConfig, *, owner: str, quota: int | None = None, **about: Any) -> str:
        """Queue a new run, which pauses after `quota` steps if given; returns its id. `about` goes to `RunStore.create`.
        Raises ConfigError, QueueFull."""
        if wrong := config.problems():
            raise ConfigError(wrong)
        with self._changed:
            self._jobs.check_room(owner)
            id = self.store.create(config, owner=owner, **about)
            self._enter(Job(id, owner, quota))
        return id

    def check_room(self, owner: str) -> None:
        """Raises QueueFull if there is no room for one more run of a visitor."""
        with self._changed:
            self._jobs.check_room(owner)

    def submit_study(self, study: "Study", *, owner: str, preset: str, title: str) -> str:
        """Queue all runs of a study; they go one by one, and wait for what the visitor trains besides. Returns its id.
        Raises QueueFull."""
        with self._changed:
            self._jobs.check_room(owner, len(study.arms) * len(study.seeds))
            id, runs = create(self.store, study, owner=owner, preset=preset, title=title)
            for run in runs:
                self._enter(Job(run, owner, patient=True))
        return id

    def fork(self, id: str, step: int, config: RunConfig, *, owner: str, **about: Any) -> tuple[str, Forked]:
        """Queue a new run that goes on from another after `step` steps; returns its id, and what it took over.
        Raises ConfigError, QueueFull, UnknownRun, TextError."""
        from gpt.forking import fork

        with self._changed:
            self._jobs.check_room(owner)
        child, told = fork(self.store, self.store.run(id), step, config, owner=owner, **about)
        with self._changed:
            self._enter(Job(child, owner))
        return child, told

    def change(self, id: str, changes: dict[str, Any]) -> None:
        """Change options of a run on its way, before its next step. Raises ConfigError, RunHeld, UnknownRun."""
        self._check_alone(self.store.run(id))
        with self._changed:
            job = self._jobs.get(id)
            if job and job.recording:
                loaded = job.recording
            else:
                stored = self.store.run(id)
                if stored.status not in ("queued", "paused", "interrupted", "stopped"):
                    raise ConfigError([f"This run has {stored.status}: change the options and train it anew, or fork it."])
                changeable(stored.present, changes)
                self.store.adopt(id)
                self.store.plan(id, [*stored.plan, (stored.step, changes)])
                self.store.set_status(id, "queued" if job else stored.status.replace("interrupted", "paused"))
                return
        loaded.result().run.change(changes)

    def _check_alone(self, stored: StoredRun) -> None:
        """Raises ConfigError for a run of a study: what has another budget or other options cannot be compared there."""
        if stored.study:
            raise ConfigError(["This run belongs to a study, whose comparison that would spoil: fork it instead."])

    def discard(self, ids: list[str]) -> None:
        """Stop runs and put them out of sight; `RunStore.restore` brings them back for an hour. Raises UnknownRun, RunHeld."""
        for id in ids:
            self._leave(id, "stopped")
        self.store.discard(ids)
        self.store.purge(time() - UNDO_SECONDS)

    def resume(self, id: str, quota: int | None = None) -> None:
        """Go on with a run, for `quota` steps more if given. Raises RunHeld, QueueFull, UnknownRun."""
        with self._changed:
            if job := self._jobs.get(id):
                job.quota = quota if quota is None or job.quota is None else job.quota + quota
                job.leaving = ""
                return
            stored = self.store.run(id)
            self._jobs.check_room(stored.owner)
            self.store.adopt(id)
            self._enter(Job(id, stored.owner, quota, patient=stored.study is not None))

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
        self._check_alone(stored)
        longer = replace(stored.config, {"train.steps": stored.step + steps})
        with self._changed:
            if id in self._jobs:
                raise ConfigError(["The run is still going: wait for its end, or stop it, and extend it then."])
            self._jobs.check_room(stored.owner)
            self.store.adopt(id, longer, comparison.preset_of(stored))
            self._enter(Job(id, stored.owner))

    def sample(self, id: str, cfg: SampleConfig) -> Iterator[str]:
        """Pieces of text from the run's present weights, training or not. Raises Refusal."""
        from gpt.importing import stored_sampler

        if wrong := cfg.problems():
            raise ConfigError(wrong)
        if live := self.live(id):
            return live[1].sample(cfg)
        run, weights = self.store.run(id), self.store.load_checkpoint(id)
        if weights is None:
            raise ConfigError(["This run has no weights yet: let it train for a step."])
        return stored_sampler(run, weights).sample(cfg)

    def live(self, id: str) -> "tuple[int, Sampler] | None":
        """The steps that an active run has done, and its model as it is now; None for a run that is not active."""
        job = self._jobs.get(id)
        loaded = job and job.recording
        if not loaded or not loaded.done() or loaded.exception():
            return None
        return loaded.result().run.state.step, job.sampler()

    def close(self) -> None:
        """Save all active runs and end the thread; the runs then show as interrupted, and can be resumed."""
        with self._changed:
            self._closing = True
            for job in self._jobs:
                job.leaving = "queued"
            self._changed.notify_all()
        self._trainer.join(timeout=30)
        self._loader.shutdown(wait=False, cancel_futures=True)
        self.store.close()

    # What the page shows

    def active(self) -> int:
        """How many runs share the machine now."""
        with self._changed:
            return len(self._jobs.active())

    def place(self, id: str) -> int | None:
        """A waiting run's place in the queue, 1 for the next; None for a run that does not wait."""
        with self._changed:
            waiting = [job.id for job in self._jobs.waiting()]
        return waiting.index(id) + 1 if id in waiting else None

    # The queue; all of it under self._changed

    def _enter(self, job: Job) -> None:
        self._jobs.enter(job)
        self._changed.notify_all()

    def _leave(self, id: str, status: str) -> None:
        with self._changed:
            job = self._jobs.get(id)
            if job and job.recording:
                job.leaving = status
                self._changed.notify_all()
                return
            if job:  # still waiting: nothing to save
                self._jobs.drop(id)
            elif self.store.run(id).status not in ("paused", "interrupted"):
                return  # it has ended by itself
            else:
                self.store.adopt(id)
            self.store.set_status(id, status)

    def _admit(self) -> None:
        """Start waiting runs while there is room, and make room."""
        while job := self._jobs.to_start():
            job.recording = self._loader.submit(self._load, job.id)
            job.recording.add_done_callback(self._wake)
        if job := self._jobs.to_make_room():
            job.leaving = "queued"

    def _load(self, id: str) -> "Recording":
        from gpt.device import prepare
        from gpt.recording import Recording

        prepare()
        return Recording(self.store, id)

    def _wake(self, _: Future) -> None:
        with self._changed:
            self._changed.notify_all()

    # The thread

    def _work(self) -> None:
        while job := self._next():
            began = monotonic()
            try:
                self._quantum(job)
            except Exception as error:  # one run's failure must not end the others
                self._fail(job, error)
            with self._changed:
                job.turn = monotonic()
                self._jobs.spent(job, job.turn - began)

    def _next(self) -> Job | None:
        """The run to train next, waiting for one if there is none. None when the scheduler closes and all are saved."""
        with self._changed:
            while True:
                if not self._closing:
                    self._admit()
                if job := self._jobs.to_train():
                    return job
                if self._closing:
                    return None
                self._changed.wait()

    def _quantum(self, job: Job) -> None:
        """Train one run for a moment; it may end, or leave."""
        recording = job.recording.result()
        end = monotonic() + QUANTUM_SECONDS
        while monotonic() < end and not job.leaving:
            job.answer(recording.run)
            event = next(recording, None)
            if event is None or isinstance(event, Finished | Diverged):  # pressed too late: it has ended
                self._drop(job)
                return
            if isinstance(event, Step) and event.step < recording.run.cfg.train.steps:  # the last one is followed by a check
                self._count(job)
        if leaving := job.leaving:
            recording.leave(leaving)
            self._left(job, leaving)

    def _count(self, job: Job) -> None:
        with self._changed:
            if job.quota is not None:
                job.quota -= 1
                if job.quota <= 0 and not job.leaving:
                    job.leaving = "paused"

    def _left(self, job: Job, status: str) -> None:
        """What becomes of a run that was saved with `status`, unless something else was asked for meanwhile."""
        with self._changed:
            wanted, job.leaving = job.leaving, ""
            if wanted in ("", "queued"):  # resumed, or made room for another: it waits again
                job.recording = None
                self.store.set_status(job.id, "queued")
            else:
                if wanted != status:
                    self.store.set_status(job.id, wanted)
                self._drop(job)

    def _drop(self, job: Job) -> None:
        with self._changed:
            self._jobs.drop(job.id)

    def _fail(self, job: Job, error: Exception) -> None:
        """Say on the run why it failed, if the store still can."""
        self._drop(job)
        if not isinstance(error, Refusal):
            log.error("run %s failed", job.id, exc_info=error)
        try:
            self.store.set_status(job.id, "failed", shorten(str(error) or type(error).__name__, 500))
        except Exception:  # a full disk, perhaps: the other runs go on
            log.exception("the failure of run %s could not be stored", job.id)
