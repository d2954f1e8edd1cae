"""Tokenizers: nothing is lost on the way there and back, also one token at a time."""

import json

import pytest

from gpt.config import DataConfig
from gpt.options import options
from gpt.tokenizers import MAX_CHARACTERS, TOKENIZERS, TextError, Tokenizer, from_json, stream
from gpt.tokenizers import build as build_any

TEXT = "First Citizen:\nWe are naïve, 'tis €5, 日本語, \U0001f3ad!\n"


def build(kind: str, text: str) -> Tokenizer:
    """All of the text is seen."""
    return build_any(kind, text, len(text), 300)


def test_every_choice_is_built():
    assert set(TOKENIZERS) == set(options(DataConfig)["tokenizer"].choices)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_there_and_back(kind):
    tokenizer = build(kind, TEXT)
    ids = tokenizer.encode(TEXT)
    assert tokenizer.decode(ids) == TEXT
    assert all(type(i) is int and 0 <= i < tokenizer.vocab_size for i in ids)
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""
    again = from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert type(again) is type(tokenizer) and again.vocab_size == tokenizer.vocab_size and again.encode(TEXT) == ids


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_streamed_pieces_join_to_the_text(kind):
    tokenizer = build(kind, TEXT)
    pieces = list(stream(tokenizer, tokenizer.encode(TEXT)))
    assert "".join(pieces) == TEXT and all(pieces)
    if kind != "bpe":
        assert len(pieces) == len(TEXT)  # a character each: neither split nor held back longer than needed


def test_characters_are_in_the_order_of_their_code_points():
    tokenizer = build("char", "banana\n")
    assert tokenizer.vocab_size == 4
    assert tokenizer.encode("\nabn") == [0, 1, 2, 3]
    assert tokenizer.to_json() == {"kind": "char", "characters": "\nabn"}


def test_bytes_are_256_whatever_the_text():
    tokenizer = build("byte", "a")
    assert tokenizer.vocab_size == 256 and tokenizer.encode("é") == [0xC3, 0xA9]


def test_the_stream_takes_tokens_one_at_a_time():
    """A page shows each character when it is drawn, not when the sample is finished."""
    taken = []

    def draw():
        for i in build("byte", "").encode("a€b"):
            taken.append(i)
            yield i

    pieces = stream(build("byte", ""), draw())
    assert next(pieces) == "a" and len(taken) == 1
    assert next(pieces) == "€" and len(taken) == 4  # held back until the third of its bytes
    assert list(pieces) == ["b"]


@pytest.mark.parametrize(("ids", "text"), [
    ([0xE2, 0x82], "\ufffd"),  # ends within a character
    ([0xE2, 0x82, 0x41], "\ufffdA"),  # a character broken off
    ([0xFF, 0x41, 0x80], "\ufffdA\ufffd"),  # never UTF-8
    ([0xF0, 0x9F, 0x8E, 0xAD, 0xC3], "\U0001f3ad\ufffd"),
    ([0xED, 0xA0, 0x80], "\ufffd\ufffd\ufffd"),  # half of a UTF-16 pair
])
def test_bytes_that_are_not_utf8_are_marked(ids, text):
    tokenizer = build("byte", "")
    assert tokenizer.decode(ids) == text
    assert "".join(stream(tokenizer, ids)) == text


def test_unknown_characters_are_named_once_each():
    with pytest.raises(TextError) as error:
        build("char", "abc").encode("ab €ß€ c")
    message = str(error.value)
    assert "' ' '€' 'ß'." in message and message.count("'€'") == 1 and "'a'" not in message
    assert "tokenizer = byte" in message and "3 characters" in message


def test_many_unknown_characters_are_counted():
    with pytest.raises(TextError, match="and 18 more"):
        build("char", "A").encode("abcdefghijklmnopqrstuvwxyz")


def test_half_a_character_is_refused():
    for kind in TOKENIZERS:
        with pytest.raises(TextError, match="ud83c"):
            build(kind, "abc").encode("a\ud83cb")


def test_too_many_different_characters_are_refused():
    most = "".join(map(chr, range(0x4E00, 0x4E00 + MAX_CHARACTERS)))
    assert build("char", most).vocab_size == MAX_CHARACTERS
    with pytest.raises(TextError, match="8,193 different characters.*tokenizer = byte"):
        build("char", most + "a")
