"""Runs side by side: what is ticked in the table is drawn, read, hidden, named, sorted and deleted."""

import math

import pytest

from gpt.config import RunConfig
from gpt.events import Changed, Eval, Event, Started, Step
from gpt.options import replace
from gpt.presets import load, named
from gpt.store import RunStore

PRESET = "ladder/03-multi-head"
TRACES = """() => Object.fromEntries(document.querySelector('#chart-root .js-plotly-plot').data.map((t) =>
    [t.name, { x: [...t.x], y: [...t.y], color: t.line?.color, dash: t.line?.dash, seen: t.visible !== false }]))"""


class Comparing:
    """A visitor whose runs are written into the store, and the Compare view."""

    def __init__(self, visitor, server):
        self.visitor, self.page, self.store = visitor, visitor.page, RunStore(server.home)
        self.owner = self.page.evaluate(
            "import(new URL('playground/session.js', document.baseURI).href).then((m) => m.session.visitor)")

    def add(self, loss: float, changes: dict | None = None, steps: int = 100, characters: float = 1.0,
            **about: object) -> str:
        """A finished run that ends at about `loss`; its tokens hold so many characters."""
        preset = load(PRESET)
        config: RunConfig = replace(preset.config, {"train.steps": steps} | (changes or {}))
        run = self.store.create(config, owner=self.owner, preset=PRESET, **named(config, preset.config) | about)
        begun = Started(0, 20_000, 65, 3.3, 2.4, config.tokens_per_step, "CPU", "f" * 64, {}, 1e6, 500_000, characters)
        told: list[Event] = [begun, Eval(0, 4.2, 0.0)]
        told += [Step(n, loss + 2 * math.exp(-n / 15), 0.01 * n) for n in range(1, steps + 1)]
        self.store.append(run, [*told, Eval(steps, loss + 0.05, 0.01 * steps)])
        self.store.set_status(run, "finished")
        return run

    def open(self) -> None:
        """The Compare view, with what is in the store by now."""
        self.page.reload()
        self.page.wait_for_selector("#chart-root .main-svg")
        self.page.click("button[data-view=compare]")
        self.page.wait_for_selector(".grid-row")

    def row(self, run: str):
        return self.page.locator(f".grid-row[data-key='{run}']")

    def tick(self, *runs: str) -> None:
        """Ticks runs, and waits until they are drawn."""
        for run in runs:
            self.row(run).locator("input[type=checkbox]").click()
        self.drawn(*runs)

    def act(self, run: str, name: str) -> None:
        self.row(run).hover()
        self.row(run).locator(f"[data-act={name}]").click()

    def drawn(self, *runs: str, gone: tuple = ()) -> None:
        """Waits until those runs are on the chart, and the others not."""
        self.page.wait_for_function(f"""([runs, gone]) => {{ const traces = ({TRACES})();
            return runs.every((run) => traces[run]?.x.length) && gone.every((run) => !traces[run]); }}""", arg=[runs, list(gone)])

    def traces(self) -> dict:
        return self.page.evaluate(TRACES)

    def style(self, run: str) -> tuple[str, str]:
        trace = self.traces()[run]
        return trace["color"], trace["dash"]

    def names(self) -> list[str]:
        return self.page.locator(".grid-row .name b").all_inner_texts()

    def point(self, share: float) -> None:
        """The mouse over the chart, so far across."""
        box = self.page.locator("#chart-root .nsewdrag").bounding_box()
        self.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        self.page.wait_for_selector(".crosshair:not([hidden]) li")

    def read(self) -> list[tuple[str, float]]:
        """What the crosshair says, in its order."""
        return [(row.locator("span").inner_text(), float(row.locator("b").inner_text()))
                for row in self.page.locator(".reading li").all()]


@pytest.fixture
def comparing(visit, server):
    """comparing(width=390): a visitor to the Compare view."""
    made = []

    def comparing(**how) -> Comparing:
        made.append(Comparing(visit(**how), server))
        return made[-1]

    yield comparing
    for one in made:
        one.store.close()


