"""Runs side by side: in what they differ, how they did, and what forbids comparing their losses. No torch here."""

import math
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gpt.config import RunConfig
from gpt.events import Answers, Eval, Event, Finished, Sample
from gpt.measure import BITS
from gpt.options import Option, Refusal, difference, get, has_effect, show, shorten, walk
from gpt.presets import Preset, list_presets
from gpt.store import RunStore, StoredRun

NOTHING = "-"  # in a table: an option without effect, a number that is not known
EXACT = "Exact answers"
SHOWN = 60  # characters of a value in a table, at most
NAMED = 5  # runs or values listed in a caution, at most
COLUMN = (14, 26)  # characters of a terminal's column: an id fits, and more where there is room


# Differences -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """An option in which runs differ: its value in each, in words, and whether that is not the first run's."""

    path: str
    label: str
    term: str
    part: str  # the component whose colour it carries, or ""
    values: list[str]  # NOTHING where it has no effect
    changed: list[bool]


def differing(configs: Sequence[RunConfig]) -> list[Row]:
    """The options whose values differ and that have an effect in at least one of the configs; sampling last."""
    rows = []
    for path, option in walk(RunConfig):
        section, name = path.split(".")
        values = [get(config, path) for config in configs]
        effects = [has_effect(getattr(config, section), name) for config in configs]
        if len(set(values)) > 1 and any(effects):
            seen = [(effect, value if effect else None) for effect, value in zip(effects, values, strict=True)]
            words = [word if effect else NOTHING for effect, word in zip(effects, _words(option, values), strict=True)]
            rows.append(Row(path, option.label, option.term, option.part, words, [pair != seen[0] for pair in seen]))
    return rows


def _words(option: Option, values: list[Any]) -> list[str]:
    """Values as a table shows them; numbers that look alike are written out."""
    words = [in_words(option, value) for value in values]
    alike = option.kind == "number" and len(set(words)) < len(set(values))
    return [repr(value) for value in values] if alike else words


def in_words(option: Option, value: Any) -> str:
    """A value as a table shows it, on one line."""
    words = option.describe(value)
    if option.kind == "text":
        words = shorten(" ".join(words.replace("\n", " ⏎ ").split()), SHOWN) or ("spaces" if words else "empty")
    return words


# Outcomes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How a run did. Losses are nats a token; None: not known, or not yet."""

    name: str
    preset: str
    status: str
    parameters: int | None
    steps: int  # done
    tokens: int  # trained on
    seconds: float  # of training
    speed: float | None  # tokens a second
    operations: float | None  # floating-point ones, of training
    best: float | None  # the lowest validation loss
    best_step: int | None
    last: float | None  # the last validation loss
    final: float | None  # over the whole validation split
    final_tokens: int | None
    bits: float | None  # a character, of the final loss or else of the last
    exact: float | None  # of a task, the share of held-out questions answered exactly at the last check


def outcome(store: RunStore, run: StoredRun) -> Outcome:
    """How `run` did so far."""
    return outcome_of(run, [event for _, event in store.events(run.id)])


def outcome_of(run: StoredRun, events: Iterable[Event]) -> Outcome:
    """How `run` did so far, from all of its events but steps."""
    evals, final, exact = [], None, None
    for event in events:
        if isinstance(event, Eval):
            evals.append(event)
        elif isinstance(event, Answers):
            exact = event.right / event.total
        elif isinstance(event, Finished) and event.val_tokens:
            final = event
    best = min((e for e in evals if math.isfinite(e.loss)), key=lambda e: e.loss, default=None)
    last = evals[-1].loss if evals else None
    tokens = run.step * run.tokens_per_step
    known = final.val_loss if final else last
    return Outcome(
        name=called(run), preset=run.preset, status=run.status, parameters=run.parameters, steps=run.step, tokens=tokens,
        seconds=run.seconds, speed=tokens / run.seconds if run.seconds > 0 else None,
        operations=run.flops * run.step if run.flops else None, best=best and best.loss, best_step=best and best.step,
        last=last, final=final and final.val_loss, final_tokens=final and final.val_tokens,
        bits=None if known is None else run.measured(known, BITS), exact=exact)


