"""Training, as a generator of events. No callbacks, files, threads or prints.

Pausing is not asking for the next event; stopping is closing the generator; a single step is asking until the next
`Step`. The state is the caller's: saved right after a `Step`, training goes on from it as if it had never stopped,
because everything random is keyed by (seed, step) and nothing else is remembered.
"""

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from gpt.config import TrainConfig
from gpt.data import Dataset
from gpt.events import Diverged, Eval, Finished, Step
from gpt.model import GPT, Bigram
from gpt.optim import learning_rate, make_optimizer


EVAL_TOKENS = 2048  # a pass when checking: enough to be efficient, few enough to need less memory than training


@dataclass
class TrainState:
    """All that changes while a model is trained."""

    model: GPT | Bigram
    optimizer: torch.optim.Optimizer
    step: int = 0  # steps done
    seconds: float = 0.0  # spent in steps, checks and pauses excluded

    def tensors(self) -> dict[str, Tensor]:
        """Weights as "model.<name>", the optimiser's memory as "optimizer.<parameter>.<name>"; not copied."""
        named = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, memory in self.optimizer.state_dict()["state"].items():
            named |= {f"optimizer.{index}.{name}": t for name, t in memory.items() if isinstance(t, Tensor)}
        return named

    def load(self, tensors: dict[str, Tensor], step: int, seconds: float) -> None:
        """Take over what `tensors()` gave."""
        weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        self.model.load_state_dict(weights)
        memory: dict[int, dict] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                memory.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": memory})
        self.step, self.seconds = step, seconds


def start(model: GPT | Bigram, cfg: TrainConfig) -> TrainState:
    """A state before the first step."""
    return TrainState(model, make_optimizer(model, cfg))


def train(state: TrainState, data: Dataset, cfg: TrainConfig) -> Iterator[Step | Eval | Diverged | Finished]:
    """Train from `state.step` to `cfg.steps`, yielding what happens: an `Eval` before the first step, every
    `eval_every` steps and at the end, a `Step` for each step, `Finished` or `Diverged` last.
    """
    device = next(state.model.parameters()).device
    block_size = state.model.cfg.block_size
    checks = data.eval_batches(cfg.eval_tokens, block_size, max(1, EVAL_TOKENS // block_size))
    while True:
        if state.step % cfg.eval_every == 0 or state.step >= cfg.steps:
            val_loss = evaluate(state.model, checks)
            if not math.isfinite(val_loss):
                yield Diverged(state.step, diverged_advice(cfg))
                return
            yield Eval(state.step, val_loss, state.seconds)
        if state.step >= cfg.steps:
            yield Finished(state.step, val_loss, state.seconds)
            return
        began = perf_counter()
        loss = train_step(state, data, cfg, device)
        if not math.isfinite(loss):
            yield Diverged(state.step, diverged_advice(cfg))
            return
        state.step += 1
        state.seconds += perf_counter() - began
        yield Step(state.step, loss, state.seconds)


def train_step(state: TrainState, data: Dataset, cfg: TrainConfig, device: torch.device) -> float:
    """One batch, one update; returns the batch's loss before it. A loss that is not finite updates nothing."""
    model, optimizer = state.model, state.optimizer
    x, y = data.batch(state.step, cfg.seed, cfg.batch_size, model.cfg.block_size)
    model.train()
    model.noise.reseed(cfg.seed, state.step, device=device)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(state.step, cfg)
    loss = mean_loss(model, x.to(device), y.to(device))
    value = float(loss.detach())
    if not math.isfinite(value):
        return value
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if cfg.grad_clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), cfg.grad_clip)
    optimizer.step()
    return value


def mean_loss(model: GPT | Bigram, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of next tokens y (B, T) given x (B, T), in nats, averaged over all."""
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


@torch.inference_mode()
def evaluate(model: GPT | Bigram, batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean loss over all tokens of `batches`, in nats a token."""
    device = next(model.parameters()).device
    model.eval()
    total = sum(float(mean_loss(model, x.to(device), y.to(device))) * y.numel() for x, y in batches)
    return total / sum(y.numel() for _, y in batches)


def diverged_advice(cfg: TrainConfig) -> str:
    """What to try when the loss stops being a number."""
    advice = [f"a smaller step size (lr {cfg.lr / 10:.1g})"]
    if not cfg.grad_clip:
        advice.append("gradient clipping at 1")
    if not cfg.warmup:
        advice.append(f"warming up over {max(1, cfg.steps // 10)} steps")
    return "The loss is no longer a number. Try " + ", or ".join(advice) + ", or normalisation."
