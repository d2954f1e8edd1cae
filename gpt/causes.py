"""Why a run fails, as far as its options tell, and which change mends it. No torch here.

A cause takes a config and returns words and a fix, or None where it does not apply. To add one, write it and name it in
DIVERGED_BY or STUCK_BY: the first that applies and can be mended is the one that people are told.
"""

from collections.abc import Callable
from typing import Any

from gpt.config import RunConfig
from gpt.options import ConfigError, difference, has_effect, options, replace, show, tags_of

Changes = dict[str, Any]  # option -> new value, as replace() takes them
Cause = Callable[[RunConfig], tuple[str, Changes] | None]

# Least, usual and most learning rate. Of those tried on step 9 of the ladder for 1000 steps, the ones between least and most
# ended within 0.5 of their optimiser's best; three to ten times beyond, from 0.4 above it to nowhere. AdamW's most is lower
# than that, since without a norm (step 7), or deep with post-LN, 0.01 already fails.
RATES = {"adamw": (1e-4, 1e-3, 5e-3), "adam": (1e-4, 1e-3, 5e-3), "lion": (3e-5, 3e-4, 3e-3), "muon": (1e-3, 0.02, 0.2),
         "sgd": (3e-3, 0.05, 0.5)}
REST = (1e-4, 0.01, 0.05)  # the same of AdamW beside Muon


def rate_too_high(c: RunConfig) -> tuple[str, Changes] | None:
    rates = {"train.lr": (c.train.lr, *RATES[c.train.optimizer])}
    if c.train.optimizer == "muon":
        rates["train.lr_rest"] = (c.train.lr_rest, *REST)
    path, (rate, _, usual, most) = max(rates.items(), key=lambda item: item[1][0] / item[1][3])
    who = named(c) if path == "train.lr" else "AdamW beside Muon"
    what = f"A step size of {show(rate)} is {'far too' if rate > 5 * most else 'very'} large for {who}; {show(usual)} is usual."
    return (what, {path: min(tidy(rate / 10), usual)}) if rate > most else None


def rate_too_low(c: RunConfig) -> tuple[str, Changes] | None:
    least, usual, _ = RATES[c.train.optimizer]
    larger = {"train.lr": max(tidy(c.train.lr * 10), usual)}
    what = f"A step size of {show(c.train.lr)} is very small for {named(c)}; {show(usual)} is usual."
    return (what, larger) if c.train.lr < least else None


def no_residual(c: RunConfig) -> tuple[str, Changes] | None:
    m = c.model
    missing = {f"model.{name}": True for name in ("residual_attn", "residual_mlp")
               if has_effect(m, name) and not getattr(m, name)}
    if m.init == "zero" and missing:
        return "Layers that start at zero let nothing through without a residual connection around them.", missing
    if m.n_layer < 2 or not missing:
        return None
    if m.n_layer >= 8 and m.norm == "none":  # so many sums grow too large: of 24 layers the loss then starts at 800
        missing["model.norm"] = "layer"
    return f"Through {m.n_layer} layers without a residual connection around each, little gets back to the first.", missing


def post_ln(c: RunConfig) -> tuple[str, Changes] | None:
    hard = c.model.norm_place == "post" and not c.train.warmup
    return ("Post-LN needs a warm-up or small steps; pre-LN does not.", {"model.norm_place": "pre"}) if hard else None


def forgets_most(c: RunConfig) -> tuple[str, Changes] | None:
    shares = ("dropout_embd", "dropout_attn", "dropout_resid")
    less = {f"model.{name}": 0.2 for name in shares if getattr(c.model, name) > 0.5 and has_effect(c.model, name)}
    return ("Dropout zeroes more than half of what it could learn from.", less) if less else None


def short_memory(c: RunConfig) -> tuple[str, Changes] | None:
    short = c.train.beta2 < 0.9 and c.train.optimizer in ("adam", "adamw")
    why = f"With beta2 at {show(c.train.beta2)}, {named(c)} forgets at once how large gradients are."
    return (why, {"train.beta2": 0.99}) if short else None


def no_norm(c: RunConfig) -> tuple[str, Changes] | None:
    bare = c.model.norm == "none"
    return ("Without a norm, values can take any size.", {"model.norm": "layer", "model.final_norm": True}) if bare else None


def no_clipping(c: RunConfig) -> tuple[str, Changes] | None:
    return None if c.train.grad_clip else ("Gradient clipping keeps one bad batch from doing that.", {"train.grad_clip": 1.0})


def no_warmup(c: RunConfig) -> tuple[str, Changes] | None:
    first = max(1, c.train.steps // 10)
    return None if c.train.warmup else (f"A warm-up makes the first {first:,} steps smaller.", {"train.warmup": first})


def plain_sgd(c: RunConfig) -> tuple[str, Changes] | None:
    why = "SGD is slow; AdamW finds a step size for each weight."
    return (why, {"train.optimizer": "adamw", "train.lr": 1e-3}) if c.train.optimizer == "sgd" else None


def smaller_steps(c: RunConfig) -> tuple[str, Changes] | None:
    return "Smaller steps are the surest way.", {"train.lr": tidy(c.train.lr / 10)}


def larger_steps(c: RunConfig) -> tuple[str, Changes] | None:
    return "Larger steps are the first thing to try.", {"train.lr": tidy(c.train.lr * 10)}


DIVERGED_BY: tuple[Cause, ...] = (rate_too_high, short_memory, no_norm, no_clipping, no_warmup, smaller_steps)
STUCK_BY: tuple[Cause, ...] = (
    rate_too_high, rate_too_low, no_residual, post_ln, forgets_most, short_memory, plain_sgd, no_norm, larger_steps)


def because(config: RunConfig, causes: tuple[Cause, ...]) -> tuple[str, Changes]:
    """The words and the fix of the first cause that applies and can be mended; without one, a way out and {}."""
    for cause in causes:
        if (found := cause(config)) and first_possible(config, found[1]):
            return found
    return "Try another step size, or go back to a preset and change one part at a time.", {}


# Fixes --------------------------------------------------------------------------------------------------------------


def first_possible(config: RunConfig, *candidates: Changes) -> Changes:
    """The first changes that make a config that works and differs in what has an effect; {} if none do."""
    for changes in candidates:
        try:
            if difference(replace(config, changes), config):
                return changes
        except ConfigError:
            pass
    return {}


def forgetting(config: RunConfig) -> list[Changes]:
    """More dropout; the second for a machine that replays what it has recorded, which dropout forbids."""
    share = config.model.dropout_resid
    more = {"model.dropout_resid": min(0.9, round(share + 0.1, 2)) if share else 0.2}
    return [more, {**more, "train.replay": False}]


def label(config: RunConfig, fix: Changes) -> str:
    """What a button says that trains with `fix`: "Train with lr 1e-4"; "" for no fix."""
    tags = tags_of(replace(config, fix), config)
    words = [tag[1:] if tag[0] == "+" else f"no {tag[1:]}" if tag[0] == "-" else tag for tag in tags]
    return f"Train with {' and '.join(words)}" if words else ""


def named(config: RunConfig) -> str:
    """The optimiser's name: "AdamW"."""
    return options(config.train)["optimizer"].describe(config.train.optimizer)


def tidy(rate: float) -> float:
    """A rate to two digits: what 0.003 / 10 is not."""
    return float(f"{rate:.2g}")
