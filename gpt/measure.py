"""What losses of different tokens are compared in: bits a character. No torch here.

A loss is nats a token. Times the tokens of a text it is what all of that text costs, however it is cut; divided by its
characters and ln 2 that is bits a character.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

NATS, BITS = "nats a token", "bits a character"


def bits(loss: float, characters: float) -> float:
    """A loss as bits a character, where a token holds so many characters on average."""
    return loss / characters / math.log(2)


def tokens_of(options: Mapping[str, Any]) -> str:
    """What one token is, for options of a run: losses in nats a token compare where it is the same."""
    kind = options.get("data.tokenizer", "char")
    return f"{kind} {options['data.vocab_size']}" if kind == "bpe" else kind


def unit_of(all_options: Iterable[Mapping[str, Any]]) -> str:
    """What losses of such runs are compared in: nats a token, or bits a character where tokens differ."""
    return BITS if len(set(map(tokens_of, all_options))) > 1 else NATS
