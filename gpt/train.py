"""Training, as a generator of events. No callbacks, files, threads or prints.

Pausing is not asking for the next event; stopping is closing the generator; a single step is asking until the next
`Step`. The state is the caller's: saved right after a `Step`, training goes on from it as if it had never stopped,
because everything random is keyed by (seed, step) and nothing else is remembered.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Generator, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from gpt import kernels
from gpt.config import TrainConfig
from gpt.data import IGNORED, Dataset
from gpt.events import Diverged, Eval, Finished, Health, Step, Working
from gpt.health import Probe, is_measured
from gpt.model import GPT, Bigram
from gpt.optim import make_optimizers
from gpt.schedules import learning_rate


EVAL_TOKENS = 2048  # a pass when checking: enough to be efficient, few enough to need less memory than training


@dataclass
class TrainState:
    """All that changes while a model is trained."""

    model: GPT | Bigram
    optimizers: list[torch.optim.Optimizer]
    step: int = 0  # steps done
    seconds: float = 0.0  # spent in steps, checks and pauses excluded
    version: int = 0  # odd while the weights are changing: whoever copies them from another thread looks at it

    def tensors(self) -> dict[str, Tensor]:
        """Weights as "model.<name>", the optimiser's memory as "optimizer.<weight's name>.<name>"; not copied."""
        named = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for optimizer, names in self._named():
            for index, memory in optimizer.state_dict()["state"].items():
                named |= {f"optimizer.{names[index]}.{name}": t for name, t in memory.items() if isinstance(t, Tensor)}
        return named

    def load(self, tensors: dict[str, Tensor], step: int, seconds: float) -> None:
        """Take over what `tensors()` gave."""
        weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        self.model.load_state_dict(weights)
        memory: dict[str, dict] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                weight, key = name.removeprefix("optimizer.").rsplit(".", 1)
                memory.setdefault(weight, {})[key] = tensor
        first = 0
        for optimizer, names in self._named():
            numbers = map(str, range(first, first := first + len(names)))  # as a former version named them
            own = {i: memory.get(name) or memory.get(number) for i, (name, number) in enumerate(zip(names, numbers))}
            remembered = {i: found for i, found in own.items() if found}
            optimizer.load_state_dict({**optimizer.state_dict(), "state": remembered})
        self.step, self.seconds = step, seconds

    def _named(self) -> Iterator[tuple[torch.optim.Optimizer, list[str]]]:
        """Each optimiser with its weights' names, in its own order."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        for optimizer in self.optimizers:
            yield optimizer, [names[id(p)] for group in optimizer.param_groups for p in group["params"]]


def start(model: GPT | Bigram, cfg: TrainConfig, context: int | None = None) -> TrainState:
    """A state before the first step; `context` is the tokens of a row of its batches, where these are not the model's."""
    if cfg.device == "cuda" and cfg.replay:
        record(model, cfg, context or model.cfg.block_size)
    return TrainState(model, make_optimizers(model, cfg))


def record(model: GPT | Bigram, cfg: TrainConfig, context: int) -> None:
    """Have a model on a CUDA card replay its forward and backward passes over batches (B, context) in training; in checks and
    samples it runs as ever."""
    device = next(model.parameters()).device
    tokens = torch.zeros(cfg.batch_size, context, dtype=torch.int64, device=device)
    model.train()
    with products(cfg, device):
        torch.cuda.make_graphed_callables(model, (tokens,))


