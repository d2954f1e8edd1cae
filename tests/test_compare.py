"""Runs side by side: every difference, every outcome, every caution, and a command that really makes the run again."""

import dataclasses
import math
import re
import shlex

import pytest

from gpt.__main__ import parser, read_options
from gpt.compare import NOTHING, as_text, called, command, comparable, differing, facts, names, outcome
from gpt.config import RunConfig
from gpt.events import Changed, Diverged, Eval, Finished, Sample, Started, Step
from gpt.options import Refusal, get, has_effect, replace, values, walk
from gpt.presets import list_presets, load, named
from gpt.store import RunStore, UnknownRun

OPTIONS = dict(walk(RunConfig))
PRESET = "ladder/06-residual"


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path / "home")
    yield store
    store.close()


def started(config: RunConfig, **about) -> Started:
    known = dict(step=0, parameters=4225, vocab_size=65, unigram=3.3, bigram=2.4, tokens_per_step=config.tokens_per_step,
                 device="cpu", fingerprint="f" * 64, versions={"torch": "2"}, flops=1e6, characters=1.0)
    return Started(**known | about)


def new(store: RunStore, changes: dict | None = None, preset: str = PRESET, about: dict | None = None, **more) -> str:
    """A run with a history: two checks, two samples, three steps, the end."""
    base = load(preset).config
    config = replace(base, changes or {})
    run = store.create(config, owner="me", preset=preset, **named(config, base), **more)
    steps = config.train.steps
    store.append(run, [started(config, **about or {}), Eval(0, 4.0, 0.0), Sample(0, "", "xq"), Step(1, 3.5, 0.1),
                       Step(2, 3.0, 0.2), Step(steps, 2.5, 10.0), Eval(steps, 2.25, 10.0), Sample(steps, "", "KING:\nlast words"),
                       Finished(steps, 2.2, 10.0, 59_000)])
    return run


def runs(store: RunStore, *changes: dict):
    return [store.run(new(store, change)) for change in changes]


# Differences


def other(path: str, config: RunConfig):
    """A value of an option that `config` does not have."""
    option, now = OPTIONS[path], get(config, path)
    if option.kind == "switch":
        return not now
    if option.kind == "choice":
        return next(value for value in option.choices if value not in (now, "own"))
    if option.kind == "text":
        return "f" * 64
    return next(v for v in (option.low, option.high, now / 2) if v != now)


def test_every_option_that_differs_appears():
    base = RunConfig()
    for path, option in OPTIONS.items():
        section, name = path.split(".")
        changed = dataclasses.replace(base, **{section: dataclasses.replace(getattr(base, section), **{name: other(path, base)})})
        rows = {row.path: row for row in differing([base, changed])}
        matters = has_effect(getattr(base, section), name) or has_effect(getattr(changed, section), name)
        assert (path in rows) == matters
        if matters:
            row = rows[path]
            assert (row.label, row.term, row.part) == (option.label, option.term, option.part)
            assert row.values[0] != row.values[1] and row.changed == [False, True]


def test_values_are_in_words_and_without_effect_a_dash():
    base = RunConfig()
    a, b = replace(base, {"model.norm": "rms", "train.lr": 3e-4}), replace(base, {"model.attention": "none", "model.n_head": 8})
    rows = {row.path: row for row in differing([base, a, b])}
    assert rows["model.norm"].values == ["LayerNorm", "RMSNorm", "LayerNorm"]
    assert rows["model.norm"].changed == [False, True, False]
    assert rows["train.lr"].values == ["1e-3", "3e-4", "1e-3"]
    assert rows["model.attention"].values == ["multi-head", "multi-head", "off"]
    assert rows["model.n_head"].values == ["4", "4", NOTHING] and rows["model.n_head"].changed == [False, False, True]
    assert not differing([base, base]) and not differing([base])


def test_numbers_that_look_alike_are_written_out():
    rows = differing([replace(RunConfig(), {"train.lr": lr}) for lr in (0.123456789, 0.12345678)])
    assert rows[0].values == ["0.123456789", "0.12345678"]


def test_seeds_are_differences_and_sampling_comes_last():
    base = RunConfig()
    changed = replace(base, {"sample.seed": 2, "sample.prompt": " a\nb ", "train.seed": 7, "model.norm": "rms"})
    rows = differing([base, changed])
    assert [row.path for row in rows] == ["model.norm", "train.seed", "sample.prompt", "sample.seed"]
    assert rows[2].values == ["empty", "a ⏎ b"]


# Outcomes


