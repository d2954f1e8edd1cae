"""What the losses of a study say: each arm against the base, seed by seed, in numbers and in words. No torch here.

An arm and the base that share a seed share their batches, and the starting weights of all parts that both have. So they are
compared in pairs, which leaves out what a seed is worth by itself. Losses are nats a token.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from gpt.study import MOST_SEEDS, Planned

# 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
T_QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
NORMAL_QUANTILE = 1.959964

NEGLIGIBLE = 0.01  # nats: differences below it matter to nobody
SIZES = ((NEGLIGIBLE, "negligible"), (0.05, "small"), (0.2, "clear"), (math.inf, "large"))
FEW = 5  # curves: with fewer, a band shows all of them

# kind -> what the arm does, before "hurts" or "makes training diverge"
DOES = {"minus": "removing it", "plus": "adding it", "swap": "swapping", "sweep": "this value"}

Curve = Iterable[tuple[int, float | None]]  # (steps done, loss)


@dataclass(frozen=True)
class Outcome:
    """How an arm ended with one seed."""

    seed: int
    loss: float  # final validation loss; nan if it diverged
    parameters: int
    seconds: float  # of training


@dataclass(frozen=True)
class Effect:
    """An arm against the base. Differences are arm minus base: above 0 the arm is worse. None: not known."""

    name: str
    kind: str  # "minus", "plus", "swap" or "sweep"
    part: str  # the component whose colour it carries, or ""
    note: str  # what was adjusted to keep the budget, or ""
    value: float | None  # of the option that a sweep varies
    differences: tuple[float, ...]  # of losses, by seed, where both are numbers
    pairs: int  # how many these are
    mean: float | None  # of the differences
    low: float | None  # the mean's 95 % interval, from two pairs on
    high: float | None
    diverged: int  # seeds in which the arm's loss is no number and the base's is
    parameters: int | None  # how many more than the base has
    seconds: float | None  # of training, the least, relative to the base: -0.12 is 12 % less
    loss: float | None  # of the arm, the mean over its seeds
    verdict: str
    clear: bool  # the interval excludes 0, or the arm diverges with every seed; one that diverges is never clearly better


def effect(planned: Planned, base: Sequence[Outcome], arm: Sequence[Outcome]) -> Effect:
    """What `planned` is worth, from its outcomes and the base's; only seeds that both have are compared."""
    by_seed = {outcome.seed: outcome for outcome in base}
    both = [(by_seed[a.seed], a) for a in sorted(arm, key=lambda a: a.seed) if a.seed in by_seed]
    started = [(b, a) for b, a in both if math.isfinite(b.loss)]
    ended = [(b, a) for b, a in started if math.isfinite(a.loss)]
    differences = tuple(a.loss - b.loss for b, a in ended)
    mean, low, high = interval(differences)
    diverged = len(started) - len(ended)
    losses = [a.loss for a in arm if math.isfinite(a.loss)]
    excludes = low is not None and not low <= 0 <= high
    return Effect(
        name=planned.name, kind=planned.kind, part=planned.part, note=planned.note, value=planned.value,
        differences=differences, pairs=len(ended), mean=mean, low=low, high=high, diverged=diverged,
        parameters=both[0][1].parameters - both[0][0].parameters if both else None, seconds=slower(ended),
        loss=fmean(losses) if losses else None, verdict=verdict(planned.kind, differences, diverged, len(both)),
        clear=bool(diverged and not ended) or (excludes and (mean > 0 or not diverged)),
    )


def slower(pairs: Sequence[tuple[Outcome, Outcome]]) -> float | None:
    """The arm's training seconds relative to the base's, less 1; None where they are not known.

    The shortest of each: what else the machine does only adds.
    """
    base, arm = (min(outcome.seconds for outcome in side) for side in zip(*pairs)) if pairs else (0.0, 0.0)
    ratio = arm / base if base > 0 and arm > 0 else math.nan
    return ratio - 1 if math.isfinite(ratio) else None


def ranked(effects: Iterable[Effect]) -> list[Effect]:
    """The largest harm first: those that diverge, most seeds first, then by mean difference, then those not known."""
    return sorted(effects, key=lambda e: (-e.diverged, e.mean is None, -(e.mean or 0.0)))


# Intervals ----------------------------------------------------------------------------------------------------------

