"""Text to token numbers and back. A tokenizer is plain data: `to_json` holds all of it."""

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from gpt.options import Refusal

MAX_CHARACTERS = 8192  # a V x V bigram table and its optimiser then still fit into 1 GiB


class TextError(Refusal):
    """A text that cannot be used. The message says why and names the way out."""


class Tokenizer(ABC):
    """A list of tokens, each some bytes of UTF-8; a token's number is its place in the list."""

    kind: str

    def __init__(self, tokens: list[bytes]):
        self.tokens = tokens

    @property
    def vocab_size(self) -> int:
        return len(self.tokens)

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """The token numbers of `text`. Raises TextError if it cannot be written in these tokens."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token numbers; bytes that are not UTF-8 become U+FFFD."""
        return b"".join(self.tokens[i] for i in ids).decode("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        """All that `from_json` needs to build it again."""
        return {"kind": self.kind}


class CharTokenizer(Tokenizer):
    """One token for each different character of a text, in the order of their code points."""

    kind = "char"

    def __init__(self, characters: str):
        super().__init__([c.encode() for c in characters])
        self.characters = characters
        self.index = {c: i for i, c in enumerate(characters)}

    @classmethod
    def build(cls, text: str) -> "CharTokenizer":
        """The tokenizer of `text`. Raises TextError if it has more than MAX_CHARACTERS different characters."""
        characters = "".join(sorted(set(text)))
        if len(characters) > MAX_CHARACTERS:
            raise TextError(f"The text has {len(characters):,} different characters, and a table of them may have "
                            f"{MAX_CHARACTERS:,}: use tokenizer = byte.")
        return cls(characters)

    def encode(self, text: str) -> list[int]:
        try:
            return [self.index[c] for c in text]
        except KeyError:
            unknown = list(dict.fromkeys(c for c in text if c not in self.index))
            more = f" and {len(unknown) - 8:,} more" if len(unknown) > 8 else ""
            raise TextError(f"Unknown characters: {' '.join(map(repr, unknown[:8]))}{more}. The model knows only the "
                            f"{self.vocab_size:,} characters of its training text: leave the others out, "
                            f"or train with tokenizer = byte.") from None

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "characters": self.characters}


class ByteTokenizer(Tokenizer):
    """One token for each byte of UTF-8: 256, whatever the text."""

    kind = "byte"

    def __init__(self) -> None:
        super().__init__([bytes([i]) for i in range(256)])

    @classmethod
    def build(cls, text: str) -> "ByteTokenizer":
        """The same for every text."""
        return cls()

    def encode(self, text: str) -> list[int]:
        try:
            return list(text.encode())
        except UnicodeEncodeError as error:  # half of a UTF-16 pair, as broken JSON can hold
            raise TextError(f"{text[error.start]!r} is half a character and has no bytes: leave it out.") from None


TOKENIZERS: dict[str, type[CharTokenizer] | type[ByteTokenizer]] = {"char": CharTokenizer, "byte": ByteTokenizer}


def build(kind: str, text: str) -> Tokenizer:
    """The tokenizer named `kind` for `text`. Raises TextError if the text does not suit it."""
    return TOKENIZERS[kind].build(text)


def from_json(record: dict[str, Any]) -> Tokenizer:
    """The inverse of `Tokenizer.to_json`."""
    parts = dict(record)
    return TOKENIZERS[parts.pop("kind")](**parts)


def stream(tokenizer: Tokenizer, ids: Iterable[int]) -> Iterator[str]:
    """The text of token numbers as they come, in pieces that are never empty.

    Bytes that are not yet a whole character are held back until it is whole; bytes that cannot become one
    are U+FFFD. The pieces joined are `tokenizer.decode(ids)`.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for i in ids:
        if piece := decoder.decode(tokenizer.tokens[i]):
            yield piece
    if rest := decoder.decode(b"", final=True):
        yield rest
