"""Held-out questions of a task, put to a model: how many it answers exactly, and what it says to others.

An answer is right when its likeliest token is the right one at every place after right ones. That is the same as to write
it token by token, each the likeliest, and takes one pass instead of one a token; only wrong answers are written.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from gpt.data import Examples
from gpt.events import Answers, Working
from gpt.model import GPT, Bigram, KVCache

CHECKED = 200  # questions at a check, which takes some hundredths of the training between two; all at the end
AT_ONCE = 256  # of them in one pass
SHOWN = 10  # wrong answers that are kept


def ask(model: GPT | Bigram, data: Examples, step: int, most: int | None = None) -> Iterator[Working | Answers]:
    """Put all held-out questions to the model, or the first `most`: `Working` between two passes, and `Answers` at the end."""
    device = next(model.parameters()).device
    rows = data.val.view(-1, data.length)[:most].to(device)
    if model.training:
        model.eval()
    right, wrong = 0, rows[:0]
    for number, some in enumerate(rows.split(AT_ONCE)):
        if number:
            yield Working(step, number * AT_ONCE / len(rows))
        known = is_right(model, some, data.question)
        right += int(known.sum())
        wrong = torch.cat([wrong, some[~known]])[:SHOWN]
    yield Answers(step, right, len(rows), mistakes(model, data, wrong) if len(wrong) else [])


@torch.inference_mode()
def is_right(model: GPT | Bigram, rows: Tensor, question: int) -> Tensor:
    """Which of the examples (B, L) are answered exactly, (B,) bool."""
    likeliest = model(rows[:, :-2])[:, question - 1 :].argmax(-1)  # (B, answer)
    return (likeliest == rows[:, question:-1]).all(1)


@torch.inference_mode()
def write(model: GPT | Bigram, questions: Tensor, length: int) -> Tensor:
    """The answers to questions (B, Q), token by token, each the likeliest: (B, length)."""
    cache, fresh, written = KVCache(model.cfg), questions, []
    for _ in range(length):
        fresh = model(fresh, cache)[:, -1:].argmax(-1)
        written.append(fresh)
    return torch.cat(written, dim=1)


def mistakes(model: GPT | Bigram, data: Examples, rows: Tensor) -> list[list[str]]:
    """Question, right answer and given answer of examples (B, L)."""
    given = write(model, rows[:, : data.question], data.answer)
    columns = rows[:, : data.question], rows[:, data.question : -1], given
    return [[data.tokenizer.decode(part.tolist()) for part in parts] for parts in zip(*columns)]
