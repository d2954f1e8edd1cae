"""The store's tables, and how runs and events become their rows and come back. No torch here."""

import json
import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from gpt.config import RunConfig
from gpt.events import Diverged, Eval, Event, Finished, Started, Step, from_dict, to_dict
from gpt.options import ConfigError, replace, values

VERSION = 1
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, preset TEXT NOT NULL, options TEXT NOT NULL,
    status TEXT NOT NULL, message TEXT NOT NULL, created REAL NOT NULL, writer TEXT NOT NULL, seq INTEGER NOT NULL,
    step INTEGER NOT NULL, val_loss REAL, seconds REAL NOT NULL, tokens_per_step INTEGER NOT NULL, parameters INTEGER,
    vocab_size INTEGER, unigram REAL, bigram REAL, device TEXT, fingerprint TEXT, versions TEXT);
CREATE INDEX IF NOT EXISTS runs_of_owner ON runs (owner, created);
CREATE TABLE IF NOT EXISTS steps (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, step INTEGER NOT NULL, loss REAL, seconds REAL NOT NULL,
    PRIMARY KEY (run, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, seq INTEGER NOT NULL, step INTEGER NOT NULL,
    kind TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""

# One row per bucket of `stride` steps. The inner limit keeps the cost independent of what lies beyond it; it leaves
# room for one bucket more, so that a gap in the steps cannot leave a reader with nothing to go on from.
POINTS = """
SELECT max(step), CASE WHEN count(loss) = count(*) THEN avg(loss) END, max(seconds) FROM (
    SELECT step, loss, seconds FROM steps WHERE run = :run AND step > (:after + :stride - 1) / :stride * :stride
    ORDER BY step LIMIT :stride * (:limit + 1))
GROUP BY (step - 1) / :stride HAVING count(*) = :stride ORDER BY 1 LIMIT :limit
"""


@dataclass(frozen=True)
class StoredRun:
    """What is known of a run without reading its events. None: not known before it has started."""

    id: str
    owner: str
    name: str
    preset: str
    options: dict[str, Any]  # as they were written; `config` reads them
    status: str  # a stored one, or "interrupted"
    message: str
    created: float  # seconds since 1970
    step: int
    val_loss: float | None  # the last one, nats per token
    seconds: float
    tokens_per_step: int
    parameters: int | None
    vocab_size: int | None
    unigram: float | None
    bigram: float | None
    device: str | None
    fingerprint: str | None  # SHA-256 of the text
    versions: dict[str, str] | None

    @cached_property
    def config(self) -> RunConfig:
        """The run's options. Raises ConfigError if they do not all work here; a list of runs shows the run even so."""
        try:
            return replace(RunConfig(), self.options)
        except ConfigError as error:
            why = f"Run {self.id} has options that do not work in this version: open it in the one that made it."
            raise ConfigError([why, *error.problems]) from error


COLUMNS = ", ".join(f.name for f in fields(StoredRun))


def stored_run(row: tuple, status: str) -> StoredRun:
    """A run from a row of COLUMNS; `status` is what its status is by now."""
    about = dict(zip(COLUMNS.split(", "), row, strict=True), status=status)
    about["options"] = json.loads(about["options"])
    about["versions"] = about["versions"] and json.loads(about["versions"])
    for name in ("val_loss", "unigram", "bigram"):
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
            plain = ("parameters", "vocab_size", "tokens_per_step", "device", "fingerprint")
            about |= {name: getattr(event, name) for name in plain} | {"versions": json.dumps(event.versions)}
            about |= {"unigram": real(event.unigram), "bigram": real(event.bigram)}
        case Step():
            about |= {"seconds": event.seconds}
        case Eval():
            about |= {"seconds": event.seconds, "val_loss": real(event.loss)}
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
