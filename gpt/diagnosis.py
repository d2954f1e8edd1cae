"""What a run's losses say: what is wrong with it, what would mend it, and at its end, what to try next. No torch here.

A rule takes a `History` and returns a `Finding` or None; to add one, write it and name it in RULES. Losses are nats a token.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean

from gpt.causes import DIVERGED_BY, STUCK_BY, Changes, because, first_possible, forgetting, label, rate_too_low
from gpt.config import RunConfig
from gpt.course import History, lately, noise, risen, slope
from gpt.effects import size
from gpt.measure import bits
from gpt.options import difference, has_effect, options, tags_of
from gpt.presets import list_presets

PROGRESS = 0.02  # over the last third of the checks; less is no fall: losses that go nowhere wander by 0.01
READINGS = 30  # with 11 parameters a character, dropout cost 0.04 after 21 readings and won 0.09 after 43
OVERFIT = 0.03  # above the best check: runs with enough text (the ladder's) come back from less
WORTH = 0.1  # a fall with each doubling of the steps, of which half as many steps again bring 0.06
# One seed's standard deviation is 0.01 to 0.03 (steps 4, 6 to 9 of the ladder, six seeds of 500 steps). That of the difference
# of two steps of one seed, which share their batches, is 0.004 (8 and 9) to 0.03 (4 and 6).
# By chance alone two runs can differ by twice the middle of these.
SEED_NOISE = 0.04
OTHER_TOKENS = "other tokens"


@dataclass(frozen=True)
class Finding:
    """Something wrong with a run, and what would mend it."""

    kind: str  # "diverged", "stuck", "overfitting" or "short text"
    words: str
    fix: Changes = field(default_factory=dict)  # {} where no option mends it
    label: str = ""  # of a button that trains with the fix


def findings(history: History) -> list[Finding]:
    """What is wrong with a run, the most serious first; usually nothing. A run that has diverged has no other troubles."""
    found = [trouble for rule in RULES if (trouble := rule(history))]
    return found[:1] if found and found[0].kind == "diverged" else found


# Rules --------------------------------------------------------------------------------------------------------------


def diverged(h: History) -> Finding | None:
    """The loss is no number any more, or far above where it has been, and stays there."""
    if h.status == "diverged":
        what = f"The loss stopped being a number after step {h.step:,}"
    elif levels := risen(h):
        what = f"The loss was {nats(levels[0])} and has risen to {nats(levels[1])}, where it stays"
    else:
        return None
    return finding("diverged", f"{what}: the steps were too large.", h, *because(h.config, DIVERGED_BY))


def stuck(h: History) -> Finding | None:
    """After a fair share of the steps it knows hardly more than how common each letter is, and gets no further in time."""
    total, wait, known = h.config.train.steps, h.config.train.warmup, h.unigram - 0.1 * (h.unigram - h.bigram)
    checks, batches = lately(h.evals, 2), lately(h.train, 2)
    if h.step < wait + max(50, min(2000, (total - wait) // 5)) or h.unigram - h.bigram < 0.1 or len(checks) < 2:
        return None
    if min(fmean(loss for _, loss in points) for points in (checks, batches) if points) < known:
        return None
    pace, now = -slope(checks), checks[-1][1]
    falls = pace * (checks[-1][0] - checks[0][0]) > PROGRESS
    needed = (now - known) / pace if falls else math.inf  # steps, in a straight line
    if needed <= max(total - h.step, h.step) * (0.5 if rate_too_low(h.config) else 2):
        return None
    words = f"After {h.step:,} steps the loss is {nats(now)}; counting how common each {letter(h.config)} is gives {h.unigram:.2f}."
    if falls:
        words += " It falls, but too slowly."
    return finding("stuck", words, h, *because(h.config, STUCK_BY))


def overfitting(h: History) -> Finding | None:
    """Validation has risen since its best check by more than its noise, at two checks at least, while the training loss falls."""
    if h.config.data.asks:  # there it can be the way to the rule: whoever goes on may see the loss fall again
        return None
    at, best = min(h.evals, key=lambda point: point[1], default=(0, 0.0))
    since = [loss for step, loss in h.evals if step > at]
    if len(since) < 2 or min(since[-2:]) < best + max(OVERFIT, 4 * noise(h.evals[-12:])):
        return None
    span = (h.step - at) / 2
    early, late = ([loss for step, loss in h.train if end - span < step <= end] for end in (at + span, h.step))
    before = [loss for step, loss in h.train if at - span < step <= at]
    if not early or not late or fmean(late) > min(fmean(early), fmean(before or early)) - 0.02:
        return None  # nor did it where training itself was thrown back, by a change of its step size perhaps
    words = (f"Validation was best at step {at:,} with {best:.2f} and is {since[-1]:.2f} now, while the training loss falls: "
             "the model learns its text by heart.")
    delays = "; dropout delays it" * has_effect(h.config.model, "dropout_resid")
    why = f"Stopping at step {at:,} avoids that{delays}."
    return finding("overfitting", words, h, why, first_possible(h.config, *forgetting(h.config), {"train.steps": at}))


def short_text(h: History) -> Finding | None:
    """The text is read many times over by a model with more parameters than the text has tokens."""
    readings, each = (n / (h.train_tokens or math.inf) for n in (h.config.train.steps * h.config.tokens_per_step, h.parameters))
    if readings < READINGS or each < 1 or h.config.data.asks:  # of a task, few examples can be enough to see how it goes
        return None
    words = (f"This run reads its text {readings:,.0f} times and has {each:.1f} parameters for each {unit(h.config)} of it: "
             "expect it to learn the text by heart.")
    fewer = {"model.n_layer": max(1, h.config.model.n_layer // 2), "model.n_embd": h.config.model.n_embd // 2}
    candidates = [fewer] if h.config.model.dropout_resid else [*forgetting(h.config), fewer]
    why = "Dropout, a smaller model or more text delay that."
    return finding("short text", words, h, why, first_possible(h.config, *candidates))


RULES: tuple[Callable[[History], Finding | None], ...] = (diverged, stuck, overfitting, short_text)


def finding(kind: str, what: str, h: History, why: str, fix: Changes) -> Finding:
    """What was seen, why, and a fix of the run's config with its button."""
    return Finding(kind, f"{what} {why}", fix, label(h.config, fix))


