"""The ladder's lessons: their words are bounded, their formulas are what the model computes, and what came of a step is
taken within one text, from the visitor's own runs before what was measured."""

import math
import re
from dataclasses import replace as put
from pathlib import Path
from statistics import mean

import pytest
import torch

from gpt import ladder
from gpt.config import DataConfig, RunConfig
from gpt.events import Finished, Started, Step
from gpt.lessons import LETTERS, SENTENCES, read_lesson, sentences
from gpt.model import build, count_parameters
from gpt.options import ConfigError, Refusal, difference, has_effect, replace
from gpt.presets import list_presets, previous
from gpt.store import RunStore
from gpt.texts import DATASETS
from playground import lessons
from playground.mathml import FormulaError, mathml

LADDER = {preset.number: preset for preset in list_presets() if preset.number}
ANN, BOB = "Ann_----------------01", "Bob_----------------02"
README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
V = 65
each = pytest.mark.parametrize("preset", LADDER.values(), ids=lambda preset: preset.id)


# Words


@each
def test_every_step_has_a_lesson_of_bounded_words(preset):
    lesson = preset.lesson
    assert sentences(lesson.idea) == SENTENCES
    for text in (lesson.idea, lesson.because, lesson.experiment.look):
        assert text.endswith((".", "?")) and "  " not in text
    assert len(lesson.experiment.label) <= LETTERS["label"] and lesson.lit


@each
def test_an_experiment_changes_what_it_says_and_nothing_in_vain(preset):
    tried = preset.lesson.experiment
    config = replace(preset.config, tried.changes)
    assert config.problems() == []
    assert set(difference(config, preset.config)) == set(tried.changes)
    for path in tried.changes:
        section, name = path.split(".")
        assert has_effect(getattr(config, section), name), path
    assert bool(tried.changes) == (tried.opens == "train")


@each
def test_a_symbol_that_is_explained_stands_in_the_formula(preset):
    formula = "".join(preset.lesson.formula).replace(" ", "").replace("{", "").replace("}", "")
    for symbol in preset.lesson.symbols:
        assert symbol.written.replace(" ", "").replace("{", "").replace("}", "") in formula, symbol.written
        told = lessons.sized(symbol.shape, preset.config)
        assert bool(re.search(r"\d", told)) or symbol.shape in ("", "a number", "number by number"), told


def test_shapes_are_told_in_numbers():
    assert lessons.sized("D × C", LADDER[3].config) == "D × C = 16 × 64"
    assert lessons.sized("1 to L", LADDER[11].config) == "1 to L = 1 to 6"
    assert lessons.sized("a number", LADDER[3].config) == "a number"


TABLE = {"idea": "A. B. C.", "lit": ["mlp"], "formula": ["x"], "symbols": [["x", "it", ""]], "because": "So.",
         "experiment": {"label": "Try", "look": "There.", "opens": "train", "changes": {"train.lr": 0.01}}}


@pytest.mark.parametrize("wrong, message", [
    ({"idea": "Only 0.5 of one. And two."}, "2 sentences: use 3"),
    ({"because": "x" * 1000}, "because has 1000 letters: use 1 to"),
    ({"lit": []}, "lesson.lit: use a list of 1"),
    ({"symbols": [["x", "it"]]}, "lesson.symbols: each is"),
    ({"colour": 1}, "there is no key colour"),
    ({"experiment": {**TABLE["experiment"], "opens": "moon"}}, "use one of train, ablate, inspect"),
    ({"experiment": {**TABLE["experiment"], "changes": {"model.n_heads": 1}}}, "n_heads"),
    ({"experiment": {**TABLE["experiment"], "changes": {"model.n_head": 5}}}, "n_head"),
    ({"experiment": 1}, "lesson.experiment is no table"),
])
def test_what_is_wrong_with_a_lesson_is_said(wrong, message):
    read_lesson(TABLE, RunConfig())
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_lesson(TABLE | wrong, RunConfig())


# Formulas


