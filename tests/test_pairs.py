"""A part taken out of a model is paired with the run that was trained without it, and with no other one."""

import time
from dataclasses import replace as other

import pytest
import torch

from gpt.config import ModelConfig, RunConfig
from gpt.inspect_model import Part, parts, reliance, without
from gpt.options import replace
from gpt.pairs import counterpart, fewer_heads, without_each
from gpt.store import RunStore
from playground import pairing
from support import SMALL, moved, pairwise, tokens

ANN, BOB = "Ann_----------------01", "Bob_----------------02"
BRIEF = {"train.steps": 20, "train.eval_every": 20, "train.eval_tokens": 64, "sample.length": 0}
COVER = pairwise()


def ways(**changes) -> dict[str, dict]:
    """How each part of a model is trained without."""
    cfg = RunConfig(model=other(ModelConfig(), **changes))
    return {without.part: without.changes for without in without_each(cfg)}


# Which parts there are ------------------------------------------------------------------------------------------------


def test_each_part_is_trained_without_by_its_own_option():
    assert ways(n_layer=3, n_head=4, n_embd=64) == {
        "attn": {"model.attention": "none"}, "mlp": {"model.mlp": False}, "position": {"model.position": "none"},
        "layer": {"model.n_layer": 2}, "head": {"model.n_head": 2}}
    assert ways(architecture="bigram") == {}
    assert ways(attention="none", n_layer=1, position="rope") == {"mlp": {"model.mlp": False}, "layer": {}}
    assert set(ways(attention="none", position="learned")) == {"mlp", "position", "layer"}


@pytest.mark.parametrize("model, heads", [({"n_head": 6, "n_embd": 60}, 5), ({"n_head": 4, "n_embd": 64}, 2),
                                          ({"n_head": 6, "n_embd": 60, "position": "rope"}, 5), ({"n_head": 2}, 1),
                                          ({"n_head": 8, "n_embd": 64, "queries_per_kv": 2}, 4),
                                          ({"n_head": 4, "queries_per_kv": 4}, 2)])
def test_fewer_heads_are_as_many_as_share_the_width(model, heads):
    cfg = RunConfig(model=other(ModelConfig(), **model))
    found = fewer_heads(cfg)
    assert found.changes["model.n_head"] == heads and not replace(cfg, found.changes).problems()
    assert ("do not share" in found.why) == (heads < cfg.model.n_head - 1), "what is not possible is said"
    assert "one head" in fewer_heads(RunConfig(model=other(ModelConfig(), attention="single"))).why


@pytest.mark.parametrize("cfg", COVER, ids=lambda cfg: f"{cfg.architecture}-{cfg.attention}-{cfg.position}-{COVER.index(cfg)}")
def test_what_can_be_taken_out_can_be_trained_without_and_the_other_way_round(cfg):
    out = {part.kind for part in parts(moved(cfg))}
    assert out == {without.part for without in without_each(RunConfig(model=cfg))}
    for each in without_each(RunConfig(model=cfg)):
        assert each.changes or each.why
        assert not replace(RunConfig(model=cfg), each.changes).problems()


# Taken out of all layers at once --------------------------------------------------------------------------------------


def test_attention_taken_out_everywhere_is_its_projections_set_to_zero():
    cfg = other(SMALL, bias=False)
    model, zeroed, text = moved(cfg).eval(), moved(cfg).eval(), tokens(1, cfg.block_size)
    with torch.no_grad():
        for block in zeroed.blocks:
            block["attn"].inner.proj.weight.zero_()
        with without(model, Part("attn")):
            assert torch.allclose(model(text), zeroed(text), atol=1e-5)


def test_positions_taken_out_are_those_of_a_model_that_has_none():
    model, none = moved(SMALL).eval(), moved(other(SMALL, position="none")).eval()
    text = tokens(1, SMALL.block_size)
    with torch.no_grad():
        with without(model, Part("position")):
            assert torch.equal(model(text), none(text))
        assert not torch.equal(model(text), none(text))


def test_reliance_on_what_spans_all_layers_is_the_change_in_loss():
    model, x = moved(SMALL).eval(), tokens(6, SMALL.block_size + 1)
    found = {e.part: e.change for e in reliance(model, x[:, :-1], x[:, 1:], seconds=60.0).effects}
    loss = torch.nn.CrossEntropyLoss()
    for part in (Part("attn"), Part("mlp"), Part("position")):
        with torch.no_grad(), without(model, part):
            gone = loss(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten()).item()
        with torch.no_grad():
            whole = loss(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten()).item()
        assert found[part] == pytest.approx(gone - whole, abs=1e-4)


# Pairs ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path):
    """A function that stores a run of changed options; and the store."""
    store = RunStore(tmp_path)
    base = RunConfig(model=SMALL)

    def run(status: str = "finished", **changes):
        config = replace(base, {path.replace("__", "."): value for path, value in changes.items()})
        id = store.create(config, owner=ANN, preset="ladder/09-pre-ln")
        store.set_status(id, status)
        return id

    yield run, store
    store.close()


def pair(store: RunStore, run: str, part: str = "mlp"):
    stored = store.run(run)
    changes = {without.part: without.changes for without in without_each(stored.config)}[part]
    return counterpart(stored, changes, store.runs(ANN))


