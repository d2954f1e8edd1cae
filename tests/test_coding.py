"""The form's code, and weights out of the page and in again: of the asking visitor's runs alone, refused in words."""

import io
import sys
import time
import types
import zipfile

import pytest
from safetensors.torch import load
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

import gpt
from gpt import weights as files
from gpt.config import SampleConfig
from gpt.options import ConfigError, Refusal, values
from gpt.records import ELSEWHERE
from playground import bringing, coding
from playground.actions import actions
from playground.direct import binary, received

ANN, BOB = "Ann_----------------01", "Bob_----------------02"
FEW = {"train.steps": 4, "train.eval_every": 2, "train.eval_tokens": 64, "sample.length": 5}
LLAMA = {"model.n_layer": 1, "model.n_embd": 16, "model.n_head": 2, "model.queries_per_kv": 1, "model.block_size": 8, "train.warmup": 0, **FEW}
JUNK = [None, 5, "text", [], {}, {"visitor": ANN, "run": 5, "preset": [], "against": {}}, {"visitor": ANN, "against": ["x"]},
        {"visitor": ANN, "run": "nosuchrun", "against": "nosuchrun", "changes": {"model.n_head": []}}]


@pytest.fixture(scope="module")
def trained(store, scheduler):
    """trained(preset, **changes): a finished run of Ann's."""
    do = actions(store, scheduler)

    def train(preset: str, **changes) -> str:
        run = do.train({"visitor": ANN, "preset": preset, "changes": FEW | changes})["run"]
        end = time.monotonic() + 60
        while store.run(run).status != "finished":
            assert time.monotonic() < end and store.run(run).status != "failed", store.run(run).message
            time.sleep(0.01)
        return run

    return train


@pytest.fixture(scope="module")
def small(trained):
    return trained("ladder/03-multi-head")


@pytest.fixture(scope="module")
def client(store, scheduler):
    return TestClient(Starlette(routes=[
        Route("/take", binary(bringing.take_for(store)), methods=["POST"]),
        Route("/bring", received(bringing.bring_weights_for(store, scheduler), bringing.MOST_BYTES, bringing.TOO_LARGE), methods=["POST"])]))


@pytest.fixture
def quick(monkeypatch):
    """Scripts that are written at once: a line for each option."""
    module = types.ModuleType("gpt.script")
    module.script = lambda config, preset: "".join(f"{path} = {value!r}\n" for path, value in values(config).items())
    module.differences = lambda a, b: [(line, line not in b.splitlines()) for line in a.splitlines()]
    monkeypatch.setitem(sys.modules, "gpt.script", module)
    monkeypatch.setattr(gpt, "script", module, raising=False)
    coding._written.cache_clear()
    yield module
    coding._written.cache_clear()


# Code ---------------------------------------------------------------------------------------------------------------


def test_the_script_says_which_lines_another_does_not_have(ask):
    before = {"preset": "ladder/09-pre-ln", "changes": {}}
    told = ask.script({"visitor": ANN, **before, "changes": {"model.n_layer": 4}, "against": "ladder/09-pre-ln"})
    lines = told["text"].splitlines()
    assert told["name"] == "09-pre-ln.py" and told["unknown"] == ""
    assert any("N_LAYER = 4" in lines[number - 1] for number in told["changed"]) and len(told["changed"]) < 6
    alone = ask.script({"visitor": ANN, **before, "against": None})
    same = ask.script({"visitor": ANN, **before, "against": "ladder/09-pre-ln"})
    assert alone == same and (same["changed"], same["lost"]) == ([], 0)
    compile(told["text"], told["name"], "exec")


def test_the_script_is_compared_with_the_visitors_own_runs_alone(ask, small, quick):
    asked = {"preset": "ladder/03-multi-head", "changes": FEW | {"train.steps": 5}, "against": small}
    assert ask.script({"visitor": ANN, **asked})["changed"]
    other = ask.script({"visitor": BOB, **asked})
    assert other["text"] and other["changed"] == [] and "gone" in other["unknown"]


@pytest.mark.parametrize("asked", JUNK, ids=lambda asked: repr(asked)[:30])
def test_any_json_is_answered(ask, quick, asked):
    assert set(ask.script(asked)) & {"text", "refused"}
    assert ask.weights(asked) == {"status": "gone"}


def test_what_does_not_fit_is_refused_in_words(ask, quick):
    def refuse(config, preset):
        raise ConfigError(["n_head = 5: use 4."])

    quick.script = refuse
    assert ask.script({"preset": "ladder/09-pre-ln", "changes": {"model.n_head": 8}})["refused"] == "n_head = 5: use 4."
    assert "no_such" in ask.script({"preset": "ladder/09-pre-ln", "changes": {"model.no_such": 5}})["refused"]


def test_a_script_is_written_once_and_few_wait_for_one(ask, quick, monkeypatch):
    asked = {"preset": "ladder/01-bigram", "changes": {}}
    text = ask.script(asked)["text"]
    monkeypatch.setattr(quick, "script", lambda *_: pytest.fail("it was written already"))
    assert ask.script(asked)["text"] == text
    monkeypatch.setattr(coding._places, "acquire", lambda blocking: False)
    assert "try again" in ask.script(asked)["refused"]


