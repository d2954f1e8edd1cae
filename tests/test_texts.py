"""Texts: where they come from, and a clear way out of every bad one."""

import hashlib
import http.server
import math
import threading
import time
from pathlib import Path

import pytest

from gpt import data, texts
from gpt.config import DataConfig
from gpt.data import load
from gpt.options import options
from gpt.texts import DATASETS, MAX_TEXT_BYTES, import_text, read_text
from gpt.tokenizers import TextError

ROOT = Path(__file__).resolve().parent.parent
SHAKESPEARE = ROOT.parent / "shared" / "data" / "tinyshakespeare.txt"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty folder for texts, and nothing remembered from other tests."""
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))
    data._kept.clear()
    return tmp_path


def kept(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file())


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
    assert shakespeare.fingerprint == texts.SHAKESPEARE_SHA256
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
    monkeypatch.setattr(texts, "SHAKESPEARE_BYTES", len(GOOD))
    monkeypatch.setattr(texts, "SHAKESPEARE_SHA256", hashlib.sha256(GOOD).hexdigest())

    def serve(path: str) -> None:
        monkeypatch.setattr(texts, "SHAKESPEARE_URL", f"http://127.0.0.1:{http_server.server_port}{path}")

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
            hurried.setattr(texts, "SILENCE_SECONDS" if path == "/silent" else "DOWNLOAD_SECONDS", 0.3)
        read_text(CONFIG)
    assert time.monotonic() - began < 5
    message = str(error.value)
    assert reason in message
    assert "dataset = tinyplays" in message and str(home / "texts" / "tinyshakespeare.txt") in message
    assert kept(home) == []
    server("/good")  # and a failure is not remembered
    assert load(CONFIG, 16).fingerprint == hashlib.sha256(GOOD).hexdigest()


def test_no_server_at_all(home, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(texts, "SHAKESPEARE_URL", "http://127.0.0.1:9/input.txt")  # the discard port: nobody listens
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

    monkeypatch.setattr(texts.os, "replace", fail)
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
    monkeypatch.setattr(texts, "MAX_TEXT_BYTES", 100)
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
    cfg = DataConfig(dataset="own", text=import_text(b"to be or not to be\n"))
    (home / "texts" / f"{cfg.text}.txt").write_text("to be\n")
    with pytest.raises(TextError, match="was changed after it was imported"):
        read_text(cfg)
