"""Presets: TOML files that hold what differs from the defaults, and why. No torch here."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gpt.config import RunConfig
from gpt.lessons import Lesson, Measured, read_lesson, read_measured
from gpt.options import ConfigError, difference, replace, tags_of, walk

FOLDER = Path(__file__).resolve().parent.parent / "presets"
SECTIONS = ("model", "data", "train", "sample")
WORDS = ("title", "adds", "why", "predict", "stated", "inferred")  # texts a preset may hold
KEYS = {*WORDS, "sources", "published", "measured", "lesson", *SECTIONS}


@dataclass(frozen=True)
class Preset:
    """A named config: where it comes from, what it adds to the one before, and what was published of it."""

    id: str  # "ladder/06-residual"
    title: str  # one or two words for a button
    adds: str  # what it adds, one sentence
    why: str  # why that helps, or what it is for
    predict: str  # a question that asks for a prediction
    stated: str  # what its source states
    inferred: str  # what was inferred, and from what
    sources: tuple[str, ...]
    published: dict[int, float]  # step -> loss of single training batches, in nats
    measured: dict[str, Measured]  # dataset -> what this project's own training of it came to
    lesson: Lesson | None
    config: RunConfig

    @property
    def group(self) -> str:
        """The folder: "ladder" or "modern"."""
        return self.id.split("/")[0]

    @property
    def number(self) -> int | None:
        """The rung of the ladder, from 1; None beyond it."""
        first = self.id.split("/")[1].split("-")[0]
        return int(first) if self.group == "ladder" else None


@lru_cache
def list_presets() -> tuple[Preset, ...]:
    """All presets: the ladder in its order, then the others. Raises ConfigError for a file that is wrong."""
    files = sorted(FOLDER.glob("*/*.toml"), key=lambda f: (f.parent.name != "ladder", f))
    return tuple(read(f"{f.parent.name}/{f.stem}", f.read_text(encoding="utf-8")) for f in files)


def read(id: str, toml: str) -> Preset:
    """The preset that `toml` describes. Raises ConfigError naming the preset and everything wrong with it."""
    try:
        table = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"preset {id}: {error}"]) from error
    unknown = sorted(set(table) - KEYS)
    missing = [word for word in ("title", "adds", "why") if not table.get(word)]
    problems = [f"preset {id}: there is no key {key}: use {', '.join(sorted(KEYS))}." for key in unknown]
    problems += [f"preset {id}: {word} is missing." for word in missing]
    try:
        config = replace(RunConfig(), _changes(table))
        measured = read_measured(table.get("measured", {}))
        lesson = read_lesson(table["lesson"], config) if "lesson" in table else None
    except ConfigError as error:
        problems += [f"preset {id}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    published = {int(step): float(loss) for step, loss in table.get("published", {}).items()}
    words = {word: " ".join(table.get(word, "").split()) for word in WORDS}
    return Preset(id=id, **words, sources=tuple(table.get("sources", ())), published=published, measured=measured,
                  lesson=lesson, config=config)


def _changes(table: dict[str, Any]) -> dict[str, Any]:
    return {f"{section}.{name}": value for section in SECTIONS for name, value in table.get(section, {}).items()}


def load(name: str) -> Preset:
    """The preset called `name`: its id, its file's name, or the start of one: "ladder/06-residual", "06-residual",
    "06", "llama". Raises ConfigError that lists what there is."""
    presets = list_presets()
    found = [p for p in presets if name in (p.id, p.id.split("/")[1])] or \
            [p for p in presets if p.id.split("/")[1].startswith(name) or p.id.startswith(name)]
    if len(found) != 1:
        there = ", ".join(p.id for p in (found or presets))
        raise ConfigError([f"There {'are several presets' if found else 'is no preset'} {name!r}: use one of {there}."])
    return found[0]


def named(config: RunConfig, base: RunConfig) -> dict[str, Any]:
    """What a run is called that differs from `base`, for a store: labels, and the part whose colour it carries.

    How samples are drawn is left aside: that leaves the training alone.
    """
    known = dict(walk(config))
    part = next((known[path].part for path in difference(config, base) if known[path].part), "")
    return {"labels": tags_of(config, base, without="sample"), "part": part}


def previous(preset: Preset) -> Preset | None:
    """The rung below, on the ladder; None for the first rung and beyond the ladder."""
    return rung(preset, -1)


def following(preset: Preset) -> Preset | None:
    """The rung above, on the ladder; None for the last rung and beyond the ladder."""
    return rung(preset, 1)


def rung(preset: Preset, away: int) -> Preset | None:
    """The rung so many above this one."""
    return next((p for p in list_presets() if p.number and preset.number and p.number == preset.number + away), None)