def facts(outcome: Outcome) -> dict[str, str]:
    """An outcome in words: what a table's row is called -> what stands there."""
    return {
        "Status": outcome.status, "Parameters": count(outcome.parameters), "Steps": count(outcome.steps),
        "Tokens": count(outcome.tokens), "Seconds": f"{outcome.seconds:,.1f}", "Tokens a second": count(outcome.speed),
        "Operations": NOTHING if outcome.operations is None else f"{outcome.operations:.2e}",
        "Best validation loss": nats(outcome.best), "at step": count(outcome.best_step),
        "Last validation loss": nats(outcome.last), "Loss over the whole split": nats(outcome.final),
        "of tokens": count(outcome.final_tokens), "Bits a character": nats(outcome.bits),
        EXACT: NOTHING if outcome.exact is None else f"{outcome.exact:.1%}",
    }


def all_facts(outcomes: Iterable[Outcome]) -> list[dict[str, str]]:
    """The facts of outcomes that stand in one table: how exact answers are, only where some run has a task."""
    told = [facts(outcome) for outcome in outcomes]
    if all(words[EXACT] == NOTHING for words in told):
        for words in told:
            del words[EXACT]
    return told


def nats(value: float | None) -> str:
    """A loss as a table shows it."""
    return NOTHING if value is None else f"{value:.4f}"


def count(value: float | None) -> str:
    """A whole number as a table shows it."""
    return NOTHING if value is None else f"{value:,.0f}"


def called(run: StoredRun) -> str:
    """What a run is called in a list: as its owner says, else by its preset and what differs from that."""
    return " ".join(_name(run)) or run.id


def _name(run: StoredRun) -> list[str]:
    """Its parts."""
    titles = {preset.id: preset.title for preset in list_presets()}
    return [run.title] if run.title else [titles.get(run.preset, run.preset.split("/")[-1]), *run.labels]


def names(runs: Sequence[StoredRun]) -> list[str]:
    """What runs are called beside each other: without the words that all of them share."""
    words = [_name(run) for run in runs]
    shared = set.intersection(*map(set, words)) if len(runs) > 1 else set()
    return [" ".join(word for word in said if word not in shared) or called(run) for run, said in zip(runs, words, strict=True)]


# Cautions ----------------------------------------------------------------------------------------------------------


def comparable(runs: Sequence[StoredRun]) -> list[str]:
    """What must be kept in mind when the runs' losses are compared, a sentence each; none for equals."""
    configs = [run.config for run in runs]
    cautions = []

    def differ(values: Iterable[str], sentence: str) -> None:
        if len(different := list(dict.fromkeys(values))) > 1:
            cautions.append(sentence.format(_some(different)))

    differ(_texts(runs), "Different texts ({}): their losses cannot be compared.")
    differ((f"{c.data.val_fraction:.0%}" for c in configs), "Different shares held out ({}): the losses are of different text.")
    differ(map(_tokens, configs), "Different tokenizers ({}): nats a token are not the same unit, so compare bits a "
           "character. Where tokens are longer, the same context and number of tokens hold more text.")
    differ((f"{c.train.steps:,} steps, {c.tokens_per_step * c.train.steps:,} tokens" for c in configs),
           "Different budgets ({}): more training is a part of the difference.")
    differ((show(c.train.eval_tokens) for c in configs),
           "Checks over different numbers of tokens ({}): compare the losses over the whole split.")
    differ((show(c.train.seed) for c in configs), "Different seeds ({}): a part of the difference is chance.")
    short = dict(zip((run.id for run in runs), names(runs), strict=True))
    if unfinished := [f"{short[run.id]}: {run.status} at step {run.step:,} of {config.train.steps:,}"
                      for run, config in zip(runs, configs, strict=True) if run.status != "finished"]:
        cautions.append(f"Not finished ({_some(unfinished)}).")
    if forked := [f"{short[run.id]}: up to step {run.forked_at:,}" for run in runs if run.parent]:
        cautions.append(f"Begun as other runs ({_some(forked)}): until then they trained with the options of those.")
    if changed := [short[run.id] for run in runs if run.plan]:
        cautions.append(f"Options were changed on the way ({_some(changed)}): what is said of their options holds at the start.")
    differ((", ".join(f"{k} {v}" for k, v in run.versions.items()) for run in runs if run.versions),
           "Different versions ({}): equal options may end in slightly different losses.")
    differ((run.device for run in runs if run.device), "Different devices ({}): seconds and last digits differ.")
    return cautions


TOKENIZER = dict(walk(RunConfig))["data.tokenizer"]
DATASET = dict(walk(RunConfig))["data.dataset"]


def _tokens(config: RunConfig) -> str:
    size = f" {config.data.vocab_size:,}" if config.data.tokenizer == "bpe" else ""
    return in_words(TOKENIZER, config.data.tokenizer) + size


