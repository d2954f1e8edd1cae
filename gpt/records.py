"""The store's tables, and how runs and events become their rows and come back. No torch here."""

import json
import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from gpt.changes import Plan, after
from gpt.config import RunConfig
from gpt.events import Answers, Diverged, Eval, Event, Finished, Started, Step, from_dict, to_dict
from gpt.measure import NATS, bits
from gpt.options import ConfigError, replace, values

# What brings a store from one version to the next, each as a whole or not at all: statements of version 1, 2, ...
VERSIONS = ["""
CREATE TABLE runs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, preset TEXT NOT NULL, options TEXT NOT NULL,
    status TEXT NOT NULL, message TEXT NOT NULL, created REAL NOT NULL, writer TEXT NOT NULL, seq INTEGER NOT NULL,
    step INTEGER NOT NULL, val_loss REAL, seconds REAL NOT NULL, tokens_per_step INTEGER NOT NULL, parameters INTEGER,
    vocab_size INTEGER, unigram REAL, bigram REAL, device TEXT, fingerprint TEXT, versions TEXT);
CREATE INDEX runs_of_owner ON runs (owner, created);
CREATE TABLE steps (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, step INTEGER NOT NULL, loss REAL, seconds REAL NOT NULL,
    PRIMARY KEY (run, step)) WITHOUT ROWID;
CREATE TABLE events (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, seq INTEGER NOT NULL, step INTEGER NOT NULL,
    kind TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;
""", """
ALTER TABLE runs ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN part TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN study TEXT;
ALTER TABLE runs ADD COLUMN arm INTEGER;
ALTER TABLE runs ADD COLUMN parent TEXT;
ALTER TABLE runs ADD COLUMN forked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN plan TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN best_loss REAL;
ALTER TABLE runs ADD COLUMN flops REAL;
ALTER TABLE runs ADD COLUMN train_tokens INTEGER;
ALTER TABLE runs ADD COLUMN deleted REAL;
ALTER TABLE runs ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET labels = json_array(name) WHERE name <> '';
ALTER TABLE runs DROP COLUMN name;
CREATE INDEX runs_touched ON runs (touched);
CREATE INDEX runs_of_study ON runs (study) WHERE study IS NOT NULL;
CREATE TABLE studies (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, about TEXT NOT NULL, created REAL NOT NULL);
CREATE INDEX studies_of_owner ON studies (owner, created);
""", """
ALTER TABLE runs ADD COLUMN characters REAL;
UPDATE runs SET characters = 1.0 WHERE coalesce(json_extract(options, '$."data.tokenizer"'), 'char') = 'char';
""", """
ALTER TABLE runs ADD COLUMN exact REAL;
"""]
VERSION = len(VERSIONS)
ELSEWHERE = "another machine"  # the device of a run whose weights came from a file

# The next place in the order of changes, which a reader of lists keeps as a cursor.
NEXT_TOUCH = "(SELECT coalesce(max(touched), 0) + 1 FROM runs)"

# One row per bucket of `stride` steps. The inner limit keeps the cost independent of what lies beyond it; it leaves
# room for one bucket more, so that a gap in the steps cannot leave a reader with nothing to go on from.
POINTS = """
SELECT max(step), CASE WHEN count(loss) = count(*) THEN avg(loss) END, max(seconds) FROM (
    SELECT step, loss, seconds FROM steps WHERE run = :run AND step > (:after + :stride - 1) / :stride * :stride
    ORDER BY step LIMIT :stride * (:limit + 1))
GROUP BY (step - 1) / :stride HAVING count(*) = :stride ORDER BY 1 LIMIT :limit
"""


@dataclass(frozen=True)
class StoredStudy:
    """Runs that were made to be compared, and what was asked."""

    id: str
    owner: str
    title: str
    about: str  # JSON, which gpt/study.py reads
    created: float  # seconds since 1970


