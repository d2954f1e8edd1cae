"""What a model is trained on: a text as tokens, its split into training and validation, and batches."""

import math
import threading
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from gpt.config import DataConfig
from gpt.seeding import generator
from gpt.tasks import first_held_out, shape
from gpt.texts import read_text, sha256
from gpt.tokenizers import TextError, Tokenizer, build


@dataclass(frozen=True, eq=False)
class Dataset:
    """A text as tokens, split in two. Entropies are nats per token of the training part."""

    tokenizer: Tokenizer
    train: Tensor  # (N,) int64: the beginning of the text
    val: Tensor  # (M,) int64: the rest
    fingerprint: str  # SHA-256 of the text
    unigram: float  # entropy of the tokens' frequencies: the best loss without any context
    bigram: float  # entropy of a token given the one before: the best loss of a V x V table
    characters: float = 1.0  # a token of the validation part holds, on average

    @property
    def targets(self) -> int:
        """Tokens of the validation part that are predicted."""
        return len(self.val) - 1

    def batch(self, step: int, seed: int, batch_size: int, block_size: int) -> tuple[Tensor, Tensor]:
        """Random windows of the training part: x and y, both (B, T) int64; y is x one token later.

        They depend on `seed` and `step` alone, so that every model sees the same ones and resuming needs no state.
        """
        starts = torch.randint(len(self.train) - block_size, (batch_size,), generator=generator(seed, "batch", step))
        return _windows(self.train, starts, block_size)

    def eval_batches(self, tokens: int, block_size: int, batch_size: int = 32) -> list[tuple[Tensor, Tensor]]:
        """Windows spread evenly over the validation part, the same at every call: (x, y) as from `batch`.

        About `tokens` tokens in all, at least one window and at most the whole part. The last batch may have fewer
        rows: weigh batches by their size.
        """
        count = max(1, min(tokens, len(self.val) - 1) // block_size)
        starts = torch.arange(count) * (len(self.val) - 1 - block_size) // max(1, count - 1)
        return [_windows(self.val, some, block_size) for some in starts.split(batch_size)]

    def whole_split(self, block_size: int, batch_size: int = 32) -> Iterator[tuple[Tensor, Tensor]]:
        """Every token of the validation part but the first as a target, exactly once: (x, y) as from `batch`.

        Windows do not overlap; the last one is shorter and comes by itself.
        """
        targets = len(self.val) - 1
        whole = targets // block_size * block_size
        for starts in torch.arange(0, whole, block_size).split(batch_size):
            yield _windows(self.val, starts, block_size)
        if rest := targets - whole:
            yield _windows(self.val, torch.tensor([whole]), rest)


IGNORED = -100  # as a target: PyTorch's cross-entropy leaves it out


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples(Dataset):
    """A task's examples as tokens, each a row; only their answers are targets. Entropies are those of the answers."""

    question: int  # tokens of a question
    length: int  # tokens of an example: a question, its answer, the end of the line

    @property
    def answer(self) -> int:
        """Tokens of an answer."""
        return self.length - 1 - self.question

    @property
    def targets(self) -> int:
        return len(self.val) // self.length * self.answer

    def batch(self, step: int, seed: int, batch_size: int, block_size: int) -> tuple[Tensor, Tensor]:
        """Random examples of the training part: x and y, both (B, T) int64, T being all but the last token of an answer."""
        chosen = torch.randint(len(self.train) // self.length, (batch_size,), generator=generator(seed, "batch", step))
        return _rows(self.train, chosen, self.length, self.question)

    def eval_batches(self, tokens: int, block_size: int, batch_size: int = 32) -> list[tuple[Tensor, Tensor]]:
        """Examples spread evenly over the validation part, the same at every call: (x, y) as from `batch`, about `tokens` in all."""
        there = len(self.val) // self.length
        count = max(1, min(tokens // self.length, there))
        chosen = torch.arange(count) * there // count
        return [_rows(self.val, some, self.length, self.question) for some in chosen.split(batch_size)]

    def whole_split(self, block_size: int, batch_size: int = 32) -> Iterator[tuple[Tensor, Tensor]]:
        """Every example of the validation part, once: (x, y) as from `batch`."""
        for some in torch.arange(len(self.val) // self.length).split(batch_size):
            yield _rows(self.val, some, self.length, self.question)


def _rows(tokens: Tensor, chosen: Tensor, length: int, question: int) -> tuple[Tensor, Tensor]:
    rows = tokens.view(-1, length)[chosen]  # (B, length)
    y = rows[:, 1:-1].clone()
    y[:, : question - 1] = IGNORED  # all but the answer
    return rows[:, :-2], y


def _windows(tokens: Tensor, starts: Tensor, length: int) -> tuple[Tensor, Tensor]:
    windows = tokens.unfold(0, length, 1)  # (N - T + 1, T), a view
    return windows[starts], windows[starts + 1]


def load(cfg: DataConfig, block_size: int) -> Dataset:
    """The text of `cfg` as tokens. Raises TextError if it cannot be had or a part is shorter than one context."""
    text = read_text(cfg)
    if cfg.asks:
        question, answer = shape(cfg.dataset, cfg.size)
        return _known(_examples, text, cfg.val_fraction, question, question + answer + 1)
    data = _known(_split, text, cfg.tokenizer, cfg.vocab_size, cfg.val_fraction)
    shorter, needed = min(len(data.train), len(data.val)), block_size + 1
    if shorter < needed:
        share = min(cfg.val_fraction, 1 - cfg.val_fraction)
        lower = f", block_size = {shorter - 1}" if shorter > 2 else ""
        raise TextError(f"The text is too short: {len(data.train):,} tokens for training and {len(data.val):,} held "
                        f"out for validation, and block_size = {block_size} needs {needed:,} of each. Use a text of "
                        f"{math.ceil(needed / share):,} tokens or more{lower}, or dataset = tinyplays.")
    return data


Data = TypeVar("Data", bound=Dataset)
KEPT = 8  # splits: many runs share a text, and a study its ways to cut it
_kept: dict[tuple[Any, ...], Any] = {}  # the one used last at the end
_looking, _encoding = threading.Lock(), threading.Lock()


def _known(encode: Callable[..., Data], *how: Any) -> Data:
    """`encode(*how)`, of which the KEPT used last are remembered. Texts are encoded one at a time, each once, which can take
    half a minute; whoever wants what is remembered waits for none of them."""
    if (data := _remembered((encode, *how))) is None:
        with _encoding:
            if (data := _remembered((encode, *how))) is None:  # nobody else has encoded it meanwhile
                data = encode(*how)
                with _looking:
                    _kept[encode, *how] = data
                    if len(_kept) > KEPT:
                        del _kept[next(iter(_kept))]
    return data


def _remembered(how: tuple[Any, ...]) -> Any:
    with _looking:
        if how in _kept:
            _kept[how] = _kept.pop(how)
        return _kept.get(how)


def _split(text: str, kind: str, vocab_size: int, val_fraction: float) -> Dataset:
    """`text` as tokens, the last `val_fraction` of its characters for validation: the same ones however it is cut."""
    cut = int(len(text) * (1 - val_fraction))
    tokenizer = build(kind, text, cut, vocab_size)
    train = _tensor(tokenizer.encode(text[:cut]))
    val = _tensor(tokenizer.encode(text[cut:]))
    characters = len(text[cut:]) / max(1, len(val))
    return Dataset(tokenizer, train, val, sha256(text.encode()), *entropies(train, tokenizer.vocab_size), characters)


def _examples(text: str, val_fraction: float, question: int, length: int) -> Examples:
    """The lines of `text` as tokens, the last `val_fraction` of them for validation."""
    cut = first_held_out(len(text) // length, val_fraction) * length
    tokenizer = build("char", text, cut, 0)
    train = _tensor(tokenizer.encode(text[:cut]))
    val = _tensor(tokenizer.encode(text[cut:]))
    known = _answer_entropies(train.view(-1, length), question, tokenizer.vocab_size)
    return Examples(tokenizer, train, val, sha256(text.encode()), *known, question=question, length=length)


def _tensor(ids: list[int]) -> Tensor:
    """Token numbers (N,) int64."""
    # By way of an array: torch.tensor() of a long list takes five times as long and stops all other threads.
    return torch.frombuffer(array("q", ids), dtype=torch.int64) if ids else torch.zeros(0, dtype=torch.int64)


def entropies(tokens: Tensor, vocab_size: int) -> tuple[float, float]:
    """Unigram H(token) and bigram H(token | the one before) of (N,) tokens, in nats per token."""
    return _entropy(torch.bincount(tokens)), _given_before(tokens[:-1], tokens[1:], vocab_size)


def _answer_entropies(rows: Tensor, question: int, vocab_size: int) -> tuple[float, float]:
    """The same of the answers in examples (N, L)."""
    before, answers = rows[:, question - 1 : -2].flatten(), rows[:, question:-1].flatten()
    return _entropy(torch.bincount(answers)), _given_before(before, answers, vocab_size)


def _given_before(before: Tensor, tokens: Tensor, vocab_size: int) -> float:
    """H(token | the one before) of (N,) tokens, in nats per token."""
    pairs = before * vocab_size + tokens
    # A count for each possible pair is fastest while they are few; for many, sorting those that occur.
    few = vocab_size**2 <= 1 << 22
    pair_counts = torch.bincount(pairs) if few else pairs.unique(return_counts=True)[1]
    return max(0.0, _entropy(pair_counts) - _entropy(torch.bincount(before)))


def _entropy(counts: Tensor) -> float:
    """-sum p ln p with p = counts / n, as ln n - sum(c ln c) / n; nats."""
    n = max(1, int(counts.sum()))
    return math.log(n) - torch.special.xlogy(counts, counts.double()).sum().item() / n
