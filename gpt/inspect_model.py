"""What a trained model does with a text, looked at from inside; and what it relies on.

Nothing here knows how a layer computes: the model's own parts are called one after another, and what they say is read on the
way. So a new kind of layer is seen, or left out, without a change here. The model is a copy of the caller's own.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpt.config import SampleConfig
from gpt.data import IGNORED
from gpt.model import GPT, MLP, Alibi, Attention, Bigram, Learned, Look, Position, Rope, Sinusoidal
from gpt.options import Refusal
from gpt.train import counted

Model = GPT | Bigram

TIMED_TOKENS = 512  # fed to see how long a pass takes
SAFETY = 0.7  # of the time is planned with: the machine may have more to do in a moment


# Seen from inside ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A text of T tokens on its way through a model. A bigram table has only scores.

    Each token is seen with the context it has when text is written: as many tokens up to it as the model can look at.
    """

    scores: Tensor  # (T, V): of the token after each one
    streams: list[Tensor]  # (T, C) each: what reaches the first layer, then what leaves each layer
    patterns: list[Tensor]  # (H, T, T) each: how much a head of a layer looks from one token (row) at another (column)


@torch.inference_mode()
def see(model: Model, tokens: list[int]) -> Seen:
    """Feed a text and keep what is seen on the way. Raises Refusal if the scores are not numbers."""
    model.eval()
    text = torch.tensor(tokens, device=next(model.parameters()).device)
    if isinstance(model, Bigram):
        return Seen(numbers(model(text[None])[0]), [], [])
    contexts = text.unfold(0, min(len(text), model.cfg.block_size), 1)  # (B, S): all of them, each one token later
    with watched(model) as found:
        streams = [newest(x) for x in residuals(model, *entered(model, contexts))]
    patterns = [in_place(newest(pattern.transpose(1, 2))).transpose(0, 1) for pattern in found]
    return Seen(numbers(read_out(model, streams[-1])), streams, patterns)


@torch.inference_mode()
def scores_after(model: Model, tokens: list[int]) -> Tensor:
    """The scores (T, V) of the token after each one, on the CPU, with nothing kept on the way; they may be no numbers."""
    model.eval()
    text = torch.tensor(tokens, device=next(model.parameters()).device)
    return newest(model(text.unfold(0, min(len(text), model.cfg.block_size), 1))).float().cpu()


def newest(x: Tensor) -> Tensor:
    """(B, S, ...) over contexts -> (T, ...): every token of the first one, then the last token of each other."""
    return torch.cat([x[0], x[1:, -1]])


def in_place(rows: Tensor) -> Tensor:
    """(T, H, S), each row over its own context, -> (T, H, T) over the whole text."""
    T, H, S = rows.shape
    placed = rows.new_zeros(T, H, T)
    for t in range(T):
        begin = max(0, t - S + 1)
        placed[t, :, begin : begin + S] = rows[t]
    return placed


def entered(model: GPT, tokens: Tensor) -> tuple[Tensor, Look]:
    """(B, T) tokens as the first layer gets them, (B, T, C), and what every layer is handed with them."""
    T = tokens.shape[1]
    return model.position.embed(model.embed(tokens), 0), Look(model.position, 0, model.mask(T, T), None)


def residuals(model: GPT, x: Tensor, look: Look, first: int = 0) -> Iterator[Tensor]:
    """What reaches layer `first`, then what leaves it and each layer after it."""
    yield x
    for block in model.blocks[first:]:
        x = block(x, look)
        yield x


@torch.inference_mode()
def read_out(model: GPT, x: Tensor) -> Tensor:
    """The logit lens: the scores of the next token, were `x` what leaves the last layer. nostalgebraist 2020."""
    return model.head(model.final_norm(x))


def numbers(scores: Tensor) -> Tensor:
    """Scores on the CPU. Raises Refusal if one is not finite."""
    if not scores.isfinite().all():
        raise Refusal("The model's scores are no longer numbers, since its training diverged: look at an earlier step, or "
                      "train it again with a smaller step size.")
    return scores.cpu()


@contextmanager
def watched(model: GPT) -> Iterator[list[Tensor]]:
    """Gathers each attention's pattern, (B, H, T, S), in the order of the layers, while the model runs."""
    found: list[Tensor] = []
    layers = [module for module in model.modules() if isinstance(module, Attention)]
    were = [layer.plain for layer in layers]
    for layer in layers:
        layer.attend, layer.plain = keeping(layer, found), True
    try:
        yield found
    finally:
        for layer, plain in zip(layers, were):
            layer.plain = plain
            del layer.attend  # the class's own is back