def three(comparing) -> tuple[Comparing, str, str, str]:
    """The shown run is the newest; the others are named by what differs."""
    c = comparing()
    plain, normed, still = c.add(2.2), c.add(2.6, {"model.norm": "layer"}), c.add(2.4, {"train.lr": 3e-4})
    c.add(2.0, {"train.seed": 7})
    c.open()
    return c, plain, normed, still


def test_ticked_runs_are_drawn_apart_and_read_at_once_the_lowest_first(comparing):
    c, plain, normed, still = three(comparing)
    c.tick(plain, normed, still)
    styles = {run: c.style(run) for run in (plain, normed, still)}
    assert len(set(styles.values())) == 3
    assert len({dash for _, dash in styles.values()}) == 3, "told apart by their colour alone"
    c.point(0.6)
    values = [value for _, value in c.read()]
    assert len(values) == 4 and values == sorted(values)
    assert [name for name, _ in c.read()] == ["seed 7", "Multi-head", "lr 3e-4", "LayerNorm"]
    c.row(still).locator("input[type=checkbox]").click()
    c.drawn(plain, normed, gone=(still,))
    assert {run: c.style(run) for run in (plain, normed)} == {run: styles[run] for run in (plain, normed)}
    c.open()
    c.drawn(plain, normed)
    assert {run: c.style(run) for run in (plain, normed)} == {run: styles[run] for run in (plain, normed)}, "forgotten"


def test_hidden_and_isolated_runs_come_back(comparing):
    c, plain, normed, still = three(comparing)
    c.tick(plain, normed, still)
    c.act(plain, "hide")
    c.drawn(normed, still, gone=(plain,))
    c.act(normed, "alone")
    c.drawn(normed, gone=(plain, still))
    assert not c.traces()["training"]["seen"]
    c.act(normed, "alone")
    c.drawn(normed, still, gone=(plain,))
    assert c.traces()["training"]["seen"]
    c.act(plain, "hide")
    c.drawn(plain, normed, still)


def test_a_run_beside_the_shown_one_grows_as_well(comparing):
    c = comparing()
    c.visitor.brief(50_000)
    c.visitor.train()
    beside = c.visitor.run
    c.visitor.wait_step(60)
    c.visitor.train()
    c.visitor.wait_step(20)
    c.page.click("button[data-view=compare]")
    c.tick(beside)
    before = c.traces()[beside]["x"][-1]
    c.page.wait_for_function(f"([run, x]) => ({TRACES})()[run].x.at(-1) > x", arg=[beside, before])
    c.visitor.end()
    c.act(beside, "remove")  # also while it trains: that ends it
    c.page.wait_for_function("(run) => !document.querySelector(`.grid-row[data-key='${run}']`)", arg=beside)


def test_a_fork_is_drawn_from_where_it_began_and_changes_are_marked(comparing):
    c = comparing()
    parent = c.add(2.4)
    c.store.append(parent, [Changed(100, {"train.lr": 1e-4})])
    config = replace(load(PRESET).config, {"train.steps": 160})
    child = c.store.create(config, owner=c.owner, preset=PRESET, labels=["longer"], parent=parent, forked_at=60)
    c.store.append(child, [Started(0, 20_000, 65, 3.3, 2.4, config.tokens_per_step, "CPU", "f" * 64, {})])
    c.store.copy_history(parent, child, 60)
    c.store.append(child, [Step(n, 2.2, 0.01 * n) for n in range(61, 161)])
    c.store.set_status(child, "finished")
    c.add(3.0)
    c.open()
    c.tick(child)
    traces = c.traces()
    assert min(traces[child]["x"]) >= 55 and traces["branches"]["x"] == [traces[child]["x"][0]]
    past = traces["inherited"]["x"]
    assert past[0] <= 2 and past[-1] == traces[child]["x"][0], "the curve has a gap"
    c.tick(parent)
    traces = c.traces()
    assert max(traces["changes"]["x"]) == 100
    assert "inherited" not in traces, "its past is drawn twice"
    c.point(99.5 / 160)
    assert c.page.locator(".reading .event").inner_text() == "lr 1e-4"


