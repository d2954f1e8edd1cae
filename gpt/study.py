"""A study: arms that cost the same, trained with the same seeds, to tell what each change is worth. No torch at import.

Which arms there are is in arms.py, what their losses say in effects.py.
"""

import dataclasses
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from time import perf_counter
from typing import Any

from gpt.arms import BASE, MOST_ARMS, Arm
from gpt.config import MOST_CHECKS, ModelConfig, RunConfig, SampleConfig, TrainConfig
from gpt.options import ConfigError, get, options, replace, values

MOST_SEEDS = 10
MOST_RUNS = 120

# What each arm has as much of as the base.
BUDGETS: dict[str, str] = {
    "steps": "the same number of steps",
    "tokens": "the same number of tokens, by the steps",
    "seconds": "the same seconds of training on this machine, by the steps",
    "flops": "the same floating-point operations, by the steps",
    "parameters": "the same number of parameters, by the width",
}
SAME_TIME = 0.03  # of a step's seconds: less than that is the timing's noise
LEAST_TIMED, MOST_TIMED = 2, 0.3  # steps, and seconds after which no other step is timed


# Budgets ------------------------------------------------------------------------------------------------------------

Size = Callable[[RunConfig], int]  # the number of different tokens, which only the text can tell


def fit(base: RunConfig, arm: Arm, budget: str, size: Size) -> tuple[RunConfig, str]:
    """The arm's config, made to cost what `base` costs, and what that took: "1,240 steps instead of 1,000" or "".

    Raises ConfigError for a budget that the arm cannot keep, and TextError where seconds cannot be timed without the text.
    """
    if budget not in BUDGETS:
        raise ConfigError([f"There is no budget {budget!r}: use one of {', '.join(BUDGETS)}."])
    config = arm.config(base)
    if budget == "steps" or not arm.changes:
        return config, ""
    means = "model.n_embd" if budget == "parameters" else "train.steps"
    if means in arm.changes:
        raise ConfigError([f"{means} cannot be what differs and what keeps the budget = {budget}: use budget = steps."])
    if budget == "parameters":
        return _same_parameters(base, config, size)
    wanted, each = (_cost(c, budget, size) for c in (base, config))
    if not wanted or not each:
        raise ConfigError(["A bigram table has no products to count: use budget = steps, tokens or seconds."])
    if budget == "seconds" and abs(wanted / each - 1) < SAME_TIME:
        return config, ""
    return _with_steps(config, round(base.train.steps * wanted / each))


def _cost(config: RunConfig, budget: str, size: Size) -> float:
    """Of one training step, in what the budget counts."""
    if budget == "tokens":
        return config.tokens_per_step
    if budget == "seconds":
        return step_seconds(config)
    from gpt.estimate import floating_point_operations

    return floating_point_operations(config, size(config))