def test_only_the_run_that_lacks_the_part_alone_is_paired(runs):
    run, store = runs
    whole = run()
    for wrong in ({}, {"model__norm": "rms"}, {"model__mlp": False, "train__seed": 2}, {"model__mlp": False, "train__steps": 7},
                  {"model__mlp": False, "model__norm": "rms"}, {"model__mlp": False, "data__tokenizer": "byte"},
                  {"model__attention": "none"}):
        run(**wrong)
        assert pair(store, whole) is None, wrong
    for status in ("paused", "stopped", "failed"):
        run(status, model__mlp=False)
        assert pair(store, whole) is None, status
    wanted = run(model__mlp=False)
    assert pair(store, whole).run.id == wanted and pair(store, whole).others == []
    store.discard([wanted])
    assert pair(store, whole) is None, "a deleted run"


def test_what_else_differs_is_told_and_the_closest_comes_first(runs):
    run, store = runs
    whole = run(sample__temperature=0.5, train__eval_every=10)
    run(model__mlp=False, train__lr=3e-4)
    found = pair(store, whole)
    assert found.others == ["lr 3e-4"]
    going = run("queued", model__mlp=False)
    assert pair(store, whole).run.id == going, "one that will be the same but for the part is better"
    ended = run(model__mlp=False, sample__temperature=1.0, train__eval_tokens=128, model__expansion=3.0)  # of no MLP
    assert pair(store, whole).run.id == ended and pair(store, whole).others == []


def test_two_names_of_one_model_are_one(runs):
    """One head is one of many; a position encoding that acts inside attention is none where there is none."""
    run, store = runs
    whole, single = run(model__n_head=2), run(model__attention="single")
    assert pair(store, whole, "head").run.id == single


# What the page asks ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(store, do, ask):
    """A store with its scheduler, as (store, actions, questions)."""
    return store, do, ask


def trained(place, **changes) -> dict:
    """{"visitor", "run"} of a finished run."""
    store, do, _ = place
    run = do.train({"visitor": ANN, "preset": "ladder/04-mlp", "changes": BRIEF | changes})["run"]
    end = time.monotonic() + 60
    while store.run(run).status != "finished":
        assert time.monotonic() < end, "it did not end"
        time.sleep(0.01)
    return {"visitor": ANN, "run": run}


def test_the_run_trained_by_the_told_changes_is_then_found(place):
    store, do, ask = place
    mine = trained(place)
    rows = {row["part"]: row for row in ask.pairs(mine)["rows"]}
    assert set(rows) == {"attn", "mlp", "position", "layer", "head"} and all(row["run"] is None for row in rows.values())
    form = ask.settings(mine)
    changes = {**form["changes"], **rows["mlp"]["changes"]}
    without = trained(place, **{path: value for path, value in changes.items() if path not in BRIEF})
    told = ask.pairs(mine)
    found = next(row["run"] for row in told["rows"] if row["part"] == "mlp")
    assert found["id"] == without["run"] and found["others"] == []
    assert told["loss"] == pytest.approx(store.finished(mine["run"]).val_loss, abs=1e-3)
    assert found["loss"] == pytest.approx(store.finished(without["run"]).val_loss, abs=1e-3)
    assert ask.pairs({**mine, "visitor": BOB}) == {"status": "gone"} and ask.pairs(None) == {"status": "gone"}


def test_texts_are_one_draw_with_and_without_a_part(place, monkeypatch):
    monkeypatch.setattr(pairing, "SECONDS", 60.0)
    _, _, ask = place
    mine = trained(place)
    whole, again = ask.writes(mine), ask.writes({**mine, "part": None})
    assert whole == again and len(whole["text"]) == 220 and whole["step"] == 20
    out = ask.writes({**mine, "part": ["mlp", None, None]})
    assert out["text"] != whole["text"] and ask.writes({**mine, "part": ["head", 0, 1]})["text"] != out["text"]
    assert ask.writes({**mine, "temperature": 0})["text"] != whole["text"]
    for wrong in (["mlp", 7, None], ["norm", 0, None], "mlp", 5, {}, ["head", 0, "1"], [None] * 3):
        assert "no such part" in ask.writes({**mine, "part": wrong})["refused"], wrong
    assert ask.writes({**mine, "visitor": BOB}) == {"status": "gone"}
    assert "not kept" in ask.writes({**mine, "step": 7})["refused"]


def test_a_model_without_parts_writes_as_a_whole(place):
    mine, ask = trained(place, **{"model.architecture": "bigram"}), place[2]
    assert len(ask.writes(mine)["text"]) > 1
    assert "no such part" in ask.writes({**mine, "part": ["mlp", 0, None]})["refused"]


def test_a_part_gone_in_a_text_is_gone_at_every_token(place):
    """With the cache of keys and values, too: the text is that of a model without the part that feeds its window anew."""
    from gpt.importing import stored_sampler
    from gpt.run import encode_prompt

    store, _, ask = place
    mine = trained(place)
    told = ask.writes({**mine, "part": ["position", None, None], "temperature": 0})["text"]
    sampler = stored_sampler(store.run(mine["run"]), store.load_checkpoint(mine["run"]))
    seen = encode_prompt(sampler.tokenizer, "")
    with torch.no_grad(), without(sampler.model, Part("position")):
        for letter in told[:7]:  # as long as the window is not full
            token = int(sampler.model(torch.tensor([seen]))[0, -1].argmax())
            assert sampler.tokenizer.decode([token]) == letter
            seen.append(token)