def keeping(layer: Attention, found: list[Tensor]) -> Callable[..., Tensor]:
    """The layer's plain attention, which notes its pattern: what it gives for values that each name their own position."""

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        S = k.shape[2]
        places = torch.eye(S, dtype=v.dtype, device=v.device).expand(*k.shape[:2], S, S)
        pattern = Attention.attend(layer, q, k, places, mask)
        found.append(pattern.cpu())
        return pattern @ v.repeat_interleave(q.shape[1] // v.shape[1], dim=1)

    return attend


def drawn(scores: Tensor, cfg: SampleConfig) -> Tensor:
    """The probabilities (T, V) with which `generate.next_token` draws from scores (T, V): most are 0 after a cut."""
    if cfg.temperature == 0:
        return F.one_hot(scores.argmax(-1), scores.shape[-1]).double()
    ordered, order = scores.double().sort(dim=-1, descending=True, stable=True)
    p = ((ordered - ordered[:, :1]) / cfg.temperature).softmax(-1)
    if cfg.top_k:
        p[:, cfg.top_k :] = 0
    if cfg.top_p < 1:
        p[p.cumsum(-1) - p >= cfg.top_p * p.sum(-1, keepdim=True)] = 0
    return torch.zeros_like(p).scatter(-1, order, p / p.sum(-1, keepdim=True))


# What it relies on --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Something to be taken out of a trained model: a head, the attention or the MLP of a layer, or a whole layer; or of all
    layers at once the attention or the MLP; or what tells positions apart."""

    kind: str  # "layer", "attn", "mlp", "head", "position"
    layer: int | None = None  # None: of all layers
    head: int | None = None


@dataclass(frozen=True)
class Effect:
    """How the loss changes without a part: the mean over windows of text, and what it is uncertain by (95 %)."""

    part: Part
    change: float
    spread: float | None  # None: a single window


@dataclass(frozen=True)
class Reliance:
    """The loss of the whole model on some text, and the effect of each part; `left_out` were beyond the time."""

    loss: float
    tokens: int
    effects: list[Effect]
    left_out: int


SUBLAYERS = {"attn": Attention, "mlp": MLP}
ADDED, INSIDE = (Learned, Sinusoidal), (Rope, Alibi)  # positions that are added to tokens, and those that act in attention


def parts(model: Model) -> list[Part]:
    """What can be taken out: of the whole model, then layers, then their sublayers, then the heads."""
    if isinstance(model, Bigram):
        return []
    numbered = list(enumerate(model.blocks))
    everywhere = [Part(kind) for kind, of in SUBLAYERS.items() if any(within(block, of) for block in model.blocks)]
    if isinstance(model.position, ADDED) or Part("attn") in everywhere and isinstance(model.position, INSIDE):
        everywhere.append(Part("position"))
    whole = [Part("layer", n) for n, _ in numbered]
    inner = [Part(kind, n) for n, block in numbered for kind, of in SUBLAYERS.items() if within(block, of)]
    heads = [Part("head", n, h) for n, block in numbered if within(block, Attention) for h in range(model.cfg.heads)]
    return everywhere + whole + inner + heads


def within(block: nn.Module, kind: type[nn.Module]) -> nn.Module | None:
    """The block's attention or MLP, however it is wired in."""
    return next((module for module in block.modules() if isinstance(module, kind)), None)


@contextmanager
def without(model: Model, part: Part | None) -> Iterator[None]:
    """The model while a part gives zeros; a whole layer passes on what it gets, and positions are alike; None: all of it."""
    with ExitStack() as hooks:
        if part and part.kind == "position":
            hooks.callback(setattr, model, "position", model.position)
            model.position = Position(model.cfg)
        elif part:
            for block in model.blocks if part.layer is None else [model.blocks[part.layer]]:
                hooks.callback(taken_out(block, part).remove)
        yield


def taken_out(block: nn.Module, part: Part) -> torch.utils.hooks.RemovableHandle:
    """The hook that takes a part out of a block."""
    if part.kind == "layer":
        return block.register_forward_hook(lambda _, given, made: given[0])
    if part.kind != "head":
        return within(block, SUBLAYERS[part.kind]).register_forward_hook(lambda _, given, made: torch.zeros_like(made))
    attention = within(block, Attention)
    own = slice(part.head * attention.D, (part.head + 1) * attention.D)

    def silence(_: nn.Module, given: tuple[Tensor]) -> Tensor:
        heads = given[0].clone()
        heads[..., own] = 0  # the heads stand side by side there, each with its own columns of the projection
        return heads

    return attention.proj.register_forward_pre_hook(silence)


@torch.inference_mode()
def reliance(model: Model, x: Tensor, y: Tensor, seconds: float) -> Reliance:
    """The change in loss without each part, on windows (N, T) of text: on as many as fit into the time."""
    end, device = perf_counter() + seconds, next(model.parameters()).device
    model.eval()
    x, y = x.to(device), y.to(device)
    known = parts(model)
    passes = 1 + sum(1 - part.layer / len(model.blocks) if part.layer else 1 for part in known)
    some = torch.linspace(0, len(x) - 1, how_many(model, x, seconds / passes)).long()  # spread over the text
    x, y = x[some], y[some]
    whole, effects = losses(model(x), y), []
    look, streams = None, []
    if known:
        entry, look = entered(model, x)
        streams = list(residuals(model, entry, look))
    for part in known:
        if perf_counter() > end:
            break
        effects.append(effect(part, lost(model, part, x, streams, look, y) - whole))
    return Reliance(whole.mean().item(), counted(y), effects, len(known) - len(effects))


def how_many(model: Model, x: Tensor, seconds: float) -> int:
    """How many of the windows (N, T) the model can be fed within the time: at least one."""
    few = x[: max(1, TIMED_TOKENS // x.shape[1])]
    model(few[:1])  # the first pass of a process takes longer
    began = perf_counter()
    model(few)
    each = (perf_counter() - began) / len(few)
    return max(1, min(len(x), int(SAFETY * seconds / max(1e-9, each))))


def lost(model: GPT, part: Part, x: Tensor, streams: list[Tensor], look: Look, y: Tensor) -> Tensor:
    """The loss (N,) without a part. What comes before its layer stays as it was."""
    with without(model, part):
        if part.layer is None:
            return losses(model(x), y)
        *_, last = residuals(model, streams[part.layer], look, part.layer)
    return losses(read_out(model, last), y)


def losses(scores: Tensor, y: Tensor) -> Tensor:
    """The loss (N,) of each window, over its targets."""
    summed = F.cross_entropy(scores.transpose(1, 2).float(), y, reduction="none").sum(-1)
    return (summed / (y != IGNORED).sum(-1)).cpu()


def effect(part: Part, changes: Tensor) -> Effect:
    n = len(changes)
    spread = 1.96 * changes.std().item() / math.sqrt(n) if n > 1 else None
    return Effect(part, changes.mean().item(), spread)