def test_axes_and_validation(comparing):
    c, plain, normed, _ = three(comparing)
    c.tick(plain, normed)
    assert c.traces()[plain]["x"][-1] == 100
    for unit, last in (("tokens", 100 * 32), ("flops", 1e8), ("seconds", 1.0)):
        c.page.click(f"input[value={unit}] + span")
        assert c.traces()[plain]["x"][-1] == pytest.approx(last)
    c.page.click("input[value=steps] + span")
    c.page.click("input[value=validation] + span")
    assert c.traces()[plain]["x"] == [0, 100] and c.traces()[plain]["y"] == [4.2, 2.25]
    c.page.focus("#chart-root .plot")
    for key in ("End", "ArrowLeft"):
        c.page.keyboard.press(key)
    said = c.page.get_attribute("#chart-root .plot", "aria-valuetext")
    assert said.startswith("step 99, ") and "LayerNorm 2.67" in said
    c.page.keyboard.press("Escape")
    assert not c.page.locator(".crosshair").is_visible()


def test_other_tokens_of_one_text_are_drawn_in_bits_a_character(comparing):
    """By themselves, while they are drawn together; else as chosen."""
    c = comparing()
    chars, pieces = c.add(2.2), c.add(3.3, {"data.tokenizer": "bpe"}, characters=2.0)
    c.add(2.0, {"train.seed": 7})
    c.open()
    nats = c.page.locator("[name=measure][value=nats]")
    c.tick(chars)
    assert c.traces()[chars]["y"][-1] == pytest.approx(2.2, abs=0.1) and nats.is_checked() and nats.is_enabled()
    c.page.click("input[value=bits] + span")
    assert c.traces()[chars]["y"][-1] == pytest.approx(2.2 / math.log(2), abs=0.15)
    c.page.click("input[value=nats] + span")
    c.tick(pieces)
    ends = {run: c.traces()[run]["y"][-1] for run in (chars, pieces)}
    assert ends == pytest.approx({chars: 2.2 / math.log(2), pieces: 3.3 / 2 / math.log(2)}, abs=0.15)
    assert nats.is_disabled() and "other tokens" in c.page.locator("#chart-root .unit").inner_text()
    assert c.row(pieces).locator(".bits").inner_text() == f"{3.35 / 2 / math.log(2):.3f}"
    c.row(pieces).locator("input[type=checkbox]").click()
    c.drawn(chars, gone=(pieces,))
    assert nats.is_enabled() and nats.is_checked() and c.traces()[chars]["y"][-1] == pytest.approx(2.2, abs=0.1)


def test_names_and_tags_outlive_the_page(comparing):
    c, _, normed, still = three(comparing)
    c.row(still).press("F2")
    c.page.keyboard.type("never mind")
    c.page.keyboard.press("Escape")
    c.row(still).press("F2")
    c.page.keyboard.type("my <b>base</b>")
    c.page.keyboard.press("Enter")
    c.act(normed, "tag")
    c.page.keyboard.type("keep, lesson 2")
    c.page.keyboard.press("Enter")
    c.page.wait_for_selector(".own-tag")
    c.page.wait_for_load_state("networkidle")
    c.open()
    assert "my <b>base</b>" in c.names() and c.row(still).locator(".auto").inner_text() == "lr 3e-4"
    assert c.row(normed).locator(".own-tag").all_inner_texts() == ["keep", "lesson 2"]
    c.row(normed).locator(".own-tag").first.click()
    assert c.names() == ["LayerNorm"] and c.page.input_value("#runs-filter") == "tag:keep"


def test_deleted_runs_are_brought_back(comparing):
    c, plain, normed, still = three(comparing)
    c.tick(plain, normed)
    c.page.click("#selection-delete")
    c.drawn(gone=(plain, normed))
    assert c.page.locator(".grid-row").count() == 2 and "Deleted 2 runs" in c.page.locator(".toast").inner_text()
    c.page.click(".toast button")
    c.drawn(plain, normed)
    c.row(still).focus()
    c.page.keyboard.press("Delete")
    c.page.wait_for_function("document.querySelectorAll('.grid-row').length === 3")
    assert c.page.evaluate("document.activeElement.matches('.grid-row')"), "the keyboard is lost"
    c.page.keyboard.press("Control+z")
    c.page.wait_for_function("document.querySelectorAll('.grid-row').length === 4")
    assert [run.id for run in c.store.runs(c.owner)][1:] == [still, normed, plain]


