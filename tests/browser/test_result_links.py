"""A result link shows what came of runs, to be read only; what is wrong with one is said, and nothing in it is believed."""

import base64
import json
import math
import zlib

import pytest

from gpt import link
from gpt.config import RunConfig
from gpt.events import Changed, Eval, Event, Finished, Sample, Started, Step
from gpt.options import replace
from gpt.presets import load, named
from gpt.store import RunStore

PRESET = "ladder/03-multi-head"
OTHER = "<img src=x onerror=document.title='hacked'>"
FORM = """() => import(new URL('playground/state.js', document.baseURI).href)
    .then(({ form }) => ({ preset: form.preset.id, changes: form.changes }))"""


def made(store: RunStore, loss: float, changes: dict | None = None, owner: str = "someone else", title: str = "",
         characters: float = 1.0) -> str:
    """A finished run of 100 steps that ends at about `loss`."""
    preset = load(PRESET)
    config: RunConfig = replace(preset.config, {"train.steps": 100} | (changes or {}))
    run = store.create(config, owner=owner, preset=PRESET, **named(config, preset.config))
    begun = Started(0, 21_185, 65, 3.3, 2.4, config.tokens_per_step, "CPU", "f" * 64, {}, characters=characters)
    told: list[Event] = [begun, Eval(0, 4.2, 0.0)]
    told += [Step(n, loss + 2 * math.exp(-n / 15), 0.01 * n) for n in range(1, 101)]
    told += [Changed(50, {"train.lr": 1e-4}), Eval(100, loss + 0.05, 1.0), Sample(100, "O", f" my {OTHER} words")]
    store.append(run, [*told, Finished(100, loss + 0.051, 1.0, 5000)])
    if title:
        store.describe(run, title=title)
    return run


def packed(about: object) -> str:
    """A link of anything at all."""
    packer = zlib.compressobj(9, wbits=-15)
    raw = about if isinstance(about, bytes) else json.dumps(about).encode()
    return "result=1." + base64.urlsafe_b64encode(packer.compress(raw) + packer.flush()).decode().rstrip("=")


def unpacked(text: str) -> dict:
    code = text.removeprefix("result=1.")
    return json.loads(zlib.decompress(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)), wbits=-15))


@pytest.fixture
def store(server):
    store = RunStore(server.home)
    yield store
    store.close()


def shared(store: RunStore, *runs: str) -> str:
    return link.fragment(store, [store.run(run) for run in runs])


def opened(visit, server, text: str, **how):
    """A new visitor's page, opened by a link; with what it shows."""
    visitor = visit(**how)
    visitor.page.goto("about:blank")
    visitor.load(f"{server.url}#{text}")
    visitor.page.wait_for_selector("#result-dialog[open]")
    return visitor, visitor.page.locator("#result-dialog")


def test_a_result_is_shown_and_closed_with_nothing_lost(visit, server, store):
    visitor = visit()
    visitor.choose("ladder/08-post-ln")
    visitor.open("Size")
    visitor.type("model.n_layer", "5")
    visitor.page.wait_for_function("location.hash.includes('n_layer=5')")
    before, address = visitor.page.evaluate(FORM), visitor.page.url
    text = shared(store, made(store, 2.2, {"model.norm": "rms"}, title=OTHER))
    visitor.page.evaluate("(text) => { location.hash = text; }", text)
    dialog = visitor.page.locator("#result-dialog")
    dialog.wait_for()
    said = dialog.inner_text()
    for words in ("nothing of it was computed here", "2.250", "2.251", "RMSNorm", "21,185", "tiny plays (ffffffff)",
                  "lr 1e-4 at step 50"):
        assert words in said, words
    assert dialog.locator("h2").inner_text() == OTHER and dialog.locator("pre").inner_text() == f"O my {OTHER} words"
    visitor.page.wait_for_selector("#result .main-svg")
    assert visitor.page.evaluate(FORM) == before and "result=1." in visitor.page.url
    visitor.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    visitor.page.wait_for_function("(address) => location.href === address", arg=address)
    assert visitor.page.evaluate(FORM) == before and visitor.page.title() == "GPT Playground"


