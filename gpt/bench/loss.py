"""Time to a loss, and loss in equal time: our recipes against nanoGPT's for a laptop, trained as nanoGPT trains."""

from collections.abc import Iterator
from time import perf_counter

import torch
from torch import Tensor, nn

from gpt.bench.plain import plain_model, plain_step
from gpt.bench.speed import our_step
from gpt.bench.table import Row, in_turn, numbered, ratio
from gpt.config import RunConfig
from gpt.data import Dataset, load
from gpt.device import choose_device
from gpt.model import build
from gpt.options import replace
from gpt.presets import load as preset
from gpt.train import evaluate, start, train_step

DOCUMENTED = 1.88  # what the recipe's author says it ends at
AIM = {"tinyshakespeare": DOCUMENTED}  # elsewhere: what the reference reaches in this run


def rows(dataset: str) -> Iterator[Row]:
    """The reference's whole run, then ours, in the same process with the same threads; losses on the whole validation split."""
    reference = replace(preset("nanogpt").config, {"data.dataset": dataset})
    data = load(reference.data, reference.model.block_size)
    ours_at_first, first = train_ours("fast", dataset)  # before and after the reference: the machine's speed drifts
    seconds, loss = train_plainly(reference, data)
    steps = reference.train.steps
    yield Row(f"nanoGPT's recipe, {steps:,} steps of its own code", f"loss {loss:.3f} in {seconds:.1f} s", f"documented: {DOCUMENTED}")
    ours_then, fast = train_ours("fast", dataset)
    ours = (ours_at_first + ours_then) / 2
    target = AIM.get(dataset, loss)
    yield Row(f"time to {target:.2f}: preset \"fast\"", f"loss {fast:.3f} in {ours:.1f} s", f"{seconds:.1f} s", seconds / ours,
              "12 x", seconds / ours >= 12 and max(first, fast) <= target)
    enough = fitting_steps(reference, replace(preset("best").config, {"data.dataset": dataset}))
    taken, lowest = train_ours("best", dataset, enough)
    yield Row(f"loss in the same time: preset \"best\", {enough:,} steps", f"loss {lowest:.3f} in {taken:.1f} s",
              f"loss {loss:.3f}", None, "1.55", lowest <= 1.55 and taken <= 1.02 * seconds)


def train_plainly(cfg: RunConfig, data: Dataset) -> tuple[float, float]:
    """Seconds that the reference's steps take in the plain form, and its loss in the end."""
    torch.manual_seed(cfg.train.seed)
    device = choose_device(cfg.train.device)
    model = plain_model(cfg.model, data.tokenizer.vocab_size)
    step = plain_step(model, data, cfg, device)
    began = perf_counter()
    for number in range(cfg.train.steps):
        loss = step(number)
    loss.item()  # a GPU may not be done yet
    seconds = perf_counter() - began
    return seconds, evaluate(Scores(model, cfg), data.whole_split(cfg.model.block_size))


class Scores(nn.Module):
    """The plain model as the rest of the package knows models: tokens in, scores out."""

    def __init__(self, model: nn.Module, cfg: RunConfig):
        super().__init__()
        self.model, self.cfg = model, cfg.model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(tokens)[0]


def train_ours(name: str, dataset: str, steps: int | None = None) -> tuple[float, float]:
    """Seconds that a preset's steps take, and its loss over the whole validation split in the end."""
    cfg = replace(preset(name).config, {"data.dataset": dataset, **({"train.steps": steps} if steps else {})})
    return train_steps(cfg, cfg.train.steps)


def train_steps(cfg: RunConfig, steps: int) -> tuple[float, float]:
    """The first `steps` steps of a config: seconds, and the loss after them."""
    device, data = choose_device(cfg.train.device), load(cfg.data, cfg.model.block_size)
    state = start(build(cfg.model, data.tokenizer.vocab_size, cfg.train.seed).to(device), cfg.train)
    began = perf_counter()
    for state.step in range(steps):
        loss = train_step(state, data, cfg.train, device)
    loss.item()
    seconds = perf_counter() - began
    return seconds, evaluate(state.model, data.whole_split(cfg.model.block_size))


def fitting_steps(reference: RunConfig, cfg: RunConfig, seconds: float = 6.0) -> int:
    """How many steps of ours take as long as the reference's whole run, by some of both in turn: the machine's speed drifts."""
    device, data = choose_device(reference.train.device), load(reference.data, reference.model.block_size)
    plain = plain_step(plain_model(reference.model, data.tokenizer.vocab_size), data, reference, device)
    ours = our_step(cfg, load(cfg.data, cfg.model.block_size), device)
    theirs, taken = in_turn(numbered(plain), ours, seconds=seconds)
    return max(1, int(0.97 * reference.train.steps * ratio(theirs, taken)))  # a little less, should the machine slow down
