"""Small drawings as strings of SVG: curves labelled at their ends, and intervals. They need no script.

A drawing is as wide as its place: x is in percent, y in pixels, so that type and lines keep their size on a phone.
Colours and dashes are the style sheet's, by class. All words are escaped here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

WIDE = 1000  # units of a curve's x, stretched to the place it has
GAP = 15.0  # pixels between the middles of two labels
EARLY = 0.05  # the share of a curve that may leave the drawing upwards: the first fall would press the rest flat
DOTS = 40  # points of a curve that are marked, at most

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A line and what is said at its end."""

    points: Sequence[Point]  # (step, loss); a loss that is no number makes a gap
    style: str  # CSS classes
    key: str = ""  # one word that is always seen, "3"
    name: str = ""  # seen where there is room
    dots: bool = False


@dataclass(frozen=True)
class Scale:
    """What lies where: `low` at 0, `high` at `size`."""

    low: float
    high: float
    size: float = 100.0  # percent

    def __call__(self, value: float) -> float:
        return self.size * (value - self.low) / (self.high - self.low)


def curves(drawn: Sequence[Curve], words: str, height: int = 300) -> str:
    """A chart of `drawn`, the first on top; `words` say it for those who do not see it. "" where there are no points."""
    ends = [[point for point in curve.points if math.isfinite(point[1])] for curve in drawn]
    if not any(ends):
        return ""
    across = Scale(0, max(step for points in ends for step, _ in points) or 1)
    low, high = _window([points for points in ends if points])
    down = Scale(high, low, height)
    labelled = [(curve, *points[-1]) for curve, points in zip(drawn, ends, strict=True) if curve.key and points]
    inside = [min(max(down(loss), 0), height) for *_, loss in labelled]
    labels = [_label(curve, across(step), end, y, loss)
              for (curve, step, loss), end, y in zip(labelled, inside, apart(inside, GAP, 0, height), strict=True)]
    lines = [_line(curve, replace(across, size=WIDE), down) for curve in reversed(drawn)]
    return (f'<svg class="chart" role="img" aria-label="{escape(words)}" height="{height + 24}">{_axes(across, down)}'
            f'<svg viewBox="0 0 {WIDE} {height}" width="100%" height="{height}" preserveAspectRatio="none">{"".join(lines)}</svg>'
            f'{"".join(labels)}</svg>')


def _line(curve: Curve, across: Scale, down: Scale) -> str:
    points = [(across(step), down(loss) if math.isfinite(loss) else math.nan) for step, loss in curve.points]
    points = [(x, max(y, -9 * down.size)) for x, y in points]  # far above it is nobody's
    line = f'<path class="curve {curve.style}" d="{path(points)}"/>'
    if curve.dots and len(points) <= DOTS:
        marks = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points if math.isfinite(y))
        line += f'<path class="dots {curve.style}" d="{marks}"/>'
    return line


def _axes(across: Scale, down: Scale) -> str:
    lines = []
    for loss in ticks(down.high, down.low, 6):
        y = down(loss)
        lines.append(f'<line class="grid" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
                     f'<text class="tick" x="-8" y="{y + 4:.1f}" text-anchor="end">{loss:g}</text>')
    for step in ticks(across.low, across.high, 5):
        lines.append(f'<text class="tick" x="{across(step):.2f}%" y="{down.size + 18:.0f}" text-anchor="middle">'
                     f'{step:,.0f}</text>')
    return "".join(lines)


def _label(curve: Curve, x: float, end: float, y: float, loss: float) -> str:
    """Key, loss and name right of the chart, and a thin line to where the curve ends."""
    along = f'<line class="leader {curve.style}" x1="{x:.2f}%" x2="100%" y1="{end:.1f}" y2="{end:.1f}"/>' if x < 99.9 else ""
    across = f'<svg x="100%" overflow="visible"><path class="leader {curve.style}" d="M3 {end:.1f}L14 {y:.1f}"/></svg>'
    return (f'{along}{across}<text class="end" x="100%" dx="18" y="{y + 4:.1f}">'
            f'<tspan class="key {curve.style}">{escape(curve.key)}</tspan> {loss:.3f}'
            f'<tspan class="name"> {escape(curve.name)}</tspan></text>')


