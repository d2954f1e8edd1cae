"""How signals fare on their way through a model while it trains: the sizes of activations, gradients and steps.

Only a few steps of a run are measured, by hooks that are there in those steps alone. Nothing of training is changed:
what is read is read between its operations, so that losses are the same bit for bit.

Sizes are root mean squares (RMS) over all numbers of a tensor. Of weights only matrices count: the vectors of norms and
biases begin at 1 or 0 and would hide them.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Iterator

import torch
from torch import Tensor, nn

from gpt.model import GPT, Bigram

MOST = 48  # measurements of the even part of a run: more than a chart of a card's width can show apart
LEAST_STRIDE = 32  # steps between two of them: a measurement costs up to half of the smallest step
DIGITS = 3  # of a size, which is read on a logarithmic scale

WORDS = {"attn": "attention", "mlp": "MLP", "both": "attention + MLP"}


def is_measured(number: int, total: int) -> bool:
    """Whether step `number`, 1 for the first, of `total` is measured: 1, 4, 16, ... up to a stride, then each stride.

    Strides are powers of two. So a longer run measures no step that a shorter one leaves out, and one that is resumed
    or extended goes on in the same rhythm or in half of it.
    """
    stride = stride_of(total)
    power_of_4 = number & (number - 1) == 0 and number.bit_length() % 2 == 1
    return number % stride == 0 or (number < stride and power_of_4)


def stride_of(total: int) -> int:
    """Steps between two measurements once a run of `total` has begun."""
    stride = LEAST_STRIDE
    while total > MOST * stride:
        stride *= 2
    return stride


@dataclass
class Place:
    """A part of the model that is measured. Lengths are on the device until they are read."""

    name: str
    weights: list[nn.Parameter]
    stream: nn.Module | None = None  # what it gives is the residual stream
    own: nn.Module | None = None  # what it gives is the part's own output
    lengths: dict[str, list[Tensor]] = field(default_factory=dict)  # by size: of each tensor
    numbers: dict[str, int] = field(default_factory=dict)  # in all of them


def places(model: GPT | Bigram) -> Iterator[Place]:
    """The parts of a model in the order data flows through them. A tied head has no weights of its own."""
    if isinstance(model, Bigram):
        yield Place("table", [model.table.weight], own=model.table)
        return
    tables = [model.embed.weight, *matrices(model.position)]
    yield Place("embedding", tables, stream=model.drop)
    for number, block in enumerate(model.blocks, start=1):
        for name, sublayer in block.items():
            yield Place(f"layer {number} {WORDS[name]}", matrices(sublayer.inner), stream=sublayer, own=sublayer.drop)
    head = [] if model.head.weight is model.embed.weight else [model.head.weight]
    yield Place("head", head, own=model.head)


def matrices(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.dim() > 1]


class Probe:
    """Measures one step: `attach` before its forward pass, then the others in order."""

    def __init__(self, model: GPT | Bigram):
        self.model, self.places = model, list(places(model))
        self.weights = [weight for place in self.places for weight in place.weights]
        self.before: list[Tensor] = []  # the weights, before the step
        self.hooks: list[Any] = []

    def attach(self) -> None:
        """Look at what the parts give, and at the gradients that come back to it."""
        for place in self.places:
            for name, module in (("stream", place.stream), ("out", place.own)):
                if module is not None:
                    self.hooks.append(module.register_forward_hook(self._look(place, name, module)))

    def _look(self, place: Place, name: str, module: nn.Module) -> Any:
        def arrived(grad: Tensor) -> None:
            place.lengths["back"] = [length(grad)]

        def look(called: nn.Module, given: tuple, output: Tensor) -> None:
            if called is not module:  # a copy, made in another thread meanwhile: hooks are copied with a model
                return
            place.lengths[name] = [length(output.detach())]
            place.numbers[name] = place.numbers["back"] = output.numel()
            if name == "stream" and output.requires_grad:
                output.register_hook(arrived)
        return look

    def detach(self, x: Tensor) -> None:
        """The forward pass over `x` is done."""
        if "forward" in vars(self.model):  # it was replayed from a recording, in which no hook is called
            with torch.no_grad():
                type(self.model).forward(self.model, x)
        for hook in self.hooks:
            hook.remove()

    @torch.no_grad()
    def before_update(self) -> None:
        """The gradients are there, and not yet clipped."""
        self._share("grad", [torch.zeros_like(p) if p.grad is None else p.grad for p in self.weights])
        self.before = [p.detach().clone() for p in self.weights]

    @torch.no_grad()
    def after_update(self) -> None:
        """The weights have moved."""
        self._share("before", self.before)
        self._share("moved", torch._foreach_sub([p.detach() for p in self.weights], self.before))
        self.before = []

    def _share(self, name: str, tensors: list[Tensor]) -> None:
        """Take the lengths of one tensor for each weight. Together: one by one they would cost as much as a small step."""
        lengths = iter(torch._foreach_norm(tensors))
        for place in self.places:
            if place.weights:
                place.lengths[name] = [next(lengths) for _ in place.weights]
                place.numbers[name] = sum(weight.numel() for weight in place.weights)

    def rows(self) -> list[dict[str, Any]]:
        """What was measured, by part; a size that is no number is None. No rows if the step was not made."""
        if not any("moved" in place.lengths for place in self.places):
            return []
        read = iter(torch.stack([each for place in self.places for some in place.lengths.values() for each in some]).tolist())
        return [row(place, {name: root_mean_square([next(read) for _ in some], place.numbers[name])
                            for name, some in place.lengths.items()}) for place in self.places]


def row(place: Place, sizes: dict[str, float]) -> dict[str, Any]:
    """A place's sizes as they are stored. Weights that begin at zero have no ratio yet."""
    before, moved = sizes.pop("before", None), sizes.pop("moved", None)
    if before is not None:
        sizes["update"] = moved / before if before else math.nan
    return {"name": place.name} | {name: short(size) for name, size in sizes.items()}


def length(x: Tensor) -> Tensor:
    """The root of the sum of squares, which stays on its device."""
    return torch.linalg.vector_norm(x, dtype=torch.float32)


def root_mean_square(lengths: list[float], numbers: int) -> float:
    return math.hypot(*lengths) / math.sqrt(numbers)


def short(size: float) -> float | None:
    """A size as it is stored."""
    return float(f"{size:.{DIGITS}g}") if math.isfinite(size) else None