def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t: from the table, beyond it by Abramowitz & Stegun 1964, 26.7.5."""
    if degrees <= len(T_QUANTILES):
        return T_QUANTILES[degrees - 1]
    x = NORMAL_QUANTILE
    terms = ((x**3 + x) / 4, (5 * x**5 + 16 * x**3 + 3 * x) / 96, (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
             (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160)
    return x + sum(term / degrees**power for power, term in enumerate(terms, start=1))


def interval(differences: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Their mean and its 95 % interval, Student 1908: no interval for one, nothing for none."""
    if not differences:
        return None, None, None
    mean = fmean(differences)
    if len(differences) == 1:
        return mean, None, None
    half = half_width(stdev(differences), len(differences))
    return mean, mean - half, mean + half


def half_width(deviation: float, count: int) -> float:
    """Of the 95 % interval of the mean of `count` (2 or more) values with this standard deviation."""
    return t_quantile(count - 1) * deviation / math.sqrt(count)


# Words --------------------------------------------------------------------------------------------------------------

def verdict(kind: str, differences: Sequence[float], diverged: int, seeds: int) -> str:
    """What to make of an arm of which `seeds` seeds can be compared, in a sentence."""
    does = DOES.get(kind, "it")
    if not differences and not diverged:
        return "the base itself diverges: there is nothing to compare with" if seeds else "no seed is done yet"
    if not diverged:
        return _from_losses(does, differences)
    if differences:
        return (f"{does} makes training diverge with {diverged} of {diverged + len(differences)} seeds; "
                f"the others differ by {fmean(differences):+.3f}")
    return f"{does} makes training diverge with {'every seed' if diverged > 1 else 'the one seed tried'}"


def _from_losses(does: str, differences: Sequence[float]) -> str:
    """The verdict on at least one difference."""
    mean, low, high = interval(differences)
    if not any(differences):
        return "not distinguishable: equal in every seed"
    if low is None:
        return f"{mean:+.3f}, but one seed cannot tell an effect from noise: train 3 seeds or more"
    if low <= 0 <= high:
        return _not_distinguishable(differences)
    worse = "is worse" if does == DOES["sweep"] else "hurts"
    better = "is better" if does == DOES["sweep"] else "helps"
    digits = _digits(low, high)
    numbers = f"{mean:+.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
    return f"{does} {worse if mean > 0 else better}: {numbers}, a {size(mean)} effect"


def _not_distinguishable(differences: Sequence[float]) -> str:
    """The verdict on an interval around 0: what it does not exclude."""
    mean, low, high = interval(differences)
    digits, most = _digits(half_width(stdev(differences), len(differences))), max(-low, high)
    words = f"not distinguishable at this budget: {mean:+.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
    if most < NEGLIGIBLE:
        return f"{words}, negligible if anything"
    words += f"; an effect of up to {most:.{digits}f} could hide in the noise between seeds"
    return f"{words}: more seeds would narrow it" if len(differences) < MOST_SEEDS else words


def size(difference: float) -> str:
    """How much a difference in loss is, in a word."""
    return next(word for limit, word in SIZES if abs(difference) < limit)


def _digits(*numbers: float) -> int:
    """Decimals that show two digits of the smallest, and at least three."""
    smallest = min(abs(number) for number in numbers)
    return min(9, max(3, 1 - math.floor(math.log10(smallest)))) if smallest else 3


def caution(effects: Iterable[Effect]) -> str:
    """What to keep in mind when reading intervals; "" where there are none."""
    effects = list(effects)
    known = sum(effect.low is not None for effect in effects)
    said = ["Each interval holds with 95 % for its own row, not for all rows together: of 20 parts that do nothing, about one "
            "would seem to matter. All are compared with the same runs of the base."] * (known > 2)
    if known and any(effect.kind != "sweep" for effect in effects):
        said.append("Nothing else was tuned anew for a variant, the learning rate included: one may do better with its own.")
    return " ".join(said)


# Curves -------------------------------------------------------------------------------------------------------------

def mean_and_band(curves: Sequence[Curve]) -> tuple[list[int], list[float], list[float], list[float]]:
    """Steps at which at least one curve has a loss; at each, the mean and the band's low and high end.

    The band is the least and the largest loss; from five curves on, the mean minus and plus the standard deviation. A loss that
    is None or no finite number is left out, so where a curve ends early the mean is that of the others.
    """
    at: dict[int, list[float]] = {}
    for curve in curves:
        for step, loss in curve:
            if loss is not None and math.isfinite(loss):
                at.setdefault(step, []).append(loss)
    steps, means, lows, highs = sorted(at), [], [], []
    for losses in (at[step] for step in steps):
        mean = fmean(losses)
        spread = stdev(losses) if len(losses) > 1 else 0.0
        band = (mean - spread, mean + spread) if len(curves) >= FEW else (min(losses), max(losses))
        for found, value in zip((means, lows, highs), (mean, *band)):
            found.append(value)
    return steps, means, lows, highs
