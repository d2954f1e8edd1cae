"""A run on its way into the store: what the command line and the page's scheduler both drive."""

from time import monotonic
from typing import Iterator

from gpt.changes import Plan
from gpt.events import Changed, Diverged, Event, Finished, Step, Working
from gpt.run import Run
from gpt.store import RunStore
from gpt.tokenizers import TextError

FLUSH_SECONDS = 0.1  # after this long others see an event; a killed process loses no more, and one step
CHECKPOINT_SECONDS = 15.0  # and repeats at most this much training
LASTING = (1, 4, 16, 32, 48)  # 64ths of a run that are kept for good, as its end is: most happens at the beginning


class Recording:
    """Trains a stored run from where its newest checkpoint left it, storing every event on the way.

    Iterating gives the events. Between two of them the run may be left alone for any time, or given up with `leave`.
    """

    def __init__(self, store: RunStore, id: str):
        """Makes this process the run's writer. Raises RunHeld, UnknownRun, ConfigError or TextError."""
        self.store, self.id = store, id
        stored = store.run(id)
        self.run = Run(stored.config, store.load_checkpoint(id), stored.plan, measured=True)
        if stored.fingerprint not in (None, self.run.data.fingerprint):
            raise TextError("The text has changed since this run began: put the former one back, or train a new run.")
        store.adopt(id)  # from here on it is ours, so nothing that can be refused comes after
        store.rewind(id, self.run.state.step)
        self._plan = list(stored.plan)
        self._pending: list[Event] = []
        self._flushed = self._saved = monotonic()
        self._step = self.run.state.step  # of the last event told
        self._events = self._record()

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def __next__(self) -> Event:
        return next(self._events)

    def _record(self) -> Iterator[Event]:
        self.store.set_status(self.id, "running")
        for event in self.run.work():
            if isinstance(event, Working):
                yield event
                continue
            if isinstance(event, Finished):
                self.save(lasting=True)  # the last weights are safe before the run counts as finished
            if isinstance(event, Changed) and (event.step, event.changes) not in self._plan:
                self._plan_on([(event.step, event.changes)])
            self._pending.append(event)
            if isinstance(event, Finished | Diverged) or monotonic() - self._flushed > FLUSH_SECONDS:
                self.flush()
            self._step = event.step
            up_to_date = isinstance(event, Step) and event.step == self.run.state.step
            lasting = up_to_date and self.is_milestone(event.step)
            if lasting or (up_to_date and monotonic() - self._saved > CHECKPOINT_SECONDS):
                self.save(lasting)
            yield event

    def is_milestone(self, step: int) -> bool:
        """Whether a share of the run that is kept ends with this step."""
        total = self.run.cfg.train.steps
        return step < total and any(step == -(-share * total // 64) for share in LASTING)

    def _plan_on(self, changes: Plan) -> None:
        """Remember options changed on the way, for whoever resumes or reproduces the run."""
        if changes:
            self._plan += changes
            self.store.plan(self.id, self._plan)

    def flush(self) -> None:
        """Store the events since the last time."""
        self.store.append(self.id, self._pending)
        self._pending = []
        self._flushed = monotonic()

    def save(self, lasting: bool = False) -> None:
        """Store the events and a checkpoint that training can go on from, bit for bit."""
        self.flush()
        self.store.save_checkpoint(self.id, *self.run.checkpoint(), lasting=lasting)
        self._saved = monotonic()

    def leave(self, status: str, message: str = "") -> None:
        """Save, stop, and say why: "paused", "stopped"."""
        while self._step < self.run.state.step:  # done on a GPU, and not yet told
            next(self._events)
        self._events.close()
        self._plan_on(self.run.unmade())
        self.save()
        self.store.set_status(self.id, status, message)
