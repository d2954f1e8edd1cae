"""The endpoints for programs, through Gradio's own client."""

import time

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from gpt.store import RunStore
from playground.app import build, serve
from playground.scheduler import Scheduler

QUICK = {"train.steps": 30, "train.eval_every": 15, "train.eval_tokens": 64, "sample.length": 5}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    store = RunStore(tmp_path_factory.mktemp("runs"))
    scheduler = Scheduler(store)
    demo = build(store, scheduler)
    yield Client(serve(demo, store, scheduler, quiet=True), verbose=False)
    demo.close()
    scheduler.close()


def ended(client: Client, run: str, visitor: str) -> dict:
    end = time.monotonic() + 60
    while (told := client.predict(run, visitor, api_name="/events"))["status"] != "finished":
        assert time.monotonic() < end, told["status"]
        time.sleep(0.05)
    return told


def test_only_what_programs_are_meant_to_use_is_shown_with_types_and_words(client):
    api = client.view_api(return_format="dict")["named_endpoints"]
    assert set(api) == {"/presets", "/start", "/events", "/sample", "/stop", "/runs", "/compare", "/ablate", "/study"}
    for name, endpoint in api.items():
        assert endpoint["returns"] and all(p["python_type"]["type"] != "Any" for p in endpoint["parameters"]), name


def test_a_run_is_started_followed_sampled_listed_and_compared(client):
    assert client.predict(api_name="/presets")[0] == "ladder/01-bigram"
    first = client.predict("03", QUICK, "", api_name="/start")
    visitor = first["visitor"]
    second = client.predict("03", {**QUICK, "model.position": "none"}, visitor, api_name="/start")
    told = ended(client, first["run"], visitor)
    assert [step for step, *_ in told["steps"]] == list(range(1, 31)) and told["after"] == 30
    assert [e["event"] for e in told["events"]][0] == "started" and told["events"][-1]["event"] == "finished"
    later = client.predict(first["run"], visitor, told["after"], told["seq"], api_name="/events")
    assert later["steps"] == [] and later["events"] == []
    ended(client, second["run"], visitor)
    grown = list(client.submit(first["run"], visitor, "O ", 90, api_name="/sample"))
    assert all(after.startswith(before) for before, after in zip(grown, grown[1:])) and len(grown[-1]) == 92
    assert [run["id"] for run in client.predict(visitor, api_name="/runs")] == [second["run"], first["run"]]
    compared = client.predict([first["run"], second["run"]], visitor, api_name="/compare")
    assert [row["option"] for row in compared["rows"]] == ["model.position"]


def test_an_ablation_is_ranked(client):
    begun = client.predict("03", QUICK, ["-position", "+MLP"], 2, "steps", "", api_name="/ablate")
    end = time.monotonic() + 60
    while (found := client.predict(begun["study"], begun["visitor"], api_name="/study"))["going"]:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert {row["name"] for row in found["rows"]} == {"-position", "+MLP"} and found["done"] == 6


def test_refusals_are_errors_in_words(client):
    run = client.predict("03", QUICK, "", api_name="/start")
    ended(client, run["run"], run["visitor"])
    for asked, api_name, says in [
        (("nope", {}, ""), "/start", "no preset"), (("03", {"train.stepz": 1}, ""), "/start", "Did you mean train.steps"),
        (("03", {}, "me"), "/start", "visitor's key"), ((run["run"], "Bob_----------------02"), "/events", "gone"),
        (("Bob",), "/runs", "visitor's key"), (([run["run"], "x"], "Bob_----------------02"), "/compare", "gone"),
        (("03", QUICK, ["-nothing"], 1, "steps", ""), "/ablate", "no variant"), (("03", QUICK, [], 1, "luck", ""), "/ablate", "budget"),
        ((run["run"], run["visitor"], "東", 5), "/sample", "Unknown characters")]:
        with pytest.raises(AppError, match=says):
            client.predict(*asked, api_name=api_name)
    client.predict(run["run"], run["visitor"], api_name="/stop")
