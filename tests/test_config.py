"""The declarations of every option: complete, consistent, and each problem with a way out that works."""

import re
from dataclasses import FrozenInstanceError, fields, replace
from itertools import product

import pytest

from gpt.config import GROUPS, DataConfig, ModelConfig, RunConfig, SampleConfig, TrainConfig, memory_limit
from gpt.model import build
from gpt.options import ConfigError, name_of, options, sections, walk
from gpt.options import replace as replace_options
from support import LEVELS, tokens

ALL = dict(walk(RunConfig))
every = pytest.mark.parametrize("path, option", ALL.items(), ids=ALL)


@every
def test_every_declaration_is_complete(path, option):
    assert option.label and option.term and option.help and option.short
    assert option.group in GROUPS and option.part in {"", "norm", *GROUPS.values()}
    assert option.help.endswith((".", "?")) and not option.label.endswith(".")
    assert option.check(option.default) is None
    if option.kind == "choice":
        assert len(option.choices) > 1 and all(label and line.endswith(".") for label, line in option.choices.values())
    if option.kind == "number":
        assert option.low < option.high and (not option.log or option.low > 0)


@every
def test_conditions_name_options_and_values_that_exist(path, option):
    known = options(sections(RunConfig)[path.split(".")[0]])
    for condition in option.when:
        for other, values in condition.items():
            assert other != option.name and isinstance(values, tuple) and values
            assert all(known[other].check(value) is None for value in values)


def test_every_field_is_an_option():
    """A field that is none would be in no form, no preset and no stored run."""
    for section, cls in sections(RunConfig).items():
        assert {f.name for f in fields(cls)} == set(options(cls)), section


def test_every_group_has_options_and_a_part_of_its_own():
    assert {option.group for option in ALL.values()} == set(GROUPS)


def test_tags_tell_options_apart():
    """A run is named by its differences alone: no two options may have the same word for any of their values."""
    tags: dict[str, str] = {}
    for path, option in ALL.items():
        values = {"choice": option.choices, "switch": (True, False), "number": (option.low, option.high, 0),
            "text": ("x",)}[option.kind]
        for tag in {option.tag(value) for value in values}:
            assert tag not in tags, f"{path} and {tags[tag]} are both named {tag!r}"
            tags[tag] = path


def test_names_read_as_people_say_them():
    def name(**changes):
        base = RunConfig()
        changes = {path.replace("_", ".", 1): value for path, value in changes.items()}
        return name_of(replace_options(base, changes), base)

    assert name(model_residual_attn=False, model_residual_mlp=False, train_lr=3e-4) == "-residual lr 3e-4"
    assert name(model_residual_attn=False) == "-attention residual"
    assert name(model_mlp=False, model_residual_attn=False) == "-MLP -residual", "there is only one then"
    assert name(model_norm="none") == "-norm" and name(model_norm="rms") == "RMSNorm"
    assert name(model_position="rope") == "RoPE" and name(model_qk_norm=True) == "+QK-norm"
    assert name(model_init="torch", train_optimizer="sgd") == "init PyTorch SGD"
    assert name(model_window=0, model_softcap=0.0) == "" and name(model_window=8) == "window 8"


def test_defaults_pass_and_cannot_be_changed_in_place():
    assert RunConfig().problems() == []
    with pytest.raises(FrozenInstanceError):
        ModelConfig().n_layer = 3


def test_derived_values_follow():
    cfg = ModelConfig(n_head=6, n_embd=96, queries_per_kv=2, expansion=2.6667)
    assert (cfg.heads, cfg.kv_heads, cfg.head_dim, cfg.mlp_dim) == (6, 3, 16, 256)
    single = replace(cfg, attention="single")
    assert (single.heads, single.kv_heads, single.head_dim) == (1, 1, 96)
    assert ModelConfig(n_embd=4, expansion=0.25, n_head=1).mlp_dim == 1
    assert RunConfig(ModelConfig(block_size=32), train=TrainConfig(batch_size=4)).tokens_per_step == 128


