"""What the page has done to runs: by their owner alone, whole or not at all, and whatever JSON comes."""

import math

import pytest

from gpt.events import Finished
from gpt.store import RunStore, UnknownRun
from playground import actions as module
from playground.actions import Actions, write_for
from support import until

ANN, BOB = "Ann_----------------01", "Bob_----------------02"
JUNK = [None, True, 5, math.nan, "text", [], {}, {"visitor": ANN}, {"visitor": ANN, "run": 5, "runs": 5, "study": [], "changes": 3},
        {"visitor": ANN, "run": "nosuchrun", "runs": ["nosuchrun"], "study": "nosuchstudy", "arms": [[]], "sweep": {"path": []}}]
TINY = {"model.architecture": "bigram", "model.block_size": 8, "train.batch_size": 4, "train.eval_tokens": 64, "sample.length": 5}
SMALL = {"preset": "ladder/03-multi-head", "changes": {"train.steps": 40, "train.eval_every": 20, "train.eval_tokens": 64,
         "sample.length": 5}}


def finished(do: Actions, store: RunStore, **changes) -> str:
    run = do.train({"visitor": ANN, **SMALL, "changes": SMALL["changes"] | changes})["run"]
    until(lambda: store.run(run).status == "finished")
    return run


@pytest.mark.parametrize("name", vars(Actions)["__annotations__"])
@pytest.mark.parametrize("asked", JUNK, ids=lambda asked: repr(asked)[:30])
def test_every_action_answers_any_json_and_does_nothing_for_it(do, store, name, asked):
    before = len(store.runs())
    if name in ("train", "step") and isinstance(asked, dict) and "visitor" in asked and "changes" not in asked:
        return  # a plain run of the first preset is a fair wish
    answer = getattr(do, name)(asked)
    assert answer.get("refused") or (name == "restore" and answer == {})
    assert len(store.runs()) == before


def test_nobody_acts_on_the_runs_of_another(do, ask, store):
    run = finished(do, store)
    study = do.ablate({"visitor": ANN, **SMALL, "arms": ["model.position='none'"], "seeds": 1, "budget": "steps"})
    for name, more in {"rename": {"name": "x"}, "stop": {}, "tag": {"tags": ["x"]}, "delete": {"runs": [run]}, "fork": {"step": 20, **SMALL},
                       "change": {"changes": {"train.lr": 0.1}}, "extend": {"steps": 5}, "delete_study": study, "rest_study": study}.items():
        assert "gone" in getattr(do, name)({"visitor": BOB, "run": run, **more})["refused"], name
    do.delete({"visitor": ANN, "runs": [run]})
    assert "no run" in do.restore({"visitor": BOB, "runs": [run]})["refused"]
    assert do.restore({"visitor": ANN, "runs": [run]}) == {} and store.run(run).title == ""
    for question in ("compare", "report", "card", "study"):
        assert set(getattr(ask, question)({"visitor": BOB, "run": run, "runs": [run, run], **study})) & {"refused", "status"}
    assert ask.studies({"visitor": BOB}) == {"studies": []}
    with pytest.raises(module.Refusal, match="gone"):
        next(write_for(store, None)({"visitor": BOB, "run": run}))


def test_names_and_tags_are_cleaned_and_bounded(do, ask, store):
    run = finished(do, store)
    asked = {"visitor": ANN, "run": run}
    assert do.rename({**asked, "name": "  my\n\tname "}) == {} and store.run(run).title == "my name"
    assert do.tag({**asked, "tags": ["a b", "", "a b", 5, "<b>"]}) == {} and store.run(run).tags == ["a b", "<b>"]
    assert "at most 60" in do.rename({**asked, "name": "x" * 61})["refused"]
    assert "at most 8" in do.tag({**asked, "tags": ["x"] * 9})["refused"]
    assert do.rename({**asked, "name": "half \ud800 pair"}) == {}
    row = next(row for row in ask.runs({"visitor": ANN, "since": 0})["runs"] if row["id"] == run)
    assert (row["name"], row["tags"]) == ("half ? pair", ["a b", "<b>"])


