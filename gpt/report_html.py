"""A report as one page of HTML: no scripts, nothing from elsewhere, light and dark, and made for paper too. No torch here.

Whatever comes from models and visitors passes `esc` on its way in.
"""

import time
from collections.abc import Sequence
from functools import lru_cache
from html import escape as esc
from pathlib import Path
from typing import Any

from gpt import __version__, svg
from gpt.compare import NOTHING, Row, all_facts, called, comparable, differing, names
from gpt.measure import NATS, unit_of
from gpt.options import shorten
from gpt.stories import Story, changes_of, options_of
from gpt.svg import Curve

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
COLOURS, DASHES = 6, 4  # of report.css; together they tell 12 runs apart
SHOWN = 12  # runs whose curves are coloured and labelled; the others are grey
COLUMNS = 6  # runs beside each other in a table; more are below each other
OPEN = 8  # runs that are all unfolded
MEMORY = 0.05  # of a run: what the average of its training losses looks back on
BELOW = {"Best validation loss": "at step", "Loss over the whole split": "of tokens"}  # in small type, in the same cell
LOSSES = ("Best validation loss", "Last validation loss", "Loss over the whole split", "Bits a character")
LOGO = ('<svg viewBox="0 0 20 20" aria-hidden="true"><rect x="2" y="1" width="16" height="5" rx="1.5" fill="var(--c-attn)"/>'
        '<rect x="2" y="7.5" width="16" height="5" rx="1.5" fill="var(--c-mlp)"/>'
        '<rect x="2" y="14" width="16" height="5" rx="1.5" fill="var(--c-norm)"/></svg>')


def page(stories: Sequence[Story], title: str, study: Any = None) -> str:
    """The report as HTML; `study` is what gpt/study.py found out with these runs."""
    title = " ".join(title.split()) or "Report"
    styles = _styles(stories)
    runs = [story.run for story in stories]
    cautions = "".join(f"<li>{esc(caution)}</li>" for caution in comparable(runs))
    body = [
        _effects(study) if study else "", _charts(stories, styles), _outcomes(stories, styles),
        f'<section><h2>Keep in mind</h2><ul class="cautions">{cautions}</ul></section>' if cautions else "",
        _differences(stories, styles) if len(stories) > 1 else "",
        *(_run(story, number, style, unfolded=len(stories) <= OPEN)
          for number, (story, style) in enumerate(zip(stories, styles, strict=True), 1)),
    ]
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{esc(title)}</title>\n'
            f'<style>\n{_sheet()}</style></head>\n<body><main>\n<header><p class="from">{LOGO}<b>GPT Playground</b></p>\n'
            f'<h1><bdi>{esc(title)}</bdi></h1><p class="lead">{esc(_lead(stories))}</p></header>\n'
            + "\n".join(filter(None, body))
            + f"\n<footer>Made by GPT Playground {__version__}. Losses are nats a token.</footer>\n</main></body></html>\n")


@lru_cache
def _sheet() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8")


def _lead(stories: Sequence[Story]) -> str:
    times = [time.localtime(when) for when in sorted(story.run.created for story in stories)]
    days = [f"{when.tm_mday} {time.strftime('%B %Y', when)}" for when in (times[0], times[-1])]
    total = sum(story.outcome.tokens for story in stories)
    return (f"{len(stories)} run{'s' * (len(stories) != 1)}, " + " to ".join(dict.fromkeys(days))
            + f", {total:,} tokens of training")


def _styles(stories: Sequence[Story]) -> list[str]:
    """Each run's colour and dash, as classes. The SHOWN runs with the lowest loss have some, the others are grey."""
    def loss(n: int) -> tuple[bool, float, int]:
        last = stories[n].outcome.final if stories[n].outcome.final is not None else stories[n].outcome.last
        known = last is not None and last == last
        return not known, last if known else 0.0, n

    best = sorted(sorted(range(len(stories)), key=loss)[:SHOWN])
    styles = ["rest"] * len(stories)
    for place, n in enumerate(best):
        styles[n] = f"r{place % COLOURS} d{place % DASHES}"
    return styles


# Curves and numbers ------------------------------------------------------------------------------------------------


