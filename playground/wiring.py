"""Every event of the page in one place: the actions. What the browser only wants to know is in questions.py.

An action takes the visitor and the form, does one thing with the scheduler, and returns the desk's new value,
{"visitor", "run", "was", "note", "at"}: whose page it is, which run to show, which the action was for, what went wrong,
and when, so that it differs.
"""

import html
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from gpt.options import Refusal, replace
from gpt.presets import list_presets, named
from gpt.records import StoredRun
from gpt.store import RunStore
from playground import form
from playground.asked import fields, sendable, visitor_of
from playground.page import Page
from playground.rows import mine, more_steps
from playground.scheduler import Scheduler

QUIET: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
PAINTS_PER_SECOND = 25

Desk = dict[str, Any]
GONE = "That run is gone: train a new one."
LOADING = "The page has not finished loading: try again in a moment."


def wire(page: Page, store: RunStore, scheduler: Scheduler) -> None:
    """Connects the page's components to the scheduler."""
    page.demo.load(lambda known: enter(store, known), page.visitor, [page.visitor, page.desk], **QUIET)

    def act(button: gr.Button, refused: str, action: Callable[[Any, Any], str]) -> None:
        button.click(lambda desk, value: answered(desk, refused, lambda: action(desk, value)),
                     [page.desk, page.form], page.desk, **QUIET)

    act(page.train, "Not started", lambda desk, value: submit(scheduler, desk, value))
    act(page.step, "No step made", lambda desk, value: single_step(store, scheduler, desk, value))
    act(page.pause, "Not done", lambda desk, _: on_run(store, desk, lambda run: pause_or_resume(scheduler, run)))
    act(page.stop, "Not stopped", lambda desk, _: on_run(store, desk, lambda run: scheduler.stop(run.id)))
    act(page.extend, "Not extended", lambda desk, _: on_run(store, desk, lambda run: extend(scheduler, run)))

    def write(desk: Any, value: Any) -> Iterator[tuple[Any, Any]]:  # a generator itself, which Gradio looks at
        yield from sample(store, scheduler, desk, value)

    sampling = page.sample.click(write, [page.desk, page.form], [page.sampled, page.prompt_note],
                                 **QUIET | {"concurrency_limit": 4, "concurrency_id": "sampling"})
    page.sample_stop.click(None, cancels=sampling, api_visibility="private")

    page.paste.click(take_text, [page.form, page.pasted], [page.form, page.text_note], **QUIET)
    page.upload.upload(lambda value, path: take_text(value, read_file(path)), [page.form, page.upload],
                       [page.form, page.text_note], **QUIET)


def enter(store: RunStore, known: Any) -> tuple[Desk, Desk]:
    """A visitor opens the page: known from before or new, with the newest run of theirs."""
    visitor = visitor_of(known) or secrets.token_urlsafe(16)
    newest = store.runs(visitor, 1)
    return {"visitor": visitor}, desk_of(visitor, newest[0].id if newest else None)


def desk_of(visitor: str | None, run: Any, note: str = "", was: Any = None) -> Desk:
    """`was` is the run an action was for: a visitor who has since turned to another is not called back to it."""
    run, was = (id if isinstance(id, str) else None for id in (run, was))
    return {"visitor": visitor, "run": run, "was": was, "note": sendable(note), "at": time.time()}


def answered(desk: Any, refused: str, action: Callable[[], str]) -> Desk:
    """The desk after an action that returns a run; a refusal becomes a warning and a note, and nothing else changes."""
    visitor, was = visitor_of(desk), fields(desk).get("run")
    try:
        return desk_of(visitor, action(), was=was)
    except Refusal as error:
        warn(refused, error)
        return desk_of(visitor, was, str(error), was)


def warn(title: str, error: Refusal) -> None:
    gr.Warning(sendable(html.escape(str(error))), title=title, duration=8)  # a toast takes HTML


# Actions on runs --------------------------------------------------------------------------------------------------


