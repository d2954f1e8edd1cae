"""The diagram: it shows the model that is built, follows the form, and is a control of it."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict

import pytest
import torch

from gpt.config import ModelConfig
from gpt.model import MLP, Attention, Dropout, build
from gpt.pieces import count_pieces
from support import VOCAB, pairwise

DRAWING = "#model-card .drawing"
IMPORT = "await import(new URL('playground/{}.js', document.baseURI).href)"


def part(visitor, name: str):
    return visitor.page.locator(f"{DRAWING} [data-id='{name}']")


def said(visitor, name: str) -> str:
    return part(visitor, name).get_attribute("aria-label")


def wait_said(visitor, name: str, words: str) -> None:
    visitor.page.wait_for_function("([box, id, words]) => document.querySelector(`${box} [data-id='${id}']`)"
                                   "?.getAttribute('aria-label')?.includes(words)", arg=[DRAWING, name, words])


def press(visitor, name: str) -> None:
    """A click on what is the part's own: others may lie within it."""
    part(visitor, name).locator(".pn, .chip-name, .sum, .end, .times, .tied").first.click()


def wait_focused(visitor, name: str) -> None:
    visitor.page.wait_for_function("(id) => document.activeElement.closest('[data-id]')?.dataset.id === id", arg=name)


def focused(visitor) -> str:
    return visitor.page.evaluate("document.activeElement.closest('[data-id]')?.dataset.id || ''")


@pytest.fixture(autouse=True)
def plain(request):
    """Readers begin each test with the ninth step."""
    if "reader" in request.fixturenames:
        reader = request.getfixturevalue("reader")
        reader.choose("ladder/09-pre-ln")
        wait_said(reader, "layers", "× 3")


# What it shows


def there(cfg: ModelConfig) -> set[str]:
    """The parts that the built model has, by the diagram's ids."""
    model = build(cfg, VOCAB, seed=1)
    if cfg.architecture == "bigram":
        return {"bigram"}
    real, block = {"embedding", "head"}, model.blocks[0] if model.blocks else {}
    real |= {"tie"} if model.head.weight is model.embed.weight else set()
    real |= {"final_norm"} if list(model.final_norm.parameters()) else set()
    real |= {"dropout_embd"} if isinstance(model.drop, Dropout) else set()
    real |= {"layers"} if len(model.blocks) else set()
    for name, sublayer in block.items():
        norms = {where: getattr(sublayer, where) for where in ("before", "out", "after")}
        real |= {f"norm_{name}_{where}" for where, norm in norms.items() if list(norm.parameters())}
        real |= {f"dropout_resid_{name}"} if isinstance(sublayer.drop, Dropout) else set()
        real |= {"residual_mlp" if name == "mlp" else "residual_attn"} if sublayer.join is torch.add else set()
    for module in model.modules():
        if isinstance(module, MLP):
            real |= {"mlp", "activation"} | ({"mlp_proj"} if list(module.proj.parameters()) else set())
        if isinstance(module, Attention):
            real |= {"attention"} | ({"attn_proj"} if list(module.proj.parameters()) else set())
            real |= {"qk_norm"} if list(module.q_norm.parameters()) else set()
            real |= {"dropout_attn"} if isinstance(module.drop, Dropout) else set()
            real |= {"softcap"} if module.softcap else set()
    real |= {"window"} if "attention" in real and cfg.window else set()
    sees = cfg.position in ("learned", "sinusoidal") or (cfg.position in ("rope", "alibi") and "attention" in real)
    return real | ({"position"} if sees else set())


def test_parts_and_counts_are_those_of_the_built_model(reader):
    """On a cover of all options: what is on in the drawing is in the model, what is not is not, and counts add up."""
    cover = pairwise()
    given = [[{f"model.{name}": value for name, value in asdict(cfg).items()}, count_pieces(cfg, VOCAB)] for cfg in cover]
    drawn = reader.page.evaluate("""async ([given, vocab]) => {
        const { describe, partsOf } = %s, { diagram } = %s;
        return given.map(([values, counts]) => {
          const parts = partsOf(describe(values, { counts, vocab })), svg = diagram(values, { counts, vocab });
          return { on: parts.filter(({ off, by }) => !off && !by).map(({ id }) => id), layers: values['model.n_layer'],
            ids: [...svg.querySelectorAll('[data-id]')].map((node) => node.dataset.id).sort(),
            all: parts.map(({ id }) => id).sort(),
            once: parts.filter(({ key }) => ['bigram', 'embedding', 'position', 'final_norm', 'head'].includes(key))
              .reduce((sum, { count }) => sum + count, 0),
            layer: parts.find(({ key }) => key === 'layers')?.sum ?? 0 };
        }); }""" % (IMPORT.format("diagram_parts"), IMPORT.format("diagram")), [given, VOCAB])
    for cfg, seen in zip(cover, drawn):
        assert set(seen["on"]) == there(cfg), cfg
        assert len(set(seen["on"])) == len(seen["on"]) and seen["ids"] == seen["all"], "each part is drawn, once"
        total = sum(p.numel() for p in build(cfg, VOCAB, seed=1).parameters())
        assert seen["once"] + seen["layer"] * (seen["layers"] if "layers" in seen["on"] else 0) == total, cfg