def _charts(stories: Sequence[Story], styles: Sequence[str]) -> str:
    checks, batches = [], []
    for number, (story, style, name) in enumerate(zip(stories, styles, names([s.run for s in stories]), strict=True), 1):
        key, name = ("", "") if style == "rest" else (str(number), shorten(name, 20))
        points = [(step, loss) for step, loss, _ in story.curve]
        checks.append(Curve([(e.step, e.loss) for e in story.evals], style, key, name, dots=len(stories) <= COLUMNS))
        batches.append(Curve(svg.smooth(points, MEMORY * story.run.step), f"{style} faint" * bool(key) or style, key, name))
    order = sorted(range(len(stories)), key=lambda n: styles[n] == "rest")  # the grey ones below the others
    grey = f" The {SHOWN} with the lowest loss have colours; the other {len(stories) - SHOWN} are grey." \
        if len(stories) > SHOWN else ""
    words = "by step; the table below has the numbers"
    parts = []
    for title, hint, curves, height in (
        ("Validation loss", f"By step, on text that was not trained on.{grey}", checks, 300),
        ("Training loss", "By step, on the batch of each step, averaged over the last ones.", batches, 220),
    ):
        if chart := svg.curves([curves[n] for n in order], f"{title} {words}", height):
            parts.append(f'<section class="figure"><h2>{title}</h2><p class="hint">{hint}</p>'
                         f'<div class="plot">{chart}</div></section>')
    return "".join(parts)


def _names(stories: Sequence[Story], styles: Sequence[str], swatch: bool = True) -> list[str]:
    """Number and short name of each run, in its colour."""
    short = names([story.run for story in stories])
    return [_name(name, number, style, swatch) for number, (name, style) in enumerate(zip(short, styles, strict=True), 1)]


def _name(name: str, number: int, style: str, swatch: bool = True) -> str:
    colour, dash = style.split()[0], style.split()[-1]
    drawn = f'<svg class="swatch {colour}" aria-hidden="true"><line class="{dash}" x2="30" y1="5" y2="5"/></svg>'
    return f'{drawn * swatch}<span class="n {colour}">{number}</span> <bdi>{esc(name)}</bdi>'


def _outcomes(stories: Sequence[Story], styles: Sequence[str]) -> str:
    told = all_facts(story.outcome for story in stories)
    known = [word for word in told[0] if any(words[word] != NOTHING for words in told)]
    known = [word for word in known if word not in ("Status", *BELOW.values())]
    best = _lowest(stories, told)
    rows = []
    for name, words in zip(_names(stories, styles), told, strict=True):
        cells = ""
        for word in known:
            below = f"<small>{BELOW[word]} {words[BELOW[word]]}</small>" if word in BELOW and words[word] != NOTHING else ""
            cells += f'<td class="num{" best" * (words[word] == best.get(word))}">{esc(words[word])}{below}</td>'
        rows.append(f'<tr><th scope="row">{name}<small>{esc(words["Status"])}</small></th>{cells}</tr>')
    head = "".join(f'<th class="num">{word}</th>' for word in known)
    return (f'<section><h2>How they did</h2><div class="wide"><table class="outcomes"><thead><tr><th>Run</th>{head}</tr></thead>'
            f'<tbody>{"".join(rows)}</tbody></table></div></section>')


def _lowest(stories: Sequence[Story], told: Sequence[dict[str, str]]) -> dict[str, str]:
    """The lowest of each kind of loss, where runs differ in it and their losses are of the same text and tokens; bits a
    character of the same text."""
    begun = [story.run for story in stories if story.run.fingerprint]
    if len({(run.fingerprint, run.config.data.val_fraction) for run in begun}) > 1:
        return {}
    fair = LOSSES if unit_of(run.options for run in begun) == NATS else LOSSES[-1:]
    found = {word: {words[word] for words in told} - {NOTHING, "nan"} for word in fair}
    return {word: min(values, key=float) for word, values in found.items() if len(values) > 1}


def _differences(stories: Sequence[Story], styles: Sequence[str]) -> str:
    rows, heads = differing([story.run.config for story in stories]), _names(stories, styles, swatch=False)
    if not rows:
        table = '<p class="hint">In no option that has an effect.</p>'
    else:
        table = _side_by_side(rows, heads) if len(stories) <= COLUMNS else _against_first(rows, heads)
    return f"<section><h2>In what they differ</h2>{table}</section>"


def _side_by_side(rows: Sequence[Row], heads: Sequence[str]) -> str:
    lines = []
    for row in rows:
        cells = "".join(f'<td class="{"changed" if changed else "idle" * (value == NOTHING)}"><bdi>{esc(value)}</bdi></td>'
                        for value, changed in zip(row.values, row.changed, strict=True))
        option = f'{_dot(row.part)}{row.label}<small class="mono">{row.path}</small>'
        lines.append(f'<tr><th scope="row">{option}</th>{cells}</tr>')
    return (f'<div class="wide"><table><thead><tr><th>Option</th>{"".join(f"<th>{head}</th>" for head in heads)}</tr></thead>'
            f'<tbody>{"".join(lines)}</tbody></table></div>')