def test_notation_becomes_mathml():
    assert mathml("x_t^2") == ["math", ["msubsup", ["mi", "x"], ["mi", "t"], ["mn", "2"]]]
    assert mathml(r"\frac{a}{\sqrt{D}}") == ["math", ["mfrac", ["mi", "a"], ["msqrt", ["mi", "D"]]]]
    below = ["mrow", ["mi", "s"], ["mo", "≤"], ["mi", "t"]]
    assert mathml(r"\sum_{s \le t} v_s") == ["math", ["mrow", ["munder", ["mo", "∑"], below], ["msub", ["mi", "v"], ["mi", "s"]]]]
    assert mathml(r"\hat{m}") == ["math", ["mover", {"accent": "true"}, ["mi", "m"], ["mo", "^"]]]


@pytest.mark.parametrize("line, message", [
    (r"\foo", "there is no \\foo"), ("x_", "missing at the end"), ("{x", "a } is missing"), ("x}", "a } too many"),
    ("_t", "nothing to stand on"), ("x_a_b", "two _"), ("<b>", "'<' means nothing"), ("x" * 300, "300 letters"),
])
def test_what_is_no_formula_is_refused_in_words(line, message):
    with pytest.raises(FormulaError, match=re.escape(message)):
        mathml(line)


def by_formula(number: int, model, tokens: torch.Tensor) -> torch.Tensor:
    """The scores of one text, (T, V), as the formula of a lesson has it."""
    cfg = model.cfg

    def relu(x):
        return x.clamp_min(0)

    def layer_norm(norm, x):
        centred = x - x.mean(-1, keepdim=True)
        return norm.weight * centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() + norm.bias

    def attention(layer, x):
        found = []
        for h in range(cfg.heads):
            rows = slice(h * cfg.head_dim, (h + 1) * cfg.head_dim)
            q, k, v = (x @ w[rows].T for w in layer.qkv.weight.split(cfg.n_embd))
            y = torch.zeros_like(v)
            for t in range(len(x)):
                scores = torch.stack([q[t] @ k[s] / math.sqrt(cfg.head_dim) for s in range(t + 1)])
                raised = (scores - scores.max()).exp()  # none overflows
                a = raised / raised.sum()
                y[t] = sum(a[s] * v[s] for s in range(t + 1))
            found.append(y)
        together = torch.cat(found, dim=-1)
        return together @ layer.proj.weight.T + layer.proj.bias if cfg.attn_proj else together

    def mlp(layer, x):
        bent = relu(x @ layer.fc.weight.T + layer.fc.bias)
        return bent @ layer.proj.weight.T + layer.proj.bias if cfg.mlp_proj else bent

    if number == 1:
        return torch.stack([model.table.weight[c] for c in tokens])
    x = model.embed.weight[tokens] + model.position.table.weight[: len(tokens)]
    for block in model.blocks:
        for name, inner in (("attn", attention), ("mlp", mlp)):
            if name not in block:
                continue
            sub = block[name]
            if number <= 5:
                x = inner(sub.inner, x)
            elif number <= 7:
                x = x + inner(sub.inner, x)
            elif number == 8:
                x = layer_norm(sub.after, x + inner(sub.inner, x))
            else:
                x = x + inner(sub.inner, layer_norm(sub.before, x))
    x = layer_norm(model.final_norm, x) if number >= 9 else x
    return x @ model.head.weight.T + model.head.bias


@pytest.mark.parametrize("number", range(1, 13))
def test_each_formula_is_what_the_model_computes(number):
    cfg = LADDER[number].config.model
    model = build(cfg, V, seed=3).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # off their start, so that no bias is zero
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        tokens = torch.arange(cfg.block_size) * 7 % V
        torch.testing.assert_close(by_formula(number, model, tokens), model(tokens[None])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("number", [11, 12])
def test_the_number_of_parameters_is_the_formulas(number):
    preset = LADDER[number]
    right = " ".join(preset.lesson.formula[:2]).split("=")[1].replace("^", "**").replace(" ( ", " * ( ")
    product = re.sub(r"(?<=[\dA-Z]) (?=[A-Z(])", " * ", right)
    m = preset.config.model
    count = eval(product, {"V": V, "C": m.n_embd, "T": m.block_size, "L": m.n_layer})
    assert count == count_parameters(m, V)["total"]


# What came of a step


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path)
    yield store
    store.close()


