"""What a step of the ladder teaches: the [lesson] of its preset, read and bounded. No torch here."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from gpt.config import RunConfig
from gpt.options import ConfigError, replace

SENTENCES = 3  # of an idea
LETTERS = {"idea": 520, "because": 600, "label": 44, "look": 420}  # most that a text may have
MOST_LINES, MOST_SYMBOLS = 6, 12  # of a formula
AROUND = 250  # published losses are single batches; ours are means over this many steps before and after
OPENS = ("train", "ablate", "inspect")  # where an experiment leads


class Measured(NamedTuple):
    """What a step came to on a text, over all its steps, in nats a token: see gpt/ladder.py."""

    training: float  # mean of the losses around the published steps
    validation: float  # at the end, over the whole validation split


class Symbol(NamedTuple):
    """A symbol of a formula: how it is written, what it is, and its shape in letters of gpt/model.py, or ""."""

    written: str
    name: str
    shape: str


@dataclass(frozen=True)
class Experiment:
    """One thing to try: options on top of the step's own, where that is looked at, and what to look for."""

    label: str
    look: str
    opens: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class Lesson:
    """The words of a step. Formulas are in the notation of playground/mathml.py."""

    idea: str  # SENTENCES sentences
    lit: tuple[str, ...]  # parts of the diagram that are new
    formula: tuple[str, ...]  # lines
    symbols: tuple[Symbol, ...]
    because: str  # why the loss did what it did: told afterwards
    experiment: Experiment


def read_lesson(table: Any, config: RunConfig) -> Lesson:
    """The lesson that `table` describes. Raises ConfigError with everything that is wrong with it."""
    problems: list[str] = []
    own = _table(table, "lesson", {"idea", "lit", "formula", "symbols", "because", "experiment"}, problems)
    tried = _table(own.get("experiment"), "lesson.experiment", {"label", "look", "opens", "changes"}, problems)
    texts = {name: _text(source.get(name), name, problems)
             for source, names in ((own, ("idea", "because")), (tried, ("label", "look"))) for name in names}
    if (count := sentences(texts["idea"])) != SENTENCES:
        problems.append(f"lesson.idea has {count} sentences: use {SENTENCES}.")
    lit = _list(own.get("lit"), "lit", 6, str, problems)
    lines = _list(own.get("formula"), "formula", MOST_LINES, str, problems)
    rows = _list(own.get("symbols"), "symbols", MOST_SYMBOLS, list, problems)
    if any(len(row) != 3 or not all(isinstance(word, str) for word in row) for row in rows):
        problems.append('lesson.symbols: each is ["symbol", "what it is", "shape, or nothing"].')
    opens, changes = tried.get("opens"), tried.get("changes", {})
    if opens not in OPENS:
        problems.append(f"lesson.experiment.opens = {opens!r}: use one of {', '.join(OPENS)}.")
    try:
        problems += replace(config, changes if isinstance(changes, dict) else {"changes": changes}).problems()
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    experiment = Experiment(texts["label"], texts["look"], opens, changes)
    return Lesson(texts["idea"], tuple(lit), tuple(lines), tuple(Symbol(*row) for row in rows), texts["because"], experiment)


def read_measured(table: Any) -> dict[str, Measured]:
    """{dataset: what the step came to on it}. Raises ConfigError."""
    def fits(row: Any) -> bool:
        named = isinstance(row, dict) and set(row) == set(Measured._fields)
        return named and all(isinstance(loss, float) for loss in row.values())

    if not isinstance(table, dict) or not all(fits(row) for row in table.values()):
        raise ConfigError(["measured: use TEXT = { training = LOSS, validation = LOSS }."])
    return {text: Measured(**row) for text, row in table.items()}


def sentences(text: str) -> int:
    """How many sentences a text has; a full stop inside a number ends none."""
    return len(re.findall(r"[.?!](?=\s|$)", text))


def _table(given: Any, name: str, keys: set[str], problems: list[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        problems.append(f"{name} is no table.")
        return {}
    problems += [f"{name}: there is no key {key}: use {', '.join(sorted(keys))}." for key in sorted(set(given) - keys)]
    return given


def _text(given: Any, name: str, problems: list[str]) -> str:
    text = " ".join(given.split()) if isinstance(given, str) else ""
    if not 0 < len(text) <= LETTERS[name]:
        problems.append(f"lesson: {name} has {len(text)} letters: use 1 to {LETTERS[name]}.")
    return text


def _list(given: Any, name: str, most: int, kind: type, problems: list[str]) -> list[Any]:
    if isinstance(given, list) and 0 < len(given) <= most and all(isinstance(item, kind) for item in given):
        return given
    problems.append(f"lesson.{name}: use a list of 1 to {most}.")
    return []
