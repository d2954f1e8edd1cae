"""What the browser asks about parts taken out of a model: what it writes without one, and the runs that never had it."""

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from gpt.config import SampleConfig
from gpt.options import Refusal
from gpt.pairs import NAMES, Without, counterpart, without_each
from gpt.records import StoredRun
from gpt.store import RunStore
from playground.asked import fields
from playground.inspecting import alone, model_of, sampling
from playground.rows import GONE, Answer, mine, preset_of, real, row, works
from playground.scheduler import Scheduler

if TYPE_CHECKING:
    from gpt.inspect_model import Part
    from gpt.run import Sampler

TOKENS = 220  # of a text that is compared
SECONDS = 2.0  # it may take: a large model writes less
RECENT = 500  # runs of a visitor among which a pair is looked for


def pairs(store: RunStore, asked: Any) -> Answer:
    """For each part of a run the visitor's own run that was trained without it, or how to train it; and their losses."""
    run = mine(store, asked)
    if run is None:
        return GONE
    if not works(run):
        raise Refusal("This run is of another version: what was trained without its parts is not known.")
    known = store.runs(run.owner, RECENT)
    rows = [told_of(store, run, without, known) for without in without_each(run.present)]
    return {"loss": final(store, run), "status": run.status, "seconds": round(run.seconds, 1), "rows": rows,
            "trains": preset_of(run) is not None, "note": note_of(run)}


def told_of(store: RunStore, run: StoredRun, without: Without, known: list[StoredRun]) -> Answer:
    """A part, the changes that train without it, and the run that was trained so: None where there is none."""
    pair = counterpart(run, without.changes, known) if without.changes else None
    found = pair and {**row(pair.run), "loss": final(store, pair.run), "others": pair.others}
    return {"part": without.part, "name": NAMES[without.part], "changes": without.changes, "why": without.why, "run": found}


def final(store: RunStore, run: StoredRun) -> float | None:
    """A run's loss over the whole held-out text at its end; None where it has not come to one."""
    end = store.finished(run.id) if run.status == "finished" else None
    return real(end.val_loss) if end else None


def note_of(run: StoredRun) -> str:
    """What keeps a run that is trained anew from being this one but for a part."""
    if run.parent:
        return "This run was forked from another one: one that is trained without a part begins anew."
    changed = "Options of this run were changed on its way: one trained without a part has the changed ones throughout."
    return changed if run.plan else ""


def writes(scheduler: Scheduler, store: RunStore, asked: Any) -> Answer:
    """What a run's model writes from its own prompt, without "part" if one is given, drawn as the form says with one seed."""
    run = mine(store, asked)
    if run is None:
        return GONE
    cfg = replace(sampling(asked), prompt=run.config.sample.prompt, length=TOKENS, seed=run.config.sample.seed)
    with alone():
        step, _, sampler = model_of(scheduler, store, run, asked)
        part = part_of(sampler, fields(asked).get("part"))
        return {"step": step, "prompt": cfg.prompt, "text": written(sampler, part, cfg)}


def part_of(sampler: "Sampler", wanted: Any) -> "Part | None":
    """The part that is named as [kind, layer, head]. Raises Refusal for one that the model does not have."""
    from gpt.inspect_model import parts

    if wanted is None:
        return None
    found = next((part for part in parts(sampler.model) if [part.kind, part.layer, part.head] == wanted), None)
    if found is None:
        raise Refusal("This model has no such part to take out.")
    return found


def written(sampler: "Sampler", part: "Part | None", cfg: SampleConfig) -> str:
    """Text of a model without a part, for as long as the time lasts."""
    from gpt.inspect_model import without

    text, end = "", monotonic() + SECONDS
    with without(sampler.model, part):
        for piece in sampler.sample(cfg):
            text += piece
            if monotonic() > end:
                break
    return text


QUESTIONS = (writes,)