def test_deleting_renaming_and_undo_under_a_running_queue_lose_nothing(do, store, scheduler):
    asked = {"visitor": ANN, "preset": "ladder/03-multi-head", "changes": TINY | {"train.steps": 3000, "train.eval_every": 1000}}
    runs = [do.train(asked)["run"] for _ in range(6)]
    until(lambda: store.run(runs[0]).step > 10)
    for run in runs:
        do.rename({"visitor": ANN, "run": run, "name": f"named {runs.index(run)}"})
    assert do.delete({"visitor": ANN, "runs": [runs[0], runs[-1]]}) == {}  # one that trains, and one that waits
    with pytest.raises(UnknownRun):
        store.run(runs[0])
    until(lambda: all(job.id not in (runs[0], runs[-1]) for job in scheduler._jobs))
    assert do.restore({"visitor": ANN, "runs": [runs[0], runs[-1]]}) == {}
    assert [store.run(run).name for run in runs] == [f"named {i}" for i in range(6)]
    assert {store.run(run).status for run in (runs[0], runs[-1])} == {"stopped"} and store.run(runs[0]).step > 10
    for run in (runs[0], runs[-1]):
        scheduler.resume(run)
    until(lambda: all(store.run(run).status == "finished" for run in runs))
    for run in runs:
        assert [step for step, *_ in store.points(run, limit=5000)] == list(range(1, 3001))
        assert isinstance(store.finished(run), Finished)


def test_the_buttons_act_on_the_shown_run_or_make_a_new_one(do, store):
    wanted = {"visitor": ANN, "preset": "ladder/03-multi-head", "changes": TINY | {"train.steps": 50_000, "train.eval_every": 10_000}}
    run = do.step(wanted)["run"]
    until(lambda: store.run(run).status == "paused")
    assert store.run(run).step == 1
    asked = {"visitor": ANN, "run": run}
    assert do.step({**wanted, **asked}) == {"run": run}
    until(lambda: store.run(run).step == 2 and store.run(run).status == "paused")
    assert do.pause(asked) == {"run": run}  # which resumes it
    until(lambda: store.run(run).step > 5)
    do.pause(asked)
    until(lambda: store.run(run).status == "paused")
    do.stop(asked)
    until(lambda: store.run(run).status == "stopped")
    more = store.run(run).step
    assert do.extend(asked) == {"run": run} and store.run(run).options["train.steps"] > more
    do.stop(asked)
    until(lambda: store.run(run).status == "stopped")


def test_a_run_writes_what_it_is_asked_to_in_pieces(do, store, scheduler):
    run, write = finished(do, store), write_for(store, scheduler)
    pieces = list(write({"visitor": ANN, "run": run, "prompt": "O ", "length": 30, "temperature": 0.5}))
    assert len("".join(pieces)) == 30 and len(pieces) > 5
    for wrong, says in (({"prompt": "東"}, "Unknown"), ({"length": 0}, "length"), ({"temperature": "hot"}, "temperature"),
                        ({"length": 10**9}, "use a whole number")):
        with pytest.raises(module.Refusal, match=says):
            next(write({"visitor": ANN, "run": run, **wrong}))
    assert len(list(write({"visitor": ANN, "run": run, "length": 3}))) == 3, "a place was not given back"