def test_sorted_filtered_and_walked_by_keyboard(comparing):
    c, plain, normed, still = three(comparing)
    c.page.click(".grid-head [data-key=best] button")
    assert c.names() == ["seed 7", "Multi-head", "lr 3e-4", "LayerNorm"]
    c.page.click(".grid-head [data-key=best] button")
    assert c.names() == ["LayerNorm", "lr 3e-4", "Multi-head", "seed 7"]
    assert c.page.get_attribute(".grid-head [data-key=best]", "aria-sort") == "descending"
    c.row(normed).focus()
    c.page.keyboard.press("ArrowDown")
    c.page.keyboard.press("Space")
    c.drawn(still)
    assert c.row(still).get_attribute("aria-selected") == "true"
    c.page.fill("#runs-filter", "finished layer")
    assert c.names() == ["LayerNorm"] and c.page.locator("#runs-count").inner_text() == "1 of 4"
    c.page.fill("#runs-filter", "nothing like this")
    assert "nothing like this" in c.page.locator("#runs-table .empty").inner_text()


def test_a_study_is_one_line_until_it_is_opened(comparing):
    c = comparing()
    for seed in range(3):
        c.add(2.3, {"train.seed": seed}, study="one", labels=["-norm", f"seed {seed}"], arm=0)
    c.add(2.1)
    c.open()
    assert c.page.locator(".grid-row").count() == 2 and "3 runs" in c.page.locator(".group-row").inner_text()
    c.page.click(".group-row .fold")
    assert c.page.locator(".grid-row").count() == 5 and "−norm seed 0" in c.names()


def test_a_thousand_runs_are_no_burden(comparing):
    c = comparing()
    for n in range(1000):
        run = c.store.create(replace(load(PRESET).config, {"train.seed": n}), owner=c.owner, preset=PRESET, labels=[f"seed {n}"])
        c.store.set_status(run, "stopped")
    c.open()
    assert c.page.locator("#runs-count").inner_text() == "1,000" and c.page.locator(".grid-row").count() < 40
    taken = c.page.evaluate("""() => { const filter = document.querySelector('#runs-filter'), begun = performance.now();
        filter.value = 'seed 77'; filter.dispatchEvent(new Event('input')); return performance.now() - begun; }""")
    found = [f"seed {n}" for n in reversed(range(1000)) if "77" in str(n)]
    assert taken < 400 and c.names() == found[: len(c.names())] and len(c.names()) > 12
    c.page.fill("#runs-filter", "")
    c.row(c.page.locator(".grid-row").first.get_attribute("data-key")).focus()
    c.page.keyboard.press("End")
    assert "seed 0" in c.names() and c.page.locator(".grid-row").count() < 60
    assert c.page.locator("#runs .chip").count() <= 16


def test_on_a_phone_rows_have_two_lines_and_a_finger_reads_the_curves(comparing):
    c = comparing(width=390, height=844, has_touch=True)
    one, two = c.add(2.2, {"train.lr": 3e-4}), c.add(2.6)
    c.open()
    c.row(one).tap()
    c.drawn(one)
    assert c.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert c.row(one).locator("[data-act=rename]").is_visible() and not c.row(two).locator("[data-act=rename]").is_visible()
    box = c.page.locator("#chart-root .nsewdrag").bounding_box()
    c.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    c.page.wait_for_selector(".crosshair:not([hidden]) li")
    assert len(c.read()) == 2


def test_nothing_is_drawn_while_nothing_happens(comparing):
    c, plain, normed, _ = three(comparing)
    c.tick(plain, normed)
    c.page.add_init_script("""window.drawn = 0; const native = window.requestAnimationFrame;
        window.requestAnimationFrame = (callback) => { window.drawn += 1; return native.call(window, callback); };""")
    c.open()
    c.point(0.5)
    frames = []
    while min(frames, default=60) > 5 and len(frames) < 20:
        c.page.evaluate("window.drawn = 0")
        c.page.wait_for_timeout(1000)
        frames.append(c.page.evaluate("window.drawn"))
    assert frames[-1] <= 5, f"frames in each second: {frames}"