def test_an_outcome_tells_how_a_run_did(store):
    run = store.run(new(store, {"train.steps": 300, "train.batch_size": 8, "model.block_size": 16}))
    found = outcome(store, run)
    assert (found.status, found.parameters, found.steps, found.tokens, found.seconds) == ("finished", 4225, 300, 300 * 128, 10.0)
    assert (found.speed, found.operations) == (3840.0, 3e8)
    assert (found.best, found.best_step, found.last, found.final, found.final_tokens) == (2.25, 300, 2.25, 2.2, 59_000)
    assert found.bits == pytest.approx(2.2 / math.log(2)) and found.preset == PRESET
    assert facts(found)["Loss over the whole split"] == "2.2000" and facts(found)["Tokens"] == "38,400"


def test_what_is_not_known_is_left_open(store):
    run = store.create(RunConfig(), owner="me", preset=PRESET)
    found = outcome(store, store.run(run))
    assert (found.parameters, found.speed, found.operations, found.best, found.last, found.final, found.bits) == (None,) * 7
    assert facts(found)["Best validation loss"] == NOTHING and found.status == "queued"


def test_bits_are_known_where_the_characters_are(store):
    longer, unknown = (store.run(new(store, {"data.tokenizer": "bpe"}, about={"characters": known})) for known in (2.5, 0.0))
    assert outcome(store, longer).bits == pytest.approx(2.2 / 2.5 / math.log(2))
    assert outcome(store, unknown).bits is None and facts(outcome(store, unknown))["Bits a character"] == NOTHING


def test_the_best_check_is_a_number(store):
    run = new(store)
    store.rewind(run, 2)
    store.append(run, [Eval(2, 2.0, 0.2), Step(3, math.nan, 0.3), Eval(3, math.nan, 0.3), Diverged(3, "Lower lr.")])
    found = outcome(store, store.run(run))
    assert (found.best, found.best_step, found.status) == (2.0, 2, "diverged") and math.isnan(found.last)


def test_runs_are_called_by_their_owners_or_by_what_differs(store):
    first, second = runs(store, {"model.norm": "rms", "train.seed": 2}, {"train.seed": 2})
    assert called(first) == "Residual RMSNorm seed 2"
    assert names([first, second]) == ["RMSNorm", "Residual seed 2"] and names([first]) == [called(first)]
    store.describe(first.id, title="Mine")
    assert called(store.run(first.id)) == "Mine" and names([store.run(first.id), second])[1] == called(second)


# Cautions


def test_equals_need_no_caution(store):
    assert comparable(runs(store, {}, {"model.norm": "rms"})) == []


@pytest.mark.parametrize("change, said", [
    ({"data.dataset": "tinyshakespeare"}, "Different texts .*tiny plays.*tiny Shakespeare.*cannot be compared"),
    ({"data.dataset": "own", "data.text": "a" * 64}, "Different texts"),
    ({"data.val_fraction": 0.2}, "held out .10%; 20%."),
    ({"data.tokenizer": "byte"}, "tokenizers .characters; bytes.*not the same unit"),
    ({"train.steps": 20_000}, "budgets .10,000 steps, 320,000 tokens; 20,000 steps, 640,000 tokens"),
    ({"train.batch_size": 8}, "budgets .*640,000 tokens"),
    ({"train.eval_tokens": 4096}, "Checks over different numbers of tokens .8,192; 4,096"),
    ({"train.seed": 5}, "seeds .1; 5.: a part of the difference is chance"),
])
def test_options_that_forbid_a_comparison(store, change, said):
    mine = store.run(new(store))
    text = {"fingerprint": "a" * 64} if "data.dataset" in change else {}
    cautions = comparable([mine, store.run(new(store, change, about=text))])
    assert len(cautions) == 1 and re.search(said, cautions[0])


def test_the_same_text_under_two_versions_of_its_name_is_two_texts(store):
    mine, theirs = store.run(new(store)), store.run(new(store, about={"fingerprint": "e" * 64}))
    assert "Different texts (tiny plays ffffffff; tiny plays eeeeeeee)" in comparable([mine, theirs])[0]


def test_a_run_that_has_not_begun_has_the_text_of_its_dataset(store):
    mine, waiting = store.run(new(store)), store.run(store.create(load(PRESET).config, owner="me", preset=PRESET))
    assert comparable([mine, waiting]) == ["Not finished (Residual: queued at step 0 of 10,000)."]


def test_machines_and_versions_are_cautions(store):
    mine, theirs = store.run(new(store)), store.run(new(store, about={"device": "Tesla T4", "versions": {"torch": "3"}}))
    versions, devices = comparable([mine, theirs])
    assert "versions (torch 2; torch 3)" in versions and "devices (cpu; Tesla T4)" in devices


def test_changed_and_forked_runs_are_cautions(store):
    mine = store.run(new(store))
    changed = store.run(new(store, plan=[(1, {"train.lr": 0.01})]))
    forked = store.run(new(store, {"model.norm": "rms"}, parent=mine.id, forked_at=2))
    told = comparable([mine, changed, forked])
    assert len(told) == 2 and "Begun as other runs (RMSNorm: up to step 2)" in told[0] and "changed on the way" in told[1]


