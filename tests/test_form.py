"""The form: every declared option is in it, once, safe in a template; and its value is a config and back."""

import html
import json
import re
from html.parser import HTMLParser

import pytest

from gpt import options
from gpt.config import GROUPS, RunConfig
from gpt.options import ConfigError
from gpt.presets import list_presets, load, named
from playground import form

KNOWN = dict(options.walk(RunConfig))


class Elements(HTMLParser):
    """All start tags of a page as (tag, attributes)."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


RENDERED = form.render()
ELEMENTS = Elements(RENDERED).found


def test_every_option_has_one_row():
    paths = [a["data-path"] for _, a in ELEMENTS if "data-path" in a]
    assert sorted(paths) == sorted(set(KNOWN) - set(form.ELSEWHERE))


def test_what_stands_elsewhere_is_a_declared_option():
    assert set(form.ELSEWHERE) <= set(KNOWN)


def test_what_is_drawn_has_its_place_under_an_option_of_the_form():
    assert set(form.DRAWINGS) <= set(KNOWN) - set(form.ELSEWHERE)
    places = [a["id"] for tag, a in ELEMENTS if tag == "figure"]
    assert places == list(form.DRAWINGS.values())


def test_groups_come_in_their_order():
    assert [a["data-group"] for _, a in ELEMENTS if "data-group" in a] == list(GROUPS)


def test_every_row_shows_label_term_help_and_source():
    text = html.unescape(RENDERED)
    for path in set(KNOWN) - set(form.ELSEWHERE):
        option = KNOWN[path]
        for words in (option.label, option.term, option.help, option.source):
            assert words in text, (path, words)


def test_controls_are_native_and_named():
    inputs = [(tag, a) for tag, a in ELEMENTS if tag in ("input", "select", "textarea")]
    labels = {a["for"] for tag, a in ELEMENTS if tag == "label" and "for" in a}
    for tag, a in inputs:
        named = a.get("id") in labels or "aria-label" in a or "aria-labelledby" in a or a.get("type") == "radio"
        assert named, (tag, a)


def test_choices_are_all_there():
    values = {(a.get("name") or "", a["value"]) for tag, a in ELEMENTS if a.get("type") == "radio"}
    listed = [a["value"] for tag, a in ELEMENTS if tag == "option"]
    for path, option in KNOWN.items():
        for value in option.choices:
            assert (form._id(path), value) in values or value in listed, (path, value)


def test_a_seed_has_no_slider_and_a_learning_rate_has():
    assert 'type="range"' not in form.row("train.seed", KNOWN["train.seed"])
    assert 'type="range"' in form.row("train.lr", KNOWN["train.lr"])


@pytest.mark.parametrize("hostile", ["${alert(1)}", "{{value}}", "`", "\\u0041", "<script>", '" onclick="x', "'"])
def test_escaped_text_holds_nothing_a_template_acts_on(hostile):
    escaped = form.escape(hostile)
    assert not re.search(r"[`\\{}$<>\"']", escaped)
    assert html.unescape(escaped) == hostile


def test_the_rendered_form_holds_no_template_syntax():
    assert not re.search(r"[`\\{}$]", RENDERED)


def test_schema_and_presets_are_json():
    assert json.loads(json.dumps(form.schema()))["options"].keys() == KNOWN.keys()
    assert [p["id"] for p in json.loads(json.dumps(form.describe_presets()))] == [p.id for p in list_presets()]


def test_the_schema_s_conditions_say_what_has_effect():
    """The browser hides what has no effect from the schema alone: the same recursion must give the same answer."""
    described = form.schema()["options"]

    def acts(config, path):
        when = described[path]["when"]
        return not when or any(all(options.get(config, other) in values and acts(config, other)
                                   for other, values in every.items()) for every in when)

    for preset in list_presets():
        for path in KNOWN:
            section, name = path.split(".")
            wanted = options.has_effect(getattr(preset.config, section), name)
            assert acts(preset.config, path) == wanted, (preset.id, path)


def test_the_schema_says_what_may_change_while_a_run_goes():
    live = {path for path, about in form.schema()["options"].items() if about["live"]}
    assert live == {path for path, option in KNOWN.items() if option.live}
    assert "train.lr" in live and "train.steps" not in live


def test_switched_parts_are_options_that_can_be_off():
    for parts in form.PARTS.values():
        for label, colour, paths in parts:
            for path in paths:
                assert KNOWN[path].kind == "switch" or "none" in KNOWN[path].choices, path
                assert KNOWN[path].part == colour, (label, path)


@pytest.mark.parametrize("preset", list_presets(), ids=lambda p: p.id)
def test_a_preset_is_its_own_value(preset):
    assert form.config_of(form.value_of(preset.config, preset)) == (preset, preset.config)
    assert named(preset.config, preset.config) == {"labels": [], "part": ""}


def test_changes_survive_the_way_to_a_config_and_back():
    value = {"preset": "ladder/09-pre-ln", "changes": {"model.residual_attn": False, "train.lr": 3e-4}}
    preset, config = form.config_of(value)
    assert config.model.residual_attn is False and config.train.lr == 3e-4
    assert form.value_of(config, preset) == value
    assert named(config, preset.config) == {"labels": ["-attention residual", "lr 3e-4"], "part": "res"}


def test_sampling_does_not_name_a_run():
    preset, config = form.config_of({"preset": "ladder/03-multi-head", "changes": {"sample.temperature": 1.5}})
    assert named(config, preset.config)["labels"] == [] and config.sample.temperature == 1.5


def test_equal_training_has_one_recipe():
    base = {"preset": "ladder/09-pre-ln", "changes": {}}

    def recipe(changes):
        preset, config = form.config_of(base | {"changes": changes})
        return form.recipe_of(config, preset)

    assert recipe({}) == recipe({"sample.length": 9}) == recipe({"model.rope_base": 777.0})
    assert recipe({}) != recipe({"train.seed": 9}) and recipe({"model.norm": "rms"}) != recipe({"model.norm": "none"})


def test_nothing_chosen_yet_is_the_first_step():
    assert form.config_of(None)[0] == list_presets()[0]


def test_bad_values_are_refused_in_words():
    with pytest.raises(ConfigError, match="n_layer"):
        form.config_of({"preset": "ladder/05-blocks", "changes": {"model.n_layer": "many"}})
    with pytest.raises(ConfigError, match="no such option"):
        form.config_of({"preset": "ladder/05-blocks", "changes": {"model.nothing": 1}})
    with pytest.raises(ConfigError, match="no preset"):
        form.config_of({"preset": "ladder/99", "changes": {}})


def test_a_ladder_step_marks_what_it_changed():
    described = {p["id"]: p for p in form.describe_presets()}
    assert "model.attention" in described["ladder/03-multi-head"]["changed"]
    assert described["ladder/01-bigram"]["changed"] == [] == described["modern/llama"]["changed"]
    assert load("ladder/03").number == 3