# What is refused ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cfg", [
    ModelConfig(n_embd=17), ModelConfig(n_embd=5, n_head=3), ModelConfig(n_embd=1024, n_head=3),
    ModelConfig(n_embd=66, n_head=4, queries_per_kv=2),
    ModelConfig(n_embd=36, n_head=4, position="rope"), ModelConfig(n_embd=18, n_head=4, position="rope"),
    ModelConfig(n_embd=1023, n_head=31, position="rope"), ModelConfig(n_embd=17, attention="single", position="rope"),
    ModelConfig(n_embd=66, n_head=6, queries_per_kv=4), ModelConfig(n_embd=33, n_head=1, position="rope"),
], ids=lambda cfg: f"{cfg.attention} {cfg.position} {cfg.n_embd} {cfg.n_head} {cfg.queries_per_kv}")
def test_what_a_problem_proposes_works(cfg):
    """Every number that the message names, put in, leaves nothing wrong."""
    (problem,) = cfg.problems()
    ways_out = re.findall(r"(?:use|or) (?:(\w+) = )?((?:\d+(?:, | or )?)+)", problem)
    proposed = {name: re.findall(r"\d+", numbers) for name, numbers in ways_out}
    assert proposed
    for name, numbers in proposed.items():
        for n in numbers:
            assert replace(cfg, **{name or problem.split(" = ")[0]: int(n)}).problems() == [], problem


def test_every_small_model_is_refused_or_built():
    """What passes the check can be built and run: no shape error reaches a user."""
    refused = 0
    tried = {"attention": ("none", "single", "multi"), "position": ("learned", "sinusoidal", "rope", "alibi"),
             "n_embd": (4, 5, 6), "n_head": (1, 2, 3, 4), "queries_per_kv": (1, 2, 3)}
    for values in product(*tried.values()):
        cfg = ModelConfig(n_layer=1, block_size=4, **dict(zip(tried, values)))
        if cfg.problems():
            refused += 1
        else:
            assert build(cfg, 5, 1)(tokens(1, 3, vocab_size=5)).shape == (1, 3, 5)
    assert refused > 50


def test_a_warmup_longer_than_the_run_is_refused():
    (problem,) = TrainConfig(steps=100, warmup=101).problems()
    assert problem == "warmup = 101 is longer than steps = 100: use warmup = 10 or more steps."
    assert TrainConfig(steps=100, warmup=100).problems() == []


def test_own_text_must_be_given():
    (problem,) = DataConfig(dataset="own").problems()
    assert "--data.text FILE" in problem and "tinyplays" in problem
    assert DataConfig(dataset="own", text="0" * 64).problems() == []


def test_all_sections_are_checked_at_once():
    with pytest.raises(ConfigError) as error:
        replace_options(RunConfig(), {"model.norm": "batch", "data.val_fraction": 0.9, "train.lr": 0, "sample.top_p": 2,
            "model.n_layer": 99})
    assert len(error.value.problems) == 5


def test_what_exceeds_the_memory_is_refused(monkeypatch):
    """A visitor must not be able to bring the server down; the limit can be moved."""
    large = RunConfig(ModelConfig(n_layer=24, n_embd=1024, block_size=1024), train=TrainConfig(batch_size=64))
    (problem,) = large.problems()
    assert re.search(r"about [\d.]+ GiB of memory and the limit is 4: lower batch_size, block_size, n_layer", problem)
    monkeypatch.setenv("GPT_PLAYGROUND_MEMORY_GIB", "100000")
    assert memory_limit() == 100_000 * 2**30 and large.problems() == []


def test_sampling_has_limits():
    assert SampleConfig(temperature=0.0, top_k=0, top_p=1.0).problems() == []
    assert len(SampleConfig(temperature=-1.0, top_k=-1, top_p=0.0, length=-1).problems()) == 4


def test_levels_of_the_tests_are_options():
    """`support.LEVELS` names small values for some options: a renamed option must not leave one behind."""
    assert set(LEVELS) <= set(options(ModelConfig))


def test_a_run_cannot_fill_the_disk_with_samples():
    with pytest.raises(ConfigError, match="use eval_every = 50 or more"):
        replace_options(RunConfig(), {"train.steps": 100_000, "train.eval_every": 49})
    replace_options(RunConfig(), {"train.steps": 100_000, "train.eval_every": 50})