def test_its_settings_are_loaded_and_the_teachers_wishes_with_them(visit, server, store):
    text = shared(store, made(store, 2.2, {"model.norm": "rms", "data.dataset": "own", "data.text": "ab" * 32}))
    visitor, dialog = opened(visit, server, f"{text}&lock=model.norm&ask=Which%20norm%3F&hide=Sampling")
    page = visitor.page
    assert dialog.locator(".asked").inner_text() == "Which norm?" and "author’s own" in dialog.inner_text()
    assert page.locator(".lock").count() == 0, "held before they are loaded"
    page.click("#result-load")
    assert page.evaluate(FORM) == {"preset": PRESET, "changes": {"train.steps": 100, "model.norm": "rms"}}
    assert page.locator("#question").inner_text() == "Which norm?" and page.locator("[data-switch=Normalisation]").is_disabled()
    address = "model.norm=rms&train.steps=100&lock=model.norm&hide=Sampling&ask=Which norm?"
    page.wait_for_function("(address) => decodeURIComponent(location.hash).endsWith(address)", arg=address)
    assert visitor.run == "" and page.evaluate("document.activeElement.id") == "train"


def test_several_are_compared_and_lie_over_ones_own(visit, server, store):
    runs = [made(store, 2.2), made(store, 2.4, {"train.lr": 3e-4}), made(store, 2.6, {"train.lr": 1e-2})]
    visitor, dialog = opened(visit, server, shared(store, *runs))
    page = visitor.page
    assert dialog.locator("h2").inner_text() == "3 runs" and dialog.locator("td.best").all_inner_texts()[0].startswith("2.250")
    assert "+0.400" in dialog.inner_text() and dialog.locator("article").count() == 3
    page.click("#result-over")
    names = "() => document.querySelector('#chart-root .js-plotly-plot').data.map((t) => t.name)"
    page.wait_for_function(f"({names})().filter((name) => name.startsWith('result-')).length === 3")
    assert "3 curves of a shared result" in page.locator("#guests").inner_text()
    page.click("#guests button")
    page.wait_for_function(f"({names})().every((name) => !name.startsWith('result-'))")
    page.evaluate("(text) => { location.hash = text; }", shared(store, *runs))
    page.click("th:nth-child(3) .run-acts button")
    assert page.evaluate(FORM)["changes"] == {"train.steps": 100, "train.lr": 3e-4}


def test_losses_of_other_tokens_are_shown_in_bits_a_character(visit, server, store):
    runs = [made(store, 2.2), made(store, 4.4, {"data.tokenizer": "bpe"}, characters=2.5)]
    _, dialog = opened(visit, server, shared(store, *runs))
    assert dialog.locator(".unit").inner_text() == "loss, bits a character"
    assert "compare bits a character" in dialog.locator(".cautions").inner_text()
    assert "2.569" in dialog.locator("td.best").inner_text(), "4.451 nats a token of 2.5 characters"


