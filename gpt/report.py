"""Any selection of runs as one document: Markdown here, HTML in gpt/report_html.py. No torch here.

    stories = gather(store, ids)
    Path(file_name(title, "html")).write_text(page(stories, title))
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from gpt.compare import called, comparable, differing, all_facts, names
from gpt.report_html import page, ranked, signed
from gpt.stories import MOST_RUNS, Story, changes_of, gather, options_of

COLUMNS = 8  # runs beside each other in a table; more are below each other


def file_name(title: str, ending: str) -> str:
    """The title as a file's name that every system takes: "gpt-what-is-each-part-worth.html"."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", title).lower())
    return "-".join(["gpt", *words] if words else ["gpt-report"])[:60].rstrip("-") + f".{ending}"


def markdown(stories: Sequence[Story], title: str, study: Any = None) -> str:
    """The report as Markdown; `study` is what gpt/study.py found out with these runs. Samples and names are inert."""
    runs = [story.run for story in stories]
    parts = [f"# {_plain(title) or 'Report'}", *(_study(study) if study else [])]
    parts += ["## How they did", _outcomes(stories)]
    if cautions := comparable(runs):
        parts += ["## Keep in mind", "\n".join(f"- {_plain(caution)}" for caution in cautions)]
    if len(runs) > 1:
        parts += ["## In what they differ", _differences(stories)]
    for number, story in enumerate(stories, 1):
        parts += [f"## {number}. {_plain(called(story.run))}", *_run(story)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _study(study: Any) -> list[str]:
    head = ["part", f"change in loss, {study.unit}", "from", "to", "pairs", "parameters", "seconds", "verdict"]
    rows = [[f"{row.name} ({row.note})" if row.note else row.name, *map(signed, (row.mean, row.low, row.high)),
             f"{row.pairs:,}", _number(row.parameters), _number(row.seconds), row.verdict] for row in ranked(study.rows)]
    about = f"Budget: {study.budget}. Seeds: {', '.join(map(str, study.seeds))}. {study.caution}"
    return [f"## {_plain(study.title)}", _plain(about), _table([head, *rows])]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}".removesuffix(".00") if isinstance(value, float) else f"{value:,}"


def _outcomes(stories: Sequence[Story]) -> str:
    told = all_facts(story.outcome for story in stories)
    rows = [[str(n), name, *words.values()] for n, (name, words) in enumerate(zip(_names(stories), told, strict=True), 1)]
    return _table([["", "run", *told[0]], *rows])


def _differences(stories: Sequence[Story]) -> str:
    rows = differing([story.run.config for story in stories])
    if not rows:
        return "In nothing that has an effect."
    if len(stories) <= COLUMNS:
        return _table([["option", *(str(n) for n in range(1, len(stories) + 1))],
                       *([f"{row.label} ({row.path})", *row.values] for row in rows)])
    return _table([["", "run", "in what it differs from the first"],
                   *([str(n + 1), name, ", ".join(f"{row.path} = {row.values[n]}" for row in rows if row.changed[n])]
                     for n, name in enumerate(_names(stories)))])


def _names(stories: Sequence[Story]) -> list[str]:
    return names([story.run for story in stories])


def _run(story: Story) -> list[str]:
    run = story.run
    about = {"preset": run.preset, "seed": f"{run.config.train.seed}; of the samples {run.config.sample.seed}",
             "device": run.device, "text": run.fingerprint,
             "versions": ", ".join(f"{name} {version}" for name, version in (run.versions or {}).items()), "run": run.id}
    said = [*story.notes, *(f"Changed {change}" for change in changes_of(story)), run.message]
    parts = [_fenced(story.command, "sh"), "\n".join(f"- {_plain(line)}" for line in said if line),
             "\n".join(f"- {name}: {_plain(value)}" for name, value in about.items() if value)]
    for sample in story.samples:
        prompt = f" It was given: {_plain(sample.prompt)}" if sample.prompt else ""
        parts += [f"After step {sample.step:,}.{prompt}", _fenced(sample.text)]
    return [*parts, "<details><summary>All options</summary>", _fenced(options_of(run.config), "toml"), "</details>"]


# Markdown of what anyone may have written --------------------------------------------------------------------------


def _plain(text: str) -> str:
    """`text` on one line, with nothing in it that Markdown or HTML would take for a sign."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", " ".join(text.split()))


def _table(rows: Iterable[Iterable[str]]) -> str:
    head, *body = ["| " + " | ".join(map(_plain, row)) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * (len(re.findall(r"(?<!\\)\|", head)) - 1), *body])


def _fenced(text: str, language: str = "") -> str:
    """`text` in a block that nothing inside can close: its fence is longer than any run of backticks there."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"


__all__ = ["MOST_RUNS", "Story", "file_name", "gather", "markdown", "page"]