# Weights ------------------------------------------------------------------------------------------------------------


def test_what_is_out_comes_in_again_and_writes(client, ask, store, scheduler, small):
    told = ask.weights({"visitor": ANN, "run": small})
    assert (told["step"], told["shape"], told["missing"]) == (4, "", "") and any("GPT-2" in why for why in told["why"])
    taken = client.post("/take", json={"visitor": ANN, "run": small})
    name = taken.headers["content-disposition"].split('"')[1]
    assert name.startswith("Multi-head") and name.endswith("-4.safetensors") and taken.headers["x-content-type-options"] == "nosniff"
    brought = client.post("/bring", content=taken.content, headers={"X-Visitor": BOB}).json()
    run = store.run(brought["run"])
    assert (run.owner, run.status, run.device) == (BOB, "stopped", ELSEWHERE) and "train on" in brought["words"]
    text = "".join(scheduler.sample(run.id, SampleConfig(length=6, prompt="a")))
    assert text == "".join(scheduler.sample(small, SampleConfig(length=6, prompt="a"))) and text
    again = client.post("/take", json={"visitor": BOB, "run": run.id}).content
    assert all((tensor == load(again)[name]).all() for name, tensor in load(taken.content).items())


def test_an_archive_for_transformers_where_the_shape_is_one_of_theirs(client, ask, trained, small):
    run = trained("modern/llama", **LLAMA)
    assert ask.weights({"visitor": ANN, "run": run})["shape"] == "Llama"
    taken = client.post("/take", json={"visitor": ANN, "run": run, "to": "transformers"})
    with zipfile.ZipFile(io.BytesIO(taken.content)) as archive:
        assert {name.split("/")[1] for name in archive.namelist()} >= {"config.json", "model.safetensors", "tokenizer.json"}
        assert archive.testzip() is None and all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    refused = client.post("/take", json={"visitor": ANN, "run": small, "to": "transformers"})
    assert refused.headers["refused"] == "true" and "Llama" in refused.text


def test_nobody_takes_the_weights_of_another(client, ask, small):
    assert ask.weights({"visitor": BOB, "run": small}) == {"status": "gone"}
    for asked in ({"visitor": BOB, "run": small}, {"run": small}, {"visitor": ANN, "run": "nosuchrun"}, [], None):
        taken = client.post("/take", json=asked)
        assert taken.headers["refused"] == "true" and "gone" in taken.text
    for path in ("/take", "/bring"):
        foreign = client.post(path, json={"visitor": ANN, "run": small}, headers={"Sec-Fetch-Site": "cross-site", "X-Visitor": ANN})
        assert foreign.status_code == 403


def forged(raw: bytes) -> list[bytes]:
    """Files that are not what they say."""
    middle = len(raw) // 2
    return [b"", b"nonsense", raw[:-5], raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1:], b"\xff" * 100, b"PK\x03\x04" + raw]


def test_a_forged_file_is_refused_in_words_and_leaves_nothing(client, store, small):
    raw, before = client.post("/take", json={"visitor": ANN, "run": small}).content, len(store.runs())
    for content in forged(raw):
        answer = client.post("/bring", content=content, headers={"X-Visitor": ANN}).json()
        assert answer["refused"].endswith(".") and "run" not in answer
    for visitor in ("", "x", "command line"):
        assert "loading" in client.post("/bring", content=raw, headers={"X-Visitor": visitor}).json()["refused"]
    assert len(store.runs()) == before


def test_what_is_too_large_or_of_unknown_size_is_not_read(store, scheduler):
    def never(asked, raw):
        pytest.fail("it was read")

    client = TestClient(Starlette(routes=[Route("/bring", received(never, 10, "too large"), methods=["POST"])]))
    for content, more in ((b"x" * 11, {}), (iter([b"x"]), {}), (b"x", {"Content-Length": "9" * 5000})):
        answer = client.post("/bring", content=content, headers={"X-Visitor": ANN, **more})
        assert (answer.status_code, answer.json()) == (413, {"refused": "too large"})
    assert bringing.MOST_BYTES == files.MOST_BYTES


def test_a_visitor_brings_so_many_and_no_more_than_there_is_room_for(store, scheduler, client, small, monkeypatch):
    raw = client.post("/take", json={"visitor": ANN, "run": small}).content
    bring, before = bringing.bring_weights_for(store, scheduler), len(store.runs())
    monkeypatch.setattr(bringing, "MOST_BROUGHT", 0)
    assert "delete one" in bring({"visitor": ANN}, raw)["refused"]

    def full(owner):
        raise Refusal("The queue is full.")

    monkeypatch.setattr(scheduler, "check_room", full)
    assert bring({"visitor": ANN}, raw) == {"refused": "The queue is full."} and len(store.runs()) == before


def test_file_names_are_plain(store, small):
    store.describe(small, title='../"é\n x; 100%')
    assert bringing.file_name(store.run(small), 7) == "x-100-7"
    store.describe(small, title="日本")
    assert bringing.file_name(store.run(small), 7) == "run-7"
    store.describe(small, title="")
