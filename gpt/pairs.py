"""Which run was trained without a part that can be taken out of another one. No torch here.

Taking a part out of a trained model and training without it are two questions: what the model has come to rely on, and what the
part is worth to one that never had it. They belong side by side, for runs that differ in that part alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gpt.arms import plain
from gpt.changes import after
from gpt.config import RunConfig
from gpt.options import ConfigError, get, name_of, replace, walk
from gpt.records import StoredRun

NAMES = {"attn": "attention", "mlp": "MLP", "position": "position encoding", "layer": "one layer", "head": "one head"}
# How a run is looked at, and by what: it trains the same.
ASIDE = ("sample.", "train.eval_every", "train.eval_tokens", "train.device", "train.replay")
KNOWN = 2000  # runs whose plainest config is remembered: it takes a millisecond, and never changes


@dataclass(frozen=True)
class Without:
    """How a config would be trained without a part; `why` says why it cannot be, or what the nearest possible is."""

    part: str  # of NAMES
    changes: dict[str, Any]  # path -> value; empty: it cannot
    why: str = ""


@dataclass(frozen=True)
class Pair:
    """A run that was trained, or is being trained, without a part, and what else differs, in words."""

    run: StoredRun
    others: list[str]


def without_each(cfg: RunConfig) -> list[Without]:
    """Each part that a config has, as it would be trained without it."""
    m = cfg.model
    if m.architecture == "bigram":
        return []
    attends, sublayers = m.attention != "none", m.attention != "none" or m.mlp
    found = [Without("attn", {"model.attention": "none"})] * attends + [Without("mlp", {"model.mlp": False})] * m.mlp
    if m.position != "none" and (attends or m.position in ("learned", "sinusoidal")):
        found.append(Without("position", {"model.position": "none"}))
    if sublayers:
        fewer = {"model.n_layer": m.n_layer - 1} if m.n_layer > 1 else {}
        found.append(Without("layer", fewer, "" if fewer else "It has one layer: without it there would be none."))
    return found + [fewer_heads(cfg)] * attends


def fewer_heads(cfg: RunConfig) -> Without:
    """With as many heads as possible below its own: they share the width evenly, so one fewer is often no choice."""
    m = cfg.model
    if m.heads == 1:
        return Without("head", {}, "It has one head: without it there would be no attention.")
    for heads in range(m.heads - 1, 0, -1):
        changes = {"model.n_head": heads, **({"model.queries_per_kv": 1} if m.queries_per_kv > heads else {})}
        try:
            replace(cfg, changes)
        except ConfigError:
            continue
        reach = f"{m.n_embd // heads} of {m.n_embd} numbers each"
        if heads == m.heads - 1:
            return Without("head", changes, f"Its {heads} heads are wider: {reach}.")
        return Without("head", changes, f"{m.heads - 1} heads do not share the width of {m.n_embd}, so with {heads}: {reach}.")
    raise AssertionError("one head always fits")


def counterpart(run: StoredRun, changes: dict[str, Any], known: Iterable[StoredRun]) -> Pair | None:
    """Of the `known` runs the one that differs from `run` in `changes` alone: same text, seed, steps and other parts.

    Options that train differently in another way are allowed and told: the fewer the better. Of equals an ended run is
    better than one that trains, and a newer one than an older one.
    """
    wanted = as_trained(replace(run.present, changes))
    pairs = [pair for other in known if other.id != run.id and (pair := paired(run, wanted, other))]
    ended = ("finished", "diverged")
    return min(pairs, key=lambda pair: (len(pair.others), pair.run.status not in ended, -pair.run.created), default=None)


def paired(run: StoredRun, wanted: RunConfig, other: StoredRun) -> Pair | None:
    """The pair of a run and another one that may have been trained as `wanted`; None if it was not, or not to the end."""
    alike = all(other.options.get(path) == get(wanted, path) for path in ("train.seed", "train.steps"))
    if not alike or other.deleted or other.status not in ("finished", "diverged", "queued", "running"):
        return None
    if None not in (run.fingerprint, other.fingerprint) and run.fingerprint != other.fingerprint:
        return None
    try:
        trained = stored_as_trained(json.dumps([other.options, other.plan]))
    except ConfigError:  # of another version
        return None
    if (trained.model, trained.data) != (wanted.model, wanted.data):
        return None
    others = [words] if (words := name_of(trained, wanted)) else []
    return Pair(other, others + ["forked from another run"] * bool(other.parent) + ["changed on its way"] * bool(other.plan))


@lru_cache(maxsize=KNOWN)
def stored_as_trained(stored: str) -> RunConfig:
    """The same of a stored run's options and plan, as JSON. Raises ConfigError."""
    options, plan = json.loads(stored)
    return as_trained(after(replace(RunConfig(), options), plan))


def as_trained(cfg: RunConfig) -> RunConfig:
    """The plainest config that trains the same, whatever is done with it besides."""
    default = RunConfig()
    return plain(replace(cfg, {path: get(default, path) for path, _ in walk(RunConfig) if path.startswith(ASIDE)}))
