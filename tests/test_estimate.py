"""The estimate of training time: its operations by formula, and what must make it longer."""

from dataclasses import replace

import pytest

from gpt import estimate
from gpt.config import ModelConfig, RunConfig, TrainConfig

BASE = RunConfig(ModelConfig(n_layer=2, n_embd=32, block_size=16), train=TrainConfig(batch_size=4, steps=100))


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """One that takes 1 ms for a step, 0.1 ms for a sublayer, and does a thousand million operations a second."""
    machine = object.__new__(estimate.Machine)
    machine.step, machine.sublayer, machine.rate = 1e-3, 1e-4, 1e9
    monkeypatch.setattr(estimate, "measure", lambda threads, precision: machine)


def test_operations_by_formula():
    """Six a weight and token, twelve a layer, number and position looked at."""
    weights = 2 * (4 * 32 * 32 + 2 * 4 * 32 * 32) + 32 * 65
    biases = 2 * (3 * 32 + 32 + 4 * 32 + 32)
    assert estimate.floating_point_operations(BASE) == 64 * (6 * (weights + biases) + 12 * 2 * 32 * 16)
    assert estimate.floating_point_operations(replace(BASE, model=replace(BASE.model, architecture="bigram"))) == 0


def test_muons_operations_by_formula():
    """Each of five rounds multiplies X X^T, its square, and both with X."""
    square, oblong = 5 * 3 * 2 * 32**3, 5 * (2 * 2 * 32 * 32 * 128 + 2 * 32**3)
    muon = replace(BASE, train=replace(BASE.train, optimizer="muon"))
    assert estimate.muon_operations(muon) == 2 * (4 * square + 2 * oblong)
    assert estimate.muon_operations(BASE) == 0
    assert estimate.muon_operations(replace(muon, model=replace(muon.model, attention="none"))) == 2 * 2 * oblong


@pytest.mark.parametrize("section, change", [
    ("train", {"steps": 101}), ("train", {"batch_size": 5}), ("train", {"optimizer": "muon"}), ("train", {"eval_every": 10}),
    ("model", {"n_layer": 3}), ("model", {"n_embd": 64}), ("model", {"block_size": 32}), ("sample", {"length": 300}),
], ids=str)
def test_more_work_takes_longer(section, change):
    more = replace(BASE, **{section: replace(getattr(BASE, section), **change)})
    assert estimate.seconds(more) > estimate.seconds(BASE)


def test_the_machine_is_measured_as_it_trains():
    measured = estimate.Machine("float32")
    assert measured.step > 0 and measured.sublayer >= 0 and measured.rate > 1e6
