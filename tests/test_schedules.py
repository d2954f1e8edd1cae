"""Learning rates over a run, by their formulas."""

import math

import pytest

from gpt.config import TrainConfig
from gpt.schedules import learning_rate


def rates(**change) -> list[float]:
    cfg = TrainConfig(**{"steps": 100, "lr": 1.0, "lr_end": 0.1, **change})
    return [learning_rate(step, cfg) for step in range(cfg.steps)]


def test_constant_rate():
    assert rates(schedule="constant") == [1.0] * 100


@pytest.mark.parametrize("schedule, remaining", [
    ("linear", lambda d: 1 - d), ("cosine", lambda d: 0.5 * (1 + math.cos(math.pi * d))),
    ("wsd", lambda d: 1.0 if d <= 0.8 else (1 - d) / 0.2),
])
@pytest.mark.parametrize("warmup", [0, 20])
def test_falling_rates(schedule, remaining, warmup):
    """From 1 to lr_end over what follows the warmup."""
    found = rates(schedule=schedule, warmup=warmup, decay=0.2)
    for step in range(warmup, 100):
        assert found[step] == pytest.approx(0.1 + 0.9 * remaining((step - warmup) / (100 - warmup)))
    assert found[warmup] == 1.0 and found[-1] == pytest.approx(0.1, abs=0.06)
    assert found[warmup:] == sorted(found[warmup:], reverse=True)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd"])
def test_warmup_rises_in_a_straight_line(schedule):
    assert rates(schedule=schedule, warmup=20)[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])


def test_rates_past_the_end_and_a_run_that_only_warms_up():
    cfg = TrainConfig(steps=10, warmup=10, lr=1.0, schedule="cosine", lr_end=0.1)
    assert [learning_rate(step, cfg) for step in (0, 9)] == pytest.approx([0.1, 1.0])
    assert learning_rate(50, cfg) == pytest.approx(0.1)
