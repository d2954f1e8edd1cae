"""What the page has done: runs trained, paused and stopped, named and deleted, studies, forks, options changed on the way.

Each action takes any JSON, does one thing to the asking visitor's own runs, and answers with JSON: its result, or
{"refused": why}, and then nothing has changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from gpt.config import RunConfig, SampleConfig
from gpt.options import Refusal, options, replace, shorten, walk
from gpt.presets import named
from gpt.records import StoredRun, StoredStudy
from gpt.results import GOING, RESTING
from gpt.store import RunStore
from playground import form
from playground.asked import fields, sendable, visitor_of, whole
from playground.comparing import carried, my_runs, study_of, study_of_visitor
from playground.rows import LETTERS, MOST_STEPS, Answer, mine, more_steps
from playground.scheduler import Scheduler

MOST_AT_ONCE = 2000  # runs deleted or brought back by one press
MOST_TAGS, TAG_LETTERS, NAME_LETTERS = 8, 24, 60
WRITERS, PATIENCE_SECONDS = 4, 30.0  # that write at once; how long another waits for its turn

Action = Callable[[Any], Answer]
GONE = "That run is gone: train a new one."
LOADING = "The page has not finished loading: try again in a moment."


@dataclass(frozen=True)
class Actions:
    """The functions, by name."""

    rename: Action
    tag: Action
    delete: Action
    restore: Action
    ablate: Action
    rest_study: Action
    delete_study: Action
    fork: Action
    change: Action
    train: Action  # the buttons over the chart
    step: Action
    pause: Action
    stop: Action
    extend: Action


def actions(store: RunStore, scheduler: Scheduler) -> Actions:
    """The actions on what is in `store`."""
    known = to_lists(store, scheduler) | to_studies(store, scheduler) | to_runs(store, scheduler)
    return Actions(**{name: refusable(action) for name, action in known.items()})


def to_lists(store: RunStore, scheduler: Scheduler) -> dict[str, Action]:
    """What is done to the visitor's list of runs."""

    def rename(asked: Any) -> Answer:
        store.describe(one(store, asked).id, title=text(asked, "name", NAME_LETTERS))
        return {}

    def tag(asked: Any) -> Answer:
        given = fields(asked).get("tags")
        tags = [text({"tag": tag}, "tag", TAG_LETTERS) for tag in given] if isinstance(given, list) else []
        if len(tags) > MOST_TAGS:
            raise Refusal(f"{len(tags)} tags are many: use at most {MOST_TAGS}.")
        store.describe(one(store, asked).id, tags=[tag for tag in dict.fromkeys(tags) if tag])
        return {}

    def delete(asked: Any) -> Answer:
        scheduler.discard([run.id for run in my_runs(store, asked, MOST_AT_ONCE)])
        return {}

    def restore(asked: Any) -> Answer:
        visitor, ids = visitor_of(asked), fields(asked).get("runs")
        ids = [id for id in ids if isinstance(id, str)][:MOST_AT_ONCE] if isinstance(ids, list) else []
        store.restore(ids, owner=visitor or "")
        return {}

    return dict(rename=rename, tag=tag, delete=delete, restore=restore)


def to_studies(store: RunStore, scheduler: Scheduler) -> dict[str, Action]:
    """What is done to studies."""

    def ablate(asked: Any) -> Answer:
        preset, study, title = study_of(asked)
        return {"study": scheduler.submit_study(study, owner=owner(asked), preset=preset.id, title=title)}

    def rest_study(asked: Any) -> Answer:
        """Pauses a study that goes, or goes on with one that does not."""
        runs = store.runs(study=my_study(store, asked).id)
        if going := [run for run in runs if run.status in GOING]:
            for run in going:
                scheduler.pause(run.id)
        else:
            for run in reversed([run for run in runs if run.status in RESTING]):
                scheduler.resume(run.id)
        return {"going": not going}

    def delete_study(asked: Any) -> Answer:
        stored = my_study(store, asked)
        ids = [run.id for run in store.runs(study=stored.id)]
        scheduler.discard(ids)
        return {"runs": ids}

    return dict(ablate=ablate, rest_study=rest_study, delete_study=delete_study)


