"""What the browser asks: the check of a form, the growth of a run, earlier curves, samples. Plain reads of the store.

Each question takes one dict and answers with JSON; a run that is not the asking visitor's is "gone". They are direct
requests, not queued events. No torch is imported before the first `check`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt.config import RunConfig
from gpt.events import Eval, Event, Sample
from gpt.home import home
from gpt.options import ConfigError
from gpt.presets import Preset, list_presets
from gpt.records import StoredRun
from gpt.store import RunStore, UnknownRun
from playground import form, plots
from playground.scheduler import Scheduler
from playground.verdicts import verdict, verdicts

EVENTS = 40  # most evaluations and samples in one answer
RECENT = 32  # steps whose mean loss is put into words
EARLIER = 120  # most points of an earlier run's curve
LISTED = 16  # newest runs of a visitor that the page lists
REMEMBERED = 200  # newest runs that put a mark on the ladder

Answer = dict[str, Any]
Question = Callable[[Answer], Answer]
GONE: Answer = {"status": "gone"}


@dataclass(frozen=True)
class Questions:
    """The functions the browser calls on the server, by the region that asks."""

    check: Question  # the form
    poll: Question  # the chart, several times a second
    curve: Question
    runs: Question
    writing: Question
    table: Question


def questions(store: RunStore, scheduler: Scheduler) -> Questions:
    """The questions about what is in `store`."""

    def about_mine(answer: Callable[[StoredRun, Answer], Answer]) -> Question:
        def question(asked: Answer) -> Answer:
            run = mine(store, asked)
            return answer(run, asked) if run else GONE
        question.__name__ = answer.__name__
        return question

    @about_mine
    def poll(run: StoredRun, asked: Answer) -> Answer:
        return grown(store, scheduler, run, asked)

    @about_mine
    def curve(run: StoredRun, asked: Answer) -> Answer:
        stride = max(1, -(-run.step // EARLIER))
        points = store.points(run.id, 0, stride, EARLIER)
        return {**chip(run), "steps": [p[0] for p in points], "loss": [real(p[1]) for p in points],
                "seconds": [round(p[2], 2) for p in points], "tokens_per_step": run.tokens_per_step}

    @about_mine
    def writing(run: StoredRun, asked: Answer) -> Answer:
        found = store.events(run.id, int(asked["seq"]) - 1, 1)
        sample = next((event for _, event in found if isinstance(event, Sample)), None)
        return {"step": sample.step, "prompt": sample.prompt, "text": sample.text} if sample else GONE

    @about_mine
    def table(run: StoredRun, asked: Answer) -> Answer:
        return {"csv": "".join(store.csv(run.id))}

    def runs(asked: Answer) -> Answer:
        known = store.runs(str(asked.get("visitor") or "-"), REMEMBERED)
        return {"runs": [chip(run) for run in known[:LISTED]],
                "done": sorted({run.preset for run in known if run.status == "finished"})}

    return Questions(check, poll, curve, runs, writing, table)


def mine(store: RunStore, asked: Any) -> StoredRun | None:
    """The run that is asked about, if there is one and it is the asking visitor's."""
    visitor, run = (asked or {}).get("visitor"), (asked or {}).get("run")
    if not (visitor and isinstance(run, str)):
        return None
    try:
        found = store.run(run)
    except UnknownRun:
        return None
    return found if found.owner == visitor else None


# The form ---------------------------------------------------------------------------------------------------------


def check(asked: Answer) -> Answer:
    """What a form's value would train: its problems in words, parameters by component, seconds, name, references."""
    from gpt.estimate import VOCAB, seconds
    from gpt.model import count_parameters
    from gpt.tokenizers import TextError

    answer: Answer = {"problems": [], "parameters": None, "parts": {}, "seconds": None, "name": "", "references": []}
    try:
        preset, config = form.config_of(asked)
        answer |= {"name": form.name_of(config, preset), "seconds": seconds(config)} | reading(config)
        vocab_size = answer.get("vocab_size") or (256 if config.data.tokenizer == "byte" else VOCAB)
        parts = count_parameters(config.model, vocab_size)
        answer |= {"parts": parts, "parameters": parts["total"], "vocab_size": vocab_size}
    except ConfigError as error:
        answer["problems"] = error.problems
    except TextError as error:
        answer["problems"] = [str(error)]
    return answer


def reading(config: RunConfig) -> Answer:
    """What a curve over the config's text can beat; raises TextError if the text cannot be used.

    A text that would first be downloaded is left alone: looking at a form must not do that.
    """
    from gpt.data import load as load_text

    if config.data.dataset == "tinyshakespeare" and not (home() / "texts" / "tinyshakespeare.txt").exists():
        return {"references": []}
    text = load_text(config.data, config.model.block_size)
    return {"references": plots.references(text.tokenizer.vocab_size, text.unigram, text.bigram),
            "vocab_size": text.tokenizer.vocab_size}


