"""A run: text, tokenizer, model, training and samples as one stream of events."""

import math
import platform
from collections import deque
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from time import sleep
from typing import Any, Iterator

import torch
from torch import Tensor

from gpt import __version__, answers
from gpt.changes import Plan, after, changeable
from gpt.config import DataConfig, RunConfig, SampleConfig
from gpt.data import Examples, load
from gpt.device import choose_device, describe_device
from gpt.estimate import floating_point_operations
from gpt.events import Changed, Eval, Event, Sample, Started, Step, Working
from gpt.generate import generate
from gpt.model import GPT, Bigram, Noise, build, count_parameters, set_dropout
from gpt.optim import retune
from gpt.options import ConfigError
from gpt.tasks import held_out_question, shape
from gpt.tokenizers import TextError, Tokenizer, stream
from gpt.train import start, train

COPIES = 20  # attempts at a copy that no update fell into
TOKENS_AT_ONCE = 16  # of a sample, before something else may be done

# What a checkpoint holds: (step, tensors, what else must be remembered, as text)
Checkpoint = tuple[int, dict[str, Tensor], dict[str, str]]

class Run:
    """One run of a config, from its start or from a checkpoint. Raises ConfigError or TextError before it begins.

    `plan` are options to be changed on the way; those due before the checkpoint have been. If it is `measured`, it also
    tells the `Health` of its signals.
    """

    def __init__(self, cfg: RunConfig, checkpoint: Checkpoint | None = None, plan: Plan = (), measured: bool = False):
        begun = checkpoint[0] if checkpoint else 0
        cfg = after(cfg, [change for change in plan if change[0] < begun])
        self._plan = deque(sorted((change for change in plan if change[0] >= begun), key=lambda change: change[0]))
        self._wanted: deque[dict[str, Any]] = deque()
        self._measured = measured
        if wrong := cfg.problems():
            raise ConfigError(wrong)
        self.cfg = cfg
        self.device = choose_device(cfg.train.device)
        self.data = load(cfg.data, cfg.model.block_size)
        if wrong := cfg.problems(self.data.tokenizer.vocab_size):
            raise ConfigError(wrong)
        encode_prompt(self.data.tokenizer, cfg.sample.prompt)  # refused now rather than at the first sample
        self.model = build(cfg.model, self.data.tokenizer.vocab_size, cfg.train.seed).to(self.device)
        self.state = start(self.model, cfg.train, cfg.context)
        if checkpoint:
            step, tensors, meta = checkpoint
            self.state.load(tensors, step, float(meta["seconds"]))

    def events(self) -> Iterator[Event]:
        """Everything that happens, in order: `Started` (unless resumed), then training; after each `Eval` a `Sample`, and
        before that, of a task, `Answers`."""
        return (event for event in self.work() if not isinstance(event, Working))

    def work(self) -> Iterator[Event]:
        """The same with `Working` in between: no two events are further apart than a step, or than a part of a check."""
        if self.state.step == 0:
            yield self.started()
        checked, going = -1, True
        while going:
            yield from self.make_changes()
            going = False
            change_at = self._plan[0][0] if self._plan else math.inf
            for event in train(self.state, self.data, self.cfg.train, checked=checked, change_at=change_at,
                               measured=self._measured):
                yield event
                if isinstance(event, Eval):
                    checked = event.step
                    if isinstance(self.data, Examples):
                        most = answers.CHECKED if event.step < self.cfg.train.steps else None
                        yield from answers.ask(self.model, self.data, event.step, most)
                    if self.cfg.sample.length:
                        yield from self.automatic_sample(event.step)
                told = isinstance(event, Step | Eval) and event.step == self.state.step  # the weights are those of this step
                if told and self.change_is_due() and self.state.step < self.cfg.train.steps:
                    going = True
                    break

    # Changes on the way

    def change(self, changes: dict[str, Any]) -> None:
        """Have options changed before the next step; from any thread. Raises ConfigError for what cannot be changed now."""
        changeable(self.cfg, changes)
        self._wanted.append(changes)

    def unmade(self) -> Plan:
        """What was asked for and not yet made, as a plan for whoever goes on from here."""
        return [(self.state.step, changes) for changes in self._wanted]

    def change_is_due(self) -> bool:
        return bool(self._wanted) or bool(self._plan) and self._plan[0][0] <= self.state.step

    def make_changes(self) -> Iterator[Changed]:
        """Make those that are due."""
        while self.change_is_due():
            changes = self._wanted.popleft() if self._wanted else self._plan.popleft()[1]
            self.cfg = changeable(self.cfg, changes)
            set_dropout(self.model, self.cfg.model)
            retune(self.state.optimizers, self.model, self.cfg.train)
            yield Changed(self.state.step, changes)

    # What it writes

    def automatic_sample(self, step: int) -> Iterator[Event]:
        """A `Sample` from the config's prompt, `Working` on the way."""
        text, cfg = "", posed(self.cfg.data, self.cfg.sample)
        for number, piece in enumerate(self.sample(cfg), start=1):
            text += piece
            if number % TOKENS_AT_ONCE == 0:
                yield Working(step, min(1.0, number / cfg.length))
        yield Sample(step, cfg.prompt, text)

    def started(self) -> Started:
        """What is known before the first step."""
        return Started(
            step=0, parameters=count_parameters(self.cfg.model, self.data.tokenizer.vocab_size)["total"],
            vocab_size=self.data.tokenizer.vocab_size, unigram=self.data.unigram, bigram=self.data.bigram,
            tokens_per_step=self.cfg.tokens_per_step, device=describe_device(self.device, self.cfg.train.precision),
            fingerprint=self.data.fingerprint,
            versions={"gpt": __version__, "torch": torch.__version__, "python": platform.python_version()},
            flops=floating_point_operations(self.cfg, self.data.tokenizer.vocab_size), train_tokens=len(self.data.train),
            characters=self.data.characters,
        )

    def checkpoint(self) -> Checkpoint:
        """The present state; to be taken between two events. Tensors are not copied."""
        return self.state.step, self.state.tensors(), {"seconds": repr(self.state.seconds)}

    def sample(self, cfg: SampleConfig) -> Iterator[str]:
        """Pieces of text that follow `cfg.prompt`. Not while a step is under way. Raises TextError for a bad prompt."""
        return sample(self.model, self.data.tokenizer, posed(self.cfg.data, cfg))

    def sampler(self, attempts: int = COPIES) -> "Sampler":
        """A copy of the model as it is now, to be sampled from while training goes on.

        Between two events it is that of `state.step`. From another thread it waits for no step: it copies until no
        update fell into the copy. Raises TimeoutError where updates follow each other faster than that.
        """
        for _ in range(attempts):
            version = self.state.version
            with suppress(RuntimeError):  # hooks come and go in steps that are measured
                copy = deepcopy(self.model, {id(self.model.noise): Noise()})
                vars(copy).pop("forward", None)  # a recorded one is the original's
                if version % 2 == 0 and version == self.state.version:
                    return Sampler(copy, self.data.tokenizer, self.cfg.data)
            sleep(0.001)
        raise TimeoutError("the weights changed each time they were copied")


