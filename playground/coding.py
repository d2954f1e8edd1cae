"""The form's model as one file of code, and which of its lines another model's does not have."""

from functools import lru_cache
from threading import BoundedSemaphore, Lock
from typing import Any

from gpt.config import RunConfig
from gpt.options import Refusal
from gpt.presets import list_presets, load
from gpt.store import RunStore
from playground import form
from playground.asked import fields
from playground.rows import Answer, mine, preset_of, works

KEPT = 64  # scripts: to write one takes seconds
WAITING = 6  # who may wait for one at once

_places, _turn = BoundedSemaphore(WAITING), Lock()


def script(store: RunStore, asked: Any) -> Answer:
    """The script of the form's config, with the numbers of the lines that are not in that of `against`, a run or a preset."""
    preset, config = form.config_of(asked)
    text = written(config, preset.id)
    answer: Answer = {"name": f"{preset.id.split('/')[-1]}.py", "text": text, "changed": [], "lost": 0, "unknown": ""}
    if against := fields(asked).get("against"):
        try:
            other = written(*other_of(store, asked, against))
        except Refusal as error:
            return {**answer, "unknown": str(error)}
        from gpt.script import differences

        answer["changed"] = [number for number, (_, changed) in enumerate(differences(text, other), 1) if changed]
        answer["lost"] = sum(changed for _, changed in differences(other, text))
    return answer


def other_of(store: RunStore, asked: Any, against: Any) -> tuple[RunConfig, str]:
    """The config to compare with, and its preset's id. Raises Refusal."""
    if against in [preset.id for preset in list_presets()]:
        return load(against).config, against
    run = mine(store, {**fields(asked), "run": against})
    if run is None:
        raise Refusal("The run to compare with is gone: choose another.")
    if not works(run):
        raise Refusal("The options of the run to compare with cannot be read by this version: choose another.")
    preset = preset_of(run)
    return run.present, preset.id if preset else ""


def written(config: RunConfig, preset: str) -> str:
    """The script of a config that began with a preset. Raises Refusal.

    One is written at a time: two would take as long, and keep the trainer waiting for longer.
    """
    if not _places.acquire(blocking=False):
        raise Refusal("Many scripts are being written: try again in a moment.")
    try:
        with _turn:
            return _written(config, preset)
    finally:
        _places.release()


@lru_cache(maxsize=KEPT)
def _written(config: RunConfig, preset: str) -> str:
    from gpt import script

    return script.script(config, load(preset) if preset else None)
