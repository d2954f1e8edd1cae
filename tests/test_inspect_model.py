"""What is seen inside a model is what the model does; and what the page asks about it is bounded, and refused in words."""

import json
import math
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from gpt.config import ModelConfig, RunConfig, SampleConfig
from gpt.generate import next_token
from gpt.inspect_model import Part, drawn, parts, read_out, reliance, see, watched, within, without
from gpt.model import Attention
from gpt.options import Refusal
from gpt.seeding import generator
from playground.inspecting import MOST_WEIGHTS, band, room_for
from support import SMALL, moved, pairwise, small_data, tokens, until

COVER = pairwise()
ANN, BOB = "Ann_----------------01", "Bob_----------------02"
TRANSFORMERS = [cfg for cfg in COVER if cfg.architecture == "transformer"]


def ids(cfg: ModelConfig) -> str:
    return f"{cfg.architecture}-{cfg.attention}-{cfg.position}-{COVER.index(cfg)}"


@pytest.mark.parametrize("cfg", COVER, ids=ids)
def test_what_is_seen_leads_to_the_models_own_scores(cfg):
    """The fused attention's, by way of the patterns: so each pattern times the values is what the head gives."""
    model, text = moved(cfg).eval(), tokens(1, cfg.block_size)
    with torch.no_grad():
        scores = model(text)[0]
    seen = see(model, text[0].tolist())
    assert torch.allclose(seen.scores, scores, rtol=1e-4, atol=1e-4)
    if seen.streams:
        assert len(seen.streams) == len(model.blocks) + 1
        assert torch.equal(read_out(model, seen.streams[-1][None])[0], seen.scores), "the lens of the last layer"
    with torch.no_grad():
        assert torch.equal(model(text)[0], scores), "looking changed the model"


@pytest.mark.parametrize("cfg", TRANSFORMERS, ids=ids)
def test_patterns_are_shares_of_what_came_before(cfg):
    seen = see(moved(cfg).eval(), tokens(cfg.block_size).tolist())
    assert len(seen.patterns) == (cfg.n_layer if cfg.attention != "none" else 0)
    at = torch.arange(cfg.block_size)
    back = at[:, None] - at
    for pattern in seen.patterns:
        assert pattern.shape == (cfg.heads, cfg.block_size, cfg.block_size)
        assert torch.allclose(pattern.sum(-1), torch.ones(()), atol=1e-5)
        assert not pattern[:, back < 0].any() and not (cfg.window and pattern[:, back >= cfg.window].any())


@pytest.mark.parametrize("cfg", TRANSFORMERS[:12], ids=ids)
def test_in_a_longer_text_each_token_is_seen_with_the_context_before_it(cfg):
    model, C = moved(cfg).eval(), cfg.block_size
    text = tokens(2 * C).tolist()
    seen = see(model, text)
    for t in (0, C - 1, C, 2 * C - 1):
        own = see(model, text[max(0, t - C + 1) : t + 1])
        assert torch.allclose(seen.scores[t], own.scores[-1], rtol=1e-4, atol=1e-4)
        assert all(torch.allclose(a[t], b[-1], rtol=1e-4, atol=1e-4) for a, b in zip(seen.streams, own.streams))
        for pattern, alone in zip(seen.patterns, own.patterns):
            row = torch.zeros(cfg.heads, 2 * C)
            row[:, max(0, t - C + 1) : t + 1] = alone[:, -1]
            assert torch.allclose(pattern[:, t], row, atol=1e-5)