@dataclass(frozen=True)
class StoredRun:
    """What is known of a run without reading its events. None: not known before it has started."""

    id: str
    owner: str
    labels: list[str]  # what differs from the preset, in words: its automatic name
    part: str  # the component of the first difference, whose colour it carries
    title: str  # the name that its owner gave it, or ""
    tags: list[str]  # its owner's
    preset: str
    options: dict[str, Any]  # as they were written; `config` reads them
    status: str  # a stored one, or "interrupted"
    message: str
    created: float  # seconds since 1970
    step: int
    val_loss: float | None  # the last one, nats per token
    best_loss: float | None  # the lowest of its checks
    exact: float | None  # of a task, the share of held-out questions answered exactly at the last check
    seconds: float
    tokens_per_step: int
    parameters: int | None
    vocab_size: int | None
    unigram: float | None
    bigram: float | None
    device: str | None
    fingerprint: str | None  # SHA-256 of the text
    versions: dict[str, str] | None
    flops: float | None  # operations of a step
    train_tokens: int | None  # of the training text
    characters: float | None  # that a token of the held-out text holds, on average
    plan: Plan  # options changed on the way
    study: str | None  # the study it belongs to, and
    arm: int | None  # the place of its arm there
    parent: str | None  # the run it was forked from, after
    forked_at: int  # this many steps
    deleted: float | None  # when: it can be brought back for a while
    touched: int  # rises with every change of any run

    @property
    def name(self) -> str:
        """What it is called: as its owner says, or by what differs from its preset."""
        return self.title or " ".join(self.labels)

    @cached_property
    def config(self) -> RunConfig:
        """The run's options. Raises ConfigError if they do not all work here; a list of runs shows the run even so."""
        try:
            return replace(RunConfig(), self.options)
        except ConfigError as error:
            why = f"Run {self.id} has options that do not work in this version: open it in the one that made it."
            raise ConfigError([why, *error.problems]) from error

    def measured(self, loss: float, unit: str) -> float | None:
        """A loss of this run, which is nats a token, in NATS or BITS; None where that is not known."""
        return loss if unit == NATS else bits(loss, self.characters) if self.characters else None

    @property
    def bits_per_nat(self) -> float | None:
        """What a nat a token is in bits a character; None where that is not known."""
        return round(bits(1.0, self.characters), 6) if self.characters else None

    @property
    def present(self) -> RunConfig:
        """Its options with the changes made on the way. Raises ConfigError."""
        return after(self.config, self.plan)


COLUMNS = ", ".join(f.name for f in fields(StoredRun))


def stored_run(row: tuple, status: str) -> StoredRun:
    """A run from a row of COLUMNS; `status` is what its status is by now."""
    about = dict(zip(COLUMNS.split(", "), row, strict=True), status=status)
    for name in ("options", "labels", "tags", "plan"):
        about[name] = json.loads(about[name])
    about["versions"] = about["versions"] and json.loads(about["versions"])
    about["plan"] = [(step, changes) for step, changes in about["plan"]]
    for name in ("val_loss", "best_loss", "unigram", "bigram"):
        about[name] = None if about[name] is None else float(about[name])
    return StoredRun(**about)


def of_config(config: RunConfig) -> dict[str, Any]:
    """What a config says of its run, by column."""
    return {"options": json.dumps(values(config)), "tokens_per_step": config.tokens_per_step}


def of_event(event: Event) -> dict[str, Any]:
    """What an event says of its run, by column."""
    about: dict[str, Any] = {"step": event.step}
    match event:
        case Started():
            plain = ("parameters", "vocab_size", "tokens_per_step", "device", "fingerprint", "flops", "train_tokens", "characters")
            about |= {name: getattr(event, name) for name in plain} | {"versions": json.dumps(event.versions)}
            about |= {"unigram": real(event.unigram), "bigram": real(event.bigram)}
        case Step():
            about |= {"seconds": event.seconds}
        case Eval():
            about |= {"seconds": event.seconds, "val_loss": real(event.loss)}
        case Answers():
            about |= {"exact": event.right / event.total}
        case Finished():
            about |= {"seconds": event.seconds, "val_loss": real(event.val_loss), "status": "finished", "message": ""}
        case Diverged():
            about |= {"status": "diverged", "message": event.advice}
    return about


def event_row(event: Event) -> tuple[int, str, str]:
    """An event as (step, kind, data)."""
    data = to_dict(event)
    return data.pop("step"), data.pop("event"), json.dumps(data)  # Python's JSON writes NaN, and reads it


def event(step: int, kind: str, data: str) -> Event:
    """The inverse of `event_row`."""
    return from_dict({"event": kind, "step": step, **json.loads(data)})


def real(value: float) -> float | str:
    """For columns in which NULL means unknown: SQLite would store NaN as NULL, so it is spelled out."""
    return "nan" if math.isnan(value) else value