def test_the_order_is_that_of_the_wiring(reader):
    """after(x + drop(out(inner(before(x))))), from the foot up; position on queries and keys lies within attention."""
    tops = reader.page.evaluate("""async () => {
        const { diagram } = %s;
        const svg = diagram({ 'model.norm_place': 'both', 'model.dropout_resid': 0.1, 'model.position': 'rope' });
        document.body.append(svg);
        const box = (id) => svg.querySelector(`[data-id="${id}"] :is(.box, .sum)`).getBoundingClientRect();
        const found = ['residual_mlp', 'dropout_resid_mlp', 'norm_mlp_out', 'mlp', 'norm_mlp_before', 'residual_attn',
          'dropout_resid_attn', 'norm_attn_out', 'attention', 'norm_attn_before', 'embedding'].map((id) => box(id).top);
        const within = box('position').top > box('attention').top && box('position').bottom < box('attention').bottom;
        svg.remove();
        return [...found, within]; }""" % IMPORT.format("diagram"))
    assert tops.pop() is True
    assert tops == sorted(tops)


def test_it_can_be_drawn_for_a_lesson(reader):
    """Without the form: some parts lit, others marked, coloured, small."""
    found = reader.page.evaluate("""async () => {
        const { diagram } = %s, values = { 'model.n_layer': 2 };
        const whole = diagram(values, { lit: ['norm', 'head'], marked: { head: 'was <b>tied</b>' },
          tint: { attention: { fill: 'rgb(1, 2, 3)', layers: ['rgb(4, 5, 6)', 'rgb(7, 8, 9)'], words: 'loud' } } });
        const small = diagram(values, { small: true });
        return { lit: [...whole.querySelectorAll('.lit')].map((node) => node.dataset.id),
          marks: whole.querySelectorAll('.differs').length,
          words: whole.querySelector('[data-id=head] title').textContent, role: whole.getAttribute('role'),
          cells: [...whole.querySelectorAll('.cell')].map((node) => node.style.fill),
          tint: whole.querySelector('.tint').style.fill,
          loud: whole.querySelector('[data-id=attention] title').textContent, tabs: whole.querySelectorAll('[tabindex]').length,
          inner: small.querySelectorAll('[data-id=attn_proj], [data-id=activation]').length,
          turned: diagram({ 'model.position': 'rope' }, { small: true }).querySelectorAll('[data-id=position]').length }; }"""
        % IMPORT.format("diagram"))
    assert set(found["lit"]) == {"norm_attn_before", "norm_mlp_before", "head"}
    assert found["marks"] == 1 and "differs: was <b>tied</b>" in found["words"]
    assert found["cells"] == ["rgb(4, 5, 6)", "rgb(7, 8, 9)"] and found["tint"] == "rgb(1, 2, 3)" and "loud" in found["loud"]
    assert found["role"] == "img" and found["tabs"] == 0 and found["inner"] == 0 and found["turned"] == 1


# A click, and the form


def test_a_click_switches_a_part_and_the_run_is_named_by_it(visit):
    visitor = visit()
    visitor.choose("ladder/09-pre-ln")
    visitor.open("Training")
    visitor.type("train.steps", "20")
    press(visitor, "residual_attn")
    visitor.page.wait_for_selector(f"{DRAWING} [data-id='residual_attn'][aria-checked=false]")
    assert not visitor.page.locator("#o-model-residual_attn").is_checked()
    visitor.train()
    visitor.wait_status("finished")
    visitor.page.wait_for_function("""async () => { const { session, title } = %s;
        return session.runs.some((run) => title(run).includes('residual')); }""" % IMPORT.format("session"))
    press(visitor, "residual_attn")
    assert visitor.page.locator("#o-model-residual_attn").is_checked()
    wait_said(visitor, "residual_attn", "differs: was off")  # from the run
    assert "residual" in visitor.page.locator("#model-card .legend").inner_text().lower()


