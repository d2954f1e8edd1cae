"""Every event of the page in one place: the actions. What the browser only wants to know is in questions.py.

An action takes the visitor and the form, does one thing with the scheduler, and returns the desk's new value,
{"visitor", "run", "note", "at"}: whose page it is, which run to show, what went wrong, and when, so that it differs.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from gpt.options import replace
from gpt.presets import list_presets
from gpt.store import RunStore, StoreError
from playground import form
from playground.page import Page
from playground.questions import mine, more_steps
from playground.scheduler import QueueFull, Scheduler

QUIET: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
PAINTS_PER_SECOND = 25

Desk = dict[str, Any]
REFUSALS = (ValueError, QueueFull, StoreError)  # ConfigError and TextError are ValueErrors; all say the way out


def wire(page: Page, store: RunStore, scheduler: Scheduler) -> None:
    """Connects the page's components to the scheduler."""
    page.demo.load(lambda known: enter(store, known), page.visitor, [page.visitor, page.desk], **QUIET)

    def act(button: gr.Button, action: Callable[[Desk, Any], Desk]) -> None:
        button.click(lambda desk, value: answered(desk, lambda: action(desk, value)),
                     [page.desk, page.form], page.desk, **QUIET)

    act(page.train, lambda desk, value: {"run": submit(scheduler, desk, value)})
    act(page.step, lambda desk, value: {"run": single_step(store, scheduler, desk, value)})
    act(page.pause, lambda desk, value: on_run(store, desk, lambda run: pause_or_resume(scheduler, run)))
    act(page.stop, lambda desk, value: on_run(store, desk, lambda run: scheduler.stop(run.id)))
    act(page.extend, lambda desk, value: on_run(store, desk, lambda run: scheduler.extend(run.id, more_steps(run))))

    def write(desk: Desk, value: Any) -> Iterator[str]:  # a generator itself, which Gradio looks at
        yield from sample(store, scheduler, desk, value)

    sampling = page.sample.click(write, [page.desk, page.form], page.sampled,
                                 **QUIET | {"concurrency_limit": 4, "concurrency_id": "sampling"})
    page.sample_stop.click(None, cancels=sampling, api_visibility="private")

    page.paste.click(lambda value, pasted: take_text(value, (pasted or "").encode()), [page.form, page.pasted],
                     [page.form, page.text_note], **QUIET)
    page.upload.upload(lambda value, path: take_text(value, read_file(path)), [page.form, page.upload],
                       [page.form, page.text_note], **QUIET)


def enter(store: RunStore, known: Desk | None) -> tuple[Desk, Desk]:
    """A visitor opens the page: known from before or new, with the newest run of theirs."""
    visitor = (known or {}).get("visitor") or secrets.token_urlsafe(16)
    newest = store.runs(visitor, 1)
    return {"visitor": visitor}, desk_of(visitor, newest[0].id if newest else None)


def desk_of(visitor: str | None, run: str | None, note: str = "") -> Desk:
    return {"visitor": visitor, "run": run, "note": note, "at": time.time()}


def answered(desk: Desk | None, action: Callable[[], Desk]) -> Desk:
    """The desk after an action; a refusal becomes a warning and a note beside Train, and nothing else changes."""
    desk = desk or {}
    try:
        return desk_of(desk.get("visitor"), action()["run"])
    except REFUSALS as error:
        gr.Warning(str(error), title="Not started", duration=8)
        return desk_of(desk.get("visitor"), desk.get("run"), str(error))


# Actions on runs --------------------------------------------------------------------------------------------------


def submit(scheduler: Scheduler, desk: Desk, value: Any, quota: int | None = None) -> str:
    """Queues what the form says as a new run of the desk's visitor; returns its id."""
    if not (desk or {}).get("visitor"):
        raise ValueError("The page has not finished loading: try again in a moment.")
    preset, config = form.config_of(value)
    name = form.name_of(config, preset)
    return scheduler.submit(config, owner=desk["visitor"], preset=preset.id, name=name, quota=quota)


def single_step(store: RunStore, scheduler: Scheduler, desk: Desk, value: Any) -> str:
    """One step of the shown run, or of a new one where none can go on."""
    run = mine(store, desk)
    if run is None or run.status in ("finished", "failed", "diverged"):
        return submit(scheduler, desk, value, quota=1)
    scheduler.step(run.id)
    return run.id


def on_run(store: RunStore, desk: Desk, action: Callable[[Any], None]) -> Desk:
    """Does `action` with the shown run, if it is the visitor's."""
    run = mine(store, desk)
    if run is None:
        raise ValueError("That run is gone: train a new one.")
    action(run)
    return {"run": run.id}


def pause_or_resume(scheduler: Scheduler, run: Any) -> None:
    """One button: pauses what goes, resumes what does not."""
    if run.status in ("queued", "running"):
        scheduler.pause(run.id)
    else:
        scheduler.resume(run.id)


# Samples and texts ------------------------------------------------------------------------------------------------


def sample(store: RunStore, scheduler: Scheduler, desk: Desk, value: Any) -> Iterator[str]:
    """What the shown run writes after the form's prompt, growing; as often as an eye can follow."""
    run = mine(store, desk)
    if run is None:
        gr.Warning("Train a model first, then let it write.", duration=5)
        return
    try:
        cfg = sampling_of(value)
        written, painted = cfg.prompt, 0.0
        for piece in scheduler.sample(run.id, cfg):
            written += piece
            if time.monotonic() - painted > 1 / PAINTS_PER_SECOND:
                painted = time.monotonic()
                yield written
        yield written
    except REFUSALS as error:
        gr.Warning(str(error), title="Cannot write", duration=8)


def sampling_of(value: Any) -> Any:
    """The form's sampling options; the rest of the form may be in any state. Raises ConfigError."""
    changes = {path: v for path, v in ((value or {}).get("changes") or {}).items() if path.startswith("sample.")}
    preset = next((p for p in list_presets() if p.id == (value or {}).get("preset")), list_presets()[0])
    return replace(preset.config, changes).sample


def read_file(path: str | None) -> bytes:
    """At most one byte more than a text may have: enough to refuse it."""
    from gpt.data import MAX_TEXT_BYTES

    if not path:
        return b""
    with Path(path).open("rb") as file:
        return file.read(MAX_TEXT_BYTES + 1)


def take_text(value: Any, raw: bytes) -> tuple[Any, Any]:
    """Keeps an own text and chooses it in the form: the form's new value, and what to say under the panel."""
    from gpt.data import TextError, import_text

    try:
        fingerprint = import_text(raw)
    except TextError as error:
        return gr.skip(), {"note": str(error), "bad": True, "at": time.time()}
    changes = {**((value or {}).get("changes") or {}), "data.dataset": "own", "data.text": fingerprint}
    note = {"note": f"{len(raw):,} bytes taken as {fingerprint[:8]}.", "bad": False, "at": time.time()}
    return {**(value or {}), "changes": changes, "from": "server", "at": time.time()}, note