def _texts(runs: Sequence[StoredRun]) -> list[str]:
    """Which text each run has, so that the same text has the same words. One that has not begun has no fingerprint."""
    known = {(run.config.data.dataset, run.config.data.text): run.fingerprint for run in runs if run.fingerprint}
    words = []
    for run in runs:
        data = run.config.data
        fingerprint = run.fingerprint or known.get((data.dataset, data.text)) or (data.text if data.dataset == "own" else "")
        words.append(f"{in_words(DATASET, data.dataset)} {fingerprint[:8]}".strip())
    return words


def _some(words: list[str]) -> str:
    more = [f"{len(words) - NAMED} more"] if len(words) > NAMED else []
    return "; ".join(words[:NAMED] + more)


# The command that makes a run --------------------------------------------------------------------------------------


def command(run: StoredRun) -> str:
    """The command line that trains the same run again; FILE stands for a text of the visitor's own. Raises ConfigError.

    Runs that were changed on the way or that began as another are made again from what the store knows of them.
    """
    if run.plan or run.parent:
        return f"python -m gpt reproduce {run.id}"
    preset = preset_of(run)
    words = ["python", "-m", "gpt", "train", preset.id]
    for path, (_, value) in difference(run.config, preset.config).items():
        if path == "data.text":
            words += ["--data.text", "FILE"]
        elif (path, value) != ("data.dataset", "own"):  # which --data.text says
            written = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
            words += [f"--{path}={written}"] if written.startswith("-") else [f"--{path}", written]
    return shlex.join(words)


def preset_of(run: StoredRun) -> Preset:
    """The preset a run began from; where that is not there any more, the one that differs least."""
    with_id = {preset.id: preset for preset in list_presets()}
    return with_id.get(run.preset) or min(list_presets(), key=lambda preset: len(difference(run.config, preset.config)))


# In a terminal -----------------------------------------------------------------------------------------------------


def as_text(store: RunStore, ids: Sequence[str], width: int | None = None) -> str:
    """Runs side by side for a terminal of `width` characters. Raises Refusal for fewer than two, and UnknownRun."""
    runs = [store.run(id) for id in dict.fromkeys(ids)]
    if len(runs) < 2:
        raise Refusal("A comparison needs two different runs: name another one; `python -m gpt runs` lists them all.")
    width = width or shutil.get_terminal_size((100, 24)).columns
    histories = [[event for _, event in store.events(run.id)] for run in runs]
    rows = differing([run.config for run in runs])
    told = all_facts(outcome_of(run, events) for run, events in zip(runs, histories, strict=True))
    heads = [["", *(f"{n} {run.id}" for n, run in enumerate(runs, 1))], ["", *names(runs)]]
    blocks = [
        ("In what they differ", [*heads, *([f"{row.label} ({row.path})", *row.values] for row in rows)]),
        ("How they did", [*heads, *([fact, *(facts[fact] for facts in told)] for fact in told[0])]),
    ]
    lines = [line for title, cells in blocks for line in (title, *_grid(cells, width), "")]
    lines += ["Keep in mind", *(f"  {caution}" for caution in comparable(runs)), ""] if comparable(runs) else []
    lines.append("What they write")
    for number, (run, events) in enumerate(zip(runs, histories, strict=True), 1):
        samples = [event for event in events if isinstance(event, Sample)]
        lines.append(f"{number} {called(run)}" + (f", after step {samples[-1].step:,}" if samples else ": nothing yet"))
        lines += [f"    {line}" for line in "\n".join(s.text for s in samples[-1:]).split("\n")] + [""]
    told = "\n".join(lines).expandtabs(4)
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in told)  # no escapes to a terminal


def _grid(rows: list[list[str]], width: int) -> list[str]:
    """Lines of a table whose first column is repeated where the others need more than `width`."""
    room = (width - max(len(row[0]) for row in rows)) // (len(rows[0]) - 1) - 3
    most = max(COLUMN[0], min(COLUMN[1], room))
    cells = [[shorten(" ".join(cell.split()), most if place else SHOWN) for place, cell in enumerate(row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines, at = [], 1
    while at < len(widths):
        end, used = at + 1, widths[0] + 4 + widths[at]
        while end < len(widths) and used + 2 + widths[end] <= width:
            used += 2 + widths[end]
            end += 1
        lines += [""] * (at > 1)
        lines += ["  " + "  ".join(row[i].ljust(widths[i]) for i in (0, *range(at, end))).rstrip() for row in cells]
        at = end
    return lines