def unit(config: RunConfig) -> str:
    """What one token is."""
    return {"char": "character", "byte": "byte"}.get(config.data.tokenizer, "token")


def letter(config: RunConfig) -> str:
    """The same, in what is said of counts."""
    return "token" if config.data.tokenizer == "bpe" else "letter"


def nats(loss: float) -> str:
    """A loss of any size, short."""
    return f"{loss:.2f}" if loss < 100 else f"{loss:,.0f}" if loss < 1e6 else "over a million"


# At the end of a run ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suggestion:
    """Something to try next."""

    words: str
    label: str  # of its button
    action: str  # "extend", "train", "ablate" or "preset"
    fix: Changes = field(default_factory=dict)  # what "train" changes


@dataclass(frozen=True)
class Card:
    """What there is to say once a run has ended."""

    changed: list[str]  # against the run before, a tag for each
    happened: str
    next: list[Suggestion]  # two at most, the most useful first


def card(history: History, previous: History | None, previous_name: str, next_preset: str = "") -> Card:
    """A run that has ended beside the one before it; `next_preset` is the id of the next step of the ladder, if there is one."""
    changed = tags_of(history.config, previous.config, without="sample") if previous else []
    tries = [mend(history), train_on(history), repeat(history, previous)]
    first, *rest = [*(found for found in tries if found), None]
    wanted = [first, climb(next_preset), *rest]
    return Card(changed, happened(history, previous, previous_name or "the run before"), [found for found in wanted if found][:2])


def happened(h: History, previous: History | None, name: str) -> str:
    """The final loss, and how it compares, in one or two sentences."""
    if h.loss is None or diverged(h):
        broken = f"stopped being a number after step {h.step:,}" if h.status == "diverged" else "ran away"
        return f"The loss {broken if diverged(h) else 'was not checked'}: there is nothing to compare."
    ended = f"It ended at {h.loss:.3f} nats a {unit(h.config)}"
    if previous is None:
        gap = h.bigram - h.loss
        return f"{ended}, {abs(gap):.3f} {'below' if gap > 0 else 'above'} what counting pairs of {letter(h.config)}s gives."
    if previous.loss is None or diverged(previous):
        return f"{ended}; {name} has no loss to compare with."
    if (other := other_text(h.config, previous.config)) == OTHER_TOKENS and h.characters and previous.characters:
        return f"{ended}, {by_characters(h, previous, name)}{unfair(h, previous)}"
    if other:
        return f"{ended}. {name} was measured on {other}, so that their losses cannot be compared."
    return f"{ended}, {compared(h, previous, name)}.{unfair(h, previous)}"