def test_choices_open_beside_a_part_and_change_the_form(reader):
    press(reader, "attention")
    choices = reader.page.locator("#model-card .choices")
    choices.locator("[data-path='model.attention'] label", has_text="one head").click()
    wait_said(reader, "attention", "1 head × 64")
    assert "differs: was multi-head" in said(reader, "attention")
    own = reader.option("model.attention").locator("input[value=single]")
    assert own.is_checked(), "the form's own radios are a group of their own"
    choices.locator("[data-path='model.attention'] .reset").click()
    wait_said(reader, "attention", "4 heads × 16")
    reader.page.keyboard.press("Escape")
    wait_focused(reader, "attention")
    assert choices.is_hidden()
    press(reader, "more_layers")
    wait_said(reader, "layers", "× 4")
    reader.page.wait_for_function("document.querySelector('#total').textContent === '208,193'")


def test_a_second_click_closes_the_choices(reader):
    press(reader, "mlp")
    choices = reader.page.locator("#model-card .choices")
    assert choices.is_visible() and part(reader, "mlp").get_attribute("aria-expanded") == "true"
    press(reader, "mlp")
    reader.page.wait_for_selector(f"{DRAWING} [data-id='mlp'][aria-expanded=false]")  # said once the browser has closed them
    assert choices.is_hidden()


def test_the_diagram_follows_the_form(reader):
    reader.open("Wiring")
    reader.option("model.norm").locator("label", has_text="off").click()
    ghosts = f"{DRAWING} .ghost[data-key=norm]"
    reader.page.wait_for_function("(ghosts) => document.querySelectorAll(ghosts).length === 2", arg=ghosts)
    reader.open("Feed-forward")
    reader.page.locator("[data-switch='Feed-forward']").evaluate("(box) => box.click()")
    wait_said(reader, "mlp", "off")
    assert part(reader, "residual_mlp").count() == 0, "where there is no MLP, nothing leads around it"
    reader.choose("ladder/01-bigram")
    reader.page.wait_for_selector(f"{DRAWING} [data-id=bigram]")
    assert part(reader, "attention").count() == 0


def test_what_cannot_be_built_is_drawn_as_far_as_it_is_known(reader):
    """Without errors in the console, which the reader's end looks for; and without counts, which there are none of."""
    wait_said(reader, "mlp", "parameters")
    mlp = f"{DRAWING} [data-id=mlp]"
    for path, typed, name, words in (("n_head", 10**9, "attention", "1,000,000,000 heads"), ("n_embd", "wide", "mlp", "→ ?"),
                                     ("n_layer", -3, "layers", "× -3"), ("expansion", 0, "mlp", "→ 1")):
        reader.page.evaluate("async (values) => { const { set } = %s; set(values); }" % IMPORT.format("state"),
                             {f"model.{path}": typed})
        wait_said(reader, name, words)
        reader.page.wait_for_selector("#problems li")
        reader.page.wait_for_function("(mlp) => !/parameters/.test(document.querySelector(mlp).ariaLabel)", arg=mlp)
        reader.page.evaluate("async () => { const { form, load } = %s; load(form.preset.id); }" % IMPORT.format("state"))
        wait_said(reader, "mlp", "parameters")


def test_by_keyboard(reader):
    part(reader, "head").focus()
    for _ in range(2):
        reader.page.keyboard.press("ArrowDown")
    assert focused(reader) == "final_norm"
    reader.page.keyboard.press("Space")
    wait_said(reader, "final_norm", "off")
    assert focused(reader) == "final_norm", "the focus stays on a part that is drawn anew"
    reader.page.keyboard.press("End")
    assert focused(reader) == "embedding"
    reader.page.keyboard.press("Enter")
    width = reader.page.locator("#model-card .choices [data-path='model.n_embd'] input[type=text]")
    assert reader.page.evaluate("document.querySelector('#model-card .choices').contains(document.activeElement)")
    width.fill("32")
    reader.page.evaluate("async () => { const { emit, form } = %s; emit('checked', form.checked); }" % IMPORT.format("state"))
    reader.page.evaluate("new Promise(requestAnimationFrame)")
    assert width.input_value() == "32", "an answer of the server does not write over what is being typed"
    width.press("Enter")
    wait_said(reader, "embedding", "65 × 32")
    reader.page.keyboard.press("Escape")
    wait_focused(reader, "embedding")
    assert reader.page.locator(f"{DRAWING} [tabindex='0']").count() == 1, "one stop for the Tab key"
    named = reader.page.evaluate("""(box) => [...document.querySelectorAll(`${box} [tabindex]`)].every((node) =>
        node.getAttribute('aria-label') && ['button', 'switch'].includes(node.getAttribute('role')))""", DRAWING)
    assert named


