"""Optimisers and learning-rate schedules."""

import math

import torch
from torch import nn

from gpt.config import TrainConfig


def learning_rate(step: int, cfg: TrainConfig) -> float:
    """The learning rate of step `step` (0 for the first) under the config's schedule and warmup."""
    if step < cfg.warmup:
        return cfg.lr * (step + 1) / cfg.warmup
    done = (step - cfg.warmup) / max(1, cfg.steps - cfg.warmup)  # 0 .. 1 of what follows the warmup
    return cfg.lr * (cfg.lr_end + (1 - cfg.lr_end) * SCHEDULES[cfg.schedule](min(1.0, done), cfg))


# name -> how much of the way from the peak to the end remains, 1 .. 0, when `done` of the steps are done
SCHEDULES = {
    "constant": lambda done, cfg: 1.0,
    "linear": lambda done, cfg: 1 - done,
    "cosine": lambda done, cfg: (1 + math.cos(math.pi * done)) / 2,
    "wsd": lambda done, cfg: min(1.0, (1 - done) / cfg.decay),
}


OPTIMIZERS = {
    "adamw": lambda groups, cfg: torch.optim.AdamW(groups, lr=cfg.lr, betas=(cfg.beta1, cfg.beta2), fused=True),
    "sgd": lambda groups, cfg: torch.optim.SGD(groups, lr=cfg.lr, momentum=cfg.momentum, fused=True),
}


def make_optimizer(model: nn.Module, cfg: TrainConfig) -> torch.optim.Optimizer:
    """The config's optimiser over the model's parameters; weight decay on matrices only, as GPT-3 and nanoGPT do."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": cfg.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return OPTIMIZERS[cfg.optimizer]([group for group in groups if group["params"]], cfg)