def trained(store, number: int, val: float, owner: str = ANN, begun: int = 0, **changes) -> tuple[str, list[float]]:
    """A finished run of a step, with the losses of its batches."""
    preset = LADDER[number]
    config = replace(preset.config, changes)
    run = store.create(config, owner=owner, preset=preset.id)
    steps = config.train.steps
    losses = [2 + 2 / step + 0.01 * (step % 7) for step in range(1, steps + 1)]
    store.append(run, [Started(begun, 1000, V, 3.3, 2.4, 256, "CPU, 1 thread", "f" * 64, {"gpt": "0"}),
                       *(Step(step, loss, step * 0.01) for step, loss in enumerate(losses, 1) if step > begun),
                       Finished(steps, val, 9.0, 59_405)])
    store.set_status(run, "finished")
    return run, losses


def asked(number: int, owner: str = ANN, **fields):
    return {"visitor": owner, "preset": LADDER[number].id, "changes": {}} | fields


def test_without_runs_what_was_measured_is_told(store):
    found, measured = lessons.reveal(store, asked(5)), {n: LADDER[n].measured["tinyplays"] for n in (4, 5)}
    assert (found["own"], found["text"], found["below"]) == (None, "tiny plays", "MLP")
    assert found["before"] == {"training": measured[4].training, "validation": measured[4].validation, "run": None}
    assert found["change"] == pytest.approx(measured[5].validation - measured[4].validation) and found["change"] > 0
    assert found["published"]["ours"] == pytest.approx(measured[5].training - measured[4].training)


def test_own_runs_go_before_what_was_measured_and_nobody_elses(store):
    below, losses = trained(store, 4, 2.111)
    trained(store, 4, 1.0, owner=BOB)
    trained(store, 4, 1.1, **{"model.n_head": 2})  # another model
    trained(store, 4, 1.2, **{"train.steps": 3000})  # not as long
    found = lessons.reveal(store, asked(5))
    assert (found["before"]["run"], found["before"]["validation"], found["own"]) == (below, 2.111, None)
    own, _ = trained(store, 5, 2.222, **{"train.device": "cpu"})  # where it was trained makes no other step
    found = lessons.reveal(store, asked(5))
    assert found["own"] == own == found["here"]["run"] and found["change"] == pytest.approx(0.111)
    ours, _ = ladder.compare(losses, LADDER[4].published)
    assert found["before"]["training"] == pytest.approx(ours), "as in the README's table"


def test_a_run_whose_weights_came_from_a_file_is_not_what_a_step_came_to(store):
    """Its first steps were taken elsewhere, and its optimiser began anew: it has no losses around what was published."""
    trained(store, 5, 2.0, begun=4500)
    found = lessons.reveal(store, asked(5))
    assert found["own"] is None and found["here"]["validation"] == LADDER[5].measured["tinyplays"].validation


def test_the_first_step_is_told_against_guessing(store):
    found = lessons.reveal(store, asked(1))
    assert found["below"] is None and found["before"]["validation"] == pytest.approx(math.log(V))
    assert found["change"] == pytest.approx(LADDER[1].measured["tinyplays"].validation - math.log(V))