def test_a_study_waits_for_what_its_visitor_trains_besides(do, store, scheduler):
    plan = {"visitor": ANN, "preset": "ladder/03-multi-head", "changes": TINY | {"train.steps": 6000, "train.eval_every": 6000},
            "sweep": {"path": "train.lr", "values": [1e-3, 2e-3, 3e-3]}, "seeds": 1, "budget": "steps"}
    study = do.ablate(plan)["study"]
    until(lambda: any(run.status == "running" for run in store.runs(study=study)))
    assert sum(run.status == "running" for run in store.runs(study=study)) == 1
    own = do.train({"visitor": ANN, "preset": plan["preset"], "changes": TINY | {"train.steps": 2000, "train.eval_every": 2000}})["run"]
    until(lambda: store.run(own).status == "finished")
    assert any(run.status in ("queued", "running") for run in store.runs(study=study))
    assert len(do.delete_study({"visitor": ANN, "study": study})["runs"]) == 3
    until(lambda: scheduler.active() == 0)


def test_a_study_is_paused_and_gone_on_with(do, ask, store):
    asked = {"visitor": ANN, "preset": "ladder/03-multi-head", "changes": TINY | {"train.steps": 1500, "train.eval_every": 1500},
             "sweep": {"path": "train.lr", "values": [1e-3, 2e-3]}, "seeds": 1, "budget": "steps"}
    study = {"visitor": ANN, **do.ablate(asked)}
    until(lambda: any(run.status == "running" for run in store.runs(study=study["study"])))
    assert do.rest_study(study) == {"going": False}
    until(lambda: not ask.study(study)["going"])
    told = ask.study(study)
    assert told["resumable"] and told["done"] < told["runs"]
    assert do.rest_study(study) == {"going": True} and ask.study(study)["going"]
    until(lambda: ask.study(study)["done"] == told["runs"])
    assert not ask.study(study)["resumable"]


def test_a_run_is_forked_changed_and_extended(do, ask, store):
    run = finished(do, store)
    asked = {"visitor": ANN, "run": run}
    assert ask.card(asked)["checkpoints"] == [1, 3, 10, 20, 30, 40]
    fork = do.fork({**asked, "step": 20, **SMALL, "changes": SMALL["changes"] | {"model.norm": "rms", "train.steps": 60}})
    until(lambda: store.run(fork["run"]).status == "finished")
    assert "New: " in fork["carried"] and store.run(fork["run"]).step == 60
    card = ask.card({"visitor": ANN, "run": fork["run"]})
    assert card["parent"]["id"] == run and card["carried"] == fork["carried"] and card["happened"]
    assert "fork it at step" in do.fork({**asked, "step": 15, **SMALL})["refused"]
    assert "has finished" in do.change({**asked, "changes": {"train.lr": 0.1}})["refused"]
    assert do.extend({**asked, "steps": 10}) == {"run": run}
    until(lambda: store.run(run).status == "finished" and store.run(run).step == 50)
    assert "steps 50" in store.run(run).labels and "steps 40" not in store.run(run).labels


def test_a_paused_run_can_be_changed_and_goes_on_so(do, ask, store, scheduler):
    asked = {"visitor": ANN, "preset": "ladder/03-multi-head", "changes": {"train.steps": 5000, "train.eval_every": 5000,
             "train.eval_tokens": 64, "sample.length": 5}}
    run = do.train(asked)["run"]
    until(lambda: store.run(run).step > 5)
    assert do.change({"visitor": ANN, "run": run, "changes": {"train.lr": 0.002}}) == {}
    until(lambda: store.run(run).plan)
    scheduler.pause(run)
    until(lambda: store.run(run).status == "paused")
    at = store.run(run).step
    assert do.change({"visitor": ANN, "run": run, "changes": {"train.lr": 0.003}}) == {} and store.run(run).status == "paused"
    assert "model.norm" in do.change({"visitor": ANN, "run": run, "changes": {"model.norm": "rms"}})["refused"]
    scheduler.resume(run)
    until(lambda: store.run(run).step > at + 3)
    scheduler.stop(run)
    until(lambda: store.run(run).status == "stopped")
    assert [changes for _, changes in store.run(run).plan] == [{"train.lr": 0.002}, {"train.lr": 0.003}]
    marks = ask.curve({"visitor": ANN, "run": run})["marks"]
    assert [words for _, words in marks] == ["lr 2e-3", "lr 3e-3"] and marks[1][0] == at
    assert ask.settings({"visitor": ANN, "run": run})["changes"]["train.lr"] == 0.003