def test_long_cautions_are_cut(store):
    told = comparable(runs(store, *({"train.seed": seed} for seed in range(9))))
    assert told == ["Different seeds (0; 1; 2; 3; 4; 4 more): a part of the difference is chance."]


# The command


def parsed(line: str) -> RunConfig:
    """The config that a command line asks for, by way of the command line's own parser."""
    python, m, gpt, *words = shlex.split(line)
    assert [python, m, gpt] == ["python", "-m", "gpt"]
    arguments = parser().parse_args(words)
    return replace(load(arguments.preset).config, read_options(arguments))


@pytest.mark.parametrize("changes", [
    {}, {"model.norm": "rms"}, {"model.attention": "none", "train.lr": 0.1 + 0.2, "train.steps": 12_345},
    {"model.qkv_bias": True, "model.bias": False, "data.val_fraction": 0.15, "train.optimizer": "muon", "train.lr_rest": 3e-4},
    {"sample.prompt": "it's \"so\"; rm -rf $HOME `id`\n  | & é"}, {"sample.prompt": "-x"}, {"sample.prompt": "--json"},
    {"sample.prompt": "%s 100%", "sample.top_k": 0, "sample.top_p": 0.9},
])
@pytest.mark.parametrize("preset", [PRESET, "modern/llama"])
def test_the_command_makes_the_same_run(store, preset, changes):
    run = store.run(new(store, changes, preset))
    assert values(parsed(command(run))) == values(run.config)


def test_the_command_names_only_what_differs(store):
    run, = runs(store, {"model.norm": "rms"})
    assert command(run) == "python -m gpt train ladder/06-residual --model.norm rms"


def test_every_preset_is_made_from_any_other(store):
    """A run whose preset is gone is told by the nearest; options without effect may differ then."""
    for preset in list_presets():
        run = store.run(store.create(preset.config, owner="me", preset="gone/away"))
        assert command(run) == f"python -m gpt train {preset.id}"
        run = store.run(store.create(preset.config, owner="me", preset="modern/gpt2"))
        made = parsed(command(run))
        for path in OPTIONS:
            section, name = path.split(".")
            assert get(made, path) == get(preset.config, path) or not has_effect(getattr(preset.config, section), name)


def test_an_own_text_is_a_file(store):
    run, = runs(store, {"data.dataset": "own", "data.text": "a" * 64})
    assert command(run) == "python -m gpt train ladder/06-residual --data.text FILE"


def test_changed_and_forked_runs_are_reproduced_from_the_store(store):
    for about in ({"plan": [(1, {"train.lr": 0.01})]}, {"parent": "abc", "forked_at": 2}):
        run = new(store, **about)
        assert command(store.run(run)) == f"python -m gpt reproduce {run}"


# In a terminal


def test_a_comparison_in_a_terminal(store):
    ids = [run.id for run in runs(store, {}, {"model.norm": "rms", "train.seed": 2})]
    told = as_text(store, ids, width=100)
    lines = told.splitlines()
    assert all(len(line) <= 100 for line in lines)
    for wanted in (*ids, "Keep values in range (model.norm)  off", "RMSNorm", "2.2500", "seeds (1; 2)", "    last words"):
        assert wanted in told
    places = [told.index(title) for title in ("In what they differ", "How they did", "Keep in mind", "What they write")]
    assert places == sorted(places)
    assert "xq" not in told, "only the last samples"


def test_many_runs_go_below_each_other_and_in_width(store):
    ids = [run.id for run in runs(store, *({"train.lr": n / 100} for n in range(1, 10)))]
    told = as_text(store, ids, width=80)
    assert all(len(line) <= 80 for line in told.splitlines()) and all(told.count(id) == 2 for id in ids)


def test_no_run_can_write_to_the_terminal_itself(store):
    first, second = runs(store, {}, {"model.norm": "rms"})
    store.describe(first.id, title="\x1b[2J\nwicked\r")
    store.append(first.id, [Sample(10_000, "", "\x1b]0;title\x07 \u202e")])
    told = as_text(store, [first.id, second.id])
    assert not set(told) & set("\x1b\x07\r\u202e") and "wicked" in told


def test_a_comparison_needs_two_runs(store):
    run = new(store)
    with pytest.raises(Refusal, match="two different runs"):
        as_text(store, [run, run])
    with pytest.raises(UnknownRun):
        as_text(store, [run, "nobody"])


def test_changes_do_not_disturb_an_outcome(store):
    run = new(store)
    store.append(run, [Changed(10_000, {"train.lr": 0.5})])
    assert outcome(store, store.run(run)).final == 2.2
