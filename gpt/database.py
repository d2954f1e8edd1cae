"""The store's SQLite file: connections, transactions, and who may write a run. No torch here.

A run that is said to be running while its writer's lock is free was interrupted (see gpt/locks.py): that is derived
whenever it is read, and never stored.
"""

import re
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpt import records
from gpt.home import home
from gpt.locks import Locks
from gpt.options import Refusal
from gpt.records import NEXT_TOUCH

ACTIVE = ("queued", "running", "paused")
STATUSES = (*ACTIVE, "finished", "stopped", "failed", "diverged")  # stored; "interrupted" is only ever derived


class StoreError(Refusal):
    """The store cannot be used as asked; the message names the way out."""


class RunHeld(StoreError):
    """Another live process writes this run."""


class UnknownRun(Refusal):
    """No run has this id, or no single run begins with it."""


class Database:
    """One folder's. Any number of threads and processes may use it; each run has one writer at a time."""

    def __init__(self, folder: Path | None = None):
        """Opens or makes the store. Raises StoreError if it cannot, or if a newer version wrote it."""
        self.folder = Path(folder or home()).resolve()
        try:
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{self.folder} cannot hold runs ({error}): make it a folder that can be written, or let "
                             f"GPT_PLAYGROUND_HOME name one.") from error

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._locks = Locks(self.folder / "locks")
        self._idle: deque[sqlite3.Connection] = deque()
        self._guard = threading.Lock()
        with self._connection() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > records.VERSION:
                raise StoreError(f"{self.folder} was written by a newer version of the playground (format {version}, "
                                 f"this one reads {records.VERSION}): update, or set GPT_PLAYGROUND_HOME elsewhere.")
            if version == 0:
                db.execute("PRAGMA journal_mode = WAL")
        while version < records.VERSION:
            version = self._upgrade()

    def _upgrade(self) -> int:
        """One version further, unless another process has just done it; returns the version."""
        with self._write() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version < records.VERSION:
                for statement in records.VERSIONS[version].split(";"):
                    db.execute(statement)
                version += 1
                db.execute(f"PRAGMA user_version = {version}")
            return version

    def close(self) -> None:
        """Gives up writing: runs of this store that are still active now show as interrupted."""
        self._locks.release()
        while self._idle:
            self._idle.pop().close()

    # Connections: borrowed, so that none is used by two threads at once and none is lost with a thread that ends

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = self._idle.pop()
        except IndexError:
            db = sqlite3.connect(self.folder / "runs.sqlite", timeout=30, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing, a power cut the last moment
            db.execute("PRAGMA foreign_keys = ON")
        try:
            yield db
        finally:
            self._idle.append(db)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """A transaction."""
        with self._connection() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    @contextmanager
    def _own(self, run: str) -> Iterator[sqlite3.Connection]:
        """A transaction of the writer of a run."""
        with self._write() as db:
            row = db.execute("SELECT writer FROM runs WHERE id = ?", (checked_id(run),)).fetchone()
            if row is None:
                raise unknown_run(run)
            if row[0] != self._locks.token:
                raise RunHeld(f"Run {run} is not written by this process: adopt it first.")
            yield db

    # Who writes

    def _hold(self) -> str:
        """The token of this store, whose lock it holds from the first call until it is closed or its process ends."""
        with self._guard:
            if self._locks.token is None:
                with self._write():  # one process at a time
                    self._locks.hold()
            return self._locks.token

    def _check_free(self, db: sqlite3.Connection, run: str) -> None:
        row = db.execute("SELECT writer, status FROM runs WHERE id = ?", (checked_id(run),)).fetchone()
        if row is None:
            raise unknown_run(run)
        if row[0] != self._locks.token and row[1] in ACTIVE and self._locks.alive(row[0]):
            raise RunHeld(f"Run {run} is {row[1]} in another process: stop it there first.")

    def _status(self, writer: str, status: str, alive: dict[str, bool]) -> str:
        """The status by now; `alive` remembers the answers of one look."""
        if status not in ACTIVE:
            return status
        if writer not in alive:
            alive[writer] = self._locks.alive(writer)
        return status if alive[writer] else "interrupted"


def new_id() -> str:
    """Cannot be guessed, and is no flag to a command line."""
    while (id := secrets.token_urlsafe(9)).startswith("-"):
        pass
    return id


def update(db: sqlite3.Connection, run: str, about: dict[str, Any]) -> None:
    """Sets columns of a run, which moves it to the front of the order of changes."""
    columns = "".join(f"{column} = ?, " for column in about)
    db.execute(f"UPDATE runs SET {columns}touched = {NEXT_TOUCH} WHERE id = ?", [*about.values(), run])


def checked_id(run: str) -> str:
    """An id that may become a path or a pattern: they come from command lines and browsers. Raises UnknownRun."""
    if not isinstance(run, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", run):
        raise unknown_run(run)
    return run


def unknown_run(run: object) -> UnknownRun:
    """The error that says so."""
    return UnknownRun(f"There is no run {run}: `python -m gpt runs` lists them all.")