def compared(h: History, previous: History, name: str) -> str:
    """Two losses that can be compared: "0.113 below step 8's 2.215, a clear difference: ..."."""
    loss, before = like_with_like(h, previous)
    gap = before - loss
    if abs(gap) < 5e-4:
        return f"as {name} did"
    words = f"{abs(gap):.3f} {'below' if gap > 0 else 'above'} {name}'s {before:.3f}"
    if set(difference(h.config, previous.config)) == {"train.seed"}:
        return f"{words}: that much is chance, since only the seed differs"
    if abs(gap) < SEED_NOISE:
        return f"{words}: so little may be chance"
    share = math.exp(abs(gap)) - 1 if gap > 0 else 1 - math.exp(gap)
    more = f"{share:.0%} more" if 0 < gap < 0.7 else f"{1 + share:.1f} times the" if gap > 0 else f"{share:.0%} less"
    return f"{words}, a {size(gap)} difference: the right {unit(h.config)} gets {more} probability"


def by_characters(h: History, previous: History, name: str) -> str:
    """Two losses over the same text in other tokens: "2.786 bits a character, 0.318 below ..."."""
    mine, before = (bits(run.loss, run.characters) for run in (h, previous))
    words = f"{abs(before - mine):.3f} {'below' if mine < before else 'above'} {name}'s {before:.3f}"
    return f"or {mine:.3f} bits a character, {words}. Their tokens differ, so nats do not compare."


def like_with_like(*runs: History) -> list[float]:
    """Their losses over the whole validation text, or else those of their last checks."""
    whole = all(run.final is not None for run in runs) or not all(run.evals for run in runs)
    return [run.loss if whole else run.evals[-1][1] for run in runs]


def other_text(config: RunConfig, before: RunConfig) -> str:
    """In what the texts that two losses are over differ; "" if they do not."""
    words = {"dataset": "another text", "text": "another text", "val_fraction": "another part of it", "tokenizer": OTHER_TOKENS,
             "vocab_size": OTHER_TOKENS}
    return next((other for name, other in words.items() if f"data.{name}" in difference(config, before)), "")


def unfair(h: History, previous: History) -> str:
    """A sentence for runs that have read more or less than each other."""
    mine, other = (run.step * run.config.tokens_per_step * (run.characters or 1) for run in (h, previous))
    ratio = max(mine, other) / max(1, min(mine, other))
    if ratio < 1.1:
        return ""
    return f" That is no fair comparison: it read {ratio:.1f} times {'as much' if mine > other else 'less'} text."


def mend(h: History) -> Suggestion | None:
    """The fix of what went wrong."""
    words = {"diverged": "diverges", "stuck": "is stuck", "overfitting": "learns its text by heart"}
    found = next((found for found in findings(h) if found.fix and found.kind in words), None)
    return found and Suggestion(f"The likeliest cure for a run that {words[found.kind]}.", found.label, "train", found.fix)


def train_on(h: History) -> Suggestion | None:
    """More steps, where the loss still falls; not for a run that needs mending."""
    fall, train = falling(h), h.config.train
    if fall < WORTH or mend(h):
        return None
    words = f"The loss still falls, by {fall:.2f} with each doubling of the steps."
    if has_effect(train, "lr_end") and train.lr_end < 0.5:
        longer = first_possible(h.config, {"train.steps": 2 * train.steps})
        words += " Its step size has run out, so that only a longer run from the start goes on."
        return Suggestion(words, f"Train for {2 * train.steps:,} steps", "train", longer) if longer else None
    return Suggestion(words, "Train on", "extend") if h.step < options(train)["steps"].high else None


def falling(h: History) -> float:
    """By how much the validation loss still falls with each doubling of the steps, in nats; 0 if it does not, or may not."""
    points = lately(h.evals, 3)
    if len(points) < 3:
        return 0.0
    fall = -slope(points, math.log2)
    return fall if fall * math.log2(points[-1][0] / points[0][0]) > 2 * noise(h.evals[-12:]) else 0.0


def repeat(h: History, previous: History | None) -> Suggestion | None:
    """More seeds, where one cannot tell whether a change mattered."""
    if previous is None or None in (h.loss, previous.loss) or other_text(h.config, previous.config) or unfair(h, previous):
        return None
    loss, before = like_with_like(h, previous)
    if abs(loss - before) >= SEED_NOISE or not set(difference(h.config, previous.config)) - {"train.seed"}:
        return None
    return Suggestion(f"One seed cannot tell {abs(loss - before):.3f} from chance; several can.", "Try several seeds", "ablate")


def climb(next_preset: str) -> Suggestion | None:
    """The next step of the ladder."""
    found = [preset for preset in list_presets() if preset.id == next_preset]
    return Suggestion(found[0].adds, f"Next: {found[0].title}", "preset") if found else None
