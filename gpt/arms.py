"""The arms of a study: what an ablation takes away, adds or swaps, and the values of a sweep. No torch here.

All follows from the options' declarations: one that is added to the config becomes an arm without being named here.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gpt.config import RunConfig
from gpt.options import ConfigError, Option, get, has_effect, name_of, replace, show, shorten, walk

KINDS = ("base", "minus", "plus", "swap", "sweep")
MOST_ARMS = 24
# Another model altogether, and where and in how many digits it is computed: no parts that a model could be without.
UNABLATED = {"model.architecture", "train.precision", "train.device", "train.replay"}
CUT = {"data.tokenizer", "data.vocab_size"}  # the text stays the same, and bits a character compare
UNSWEPT = {"train.seed", "train.eval_every", "train.eval_tokens"}  # chance, and how the loss is measured

Move = tuple[str, dict[str, Any]]  # an arm's kind, and its changes


@dataclass(frozen=True)
class Arm:
    """One config of a study, by what it changes in the base config."""

    key: str  # the same for the same changes: "base", "model.norm=rms"
    name: str  # what differs: "-residual", "RMSNorm", "layers 6"
    kind: str  # one of KINDS
    part: str  # the component whose colour it carries, or ""
    changes: dict[str, Any]  # path -> value

    def config(self, base: RunConfig) -> RunConfig:
        """The arm's config. Raises ConfigError if it cannot work."""
        return replace(base, self.changes)


BASE = Arm("base", "base", "base", "", {})


def make_arm(base: RunConfig, kind: str, changes: dict[str, Any]) -> Arm:
    """An arm that changes at least one option. Raises ConfigError if its config cannot work."""
    key = ",".join(f"{path}={value}" for path, value in changes.items())
    part = dict(walk(base))[next(iter(changes))].part
    return Arm(key, name_of(replace(base, changes), base), kind, part, changes)


# Ablations ----------------------------------------------------------------------------------------------------------

def candidates(config: RunConfig) -> list[Arm]:
    """Every arm that an ablation of `config` can have but the base: minus first, then plus, then swap.

    A switch flips, a number goes to 0 or from there to what is typical, a choice goes to each other value; options of one
    term that change alike do so together too. What cannot work, or trains the same as the base or an arm before, is left out.
    """
    arms, seen = [], {plain(config)}
    for kind, changes in sorted(_moves(config), key=lambda move: KINDS.index(move[0])):
        try:
            changed = plain(replace(config, changes))
        except ConfigError:
            continue
        if changed not in seen:
            arms.append(make_arm(config, kind, changes))
            seen.add(changed)
    return arms


def usual(arms: Iterable[Arm]) -> list[Arm]:
    """Those to begin with: each part that has a colour taken away, and each strength that is on set to 0.

    Options of one term go together, not one by one. Biases and tied weights have no colour and are left to who asks.
    """
    removed = [arm for arm in arms if arm.kind == "minus"]
    together = {path for arm in removed if len(arm.changes) > 1 for path in arm.changes}
    numbers = {path for path, option in walk(RunConfig) if option.kind == "number"}
    return [arm for arm in removed if (arm.part or numbers >= arm.changes.keys())
            and (len(arm.changes) > 1 or not together & arm.changes.keys())]


def pick(found: list[Arm], names: list[str]) -> list[Arm]:
    """The arms of these names. Raises ConfigError that lists what there is."""
    unknown = [name for name in names if name not in {arm.name for arm in found}]
    if unknown:
        raise ConfigError([f"There is no variant {', '.join(map(repr, unknown))}: use any of {', '.join(repr(a.name) for a in found)}."])
    return [arm for arm in found if arm.name in names]


def _moves(config: RunConfig) -> Iterator[Move]:
    """Each single change in the options' order; those of one term together before the first of them."""
    single = [(path, option, kind, value) for path, option in walk(config) if _trains(config, path) and path not in UNABLATED
              for kind, value in _values(option, get(config, path))]
    alike: dict[tuple, dict[str, Any]] = defaultdict(dict)
    for path, option, kind, value in single:
        alike[path.split(".")[0], option.term or path, kind, value][path] = value
    for path, option, kind, value in single:
        family = alike[path.split(".")[0], option.term or path, kind, value]
        if len(family) > 1 and path == next(iter(family)):
            yield kind, family
        yield kind, {path: value}


def _values(option: Option, present: Any) -> Iterator[tuple[str, Any]]:
    """(kind, value) for each other value an ablation gives to an option; a number without an "off" is left to sweeps."""
    if option.kind == "switch":
        yield ("minus" if present else "plus"), not present
    elif option.kind == "number" and (option.zero or option.typical):
        if present:
            yield "minus", type(option.default)(0)
        elif option.typical:
            yield "plus", option.coerce(option.typical)
    elif option.kind == "choice":
        for value in sorted(option.choices, key=lambda value: value != option.default):
            if value != present:
                yield ("minus" if value == "none" else "plus" if present == "none" else "swap"), value


