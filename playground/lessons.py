"""The ladder as lessons: their words and formulas, and what came of a step beside the guess and the step before.

Losses are nats a token. What is set beside one another is of one text and of full length, or it is said that it is not.
"""

import math
import re
from dataclasses import dataclass
from statistics import mean, variance
from typing import Any

from gpt.config import DataConfig, RunConfig
from gpt.lessons import AROUND, Lesson
from gpt.options import Refusal, options, replace
from gpt.presets import Preset, list_presets, previous
from gpt.records import StoredRun
from gpt.store import RunStore
from playground import form
from playground.asked import fields, visitor_of
from playground.kept import begins_anew
from playground.mathml import mathml
from playground.rows import Answer, works

FIRST, LATER = (-3.0, 0.5), (-0.4, 0.4)  # the scale of guesses: against guessing, and against the step before
SAME = 0.02  # nats: another seed moves a step by up to about 0.01
LOOKED = 2000  # newest runs of a visitor that are looked through
SHAPED = re.compile(r"\b[BCDFHLTV]\b")


# Words and formulas -----------------------------------------------------------------------------------------------


def lesson(asked: Any) -> Answer:
    """The lesson on a preset; the first one's where none is named. Lessons are no visitor's, and the same for all."""
    taught = {preset.id: preset for preset in list_presets() if preset.lesson}
    preset = taught.get(str(fields(asked).get("preset"))) or next(iter(taught.values()))
    return described(preset, preset.lesson)


def described(preset: Preset, lesson: Lesson) -> Answer:
    """A lesson as the browser paints it."""
    tried = lesson.experiment
    return {
        "preset": preset.id, "number": preset.number, "idea": lesson.idea, "lit": lesson.lit,
        "formula": [mathml(line) for line in lesson.formula],
        "symbols": [[mathml(symbol.written), symbol.name, sized(symbol.shape, preset.config)] for symbol in lesson.symbols],
        "scale": FIRST if previous(preset) is None else LATER,
        "experiment": {"label": tried.label, "look": tried.look, "opens": tried.opens, "changes": tried.changes},
    }


def sized(shape: str, config: RunConfig) -> str:
    """A shape in letters and in numbers: "D × C" -> "D × C = 16 × 64". Raises Refusal for a letter that is none."""
    from gpt.estimate import VOCAB

    m = config.model
    letters = {"B": config.train.batch_size, "C": m.n_embd, "D": m.head_dim, "F": m.mlp_dim, "H": m.heads, "L": m.n_layer,
               "T": m.block_size, "V": VOCAB}
    numbers = SHAPED.sub(lambda letter: f"{letters[letter[0]]:,}", shape)
    return shape if numbers == shape else f"{shape} = {numbers}"


# What came of a step ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """What a step came to, by a run of the visitor's or as this project measured it."""

    training: float | None  # mean around the published steps; None where the run is too short for one
    validation: float  # over the whole validation split
    run: str | None = None  # the visitor's


def reveal(store: RunStore, asked: Any) -> Answer:
    """What a step came to on the form's text, against the step before, the guess, and what was published. Raises Refusal.

    On a text on which a step was neither trained by the visitor nor measured, what was measured on another stands for
    both: a difference is taken within one text alone.
    """
    preset, config = form.config_of(asked)
    if preset.lesson is None:
        raise Refusal("There is no lesson on this model: choose a step of the ladder.")
    below, visitor, data = previous(preset), visitor_of(asked), config.data
    runs = store.runs(visitor, LOOKED) if visitor else []
    own = newest(store, runs, preset, data)
    here = came_to(store, own, preset, data)
    before = guessing(own) if below is None else came_to(store, newest(store, runs, below, data), below, data)
    if here is None or before is None:
        data = measured_on(preset, below)
        here, before = pair(preset, below, data)
    change = here.validation - before.validation
    return {
        "text": text_of(data), "unit": "character" if data.tokenizer == "char" else "token",
        "title": preset.title, "below": below.title if below else None,
        "here": vars(here), "before": vars(before), "change": change, "same": SAME, "own": own.id if own else None,
        "published": published(preset, below, here, before), "guess": judged(fields(asked).get("guess"), change),
        "because": preset.lesson.because, "usual": otherwise(preset, below, change),
    }


