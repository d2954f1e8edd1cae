"""The command line as its users call it."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gpt.__main__ import main
from gpt.config import RunConfig
from gpt.ladder import compare
from gpt.options import walk
from gpt.presets import list_presets

ROOT = Path(__file__).resolve().parent.parent
FAST = ["--train.steps=30", "--train.eval_every=15", "--train.eval_tokens=256", "--sample.length=20"]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))


def call(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "gpt", *arguments], cwd=ROOT, capture_output=True, text=True)


def trained(capsys, *extra: str) -> str:
    """Trains a little; returns the run's id."""
    assert main(["train", "03", "--json", *FAST, *extra]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["run"]


def test_help_needs_no_torch():
    code = "import sys; from gpt.__main__ import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass\n" \
           "assert 'torch' not in sys.modules, 'torch was imported'"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path, option in walk(RunConfig):
        assert f"--{path} " in done.stdout


def test_json_is_one_event_a_line_and_ends_with_finished(capsys):
    assert main(["train", "03", "--json", *FAST]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["event"] for e in events[:3]] == ["started", "eval", "sample"]
    assert sum(e["event"] == "step" for e in events) == 30
    last = events[-1]
    assert last["event"] == "finished" and last["val_tokens"] > 50_000
    assert main(["eval", last["run"]]) == 0
    assert f"loss {last['val_loss']:.4f} nats" in capsys.readouterr().out


def test_params_ends_with_the_total(capsys):
    assert main(["params", "12-gpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "total 1208385"
    assert sum(int(line.split()[1]) for line in lines[:-1]) == 1208385


@pytest.mark.parametrize("arguments, says", [
    (["train", "03", "--model.norm", "foo"], ["norm = 'foo'", "none, layer, rms"]),
    (["train", "03", "--model.n_head", "5"], ["n_embd = 64", "n_head = 1, 2, 4"]),
    (["train", "03", "--train.lr", "-1", "--train.steps", "x"], ["lr = -1", "steps = 'x'"]),
    (["train", "nothing"], ["no preset 'nothing'", "ladder/01-bigram"]),
    (["train", "03", "--model.colour", "red"], ["--model.colour"]),
    (["train", "03", "--data.text", "/no/such/file"], ["/no/such/file", "cannot be read"]),
    (["train", "03", "--data.dataset", "own"], ["--data.text FILE"]),
    (["train", "03", "--sample.prompt", "é"], ["é"]),
    (["sample", "nosuchrun"], ["nosuchrun"]),
    (["ladder", "--only", "13"], ["1 to 12"]),
    (["frobnicate"], ["frobnicate"]),
])
def test_bad_options_are_one_readable_message_and_status_2(arguments, says):
    done = call(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for words in says:
        assert words in done.stderr


def test_a_run_can_be_sampled_evaluated_listed_and_resumed(capsys):
    run = trained(capsys)
    assert main(["sample", run[:6], "--sample.length", "40"]) == 0
    text = capsys.readouterr().out
    assert len(text) == 41
    assert main(["sample", run, "--sample.length", "40"]) == 0
    assert capsys.readouterr().out == text, "the same seed writes the same"
    assert main(["eval", run]) == 0
    said = capsys.readouterr().out
    assert "bits per character" in said and "perplexity" in said and "whole validation text" in said
    assert main(["runs"]) == 0
    assert run in capsys.readouterr().out
    assert main(["resume", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "finished"


def test_eval_reports_bits_and_perplexity_of_its_loss(capsys):
    """A byte model of ASCII text has one token a character: bits = nats / ln 2."""
    run = trained(capsys, "--data.tokenizer", "byte")
    main(["eval", run])
    loss, bits, perplexity, _ = capsys.readouterr().out.splitlines()
    assert float(bits.split()[-1]) == pytest.approx(float(loss.split()[1]) / math.log(2), rel=1e-3)
    assert float(perplexity.split()[-1]) == pytest.approx(math.exp(float(loss.split()[1])), rel=1e-3)


def test_an_own_file_is_trained_on(capsys, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("Über allen Gipfeln ist Ruh. " * 200, encoding="utf-8")
    run = trained(capsys, "--data.text", str(file))
    assert main(["sample", run, "--sample.prompt", "Über", "--sample.length", "5"]) == 0
    file.write_bytes(b"\xff\xfe\x00")
    done = call("train", "03", "--data.text", str(file))
    assert done.returncode == 2 and "UTF-8" in done.stderr


def test_presets_lists_all(capsys):
    assert main(["presets"]) == 0
    out = capsys.readouterr().out
    assert all(preset.id in out for preset in list_presets())


def test_ladder_compares_means_at_the_published_steps():
    ours, published = compare([2.0] * 1000 + [1.0] * 1000, {0: 9.0, 500: 3.0, 1000: 2.0, 5000: 7.0})
    assert published == 2.5 and ours == pytest.approx((2.0 + 1.5) / 2)
    assert compare([1.0], {1000: 2.0}) == (None, None)


def test_ladder_prints_a_row_and_a_sample_for_each_step(capsys):
    flags = ["--data.dataset", "tinyplays", "--train.steps", "1000", "--train.eval_every", "1000", "--train.eval_tokens", "64"]
    assert main(["ladder", "--only", "1", *flags]) == 0
    out = capsys.readouterr().out
    assert "| 1. Bigram | 4,225 |" in out and "2.703" not in out and "3.676" in out and "\n1. Bigram\n" in out


def test_control_c_leaves_a_run_that_resumes_exactly(capsys, tmp_path):
    """Stopped by the signal at some moment of a step; its continuation equals a run that never stopped."""
    flags = ["--train.steps=3000", "--train.eval_every=1000", "--train.eval_tokens=64", "--sample.length=5", "--train.batch_size=2"]
    process = subprocess.Popen([sys.executable, "-m", "gpt", "train", "03", "--json", *flags], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stdout:
        if json.loads(line)["step"] == 200:
            process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait() == 130 and "python -m gpt resume" in said
    run = said.split()[-1]
    assert main(["resume", run, "--json"]) == 0
    rest = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["train", "03", "--json", *flags]) == 0
    whole = {e["step"]: e["loss"] for e in map(json.loads, capsys.readouterr().out.splitlines()) if e["event"] == "step"}
    steps = [e for e in rest if e["event"] == "step"]
    assert steps[0]["step"] >= 200 and all(whole[e["step"]] == e["loss"] for e in steps)


def test_a_reader_that_goes_early_is_no_error():
    done = subprocess.run(f"{sys.executable} -m gpt train 03 --json {' '.join(FAST)} --train.steps 3000 | head -1", shell=True,
                          cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout)["event"] == "started" and "Traceback" not in done.stderr
    assert "stopped" in call("runs").stdout


def test_options_without_effect_are_noted(capsys):
    assert main(["params", "01", "--model.n_head", "8"]) == 0
    assert "--model.n_head has no effect" in capsys.readouterr().err


def test_a_home_that_cannot_be_written_is_said(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path / "file"))
    assert main(["runs"]) == 2
    assert "GPT_PLAYGROUND_HOME" in capsys.readouterr().err


def test_a_refused_run_leaves_no_trace(capsys):
    assert main(["train", "03", "--sample.prompt", "é"]) == 2
    assert main(["runs"]) == 0
    assert "No runs yet" in capsys.readouterr().out


def test_seeds_are_trained_and_summed_up(capsys):
    assert main(["seeds", "03", "--count", "3", "--train.seed", "5", "--train.steps=20"]) == 0
    *each, summary = capsys.readouterr().out.splitlines()
    losses = [float(line.split()[4]) for line in each]
    assert [line.split(":")[0] for line in each] == ["seed 5", "seed 6", "seed 7"] and len(set(losses)) == 3
    mean = sum(losses) / 3
    spread = math.sqrt(sum((loss - mean) ** 2 for loss in losses) / 2)
    found = [float(word.strip(",")) for word in summary.split() if word[0].isdigit()]
    assert found == pytest.approx([mean, spread, 3], abs=1e-4)
    assert main(["train", "03", "--json", "--train.seed", "6", "--train.steps=20"]) == 0  # one of them alone
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["val_loss"] == pytest.approx(losses[1], abs=2e-4)


@pytest.mark.parametrize("arguments, says", [
    (["seeds", "03", "--count", "0"], "--count 0: use 1 to 64."), (["seeds", "03", "--count", "65"], "use 1 to 64"),
    (["bench", "--only", "loud", "speed"], "--only loud: use speed, sampling, seeds, loss, page."),
], ids=lambda value: "" if isinstance(value, str) else " ".join(value))
def test_what_cannot_be_measured_is_refused(capsys, arguments, says):
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_bench_prints_a_table(monkeypatch, capsys):
    from gpt.bench import sampling
    from gpt.bench.table import Row

    monkeypatch.setattr(sampling, "rows", lambda dataset: iter([Row(f"drawn from {dataset}", "9 tokens/s", "3 tokens/s", 3.0, "5 x", False)]))
    assert main(["bench", "--only", "sampling", "--dataset", "tinyplays"]) == 0
    machine, _, head, rule, row = capsys.readouterr().out.splitlines()
    assert "PyTorch" in machine and head.count("|") == rule.count("|") == row.count("|")
    assert row == "| drawn from tinyplays | 9 tokens/s | 3 tokens/s | 3.00 x | 5 x ✗ |"