@pytest.mark.parametrize("cfg", [cfg for cfg in TRANSFORMERS if cfg.attention != "none"], ids=ids)
def test_each_pattern_times_the_values_is_what_attention_gives(cfg):
    """Layer by layer, before the projection, against the pass that nobody watches."""
    model, text, given = moved(cfg).eval(), tokens(1, cfg.block_size), []
    layers = [within(block, Attention) for block in model.blocks]
    with torch.no_grad():
        hooks = [layer.proj.register_forward_pre_hook(lambda _, args: given.append(args[0][0])) for layer in layers]
        values = [layer.qkv.register_forward_hook(lambda _, args, made: given.append(made[2][0])) for layer in layers]
        model(text)
        for hook in (*hooks, *values):
            hook.remove()
        with watched(model) as patterns:
            model(text)
    for n, (layer, pattern) in enumerate(zip(layers, patterns)):
        v, fused = (x.unflatten(-1, (-1, layer.D)).transpose(0, 1) for x in given[2 * n : 2 * n + 2])
        assert torch.allclose(pattern[0] @ v.repeat_interleave(cfg.heads // cfg.kv_heads, dim=0), fused, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cfg", TRANSFORMERS, ids=ids)
def test_taking_out_nothing_changes_nothing_and_a_part_only_while_it_is_out(cfg):
    model, text = moved(cfg).eval(), tokens(1, cfg.block_size)
    with torch.no_grad():
        scores = model(text)
        with without(model, None):
            assert torch.equal(model(text), scores)
        for part in parts(model):
            with without(model, part):
                assert not torch.equal(model(text), scores), part
            assert torch.equal(model(text), scores), f"{part} stayed out"


@pytest.mark.parametrize("cfg", [cfg for cfg in TRANSFORMERS if cfg.attention != "none" and cfg.attn_proj], ids=ids)
def test_a_head_taken_out_is_its_slice_of_the_projection_set_to_zero(cfg):
    model, other, text = moved(cfg).eval(), moved(cfg).eval(), tokens(1, cfg.block_size)
    layer, head = cfg.n_layer - 1, cfg.heads - 1
    attention = within(other.blocks[layer], Attention)
    with torch.no_grad():
        attention.proj.weight[:, head * attention.D : (head + 1) * attention.D] = 0
        with without(model, Part("head", layer, head)):
            assert torch.allclose(model(text), other(text), rtol=1e-5, atol=1e-5)


def test_a_layer_taken_out_is_one_that_is_not_there():
    model, text = moved(SMALL).eval(), tokens(1, SMALL.block_size)
    with torch.no_grad(), without(model, Part("layer", 0)):
        shorter = model(text)
    del model.blocks[0]
    with torch.no_grad():
        assert torch.equal(model(text), shorter)


@pytest.mark.parametrize("cfg", [SMALL, replace(SMALL, parallel=True), replace(SMALL, attention="none"),
                                 replace(SMALL, attention="none", mlp=False), replace(SMALL, architecture="bigram")],
                         ids=["usual", "parallel", "no-attention", "no-layers", "bigram"])
def test_reliance_is_the_change_in_loss_of_each_part(cfg):
    model, data = moved(cfg, vocab_size=small_data().tokenizer.vocab_size).eval(), small_data(cfg.block_size)
    (x, y), *_ = data.eval_batches(10**6, cfg.block_size, 10**6)
    found = reliance(model, x, y, seconds=60.0)
    assert [effect.part for effect in found.effects] == parts(model) and found.left_out == 0 and found.tokens == y.numel()
    with torch.no_grad():
        for effect in found.effects:
            with without(model, effect.part):
                loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
            assert effect.change == pytest.approx(loss - found.loss, abs=1e-4) and effect.spread > 0
    hurried = reliance(model, x, y, seconds=0.0)
    assert hurried.left_out == len(parts(model)) and math.isfinite(hurried.loss) and hurried.tokens == cfg.block_size


@pytest.mark.parametrize("cfg", [SampleConfig(), SampleConfig(temperature=0.3), SampleConfig(temperature=0.0), SampleConfig(top_k=3),
                                 SampleConfig(top_p=0.6), SampleConfig(temperature=2.0, top_k=5, top_p=0.5)], ids=repr)
def test_what_is_drawn_has_the_probabilities_that_are_shown(cfg, monkeypatch):
    scores = 3 * torch.randn(7, 11, generator=generator(0, "scores"))
    drew = []
    monkeypatch.setattr(torch, "multinomial", lambda p, n, generator: drew.append(p) or torch.zeros(1, dtype=torch.int64))
    for row, shown in zip(scores, drawn(scores, cfg)):
        likeliest = next_token(row, cfg, generator(0, "draw"))
        if cfg.temperature == 0:
            assert shown[likeliest] == 1 and shown.sum() == 1
        else:
            expected = torch.zeros(11, dtype=torch.float64).scatter(0, row.argsort(descending=True, stable=True), drew[-1])
            assert torch.allclose(shown, expected / expected.sum())


def test_scores_that_are_no_numbers_are_refused_in_words():
    model = moved(SMALL)
    with torch.no_grad():
        model.head.weight.fill_(math.nan)
    with pytest.raises(Refusal, match="no longer numbers"):
        see(model, [1, 2])


# What the page asks ---------------------------------------------------------------------------------------------------

BRIEF = {"train.steps": 30, "train.eval_every": 10, "train.eval_tokens": 64, "sample.length": 0}


@pytest.fixture(scope="module")
def place(store, scheduler, do, ask):
    """A store with its scheduler, as (store, scheduler, actions, questions)."""
    return store, scheduler, do, ask


def trained(place, **changes) -> dict:
    """{"visitor", "run"} of a finished run."""
    store, _, do, _ = place
    run = do.train({"visitor": ANN, "preset": "ladder/03-multi-head", "changes": BRIEF | changes})["run"]
    until(lambda: store.run(run).status == "finished")
    return {"visitor": ANN, "run": run}


def test_a_look_tells_of_every_token_and_is_small(place):
    mine = trained(place)
    told = place[3].look({**mine, "temperature": 0.5, "top_k": 4, "top_p": 0.9})
    T = len(told["tokens"])
    assert "".join(told["tokens"]) == told["text"] and 60 <= T == told["given"] <= told["room"] == 128 and told["context"] == 8
    assert len(told["likely"]) == T and len(told["true"]) == T - 1 == len(told["surprise"]) - 1
    assert all(surprise == pytest.approx(-math.log(p), abs=0.02) for surprise, (p, _, _) in zip(told["surprise"][1:], told["true"]) if p)
    assert all(sum(after > 0 for _, _, after in likely) <= 4 for likely in told["likely"])
    assert [len(stage["best"]) for stage in told["lens"]] == [T] * (1 + len(told["heads"]))
    assert told["step"] == 30 and not told["live"] and told["checkpoints"][-1] == 30
    assert len(json.dumps(told)) < 300_000
    first = told["checkpoints"][0]
    early = place[3].look({**mine, "step": first, "text": "the"})
    assert early["step"] == first < 30 and early["tokens"] == ["t", "h", "e"] and early["surprise"][0] is None
    others = {place[3].look({**mine, "passage": n})["text"] for n in range(4)}
    assert len(others) == 4


def test_bad_input_is_refused_in_words_and_runs_are_their_owners(place):
    mine = trained(place)
    for wrong, says in (({"text": "東"}, "Unknown"), ({"step": 7}, "not kept"), ({"step": "x"}, "not kept"),
                        ({"temperature": "hot"}, "temperature"), ({"top_p": 7}, "top_p")):
        assert says in place[3].look({**mine, **wrong})["refused"], wrong
    assert "not kept" in place[3].knock_out({**mine, "step": 7})["refused"]
    for asked in (None, [], 5, {}, {**mine, "visitor": BOB}, {**mine, "run": "nosuchrun"}, {"visitor": ANN}):
        assert place[3].look(asked) == place[3].knock_out(asked) == {"status": "gone"}
    long = place[3].look({**mine, "text": "a" * 5000, "passage": -1})
    assert long["given"] == 5000 and len(long["tokens"]) == long["room"]


def test_parts_are_taken_out_of_a_stored_model_within_the_time(place):
    mine = trained(place)
    began = time.monotonic()
    told = place[3].knock_out(mine)
    assert time.monotonic() - began < 6 and 1000 < told["tokens"] <= 4096 and told["left_out"] == 0
    assert {kind for kind, *_ in told["rows"]} == {"layer", "attn", "head", "position"} and all(len(row) == 5 for row in told["rows"])


def test_a_table_has_no_inside_and_bytes_are_named(place):
    table = trained(place, **{"model.architecture": "bigram"})
    told = place[3].look(table)
    assert told["bigram"] and not told["heads"] and not told["lens"] and place[3].knock_out(table)["rows"] == []
    told = place[3].look({**trained(place, **{"data.tokenizer": "byte"}), "text": "é\nx"})
    assert told["tokens"] == ["\\xc3", "\\xa9", "\n", "x"]


def test_a_run_is_looked_into_while_it_trains(place):
    store, _, do, ask = place
    run = do.train({"visitor": ANN, "preset": "ladder/03-multi-head", "changes": BRIEF | {"train.steps": 50_000, "train.eval_every": 10_000}})["run"]
    until(lambda: store.run(run).step > 5)
    first = ask.look({"visitor": ANN, "run": run})
    until(lambda: store.run(run).step > first["step"] + 5)
    second = ask.look({"visitor": ANN, "run": run})
    assert first["live"] and second["step"] > first["step"] and second["true"] != first["true"]
    assert ask.knock_out({"visitor": ANN, "run": run})["rows"]
    do.stop({"visitor": ANN, "run": run})
    until(lambda: store.run(run).status == "stopped")


@pytest.mark.parametrize("layers, heads, block", [(24, 32, 1024), (1, 1, 1024), (6, 6, 256), (4, 4, 2)])
def test_a_text_is_as_short_as_the_patterns_of_all_heads_need(layers, heads, block):
    cfg = replace(ModelConfig(), n_layer=layers, n_head=heads, n_embd=32 * heads, block_size=block)
    room = room_for(SimpleNamespace(config=RunConfig(model=cfg)))
    assert 2 <= room <= 128 and layers * heads * band(room, block).sum() <= MOST_WEIGHTS
