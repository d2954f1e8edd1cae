"""A run's losses so far, and what can be read off them. Losses are nats a token. No torch here."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import linear_regression, median

from gpt.config import RunConfig

Points = list[tuple[int, float]]  # (steps done, loss)

# A training loss this far above its best is lost: the least, and the most that its noise can ask for.
RISE = (0.4, 1.5)


@dataclass(frozen=True)
class History:
    """A run so far."""

    config: RunConfig
    preset_id: str
    step: int  # steps done
    status: str  # "running", "finished", "diverged", ...
    evals: Points  # validation losses, the first before any step
    train: Points  # training losses, each the mean since the point before
    vocab_size: int
    unigram: float  # what counting letters gives
    bigram: float  # what counting pairs of letters gives
    parameters: int
    train_tokens: int | None  # of the training text; None where it is not known
    final: float | None  # over the whole validation text
    characters: float | None = None  # that a token holds, on average; None where it is not known

    def __post_init__(self) -> None:
        for name in ("evals", "train"):  # what is no number says nothing but what the status says
            object.__setattr__(self, name, [p for p in getattr(self, name) if p[1] is not None and math.isfinite(p[1])])

    @property
    def loss(self) -> float | None:
        """The validation loss it ended with, or None."""
        if self.status == "diverged":
            return None
        return self.evals[-1][1] if self.final is None and self.evals else self.final


def lately(points: Points, least: int) -> Points:
    """The last third of the points after the start, `least` of them at least if there are."""
    begun = [point for point in points if point[0]]
    return begun[-max(least, len(begun) // 3):]


def slope(points: Points, by: Callable[[int], float] = float) -> float:
    """Nats per unit of `by(step)`, of the straight line that fits best."""
    return linear_regression([by(step) for step, _ in points], [loss for _, loss in points]).slope


def noise(points: Points) -> float:
    """The standard deviation of losses about their course; 0 for fewer than three. Second differences: a slope does not count."""
    bends = [abs(a - 2 * b + c) for (_, a), (_, b), (_, c) in zip(points, points[1:], points[2:])]
    return median(bends) / (0.6745 * math.sqrt(6)) if bends else 0.0


def risen(h: History) -> tuple[float, float] | None:
    """The best level of the training loss and the present one, if that stays far above it."""
    since = h.step - max(20, h.step // 8)
    last, before = [p for p in h.train if p[0] > since], [loss for step, loss in h.train if step <= since]
    if h.step < 50 or len(last) < 3 or len(before) < 3:
        return None
    best = min([median(three) for three in zip(before, before[1:], before[2:])] + [loss for step, loss in h.evals if step == 0])
    far = min(max(RISE[0], 4 * noise(h.train)), RISE[1])
    lowest = min((loss for _, loss in h.evals), default=0.0)
    stays = all(loss > best + far for _, loss in last) and all(loss > lowest + far for step, loss in h.evals if step > last[0][0])
    return (best, median(loss for _, loss in last)) if stays else None
