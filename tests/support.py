"""What several tests need: small models off their starting point, a small text, and a cover of the options."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import combinations, product
from typing import Any

import torch
from torch import Tensor, nn

from gpt.config import DataConfig, ModelConfig, RunConfig, SampleConfig, TrainConfig
from gpt.data import Dataset, load
from gpt.model import GPT, Bigram, build, plain_name
from gpt.options import Option, has_effect, options
from gpt.seeding import generator
from gpt.texts import import_text

VOCAB = 11

# Values that are small, valid together in any combination, and large enough to have an effect. An option that is
# not named here gets values by rule, so that a new one is tested without being added.
LEVELS: dict[str, tuple] = {
    "n_head": (4, 2), "queries_per_kv": (1, 2), "window": (0, 3), "softcap": (0.0, 1.5), "expansion": (2.0, 0.5),
    "n_layer": (2, 3), "n_embd": (16, 24), "block_size": (12, 14), "rope_base": (10_000.0, 100.0),
}


def levels(option: Option) -> tuple:
    """The values a test gives to an option, the default or a small stand-in for it first."""
    if option.name in LEVELS:
        return LEVELS[option.name]
    if option.kind == "switch":
        return (option.default, not option.default)
    if option.kind == "choice":
        return (option.default, *(value for value in option.choices if value != option.default))
    low, high = option.low, option.high
    other = next(v for v in (low + (high - low) / 3, low) if v != option.default)
    return (option.default, int(other) if option.integer else other)


OPTIONS = options(ModelConfig)
FACTORS = {name: levels(option) for name, option in OPTIONS.items()}
SMALL = ModelConfig(**{name: values[0] for name, values in FACTORS.items()})


def settings(known: dict[str, Option], wanted: tuple[str, ...], given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every way to add to the `given` values so that all `wanted` options have an effect."""
    if not wanted:
        yield given
        return
    first, *rest = wanted
    for condition in known[first].when or ({},):
        allowed = [[v for v in values if given.get(other, v) == v] for other, values in condition.items()]
        for chosen in product(*allowed):
            yield from settings(known, (*rest, *condition), {**given, **dict(zip(condition, chosen))})


def with_effect(section: Any, name: str) -> Any:
    """`section`, changed as little as makes option `name` have an effect."""
    known = options(section)
    ways = [replace(section, **way) for way in settings(known, (name,), {})]
    return min(ways, key=lambda way: sum(getattr(way, f.name) != getattr(section, f.name) for f in fields(section)))


def pairs_to_cover() -> list[tuple]:
    """((option, value), (option, value)) for all values of two options that can have an effect at once."""
    return [
        ((a, x), (b, y)) for a, b in combinations(FACTORS, 2) for x in FACTORS[a] for y in FACTORS[b]
        if next(settings(OPTIONS, (a, b), {a: x, b: y}), None) is not None
    ]


def pairs_in(cfg: ModelConfig) -> set[tuple]:
    """The pairs of values that `cfg` really tries: both have an effect."""
    return set(combinations([(name, getattr(cfg, name)) for name in FACTORS if has_effect(cfg, name)], 2))


def pairwise(tries: int = 2) -> list[ModelConfig]:
    """A few dozen configs in which every two values that can have an effect together do so at least once.

    Greedy: each is the best of `tries`, grown around pairs still missing. The same ones every time.
    """
    chance, missing, cover = random.Random(1), dict.fromkeys(pairs_to_cover()), []
    while missing:
        starts = chance.sample(list(missing), min(tries, len(missing)))
        rows = {row: pairs_in(row) & missing.keys() for row in (complete(start, missing, chance) for start in starts)}
        cover.append(max(rows, key=lambda row: len(rows[row])))
        missing = {pair: None for pair in missing if pair not in rows[cover[-1]]}
    return cover


def complete(start: tuple, missing: dict[tuple, None], chance: random.Random) -> ModelConfig:
    """A config in which the pair `start` has an effect, and as many other missing ones as come easily."""
    (a, x), (b, y) = start
    row = chance.choice(list(settings(OPTIONS, (a, b), {a: x, b: y})))
    for name in sorted((n for n in FACTORS if n not in row), key=lambda n: (-len(FACTORS[n]), chance.random())):
        row[name] = max(FACTORS[name], key=lambda v: (
            sum(((old, (name, v)) in missing) + (((name, v), old) in missing) for old in row.items()), chance.random()))
    return ModelConfig(**row)


def moved(cfg: ModelConfig, seed: int = 1, vocab_size: int = VOCAB, scale: float = 0.3) -> GPT | Bigram:
    """A model with `scale` * randn added to every weight: at its starting point much is zero or nearly equal.

    What is added depends on the parameter's name alone, so models that differ in one part still share the rest.
    """
    return shake(build(cfg, vocab_size, seed), seed, scale)


@torch.no_grad()
def shake(model: nn.Module, seed: int = 1, scale: float = 0.3) -> nn.Module:
    for name, parameter in model.named_parameters():
        g = generator(seed, "moved", plain_name(name))
        parameter += scale * torch.randn(parameter.shape, generator=g)
    return model


def tokens(*shape: int, seed: int = 0, vocab_size: int = VOCAB) -> Tensor:
    return torch.randint(vocab_size, shape, generator=generator(seed, "tokens"))


def small_text(seed: int = 0, words: int = 700) -> str:
    """Lines of words that a small model can learn something of."""
    chance = random.Random(seed)
    known = "the a cat dog sat ran on under mat log and or then home".split()
    return "".join(chance.choice(known) + ("\n" if i % 8 == 7 else " ") for i in range(words))


def own_text(text: str | None = None) -> DataConfig:
    """A config of a small text of one's own; imports it."""
    return DataConfig(dataset="own", text=import_text((text or small_text()).encode()))


def small_data(block_size: int = SMALL.block_size) -> Dataset:
    return load(own_text(), block_size)


def small_run(**sections: Any) -> RunConfig:
    """A run of a few fast steps on the CPU; sections given replace these."""
    base = RunConfig(
        model=SMALL, data=own_text(), sample=SampleConfig(length=20),
        train=TrainConfig(steps=6, batch_size=4, eval_every=3, eval_tokens=128, device="cpu"),
    )
    return replace(base, **sections)


def each_other_value(option: Option, section: Any, values: Callable[[Option], tuple] = levels) -> Iterator[Any]:
    """`section` with `option` moved to each of its other values."""
    for value in values(option):
        if value != getattr(section, option.name):
            yield replace(section, **{option.name: value})


def until(happened: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits for something that a thread will do."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
