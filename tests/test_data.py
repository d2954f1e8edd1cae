"""Data: the same batches for everyone, honest splits, and a clear way out of texts that are too short."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gpt import data
from gpt.config import DataConfig
from gpt.data import TextError, entropies, load
from gpt.seeding import generator
from gpt.texts import import_text

T = 16


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty folder for texts, and nothing remembered from other tests."""
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))
    data._kept.clear()
    return tmp_path


def own(text: str, **changes) -> DataConfig:
    return DataConfig(dataset="own", text=import_text(text.encode()), **changes)


# ---- texts that are too short, and what is remembered


@pytest.mark.parametrize("text", ["a", "abc", "word " * 30])
def test_a_text_shorter_than_a_context_says_what_would_pass(text):
    with pytest.raises(TextError, match="too short.*block_size = 64 needs 65 of each.*650 tokens.*dataset = tinyplays"):
        load(own(text), 64)


@pytest.mark.parametrize(("fraction", "enough"), [(0.1, 650), (0.5, 130), (0.01, 6500), (0.3, 217)])
def test_the_ways_out_of_a_short_text_suffice(fraction, enough):
    short = own("ab" * 30, val_fraction=fraction)
    with pytest.raises(TextError, match=f"{enough:,} tokens or more") as error:
        load(short, 64)
    assert load(own("ab" * (enough // 2) + "a" * (enough % 2), val_fraction=fraction), 64)
    if "block_size = " in str(error.value).partition("or more")[2]:
        assert load(short, int(str(error.value).rpartition("block_size = ")[2].split(",")[0]))


def test_too_short_for_one_context_but_not_for_another():
    """The text is remembered, the verdict is not."""
    cfg = own("to be or not to be, that is the question\n" * 5)
    assert len(load(cfg, 8).val) >= 9
    with pytest.raises(TextError, match="too short"):
        load(cfg, 64)
    assert load(cfg, 8) is load(cfg, 16)


def test_what_is_known_waits_for_no_other_text():
    """To encode a long text can take half a minute, and every look at a form wants its own."""
    known = load(own("What noise is that? " * 20), T)
    with ThreadPoolExecutor(2) as pool:
        with data._encoding:  # as while another one is encoded
            assert pool.submit(load, own("What noise is that? " * 20), T).result(timeout=20) is known
            new = [pool.submit(load, own("Another one. " * 20), T) for _ in range(2)]
            assert not any(future.done() for future in new)
        assert new[0].result(timeout=20) is new[1].result(timeout=20), "encoded once"


def test_the_splits_used_last_are_remembered():
    first = load(own("0 is the first. " * 20), T)
    for n in range(1, 2 * data.KEPT):
        load(own(f"{n} comes later. " * 20), T)
        assert load(own("0 is the first. " * 20), T) is first
    assert len(data._kept) == data.KEPT


@pytest.mark.parametrize(("tokenizer", "vocab"), [("char", 11), ("byte", 256)])
def test_any_unicode(tokenizer, vocab):
    text = "日本語 naïve \U0001f3ad\n" * 50
    dataset = load(own(text, tokenizer=tokenizer), T)
    assert dataset.tokenizer.vocab_size == vocab
    assert dataset.tokenizer.decode(torch.cat([dataset.train, dataset.val]).tolist()) == text


def test_a_text_of_one_character():
    """Nothing to learn, and nothing to divide by zero."""
    dataset = load(own("a" * 1000), T)
    assert (dataset.tokenizer.vocab_size, dataset.unigram, dataset.bigram) == (1, 0.0, 0.0)


# ---- splits and batches


@pytest.fixture
def small():
    return load(own("".join(chr(97 + i * i % 23) + " "[i % 5:] for i in range(3000))), T)


def test_the_split_is_the_text_in_order(small):
    whole = torch.cat([small.train, small.val])
    assert len(small.train) == int(0.9 * len(whole)) and whole.dtype == torch.int64
    cut = load(DataConfig(val_fraction=0.25), T)
    assert len(cut.val) == pytest.approx(594_060 / 4, abs=1)


def test_batches_are_windows_of_the_training_part_shifted_by_one(small):
    x, y = small.batch(3, 1, 8, T)
    assert x.shape == y.shape == (8, T) and x.dtype == y.dtype == torch.int64
    assert torch.equal(x[:, 1:], y[:, :-1])
    starts = torch.randint(len(small.train) - T, (8,), generator=generator(1, "batch", 3)).tolist()
    for row, last, start in zip(x, y[:, -1], starts):
        assert torch.equal(row, small.train[start:start + T]) and last == small.train[start + T]


def test_batches_depend_on_seed_and_step_alone(small):
    x, _ = small.batch(3, 1, 8, T)
    torch.manual_seed(0)
    small.batch(4, 1, 8, T)
    assert torch.equal(x, small.batch(3, 1, 8, T)[0])
    assert not torch.equal(x, small.batch(4, 1, 8, T)[0])
    assert not torch.equal(x, small.batch(3, 2, 8, T)[0])


def test_batches_reach_both_ends_of_the_training_part():
    dataset = load(own("".join(chr(0x4E00 + i) for i in range(400))), T)  # every token once: its number is its place
    seen = torch.cat([torch.stack(dataset.batch(step, 1, 64, T)).flatten() for step in range(200)])
    assert seen.min() == 0 and seen.max() == len(dataset.train) - 1 == 359


def test_the_shortest_possible_text_has_one_window():
    dataset = load(own("abcdefghi " * 17), T)
    assert len(dataset.val) == T + 1
    assert len(dataset.eval_batches(10_000, T)) == len(list(dataset.whole_split(T, 4))) == 1


@pytest.mark.parametrize(("tokens", "windows"), [(1, 1), (T, 1), (5 * T, 5), (10**9, None)])
def test_eval_batches_are_fixed_and_spread(small, tokens, windows):
    batches = small.eval_batches(tokens, T, batch_size=4)
    windows = windows or (len(small.val) - 1) // T
    assert sum(len(x) for x, _ in batches) == windows
    assert all(x.shape == y.shape and x.shape[1] == T and len(x) <= 4 for x, y in batches)
    x, y = (torch.cat(parts) for parts in zip(*batches))
    assert torch.equal(x, torch.cat([x for x, _ in small.eval_batches(tokens, T)]))  # however they are grouped
    assert torch.equal(x[0], small.val[:T])
    if windows > 1:
        assert y[-1, -1] == small.val[-1]  # from the first token to the last


def test_evaluating_everything_overlaps_nowhere():
    dataset = load(own("".join(chr(0x4E00 + i) for i in range(4000))), T)
    targets = torch.cat([y.flatten() for _, y in dataset.eval_batches(10**9, T)])
    assert len(targets.unique()) == len(targets) >= len(dataset.val) - 1 - T


@pytest.mark.parametrize("length", [T, 7, 25])
def test_the_whole_split_has_every_target_once(small, length):
    batches = list(small.whole_split(length, batch_size=3))
    assert torch.equal(torch.cat([x.flatten() for x, _ in batches]), small.val[:-1])
    assert torch.equal(torch.cat([y.flatten() for _, y in batches]), small.val[1:])
    assert all(x.shape[1] == length for x, _ in batches[:-1])


# ---- entropies


@pytest.mark.parametrize("vocab", [7, 5000], ids=["counted", "sorted"])
def test_entropies_are_the_textbook_sums(vocab):
    tokens = torch.randint(7, (500,), generator=generator("entropies")).tolist()
    n = len(tokens)
    unigram = -sum(p * math.log(p) for t in set(tokens) if (p := tokens.count(t) / n))
    pairs, before = list(itertools.pairwise(tokens)), tokens[:-1]
    counts = {pair: pairs.count(pair) for pair in set(pairs)}
    bigram = -sum(c / len(pairs) * math.log(c / before.count(first)) for (first, _), c in counts.items())
    assert entropies(torch.tensor(tokens), vocab) == pytest.approx((unigram, bigram))


def test_the_bigram_entropy_is_what_a_table_of_counts_reaches(small):
    """So that a curve below that line has beaten every bigram table on this text."""
    v = small.tokenizer.vocab_size
    counts = torch.bincount(small.train[:-1] * v + small.train[1:], minlength=v * v).view(v, v).double()
    loss = torch.nn.functional.cross_entropy(counts.log()[small.train[:-1]], small.train[1:])
    assert loss.item() == pytest.approx(small.bigram)
