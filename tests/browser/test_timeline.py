"""One slider over what runs wrote: it stops where any of them wrote, follows those that train, plays, and marks the curves."""

import math

import pytest

from gpt.events import Eval, Event, Sample, Started, Step
from gpt.options import replace
from gpt.presets import load
from gpt.store import RunStore

PRESET = "ladder/03-multi-head"
SHOWN = """() => [...document.querySelectorAll('#differences .columns article')].map((box) =>
    [box.querySelector('small').textContent, box.querySelector('pre').textContent])"""


@pytest.fixture
def store(server):
    store = RunStore(server.home)
    yield store
    store.close()


def begun(store: RunStore, owner: str, *steps: int, prompt: str = "\n") -> str:
    """A run that has written at `steps`, and still goes."""
    config = replace(load(PRESET).config, {"train.steps": 200, "sample.prompt": prompt})
    run = store.create(config, owner=owner, preset=PRESET)
    store.append(run, [Started(0, 21_185, 65, 3.3, 2.4, 32, "CPU", "f" * 64, {})])
    store.set_status(run, "running")
    last = 0
    for step in steps:
        goes_on(store, run, last, step)
        last = step
    return run


def goes_on(store: RunStore, run: str, after: int, step: int) -> None:
    told: list[Event] = [Step(n, 2 + 2 * math.exp(-n / 15), 0.01 * n) for n in range(after + 1, step + 1)]
    store.append(run, [*told, Eval(step, 4 - step / 100, 0.01 * step), Sample(step, "O", f" <i>{run[:4]}</i> at {step}")])


def compared(visit, store: RunStore, *written: tuple[int, ...], prompts: tuple[str, ...] = ("\n", "\n"), **how):
    """A visitor who compares two runs, and their ids."""
    visitor = visit(**how)
    page = visitor.page
    owner = page.evaluate("import(new URL('playground/session.js', document.baseURI).href).then((m) => m.session.visitor)")
    runs = [begun(store, owner, *steps, prompt=prompt) for steps, prompt in zip(written, prompts, strict=True)]
    page.reload()
    page.wait_for_selector("#chart-root .main-svg")
    page.click("button[data-view=compare]")
    for run in runs:
        page.locator(f".grid-row[data-key='{run}'] input").click()
    wait(page, runs[0], written[0][-1])
    return page, runs


def wait(page, run: str, step: int) -> None:
    page.wait_for_function("""([run, words]) => document.querySelector(`#differences article[data-run='${run}'] pre`)
        ?.textContent.includes(words)""", arg=[run, f"<i>{run[:4]}</i> at {step}"])


def ended(store: RunStore, runs: list[str]) -> None:
    for run in runs:
        store.set_status(run, "finished")


def test_it_stops_where_any_of_them_wrote_and_follows_while_it_is_at_the_end(visit, store):
    page, runs = compared(visit, store, (0, 50, 100), (25, 75))
    one, two = runs
    slider = page.locator("#differences .timeline .slider")
    assert slider.get_attribute("max") == "4" and slider.get_attribute("aria-valuetext") == "step 100"
    wait(page, two, 75)
    assert page.evaluate(SHOWN) == [["step 100 · held out 3.00", f"O <i>{one[:4]}</i> at 100"],
                                    ["step 75 · held out 3.25", f"O <i>{two[:4]}</i> at 75"]]
    assert page.locator(".post line").count() == 0, "a mark where nothing was asked for"
    goes_on(store, one, 100, 125)
    wait(page, one, 125)
    slider.focus()
    for step in (100, 75, 50):
        page.keyboard.press("ArrowLeft")
        assert slider.get_attribute("aria-valuetext") == f"step {step}"
    wait(page, one, 50)
    wait(page, two, 25)
    assert page.locator(".post line").count() == 1
    goes_on(store, two, 75, 150)
    page.wait_for_function("document.querySelector('#differences .timeline .slider').max === '6'")
    assert [told.split(" ·")[0] for told, _ in page.evaluate(SHOWN)] == ["step 50", "step 25"], "it was moved"
    page.keyboard.press("Home")
    page.wait_for_function(f"({SHOWN})()[1][1] === 'nothing yet'")
    page.keyboard.press("End")
    wait(page, two, 150)
    assert page.locator(".post line").count() == 0
    assert page.locator("#differences pre i").count() == 0
    ended(store, runs)


def test_it_plays_to_the_end_and_asks_for_each_text_once(visit, store):
    asked: list[str] = []
    page, runs = compared(visit, store, tuple(range(0, 60, 10)), (0, 55), prompts=("\n", "Once"))
    page.on("request", lambda request: asked.append(request.post_data) if request.url.endswith("/writing") else None)
    said = page.locator("#differences .about:visible").all_inner_texts()
    assert said == ["Different prompts: what they write differs for that, too."]
    page.click("#differences .play")
    wait(page, runs[1], 0)
    assert page.locator("#differences .play").get_attribute("aria-label") == "Pause"
    page.wait_for_selector("#differences .play[title^=Play]")
    assert page.locator("#differences output").first.inner_text() == "step 55"
    wait(page, runs[1], 55)
    ended(store, runs)
    page.wait_for_function("document.querySelector('#chart-root').dataset.status === 'finished'")
    assert 0 < len(asked) == len(set(asked)) <= 8


def test_the_shown_runs_samples_have_it_too_and_it_fits_a_phone(visit, store):
    page, runs = compared(visit, store, (0, 50, 100), (0, 60), width=390, height=844, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("button[data-view=train]")
    page.wait_for_selector("#samples .slider")
    page.locator("#samples .slider").focus()
    page.keyboard.press("ArrowLeft")
    card = page.locator("#samples .sample[aria-current]")
    card.wait_for()
    assert "step 0" in card.inner_text() and page.locator(".post line").count() == 1
    page.wait_for_function("(left) => Math.abs(document.querySelector('#samples .strip').scrollLeft - left) < 60", arg=0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ended(store, runs)
