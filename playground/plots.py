"""The loss chart: its figure and what is sent to keep it growing. Pure functions; colours are names of CSS variables.

Steps, losses and seconds in; plain dicts in Plotly's format out. The browser replaces each "var(--name)" by the
page's colour, so that one figure serves light and dark; `paint` does the same here, for files.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

POINTS = 90  # most points in one answer: with their seconds that is about 1.2 kB
KEPT = 2_000  # about how many points of a run a browser holds
FONT = "IBM Plex Sans, ui-sans-serif, system-ui, sans-serif"

LIGHT = {"--card": "#fffefb", "--ink": "#1d2430", "--mut": "#616876", "--line": "#e5e1d7", "--acc": "#2a63c9"}
DARK = {"--card": "#191d25", "--ink": "#e8eaf0", "--mut": "#9aa2b2", "--line": "#2a303c", "--acc": "#7aa8ff"}

HOVER = "%{y:.3f}"
EARLIER = 4  # earlier runs drawn at most

References = list[tuple[str, float]]


def references(vocab_size: int, unigram: float, bigram: float) -> References:
    """What a curve can beat, in words, with its loss in nats a token."""
    return [("guessing", math.log(vocab_size)), ("letter counts", unigram), ("bigram table", bigram)]


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
    """Axes and type of the chart, without data. Double click and zoom are the page's own."""
    axis = {"showline": False, "zeroline": False, "gridcolor": "var(--line)", "tickfont": {"color": "var(--mut)"},
            "ticks": "outside", "ticklen": 5, "tickcolor": "rgba(0,0,0,0)", "fixedrange": False, "automargin": False}
    return {
        "xaxis": {**axis, "showgrid": False, "showspikes": True, "spikemode": "across", "spikethickness": 1,
                  "spikecolor": "var(--mut)", "spikedash": "dot", "nticks": 7, "separatethousands": True,
                  "tickangle": 0},
        "yaxis": {**axis, "nticks": 7, "tickformatstops": [{"dtickrange": [0.1, None], "value": ".1f"},
                                                           {"dtickrange": [None, 0.1], "value": ".3~f"}]},
        "margin": {"l": 40, "r": 96, "t": 26, "b": 30}, "hovermode": "x unified",
        "showlegend": False, "dragmode": "zoom",
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "var(--mut)"},
        "hoverlabel": {"bgcolor": "var(--card)", "bordercolor": "var(--line)",
                       "font": {"family": FONT, "size": 12, "color": "var(--ink)"}},
        "shapes": [], "annotations": [],
    }


def traces() -> list[dict[str, Any]]:
    """The shown run's traces, still empty: raw, smoothed, validation, and a ladder step's published losses."""
    line = {"type": "scatter", "mode": "lines", "x": [], "y": [], "hovertemplate": HOVER}
    return [
        {**line, "name": "batch", "line": {"color": "var(--acc)", "width": 1}, "opacity": 0.22, "hoverinfo": "skip",
         "hovertemplate": None},
        {**line, "name": "training", "line": {"color": "var(--acc)", "width": 2.6}},
        {**line, "name": "validation", "mode": "lines+markers", "opacity": 0.85,
         "line": {"color": "var(--mut)", "width": 1, "dash": "1px,4px"},
         "marker": {"size": 5.5, "color": "var(--ink)"}},
        {**line, "name": "published", "mode": "markers", "cliponaxis": False,
         "marker": {"symbol": "circle-open", "size": 8, "color": "var(--mut)", "line": {"width": 1.5}}},
    ]


def earlier(place: int) -> dict[str, Any]:
    """The trace of an earlier run, still empty: dimmed; its dashes differ by its place in the list."""
    dashes = ("7px,4px", "2px,3px", "9px,3px,2px,3px", "12px,5px")
    return {"type": "scatter", "mode": "lines", "x": [], "y": [], "opacity": 0.7, "hovertemplate": HOVER,
            "line": {"color": "var(--mut)", "width": 1.6, "dash": dashes[place % len(dashes)]}}


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