def submit(scheduler: Scheduler, desk: Any, value: Any, quota: int | None = None) -> str:
    """Queues what the form says as a new run of the desk's visitor; returns its id. Raises Refusal."""
    visitor = visitor_of(desk)
    if visitor is None:
        raise Refusal(LOADING)
    preset, config = form.config_of(value)
    return scheduler.submit(config, owner=visitor, preset=preset.id, quota=quota, **named(config, preset.config))


def single_step(store: RunStore, scheduler: Scheduler, desk: Any, value: Any) -> str:
    """One step of the shown run, or of a new one where none can go on; returns its id. Raises Refusal."""
    run = mine(store, desk)
    if run is None or run.status in ("finished", "failed", "diverged"):
        return submit(scheduler, desk, value, quota=1)
    scheduler.step(run.id)
    return run.id


def on_run(store: RunStore, desk: Any, action: Callable[[StoredRun], None]) -> str:
    """Does `action` with the shown run, if it is the visitor's; returns its id. Raises Refusal."""
    run = mine(store, desk)
    if run is None:
        raise Refusal(GONE)
    action(run)
    return run.id


def pause_or_resume(scheduler: Scheduler, run: StoredRun) -> None:
    """One button: pauses what goes, resumes what does not."""
    if run.status in ("queued", "running"):
        scheduler.pause(run.id)
    else:
        scheduler.resume(run.id)


def extend(scheduler: Scheduler, run: StoredRun) -> None:
    """Trains on, for as many steps as the button said."""
    if not (more := more_steps(run)):
        raise Refusal("This run has as many steps as a run may have: train a new one.")
    scheduler.extend(run.id, more)


# Samples and texts ------------------------------------------------------------------------------------------------


def sample(store: RunStore, scheduler: Scheduler, desk: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    """What the shown run writes after the form's prompt, growing, as often as an eye can follow; or why it cannot."""
    try:
        run, cfg = mine(store, desk), sampling_of(value)
        if run is None:
            raise Refusal("Train a model first, then let it write.")
        written, painted, note = cfg.prompt, 0.0, noted("")  # what was wrong the last time no longer is
        for piece in scheduler.sample(run.id, cfg):
            written += piece
            if time.monotonic() - painted > 1 / PAINTS_PER_SECOND:
                painted = time.monotonic()
                yield written, note
                note = gr.skip()
        yield written, note
    except Refusal as error:
        yield gr.skip(), noted(str(error), bad=True)


def sampling_of(value: Any) -> Any:
    """The form's sampling options; the rest of the form may be in any state. Raises ConfigError."""
    changes = {path: wanted for path, wanted in form.changes_of(value).items() if path.startswith("sample.")}
    chosen = fields(value).get("preset")
    preset = next((p for p in list_presets() if p.id == chosen), list_presets()[0])
    return replace(preset.config, changes).sample


def read_file(path: Any) -> bytes:
    """At most one byte more than a text may have: enough to refuse it."""
    from gpt.data import MAX_TEXT_BYTES

    if not path:
        return b""
    with Path(path).open("rb") as file:
        return file.read(MAX_TEXT_BYTES + 1)


def take_text(value: Any, text: Any) -> tuple[Any, Any]:
    """Keeps an own text, a string or bytes, and chooses it in the form: the form's new value, and what to say of it."""
    from gpt.data import import_text

    # Half of a UTF-16 pair becomes bytes that are not UTF-8, which import_text refuses in words.
    raw = text if isinstance(text, bytes) else str(text or "").encode("utf-8", "surrogatepass")
    try:
        changes = {**form.changes_of(value), "data.dataset": "own", "data.text": import_text(raw)}
    except Refusal as error:
        return gr.skip(), noted(str(error), bad=True)
    note = noted(f"{len(raw):,} bytes taken as {changes['data.text'][:8]}.")
    return {**fields(value), "changes": changes, "from": "server", "at": time.time()}, note


def noted(words: str, bad: bool = False) -> dict[str, Any]:
    return {"note": sendable(words), "bad": bad, "at": time.time()}