def _against_first(rows: Sequence[Row], heads: Sequence[str]) -> str:
    lines = []
    for n, head in enumerate(heads):
        said = [f'<span class="mono">{row.path}</span> <b><bdi>{esc(row.values[n])}</bdi></b>' for row in rows if row.changed[n]]
        words = ", ".join(said) or f'<span class="idle">{"nothing" if n else "the first"}</span>'
        lines.append(f'<tr><th scope="row">{head}</th><td>{words}</td></tr>')
    return f'<table><thead><tr><th>Run</th><th>Against the first</th></tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _dot(part: str) -> str:
    return f'<i class="dot part-{esc(part)}"></i>' if part else '<i class="dot"></i>'


# A study -----------------------------------------------------------------------------------------------------------


def ranked(rows: Sequence[Any]) -> list[Any]:
    """Effects, the largest rise of the loss first; those that are not known last."""
    return sorted(rows, key=lambda row: (row.mean is None, -(row.mean or 0.0)))


def signed(value: float | None) -> str:
    """A change in a loss."""
    return NOTHING if value is None else f"{value:+.4f}"


def amount(value: float | None) -> str:
    """A number of parameters or seconds."""
    return NOTHING if value is None else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _effects(study: Any) -> str:
    rows = ranked(study.rows)
    scale = svg.reach([value for row in rows for value in (row.mean, row.low, row.high) if value is not None])
    lines = []
    for row in rows:
        drawn = "" if row.mean is None else svg.interval(row.mean, row.low, row.high, scale, f"part-{row.part or 'none'}")
        between = f"<small>{signed(row.low)} to {signed(row.high)}</small>" * (None not in (row.low, row.high))
        note = f"<small><bdi>{esc(row.note)}</bdi></small>" if row.note else ""
        numbers = "".join(f'<td class="num" data-word="{word}">{esc(value)}</td>' for word, value in (
            ("pairs", amount(row.pairs)), ("parameters", amount(row.parameters)), ("seconds", amount(row.seconds))))
        lines.append(f'<tr><th scope="row">{_dot(row.part)}<bdi>{esc(row.name)}</bdi>{note}</th>'
                     f'<td class="num mean">{signed(row.mean)}{between}</td><td class="bar">{drawn}</td>{numbers}'
                     f'<td class="verdict">{esc(row.verdict)}</td></tr>')
    about = f"Budget: {study.budget}. Seeds: {', '.join(map(str, study.seeds))}. {study.caution}"
    return (f'<section><h2>{esc(study.title)}</h2><p class="hint">{esc(about)}</p><table class="effects"><thead><tr><th>Part</th>'
            f'<th class="num">Change in loss, {study.unit}</th><th class="bar">{svg.scale_of(scale)}</th><th class="num">Pairs</th>'
            f'<th class="num">Parameters</th><th class="num">Seconds</th><th>Verdict</th></tr></thead>'
            f'<tbody>{"".join(lines)}</tbody></table></section>')


# A run -------------------------------------------------------------------------------------------------------------


def _run(story: Story, number: int, style: str, unfolded: bool) -> str:
    run, outcome = story.run, story.outcome
    about = {
        "Run": run.id, "Preset": run.preset, "Tags": ", ".join(run.tags),
        "Seeds": f"{run.config.train.seed} of training, {run.config.sample.seed} of samples", "Device": run.device,
        "Versions": ", ".join(f"{name} {version}" for name, version in (run.versions or {}).items()),
        "Text": run.fingerprint and f"SHA-256 {run.fingerprint}", "Message": run.message,
    }
    listed = "".join(f"<dt>{word}</dt><dd><bdi>{esc(value)}</bdi></dd>" for word, value in about.items() if value)
    notes = "".join(f"<li>{esc(note)}</li>" for note in story.notes)
    notes += "".join(f'<li class="mono">Changed {esc(change)}</li>' for change in changes_of(story))
    samples = "".join(_sample(sample.step, sample.prompt, sample.text) for sample in story.samples)
    after = f"{outcome.status} after {outcome.steps:,} steps"
    return (f'<section class="run"><details{" open" * unfolded}>'
            f'<summary><h2>{_name(called(run), number, style)}</h2><small>{esc(after)}</small></summary>'
            f'<div><h3>To train it again</h3><pre>{esc(story.command)}</pre>'
            + (f'<ul class="notes">{notes}</ul>' if notes else "") + f'<dl class="facts">{listed}</dl>'
            + (f'<h3>What it wrote</h3><div class="samples">{samples}</div>' if samples else "")
            + f'<details class="options"><summary>All options</summary><pre>{esc(options_of(run.config))}</pre></details>'
            f'</div></details></section>')


def _sample(step: int, prompt: str, text: str) -> str:
    given = f'<span class="given">{esc(shorten(prompt, 200))}</span>' if prompt else ""
    return f"<div><small>After step {step:,}</small><pre>\n{given}{esc(text)}</pre></div>"
