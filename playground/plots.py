"""The loss chart: its figure and what is sent to keep it growing; and the learning rate, as the form draws it.

Pure functions; colours are names of CSS variables. Steps, losses and seconds in; plain dicts in Plotly's format out.
The browser replaces each "var(--name)" by the page's colour, so that one figure serves light and dark; `paint` does
the same here, for files.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from gpt.config import TrainConfig
from gpt.options import has_effect, options
from gpt.schedules import learning_rate

POINTS = 90  # most points in one answer: with their seconds that is about 1.2 kB
KEPT = 2_000  # about how many points of a run a browser holds
FONT = "IBM Plex Sans, ui-sans-serif, system-ui, sans-serif"

LIGHT = {"--card": "#fffefb", "--ink": "#1d2430", "--mut": "#616876", "--line": "#e5e1d7", "--acc": "#2a63c9"}
DARK = {"--card": "#191d25", "--ink": "#e8eaf0", "--mut": "#9aa2b2", "--line": "#2a303c", "--acc": "#7aa8ff"}

EARLIER = 4  # earlier runs drawn at most, where none are chosen to be compared
SPACED = 56  # points of a schedule at most, its bends not counted
FALLS = {"linear": "in a straight line ", "cosine": "along half a cosine ", "wsd": "in a straight line "}

References = list[tuple[str, float]]


def references(vocab_size: int, unigram: float, bigram: float, kind: str = "char") -> References:
    """What a curve can beat, in words, with its loss in nats a token; `kind` of tokens."""
    counts = "token counts" if kind == "bpe" else "letter counts"
    return [("guessing", math.log(vocab_size)), (counts, unigram), ("bigram table", bigram)]


def stride_for(total: int) -> int:
    """How many steps one point of a run of `total` steps stands for, so that about KEPT of them show it all."""
    return max(1, math.ceil(total / KEPT))


def delta(points: Iterable[tuple[int, float, float]], before: float) -> dict[str, list]:
    """New (step, loss, seconds) points, short: losses to 3 decimals, milliseconds since the point before.

    `before` is the seconds of the last point sent earlier; steps follow from the cursor and the stride.
    """
    losses, times, last = [], [], round(before * 1000)
    for _, loss, seconds in points:
        losses.append(round(loss, 3) if math.isfinite(loss) else None)
        now = round(seconds * 1000)
        times.append(now - last)
        last = now
    return {"loss": losses, "ms": times}


def layout() -> dict[str, Any]:
    """Axes and type of the chart, without data. Double click, zoom and the reading of values are the page's own."""
    axis = {"showline": False, "zeroline": False, "gridcolor": "var(--line)", "tickfont": {"color": "var(--mut)"},
            "ticks": "outside", "ticklen": 5, "tickcolor": "rgba(0,0,0,0)", "fixedrange": False, "automargin": False}
    return {
        "xaxis": {**axis, "showgrid": False, "nticks": 7, "separatethousands": True, "tickangle": 0},
        "yaxis": {**axis, "nticks": 7, "tickformatstops": [{"dtickrange": [0.1, None], "value": ".1f"},
                                                           {"dtickrange": [None, 0.1], "value": ".3~f"}]},
        "margin": {"l": 40, "r": 96, "t": 26, "b": 30}, "hovermode": False,
        "showlegend": False, "dragmode": "zoom",
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "var(--mut)"},
        "shapes": [], "annotations": [],
    }


def traces(held_out: bool = False) -> list[dict[str, Any]]:
    """The shown run's traces, still empty: raw, smoothed, validation, a ladder step's published losses, where it was
    forked, and where its options were changed. `held_out`: it is the validation curves that are looked at."""
    line = {"type": "scatter", "mode": "lines", "x": [], "y": []}
    dots = {**line, "mode": "markers", "cliponaxis": False}
    accent = {"color": "var(--acc)", "width": 2.6}
    checks = {"opacity": 1, "line": accent, "marker": {"size": 6, "color": "var(--acc)"}} if held_out else {
        "opacity": 0.85, "line": {"color": "var(--mut)", "width": 1, "dash": "1px,4px"},
        "marker": {"size": 5.5, "color": "var(--ink)"}}
    return [
        {**line, "name": "batch", "line": {"color": "var(--acc)", "width": 1}, "opacity": 0.1 if held_out else 0.22},
        {**line, "name": "training", "line": {**accent, "width": 1.6} if held_out else accent,
         "opacity": 0.35 if held_out else 1},
        {**line, "name": "validation", "mode": "lines+markers", **checks},
        {**dots, "name": "published",
         "marker": {"symbol": "circle-open", "size": 8, "color": "var(--mut)", "line": {"width": 1.5}}},
        {**dots, "name": "branches",
         "marker": {"size": 7, "color": "var(--card)", "line": {"width": 1.8, "color": "var(--ink)"}}},
        {**dots, "name": "changes",
         "marker": {"symbol": "line-ns-open", "size": 13, "color": "var(--ink)", "line": {"width": 1.6}}},
    ]


def earlier(place: int) -> dict[str, Any]:
    """The trace of an earlier run, still empty: dimmed; its dashes differ by its place in the list."""
    dashes = ("7px,4px", "2px,3px", "9px,3px,2px,3px", "12px,5px")
    return {**compared(), "opacity": 0.7,
            "line": {"color": "var(--mut)", "width": 1.6, "dash": dashes[place % len(dashes)]}}