def train(state: TrainState, data: Dataset, cfg: TrainConfig, *, checked: int = -1,
          change_at: float = math.inf, measured: bool = False) -> Iterator[Step | Eval | Health | Working | Diverged | Finished]:
    """Train from `state.step` to `cfg.steps`, yielding what happens: an `Eval` before the first step, every
    `eval_every` steps and at the end, a `Step` for each step, `Finished` or `Diverged` last; `Working` in between.

    Losses are read from a GPU a few at a time, since waiting for one leaves it idle: a `Step` whose number is less than
    `state.step` is followed by others that are already done; none of them is beyond `change_at`. No check is made after
    step `checked`, where it has been made already. If it is to be `measured`, a `Health` comes before some of the steps.
    """
    device = next(state.model.parameters()).device
    rows = max(1, EVAL_TOKENS // state.model.cfg.block_size)
    checks = data.eval_batches(cfg.eval_tokens, state.model.cfg.block_size, rows)
    at_once = 1
    while True:
        if (state.step % cfg.eval_every == 0 or state.step >= cfg.steps) and state.step != checked:
            val_loss, _ = yield from checking(state, checks)
            if not math.isfinite(val_loss):
                yield Diverged(state.step, diverged_advice(cfg))
                return
            yield Eval(state.step, val_loss, state.seconds)
        if state.step >= cfg.steps:
            whole = data.whole_split(state.model.cfg.block_size, rows)
            val_loss, tokens = yield from checking(state, whole, data.targets)
            yield Finished(state.step, val_loss, state.seconds, tokens)
            return
        check = cfg.eval_every - state.step % cfg.eval_every
        change = max(1, change_at - state.step)
        for event in steps(state, data, cfg, min(at_once, check, change, cfg.steps - state.step), device, measured):
            yield event
            if isinstance(event, Diverged):
                return
        at_once = min(2 * at_once, most_at_once(device))


def most_at_once(device: torch.device) -> int:
    """How many steps may be under way before their losses are read: on a CPU, reading costs nothing."""
    return 1 if device.type == "cpu" else 16


def steps(state: TrainState, data: Dataset, cfg: TrainConfig, count: int, device: torch.device,
          measured: bool = False) -> list[Step | Health | Diverged]:
    """Train `count` steps, reading their losses, and what is `measured`, together at the end."""
    first, before, began = state.step, state.seconds, perf_counter()
    losses, probes = [], {}
    for _ in range(count):
        if measured and is_measured(state.step + 1, cfg.steps):
            probes[state.step] = Probe(state.model)
        losses.append(train_step(state, data, cfg, device, probes.get(state.step)))
        state.step += 1
    read = [float(loss) for loss in losses] if count == 1 else torch.stack(losses).tolist()
    rows = {step: probe.rows() for step, probe in probes.items()}
    each = (perf_counter() - began) / count
    events: list[Step | Health | Diverged] = []
    for number, loss in enumerate(read, start=1):
        if not math.isfinite(loss):
            state.step = first + number - 1
            return [*events, Diverged(state.step, diverged_advice(cfg))]
        state.seconds = before + number * each
        if rows.get(first + number - 1):
            events.append(Health(first + number - 1, rows[first + number - 1]))
        events.append(Step(first + number, loss, state.seconds))
    return events


def train_step(state: TrainState, data: Dataset, cfg: TrainConfig, device: torch.device, probe: Probe | None = None) -> Tensor:
    """One batch, one update, looked at by the `probe`; returns the batch's loss before it, a number on the device.

    A loss that is not finite updates nothing; on a GPU it does, since to see it in time is to wait for it.
    """
    model = state.model
    x, y = data.batch(state.step, cfg.seed, cfg.batch_size, model.cfg.block_size)
    if not model.training:  # it tells every module, which small models feel
        model.train()
    model.noise.reseed(cfg.seed, state.step, device=device)
    x, y = moved(x, device), moved(y, device)
    if probe:
        probe.attach()
    with products(cfg, device):
        loss = mean_loss(model, x, y)
        if probe:
            probe.detach(x)
    if device.type == "cpu" and not math.isfinite(loss.item()):
        return loss.detach()
    loss.backward()
    if probe:
        probe.before_update()
    if cfg.grad_clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), cfg.grad_clip)
    rate = learning_rate(state.step, cfg)
    state.version += 1
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        optimizer.step()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
    state.version += 1
    if probe:
        probe.after_update()
    return loss.detach()


def moved(x: Tensor, device: torch.device) -> Tensor:
    """x on the device; a copy to a CUDA card is started and not waited for."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


def products(cfg: TrainConfig, device: torch.device) -> AbstractContextManager:
    """Within it the model multiplies in the config's precision."""
    halved = cfg.precision == "bfloat16" and kernels.bfloat16_is_fast(device.type)
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=not cfg.replay) if halved else nullcontext()


def mean_loss(model: GPT | Bigram, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of next tokens y (B, T) given x (B, T), in nats, averaged over all that are not IGNORED."""
    return F.cross_entropy(model(x).flatten(0, 1).float(), y.flatten())


def counted(y: Tensor) -> int:
    """How many of the targets y (B, T) are not IGNORED."""
    return int((y != IGNORED).sum())


Batches = Iterable[tuple[Tensor, Tensor]]


def checking(state: TrainState, batches: Batches, tokens: int | None = None) -> Generator[Working, None, tuple[float, int]]:
    """The mean loss over all targets of `batches`, in nats a token, and their number; `Working` between two batches."""
    tokens = tokens or sum(counted(y) for _, y in batches)
    total, done = 0.0, 0
    for x, y in batches:
        if done:
            yield Working(state.step, done / tokens)
        total += summed_loss(state.model, x, y)
        done += counted(y)
    return total / done, done


def evaluate(model: GPT | Bigram, batches: Batches) -> float:
    """The mean loss over all targets of `batches`, in nats a token."""
    batches = list(batches)
    return sum(summed_loss(model, x, y) for x, y in batches) / sum(counted(y) for _, y in batches)


@torch.inference_mode()
def summed_loss(model: GPT | Bigram, x: Tensor, y: Tensor) -> float:
    """The loss of one batch, summed over its targets, in nats."""
    device = next(model.parameters()).device
    if model.training:
        model.eval()
    return float(mean_loss(model, x.to(device), y.to(device))) * counted(y)


def diverged_advice(cfg: TrainConfig) -> str:
    """What to try when the loss stops being a number."""
    advice = [f"a smaller step size (lr {cfg.lr / 10:.1g})"]
    if not cfg.grad_clip:
        advice.append("gradient clipping at 1")
    if not cfg.warmup:
        advice.append(f"warming up over {max(1, cfg.steps // 10)} steps")
    return "The loss is no longer a number. Try " + ", or ".join(advice) + ", or normalisation."
