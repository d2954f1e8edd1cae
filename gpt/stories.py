"""What a report tells of each run, gathered from the store. No torch here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpt.compare import Outcome, command, outcome_of, preset_of
from gpt.config import RunConfig
from gpt.events import Changed, Eval, Forked, Sample
from gpt.options import Refusal, get, has_effect, options, sections, walk
from gpt.store import RunStore, StoredRun

MOST_RUNS = 200
POINTS = 300  # of a curve at most
CHARACTERS = 1000  # of a sample at most


@dataclass(frozen=True)
class Story:
    """One run, as a report tells it. Losses are nats a token."""

    run: StoredRun
    curve: list[tuple[int, float, float]]  # (last step, mean loss, seconds) of equal stretches
    evals: list[Eval]
    samples: list[Sample]  # the first, one from the middle, the last
    outcome: Outcome
    changes: list[Changed]  # made on the way
    command: str
    notes: list[str]  # what the command does not say


def gather(store: RunStore, ids: Sequence[str]) -> list[Story]:
    """The runs' stories in the order of `ids`. Raises UnknownRun, Refusal for none or too many, ConfigError for options of
    another version."""
    ids = list(dict.fromkeys(ids))
    if not ids:
        raise Refusal("A report needs a run: choose at least one.")
    if len(ids) > MOST_RUNS:
        raise Refusal(f"A report holds up to {MOST_RUNS} runs and {len(ids):,} were chosen: "
                      "choose fewer, or make several reports.")
    return [story(store, store.run(id)) for id in ids]


def story(store: RunStore, run: StoredRun) -> Story:
    """One run's story, short: a curve of at most POINTS points, as many checks, and three samples."""
    events = [event for _, event in store.events(run.id)]
    samples = [event for event in events if isinstance(event, Sample)]
    anew = [name for event in events if isinstance(event, Forked) for name in event.fresh]
    chosen = sorted({0, len(samples) // 2, len(samples) - 1}) if samples else []
    return Story(
        run=run, curve=store.points(run.id, stride=max(1, -(-run.step // POINTS)), limit=POINTS),
        evals=thinned([event for event in events if isinstance(event, Eval)], POINTS),
        samples=[_cut(samples[place]) for place in chosen], outcome=outcome_of(run, events),
        changes=[event for event in events if isinstance(event, Changed)], command=command(run),
        notes=notes(run) + [f"What its parent did not have began anew: {', '.join(anew)}."] * bool(anew))


def thinned(found: list[Any], most: int) -> list[Any]:
    """At most `most` of them, evenly, the last among them."""
    return found[:: -max(1, -(-len(found) // most))][::-1]


def _cut(sample: Sample) -> Sample:
    left = len(sample.text) - CHARACTERS
    cut = f"{sample.text[:CHARACTERS]}... and {left:,} characters more"
    return Sample(sample.step, sample.prompt, cut) if left > 0 else sample


def notes(run: StoredRun) -> list[str]:
    """What must be known beside the command."""
    said = []
    if run.parent:
        said.append(f"It went on from run {run.parent} after step {run.forked_at:,}.")
    if run.plan:
        said.append("Options were changed on the way: the store knows when, and repeats it.")
    if run.parent or run.plan:
        said.append("The command needs the store that holds the run.")
    elif run.preset != (nearest := preset_of(run).id):
        said.append(f"Its preset {run.preset or '(none)'} is not there; {nearest} differs least.")
    if run.config.data.dataset == "own":
        said.append(f"FILE is a text of the visitor's own, which is no part of this report. Its SHA-256: {run.config.data.text}")
    return said


def changes_of(story: Story) -> list[str]:
    """The changes made on the way, a line each."""
    known = dict(walk(RunConfig))
    return [f"after step {change.step:,}: " + ", ".join(
                f"{path} = {known[path].describe(value) if path in known else value}" for path, value in change.changes.items())
            for change in story.changes]


def options_of(config: RunConfig) -> str:
    """All options as TOML, which a preset can hold; those without effect say so."""
    lines = []
    for section in sections(config):
        lines.append(f"[{section}]")
        for name in options(getattr(config, section)):
            value = json.dumps(get(config, f"{section}.{name}"), ensure_ascii=False).replace("\x7f", "\\u007f")
            idle = "" if has_effect(getattr(config, section), name) else "  # no effect"
            lines.append(f"{name} = {value}{idle}")
        lines.append("")
    return "\n".join(lines)
