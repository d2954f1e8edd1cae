"""A stored run as the browser knows it: whose it is, what a list says of it, and the form that trains it again."""

import math
from typing import Any

from gpt.config import TrainConfig
from gpt.measure import tokens_of
from gpt.options import ConfigError, options, shorten
from gpt.presets import Preset, list_presets
from gpt.records import StoredRun
from gpt.store import RunStore, UnknownRun
from playground import form, plots
from playground.asked import fields, visitor_of

LETTERS = 300  # of a message, at most
TAG = 24  # letters of a label or a tag in a list
LABELS = 6  # differences that name a run in a list
MOST_STEPS = int(options(TrainConfig)["steps"].high)

Answer = dict[str, Any]
GONE: Answer = {"status": "gone"}


def mine(store: RunStore, asked: Any) -> StoredRun | None:
    """The run that is asked about, if there is one and it is the asking visitor's."""
    visitor, run = visitor_of(asked), fields(asked).get("run")
    if visitor is None or not isinstance(run, str):
        return None
    try:
        found = store.run(run)
    except UnknownRun:
        return None
    return found if found.owner == visitor else None


def row(run: StoredRun) -> Answer:
    """A run in a list: its name, where it stands, and what its curve may be compared with."""
    preset = preset_of(run)
    return {
        "id": run.id, "labels": [shorten(label, TAG) for label in run.labels[:LABELS]], "name": run.title, "tags": run.tags,
        "preset": run.preset, "title": preset.title if preset else run.preset, "colour": run.part, "status": run.status,
        "step": run.step, "total": total_of(run), "parameters": run.parameters, "val": real(run.val_loss),
        "best": real(run.best_loss), "seconds": round(run.seconds, 2), "created": run.created,
        "text": f"{run.fingerprint}/{tokens_of(run.options)}", "bits": run.bits_per_nat,
        "held_out": f"{run.fingerprint}/{run.options.get('data.val_fraction')}", "tokens_per_step": run.tokens_per_step,
        "flops": run.flops, "study": run.study, "arm": run.arm, "parent": run.parent, "forked_at": run.forked_at,
        "seed": run.options.get("train.seed"), **({} if run.exact is None else {"exact": round(run.exact, 4)}),
        **({"deleted": True} if run.deleted else {}),
    }


def origin(run: StoredRun) -> Answer | None:
    """The form's value that trains this run once more; None if this version cannot."""
    preset = preset_of(run)
    return form.value_of(run.present, preset) if preset and works(run) else None


def preset_of(run: StoredRun) -> Preset | None:
    """The preset a run started from, or None if there is none of that name any more."""
    return next((preset for preset in list_presets() if preset.id == run.preset), None)


def works(run: StoredRun) -> bool:
    """Whether this version can still read the run's options."""
    try:
        return bool(run.config)
    except ConfigError:  # made by another version: shown all the same
        return False


def total_of(run: StoredRun) -> int:
    """Steps the run is to do in all."""
    return int(run.options["train.steps"])


def more_steps(run: StoredRun) -> int:
    """How many steps a press of "+N" adds: half as many as are done, to one digit; 0 where no more are allowed, or make sense."""
    if run.study:
        return 0
    half = (run.step + 1) // 2
    digit = 10 ** (len(str(half)) - 1)
    return max(0, min(half // digit * digit, MOST_STEPS - run.step))


def references_of(run: StoredRun) -> plots.References:
    """What the run's curve can beat."""
    return plots.references(run.vocab_size, run.unigram, run.bigram, run.options.get("data.tokenizer", "char"))


def real(value: float | None) -> float | None:
    """A loss for JSON: to three decimals, None for unknown or no number."""
    return None if value is None or not math.isfinite(value) else round(value, 3)
