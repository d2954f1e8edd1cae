"""Optimisers. Which step size they use when is in schedules.py."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gpt import kernels
from gpt.config import TrainConfig
from gpt.model import FusedLinear, Linear

Groups = list[dict[str, Any]]


class Lion(Optimizer):
    """Steps of one size, by the sign of a running direction. Chen et al. 2023."""

    def __init__(self, groups: Groups, lr: float, betas: tuple[float, float]):
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            params, grads, averages = memories(self, group, "exp_avg")
            if not params:
                continue
            old, slow = group["betas"]
            directions = torch._foreach_lerp(averages, grads, 1 - old)
            torch._foreach_sign_(directions)
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(params, directions, alpha=-group["lr"])
            torch._foreach_lerp_(averages, grads, 1 - slow)


class Muon(Optimizer):
    """The momentum of each matrix, with its singular values brought to about one. Jordan et al. 2024.

    For matrices only. A group's "parts" say at which rows a parameter is cut into the matrices that it consists of;
    all those of a shape are orthogonalised at once.
    """

    def __init__(self, groups: Groups, lr: float, momentum: float):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            params, grads, averages = memories(self, group, "momentum_buffer")
            if not params:
                continue
            torch._foreach_lerp_(averages, grads, 1 - group["momentum"])
            directions = torch._foreach_lerp(grads, averages, group["momentum"])  # Nesterov's look ahead
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            matrices = zip(cut(params, group["parts"]), cut(directions, group["parts"]))
            for weights, stacked in by_shape(matrices):
                longer = math.sqrt(max(1, weights[0].shape[0] / weights[0].shape[1]))
                torch._foreach_add_(weights, orthogonal(stacked).to(weights[0].dtype).unbind(), alpha=-group["lr"] * longer)


def memories(optimizer: Optimizer, group: dict[str, Any], name: str) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Those of a group's parameters that have gradients, the gradients, and what is remembered of each as `name`."""
    params = [p for p in group["params"] if p.grad is not None]
    for p in params:
        if name not in optimizer.state[p]:
            optimizer.state[p][name] = torch.zeros_like(p)
    return params, [p.grad for p in params], [optimizer.state[p][name] for p in params]


def cut(tensors: list[Tensor], parts: list[list[int]]) -> Iterator[Tensor]:
    """The matrices that each tensor consists of, as views."""
    return (matrix for tensor, rows in zip(tensors, parts) for matrix in tensor.split(rows))


def by_shape(matrices: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[list[Tensor], Tensor]]:
    """(weight, direction) pairs -> the weights of each shape, and their directions stacked, (n, rows, columns)."""
    same = defaultdict(list)
    for weight, direction in matrices:
        same[weight.shape].append((weight, direction))
    for pairs in same.values():
        weights, directions = zip(*pairs)
        yield list(weights), torch.stack(directions)


QUINTIC = (3.4445, -4.775, 2.0315)  # steep at zero: five rounds bring singular values from 0.01 to within 0.7 .. 1.2


def orthogonal(stacked: Tensor, rounds: int = 5) -> Tensor:
    """U V^T of each U S V^T, approximately, by Newton-Schulz iteration on (n, rows, columns)."""
    a, b, c = QUINTIC
    x = stacked.to(torch.bfloat16 if kernels.bfloat16_is_fast(stacked.device.type) else stacked.dtype)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)  # singular values of at most 1
    for _ in range(rounds):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


OPTIMIZERS: dict[str, Callable[[Groups, TrainConfig], Optimizer]] = {
    "adamw": lambda groups, cfg: torch.optim.AdamW(groups, lr=cfg.lr, betas=(cfg.beta1, cfg.beta2), fused=True),
    "adam": lambda groups, cfg: torch.optim.Adam(groups, lr=cfg.lr, betas=(cfg.beta1, cfg.beta2), fused=True),
    "lion": lambda groups, cfg: Lion(groups, lr=cfg.lr, betas=(cfg.beta1, cfg.beta2)),
    "sgd": lambda groups, cfg: torch.optim.SGD(groups, lr=cfg.lr, momentum=cfg.momentum, fused=True),
}


def make_optimizers(model: nn.Module, cfg: TrainConfig) -> list[Optimizer]:
    """The config's optimisers over the model's parameters, each once; weight decay on matrices only, as GPT-3 does.

    A group's "scale" is its learning rate as a multiple of the schedule's. Muon takes the matrices inside the blocks;
    embeddings, the head and vectors are AdamW's, as its authors have it.
    """
    if cfg.optimizer != "muon":
        return [OPTIMIZERS[cfg.optimizer](decayed(model.parameters(), cfg.weight_decay), cfg)]
    layers = [m for path, m in model.named_modules() if isinstance(m, Linear) and path.startswith("blocks.")]
    if not layers:
        return [OPTIMIZERS["adamw"](decayed(model.parameters(), cfg.weight_decay, cfg.lr_rest / cfg.lr), cfg)]
    parts = [list(m.parts.values()) if isinstance(m, FusedLinear) else [m.out_features] for m in layers]
    taken = {id(m.weight) for m in layers}
    hidden = {"params": [m.weight for m in layers], "parts": parts, "weight_decay": cfg.weight_decay, "scale": 1.0}
    rest = (p for p in model.parameters() if id(p) not in taken)
    return [Muon([hidden], lr=cfg.lr, momentum=cfg.momentum),
            OPTIMIZERS["adamw"](decayed(rest, cfg.weight_decay, cfg.lr_rest / cfg.lr), cfg)]


def retune(optimizers: list[Optimizer], model: nn.Module, cfg: TrainConfig) -> None:
    """Let optimisers go on as `cfg` says; what they remember stays."""
    for old, new in zip(optimizers, make_optimizers(model, cfg), strict=True):
        for group, fresh in zip(old.param_groups, new.param_groups, strict=True):
            group.update((name, value) for name, value in fresh.items() if name != "params")


def decayed(parameters: Iterable[nn.Parameter], weight_decay: float, scale: float = 1.0) -> Groups:
    """The parameters in two groups: matrices, which decay, and vectors, which do not."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay, "scale": scale},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0, "scale": scale},
    ]
    return [group for group in groups if group["params"]]
