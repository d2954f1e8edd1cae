"""What a benchmark prints: one row a figure, with what it is compared with. No torch here."""

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is how many times better than what it is compared with; `aim` what it should reach."""

    what: str
    ours: str
    against: str = ""
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None  # None: nothing to reach

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} x"
        mark = {None: "", True: " ✓", False: " ✗"}[self.met]
        return f"| {self.what} | {self.ours} | {self.against} | {ratio} | {self.aim}{mark} |"


HEAD = "| figure | ours | compared with | ratio | aim |\n|---|---|---|---|---|"


def machine(threads: int) -> str:
    """The machine in a line, as far as it tells."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass  # not Linux: what Python knows must do
    return f"{name}, {os.cpu_count()} cores, {threads} thread{'s' if threads > 1 else ''}, {platform.system()}"


def print_rows(rows: Iterable[Row]) -> None:
    """Each row as soon as it is measured, as a line of a Markdown table."""
    for row in rows:
        print(row, flush=True)


def in_turn(*ways: Callable[[], object], seconds: float = 2.0, least: int = 5) -> list[list[float]]:
    """Seconds that a call of each way takes, measured in turn for `seconds` in all: what disturbs one disturbs all."""
    for way in ways:
        way()  # caches, and what is set up once
    taken: list[list[float]] = [[] for _ in ways]
    began = perf_counter()
    while len(taken[0]) < least or perf_counter() - began < seconds:
        for way, times in zip(ways, taken):
            start = perf_counter()
            way()
            times.append(perf_counter() - start)
    return taken


def ratio(slow: list[float], fast: list[float]) -> float:
    """How many times longer the slow way takes, pair by pair."""
    return median(a / b for a, b in zip(slow, fast))


def numbered(step: Callable[[int], object]) -> Callable[[], object]:
    """A step that needs its number, as one that counts by itself."""
    numbers = iter(range(10**9))
    return lambda: step(next(numbers))


Section = Callable[[str], Iterator[Row]]  # of a dataset's name
