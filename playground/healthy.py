"""How the signals of a run fare, for the card that draws them, and what that says, in words.

Depth is judged layer by layer, a layer being the geometric mean of its parts. A number stands for the later half of
what was measured: the first steps are often wild, and the last ones of a falling learning rate move nothing.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from gpt.events import Health
from gpt.records import StoredRun
from gpt.store import ACTIVE, RunStore
from playground.asked import fields, whole
from playground.rows import GONE, Answer, mine, total_of

SIZES = ("stream", "out", "back", "grad", "update")
PARTS = {"attention": "attn", "MLP": "mlp", "attention + MLP": "both"}

# What is called healthy. Across depth:
EVEN = 3  # a factor that the random weights of one layer can make by themselves
UNEVEN = 10  # from here on layers learn at different speeds with SGD, and Adam's own memory becomes uneven
GROWN = 30  # a residual stream may grow that much: each of its parts may add as much as there was at first
# and of a step, as a share of the weights. About a thousandth is the usual rule.
LARGE = 0.02  # fifty such steps replace the weights
BRISK = 0.003  # three times what is usual: fine while a small model is young
SMALL = 1e-5  # ten thousand such steps change a tenth of them

VANISH, EXPLODE = "they vanish on the way", "they explode on the way"


def health(store: RunStore, asked: Any) -> Answer:
    """The sizes of a run's signals: {"steps", "rows", "said"}, a row having one value a step, by size.

    Asked with a `seq`, as `poll` tells it, only what was measured then: {"step", "rows"}.
    """
    run = mine(store, asked)
    if run is None:
        return GONE
    if "seq" in fields(asked):
        return once(store, run, whole(asked, "seq"))
    told = [event for _, event in store.events(run.id) if isinstance(event, Health)]
    known = fields(asked).get("known")
    answer = {"run": run.id, "active": run.status in ACTIVE, "step": run.step, "total": total_of(run)}
    if told and known == len(told):
        return {**answer, "same": True}  # nothing has been measured since
    rows = series(told)
    return {**answer, "known": len(told), "steps": [event.step + 1 for event in told], "rows": rows, "said": said(rows)}


def once(store: RunStore, run: StoredRun, seq: int) -> Answer:
    """One measurement."""
    event = store.event(run.id, seq)
    return {"run": run.id, "step": event.step + 1, "rows": series([event])} if isinstance(event, Health) else GONE


def series(told: list[Health]) -> list[dict[str, Any]]:
    """What was measured, by part: each size as a list over the steps."""
    rows: dict[str, dict[str, Any]] = {}
    for at, event in enumerate(told):
        for measured in event.rows:
            name = measured["name"]
            row = rows.setdefault(name, {"name": name, **placed(name)})
            for size in SIZES:
                if size in measured:
                    row.setdefault(size, [None] * len(told))[at] = measured[size]
    return list(rows.values())


def placed(name: str) -> dict[str, Any]:
    """The layer of a part, 0 for none, and the component whose colour it has."""
    layered = re.fullmatch(r"layer (\d+) (.+)", name)
    return {"layer": int(layered[1]), "part": PARTS.get(layered[2], "io")} if layered else {"layer": 0, "part": "io"}


# Words --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Depth:
    """A size by layer, the first layer first."""

    sizes: list[float]

    @property
    def deep(self) -> bool:
        return len(self.sizes) > 1

    @property
    def spread(self) -> float:
        """The largest over the smallest."""
        return ratio(max(self.sizes), min(self.sizes))

    @property
    def lowest(self) -> int:
        """The layer where it is smallest, counted from 1; the first of several."""
        return 1 + self.sizes.index(min(self.sizes))

    @property
    def highest(self) -> int:
        return 1 + self.sizes.index(max(self.sizes))


def ratio(a: float, b: float) -> float:
    return a / b if b else math.inf if a else 1.0


def said(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A sentence for each measure: {"measure", "bad", "words"}."""
    if not rows:
        return []
    measures = (("activations", activations), ("gradients", gradients), ("updates", updates))
    return [{"measure": name, "bad": bad, "words": words} for name, judge in measures for bad, words in [judge(rows)]]


def activations(rows: list[dict[str, Any]]) -> tuple[bool, str]:
    depth = by_layer(rows, "stream")
    if not depth.deep:
        return False, one_layer(rows, "out", "Scores have an RMS of {}.")
    last, begun = len(depth.sizes), settled(rows[0].get("stream")) or 0.0
    if (left := ratio(min(depth.sizes), begun)) < 1 / UNEVEN:
        return judged(f"Activations shrink to {share(left)} of the embedding's in layer {depth.lowest}", True, VANISH)
    if depth.spread <= EVEN:
        return False, f"Healthy: activations stay within a factor of {EVEN} across {last} layers."
    if depth.highest > depth.lowest:
        words = f"Activations grow {times(depth.spread)} from layer {depth.lowest} to layer {depth.highest}"
        return judged(words, depth.spread > GROWN, EXPLODE)
    words = f"Activations shrink to {share(1 / depth.spread)} of layer {depth.highest}'s in layer {depth.lowest}"
    return judged(words, depth.spread > UNEVEN, VANISH)


