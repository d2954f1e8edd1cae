"""What the browser asks: the check of a form, the growth of a run, earlier curves, samples. Plain reads of the store.

Each question takes any JSON and answers with JSON; a run that is not the asking visitor's is "gone". They are direct
requests, not queued events. No torch is imported before the first `check`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt.config import RunConfig, TrainConfig
from gpt.events import Eval, Event, Sample
from gpt.home import home
from gpt.options import ConfigError, Refusal, options, shorten
from gpt.presets import Preset, list_presets
from gpt.records import StoredRun
from gpt.store import RunStore, UnknownRun
from playground import form, plots
from playground.asked import fields, moment, sendable, visitor_of, whole
from playground.scheduler import Scheduler
from playground.verdicts import verdict, verdicts

EVENTS = 40  # most evaluations and samples in one answer
RECENT = 32  # steps whose mean loss is put into words
EARLIER = 120  # most points of an earlier run's curve
LISTED = 16  # newest runs of a visitor that the page lists
REMEMBERED = 200  # newest runs that put a mark on the ladder
TAGS = 6  # differences that name a run in a list
LETTERS = 300  # of a message, at most
PROMPT = 24  # letters of a prompt beside the samples
MOST_STEPS = int(options(TrainConfig)["steps"].high)

Answer = dict[str, Any]
Question = Callable[[Any], Answer]
GONE: Answer = {"status": "gone"}


@dataclass(frozen=True)
class Questions:
    """The functions the browser calls on the server, by the region that asks."""

    check: Question  # the form
    poll: Question  # the chart, several times a second
    curve: Question
    settings: Question
    runs: Question
    writing: Question
    table: Question


def questions(store: RunStore, scheduler: Scheduler) -> Questions:
    """The questions about what is in `store`."""

    def about_mine(answer: Callable[[StoredRun, Any], Answer]) -> Question:
        def question(asked: Any) -> Answer:
            run = mine(store, asked)
            return sendable(answer(run, asked)) if run else GONE
        question.__name__ = answer.__name__
        return question

    @about_mine
    def poll(run: StoredRun, asked: Any) -> Answer:
        return grown(store, scheduler, run, asked)

    @about_mine
    def curve(run: StoredRun, asked: Any) -> Answer:
        stride = max(1, -(-run.step // EARLIER))
        points = store.points(run.id, 0, stride, EARLIER)
        return {**chip(run), "steps": [p[0] for p in points], "loss": [real(p[1]) for p in points],
                "seconds": [round(p[2], 2) for p in points], "tokens_per_step": run.tokens_per_step}

    @about_mine
    def settings(run: StoredRun, asked: Any) -> Answer:
        return origin(run) or GONE

    @about_mine
    def writing(run: StoredRun, asked: Any) -> Answer:
        found = store.events(run.id, whole(asked, "seq") - 1, 1)
        sample = next((event for _, event in found if isinstance(event, Sample)), None)
        return {"step": sample.step, "prompt": sample.prompt, "text": sample.text} if sample else GONE

    @about_mine
    def table(run: StoredRun, asked: Any) -> Answer:
        return {"csv": "".join(store.csv(run.id))}

    def runs(asked: Any) -> Answer:
        visitor = visitor_of(asked)
        known = store.runs(visitor, REMEMBERED) if visitor else []
        return {"runs": [chip(run) for run in known[:LISTED]],
                "done": sorted({run.preset for run in known if run.status == "finished"})}

    return Questions(check, poll, curve, settings, runs, writing, table)


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


# The form ---------------------------------------------------------------------------------------------------------


def check(asked: Any) -> Answer:
    """What a form's value would train: problems in words, parameters by component, seconds, schedule, references ...

    `unreadable` repeats the problem with the prompt, which stands elsewhere on the page.
    """
    answer: Answer = {"problems": [], "unreadable": "", "parameters": None, "parts": {}, "seconds": None,
                      "recipe": "", "references": [], "schedule": None}
    try:
        preset, config = form.config_of(asked)
        answer["schedule"] = plots.schedule(config.train)  # also where its text or its prompt cannot be read
        answer |= {"recipe": form.recipe_of(config, preset)} | sized(config)
    except ConfigError as error:
        answer["problems"] = error.problems
    except Refusal as error:
        answer["problems"] = [str(error)]
    answer["problems"] = [shorten(problem, 2 * LETTERS) for problem in answer["problems"]]
    return sendable(answer)


def sized(config: RunConfig) -> Answer:
    """What a config would train, and all that would make it fail later. Raises ConfigError or TextError."""
    from gpt.device import choose_device
    from gpt.estimate import seconds
    from gpt.model import count_parameters

    read = reading(config)
    vocab_size, wrong = read["vocab_size"], [read["unreadable"]] if read["unreadable"] else []
    try:
        choose_device(config.train.device)
    except ConfigError as error:
        wrong += error.problems
    if too_much := config.problems(vocab_size):
        return {"problems": wrong + too_much}  # counting a model that does not fit could take long
    parts = count_parameters(config.model, vocab_size)
    return {**read, "problems": wrong, "seconds": seconds(config), "parts": parts, "parameters": parts["total"]}


def reading(config: RunConfig) -> Answer:
    """What a curve over the config's text can beat, and why its prompt cannot be read in it, if so. Raises TextError.

    A text that would first be downloaded is left alone: looking at a form must not do that.
    """
    from gpt.data import load as load_text
    from gpt.estimate import VOCAB
    from gpt.run import encode_prompt
    from gpt.tokenizers import TextError

    if config.data.dataset == "tinyshakespeare" and not (home() / "texts" / "tinyshakespeare.txt").exists():
        return {"references": [], "vocab_size": 256 if config.data.tokenizer == "byte" else VOCAB, "unreadable": ""}
    text = load_text(config.data, config.model.block_size)
    try:
        unreadable, _ = "", encode_prompt(text.tokenizer, config.sample.prompt)
    except TextError as error:
        unreadable = str(error)
    return {"references": plots.references(text.tokenizer.vocab_size, text.unigram, text.bigram),
            "vocab_size": text.tokenizer.vocab_size, "unreadable": unreadable}


# A run ------------------------------------------------------------------------------------------------------------


def grown(store: RunStore, scheduler: Scheduler, run: StoredRun, asked: Any) -> Answer:
    """What is new of a run since the browser's cursors `after` (step) and `seq` (event): under 2 kB."""
    after, seq = whole(asked, "after"), whole(asked, "seq")
    head = bool(fields(asked).get("head")) and run.vocab_size is not None
    stride = whole(asked, "stride", plots.stride_for(total_of(run)), low=1, high=MOST_STEPS)
    if after > run.step:  # it was resumed from an older checkpoint: begin again
        return {"status": run.status, "run": run.id, "again": True}
    limit = plots.POINTS // 3 if head or run.message else plots.POINTS  # these need room, each its own
    points = store.points(run.id, after, stride, limit)
    most = EVENTS // 4 if points else EVENTS
    events = store.events(run.id, seq, most)
    return {
        "run": run.id, "status": run.status, "message": "" if head else shorten(run.message, LETTERS),
        "place": scheduler.place(run.id), "step": run.step, "total": total_of(run), "extend": more_steps(run),
        "sharing": scheduler.active(), "stride": stride, "from": after,
        **plots.delta(points, moment(asked, "seconds")), **news(events, seq),
        "more": len(points) == limit or len(events) == most, "words": words(store, run),
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
    preset, table = preset_of(run), verdicts(run.vocab_size, run.unigram, run.bigram)
    return {
        **chip(run), "recipe": form.recipe_of(run.config, preset) if preset and works(run) else "",
        "device": run.device, "tokens_per_step": run.tokens_per_step, "dataset": run.options.get("data.dataset"),
        "prompt": shorten(str(run.options.get("sample.prompt", "")).strip(), PROMPT), "verdicts": table,
        "references": plots.references(run.vocab_size, run.unigram, run.bigram),
    }


def origin(run: StoredRun) -> Answer | None:
    """The form's value that trains this run once more; None if this version cannot."""
    preset = preset_of(run)
    return form.value_of(run.config, preset) if preset and works(run) else None


def chip(run: StoredRun) -> Answer:
    """A run in a list: its name, where it stands, and what its curve may be compared with."""
    preset, (tags, colour) = preset_of(run), differing(run)
    return {
        "id": run.id, "tags": [shorten(tag, PROMPT) for tag in tags[:TAGS]], "preset": run.preset,
        "title": preset.title if preset else run.preset,
        "status": run.status, "step": run.step, "val": real(run.val_loss), "created": run.created,
        "colour": colour, "text": f"{run.fingerprint}/{run.options.get('data.tokenizer')}",
    }


def preset_of(run: StoredRun) -> Preset | None:
    """The preset a run started from, or None if there is none of that name any more."""
    return next((preset for preset in list_presets() if preset.id == run.preset), None)


def works(run: StoredRun) -> bool:
    """Whether this version can still read the run's options."""
    try:
        return bool(run.config)
    except ConfigError:  # made by another version: shown all the same
        return False


def differing(run: StoredRun) -> tuple[list[str], str]:
    """What a run differs in from its preset: a tag for each option, and the component that gives it its colour."""
    preset = preset_of(run)
    if not (preset and works(run)):
        return [], ""
    return form.tags_of(run.config, preset), form.colour_of(run.config, preset)


def total_of(run: StoredRun) -> int:
    """Steps the run is to do in all."""
    return int(run.options["train.steps"])


def more_steps(run: StoredRun) -> int:
    """How many steps a press of "+N" adds: half as many as are done, to one digit; 0 where no more are allowed."""
    half = (run.step + 1) // 2
    digit = 10 ** (len(str(half)) - 1)
    return max(0, min(half // digit * digit, MOST_STEPS - run.step))


def words(store: RunStore, run: StoredRun) -> str:
    """The present loss in words: the mean of the last steps, or the validation loss before any; and the final one."""
    if run.vocab_size is None:
        return ""
    recent = [loss for _, loss, _ in store.points(run.id, max(0, run.step - RECENT), 1, RECENT)]
    loss = sum(recent) / len(recent) if recent else run.val_loss
    said = "" if loss is None else verdict(loss, verdicts(run.vocab_size, run.unigram, run.bigram))
    end = store.finished(run.id) if run.status == "finished" else None
    return f"{said} · {end.val_loss:.3f} on all {end.val_tokens:,} held-out tokens" if end and end.val_tokens else said


def real(value: float | None) -> float | None:
    """A loss for JSON: to three decimals, None for unknown or no number."""
    return None if value is None or not math.isfinite(value) else round(value, 3)
