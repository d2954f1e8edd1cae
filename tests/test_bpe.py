"""Word pieces: the merges are those of the plain algorithm, stay within words, and lose nothing."""

import random
import re
from collections import Counter

import pytest

from gpt import bpe
from gpt.bpe import WORD
from gpt.config import DataConfig
from gpt.data import load
from gpt.tokenizers import MAX_CHARACTERS, BpeTokenizer, TextError, build, from_json, stream, unsound
from support import own_text, small_text

PLAYS = load(DataConfig(), 64).tokenizer.decode(load(DataConfig(), 64).train[:20_000].tolist())
ODD = "\n\n\t  “Öl”, said he: it's 3.50 € , 1234567 don't !!\r\nZ̈ 猫猫猫 🐈\u200d⬛ \u3000\u200b a\x00\x7f" + "o" * 50 + " " * 40
ALL = "".join(chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000)


def pieces_of(text: str, vocab_size: int) -> BpeTokenizer:
    return build("bpe", text, len(text), vocab_size)


def naive(text: str, vocab_size: int) -> list[bytes]:
    """Counts all pairs anew for each merge, in the words as they stand in the text, written as bytes."""
    words = [[bytes([b]) for b in word.encode()] for word in re.findall(WORD, text)]
    tokens = [bytes([i]) for i in range(256)]
    while len(tokens) < vocab_size:
        counts = Counter((a, b) for word in words for a, b in zip(word, word[1:]) if a + b not in tokens)
        if not counts or max(counts.values()) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], tokens.index(pair[0]), tokens.index(pair[1])))
        tokens.append(best[0] + best[1])
        for word in words:
            at = 0
            while at < len(word) - 1:
                if (word[at], word[at + 1]) == best:
                    word[at : at + 2] = [tokens[-1]]
                at += 1
    return tokens


@pytest.mark.parametrize("text", [PLAYS, small_text(), 5 * ODD, "aaaaaaa aaa aaaa " * 3, "abab baba abba " * 4, "猫犬猫 猫犬 " * 9, ""],
                         ids=["plays", "words", "odd", "aaa", "abab", "cats", "empty"])
def test_merges_are_those_of_the_plain_algorithm(text):
    found = pieces_of(text, 330)
    assert found.tokens == naive(text, 330)
    assert found.to_json() == pieces_of(text, 330).to_json()  # and the same each time
    assert len(set(found.tokens)) == found.vocab_size


def test_fewer_merges_are_the_first_of_more():
    assert pieces_of(PLAYS, 400).tokens[:300] == pieces_of(PLAYS, 300).tokens


def test_encoding_merges_as_training_did():
    """The tokens of the training text are what the words came to when the last merge was learnt."""
    ours = pieces_of(PLAYS, 320)
    words = {word: [bytes([b]) for b in word.encode()] for word in re.findall(WORD, PLAYS)}
    for token in ours.tokens[256:]:
        first, second = ours.merges[2 * (ours.tokens.index(token) - 256) :][:2]
        for word in words.values():
            at = 0
            while at < len(word) - 1:
                if (word[at], word[at + 1]) == (ours.tokens[first], ours.tokens[second]):
                    word[at : at + 2] = [token]
                at += 1
    expected = [ours.tokens.index(piece) for word in re.findall(WORD, PLAYS) for piece in words[word]]
    assert ours.encode(PLAYS) == expected
    assert len(expected) < 0.7 * len(PLAYS)


def test_words_are_the_whole_text_and_short():
    """Whatever the text: the cost of cutting a word grows with its square."""
    for text in (ALL, ODD, PLAYS, "x" * 1000, "-" * 1000, "\n" * 1000):
        words = re.findall(WORD, text)
        assert "".join(words) == text and max(map(len, words)) <= 17
        assert max(len(word.encode()) for word in words) <= bpe.MOST_BYTES_OF_WORD