def test_what_a_link_holds_stays(visit, server):
    visitor = visit()
    visitor.page.goto(f"{server.url}#preset=ladder/09-pre-ln&lock=model.residual_attn,model.n_head&hide=Size")
    visitor.page.reload()
    wait_said(visitor, "residual_attn", "held by the link")
    press(visitor, "residual_attn")
    assert said(visitor, "residual_attn").startswith("Residual around attention, on")
    assert "holds it" in visitor.page.locator(".toast").inner_text()
    press(visitor, "attention")
    row = visitor.page.locator("#model-card .choices [data-path='model.n_head'] input[type=text]")
    assert row.is_disabled()
    visitor.page.keyboard.press("Escape")
    assert part(visitor, "more_layers").get_attribute("tabindex") is None, "a hidden group's options are not offered"


def test_choices_fit_a_phone_and_the_large_drawing_takes_clicks(visit):
    visitor = visit(width=390, height=844, color_scheme="dark")
    visitor.choose("ladder/09-pre-ln")
    wait_said(visitor, "layers", "× 3")
    press(visitor, "attention")
    box = visitor.page.locator("#model-card .choices").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] >= 0 and box["y"] + box["height"] <= 844
    visitor.page.keyboard.press("Escape")
    visitor.page.click("#model-larger")
    visitor.page.locator("#model-dialog [data-id=norm_mlp_before] .pn").click()
    visitor.page.locator("#model-dialog .choices label", has_text="RMSNorm").click()
    visitor.page.wait_for_selector("#model-dialog [data-id=norm_mlp_before][aria-label^=RMSNorm]")
    visitor.page.keyboard.press("Escape")
    assert visitor.page.locator("#model-dialog").is_visible(), "Escape closes the choices first"
    visitor.page.keyboard.press("Escape")
    assert visitor.page.locator("#model-dialog").is_hidden()
    wait_said(visitor, "norm_mlp_before", "RMSNorm")


# Saved, and coloured


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_saved_file_needs_nothing_else(visit, scheme):
    visitor = visit(color_scheme=scheme)
    visitor.choose("ladder/09-pre-ln")
    wait_said(visitor, "layers", "× 3")
    with visitor.page.expect_download() as coming:
        visitor.page.click("#model-save")
    text = coming.value.path().read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert coming.value.suggested_filename == "model-pre-ln.svg" and root.tag.endswith("svg")
    assert next(root.iter("{http://www.w3.org/2000/svg}title")).text == "Pre-LN"
    assert not re.search(r"var\(|color\(|class=|tabindex|<style", text)
    paper = next(root.iter("{http://www.w3.org/2000/svg}rect")).get("fill")
    assert min(map(int, re.findall(r"\d+", paper))) > 240, "light, whatever the page's theme"
    names = {node.text for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Head", "Attention", "MLP", "LayerNorm", "Embedding"} <= names


def test_signals_colour_the_parts_while_a_run_goes(visit):
    visitor = visit()
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url) if request.url.endswith("ask/health") else None)
    visitor.choose("ladder/09-pre-ln")
    visitor.open("Training")
    visitor.type("train.steps", "3000")
    visitor.train()
    visitor.wait_step(40)
    assert not asked and visitor.page.locator(f"{DRAWING} .tint").count() == 0, "off, it costs nothing"
    visitor.page.locator("[name=tint][value=gradients]").press("Space")
    wait_said(visitor, "attention", "gradient RMS")
    assert visitor.page.locator(f"{DRAWING} [data-id=attention] .cell").count() == 3
    step = visitor.page.locator(".tint-says").inner_text()
    visitor.page.wait_for_function("(step) => document.querySelector('.tint-says').textContent !== step", arg=step)
    assert re.search(r"step [\d,]+", step) and visitor.page.locator("#model-card .ramp").is_visible()
    press(visitor, "final_norm")  # the form is another model now
    visitor.page.wait_for_function("/differs from the shown run/.test(document.querySelector('.tint-says').textContent)")
    assert visitor.page.locator(f"{DRAWING} .tint").count() == 0
    visitor.page.locator("[name=tint][value=off]").press("Space")
    before = len(asked)
    visitor.end()
    assert len(asked) == before
