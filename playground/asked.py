"""What browsers send, read with care: anybody can post any JSON to a question, and put any JSON into an action."""

import math
import re
from typing import Any

VISITOR = re.compile(r"[A-Za-z0-9_-]{22}")  # secrets.token_urlsafe(16): nobody can be "command line", or ""
PRESENT = 2**53  # beyond any step, and still exact for a browser and for SQLite


def fields(asked: Any) -> dict[str, Any]:
    """What was asked as a dict; anything else has no fields."""
    return asked if isinstance(asked, dict) else {}


def visitor_of(asked: Any) -> str | None:
    """The visitor who asks, an owner of runs; None for anything the page did not give out."""
    visitor = fields(asked).get("visitor")
    return visitor if isinstance(visitor, str) and VISITOR.fullmatch(visitor) else None


def whole(asked: Any, name: str, default: int = 0, low: int = 0, high: int = PRESENT) -> int:
    """A whole number from `low` to `high`; `default` where it is missing, of another type, or out of bounds."""
    value = fields(asked).get(name)
    fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    return value if fits else default


def moment(asked: Any, name: str) -> float:
    """Seconds since a run began; 0 for what cannot be."""
    value = fields(asked).get(name)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= PRESENT
    return float(value) if fits else 0.0  # NaN is in no range


def sendable(answer: Any) -> Any:
    """An answer that is JSON whatever it repeats: half of a UTF-16 pair becomes "?", a number that is none, null."""
    if isinstance(answer, dict):
        return {sendable(key): sendable(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [sendable(value) for value in answer]
    if isinstance(answer, str):
        return answer.encode("utf-8", "replace").decode()
    return None if isinstance(answer, float) and not math.isfinite(answer) else answer