def test_a_link_is_copied_for_the_shown_run_and_for_ticked_ones(visit, server, store):
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.page
    owner = page.evaluate("import(new URL('playground/session.js', document.baseURI).href).then((m) => m.session.visitor)")
    runs = [made(store, 2.2, {"train.seed": seed}, owner=owner) for seed in range(2, 7)]
    page.reload()
    page.wait_for_selector("#chart-root[data-status=finished]")
    page.click("#share")
    page.wait_for_function("document.querySelector('#share').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == f"{server.url}#{shared(store, runs[-1])}"
    page.click("button[data-view=compare]")
    for run in runs[:2]:
        page.locator(f".grid-row[data-key='{run}'] input").click()
    page.click("#share-ticked")
    page.wait_for_function("document.querySelector('#share-ticked').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == f"{server.url}#{shared(store, *runs[:2])}"
    for run in runs[2:]:
        page.locator(f".grid-row[data-key='{run}'] input").click()
    page.wait_for_selector("#share-ticked:disabled")


# Links that somebody has made by hand --------------------------------------------------------------------------------


def broken(visitor, text: str) -> str:
    """What is said of a link that cannot be shown; "" of one that can."""
    return visitor.page.evaluate("""async (text) => {
        const { readResult } = await import(new URL('playground/result_text.js', document.baseURI).href);
        return (await readResult(text.slice('result='.length))).broken || ''; }""", text)


def test_links_that_are_not_what_they_should_be_are_refused_in_words(visit, server, store):
    whole = shared(store, made(store, 2.2))
    [run] = unpacked(whole)["runs"]
    visitor, dialog = opened(visit, server, whole[:-7])
    assert "not whole" in dialog.inner_text() and "Ask whoever sent it" in dialog.inner_text()
    assert dialog.locator("button:visible").count() == 2, "more than Close is offered"
    for cut in (whole[:-7], whole[:60], "result=1.", "result=x", "result=1.%3Cb%3E", f"result=1.{'A' * 99}"):
        assert "not whole" in broken(visitor, cut), cut
    assert "version 2" in broken(visitor, whole.replace("=1.", "=2."))
    assert "longer than" in broken(visitor, f"result=1.{'A' * 20_000}")
    visitor.page.evaluate("window.began = performance.now()")
    assert "more than a result" in broken(visitor, packed(b" " * 11_000_000))
    assert visitor.page.evaluate("performance.now() - window.began") < 3000
    deep = b"[" * 20_000 + b"]" * 20_000
    for raw in (b"{", b"\xff\xfe", b'{"runs":[NaN]}'):
        assert "not whole" in broken(visitor, packed(raw)), raw
    for raw in (deep, b"[]", b"null", b"7", b'{"runs":[]}', b'{"runs":{"length":1}}', {"runs": [run] * 5}, {"runs": [[]]}):
        assert "does not hold" in broken(visitor, packed(raw)), raw
    curve, checks = run["curve"], run["checks"]
    for wrong in ({"step": 1e300}, {"step": -1}, {"step": "7"}, {"final": "2"}, {"final": -1}, {"best": 5}, {"best": [1, {}]},
                  {"curve": {"every": 1, "loss": [0] * 5000}}, {"curve": {"every": 1e9, "loss": [1] * 9}}, {"curve": None},
                  {"curve": {**curve, "every": 0}}, {"curve": {**curve, "loss": [1e308, 1e308]}}, {"curve": {**curve, "loss": {"0": 1}}},
                  {"checks": {**checks, "step": [0]}}, {"checks": {**checks, "step": [9, -1]}}, {"parameters": None},
                  {"changes": []}, {"changes": {"model.norm": {"toString": 1}}}, {"name": {}}, {"marks": [[1]]}, {"marks": ["ab"]},
                  {"text": "x"}, {"text": {**run["text"], "print": OTHER}}, {"text": {**run["text"], "vocab": 0}},
                  {"sample": "text"}, {"sample": {"step": 1}}):
        assert "does not hold" in broken(visitor, packed({"runs": [run | wrong]})), wrong
    infinite = json.dumps({"runs": [run]}).replace(f'"final": {run["final"]}', '"final": 1e999').encode()
    assert "1e999" in infinite.decode() and "does not hold" in broken(visitor, packed(infinite))
    assert broken(visitor, whole) == ""
    visitor.page.evaluate("() => { window.DecompressionStream = function () { throw new TypeError('deflate-raw'); }; }")
    assert "current Firefox" in broken(visitor, whole)


def test_what_this_page_does_not_have_is_named_and_left_out(visit, server, store):
    [run] = unpacked(shared(store, made(store, 2.2)))["runs"]
    changes = {"model.norm": "rms", "model.foo": 1, "__proto__": 1, "model.n_layer": 1e9, "train.steps": "soon", OTHER: 1}
    run |= {"changes": changes, "status": OTHER, "name": OTHER * 9, "marks": [[5, OTHER]]}
    run["sample"] |= {"text": OTHER + "x" * 5000}
    visitor, dialog = opened(visit, server, packed({"runs": [run]}) + "&model.n_head=2&lock=nothing")
    said = dialog.locator(".lost").inner_text()
    assert "“model.foo”" in said and "“__proto__”" in said and "more." in said
    assert "unknown" in dialog.inner_text() and len(dialog.locator("pre").inner_text()) < 700
    assert visitor.page.locator("#result img").count() == 0 and visitor.page.title() == "GPT Playground"
    visitor.page.click("#result-load")
    assert visitor.page.evaluate(FORM) == {"preset": PRESET, "changes": {"model.norm": "rms"}}
    visitor.page.evaluate("(text) => { location.hash = text; }", packed({"runs": [run | {"preset": "ladder/99"}]}))
    dialog.wait_for()
    assert "“ladder/99”" in dialog.locator(".lost").inner_text() and visitor.page.locator("#result-load").is_hidden()


def test_a_result_on_a_phone(visit, server, store):
    runs = [made(store, 2.2, {"train.seed": seed}) for seed in range(2, 6)]
    visitor, dialog = opened(visit, server, shared(store, *runs), width=390, height=844, has_touch=True, color_scheme="dark")
    for part in ("#result .body", "html"):
        assert visitor.page.evaluate("(part) => document.querySelector(part).scrollWidth", part) <= 390
    visitor.page.wait_for_selector("#result .main-svg")
    visitor.page.tap("#result .close")
    dialog.wait_for(state="hidden")
