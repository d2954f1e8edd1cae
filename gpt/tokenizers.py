"""Text to token numbers and back. A tokenizer is plain data: `to_json` holds all of it."""

import codecs
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from gpt.bpe import MOST_BYTES_OF_WORD, WORD, learn, pieces
from gpt.options import Refusal

MAX_CHARACTERS = 8192  # a V x V bigram table and its optimiser then still fit into 1 GiB
MAX_DIFFERENT = 4_000_000  # characters of different words: cutting each takes its time, and 20 MB of English have 2,000,000


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

    @classmethod
    @abstractmethod
    def build(cls, text: str, seen: int, vocab_size: int) -> "Tokenizer":
        """The tokenizer of `text`, of which the first `seen` characters are for training. Raises TextError."""

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
    def build(cls, text: str, seen: int, vocab_size: int) -> "CharTokenizer":
        """The tokenizer of all of `text`, or what is held out could not be read. Raises TextError for more than
        MAX_CHARACTERS different characters."""
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
    def build(cls, text: str, seen: int, vocab_size: int) -> "ByteTokenizer":
        """The same for every text."""
        return cls()

    def encode(self, text: str) -> list[int]:
        return list(utf8(text))


class BpeTokenizer(Tokenizer):
    """The 256 bytes, and the commonest pairs of tokens merged into one, within words. Sennrich et al. 2016."""

    kind = "bpe"

    def __init__(self, merges: list[int]):
        """`merges` are the two tokens of each in turn."""
        tokens = [bytes([i]) for i in range(256)]
        for first, second in zip(merges[::2], merges[1::2]):
            tokens.append(tokens[first] + tokens[second])
        super().__init__(tokens)
        self.merges = merges
        self.made = {pair: 256 + i for i, pair in enumerate(zip(merges[::2], merges[1::2]))}

    @classmethod
    def build(cls, text: str, seen: int, vocab_size: int) -> "BpeTokenizer":
        """Learnt from the training part alone: every text can be written in bytes, so what is held out stays unseen.

        It has fewer than `vocab_size` tokens where no more pairs come twice. Raises TextError for too many different words.
        """
        counts = Counter(re.findall(WORD, text[:seen]))
        if (size := sum(map(len, counts))) > MAX_DIFFERENT:
            raise TextError(f"The text has {size:,} characters of different words, and word pieces can be made of "
                            f"{MAX_DIFFERENT:,}: use tokenizer = char or byte, or a part of the text.")
        merges = [token for pair in learn(counts, vocab_size) for token in pair]
        return cls(merges)

    def encode(self, text: str) -> list[int]:
        ids, known = [], {}
        for word in re.findall(WORD, text):
            if word not in known:
                known[word] = pieces(list(utf8(word)), self.made)
            ids += known[word]
        return ids

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "merges": self.merges}


def utf8(text: str) -> bytes:
    """The bytes of `text`. Raises TextError for half of a UTF-16 pair, as broken JSON can hold."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise TextError(f"{text[error.start]!r} is half a character and has no bytes: leave it out.") from None


TOKENIZERS: dict[str, type[Tokenizer]] = {"char": CharTokenizer, "byte": ByteTokenizer, "bpe": BpeTokenizer}


def build(kind: str, text: str, seen: int, vocab_size: int) -> Tokenizer:
    """The tokenizer named `kind` for `text`, of which the first `seen` characters are for training; `vocab_size` is for
    kinds that have a choice. Raises TextError if the text does not suit it."""
    return TOKENIZERS[kind].build(text, seen, vocab_size)


def from_json(record: dict[str, Any]) -> Tokenizer:
    """The inverse of `Tokenizer.to_json`; `unsound` tells of a record from elsewhere whether it is one."""
    parts = dict(record)
    return TOKENIZERS[parts.pop("kind")](**parts)


def unsound(record: dict[str, Any], kind: str) -> str:
    """What is wrong with JSON from outside that should be a tokenizer of this kind: "has ...", or "" if nothing is."""
    holds = {"char": "characters", "byte": None, "bpe": "merges"}[kind]
    if record.keys() != {"kind", holds} - {None}:
        return f"does not hold what one of {kind} holds"
    return _unsound_characters(record[holds]) if kind == "char" else _unsound_merges(record[holds]) if kind == "bpe" else ""


def _unsound_characters(characters: Any) -> str:
    if not isinstance(characters, str):
        return "does not hold what one of char holds"
    if not 1 <= len(characters) <= MAX_CHARACTERS:
        return f"has {len(characters):,} characters, and may have 1 to {MAX_CHARACTERS:,}"
    if "".join(sorted(set(characters))) != characters or re.search("[\ud800-\udfff]", characters):
        return "is not a list of different whole characters in their order"
    return ""


def _unsound_merges(merges: Any) -> str:
    """Looks at lengths before bytes: merges of merges can double a token's length each."""
    if not isinstance(merges, list) or len(merges) % 2 or not all(type(token) is int for token in merges):
        return "does not hold what one of bpe holds"
    if len(merges) > 2 * (MAX_CHARACTERS - 256):
        return f"has {len(merges) // 2:,} merges, and may have {MAX_CHARACTERS - 256:,}"
    tokens = [bytes([i]) for i in range(256)]
    known = set(tokens)
    for first, second in zip(merges[::2], merges[1::2]):
        if not (0 <= first < len(tokens) and 0 <= second < len(tokens)):
            return f"merges tokens {first} and {second} when there are {len(tokens):,}"
        made = tokens[first] + tokens[second]
        if len(made) > MOST_BYTES_OF_WORD or made in known:
            return f"has a merge {len(tokens) - 255:,} that makes " + ("the same token twice" if made in known else "no word")
        tokens.append(made)
        known.add(made)
    return ""


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