def plain(config: RunConfig) -> RunConfig:
    """The plainest config that trains the same: what goes by two names by one, and options without effect at their defaults.

    The same up to rounding: one head is one of many, a window as long as the context hides nothing.
    """
    m, t = config.model, config.train
    attends = m.attention != "none"
    blocks = m.architecture == "transformer"
    writes = blocks and ((attends and m.attn_proj) or (m.mlp and m.mlp_proj))  # a layer ends on the residual path
    same: dict[str, Any] = {}
    if m.attention == "multi" and m.n_head == 1:
        same["model.attention"] = "single"
    if m.window >= m.block_size:
        same["model.window"] = 0
    if m.position in ("rope", "alibi") and not attends:  # they act on its scores
        same["model.position"] = "none"
    if m.init in ("gpt2", "zero") and not writes:
        same["model.init"] = "normal"
    if not (writes or m.mlp or m.norm == "layer"):
        same["model.bias"] = False  # no layer is left that could have one
    if t.optimizer == "adam" and not t.weight_decay:
        same["train.optimizer"] = "adamw"
    if t.schedule != "constant" and t.lr_end == 1:
        same["train.schedule"] = "constant"
    config = replace(config, same)
    return replace(config, {path: option.default for path, option in walk(config) if not _has_effect(config, path)})


def _has_effect(config: RunConfig, path: str) -> bool:
    section, name = path.split(".")
    return has_effect(getattr(config, section), name)


def _trains(config: RunConfig, path: str) -> bool:
    """Whether an option belongs to the model or its training, or to how the text is cut, and has an effect."""
    return (path.split(".")[0] in ("model", "train") or path in CUT) and _has_effect(config, path)


# Sweeps -------------------------------------------------------------------------------------------------------------

def sweepable(config: RunConfig) -> list[str]:
    """The options that a sweep of `config` can vary: numbers of the model, its training and its tokens that have an effect."""
    return [path for path, option in walk(config)
            if option.kind == "number" and path not in UNSWEPT and _trains(config, path)]


def sweep(config: RunConfig, path: str, values: Sequence[float]) -> list[Arm]:
    """One arm for each different value of option `path`, ascending; the config's own value, added if need be, is the base.

    Raises ConfigError that lists every problem.
    """
    option, present = _swept(config, path), get(config, path)
    different, wrong = list({repr(value): value for value in map(option.coerce, values)}.values()), []
    if len(different) < 2:
        wrong.append(f"{path}: give at least two different values, such as {', '.join(map(show, suggested(config, path)))}.")
    if (count := len(different) + (present not in different)) > MOST_ARMS:
        wrong.append(f"{path} would have {count:,} values, the present one included: use at most {MOST_ARMS}.")
    for value in different[:MOST_ARMS]:
        wrong += _problems(config, path, option, value)
    if wrong:
        raise ConfigError(wrong)
    arms = [BASE if value == present else make_arm(config, "sweep", {path: value}) for value in sorted({present, *different})]
    if len({arm.name for arm in arms}) < len(arms):  # two that look alike when written short
        arms = [arm if arm is BASE else dataclasses.replace(arm, name=f"{option.short} {arm.changes[path]!r}") for arm in arms]
    return arms


def _swept(config: RunConfig, path: str) -> Option:
    """The option to sweep. Raises ConfigError if there is none such, or the config itself cannot work."""
    known, able = dict(walk(config)), sweepable(config)
    wrong = config.problems()
    if path not in able:
        why = ("there is no such option" if path not in known else
               "it is no number" if known[path].kind != "number" else
               f"it has no effect in this config{_needed(known[path])}" if not _has_effect(config, path) else
               "it leaves the model and its training as they are")
        wrong.append(f"{shorten(path)} cannot be swept, {why}: use one of {', '.join(able)}.")
    if wrong:
        raise ConfigError(wrong)
    return known[path]


def _needed(option: Option) -> str:
    """What an option needs to have an effect, where that is one value of one other option."""
    only = [(name, values) for condition in option.when for name, values in condition.items()]
    return f", unless {only[0][0]} = {only[0][1][0]}" if len(only) == 1 and len(only[0][1]) == 1 else ""


def _problems(config: RunConfig, path: str, option: Option, value: Any) -> list[str]:
    """What is wrong with a value of an option, alone or with the rest of the config."""
    if problem := option.check(value):
        return [problem]
    try:
        replace(config, {path: value})
    except ConfigError as error:
        return [f"{path} = {show(value)}: {problem}" for problem in error.problems]
    return []


def suggested(config: RunConfig, path: str) -> list[float]:
    """About five values for a sweep: the present one between its neighbours among the numbers people type, 0 if that is off.

    Each gives a config that can work. Raises ConfigError for what cannot be swept.
    """
    option, present = _swept(config, path), get(config, path)
    middle = present or option.coerce(option.typical or option.high / 100)
    fits = [value for value in sorted({middle, *_round_numbers(option, middle)}) if not _problems(config, path, option, value)]
    off = [type(option.default)(0)] if not option.check(0) and not _problems(config, path, option, 0) else []
    below = [value for value in fits if value < middle]
    above = [value for value in fits if value >= middle]
    wanted = 6 - len(off)
    few = max(wanted - len(above), 3 - len(off))  # more from below where there are not enough above
    near = below[-few:] if few else []
    return sorted({*off, *near, *above[: wanted - len(near)], present})


def _round_numbers(option: Option, middle: float) -> list[float]:
    """The numbers people type within an option's range, without 0: 16, 24, 32 or 0.1, 0.2, 0.5 or 0.9, 0.95, 0.99."""
    if option.integer and math.log2(option.typical or option.default or middle).is_integer():
        found = [half * 2**power for power in range(-1, 21) for half in ((2,) if option.log else (2, 3))]
    else:
        digits = (1, 2, 5) if option.log else (1, 2, 3, 5)
        found = [float(f"{digit}e{power}") for power in range(-6, 7) for digit in digits]
        if 0.5 < middle < 1 and not option.log:
            found = [round(1 - value, 6) for value in found if value <= 0.5]  # shares near all: what is left is what counts
    return [int(value) if option.integer else float(value) for value in found
            if option.low <= value <= option.high and (not option.integer or value == int(value))]
