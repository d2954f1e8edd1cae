"""One config trained with several seeds, to tell what a change is worth from what a seed is worth.

Small models spend their time on beginning operations, not on arithmetic. So replicas of a small model are trained as one:
their batches one behind the other, and every parameter with the replica as its first dimension. Parts without parameters
work on the longer batch as they are; the few layers with some treat each replica's share of the batch with its own.

Letters used for shapes beside those of model.py: R replicas; N vectors of one replica.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from gpt import kernels
from gpt.config import RunConfig, memory_limit
from gpt.events import Diverged, Eval, Event, Step
from gpt.model import Dropout, FusedLinear, Learned, Linear, Noise, RMSNorm
from gpt.optim import Muon, make_optimizers
from gpt.options import ConfigError
from gpt.run import Run
from gpt.schedules import learning_rate
from gpt.train import counted, diverged_advice, train, train_step

WORTH_TIMING = 1 << 26  # parameters times tokens, a step: with more, arithmetic is most of the work, and none is saved
LEAST_TIMED, MOST_TIMED = 3, 0.2  # rounds, and seconds after which no other round begins
SENSITIVE = ("lion", "muon")  # a sign, or all directions brought to one size: both make steps of rounding errors

Told = tuple[int, Event]  # what happened, and the seed that it happened to


def train_replicas(config: RunConfig, seeds: list[int], together: bool | None = None) -> Iterator[Told]:
    """Train `config` once for each seed, its own aside; yields (seed, event) pairs.

    The events of a seed are those of `gpt.train.train` for that seed alone, in that order; losses agree to 1e-4 over 50
    steps, unless training is such that a rounding error in the starting weights changes them more. `seconds` add up over
    seeds. None goes beyond a check that another has yet to reach, so that after each round of `Eval`s a mean and its
    spread can be drawn; between two checks the seeds may alternate. `Eval`s of a step and `Finished`s come in the order
    of `seeds`. A seed that ends with `Diverged` leaves the others alone.

    `together` trains them as one model, or in turn; by default whichever is faster here, but in turn with an optimiser
    that makes steps of rounding errors. Either way the weights of all are held in memory. Raises ConfigError or TextError
    for what cannot be trained, and ValueError for seeds that are none or not different, or if `together` is asked of what
    is not `stackable`.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds = {seeds}: give one or more, all different.")
    runs = [Run(seeded(config, seeds[0]))]
    weights = 16 * sum(p.numel() for p in runs[0].model.parameters())  # with gradients and the optimiser's memory
    if len(seeds) > (most := int(memory_limit() // weights)):
        raise ConfigError([f"The weights of {len(seeds)} seeds do not fit into {memory_limit() / 2**30:g} GiB: "
                           f"use at most {most} seeds."])
    if together and not stackable(runs[0], len(seeds)):
        raise ValueError("together = True, but these replicas cannot be stacked: use None.")
    if together is None:
        able = len(seeds) > 1 and config.train.optimizer not in SENSITIVE and stackable(runs[0], len(seeds))
        trial = able and seconds_a_step(seeded(config, 0), len(seeds), torch.get_num_threads())
        together = bool(trial) and trial[0] < trial[1]
    runs += [Run(seeded(config, seed)) for seed in seeds[1:]]
    return as_one(runs) if together else in_turn(runs)


def seeded(config: RunConfig, seed: int) -> RunConfig:
    return replace(config, train=replace(config.train, seed=seed))


# Two ways -----------------------------------------------------------------------------------------------------------

def in_turn(runs: list[Run]) -> Iterator[Told]:
    """Each run by itself up to its next check, then the next one."""
    events = {run: train(run.state, run.data, run.cfg.train) for run in runs}
    while events:
        for run in list(events):
            last = yield from to_check(run, events[run])
            if not isinstance(last, Eval):
                del events[run]


def as_one(runs: list[Run]) -> Iterator[Told]:
    """All runs as one model, a step at a time."""
    stack, going, cfg = Stack(runs), list(runs), runs[0].cfg.train
    while going:
        step = going[0].state.step
        checks = {run: train(run.state, run.data, run.cfg.train) for run in going}  # begins by checking: one is due
        for run, events in checks.items():
            last = yield from to_check(run, events)
            if isinstance(last, Diverged):
                going.remove(run)
        if step >= cfg.steps:
            for run in going:
                yield from to_check(run, checks[run])
            return
        for _ in range(min(cfg.eval_every, cfg.steps - step)):
            for run, event in stack.step(going):
                yield run.cfg.train.seed, event
                if isinstance(event, Diverged):
                    going.remove(run)
            if not going:
                return


def to_check(run: Run, events: Iterator[Event]) -> Iterator[Told]:
    """The events with the run's seed, up to the next `Eval` or the end; returns the last."""
    for event in events:
        yield run.cfg.train.seed, event
        if isinstance(event, Eval):
            break
    return event


# The choice ---------------------------------------------------------------------------------------------------------

def stackable(run: Run, count: int) -> bool:
    """Whether `count` replicas of a run can be one model, and are small enough for that to be worth timing.

    Only on a CPU, and not in bfloat16, where the digits that a product keeps depend on how it is done; not if a part has
    parameters and is not in `LAYERS`; not if the activations of all would need more memory than a run may.
    """
    cfg, parameters = run.cfg, sum(p.numel() for p in run.model.parameters())
    halved = cfg.train.precision == "bfloat16" and kernels.bfloat16_is_fast(run.device.type)
    known = all(type(m) in LAYERS for m in run.model.modules() if next(m.parameters(recurse=False), None) is not None)
    fits = count * cfg.memory_bytes(run.data.tokenizer.vocab_size) <= memory_limit()
    return run.device.type == "cpu" and not halved and known and fits and cfg.tokens_per_step * parameters <= WORTH_TIMING


@lru_cache(maxsize=256)
def seconds_a_step(config: RunConfig, count: int, threads: int) -> tuple[float, float]:
    """Seconds that a step of `count` replicas takes as one model, and in turn: the least of a few, timed once."""
    alone, *runs = [Run(seeded(config, seed)) for seed in range(count + 1)]
    stack = Stack(runs)
    ways = {"as one": lambda: stack.step(runs),
            "alone": lambda: float(train_step(alone.state, alone.data, alone.cfg.train, alone.device))}
    took = dict.fromkeys(ways, math.inf)
    began, rounds = perf_counter(), 0
    while rounds < LEAST_TIMED or perf_counter() - began < MOST_TIMED:
        for way in ("as one", "alone", "alone"):  # again, since the other has emptied the processor's cache
            start = perf_counter()
            ways[way]()
            took[way] = min(took[way], perf_counter() - start)
        rounds += 1
    return took["as one"], count * took["alone"]


# Replicas as one model ----------------------------------------------------------------------------------------------

class Stack:
    """Runs of one config as one model: each parameter (R, ...), the runs' own being views of it."""

    def __init__(self, runs: list[Run]):
        self.runs = runs
        self.model = copy.deepcopy(runs[0].model).train()
        self.each = dict(zip(self.model.parameters(), zip(*(run.model.parameters() for run in runs))))
        shared = {module.weight for module in self.model.modules() if isinstance(module, nn.Embedding)}
        self.turned = {module.weight for module in self.model.modules() if isinstance(module, nn.Linear)} - shared
        for stacked, each in self.each.items():
            together = torch.stack([p.data for p in each])
            stacked.data = together.mT.contiguous() if stacked in self.turned else together
            for p, share in zip(each, self.shares(stacked, stacked.data)):
                p.data = share
        for module in self.model.modules():
            adapt(module, [run.model.noise for run in runs], self.turned)
        self.optimizers, self.apart = self.make_optimizers()

    def shares(self, stacked: nn.Parameter, whole: Tensor) -> Iterator[Tensor]:
        """Each run's share of the parameter `stacked` or of its gradient, as views in the run's own shape."""
        return (share.mT if stacked in self.turned else share for share in whole.unbind())

    def make_optimizers(self) -> tuple[list[Optimizer], list[nn.Parameter]]:
        """The optimisers of one run over all runs, and the parameters that they take one run at a time: Muon's."""
        all_of = {each[0]: stacked for stacked, each in self.each.items()}
        optimizers, apart = make_optimizers(self.runs[0].model, self.runs[0].cfg.train), []
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["params"] = [all_of[p] for p in group["params"]]
                if isinstance(optimizer, Muon):
                    apart += group["params"]
                    group["parts"] = [rows for rows in group["parts"] for _ in self.runs]
                    group["params"] = [p for stacked in group["params"] for p in self.each[stacked]]
        return optimizers, apart

    def step(self, going: list[Run]) -> list[tuple[Run, Step | Diverged]]:
        """One step of all; what happened to those that are still going. Others stay in the stack, where none sees them."""
        began, number = perf_counter(), going[0].state.step
        losses = self.losses(number)
        read = dict(zip(self.runs, losses.tolist()))
        losses.sum().backward()
        self.update(number)
        each = (perf_counter() - began) / len(going)
        told: list[tuple[Run, Step | Diverged]] = []
        for run in going:
            if math.isfinite(read[run]):
                run.state.step, run.state.seconds = number + 1, run.state.seconds + each
                told.append((run, Step(number + 1, read[run], run.state.seconds)))
            else:
                told.append((run, Diverged(number, diverged_advice(run.cfg.train))))
        return told

    def losses(self, number: int) -> Tensor:
        """The mean loss of each run's batch of step `number`, (R,), in nats."""
        batches = []
        for run in self.runs:
            cfg = run.cfg.train
            batches.append(run.data.batch(number, cfg.seed, cfg.batch_size, run.cfg.model.block_size))
            run.model.noise.reseed(cfg.seed, number, device=run.device)
        x, y = (torch.cat(parts) for parts in zip(*batches))  # (R B, T)
        scores = self.model(x).flatten(0, 1).float()  # (R B T, V)
        losses = F.cross_entropy(scores, y.flatten(), reduction="none")  # 0 where there is no target
        return losses.view(len(self.runs), -1).sum(1) / (counted(y) / len(self.runs))

    @torch.no_grad()
    def update(self, number: int) -> None:
        """Step `number` of the optimisers, each run's gradient clipped by itself."""
        cfg = self.runs[0].cfg.train
        if cfg.grad_clip:
            clip([p.grad for p in self.each if p.grad is not None], cfg.grad_clip)
        for stacked in self.apart:
            for p, grad in zip(self.each[stacked], self.shares(stacked, stacked.grad)):
                p.grad = grad
        rate = learning_rate(number, cfg)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
            optimizer.step()
        for stacked in self.each:
            stacked.grad = None


def clip(grads: list[Tensor], longest: float) -> None:
    """Scale each replica's gradient, a share of all `grads` (R, ...), down to the length `longest`."""
    lengths = torch.stack([torch.linalg.vector_norm(g, dim=tuple(range(1, g.dim()))) for g in grads]).norm(dim=0)  # (R,)
    factors = (longest / (lengths + 1e-6)).clamp(max=1)
    for g in grads:
        g.mul_(factors.view(-1, *[1] * (g.dim() - 1)))


# Layers with parameters (R, ...), over batches (R B, ...) ------------------------------------------------------------

def linear(layer: Linear, x: Tensor, turned: bool) -> Tensor | tuple[Tensor, ...]:
    """x W^T + b with each replica's own; W (R, out, in) or, turned, (R, in, out), and b (R, out).

    Turned is how a batched product leaves the gradient; that of a weight laid out otherwise would be copied each step.
    """
    rows = x.reshape(len(layer.weight), -1, x.shape[-1])  # (R, N, in)
    weight = layer.weight if turned else layer.weight.mT
    y = torch.bmm(rows, weight) if layer.bias is None else torch.baddbmm(layer.bias.unsqueeze(1), rows, weight)
    y = y.view(*x.shape[:-1], -1)
    return y.split(list(layer.parts.values()), dim=-1) if isinstance(layer, FusedLinear) else y


def embedding(layer: nn.Embedding, tokens: Tensor) -> Tensor:
    """Rows of each replica's own table, (R, V, C), taken from all of them as one table, (R V, C)."""
    R, V, _ = layer.weight.shape
    first = torch.arange(0, R * V, V).unsqueeze(1)
    return F.embedding((tokens.view(R, -1) + first).view(tokens.shape), layer.weight.flatten(0, 1))


def norm(layer: nn.LayerNorm | RMSNorm, x: Tensor) -> Tensor:
    way, bias = (F.rms_norm, None) if isinstance(layer, RMSNorm) else (F.layer_norm, layer.bias)
    y = way(x, layer.normalized_shape, eps=layer.eps).reshape(len(layer.weight), -1, x.shape[-1])  # (R, N, C)
    weight = layer.weight.unsqueeze(1)
    return (y * weight if bias is None else torch.addcmul(bias.unsqueeze(1), y, weight)).view(x.shape)


def learned(layer: Learned, x: Tensor, start: int) -> Tensor:
    """The place of `Learned.embed`."""
    table = layer.table.weight[:, start : start + x.shape[1]]  # (R, T, C)
    return (x.view(len(table), -1, *x.shape[1:]) + table.unsqueeze(1)).view(x.shape)


def drop(layer: Dropout, noises: list[Noise], x: Tensor) -> Tensor:
    """Dropout of each replica's share of the batch with the mask that it draws alone."""
    keep = torch.empty_like(x)
    for part, noise in zip(keep.chunk(len(noises)), noises):
        part.bernoulli_(1 - layer.p, generator=noise.generator)
    return x * keep.div_(1 - layer.p)


LAYERS: dict[type[nn.Module], Callable] = {
    Linear: linear, FusedLinear: linear, nn.Embedding: embedding, nn.LayerNorm: norm, RMSNorm: norm,
}


def adapt(module: nn.Module, noises: list[Noise], turned: set[nn.Parameter]) -> None:
    """Let one module work on all replicas."""
    if isinstance(module, Dropout):
        module.forward = partial(drop, module, noises)
    elif isinstance(module, Learned):
        module.embed = partial(learned, module)
    elif isinstance(module, Linear):
        module.forward = partial(linear, module, turned=module.weight in turned)
    elif type(module) in LAYERS:
        module.forward = partial(LAYERS[type(module)], module)
