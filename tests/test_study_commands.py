"""Studies, comparisons, reports, forks and reproduction on the command line."""

import json
import re
from dataclasses import replace

import pytest

from gpt.__main__ import main
from gpt.store import RunStore

FAST = ["--train.steps=24", "--train.eval_every=12", "--train.eval_tokens=256"]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))


def trained(capsys, *extra: str) -> str:
    assert main(["train", "03", "--json", *FAST, "--sample.length=20", *extra]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["run"]


def said(capsys, *arguments: str, status: int = 0) -> str:
    assert main(list(arguments)) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.err


def test_ablate_ranks_the_parts_and_can_be_read_again(capsys):
    out = said(capsys, "ablate", "03", *FAST, "--seeds=2", "--only=-position", "--only=+MLP")
    assert "the base and 2 variants, 2 seeds each" in out and "6 of 6" in out and "95 % interval" in out
    assert re.search(r"^-position .*[+-]0\.\d{4} .* to ", out, re.M) and re.search(r"^\+MLP ", out, re.M)
    study = re.search(r"study (\S+):", out)[1]
    assert f"{study}  " in said(capsys, "studies") and "6 of   6 runs" in said(capsys, "studies")
    again = said(capsys, "study", study[:6])
    assert again.strip().endswith(out[out.index("\nMulti-head"):].strip())
    assert said(capsys, "report", "--study", study, "--out", "/dev/null").strip() == "/dev/null"


def test_a_study_that_was_stopped_is_gone_on_with(capsys, monkeypatch):
    from gpt import study_commands

    real, calls = study_commands.train_quietly, []

    def stopped(store, run):
        calls.append(run.id)
        return real(store, run) if len(calls) < 3 else False

    monkeypatch.setattr(study_commands, "train_quietly", stopped)
    err = said(capsys, "ablate", "03", *FAST, "--seeds=2", "--only=-position", status=130)
    study = re.search(r"python -m gpt study (\S+)", err)[1]
    monkeypatch.setattr(study_commands, "train_quietly", real)
    out = said(capsys, "study", study)
    assert "2 of 2" in out and all(run.status == "finished" for run in RunStore().runs(study=study))


def test_a_run_of_a_former_version_that_knows_no_characters_ends_in_words(capsys):
    from gpt.study_commands import how_it_ended

    said(capsys, "train", "03", *FAST)
    run = RunStore().runs()[0]
    assert "bits a character" in how_it_ended(run)
    assert how_it_ended(replace(run, characters=None)) == f"validation loss {run.val_loss:.4f}  {run.seconds:.1f} s"


def test_sweep_lists_the_values_in_order(capsys):
    out = said(capsys, "sweep", "03", *FAST, "--seeds=1", "--over=model.n_head", "--values", "1", "2")
    assert out.index("\nheads 1 ") < out.index("\nheads 2 ") and "one seed cannot tell" in out


def test_compare_and_report(capsys, tmp_path):
    first, second = trained(capsys), trained(capsys, "--model.position=rope")
    out = said(capsys, "compare", first[:8], second[:8])
    assert re.search(r"model\.position\).*learned.*RoPE", out) and "How they did" in out
    for name, begins in (("r.html", "<!doctype html>"), ("r.md", "# ")):
        assert said(capsys, "report", first, second, "--out", str(tmp_path / name)).strip() == str(tmp_path / name)
        assert (tmp_path / name).read_text().lower().startswith(begins)


def test_fork_and_reproduce(capsys):
    run = trained(capsys)
    out = said(capsys, "fork", run, "--at", "12", "--model.norm", "rms", "--train.steps", "18")
    assert "goes on from" in out and "after step 12" in out and "new: " in out and "after 18 steps" in out
    store = RunStore()
    fork = next(r for r in store.runs() if r.parent)
    same = said(capsys, "reproduce", fork.id)
    assert store.runs()[0].parent == run and store.runs()[0].forked_at == 12
    assert [p[:2] for p in store.points(store.runs()[0].id)] == [p[:2] for p in store.points(fork.id)] and "after 18 steps" in same
    assert "after 24 steps" in said(capsys, "reproduce", run)
    assert [p[1] for p in store.points(store.runs()[0].id)] == [p[1] for p in store.points(run)]


@pytest.mark.parametrize("arguments, says", [
    (["ablate", "03", "--only=-nothing"], "use any of"), (["ablate", "03", "--seeds=99"], "1 to 10"),
    (["sweep", "03", "--over=model.nothing", "--values", "1", "2"], "model.nothing"),
    (["sweep", "03", "--over=model.n_head", "--values", "1", "many"], "many"),
    (["sweep", "03", "--over=model.norm", "--values", "layer", "rms"], "model.norm"),
    (["study", "none"], "No studies"), (["compare", "none", "nil"], "no run"), (["report"], "at least one"),
    (["fork", "none"], "no run"), (["reproduce", "none"], "no run"), (["report", "--study", "none"], "no study")])
def test_what_cannot_be_done_is_said_in_words(capsys, arguments, says):
    err = said(capsys, *arguments, status=2)
    assert says in err and "Traceback" not in err


def test_a_report_that_cannot_be_written_names_the_way_out(capsys, tmp_path):
    run = trained(capsys)
    assert "--out" in said(capsys, "report", run, "--out", str(tmp_path / "none" / "r.html"), status=2)
    assert "no weights" in said(capsys, "fork", RunStore().create(RunStore().run(run).config, owner="me", preset="ladder/03-multi-head"),
                                status=2)
