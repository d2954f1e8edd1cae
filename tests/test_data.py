"""Data: the same batches for everyone, honest splits, and a clear way out of every bad text."""

import hashlib
import http.server
import itertools
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from gpt import data
from gpt.config import DataConfig
from gpt.data import DATASETS, MAX_TEXT_BYTES, TextError, entropies, import_text, load, read_text
from gpt.options import options
from gpt.seeding import generator

ROOT = Path(__file__).resolve().parent.parent
SHAKESPEARE = ROOT.parent / "shared" / "data" / "tinyshakespeare.txt"
T = 16


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty folder for texts, and nothing remembered from other tests."""
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))
    data._kept.clear()
    return tmp_path


def kept(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def own(text: str, **changes) -> DataConfig:
    return DataConfig(dataset="own", text=import_text(text.encode()), **changes)


# ---- the texts


def test_every_choice_has_a_text():
    assert set(DATASETS) == set(options(DataConfig)["dataset"].choices)


def test_tinyplays_is_bundled_as_described(home):
    text = read_text(DataConfig())
    assert len(text) == 594_060 and len(set(text)) == 65 and "\r" not in text
    plays = load(DataConfig(), 64)
    assert plays.fingerprint == hashlib.sha256(text.encode()).hexdigest()
    assert plays.fingerprint in (ROOT / "data" / "README.md").read_text()
    assert plays.tokenizer.vocab_size == 65
    assert plays.bigram == pytest.approx(2.39, abs=0.005)
    assert plays.bigram < plays.unigram < math.log(65)
    assert kept(home) == []


@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="no copy of tiny Shakespeare beside the repository")
def test_tinyshakespeare_is_taken_from_its_place(home):
    """The way out for a machine without network: the file saved at the path that the error names."""
    (home / "texts").mkdir()
    (home / "texts" / "tinyshakespeare.txt").write_bytes(SHAKESPEARE.read_bytes())
    shakespeare = load(DataConfig(dataset="tinyshakespeare"), 64)
    assert len(shakespeare.train) + len(shakespeare.val) == 1_115_394
    assert len(shakespeare.train) == 1_003_854  # the split of the published losses
    assert shakespeare.fingerprint == data.SHAKESPEARE_SHA256
    assert shakespeare.tokenizer.vocab_size == 65
    assert shakespeare.bigram == pytest.approx(2.45, abs=0.005)
    assert shakespeare.tokenizer.to_json() == load(DataConfig(), 64).tokenizer.to_json()  # exactly its characters


# ---- downloads, from a server of our own


GOOD = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 2000


class Server(http.server.BaseHTTPRequestHandler):
    """Serves GOOD in the way the address asks for."""

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.path == "/missing":
            return self.send_error(404)
        bad = {"/altered": GOOD[:-2] + b"?\n", "/short": GOOD[:-100], "/large": GOOD + b"more" * 100_000}
        body = bad.get(self.path, GOOD)
        self.send_response(200)
        if self.path != "/unannounced":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/cut":
            self.wfile.write(body[:1000])
        elif self.path == "/silent":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.server.closing.wait(10)
        elif self.path == "/trickle":
            while not self.server.closing.wait(0.02):
                self.wfile.write(b"a")
        else:
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    """A function that lets the next download ask for a path of a local server; its `.http` counts what was asked."""
    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    http_server.handle_error = lambda *args: None  # a client that hangs up is what the tests are about
    http_server.asked, http_server.closing = 0, threading.Event()
    thread = threading.Thread(target=http_server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(data, "SHAKESPEARE_BYTES", len(GOOD))
    monkeypatch.setattr(data, "SHAKESPEARE_SHA256", hashlib.sha256(GOOD).hexdigest())

    def serve(path: str) -> None:
        monkeypatch.setattr(data, "SHAKESPEARE_URL", f"http://127.0.0.1:{http_server.server_port}{path}")

    serve.http = http_server
    yield serve
    http_server.closing.set()
    http_server.shutdown()
    http_server.server_close()
    thread.join()


CONFIG = DataConfig(dataset="tinyshakespeare")


@pytest.mark.parametrize("path", ["/good", "/unannounced"])
def test_a_good_download_is_kept(home, server, path):
    server(path)
    assert read_text(CONFIG) == GOOD.decode()
    assert kept(home) == ["tinyshakespeare.txt"]
    server("/missing")  # the second time needs no network
    assert read_text(CONFIG) == GOOD.decode() and server.http.asked == 1


@pytest.mark.parametrize(("path", "reason"), [
    ("/cut", "was cut after 1,000 of 122,000 bytes"),
    ("/short", "cut after 121,900 of 122,000 bytes"),
    ("/altered", "not the text as published"),
    ("/large", "more than its 122,000 bytes"),
    ("/missing", "404"),
    ("/silent", "timed out"),
    ("/trickle", "bytes came in 0.3 seconds"),
])
def test_a_bad_download_names_the_way_out_and_leaves_nothing(home, server, monkeypatch, path, reason):
    server(path)
    began = time.monotonic()
    with monkeypatch.context() as hurried, pytest.raises(TextError) as error:
        if path in ("/silent", "/trickle"):
            hurried.setattr(data, "SILENCE_SECONDS" if path == "/silent" else "DOWNLOAD_SECONDS", 0.3)
        load(CONFIG, T)
    assert time.monotonic() - began < 5
    message = str(error.value)
    assert reason in message
    assert "dataset = tinyplays" in message and str(home / "texts" / "tinyshakespeare.txt") in message
    assert kept(home) == []
    server("/good")  # and a failure is not remembered
    assert load(CONFIG, T).fingerprint == hashlib.sha256(GOOD).hexdigest()


def test_no_server_at_all(home, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(data, "SHAKESPEARE_URL", "http://127.0.0.1:9/input.txt")  # the discard port: nobody listens
    with pytest.raises(TextError, match="refused.*dataset = tinyplays"):
        read_text(CONFIG)
    assert kept(home) == []


def test_a_damaged_copy_is_not_used_nor_deleted(home, server):
    server("/good")
    read_text(CONFIG)
    path = home / "texts" / "tinyshakespeare.txt"
    path.write_bytes(GOOD[:-1])
    with pytest.raises(TextError, match="delete it to download it again, or use dataset = tinyplays"):
        read_text(CONFIG)
    path.unlink()
    assert read_text(CONFIG) == GOOD.decode()


def test_a_folder_that_cannot_be_written(home):
    (home / "texts").write_text("in the way")
    with pytest.raises(TextError, match="could not be written.*GPT_PLAYGROUND_HOME"):
        import_text(b"some text")


def test_an_interrupted_write_leaves_nothing(home, monkeypatch):
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data.os, "replace", fail)
    with pytest.raises(TextError, match="No space left on device.*make room"):
        import_text(b"some text")
    assert kept(home) == []


# ---- own text


def test_own_text_comes_back_with_clean_line_ends(home):
    fingerprint = import_text(b"\xef\xbb\xbfZwei Stra\xc3\x9fen\r\nim Wald\rund ich\n")
    expected = "Zwei Straßen\nim Wald\nund ich\n"
    assert read_text(DataConfig(dataset="own", text=fingerprint)) == expected
    assert fingerprint == hashlib.sha256(expected.encode()).hexdigest()
    assert kept(home) == [f"{fingerprint}.txt"]
    assert import_text(expected.encode()) == fingerprint  # the same text, however it was saved
    assert len(kept(home)) == 1


@pytest.mark.parametrize(("raw", "reason"), [
    (b"", "empty.*dataset = tinyplays"),
    (b"\xef\xbb\xbf", "empty"),
    (b" \r\n\t\n ", "empty"),
    ("Grüße\n".encode("latin-1"), r"not UTF-8 \(line 1\).*encoding UTF-8"),
    (b"one\ntwo\nthree \xff\n", r"not UTF-8 \(line 3\)"),
    ("Grüße\n".encode("utf-16"), "not UTF-8"),
    ("plain\n".encode("utf-16-le"), "NUL bytes.*UTF-16.*encoding UTF-8"),
    (b"PK\x03\x04\x00\x00", "NUL bytes, so it is binary"),
    ("€".encode()[:2], "not UTF-8"),
    (b"a" * (MAX_TEXT_BYTES + 1), "larger than 20 MB: use a part of it"),
], ids=range(10))
def test_bad_text_is_refused_and_not_kept(home, raw, reason):
    with pytest.raises(TextError, match=reason):
        import_text(raw)
    assert kept(home) == []


def test_text_at_the_limit_is_taken(monkeypatch):
    monkeypatch.setattr(data, "MAX_TEXT_BYTES", 100)
    assert import_text(b"a" * 100)
    with pytest.raises(TextError, match="larger than"):
        import_text(b"a" * 101)


def test_an_unknown_fingerprint_says_so():
    with pytest.raises(TextError, match="not on this machine.*Import it again, or use dataset = tinyplays"):
        read_text(DataConfig(dataset="own", text="0" * 64))


@pytest.mark.parametrize("text", ["", "../secret", "/etc/passwd", "0" * 63, "g" * 64, "0" * 64 + "\n", "A" * 64])
def test_a_fingerprint_can_name_no_other_file(home, text):
    (home / "secret.txt").write_text("not a text")
    with pytest.raises(TextError, match="not the fingerprint of an imported text"):
        read_text(DataConfig(dataset="own", text=text))


def test_a_changed_own_text_is_not_used(home):
    cfg = own("to be or not to be\n")
    (home / "texts" / f"{cfg.text}.txt").write_text("to be\n")
    with pytest.raises(TextError, match="was changed after it was imported"):
        read_text(cfg)


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
