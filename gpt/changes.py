"""Options changed while a run goes: which may, what a run's options are by then, and in words. No torch."""

from collections.abc import Iterable, Sequence
from typing import Any

from gpt.config import RunConfig
from gpt.events import Changed, Event, Forked
from gpt.options import ConfigError, replace, walk

# (steps done by then, {path: value}), in their order
Plan = Sequence[tuple[int, dict[str, Any]]]


def changeable(cfg: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """`cfg` with options changed that may change while a run goes. Raises ConfigError."""
    known = dict(walk(cfg))
    live = ", ".join(path for path, option in known.items() if option.live)
    fixed = [path for path in changes if path in known and not known[path].live]
    if fixed or not changes:
        raise ConfigError([f"{', '.join(fixed) or 'Nothing'} cannot change while a run goes: change one of {live}, or fork the run."])
    return replace(cfg, changes)


def after(cfg: RunConfig, plan: Plan) -> RunConfig:
    """`cfg` once the changes of `plan` have been made. Raises ConfigError."""
    for _, changes in plan:
        cfg = changeable(cfg, changes)
    return cfg


def in_words(changes: dict[str, Any]) -> str:
    """Changes as a mark on a curve says them: "lr 1e-4, dropout 0.2"."""
    known = dict(walk(RunConfig))
    return ", ".join(f"{known[path].short} {known[path].describe(value)}" if path in known else path for path, value in changes.items())


def marked(events: Iterable[Event]) -> list[tuple[int, str]]:
    """What happened on the way, as (step, words)."""
    events = list(events)
    marks = [(e.at, "forked") for e in events if isinstance(e, Forked)]
    return marks + [(e.step, in_words(e.changes)) for e in events if isinstance(e, Changed)]