@dataclass(frozen=True)
class Sampler:
    """A model that no longer changes, the tokenizer of its text, and which text that is."""

    model: GPT | Bigram
    tokenizer: Tokenizer
    data: DataConfig

    def sample(self, cfg: SampleConfig) -> Iterator[str]:
        """Pieces of text that follow `cfg.prompt`. Raises TextError for a bad prompt."""
        return sample(self.model, self.tokenizer, posed(self.data, cfg))


def posed(data: DataConfig, cfg: SampleConfig) -> SampleConfig:
    """Of a task, no more than an answer, by default to a question that is held out; what was asked for, of a text."""
    if not data.asks:
        return cfg
    _, answer = shape(data.dataset, data.size)
    prompt = cfg.prompt or held_out_question(data.dataset, data.size, data.val_fraction)
    return replace(cfg, prompt=prompt, length=min(cfg.length, answer))


def sample(model: GPT | Bigram, tokenizer: Tokenizer, cfg: SampleConfig) -> Iterator[str]:
    """Pieces of text that follow `cfg.prompt`. Raises TextError for a bad prompt, ConfigError for no length."""
    if not cfg.length:
        raise ConfigError(["length = off writes nothing: use a length of 1 or more."])
    prompt = encode_prompt(tokenizer, cfg.prompt)
    model.eval()
    return stream(tokenizer, generate(model, prompt, cfg))


def encode_prompt(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The prompt's tokens; an empty one begins a new line, or with the first token where there are no lines."""
    try:
        return tokenizer.encode(prompt or "\n")
    except TextError:
        if prompt:
            raise
        return [0]