# A run ------------------------------------------------------------------------------------------------------------


def grown(store: RunStore, scheduler: Scheduler, run: StoredRun, asked: Answer) -> Answer:
    """What is new of a run since the browser's cursors `after` (step) and `seq` (event): under 2 kB."""
    after, seq = int(asked.get("after", 0)), int(asked.get("seq", 0))
    head = bool(asked.get("head")) and run.vocab_size is not None
    stride = int(asked.get("stride") or 0) or plots.stride_for(total_of(run))
    if after > run.step:  # it was resumed from an older checkpoint: begin again
        return {"status": run.status, "run": run.id, "again": True}
    limit = plots.POINTS // 3 if head else plots.POINTS
    points = store.points(run.id, after, stride, limit)
    events = store.events(run.id, seq, EVENTS if not points else EVENTS // 4)
    return {
        "run": run.id, "status": run.status, "message": run.message, "place": scheduler.place(run.id), "step": run.step,
        "total": total_of(run), "sharing": scheduler.active(), "stride": stride, "from": after,
        **plots.delta(points, float(asked.get("seconds", 0))), **news(events, seq),
        "more": len(points) == limit or len(events) == EVENTS, "words": words(store, run),
        **({"head": beginning(run)} if head else {}),
    }


def news(events: list[tuple[int, Event]], seq: int) -> Answer:
    """Evaluations as [step, loss, seconds] and samples as [step, seq]; their texts are asked for when shown."""
    return {
        "evals": [[e.step, real(e.loss), round(e.seconds, 2)] for _, e in events if isinstance(e, Eval)],
        "samples": [[e.step, n] for n, e in events if isinstance(e, Sample)],
        "seq": events[-1][0] if events else seq,
    }


def beginning(run: StoredRun) -> Answer:
    """What stays the same while a run goes: sent once."""
    preset = preset_of(run)
    return {
        **chip(run), "form": form.value_of(run.config, preset) if preset else None, "extend": more_steps(run),
        "parameters": run.parameters, "device": run.device, "tokens_per_step": run.tokens_per_step,
        "prompt": run.config.sample.prompt, "vocab_size": run.vocab_size,
        "references": plots.references(run.vocab_size, run.unigram, run.bigram),
        "verdicts": verdicts(run.vocab_size, run.unigram, run.bigram),
    }


def chip(run: StoredRun) -> Answer:
    """A run in a list: its name, where it stands, and what its curve may be compared with."""
    preset, (tags, colour) = preset_of(run), differing(run)
    return {
        "id": run.id, "name": run.name, "tags": tags, "preset": run.preset,
        "title": preset.title if preset else run.preset,
        "status": run.status, "step": run.step, "val": real(run.val_loss), "created": run.created,
        "colour": colour, "text": f"{run.fingerprint}/{run.options.get('data.tokenizer')}",
    }


def preset_of(run: StoredRun) -> Preset | None:
    """The preset a run started from, or None if there is none of that name any more."""
    return next((preset for preset in list_presets() if preset.id == run.preset), None)


def differing(run: StoredRun) -> tuple[list[str], str]:
    """What a run differs in from its preset: a tag for each option, and the component that gives it its colour."""
    preset = preset_of(run)
    try:
        return (form.tags_of(run.config, preset), form.colour_of(run.config, preset)) if preset else ([], "")
    except ConfigError:  # made by another version: listed all the same
        return [], ""


def total_of(run: StoredRun) -> int:
    """Steps the run is to do in all."""
    return int(run.options["train.steps"])


def more_steps(run: StoredRun) -> int:
    """How many steps a press of "+N" adds: half as many as the run has, to one digit."""
    half = max(1, total_of(run) // 2)
    digit = 10 ** (len(str(half)) - 1)
    return half // digit * digit


def words(store: RunStore, run: StoredRun) -> str:
    """The present loss in words: the mean of the last steps, or the validation loss before any."""
    if run.vocab_size is None:
        return ""
    recent = [loss for _, loss, _ in store.points(run.id, max(0, run.step - RECENT), 1, RECENT)]
    loss = sum(recent) / len(recent) if recent else run.val_loss
    return "" if loss is None else verdict(loss, verdicts(run.vocab_size, run.unigram, run.bigram))


def real(value: float | None) -> float | None:
    """A loss for JSON: to three decimals, None for unknown or no number."""
    return None if value is None or not math.isfinite(value) else round(value, 3)
