"""The vectors of tokens and of positions, in two dimensions: principal components, and what is near by cosine."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gpt.model import GPT, Bigram, Learned, Sinusoidal


def token_table(model: GPT | Bigram) -> Tensor:
    """Each token's vector, (V, C); of a bigram table each token's row of scores, (V, V)."""
    return (model.table if isinstance(model, Bigram) else model.embed).weight.detach()


def position_table(model: GPT | Bigram) -> Tensor | None:
    """Each position's vector, (block_size, C); None where positions have none of their own."""
    position = None if isinstance(model, Bigram) else model.position
    if isinstance(position, Learned):
        return position.table.weight.detach()
    return position.table if isinstance(position, Sinusoidal) else None


@dataclass(frozen=True)
class Axes:
    """Where a flat picture of vectors is taken from: a point, and two directions of length one at right angles."""

    centre: Tensor  # (C,)
    directions: Tensor  # (C, 2)

    def place(self, rows: Tensor) -> Tensor:
        """Where vectors (n, C) lie in the picture, (n, 2)."""
        return (rows - self.centre) @ self.directions

    def shares(self, rows: Tensor) -> list[float]:
        """How much of the variance of vectors (n, C) each direction shows, 0 to 1."""
        spread = rows - rows.mean(0)
        whole = spread.square().sum()
        return ((spread @ self.directions).square().sum(0) / whole).tolist() if whole > 0 else [0.0, 0.0]


def principal(rows: Tensor) -> Axes:
    """The two directions in which vectors (n, C) differ most. Pearson 1901.

    A direction has no sign of its own: here its largest entry is positive, so that the same vectors give the same picture.
    """
    centre = rows.mean(0)
    found = torch.linalg.svd(rows - centre, full_matrices=False).Vh[:2]
    found = F.pad(found, (0, 0, 0, 2 - len(found)))  # one vector alone spans nothing
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return Axes(centre, (found * torch.where(largest < 0, -1.0, 1.0)).T)


def neighbours(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Of each vector (n, C) the cosines with those nearest to it, (n, count) or fewer, and which these are."""
    unit = F.normalize(rows, dim=1)
    cosines = (unit @ unit.T).fill_diagonal_(-torch.inf)
    return cosines.topk(min(count, len(rows) - 1), dim=1)