def pair(preset: Preset, below: Preset | None, data: DataConfig) -> tuple[Figure, Figure]:
    """A step and the one before as they were measured on a text of `measured_on`."""
    return as_measured(preset, data), guessing(None) if below is None else as_measured(below, data)


def measured_on(preset: Preset, below: Preset | None) -> DataConfig:
    """The text on which a step and the one before were measured: the usual one, if that is among them. Raises Refusal."""
    both = [text for text in preset.measured if below is None or text in below.measured]
    if not both:
        raise Refusal("There are no figures to show for this step: train it and the one before.")
    usual = DataConfig()
    return usual if usual.dataset in both else DataConfig(dataset=both[0])


def came_to(store: RunStore, own: StoredRun | None, preset: Preset, data: DataConfig) -> Figure | None:
    """What a step came to on a text: by the visitor's own run, else as measured."""
    return of_run(store, own, preset) if own else as_measured(preset, data)


def newest(store: RunStore, runs: list[StoredRun], preset: Preset, data: DataConfig) -> StoredRun | None:
    """The newest run that did just this step on just this text from its first weights to its end, on whatever device."""
    usual = preset.config.train.device
    recipe = form.recipe_of(RunConfig(preset.config.model, data, preset.config.train), preset)
    plain = (run for run in runs if run.preset == preset.id and run.status == "finished" and run.val_loss is not None
             and not run.plan and works(run))
    same = (run for run in plain if form.recipe_of(replace(run.config, {"train.device": usual}), preset) == recipe)
    return next((run for run in same if begins_anew(store, run)), None)


def of_run(store: RunStore, run: StoredRun, preset: Preset) -> Figure:
    """What a finished run came to."""
    losses = []
    for step in (step for step in preset.published if 0 < step <= run.step):
        around = store.points(run.id, max(0, step - AROUND), 1, min(step, AROUND) + AROUND)
        losses.append(mean(loss for _, loss, _ in around))
    return Figure(mean(losses) if losses else None, run.val_loss, run.id)


def as_measured(preset: Preset, data: DataConfig) -> Figure | None:
    """What a step came to as this project measured it; None on a text, or cut in a way, on which it did not."""
    found = preset.measured.get(data.dataset) if data == DataConfig(dataset=data.dataset) else None
    return Figure(found.training, found.validation) if found else None


def guessing(own: StoredRun | None) -> Figure:
    """What it comes to to find every token as likely as the others."""
    from gpt.estimate import VOCAB

    loss = math.log(own.vocab_size if own and own.vocab_size else VOCAB)
    return Figure(loss, loss)


def published(preset: Preset, below: Preset | None, here: Figure, before: Figure) -> Answer:
    """The change that was published, how far chance may have moved it, and ours measured in the same way.

    `give` is two standard errors of a difference of two means, from the scatter of the published points.
    """
    points = [batches(preset), batches(below)] if below else [batches(preset)]
    at = mean(points[0])
    from_ = mean(points[1]) if below else before.validation
    ours = here.training - before.training if here.training is not None and before.training is not None else None
    return {"here": at, "before": from_, "change": at - from_, "ours": ours, "count": len(points[0]),
            "give": 2 * math.sqrt(sum(variance(losses) / len(losses) for losses in points))}


def batches(preset: Preset) -> list[float]:
    """The published losses but that of step 0, which shows the starting weights."""
    return [loss for step, loss in preset.published.items() if step > 0]


def otherwise(preset: Preset, below: Preset | None, change: float) -> float | None:
    """The change that was measured, of which the lesson's words are, where this one went another way; else None."""
    here, before = pair(preset, below, measured_on(preset, below))
    usual = here.validation - before.validation
    return usual if way(usual) != way(change) else None


def way(change: float) -> int:
    """-1 for a fall, 1 for a rise, 0 for what could be chance."""
    return 0 if abs(change) < SAME else int(math.copysign(1, change))


def judged(guess: Any, change: float) -> Answer | None:
    """A guessed change beside the one that came: how far off, and whether it went that way. None for no guess."""
    if not isinstance(guess, int | float) or isinstance(guess, bool) or not abs(guess) <= abs(FIRST[0]):
        return None

    return {"change": guess, "off": guess - change, "right": way(guess) == way(change)}


def text_of(data: DataConfig) -> str:
    """The name of a text."""
    return options(data)["dataset"].choices[data.dataset][0]