def _window(drawn: list[list[Point]]) -> Point:
    """The losses a chart shows: down to the lowest, and up to the highest after the first fall."""
    low, high = math.inf, -math.inf
    for points in drawn:
        losses = [loss for step, loss in points if step >= EARLY * points[-1][0]]
        high = max(high, losses[0] if len(losses) > 2 else max(loss for _, loss in points))
        low = min(low, *(loss for _, loss in points), high)
    room = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
    return low - room, high + room


def path(points: Sequence[Point]) -> str:
    """The line through `points`, broken where y is no number."""
    said, drawing = [], False
    for x, y in points:
        if math.isfinite(y):
            said.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        drawing = math.isfinite(y)
    return "".join(said)


def smooth(points: Sequence[Point], span: float) -> list[Point]:
    """A causal average of y that forgets over `span` of x; points that are no numbers are left out of it."""
    smoothed, weight, total, last = [], 0.0, 0.0, 0.0
    for x, y in points:
        if math.isfinite(y):
            keep = math.exp((last - x) / span) if span > 0 else 0.0
            weight, total, last = keep * weight + 1.0, keep * total + y, x
            smoothed.append((x, total / weight))
        else:
            smoothed.append((x, y))
    return smoothed


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from `low` to `high`, roughly `about` of them."""
    if not low < high:
        return [low]
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= raw)
    return [round(n * step, 10) + 0.0 for n in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places near the `wanted` ones, at least `gap` from each other and in their order, from `low` to `high`.

    Those that are too close form a group around their mean. Where all do not fit, they are closer than `gap`.
    """
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[tuple[float, list[int]]] = []  # the first place of each group, and who is in it
    for i in order:
        members = [i]
        start = _start(members, wanted, gap, low, high)
        while groups and start < groups[-1][0] + gap * len(groups[-1][1]):
            members = groups.pop()[1] + members
            start = _start(members, wanted, gap, low, high)
        groups.append((start, members))
    places = {i: start + gap * n for start, members in groups for n, i in enumerate(members)}
    return [places[i] for i in range(len(wanted))]


def _start(members: list[int], wanted: Sequence[float], gap: float, low: float, high: float) -> float:
    mean = sum(wanted[i] for i in members) / len(members)
    return max(low, min(mean - gap * (len(members) - 1) / 2, high - gap * (len(members) - 1)))


# Intervals ---------------------------------------------------------------------------------------------------------


def reach(values: Sequence[float]) -> Scale:
    """A scale that shows `values` and zero, with some room."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    room = (high - low) * 0.06 or 1.0
    return Scale(low - room, high + room)


def interval(mean: float, low: float | None, high: float | None, scale: Scale, style: str) -> str:
    """A dot with its interval, beside a line at zero."""
    words, whisker = f"{mean:+.4f}", ""
    if low is not None and high is not None:
        words += f", from {low:+.4f} to {high:+.4f}"
        whisker = f'<line class="whisker" x1="{scale(low):.2f}%" x2="{scale(high):.2f}%" y1="9" y2="9"/>'
    zero = f'<line class="zero" x1="{scale(0):.2f}%" x2="{scale(0):.2f}%" y1="-20" y2="38"/>'
    return (f'<svg class="interval {escape(style)}" role="img" aria-label="{words}" height="18">'
            f'{zero}{whisker}<circle cx="{scale(mean):.2f}%" cy="9" r="4.5"/></svg>')


def scale_of(scale: Scale) -> str:
    """The numbers above a column of intervals."""
    marks = (f'<text class="tick" x="{scale(value):.2f}%" y="13" text-anchor="middle">{f"{value:+g}" if value else "0"}</text>'
             for value in ticks(scale.low, scale.high, 4))
    return f'<svg class="scale" aria-hidden="true" height="18">{"".join(marks)}</svg>'
