"""What `python -m playground` answers when it cannot serve: one line that names the way out, and status 2."""

import signal
import socket

import pytest

from playground import app


@pytest.fixture(autouse=True)
def signals_stay(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *args: None)


def refused(capsys, *argv: str) -> str:
    assert app.main(argv) == 2
    said = capsys.readouterr().err.strip()
    assert said and "\n" not in said and "Traceback" not in said
    return said


def test_a_port_in_use(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "in use" in refused(capsys, "--port", str(taken.getsockname()[1]))


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
def test_a_port_out_of_range(capsys, port):
    with pytest.raises(SystemExit) as ended:
        app.main([f"--port={port}"])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and "1 to 65535" in said and "\n" not in said


def test_a_store_that_cannot_be_opened(capsys, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("not a folder")
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(file / "home"))
    assert "GPT_PLAYGROUND_HOME" in refused(capsys)
