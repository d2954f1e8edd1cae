"""Presets: each one read, built, trained and sampled; the ladder's sizes; and what is wrong with a file, in words."""

from dataclasses import replace

import pytest

from gpt.config import DataConfig, RunConfig
from gpt.events import Eval, Finished, Sample, Step
from gpt.model import count_parameters
from gpt.options import ConfigError, difference, has_effect
from gpt.presets import FOLDER, list_presets, load, previous, read
from gpt.run import Run
from support import own_text

PRESETS = list_presets()
LADDER = [preset for preset in PRESETS if preset.group == "ladder"]
each = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
V = 65  # characters of tiny plays and of tiny Shakespeare


def test_the_ladder_is_the_seeds_twelve_steps_in_order():
    assert [preset.id for preset in LADDER] == [f"ladder/{name}" for name in (
        "01-bigram", "02-head", "03-multi-head", "04-mlp", "05-blocks", "06-residual", "07-deep-mlp", "08-post-ln",
        "09-pre-ln", "10-dropout", "11-deep", "12-gpu")]
    assert [preset.number for preset in LADDER] == list(range(1, 13))
    assert PRESETS[:12] == tuple(LADDER) and {p.id for p in PRESETS[12:]} >= {"modern/gpt2", "modern/llama"}
    assert all(preset.number is None for preset in PRESETS[12:])
    assert len(PRESETS) == len(list(FOLDER.rglob("*.toml")))  # none lies where it is not found


@pytest.mark.parametrize("name, total", [("01-bigram", 4_225), ("11-deep", 309_313), ("12-gpu", 1_208_385)])
def test_parameter_counts_are_the_published_ones(name, total):
    assert count_parameters(load(name).config.model, V)["total"] == total


@each
def test_every_preset_trains_and_samples(preset):
    cfg = preset.config
    assert cfg.problems() == []
    short = replace(cfg.train, steps=2, batch_size=2, eval_every=1000, eval_tokens=64, warmup=min(1, cfg.train.warmup),
        device="cpu")
    run = Run(replace(cfg, train=short, data=own_text(), sample=replace(cfg.sample, length=5)))
    events = list(run.events())
    assert [type(e) for e in events[1:]] == [Eval, Sample, Step, Step, Eval, Sample, Finished]
    assert len(events[-2].text) == 5


@each
def test_every_preset_says_what_it_is(preset):
    assert preset.title and len(preset.title) < 20
    for words in (preset.adds, preset.why, preset.predict, preset.stated, preset.inferred):
        assert words.endswith((".", "?")) and "  " not in words and "\n" not in words
    assert preset.predict.endswith("?")
    assert preset.published if preset.group == "ladder" else preset.sources
    assert list(preset.published) == sorted(preset.published)
    assert all(1 < loss < 5 for loss in preset.published.values())
    assert all(0 <= step <= preset.config.train.steps for step in preset.published)


@pytest.mark.parametrize("preset", PRESETS[12:], ids=lambda preset: preset.id)
def test_a_preset_sets_no_option_that_has_no_effect(preset):
    for path in difference(preset.config, RunConfig()):
        section, name = path.split(".")
        assert has_effect(getattr(preset.config, section), name), path


@pytest.mark.parametrize("below, above", list(zip(LADDER, LADDER[1:])), ids=lambda preset: preset.id)
def test_each_rung_differs_from_the_one_below(below, above):
    assert previous(above) is below
    assert difference(above.config, below.config)


@pytest.mark.parametrize("name, paths", [
    ("05-blocks", {"model.n_layer"}), ("06-residual", {"model.residual_attn", "model.residual_mlp"}),
    ("10-dropout", {"model.dropout_resid"}),
    ("09-pre-ln", {"model.norm_place", "model.final_norm"}),
])
def test_rungs_that_add_one_thing_differ_in_it_alone(name, paths):
    preset = load(name)
    assert set(difference(preset.config, previous(preset).config)) == paths


def test_nothing_lies_below_the_first_rung_or_beyond_the_ladder():
    assert previous(LADDER[0]) is None and previous(load("modern/llama")) is None


@pytest.mark.parametrize("name, id", [
    ("ladder/06-residual", "ladder/06-residual"), ("06-residual", "ladder/06-residual"), ("06", "ladder/06-residual"),
    ("12", "ladder/12-gpu"),
    ("llama", "modern/llama"), ("modern/gpt2", "modern/gpt2"),
])
def test_presets_are_found_by_what_people_type(name, id):
    assert load(name).id == id


@pytest.mark.parametrize("name, message", [
    ("gpt5", "There is no preset 'gpt5': use one of ladder/01-bigram, .*modern/llama"),
    ("", "There are several presets ''"),
    ("1", "several presets '1': use one of ladder/10-dropout, ladder/11-deep, ladder/12-gpu"),
    ("../../etc/passwd", "no preset"),
])
def test_a_name_that_is_none_gets_a_list(name, message):
    with pytest.raises(ConfigError, match=message):
        load(name)


def test_a_preset_holds_differences_alone():
    preset = read("ladder/03-x",
        'title = "T"\nadds = "A."\nwhy = """B\n  c."""\n[train]\nlr = 1\n[published]\n0 = 4.5\n1000 = 2')
    assert preset.config == replace(RunConfig(), train=replace(RunConfig().train, lr=1.0))
    assert preset.config.data == DataConfig()
    assert preset.why == "B c." and preset.published == {0: 4.5, 1000: 2.0} and preset.number == 3


def test_everything_wrong_with_a_preset_is_said_at_once():
    with pytest.raises(ConfigError) as error:
        read("ladder/99-x",
            'title = ""\nadds = "A."\ncolour = 1\n[model]\nnorm = "batch"\nn_layers = 3\nn_head = [4]\n[trian]\nlr = 1')
    found = error.value.problems
    assert len(found) == 7 and all(problem.startswith("preset ladder/99-x: ") for problem in found)
    for part in ("title is missing", "why is missing", "no key colour", "no key trian", "model.n_layers",
        "norm = 'batch'", "n_head = [4]"):
        assert any(part in problem for problem in found), part


def test_a_preset_that_is_no_toml_is_named():
    with pytest.raises(ConfigError, match="preset modern/x: Invalid value"):
        read("modern/x", "title = ")
