"""Runs that wait or are active, and in what order: who starts, who makes room, who is trained next. No threads, no store.

The visitor who has used least goes first. The queue goes round the visitors; a visitor with several active runs gives one up
for a visitor with none. Runs of a study are patient: one at a time, after all else that their visitor trains.
"""

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpt.options import Refusal

if TYPE_CHECKING:
    from gpt.recording import Recording
    from gpt.run import Run, Sampler

PATIENCE_SECONDS = 0.002  # by which a run of tiny steps has come between two of them
MAX_UNFINISHED = 200  # runs of one visitor
MAX_JOBS = 500  # runs of all


class QueueFull(Refusal):
    """There are as many unfinished runs as there may be; the message says what to do."""


@dataclass
class Job:
    """A run that is waiting or active. Its fields change under the scheduler's lock only."""

    id: str
    owner: str
    quota: int | None = None  # steps left before it pauses; None: no limit
    patient: bool = False  # of a study: waits while its visitor trains something else
    leaving: str = ""  # the status it is to leave with: "paused", "stopped", or "queued" to make room
    recording: "Future[Recording] | None" = None  # once active; loading a text can take a minute
    turn: float = 0.0  # when it was last trained
    asked: "deque[Future[Sampler]]" = field(default_factory=deque)  # by whom the model is wanted

    def sampler(self) -> "Sampler":
        """A copy of the model as it is now. Once it is loaded, from any thread but the trainer.

        The trainer makes it between two steps: no other thread could copy a tiny model between two of its updates. Where it
        does not come by, in a long step or in another run's turn, the weights keep still for long enough to be copied here.
        So nobody waits for a step, and nothing is waited for that may never come: the run may end meanwhile.
        """
        run, answer = self.recording.result().run, Future()
        self.asked.append(answer)
        while not wait([answer], PATIENCE_SECONDS).done:
            with suppress(TimeoutError):
                return run.sampler(attempts=1)
        return answer.result()

    def answer(self, run: "Run") -> None:
        """Give the model to all who want it; by the trainer, between two events."""
        if self.asked:
            sampler = run.sampler()
            while self.asked:
                self.asked.popleft().set_result(sampler)


class Jobs:
    """All jobs, in the order of their arrival. Whoever uses it from several threads holds a lock."""

    def __init__(self, max_active: int):
        self.max_active = max_active
        self._jobs: dict[str, Job] = {}
        self._used: Counter[str] = Counter()  # seconds of training by visitor, among those who have jobs

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __contains__(self, id: str) -> bool:
        return id in self._jobs

    def __getitem__(self, id: str) -> Job:
        return self._jobs[id]

    def get(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def check_room(self, owner: str, wanted: int = 1) -> None:
        """Raises QueueFull where `wanted` more of a visitor are too many."""
        if (mine := sum(job.owner == owner for job in self)) + wanted > MAX_UNFINISHED:
            raise QueueFull(f"You have {mine} runs that have not ended, and {MAX_UNFINISHED} is the most: stop some, wait "
                            "for them, or ask for fewer.")
        if len(self._jobs) + wanted > MAX_JOBS:
            raise QueueFull(f"{len(self._jobs)} runs are waiting on this server: try again later, or run it on your machine.")

    def enter(self, job: Job) -> None:
        if job.owner not in self._used:
            self._used[job.owner] = min(self._used.values(), default=0.0)  # time spent away is not saved up
        self._jobs[job.id] = job

    def drop(self, id: str) -> None:
        if (job := self._jobs.pop(id, None)) and not any(other.owner == job.owner for other in self):
            del self._used[job.owner]

    def spent(self, job: Job, seconds: float) -> None:
        """The job's visitor has used the machine."""
        if job.owner in self._used:
            self._used[job.owner] += seconds

    def active(self) -> list[Job]:
        return [job for job in self if job.recording]

    def waiting(self) -> list[Job]:
        """In the order in which they will start: every visitor's first, then every visitor's second, ...; a visitor's
        studies after the rest."""
        count = Counter(job.owner for job in self.active())
        ranked = []
        for job in sorted(self, key=lambda job: job.patient):
            if not job.recording:
                ranked.append((count[job.owner], job))
                count[job.owner] += 1
        return [job for _, job in sorted(ranked, key=lambda pair: pair[0])]

    def to_start(self) -> Job | None:
        """The waiting job that can start now."""
        active = self.active()
        studying = {job.owner for job in active if job.patient}
        able = [job for job in self.waiting() if not (job.patient and job.owner in studying)]
        return able[0] if able and len(active) < self.max_active else None

    def to_make_room(self) -> Job | None:
        """The active job that must give way, where all places are taken: to a visitor with none, or to its own visitor's
        present wish."""
        active, waiting = self.active(), [job for job in self.waiting() if not job.patient]
        if len(active) < self.max_active or any(job.leaving for job in active) or not waiting:
            return None
        count = Counter(job.owner for job in active)
        if not count[waiting[0].owner] and max(count.values()) > 1:
            greediest = max(active, key=lambda job: count[job.owner])
            return [job for job in active if job.owner == greediest.owner][-1]
        wishing = {job.owner for job in waiting}
        return next((job for job in active if job.patient and job.owner in wishing), None)

    def to_train(self) -> Job | None:
        """The active job to train next: of the visitor who has used least, the one trained longest ago; one of a study only
        where there is no other."""
        ready = [job for job in self.active() if job.recording.done()]
        return min(ready, key=lambda job: (self._used[job.owner], job.patient, job.turn), default=None)