def gradients(rows: list[dict[str, Any]]) -> tuple[bool, str]:
    """What they are by now, and before that whether they vanished in the first step: a deeper model would not recover."""
    bad, words = gradients_now(rows)
    depth = by_layer(rows, "back", first)
    reach = ratio(depth.sizes[0], depth.sizes[-1]) if depth.deep else 1.0
    if bad or reach >= 1 / UNEVEN:
        return bad, words
    start = f"Gradients vanished in step 1, with {share(reach)} of layer {len(depth.sizes)}'s left at layer 1."
    return True, f"{start} Now {words[0].lower()}{words[1:]}"


def gradients_now(rows: list[dict[str, Any]]) -> tuple[bool, str]:
    """Judged by what comes back to the first layer and to the last; by the weights' where that was not measured."""
    depth = by_layer(rows, "back")
    if not depth.sizes:
        depth = by_layer(rows, "grad")
    if not depth.deep:
        return False, one_layer(rows, "grad", "Its gradient has an RMS of {}.")
    reach, name = ratio(depth.sizes[0], depth.sizes[-1]), len(depth.sizes)
    if 1 / EVEN <= reach <= EVEN and depth.spread <= UNEVEN:
        within = EVEN if depth.spread <= EVEN else UNEVEN
        return False, f"Healthy: gradients stay within a factor of {within} across {name} layers."
    if reach < 1:
        return judged(f"Gradients reach layer 1 at {share(reach)} of layer {name}'s", reach < 1 / UNEVEN, VANISH)
    return judged(f"Gradients are {times(reach, 'as large')} at layer 1 as at layer {name}", reach > GROWN, EXPLODE)


def updates(rows: list[dict[str, Any]]) -> tuple[bool, str]:
    each = {row["name"]: size for row in rows if (size := settled(row.get("update"))) is not None}
    if not each:
        return False, "No step has moved the weights yet."
    usual, (slowest, least) = median(each.values()), min(each.items(), key=lambda item: item[1])
    words = f"Updates are {percent(usual)} of the weights a step"
    if usual > LARGE:
        return True, f"{words}: large. About 0.1 % is usual."
    if least < SMALL:
        where = f"the {slowest}" if not slowest.startswith("layer") else slowest
        return True, f"{words}, but {where} hardly moves: {percent(least)} a step."
    mood = "brisk" if usual > BRISK else "calm" if usual < BRISK / 30 else "healthy"
    return False, f"{words}: {mood}. About 0.1 % is usual."


def judged(words: str, bad: bool, why: str) -> tuple[bool, str]:
    """Whether it is bad, and the words with the verdict."""
    return bad, f"{words}: {why if bad else 'uneven, not yet a problem'}."


def one_layer(rows: list[dict[str, Any]], size: str, words: str) -> str:
    """What there is to say where there are no layers to compare."""
    measured = [value for row in rows if (value := settled(row.get(size))) is not None]
    lead = "A table has no depth to fade in." if rows[0]["name"] == "table" else "One layer has no depth to fade in."
    return f"{lead} {words.format(f'{measured[-1]:.2g}')}" if measured else lead


Sizes = list[float | None] | None


def by_layer(rows: list[dict[str, Any]], size: str, chosen: Callable[[Sizes], float | None] | None = None) -> Depth:
    """A size by layer; of its steps the `chosen` one, or what it has settled at."""
    layers: dict[int, list[float]] = {}
    for row in rows:
        value = (chosen or settled)(row.get(size)) if row["layer"] else None
        if value is not None:
            layers.setdefault(row["layer"], []).append(value)
    return Depth([mean(layers[layer]) for layer in sorted(layers)])


def first(values: Sizes) -> float | None:
    return values[0] if values else None


def settled(values: Sizes) -> float | None:
    """The median of the later half."""
    known = [value for value in (values or [])[len(values or []) // 2 :] if value is not None]
    return median(known) if known else None


def mean(values: Iterable[float]) -> float:
    """The geometric one; 0 as soon as one is."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0


def times(factor: float, than: str = "") -> str:
    """"4 times", "4 times as large"."""
    number = "more than a million" if factor > 1e6 else f"{rounded(factor):,}"
    return f"{number} times {than}".strip()


def share(part: float) -> str:
    """A fraction in words: "1/40"."""
    return "less than a millionth" if part < 1e-6 else f"1/{rounded(1 / part):,}"


def rounded(factor: float) -> int | float:
    """To two digits."""
    return int(float(f"{factor:.2g}")) if factor >= 9.5 else round(factor, 1) if factor < 4 else round(factor)


def percent(size: float) -> str:
    """"0.3 %"; below a ten-thousandth of a percent it says so."""
    number = 100 * size
    return f"{float(f'{number:.1g}' if number < 10 else f'{number:.2g}'):g} %" if number >= 1e-4 else "less than 0.0001 %"