def test_words_keep_what_belongs_together():
    assert re.findall(WORD, "He'll say: \"'Tis 1234!\"\n\n  naïve   x_y") == [
        "He", "'ll", " say", ":", ' "\'', "Tis", " 123", "4", '!"', "\n\n", " ", " naïve", "  ", " x", "_", "y"]


def test_merges_never_cross_words():
    text = "to be or not to be, to be! " * 50 + "\n\n" * 20
    for token in pieces_of(text, 400).tokens[256:]:
        assert len(re.findall(WORD, token.decode())) == 1


def test_any_text_comes_back_at_once_and_in_a_stream():
    ours, chance = pieces_of(PLAYS, 500), random.Random(1)
    for text in [ODD, ALL[:3000], "", *("".join(chance.choices(ALL, k=40)) for _ in range(50))]:
        ids = ours.encode(text)
        assert ours.decode(ids) == text == "".join(stream(ours, ids))
        assert all(type(i) is int for i in ids)
    ids = [chance.randrange(ours.vocab_size) for _ in range(500)]  # as a model may draw them: not always characters
    assert "".join(stream(ours, ids)) == ours.decode(ids)


def test_only_the_training_part_is_learnt_from():
    first, rest = "cat cat cat ", "dog dog dog dog "
    assert b" dog" not in build("bpe", first + rest, len(first), 400).tokens
    assert b" dog" in build("bpe", first + rest, len(first + rest), 400).tokens


def test_the_commonest_words_are_learnt_from(monkeypatch):
    """And no others, where there are too many to be quick: rare words do not matter, and chaos must not take for ever."""
    text = "banana " * 9 + "zzzz" * 2
    assert b"zz" in pieces_of(text, 300).tokens
    monkeypatch.setattr(bpe, "MOST_BYTES", 5)
    assert b" banana" in pieces_of(text, 300).tokens and b"zz" not in pieces_of(text, 300).tokens
    monkeypatch.setattr("gpt.tokenizers.MAX_DIFFERENT", 8)
    with pytest.raises(TextError, match="22 characters of different words.*tokenizer = char or byte"):
        pieces_of(text, 300)


@pytest.mark.parametrize(("merges", "why"), [
    (None, "does not hold"), ({"a": 1}, "does not hold"), ([97], "does not hold"), ([97, "98"], "does not hold"),
    ([97, 98.0], "does not hold"), ([True, 98], "does not hold"), ([97, 98] * (MAX_CHARACTERS - 255), "7,937 merges"),
    ([256, 97], "merges tokens 256 and 97 when there are 256"), ([97, 98, 257, 97], "tokens 257 and 97 when there are 257"),
    ([97, -1], "tokens 97 and -1"), ([97, 10**30], "when there are 256"), ([97, 98, 97, 98], "merge 2 that makes the same token twice"),
    ([97, 98, 98, 99, 97, 257, 256, 99], "merge 4 that makes the same token twice"),
    ([n for i in range(255, 7000) for n in (i, i)], "merge 7 that makes no word"),  # 2 ** 6745 bytes
])
def test_hostile_merges_are_refused_in_words(merges, why):
    assert why in unsound({"kind": "bpe", "merges": merges}, "bpe")


def test_sound_merges_are_taken():
    """The largest there are."""
    record = pieces_of(PLAYS, MAX_CHARACTERS).to_json()
    assert unsound(record, "bpe") == "" and from_json(record).encode(ODD) == pieces_of(PLAYS, MAX_CHARACTERS).encode(ODD)
    assert "does not hold" in unsound(record | {"more": 1}, "bpe")


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_the_same_characters_are_held_out_however_the_text_is_cut(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))
    text = small_text(words=600) + "ünïcödé 猫 " * 60
    cfg = own_text(text)
    data = load(DataConfig(dataset="own", text=cfg.text, tokenizer=kind, vocab_size=300, val_fraction=0.3), 16)
    end = int(len(text) * 0.7)
    assert data.tokenizer.decode(data.train.tolist()) == text[:end]
    assert data.tokenizer.decode(data.val.tolist()) == text[end:]
    assert data.characters == len(text[end:]) / len(data.val)
