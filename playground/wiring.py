"""The events that go through Gradio: a visitor enters, and brings a text. The rest is asked and done past it (direct.py)."""

import secrets
import time
from pathlib import Path
from typing import Any

import gradio as gr

from gpt.options import Refusal
from gpt.store import RunStore
from gpt.texts import MAX_TEXT_BYTES, import_text
from playground import form
from playground.asked import fields, sendable, visitor_of
from playground.page import Page

QUIET: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}

Desk = dict[str, Any]  # {"visitor", "run"}: whose page it is, and which run to show first


def wire(page: Page, store: RunStore) -> None:
    """Connects the page's components."""
    page.demo.load(lambda known: enter(store, known), page.visitor, [page.visitor, page.desk], queue=False, **QUIET)

    page.paste.click(take_text, [page.form, page.pasted], [page.form, page.text_note], **QUIET)
    page.upload.upload(lambda value, path: take_text(value, read_file(path)), [page.form, page.upload],
                       [page.form, page.text_note], **QUIET)


def enter(store: RunStore, known: Any) -> tuple[Desk, Desk]:
    """A visitor opens the page: known from before or new, with the newest run of theirs."""
    visitor = visitor_of(known) or secrets.token_urlsafe(16)
    newest = store.runs(visitor, 1)
    return {"visitor": visitor}, {"visitor": visitor, "run": newest[0].id if newest else None}


# Texts ------------------------------------------------------------------------------------------------


def read_file(path: Any) -> bytes:
    """At most one byte more than a text may have: enough to refuse it."""
    if not path:
        return b""
    with Path(path).open("rb") as file:
        return file.read(MAX_TEXT_BYTES + 1)


def take_text(value: Any, text: Any) -> tuple[Any, Any]:
    """Keeps an own text, a string or bytes, and chooses it in the form: the form's new value, and what to say of it."""
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
