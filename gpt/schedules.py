"""The learning rate over the steps of a run. No torch here: the form draws it."""

import math

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