def compared() -> dict[str, Any]:
    """The trace of a run chosen to be compared, still empty; the page gives each its colour and dashes."""
    return {"type": "scatter", "mode": "lines", "x": [], "y": [], "opacity": 1, "line": {"color": "var(--mut)", "width": 2},
            "marker": {"size": 4.5}}


def inherited() -> dict[str, Any]:
    """The trace of what a forked run went through before it was one, still empty."""
    return {**compared(), "name": "inherited", "opacity": 0.38, "line": {"color": "var(--mut)", "width": 1.4}}


def smooth(steps: Sequence[float], losses: Sequence[float], span: float) -> list[float]:
    """A causal average that forgets over `span` steps: each value depends on earlier points alone.

    The browser does the same. Points may be unevenly spaced; the start is not pulled towards zero.
    """
    smoothed, weight, total, last = [], 0.0, 0.0, None
    for step, loss in zip(steps, losses, strict=True):
        keep = 0.0 if span <= 0 else math.exp(-(step - last) / span) if last is not None else 0.0
        weight, total, last = keep * weight + 1.0, keep * total + loss, step
        smoothed.append(total / weight)
    return smoothed


def paint(figure: Any, palette: dict[str, str]) -> Any:
    """`figure` with every "var(--name)" replaced by the palette's colour. Raises KeyError for a colour it lacks."""
    if isinstance(figure, dict):
        return {key: paint(value, palette) for key, value in figure.items()}
    if isinstance(figure, list):
        return [paint(value, palette) for value in figure]
    if isinstance(figure, str) and figure.startswith("var("):
        return palette[figure[4:-1]]
    return figure


# The schedule ------------------------------------------------------------------------------------------------------


def schedule(cfg: TrainConfig) -> dict[str, Any]:
    """The learning rate of a run's steps, counted from 1: points, the steps where it bends, peaks by name, in words.

    More than about 60 steps are thinned; the bends are among them. `end` is the last rate's share of the peak. A second
    peak is of a second rate that follows the first in proportion.
    """
    risen = min(max(1, cfg.warmup), cfg.steps)
    held = _held(cfg, risen)
    grid = {1 + (cfg.steps - 1) * i // (SPACED - 1) for i in range(SPACED)}
    corners = {step for step in (risen, risen + 1, held, held + 1) if step <= cfg.steps}
    points = [[step, _rounded(learning_rate(step - 1, cfg), 4)] for step in sorted(grid | corners)]
    bends = [step for step, bent in ((risen, risen > 1), (held, held > risen + 1)) if bent and step < cfg.steps]
    return {"points": points, "bends": bends, "peaks": _peaks(cfg), "end": _end(cfg),
            "words": _in_words(cfg, risen, held)}


def _held(cfg: TrainConfig, risen: int) -> int:
    """The last step at the peak, which step `risen` reaches: from there on no schedule rises."""
    peak = learning_rate(risen - 1, cfg) * (1 - 1e-12)  # the same rate may differ in its last digits
    after = range(risen, cfg.steps + 1)
    return risen - 1 + bisect_right(after, -peak, key=lambda step: -learning_rate(step - 1, cfg))


def _peaks(cfg: TrainConfig) -> list[tuple[str, float]]:
    """Peaks by the name of what moves at that rate; without a name where it is everything."""
    if not has_effect(cfg, "lr_rest"):
        return [("", cfg.lr)]
    rules = options(cfg)["optimizer"].choices
    return [(rules[cfg.optimizer][0], cfg.lr), (rules["adamw"][0], cfg.lr_rest)]


def _end(cfg: TrainConfig) -> float:
    """The share of the peak left in the last step; a fall to nothing ends just above it, which is called 0."""
    share = _rounded(learning_rate(cfg.steps - 1, cfg) / cfg.lr, 4)
    return share if share > 1e-3 else 0.0


def _in_words(cfg: TrainConfig, risen: int, held: int) -> str:
    """The same for those who do not see the drawing."""
    (name, peak), *rest = _peaks(cfg)
    top = _plain(peak, 3)
    rise = [f"rises over {risen:,} steps to {top}"] if risen > 1 else []
    stay = f"stays {'there' if rise else f'at {top}'} until step"
    end = _plain(_end(cfg) * peak, 2) if _end(cfg) else "almost 0"
    fall = f"{FALLS.get(cfg.schedule, '')}to {end} at step {cfg.steps:,}"
    if held == cfg.steps:
        then = [f"{stay} {cfg.steps:,}"] if held > risen or not rise else []
    elif held > risen + 1:
        then = [f"{stay} {held:,}", f"falls {fall}"]
    else:
        then = [f"falls {fall}" if rise else f"falls from {top} {fall}"]
    said = f"{name}'s learning rate " if name else "The learning rate "
    said += ", then ".join(rise + then) + "."
    return said + "".join(f" {other}'s does the same, with {_plain(rate, 3)} at its peak." for other, rate in rest)


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _plain(value: float, digits: int) -> str:
    """To be read out: 0.0001, not 1e-4."""
    return f"{Decimal(str(_rounded(value, digits))).normalize():f}"
