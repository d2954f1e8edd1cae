"""Reports: what models and visitors wrote stays text, nothing comes from elsewhere, and all of it stays small and quick."""

import math
import re
import subprocess
import sys
import time
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from gpt import svg
from gpt.config import RunConfig
from gpt.events import Changed, Eval, Finished, Forked, Sample, Started, Step
from gpt.options import Refusal, difference, replace, values
from gpt.presets import load, named
from gpt.report import MOST_RUNS, file_name, gather, markdown, page
from gpt.stories import CHARACTERS, POINTS, options_of
from gpt.store import RunStore, UnknownRun

ROOT = Path(__file__).resolve().parent.parent
PRESET = "ladder/06-residual"
HOSTILE = """</pre></section><script>alert(1)</script><img src=x onerror=alert(1)> & "quoted" 'so'
```
````md
# not a heading
| a | b |
<!-- ]]> --> <style>body{display:none}</style> </title></head>"""
VOID = {"meta", "link", "br", "img", "input", "hr"}


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path / "home")
    yield store
    store.close()


def new(store: RunStore, changes: dict | None = None, steps: int = 100, text: str = "words", prompt: str = "", checks: int = 4,
        **more) -> str:
    base = load(PRESET).config
    config = replace(base, {"train.steps": steps, **(changes or {})})
    run = store.create(config, owner="me", preset=PRESET, **{**named(config, base), **more})
    events = [Started(0, 4225, 65, 3.3, 2.4, config.tokens_per_step, "cpu", "f" * 64, {"torch": "2"}, 1e6)]
    every = max(1, steps // checks)
    for step in range(steps + 1):
        loss = 2 + 2 * math.exp(-step / steps * 5)
        events += [Step(step, loss, step / 100)] * (step > 0)
        events += [Eval(step, loss + 0.1, step / 100), Sample(step, prompt, f"{step} {text}")] * (step % every == 0)
    store.append(run, [*events, Finished(steps, 2.1, steps / 100, 59_000)])
    return run


def effect(name: str, mean: float | None, low: float | None = None, high: float | None = None, **about) -> SimpleNamespace:
    known = dict(kind="ablation", part="attn", note="", pairs=4, parameters=-100, seconds=-0.5, verdict="worth it")
    return SimpleNamespace(name=name, mean=mean, low=low, high=high, **known | about)


def study(*rows: SimpleNamespace, title: str = "What is each part worth?") -> SimpleNamespace:
    return SimpleNamespace(title=title, budget="100 steps", unit="nats a token", seeds=[1, 2, 3], caution="Four seeds only.", rows=list(rows))


class Elements(HTMLParser):
    """Every element with its attributes, the words, and whether all is closed that was opened."""

    def __init__(self, source: str):
        super().__init__()
        self.found, self.words, self.open, self.wrong = [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def inert(source: str) -> Elements:
    """Asserts that a page does nothing and asks for nothing."""
    elements = Elements(source)
    assert not elements.wrong and not elements.open
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "image", "use", "foreignobject"}
    for tag, attributes in elements.found:
        active = [name for name in attributes if name.startswith("on") or name in ("href", "src", "xlink:href", "style")]
        assert not active, (tag, attributes)
        assert attributes.get("http-equiv") in (None, "Content-Security-Policy")
    assert sum(tag == "style" for tag, _ in elements.found) == 1 and "url(" not in source and "@import" not in source
    return elements


# HTML


def test_whatever_anyone_wrote_is_text_in_html(store):
    runs = [new(store, {"sample.prompt": "<b>"}, text=HOSTILE, prompt="<script>p</script>", labels=["<script>l</script>"]),
            new(store, {"model.norm": "rms"}, text=HOSTILE)]
    store.describe(runs[1], title='<script>t</script>" onload="x', tags=["<script>g</script>"])
    row = effect("<script>n</script>", 0.2, 0.1, 0.3, note="<i>", verdict="<u>", part='"><script>')
    told = study(row, title="<script>s</script>")
    told.caution = told.budget = "<script>c</script>"
    source = page(gather(store, runs), "<script>title</script>", told)
    elements = inert(source)
    said = "".join(elements.words)
    for word in ("title", "t", "l", "g", "p", "n", "s", "c"):
        assert f"<script>{word}</script>" in said
    assert f"0 {HOSTILE}" in said and said.count("<img src=x onerror=alert(1)>") == 6


def test_a_page_is_alone_and_complete(store):
    runs = [new(store), new(store, {"model.norm": "rms", "train.seed": 2})]
    source = page(gather(store, runs), "Two runs", study(effect("Attention", 0.2, 0.1, 0.3), effect("Dropout", None)))
    elements = inert(source)
    said = " ".join(" ".join(elements.words).split())
    assert "default-src 'none'" in source and source.startswith("<!doctype html>") and "http://" not in source
    again = "python -m gpt train ladder/06-residual --model.norm rms --train.steps 100 --train.seed 2"
    for wanted in (*runs, again, "Two runs", "What is each part worth?", "+0.2000", "+0.1000 to +0.3000",
                   "Validation loss", "Training loss", "model.norm", "RMSNorm", "2.1000", "Different seeds (1; 2)",
                   "0 words", "50 words", "100 words", "f" * 64,
                   "2 of training", "torch 2", "cpu", 'norm = "rms"'):
        assert wanted in said
    assert "25 words" not in said and "75 words" not in said


def test_no_curve_is_drawn_where_nothing_happened(store):
    waiting = store.create(RunConfig(), owner="me", preset=PRESET)
    elements = inert(page(gather(store, [waiting]), ""))
    assert "chart" not in [attributes.get("class") for _, attributes in elements.found]
    assert "Report" in elements.words and "queued" in "".join(elements.words)


def test_a_loss_that_is_no_number_leaves_a_gap(store):
    run = new(store)
    store.append(run, [Step(101, math.nan, 1.0), Step(102, math.inf, 1.0), Eval(102, math.nan, 1.0)])
    source = page(gather(store, [run]), "Diverged")
    inert(source)
    assert not re.search(r'(?:d|x|y|x1|y1|cx)="[^"]*(?:nan|inf)', source)


def test_many_runs_are_told_apart_or_grey(store):
    stories = gather(store, [new(store, {"train.seed": seed}, steps=20) for seed in range(15)])
    source = page(stories, "Many")
    keys = re.findall(r'class="curve (r\d d\d)( faint)?"', source)
    assert len(keys) == 24 and len({key for key, _ in keys}) == 12, "each colour with each dash once, in both charts"
    assert source.count('class="curve rest"') == 6 and "the other 3 are grey" in source
    assert source.count("<details>") == 15, "folded, where they are many"


def test_components_have_the_colours_of_the_page():
    sheets = [(ROOT / path).read_text(encoding="utf-8") for path in ("gpt/report.css", "playground/static/page.css")]
    mine, theirs = (re.findall(r"(--(?:c-\w+|paper|card|ink|mut|line|acc|bad)): (#\w+)", sheet) for sheet in sheets)
    assert set(mine) <= set(theirs) and len(set(mine)) == 26


# Markdown


def test_whatever_anyone_wrote_is_text_in_markdown(store):
    run = new(store, {"sample.prompt": "a|b\n`c`"}, text=HOSTILE, prompt="<script>p</script>")
    other = new(store, text="`" * 7)
    store.describe(run, title="a|b\n# <script>`x` [y](z) *w* &amp;")
    told = markdown(gather(store, [run, other]), "<b>|title", study(effect("<script>|n", None, note="x|y", verdict="a\n|b")))
    outside, fence, inside = [], "", []
    for line in told.split("\n"):
        opened = re.match(r"`{3,}", line)
        if not fence and opened:
            fence = opened.group()
        elif fence and line.strip() == fence:
            fence = ""
        else:
            (inside if fence else outside).append(line)
    assert not fence and HOSTILE.split("\n")[2] in inside and "`" * 7 in "\n".join(inside)
    own = "<details><summary>All options</summary>|</details>"
    plain = re.sub(r"\\.", "", re.sub(own, "", "\n".join(outside)))
    assert not set(plain) & set("<>`[]*&") and plain.count("\n#") == told.count("\n## ")
    tables = [re.sub(r"\\.", "", line) for line in outside if line.startswith("|")]
    widths = [line.count("|") for line in tables]
    starts = [n for n, line in enumerate(tables) if line.startswith("|---")]
    assert all(widths[n - 1] == widths[n] == widths[n + 1] for n in starts) and len(starts) == 3


def test_markdown_has_it_all(store):
    runs = [new(store), new(store, {"model.norm": "rms"})]
    told = markdown(gather(store, runs), "Two runs", study(effect("Attention", 0.2, 0.1, 0.3)))
    for wanted in ("# Two runs\n", "| Attention | +0.2000 | +0.1000 | +0.3000 | 4 |",
                   "| Keep values in range (model.norm) | off | RMSNorm |", "```sh\npython -m gpt train ladder/06-residual",
                   "| 2.1000 | 59,000 |", "```\n100 words\n```"):
        assert wanted in told


def test_many_runs_are_below_each_other(store):
    runs = [new(store, {"train.lr": n / 100}, steps=5) for n in range(1, 12)]
    told = markdown(gather(store, runs), "Many")
    assert "| 11 | lr 0.11 | train.lr = 0.11 |" in told
    inert(page(gather(store, runs), "Many"))


# What is told


def test_curves_checks_and_samples_are_bounded(store):
    run = new(store, steps=1999, checks=999, text="x" * 5000)
    story, = gather(store, [run])
    assert len(story.curve) <= POINTS and story.curve[-1][0] > 1950
    assert len(story.evals) <= POINTS and story.evals[-1].step == 1998
    assert [sample.step for sample in story.samples] == [0, 1000, 1998]
    assert story.samples[0].text == "0 " + "x" * (CHARACTERS - 2) + "... and 4,002 characters more"


def test_what_the_command_does_not_say_is_noted(store):
    mine = new(store)
    forked = new(store, parent=mine, forked_at=50, plan=[(60, {"train.lr": 0.01})])
    own = store.create(replace(RunConfig(), {"data.dataset": "own", "data.text": "a" * 64}), owner="me", preset="gone")
    store.append(forked, [Forked(0, mine, 50, ["embed.weight"], ["head.bias"]),
                          Changed(60, {"train.lr": 0.01, "old.option": "<b>"})])
    stories = gather(store, [mine, forked, own])
    assert stories[0].notes == []
    assert f"went on from run {mine} after step 50" in stories[1].notes[0] and "changed on the way" in stories[1].notes[1]
    assert stories[1].notes[-1] == "What its parent did not have began anew: head.bias."
    assert "preset gone is not there" in stories[2].notes[0] and "a" * 64 in stories[2].notes[1] and "FILE" in stories[2].command
    assert "after step 60: train.lr = 0.01" in page(stories, "x") and "after step 60: train.lr = 0.01" in markdown(stories, "x")


def test_all_options_read_back():
    config = replace(RunConfig(), {"sample.prompt": "é \"q\" \\ \t\n\x7f 🧩", "model.norm": "rms", "train.lr": 1e-5})
    table = tomllib.loads(options_of(config))
    again = replace(RunConfig(), {f"{section}.{name}": v for section, options in table.items() for name, v in options.items()})
    assert values(again) == values(config) and not difference(again, config)
    assert "rope_base = 10000.0  # no effect" in options_of(config)


def test_a_report_is_quick_and_small(store):
    runs = [new(store, {"train.seed": n}, steps=1000, checks=100, text="word & <word> " * 70) for n in range(50)]
    began = time.perf_counter()
    stories = gather(store, runs)
    documents = page(stories, "Fifty"), markdown(stories, "Fifty")
    assert time.perf_counter() - began < 2
    assert all(len(document.encode()) < 2_000_000 for document in documents)


def test_a_report_says_how_many_it_holds(store):
    with pytest.raises(Refusal, match="at least one"):
        gather(store, [])
    with pytest.raises(Refusal, match="up to 200 runs and 201 were chosen: choose fewer"):
        gather(store, [str(n) for n in range(MOST_RUNS + 1)])
    with pytest.raises(UnknownRun):
        gather(store, ["nobody"])
    run = new(store)
    assert len(gather(store, [run, run])) == 1


def test_the_lowest_stands_out_only_where_losses_compare(store):
    runs = [new(store), new(store, {"model.norm": "rms"})]
    store.append(runs[1], [Finished(100, 2.05, 1.0, 59_000)])
    assert 'class="num best">2.0500' in page(gather(store, runs), "x")
    assert 'class="num best"' not in page(gather(store, [*runs, new(store, {"data.tokenizer": "byte"})]), "x")


@pytest.mark.parametrize("title, name", [
    ("What is each part worth?", "gpt-what-is-each-part-worth.html"), ("../../etc/passwd", "gpt-etc-passwd.html"),
    ("Größe: 3 × 4", "gpt-größe-3-4.html"), ("x" * 300, f"gpt-{'x' * 56}.html"), ("CON", "gpt-con.html"),
    ("", "gpt-report.html"), ("\0\n|", "gpt-report.html"),
])
def test_file_names(title, name):
    assert file_name(title, "html") == name


def test_no_torch():
    code = "import sys, gpt.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# Drawing


@pytest.mark.parametrize("wanted", [
    [50], [50, 50, 50], [0, 1, 2, 3], [99, 100, 98, 97], [10, 90, 12, 88, 50], [100 - n / 9 for n in range(20)], [], [3, 96],
])
def test_labels_never_overlap(wanted):
    placed = svg.apart(wanted, 10, 0, 100)
    room = min(10, 100 / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert all(placed[b] - placed[a] >= room - 1e-9 for a, b in zip(order, order[1:]))
    assert all(-1e-9 <= y <= 100 + 1e-9 for y in placed)
    if all(abs(a - b) >= 10 for n, a in enumerate(wanted) for b in wanted[n + 1:]):
        assert placed == wanted, "those that are free stay where they are"


@pytest.mark.parametrize("low, high", [(0, 1500), (2.21, 2.93), (-0.04, 0.3), (0, 7), (1e-9, 2e-9), (5, 5)])
def test_ticks_are_round_and_inside(low, high):
    found = svg.ticks(low, high, 5)
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found) and 1 <= len(found) <= 11


def test_the_average_looks_back_only():
    points = [(1.0, 4.0), (2.0, math.nan), (3.0, 2.0), (4.0, 2.0)]
    smoothed = svg.smooth(points, 2)
    assert smoothed[0] == (1.0, 4.0) and math.isnan(smoothed[1][1]) and 2 < smoothed[3][1] < smoothed[2][1] < 4
    assert svg.smooth(points[2:], 0) == points[2:]


def test_the_first_fall_does_not_press_the_rest_flat():
    falling = svg.Curve([(step, 10.0 if step == 0 else 2 + 0.1 / (step + 1)) for step in range(101)], "r0 d0", "1", "a <b>")
    drawn = svg.curves([falling], "words")
    assert "a &lt;b&gt;" in drawn and ">10<" not in drawn and "</tspan> 2.001<tspan" in drawn
    assert svg.curves([svg.Curve([(0, math.nan)], "r0 d0")], "") == ""
    assert "<svg" in svg.curves([svg.Curve([(0, 4.0)], "r0 d0", "1")], ""), "one point is drawn too"
