"""Where texts come from: bundled, downloaded, imported, or made for a task. No torch here.

Every text is UTF-8 with "\n" between lines. Its SHA-256 is its fingerprint: a run that names it can never be
continued on another text by mistake.
"""

import codecs
import hashlib
import http.client
import os
import re
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from gpt.config import DataConfig
from gpt.home import home
from gpt.tasks import TASKS, text_of
from gpt.tokenizers import TextError

MAX_TEXT_BYTES = 20_000_000
MAX_FOLDER_BYTES = 2_000_000_000  # all own texts together
BUNDLED = Path(__file__).resolve().parent.parent / "data" / "tinyplays.txt"
SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHAKESPEARE_BYTES = 1_115_394
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SILENCE_SECONDS = 10.0  # longest wait for the next bytes of a download
DOWNLOAD_SECONDS = 60.0  # longest download: a server that trickles must not hold a run for ever


def tinyplays(cfg: DataConfig) -> str:
    """The bundled text: eight verse plays, 594,060 characters."""
    return BUNDLED.read_text(encoding="utf-8")


def tinyshakespeare(cfg: DataConfig) -> str:
    """Tiny Shakespeare, 1,115,394 characters; downloaded on first use. Raises TextError."""
    path = _texts() / "tinyshakespeare.txt"
    if path.exists():
        raw = path.read_bytes()
        if sha256(raw) != SHAKESPEARE_SHA256:
            raise TextError(f"{path} is not tiny Shakespeare as published: delete it to download it again, "
                            f"or use dataset = tinyplays, which is bundled.")
        return raw.decode()
    try:
        raw = _download()
    except (OSError, http.client.HTTPException, TextError) as error:
        raise TextError(f"Tiny Shakespeare could not be downloaded: {str(error).strip('<>') or type(error).__name__}. "
                        f"Use dataset = tinyplays, which is bundled, or save {SHAKESPEARE_URL} as {path}.") from error
    _write(path, raw)
    return raw.decode()


def own(cfg: DataConfig) -> str:
    """The imported text with the fingerprint `cfg.text`. Raises TextError if it is not on this machine."""
    if not re.fullmatch("[0-9a-f]{64}", cfg.text):  # it becomes a file name: nothing else may pass
        raise TextError(f"text = {cfg.text[:64]!r} is not the fingerprint of an imported text: import the text again, "
                        f"or use dataset = tinyplays.")
    path = _texts() / f"{cfg.text}.txt"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise TextError(f"The text {cfg.text[:12]}... is not on this machine: own texts are never sent along. "
                        f"Import it again, or use dataset = tinyplays.") from None
    if sha256(raw) != cfg.text:
        raise TextError(f"{path} was changed after it was imported: import the text again.")
    return raw.decode()


def task(cfg: DataConfig) -> str:
    """The examples of a task, a line each."""
    return text_of(cfg.dataset, cfg.size)


DATASETS: dict[str, Callable[[DataConfig], str]] = {
    "tinyplays": tinyplays,
    "tinyshakespeare": tinyshakespeare,
    "own": own,
    **dict.fromkeys(TASKS, task),
}


def read_text(cfg: DataConfig) -> str:
    """The text that `cfg` names. Raises TextError if it cannot be had."""
    return DATASETS[cfg.dataset](cfg)


def import_text(raw: bytes) -> str:
    """Keeps a text on this machine and returns its fingerprint, the value of `DataConfig.text`.

    A byte order mark is dropped and line ends become "\\n". Raises TextError, and keeps nothing, if the text is
    empty, not UTF-8, binary, or larger than MAX_TEXT_BYTES; a caller need read only one byte more than that.
    """
    if len(raw) > MAX_TEXT_BYTES:
        raise TextError(f"The text is larger than {MAX_TEXT_BYTES / 1e6:g} MB: use a part of it.")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TextError(f"The text is not UTF-8 (line {line:,}): save it as plain text with the encoding UTF-8, "
                        f"and import that.") from None
    if "\0" in text:  # UTF-16 without its mark passes for UTF-8 with a NUL in every second place
        raise TextError("The text has NUL bytes, so it is binary or UTF-16: save it as plain text with the encoding "
                        "UTF-8, and import that.")
    if not text.strip():
        raise TextError("The text is empty: give it some lines to learn from, or use dataset = tinyplays.")
    raw = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    if sum(file.stat().st_size for file in _texts().glob("*.txt")) > MAX_FOLDER_BYTES:
        raise TextError(f"{_texts()} already holds {MAX_FOLDER_BYTES / 1e9:g} GB of texts: delete some there, or use "
                        f"dataset = tinyplays.")
    fingerprint = sha256(raw)
    _write(_texts() / f"{fingerprint}.txt", raw)
    return fingerprint


def _texts() -> Path:
    return home() / "texts"


def sha256(raw: bytes) -> str:
    """The fingerprint of a text's bytes."""
    return hashlib.sha256(raw).hexdigest()


def _download() -> bytes:
    """Tiny Shakespeare's bytes, verified. Raises OSError, HTTPException or TextError."""
    expected = SHAKESPEARE_BYTES
    raw, deadline = bytearray(), time.monotonic() + DOWNLOAD_SECONDS
    with urllib.request.urlopen(SHAKESPEARE_URL, timeout=SILENCE_SECONDS) as response:
        # read1 returns what has come, so that the deadline is looked at even if little comes.
        while len(raw) <= expected and (piece := response.read1(1 << 16)):
            raw += piece
            if time.monotonic() > deadline:
                raise TextError(f"only {len(raw):,} of {expected:,} bytes came in {DOWNLOAD_SECONDS:g} seconds")
    if len(raw) > expected:
        raise TextError(f"more than its {expected:,} bytes came")
    if len(raw) < expected:
        raise TextError(f"the download was cut after {len(raw):,} of {expected:,} bytes")
    if sha256(raw) != SHAKESPEARE_SHA256:
        raise TextError("what came is not the text as published (its SHA-256 differs)")
    return bytes(raw)


def _write(path: Path, raw: bytes) -> None:
    """Writes all of `raw` to `path`, or nothing. Raises TextError."""
    try:
        path.parent.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:12]}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise TextError(f"{path} could not be written ({error.strerror}): make room there, or let GPT_PLAYGROUND_HOME "
                        f"name another folder.") from error
