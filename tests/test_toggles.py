"""Every option does something, and only where it says so: the one test that catches a toggle that does nothing."""

from collections.abc import Hashable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gpt.config import DataConfig, ModelConfig, SampleConfig, TrainConfig
from gpt.device import AVAILABLE
from gpt.events import Event
from gpt.generate import generate
from gpt.model import build
from gpt.options import ConfigError, Option, has_effect, options
from gpt.run import Run
from gpt.train import start, train_step
from support import SMALL, each_other_value, moved, own_text, shake, small_data, small_run, small_text, with_effect


def behaviour(cfg: ModelConfig) -> Tensor:
    """Losses of three training steps from weights off their start, dropout on, then scores of a fixed text."""
    data = small_data(cfg.block_size)
    model = shake(build(cfg, data.tokenizer.vocab_size, 1))
    training = TrainConfig(steps=3, batch_size=2, lr=1e-2)
    state, losses = start(model, training), []
    for state.step in range(training.steps):
        losses.append(float(train_step(state, data, training, torch.device("cpu"))))
    with torch.inference_mode():
        scores = model.eval()(data.val[None, :12])
    return torch.cat([torch.tensor(losses), scores.flatten()])


def by_one_change() -> dict[str, ModelConfig]:
    """Each option of the model moved to each other value, from a model in which it has an effect; and those models."""
    found = {}
    for name, option in options(ModelConfig).items():
        base = with_effect(SMALL, name)
        for cfg in (base, *each_other_value(option, base)):
            found.setdefault(cfg, f"{name}={getattr(cfg, name)}")
    return {label: cfg for cfg, label in found.items()}


def test_all_models_that_differ_in_an_option_behave_differently():
    """Pairwise: two names for the same part, or a toggle wired to nothing, would be two equal rows."""
    seen = {label: behaviour(cfg) for label, cfg in by_one_change().items()}
    assert len(seen) > len(options(ModelConfig))
    labels, rows = list(seen), torch.stack(list(seen.values()))
    assert rows.isfinite().all()
    apart = (rows[:, None] - rows).abs().amax(-1) + torch.eye(len(rows))
    same = [(labels[i], labels[j]) for i, j in (apart < 1e-5).nonzero().tolist() if i < j]
    assert not same


@pytest.mark.parametrize("base", [
    {"architecture": "bigram"}, {"attention": "none"}, {"attention": "none", "mlp": False}, {"attention": "single"},
    {"mlp": False}, {"norm": "none"}, {"parallel": True}, {"parallel": True, "mlp": False},
    {"parallel": True, "attention": "none"},
    {"position": "alibi"}, {"mlp_proj": False},
], ids=str)
def test_an_option_that_claims_no_effect_has_none(base):
    """Hidden in the form, so it must not matter: bit for bit the same training."""
    cfg = replace(SMALL, **base)
    idle = [option for name, option in options(ModelConfig).items() if not has_effect(cfg, name)]
    assert idle
    expected = behaviour(cfg)
    for option in idle:
        for other in each_other_value(option, cfg):
            assert not other.problems() and torch.equal(behaviour(other), expected), option.name


# Runs: what the other sections change ---------------------------------------------------------------------------------

def outcome(run: Run) -> tuple[Hashable, ...]:
    """All that a run reports, but its times, and its weights."""
    events = tuple(without_times(event) for event in run.events())
    return *events, *(tuple(p.flatten().tolist()) for p in run.model.parameters())


def without_times(event: Event) -> tuple:
    return type(event).__name__, *(repr(v) for k, v in vars(event).items() if k != "seconds")


TRAINING = {  # values that a few steps can tell apart
    "steps": (6, 7), "batch_size": (4, 3), "lr": (1e-3, 2e-3), "warmup": (0, 3), "grad_clip": (0.0, 0.05),
    "eval_every": (3, 2),
    "eval_tokens": (128, 300), "seed": (1, 2), "weight_decay": (0.0, 0.5), "momentum": (0.9, 0.5), "lr_end": (0.1, 0.5),
    "beta1": (0.9, 0.5), "beta2": (0.999, 0.9), "decay": (0.2, 0.6), "lr_rest": (0.01, 0.02),
}


def training_levels(option: Option) -> tuple:
    return tuple(option.choices) or ((False, True) if option.kind == "switch" else TRAINING[option.name])


def test_every_option_of_training_changes_the_run():
    small, seen = small_run(), {}
    for name, option in options(TrainConfig).items():
        if name in ("device", "precision", "replay"):  # what this machine has not is refused, or not used: see below
            continue
        base = with_effect(replace(small.train, weight_decay=0.5), name)  # without it Adam is AdamW
        for cfg in (base, *each_other_value(option, base, training_levels)):
            if cfg not in seen:
                seen[cfg] = outcome(Run(replace(small, train=cfg)))
    assert len(seen) > len(options(TrainConfig))
    assert len(set(seen.values())) == len(seen)


def test_an_option_of_training_that_claims_no_effect_has_none():
    small = small_run()
    for base in ({"optimizer": "adamw", "schedule": "constant"}, {"optimizer": "sgd", "schedule": "cosine"}):
        train = replace(small.train, **base)
        idle = [option for name, option in options(TrainConfig).items() if not has_effect(train, name)]
        assert len(idle) >= 2
        expected = outcome(Run(replace(small, train=train)))
        for option in idle:
            for other in each_other_value(option, train, training_levels):
                assert outcome(Run(replace(small, train=other))) == expected, option.name


def test_a_device_that_is_not_there_is_refused_with_what_is():
    for name, available in AVAILABLE.items():
        cfg = small_run(train=replace(small_run().train, device=name))
        if available():
            assert Run(cfg).device.type == name
        else:
            with pytest.raises(ConfigError, match=f"device = {name} is not available.*use auto or .*cpu"):
                Run(cfg)


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_changes_the_run_only_where_the_machine_has_it(monkeypatch, fast):
    monkeypatch.setattr("gpt.kernels.bfloat16_is_fast", lambda device: fast)
    cfg = small_run()
    outcomes = [outcome(Run(replace(cfg, train=replace(cfg.train, precision=name)))) for name in ("float32", "bfloat16")]
    assert (outcomes[0][1:] != outcomes[1][1:]) == fast  # the first event says what is used


def test_every_option_of_sampling_changes_the_text():
    model = moved(SMALL, vocab_size=30, scale=0.15).eval()
    base = SampleConfig(length=30, temperature=1.0)
    changes = [{}, {"length": 31}, {"temperature": 0.5}, {"temperature": 0.0}, {"top_k": 3}, {"top_p": 0.5},
        {"seed": 2}]
    drawn = [tuple(generate(model, [1], replace(base, **change))) for change in changes]
    drawn.append(tuple(generate(model, [2], base)))  # another prompt
    assert {name for change in changes for name in change} | {"prompt"} == set(options(SampleConfig))
    assert len(set(drawn)) == len(drawn)


def test_every_option_of_the_data_changes_the_run():
    """But tiny Shakespeare, which would have to be downloaded."""
    own = own_text()
    texts = [own, replace(own, tokenizer="byte"), replace(own, val_fraction=0.3), own_text(small_text(seed=1)),
             replace(own, tokenizer="bpe", vocab_size=270), DataConfig(dataset="tinyplays"),
             DataConfig(dataset="copy", size=2)]
    changed = {name for data in texts for name, value in vars(data).items() if value != getattr(own, name)}
    assert changed == set(options(DataConfig))
    seen = [outcome(Run(small_run(data=data))) for data in texts]
    assert len(set(seen)) == len(seen)