def _with_steps(config: RunConfig, steps: int) -> tuple[RunConfig, str]:
    """`config` with another number of steps, checked about as many times. Raises ConfigError for too few or too many."""
    known, before = options(TrainConfig), config.train.steps
    if problem := known["steps"].check(steps):
        way_out = "lower" if steps > before else "raise"
        raise ConfigError([f"To cost as much as the base: {problem} So {way_out} train.steps, or use budget = steps."])
    if steps == before:
        return config, ""
    every = max(round(config.train.eval_every * steps / before), -(-steps // MOST_CHECKS), 1)
    changes = {"train.steps": steps, "train.warmup": min(config.train.warmup, steps),
               "train.eval_every": min(every, int(known["eval_every"].high))}
    return replace(config, changes), f"{steps:,} steps instead of {before:,}"


def _same_parameters(base: RunConfig, config: RunConfig, size: Size) -> tuple[RunConfig, str]:
    """`config` with the width that brings its parameters nearest to the base's. Raises ConfigError where none comes near."""
    from gpt.model import count_parameters

    vocab_size = size(config)

    @lru_cache
    def count(width: int) -> int:
        return count_parameters(dataclasses.replace(config.model, n_embd=width), vocab_size)["total"]

    wanted, before = count_parameters(base.model, size(base))["total"], config.model.n_embd
    if count(before) == wanted:
        return config, ""
    width = options(ModelConfig)["n_embd"]
    fits = [n for n in range(int(width.low), int(width.high) + 1) if not dataclasses.replace(config.model, n_embd=n).problems()]
    at = bisect_left(fits, wanted, key=count)
    nearest = min(fits[max(0, at - 1) : at + 1], key=lambda n: abs(count(n) - wanted))
    next_to = fits[1] if nearest == fits[0] else fits[-2]
    if at in (0, len(fits)) and abs(count(nearest) - wanted) > abs(count(next_to) - count(nearest)):
        raise ConfigError([f"No n_embd from {fits[0]} to {fits[-1]} gives about {wanted:,} parameters: "
                           f"change n_layer or n_embd in the base, or use budget = flops."])
    return replace(config, {"model.n_embd": nearest}), f"width {nearest} instead of {before}" if nearest != before else ""


def step_seconds(config: RunConfig) -> float:
    """Seconds of a training step on this machine, the least of a few; measured once. Raises ConfigError or TextError."""
    import torch

    # What makes no step slower is set alike; and as small a learning rate as there is, for losses that stay numbers.
    least = options(TrainConfig)["lr"].low
    train = dataclasses.replace(config.train, steps=1, warmup=0, eval_every=1, seed=0, lr=least, lr_rest=least)
    return _timed(dataclasses.replace(config, train=train, sample=SampleConfig()), torch.get_num_threads())


@lru_cache(maxsize=256)
def _timed(config: RunConfig, threads: int) -> float:
    from gpt.run import Run
    from gpt.train import train_step

    run, taken = Run(config), []
    began = perf_counter()
    while len(taken) <= LEAST_TIMED or perf_counter() - began < MOST_TIMED:
        start = perf_counter()
        float(train_step(run.state, run.data, run.cfg.train, run.device))
        taken.append(perf_counter() - start)
    return min(taken[1:])  # the first one warms up


# Plans --------------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Planned:
    """An arm as it will be trained."""

    name: str
    kind: str  # "base", "minus", "plus", "swap" or "sweep"
    part: str  # the component whose colour it carries, or ""
    note: str  # what was adjusted to keep the budget, or ""
    options: dict[str, Any]  # all of them; the seed is the study's
    value: float | None = None  # of the option that a sweep varies

    @property
    def config(self) -> RunConfig:
        """Raises ConfigError for options that are no more."""
        return replace(RunConfig(), self.options)


@dataclass(frozen=True)
class Study:
    """All that is to be trained: each arm with each seed."""

    kind: str  # "ablation" or "sweep"
    path: str  # the option that a sweep varies, or ""
    budget: str  # one of BUDGETS
    seeds: tuple[int, ...]
    arms: tuple[Planned, ...]

    @property
    def base(self) -> int:
        """The index of the arm that the others are compared with."""
        return next(index for index, arm in enumerate(self.arms) if arm.kind == "base")

    def configs(self) -> Iterator[tuple[int, int, RunConfig]]:
        """(index of the arm, seed, config) of each run: all arms with the first seed, then with the next. None of them
        writes samples, which can cost more than the training; they can be asked for."""
        for seed in self.seeds:
            for index, arm in enumerate(self.arms):
                yield index, seed, replace(arm.config, {"train.seed": seed, "sample.length": 0})

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, written: str) -> "Study":
        """The inverse of `to_json`."""
        told = json.loads(written)
        return cls(**told | {"seeds": tuple(told["seeds"]), "arms": tuple(Planned(**arm) for arm in told["arms"])})


def plan(config: RunConfig, arms: Sequence[Arm], budget: str, seeds: int, size: Size, path: str = "") -> Study:
    """The study of `arms` of `config` with its own seed and the following ones, `seeds` in all; a sweep if of a `path`.

    The base is added where it is not among the arms; an ablation has it first. Raises ConfigError that lists every problem.
    """
    arms = list({arm.key: arm for arm in [*([] if path else [BASE]), *arms]}.values())
    if BASE not in arms:
        arms.append(BASE)
    sizes: dict[tuple[Any, int], int] = {}

    def known(config: RunConfig) -> int:
        """`size(config)`, which reads a text: once for arms that share it."""
        key = config.data, config.model.block_size
        if key not in sizes:
            sizes[key] = size(config)
        return sizes[key]

    if wrong := [*config.problems(known(config)), *_too_many(config, len(arms), seeds)]:
        raise ConfigError(wrong)
    planned, wrong = [], defaultdict(list)
    for arm in arms:
        try:
            fitted, note = fit(config, arm, budget, known)
        except ConfigError as error:
            found = error.problems
        else:
            value = get(fitted, path) if path else None
            planned.append(Planned(arm.name, arm.kind, arm.part, note, values(fitted), value))
            found = fitted.problems(known(fitted))
        for problem in found:
            wrong[problem].append(arm.name)
    if wrong:
        raise ConfigError([f"{', '.join(names)}: {problem}" for problem, names in wrong.items()])
    first = config.train.seed
    return Study("sweep" if path else "ablation", path, budget, tuple(range(first, first + seeds)), tuple(planned))


def _too_many(config: RunConfig, arms: int, seeds: int) -> list[str]:
    """What is wrong with the numbers of arms, the base included, and of seeds."""
    wrong = []
    if arms < 2:
        wrong.append("There is nothing to compare with the base: choose at least one variant.")
    if arms > MOST_ARMS:
        wrong.append(f"{arms:,} variants, the base included: choose at most {MOST_ARMS}.")
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= MOST_SEEDS:
        return [*wrong, f"seeds = {seeds!r}: use a whole number from 1 to {MOST_SEEDS}."]
    if arms * seeds > MOST_RUNS:
        wrong.append(f"{arms:,} variants with {seeds} seeds are {arms * seeds:,} runs, and {MOST_RUNS} can be: "
                     f"use at most {max(1, MOST_RUNS // arms)} seeds or {MOST_RUNS // seeds} variants.")
    if config.train.seed + seeds - 1 > (most := int(options(TrainConfig)["seed"].high)):
        wrong.append(f"train.seed = {config.train.seed} is followed by no {seeds - 1} others: use at most {most - (seeds - 1)}.")
    return wrong


def seconds(study: Study) -> float:
    """About how long the whole study takes here, in seconds, its runs one after the other."""
    from gpt.estimate import seconds as estimated

    return len(study.seeds) * sum(estimated(config) for _, _, config in islice(study.configs(), len(study.arms)))