def test_differences_are_taken_within_one_text(store):
    trained(store, 4, 2.0)
    text = {"data.dataset": "tinyshakespeare"}
    found = lessons.reveal(store, asked(5, changes=text))
    assert found["text"] == "tiny Shakespeare"
    assert found["before"]["validation"] == LADDER[4].measured["tinyshakespeare"].validation
    own = {"data.dataset": "own", "data.text": "a" * 64}
    run, _ = trained(store, 5, 0.5, **own)
    found = lessons.reveal(store, asked(5, changes=own))  # the step before was not trained on it
    assert (found["text"], found["own"], found["here"]["run"]) == ("tiny plays", run, None)
    trained(store, 4, 0.9, **own)
    found = lessons.reveal(store, asked(5, changes=own))
    assert (found["text"], found["here"]["run"]) == ("my own text", run) and found["change"] == pytest.approx(-0.4)
    found = lessons.reveal(store, asked(5, changes={"data.tokenizer": "byte"}))
    assert found["text"] == "tiny plays" and found["here"]["run"] is None, "nothing is measured in bytes"
    assert found["unit"] == "character"
    for number in (4, 5):
        trained(store, number, 2.0, **{"data.tokenizer": "byte"})
    assert lessons.reveal(store, asked(5, changes={"data.tokenizer": "byte"}))["unit"] == "token"


@pytest.mark.parametrize("guess, change, right", [
    (-0.1, -0.2, True), (0.1, -0.2, False), (0.0, 0.01, True), (0.0, -0.2, False), (-0.1, 0.01, False), (0.01, -0.01, True),
])
def test_a_guess_is_judged_by_its_way(guess, change, right):
    assert lessons.judged(guess, change) == {"change": guess, "off": pytest.approx(guess - change), "right": right}


@pytest.mark.parametrize("guess", [None, True, "0.1", math.nan, math.inf, 50, []])
def test_what_is_no_guess_is_not_judged(guess):
    assert lessons.judged(guess, 0.1) is None


def test_published_changes_come_with_how_far_chance_may_have_moved_them():
    here, before = (lessons.Figure(2.0, 2.0), lessons.Figure(2.5, 2.5))
    preset, below = (put(LADDER[5], published={0: 9.0, 1: 2.0, 2: 4.0}), put(LADDER[4], published={0: 9.0, 1: 1.0, 2: 1.0}))
    found = lessons.published(preset, below, here, before)
    assert (found["change"], found["ours"], found["count"]) == (2.0, -0.5, 2)
    assert found["give"] == pytest.approx(2 * math.sqrt(2.0 / 2))  # variance 2 over two points, and none


# Figures are declared once


def test_what_was_measured_is_the_readmes_table():
    rows = re.findall(r"^\| (\d+)\. ([^|]+) \| [\d,]+ \| ([\d.]+) \| ([\d.]+) \| ([-+.\d]+) \| ([\d.]+) \|$", README, re.M)
    assert [int(number) for number, *_ in rows] == list(LADDER)
    for number, title, ours, published, off, validation in rows:
        preset = LADDER[int(number)]
        assert title == preset.title
        assert preset.measured["tinyshakespeare"] == (float(ours), float(validation))
        assert float(published) == pytest.approx(mean(lessons.batches(preset)), abs=6e-4)
        assert float(off) == pytest.approx(float(ours) - float(published), abs=1.1e-3)


@each
def test_every_step_and_the_one_before_are_measured_on_one_text(preset):
    before = previous(preset)
    data = lessons.measured_on(preset, before)
    assert set(preset.measured) <= set(DATASETS) and "tinyshakespeare" in preset.measured
    assert before is None or preset.measured[data.dataset] != before.measured[data.dataset]


def test_what_is_not_measured_on_the_usual_text_is_told_of_another(store, monkeypatch):
    assert lessons.measured_on(LADDER[2], LADDER[1]) == DataConfig()
    partly = put(LADDER[5], measured={"tinyshakespeare": LADDER[5].measured["tinyshakespeare"]})
    monkeypatch.setattr(lessons.form, "config_of", lambda asked: (partly, partly.config))
    found = lessons.reveal(store, asked(5))
    assert found["text"] == "tiny Shakespeare"
    assert found["before"]["validation"] == LADDER[4].measured["tinyshakespeare"].validation
    with pytest.raises(Refusal, match="no figures"):
        lessons.measured_on(put(partly, measured={}), LADDER[4])