def test_a_study_of_tokens_is_told_in_bits_a_character(do, ask, store):
    keys = [arm["key"] for arm in ask.arms(SMALL)["arms"] if arm["name"] in ("bytes", "word pieces")]
    study = do.ablate({"visitor": ANN, **SMALL, "seeds": 1, "budget": "flops", "arms": keys})["study"]
    until(lambda: not ask.study({"visitor": ANN, "study": study})["going"])
    told = ask.study({"visitor": ANN, "study": study})
    assert told["unit"] == "bits a character" and told["caution"].startswith("Losses are bits a character")
    rows = {row["name"]: row for row in told["rows"]}
    assert rows.keys() == {"bytes", "word pieces"} and rows["word pieces"]["parameters"] > 0
    known = {run: store.run(run) for row in (told["base"], *told["rows"]) for run in row["runs"]}
    for row in (told["base"], *told["rows"]):
        run = known[row["runs"][0]]
        assert row["loss"] == pytest.approx(run.measured(run.val_loss, told["unit"]))
        assert row["curve"]["mean"][-1] < run.val_loss / run.characters / 0.6
    swept = ask.arms({**SMALL, "changes": {**SMALL["changes"], "data.tokenizer": "bpe"}})["sweeps"]
    assert "data.vocab_size" in {one["path"] for one in swept}


def test_a_study_is_planned_trained_and_reported(do, ask, store):
    asked = {"visitor": ANN, **SMALL, "seeds": 2, "budget": "flops"}
    known = ask.arms(SMALL)
    keys = [arm["key"] for arm in known["arms"] if arm["name"] in ("-position", "+MLP")]
    planned = ask.plan({**asked, "arms": keys})
    assert planned["problems"] == [] and planned["runs"] == 6 and planned["seconds"] > 0
    assert any("steps instead of 40" in arm["note"] for arm in planned["arms"])
    assert "at least one variant" in ask.plan({**asked, "arms": []})["problems"][0]
    assert ask.plan({**asked, "arms": keys, "seeds": 99})["problems"]
    study = do.ablate({**asked, "arms": keys})["study"]
    until(lambda: not ask.study({"visitor": ANN, "study": study})["going"])
    told = ask.study({"visitor": ANN, "study": study})
    assert told["done"] == told["runs"] == 6 and {row["name"] for row in told["rows"]} == {"-position", "+MLP"}
    spoiled = {"visitor": ANN, "run": told["base"]["runs"][0]}
    assert "belongs to a study" in do.extend({**spoiled, "steps": 5})["refused"]
    assert "belongs to a study" in do.change({**spoiled, "changes": {"train.lr": 0.1}})["refused"]
    assert all(row["pairs"] == 2 and row["low"] <= row["mean"] <= row["high"] and row["verdict"] for row in told["rows"])
    assert "floating-point" in told["budget"] and told["base"]["curve"]["steps"] == [0, 20, 40]
    listed = ask.studies({"visitor": ANN})["studies"]
    assert (study, 6, 6, False) in {(s["id"], s["runs"], s["done"], s["going"]) for s in listed}
    for ending, begins in (("html", "<!doctype html>"), ("md", "#")):
        report = ask.report({"visitor": ANN, "study": study, "format": ending})
        assert report["name"].endswith(ending) and report["text"].lower().startswith(begins) and "+MLP" in report["text"]
    runs = told["rows"][0]["runs"] + told["base"]["runs"]
    compared = ask.compare({"visitor": ANN, "runs": runs})
    assert len(compared["runs"]) == 4 and any(row["path"] == "train.seed" for row in compared["rows"]) and compared["cautions"]
