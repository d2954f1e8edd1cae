"""Which processes are alive: each holds a lock that the system drops when it ends, however it ends. No torch here.

A lock is an open exclusive transaction on a tiny SQLite file of its own: the same on every system, with no process
ids, which are used again, and no clock, which a suspended laptop falsifies.
"""

import secrets
import sqlite3
import weakref
from contextlib import closing, suppress
from pathlib import Path


class Locks:
    """The lock files of one folder, one of which this object may hold, at most until its process ends."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.token: str | None = None
        self._release: weakref.finalize | None = None

    def hold(self) -> str:
        """Takes a new lock and returns its token; removes the files of the dead.

        One process at a time may be in here: a new file must not be swept away before it is locked.
        """
        for path in self.folder.glob("*.sqlite"):
            if not self.alive(path.stem):
                with suppress(PermissionError):  # Windows, while somebody is testing it: the next one removes it
                    path.unlink(missing_ok=True)
        token = secrets.token_hex(8)
        lock = sqlite3.connect(self._path(token), isolation_level=None, check_same_thread=False)
        lock.execute("PRAGMA journal_mode = OFF")  # no second file: nothing is ever written
        lock.execute("BEGIN EXCLUSIVE")
        self._release = weakref.finalize(self, _release, lock, self._path(token))  # also when the process ends in order
        self.token = token
        return token

    def release(self) -> None:
        """Gives the lock back, if one is held."""
        self.token = None
        if self._release:
            self._release()

    def alive(self, token: str) -> bool:
        """Whether somebody holds the lock with this token: then nobody else may read its file."""
        if token == self.token:
            return True
        try:
            with closing(sqlite3.connect(f"{self._path(token).as_uri()}?mode=ro", uri=True, timeout=0)) as db:
                db.execute("SELECT 1 FROM sqlite_master").fetchall()
            return False
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                return True
            if self._path(token).exists():
                raise
            return False

    def _path(self, token: str) -> Path:
        return self.folder / f"{token}.sqlite"


def _release(lock: sqlite3.Connection, path: Path) -> None:
    lock.close()
    path.unlink(missing_ok=True)
