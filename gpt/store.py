"""Runs on disk: SQLite for runs and their events, safetensors for weights. No torch until weights are touched.

    folder/runs.sqlite                              runs, steps, events
    folder/checkpoints/<run>/<step>.safetensors     the newest two of each run, and lasting ones
    folder/locks/<token>.sqlite                     held by a store that writes, for as long as it lives
"""

import json
import math
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt import checkpoints, records
from gpt.changes import Plan
from gpt.config import RunConfig
from gpt.database import (ACTIVE, STATUSES, Database, RunHeld, StoreError, UnknownRun, checked_id, new_id, unknown_run,
                          update)
from gpt.events import Answers, Eval, Event, Finished, Step
from gpt.presets import Preset, named
from gpt.records import COLUMNS, NEXT_TOUCH, StoredRun, StoredStudy

if TYPE_CHECKING:
    from torch import Tensor


class RunStore(Database):
    """All runs in one folder. Any number of threads and processes may use it; each run has one writer at a time."""

    # Runs

    def create(self, config: RunConfig, *, owner: str, preset: str, labels: Sequence[str] = (), part: str = "",
               plan: Plan = (), study: str | None = None, arm: int | None = None, parent: str | None = None,
               forked_at: int = 0) -> str:
        """A new queued run, written by this store; what is said of it here is told by StoredRun. Returns its id, which
        cannot be guessed."""
        run = new_id()
        row = {"id": run, "owner": owner, "labels": json.dumps(labels), "part": part, "preset": preset, "status": "queued",
               "message": "", "created": time.time(), "writer": self._hold(), "seq": 0, "step": 0, "seconds": 0.0,
               "plan": json.dumps(plan), "study": study, "arm": arm, "parent": parent, "forked_at": forked_at,
               **records.of_config(config)}
        with self._write() as db:
            db.execute(f"INSERT INTO runs ({', '.join(row)}, touched) VALUES ({', '.join('?' * len(row))}, {NEXT_TOUCH})",
                       [*row.values()])
        return run

    def run(self, run: str) -> StoredRun:
        """Raises UnknownRun."""
        with self._connection() as db:
            row = db.execute(f"SELECT writer, status, {COLUMNS} FROM runs WHERE id = ? AND deleted IS NULL",
                             (checked_id(run),)).fetchone()
        if row is None:
            raise unknown_run(run)
        return records.stored_run(row[2:], self._status(*row[:2], {}))

    def runs(self, owner: str | None = None, limit: int = -1, *, study: str | None = None, since: int = 0) -> list[StoredRun]:
        """The newest runs first, of one owner or study or of all; limit -1 is no limit.

        With `since`, a `touched` that was seen, those changed after it, among them such as have been deleted.
        """
        where = {"owner = ?": owner, "study = ?": study, "touched > ?": since or None}
        wanted = [value for value in where.values() if value is not None]
        conditions = [condition for condition, value in where.items() if value is not None] + ["deleted IS NULL"] * (not since)
        with self._connection() as db:
            rows = db.execute(f"SELECT writer, status, {COLUMNS} FROM runs WHERE {' AND '.join(conditions)} "
                              "ORDER BY created DESC, rowid DESC LIMIT ?", (*wanted, limit)).fetchall()
        alive: dict[str, bool] = {}
        return [records.stored_run(row[2:], self._status(*row[:2], alive)) for row in rows]

    def find(self, prefix: str) -> str:
        """The run whose id is, or alone begins with, `prefix`. Raises UnknownRun that names the candidates."""
        with self._connection() as db:
            rows = db.execute("SELECT id, labels, preset FROM runs WHERE id GLOB ? AND deleted IS NULL ORDER BY created DESC",
                              (checked_id(prefix) + "*",)).fetchall()
        ids = [run for run, *_ in rows]
        if prefix in ids or len(ids) == 1:
            return prefix if prefix in ids else ids[0]
        if not rows:
            raise unknown_run(prefix)
        several = "\n".join(f"  {run}  {preset} {' '.join(json.loads(labels))}".rstrip() for run, labels, preset in rows[:10])
        more = f"\n  and {len(rows) - 10} more" if len(rows) > 10 else ""
        raise UnknownRun(f"{len(rows)} runs begin with {prefix}: write more of the one you mean.\n{several}{more}")

    def set_status(self, run: str, status: str, message: str = "") -> None:
        """Stores one of STATUSES and a message for people. Raises UnknownRun, RunHeld."""
        if status not in STATUSES:
            raise ValueError(f"status = {status!r}: use one of {', '.join(STATUSES)}.")
        with self._own(run) as db:
            update(db, run, {"status": status, "message": message})

    def adopt(self, run: str, config: RunConfig | None = None, preset: Preset | None = None) -> None:
        """Makes this store the writer of a run and queues it, to resume it or, with a longer `config` of `preset`, to extend it.

        Raises UnknownRun, and RunHeld if another live process is at it.
        """
        token = self._hold()
        with self._write() as db:
            self._check_free(db, run)
            about = records.of_config(config) if config else {}
            if config and preset:
                about["labels"] = json.dumps(named(config, preset.config)["labels"])
            update(db, run, {"writer": token, "status": "queued", "message": "", **about})

    def describe(self, run: str, *, title: str | None = None, tags: Sequence[str] | None = None) -> None:
        """Gives a run a name and tags; None leaves what there is. Any process may. Raises UnknownRun."""
        about = {"title": title, "tags": None if tags is None else json.dumps(tags)}
        self._touch([run], {column: value for column, value in about.items() if value is not None})

    def discard(self, runs: Iterable[str]) -> None:
        """Puts runs out of sight, to be brought back by `restore` until `purge`. Raises UnknownRun."""
        self._touch(runs, {"deleted": time.time()})

    def restore(self, runs: Iterable[str], owner: str) -> None:
        """Undoes `discard` of an owner's runs. Raises UnknownRun for those that are gone for good."""
        self._touch(runs, {"deleted": None}, owner)

    def _touch(self, runs: Iterable[str], about: dict[str, Any], owner: str | None = None) -> None:
        """All or none."""
        with self._write() as db:
            for run in runs:
                row = db.execute("SELECT owner FROM runs WHERE id = ?", (checked_id(run),)).fetchone()
                if row is None or owner not in (None, row[0]):
                    raise unknown_run(run)
                update(db, run, about)

    def purge(self, before: float) -> None:
        """Removes for good what was discarded before that time, unless a live process still writes it."""
        with self._connection() as db:
            gone = db.execute("SELECT id FROM runs WHERE deleted < ?", (before,)).fetchall()
        for run, in gone:
            with suppress(RunHeld, UnknownRun):  # another process may be at it, or have been faster
                self.delete(run)

    def delete(self, run: str) -> None:
        """Removes a run and all of it. Raises UnknownRun, and RunHeld if another live process is at it."""
        with self._write() as db:
            self._check_free(db, run)
            db.execute("DELETE FROM runs WHERE id = ?", (run,))
        with suppress(FileNotFoundError):
            shutil.rmtree(self._checkpoints(run))

    # Events

    def append(self, run: str, events: list[Event]) -> None:
        """Stores events and what they say of the run, all or nothing. Steps must be new: `rewind` before repeating.

        Raises UnknownRun, and RunHeld if this store is not the run's writer.
        """
        if not events:
            return
        about: dict[str, Any] = {}
        for event in events:
            about |= records.of_event(event)
        others = [event for event in events if not isinstance(event, Step)]
        with self._own(run) as db:
            seq = db.execute("SELECT seq FROM runs WHERE id = ?", (run,)).fetchone()[0]
            # SQLite stores NaN as NULL; a step always has a loss, so NULL reads as NaN.
            db.executemany("INSERT INTO steps VALUES (?, ?, ?, ?)",
                           [(run, e.step, e.loss, e.seconds) for e in events if isinstance(e, Step)])
            db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                           [(run, n, *records.event_row(event)) for n, event in enumerate(others, seq + 1)])
            # A seq is never used again, not even after a rewind: readers keep it as their cursor.
            update(db, run, {**about, "seq": seq + len(others)})
            if checks := [event.loss for event in events if isinstance(event, Eval) and math.isfinite(event.loss)]:
                db.execute("UPDATE runs SET best_loss = min(coalesce(best_loss, 1e300), ?) WHERE id = ?", (min(checks), run))

    def points(self, run: str, after: int = 0, stride: int = 1, limit: int = 1000) -> list[tuple[int, float, float]]:
        """The loss curve after step `after`, as (last step, mean loss, seconds) of each `stride` steps in a row.

        Only complete buckets (steps 1 to stride, stride + 1 to 2 stride, ...), at most `limit`; the last step of the
        last one is the next `after`. A loss that is not a number makes the mean so.
        """
        if after < 0 or stride < 1 or limit < 0:
            raise ValueError(f"after = {after}, stride = {stride}, limit = {limit}: use at least 0, 1 and 0.")
        with self._connection() as db:
            rows = db.execute(records.POINTS, {"run": run, "after": after, "stride": stride, "limit": limit}).fetchall()
        return [(step, float("nan") if loss is None else loss, seconds) for step, loss, seconds in rows]

    def events(self, run: str, after: int = 0, limit: int = -1) -> list[tuple[int, Event]]:
        """All events but steps, as (seq, event) with seq > `after`; seq rises but may skip. Limit -1 is no limit."""
        with self._connection() as db:
            rows = db.execute("SELECT seq, step, kind, data FROM events WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?",
                              (run, after, limit)).fetchall()
        return [(seq, records.event(*row)) for seq, *row in rows]

    def event(self, run: str, seq: int) -> Event | None:
        """The first event from `seq` on; None if there is none."""
        return next((event for _, event in self.events(run, seq - 1, 1)), None)

    def finished(self, run: str) -> Finished | None:
        """How a run ended, if it has done all its steps."""
        with self._connection() as db:
            row = db.execute("SELECT step, kind, data FROM events WHERE run = ? AND kind = 'finished' "
                             "ORDER BY seq DESC LIMIT 1", (run,)).fetchone()
        return records.event(*row) if row else None

    def finished_presets(self, owner: str) -> list[str]:
        """The presets of which an owner has a finished run."""
        with self._connection() as db:
            rows = db.execute("SELECT DISTINCT preset FROM runs WHERE owner = ? AND status = 'finished' AND deleted IS NULL", (owner,))
            return sorted(preset for preset, in rows.fetchall())

    def rewind(self, run: str, step: int) -> None:
        """Back to the moment when `step` steps were done: drops what a run resumed from there reports once more.

        Those are the later steps, and all other events from `step` on: a validation at `step` comes after that step.
        Later checkpoints go too. Raises UnknownRun, RunHeld.
        """
        with self._own(run) as db:
            db.execute("DELETE FROM steps WHERE run = ? AND step > ?", (run, step))
            db.execute("DELETE FROM events WHERE run = ? AND step >= ?", (run, step))
            found = [records.event(*row) for row in db.execute(
                "SELECT step, kind, data FROM events WHERE run = ? AND kind IN ('eval', 'answers') ORDER BY seq", (run,))]
            checks = [event.loss for event in found if isinstance(event, Eval)]
            exact = [event.right / event.total for event in found if isinstance(event, Answers)]
            best = min((loss for loss in checks if math.isfinite(loss)), default=None)
            last = db.execute("SELECT seconds FROM steps WHERE run = ? ORDER BY step DESC LIMIT 1", (run,)).fetchone()
            about = {"val_loss": records.real(checks[-1]) if checks else None, "best_loss": best, "exact": exact[-1] if exact else None,
                     "seconds": last[0] if last else 0}
            update(db, run, about)
            db.execute("UPDATE runs SET step = min(step, ?) WHERE id = ?", (step, run))
        checkpoints.rewind(self._checkpoints(run), step)

    def copy_history(self, parent: str, run: str, step: int) -> None:
        """Gives a new run what another went through in its first `step` steps: all up to the moment when they were done.
        Raises UnknownRun, RunHeld."""
        kinds = "kind IN ('eval', 'sample', 'answers', 'changed', 'health')"
        with self._own(run) as db:
            db.execute("INSERT INTO steps SELECT ?, step, loss, seconds FROM steps WHERE run = ? AND step <= ?", (run, parent, step))
            db.execute("INSERT INTO events SELECT ?, seq + 2, step, kind, data FROM events "
                       f"WHERE run = ? AND step < ? AND {kinds} ORDER BY seq", (run, parent, step))
            last = db.execute("SELECT max(seq) FROM events WHERE run = ?", (run,)).fetchone()[0]
            update(db, run, {"step": step, "seq": last or 0})

    def plan(self, run: str, plan: Plan) -> None:
        """Stores options changed on the way. Raises UnknownRun, RunHeld."""
        with self._own(run) as db:
            update(db, run, {"plan": json.dumps(plan)})

    def csv(self, run: str) -> Iterator[str]:
        """Lines of a table of all steps; a validation loss stands beside the step after which it was taken."""
        per_step, after = self.run(run).tokens_per_step, 0
        evals = {event.step: event for _, event in self.events(run) if isinstance(event, Eval)}
        yield "step,tokens,seconds,train_loss,val_loss\n"
        if first := evals.get(0):
            yield f"0,0,{first.seconds:.3f},,{first.loss:.6f}\n"
        while points := self.points(run, after, limit=10_000):  # no cursor is left open while the reader is away
            for step, loss, seconds in points:
                val = f"{evals[step].loss:.6f}" if step in evals else ""
                yield f"{step},{step * per_step},{seconds:.3f},{loss:.6f},{val}\n"
            after = points[-1][0]

    # Checkpoints

    def save_checkpoint(self, run: str, step: int, tensors: dict[str, "Tensor"], meta: dict[str, str],
                        lasting: bool = False) -> None:
        """Stores the state after `step` steps, whole or not at all, and keeps the newest two; and lasting ones.

        Raises UnknownRun, RunHeld, and ValueError if the steps up to it are not appended yet: resumed, the run would
        lack them.
        """
        with self._own(run) as db:
            logged = db.execute("SELECT step FROM runs WHERE id = ?", (run,)).fetchone()[0]
        if step > logged:
            raise ValueError(f"Run {run} has events up to step {logged}, not yet {step}: append them first.")
        with self._connection() as db:
            db.execute("PRAGMA wal_checkpoint")  # those steps reach the disk before the weights that stand on them
        checkpoints.save(self._checkpoints(run), step, tensors, meta, lasting)

    def load_checkpoint(self, run: str, step: int | None = None) -> tuple[int, dict[str, "Tensor"], dict[str, str]] | None:
        """The newest whole checkpoint as (step, tensors on the CPU, meta), or that of `step`; None if there is none.
        Warns of damaged ones it skips."""
        return checkpoints.load(self._checkpoints(run), step)

    def checkpoint_steps(self, run: str) -> list[int]:
        """The steps after which the state is kept, rising."""
        return checkpoints.kept(self._checkpoints(run))

    def checkpoint_times(self, run: str) -> dict[int, int]:
        """When the state after each of these steps was written, in nanoseconds."""
        return checkpoints.written(self._checkpoints(run))

    # Studies

    def create_study(self, *, owner: str, title: str, about: str) -> str:
        """A new study, which `about` tells all of; its runs are made with `create`. Returns its id."""
        id = new_id()
        with self._write() as db:
            db.execute("INSERT INTO studies VALUES (?, ?, ?, ?, ?)", (id, owner, title, about, time.time()))
        return id

    def studies(self, owner: str | None = None) -> list[StoredStudy]:
        """The newest first, of one owner or of all."""
        where, wanted = ("", ()) if owner is None else ("WHERE owner = ?", (owner,))
        with self._connection() as db:
            rows = db.execute(f"SELECT id, owner, title, about, created FROM studies {where} ORDER BY created DESC", wanted).fetchall()
        return [StoredStudy(*row) for row in rows]

    def study(self, id: str) -> StoredStudy:
        """Raises UnknownRun."""
        found = next((study for study in self.studies() if study.id == id), None)
        if found is None:
            raise UnknownRun(f"There is no study {id}: `python -m gpt studies` lists them all.")
        return found

    def delete_study(self, id: str) -> None:
        """Forgets a study; its runs are deleted by themselves."""
        with self._write() as db:
            db.execute("DELETE FROM studies WHERE id = ?", (id,))

    def _checkpoints(self, run: str) -> Path:
        return self.folder / "checkpoints" / checked_id(run)


__all__ = ["ACTIVE", "STATUSES", "RunHeld", "RunStore", "StoreError", "StoredRun", "StoredStudy", "UnknownRun"]