def to_runs(store: RunStore, scheduler: Scheduler) -> dict[str, Action]:
    """What is done to one run's training."""

    def train(asked: Any, quota: int | None = None) -> Answer:
        visitor, (preset, config) = owner(asked), form.config_of(asked)
        return {"run": scheduler.submit(config, owner=visitor, preset=preset.id, quota=quota, **named(config, preset.config))}

    def step(asked: Any) -> Answer:
        """One step of the run, or of a new one where none can go on."""
        run = mine(store, asked)
        if run is None or run.status in ("finished", "failed", "diverged"):
            return train(asked, quota=1)
        scheduler.step(run.id)
        return {"run": run.id}

    def pause(asked: Any) -> Answer:
        """Pauses what goes, resumes what does not."""
        run = one(store, asked)
        (scheduler.pause if run.status in ("queued", "running") else scheduler.resume)(run.id)
        return {"run": run.id}

    def stop(asked: Any) -> Answer:
        run = one(store, asked)
        scheduler.stop(run.id)
        return {"run": run.id}

    def extend(asked: Any) -> Answer:
        """By "steps", or as many as the button says."""
        run = one(store, asked)
        if not (more := whole(asked, "steps", more_steps(run), low=1, high=MOST_STEPS)):
            raise Refusal("This run has as many steps as a run may have: train a new one.")
        scheduler.extend(run.id, more)
        return {"run": run.id}

    def fork(asked: Any) -> Answer:
        run, (preset, config) = one(store, asked), form.config_of(asked)
        id, told = scheduler.fork(run.id, whole(asked, "step"), config, owner=owner(asked), preset=preset.id,
                                  **named(config, preset.config))
        return {"run": id, "carried": carried(told)}

    def change(asked: Any) -> Answer:
        changes, known = fields(asked).get("changes"), dict(walk(RunConfig))
        changes = changes if isinstance(changes, dict) and len(changes) <= len(known) else {}
        scheduler.change(one(store, asked).id, {p: known[p].coerce(v) if p in known else v for p, v in changes.items()})
        return {}

    return dict(train=train, step=step, pause=pause, stop=stop, extend=extend, fork=fork, change=change)


def refusable(action: Action) -> Action:
    """The action, with a refusal as its answer."""

    def answer(asked: Any) -> Answer:
        try:
            return sendable(action(asked))
        except Refusal as error:
            return sendable({"refused": shorten(str(error), 4 * LETTERS)})

    return answer


def owner(asked: Any) -> str:
    """The visitor who asks. Raises Refusal."""
    visitor = visitor_of(asked)
    if visitor is None:
        raise Refusal(LOADING)
    return visitor


def one(store: RunStore, asked: Any) -> StoredRun:
    """The visitor's run that is asked about. Raises Refusal."""
    run = mine(store, asked)
    if run is None:
        raise Refusal(GONE)
    return run


def my_study(store: RunStore, asked: Any) -> StoredStudy:
    """The visitor's study that is asked about. Raises Refusal."""
    stored = study_of_visitor(store, asked)
    if stored is None:
        raise Refusal("That study is gone.")
    return stored


def text(asked: Any, name: str, most: int) -> str:
    """A line of text. Raises Refusal for one that is too long."""
    given = fields(asked).get(name)
    line = " ".join(given.split()) if isinstance(given, str) else ""
    if len(line) > most:
        raise Refusal(f"{len(line)} characters are many: use at most {most}.")
    return line.encode("utf-8", "replace").decode()


def write_for(store: RunStore, scheduler: Scheduler) -> Callable[[Any], Iterator[str]]:
    """The function that has a visitor's run write, in pieces; a few at once. Raises Refusal."""
    places = BoundedSemaphore(WRITERS)

    def write(asked: Any) -> Iterator[str]:
        run, wanted = one(store, asked), fields(asked)
        given = {f"sample.{name}": wanted[name] for name in options(SampleConfig) if name in wanted}
        cfg = replace(RunConfig(), given).sample
        if not places.acquire(timeout=PATIENCE_SECONDS):
            raise Refusal("Many are writing now: try again in a moment.")
        try:
            yield from map(sendable, scheduler.sample(run.id, cfg))
        finally:
            places.release()

    return write
