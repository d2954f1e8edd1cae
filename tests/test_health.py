"""Signal health: what is measured is so, when it is due, it changes nothing, and what is said of it."""

import json
import math
from dataclasses import replace

import pytest
import torch

from gpt.config import ModelConfig, RunConfig, TrainConfig
from gpt.data import Dataset
from gpt.events import Health, Step, Working, from_dict, to_dict
from gpt.forking import fork
from gpt.health import MOST, Probe, is_measured, short, stride_of
from gpt.model import Look, build
from gpt.records import event, event_row
from gpt.recording import Recording
from gpt.run import Run
from gpt.store import RunStore
from gpt.train import start, train, train_step
from playground.healthy import health, said, series
from playground.questions import news
from support import SMALL, small_data, small_run, tokens

NOISY = replace(SMALL, dropout_embd=0.1, dropout_attn=0.1, dropout_resid=0.1)
QUICK = TrainConfig(steps=40, batch_size=4, eval_every=20, eval_tokens=128, device="cpu", grad_clip=0.5)
VISITOR = "v" * 22


@pytest.fixture(scope="module")
def data() -> Dataset:
    return small_data()


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path)
    yield store
    store.close()


def measured(data: Dataset, model: ModelConfig, cfg: TrainConfig = QUICK) -> list[Health]:
    state = start(build(model, data.tokenizer.vocab_size, cfg.seed), cfg)
    return [e for e in train(state, data, cfg, measured=True) if isinstance(e, Health)]


def rms(x: torch.Tensor) -> float:
    return x.double().square().mean().sqrt().item()


# When ---------------------------------------------------------------------------------------------------------------

def steps_of(total: int) -> list[int]:
    return [step for step in range(1, total + 1) if is_measured(step, total)]


def test_measurements_are_few_dense_at_first_and_then_even():
    for total in (1, 2, 31, 100, 300, 1000, 1536, 1537, 10_000, 123_456):
        due = steps_of(total)
        assert due[0] == 1 and len(due) <= MOST + 8
        stride = stride_of(total)
        assert [step for step in due if step >= stride] == list(range(stride, total + 1, stride))
        assert all(b / a == 4 for a, b in zip(due, due[1:]) if b < stride)
    assert steps_of(100) == [1, 4, 16, 32, 64, 96]
    assert len(steps_of(10_000)) in range(40, 61)


def test_a_longer_run_measures_no_step_that_a_shorter_one_left_out():
    """So that one that is extended goes on in the same rhythm, or in half of it."""
    for short_run, long_run in ((100, 300), (300, 2000), (1536, 1537), (2000, 50_000)):
        assert set(step for step in steps_of(long_run) if step <= short_run) <= set(steps_of(short_run))


# What ---------------------------------------------------------------------------------------------------------------

def test_sizes_are_those_of_a_plain_computation(data):
    cfg = replace(QUICK, grad_clip=0.01)
    model, plain = (build(SMALL, data.tokenizer.vocab_size, 1) for _ in range(2))
    state = start(model, cfg)
    probe = Probe(model)
    train_step(state, data, cfg, torch.device("cpu"), probe)
    rows = {row["name"]: row for row in probe.rows()}
    assert list(rows) == ["embedding", "layer 1 attention", "layer 1 MLP", "layer 2 attention", "layer 2 MLP", "head"]

    x, y = data.batch(0, cfg.seed, cfg.batch_size, SMALL.block_size)
    streams, stream = [], plain.drop(plain.position.embed(plain.embed(x), 0))
    streams.append(stream)
    look = Look(plain.position, 0, plain.mask(x.shape[1], x.shape[1]), None)
    outs = []
    for block in plain.blocks:
        for sublayer in block.values():
            out = sublayer.inner(sublayer.before(stream), look)
            outs.append(out)
            stream = stream + out
            streams.append(stream)
    for each in streams:
        each.retain_grad()
    scores = plain.head(plain.final_norm(stream))
    torch.nn.functional.cross_entropy(scores.flatten(0, 1), y.flatten()).backward()
    names = list(rows)[:-1]
    for name, each in zip(names, streams):
        assert rows[name]["stream"] == pytest.approx(rms(each), rel=5e-3)
        assert rows[name]["back"] == pytest.approx(rms(each.grad), rel=5e-3)
    for name, out in zip(names[1:], outs):
        assert rows[name]["out"] == pytest.approx(rms(out), rel=5e-3)
    mlp, moved = plain.blocks[1]["mlp"].inner, model.blocks[1]["mlp"].inner
    grads = torch.cat([mlp.fc.weight.grad.flatten(), mlp.proj.weight.grad.flatten()])
    before = torch.cat([mlp.fc.weight.flatten(), mlp.proj.weight.flatten()])
    after = torch.cat([moved.fc.weight.flatten(), moved.proj.weight.flatten()])
    assert rows["layer 2 MLP"]["grad"] == pytest.approx(rms(grads), rel=5e-3)  # before it was clipped
    assert rows["layer 2 MLP"]["update"] == pytest.approx(rms(after - before) / rms(before), rel=5e-3)
    assert rows["head"]["out"] == pytest.approx(rms(scores), rel=5e-3)


@pytest.mark.parametrize("model, names", [
    (replace(SMALL, architecture="bigram"), ["table"]),
    (replace(SMALL, parallel=True), ["embedding", "layer 1 attention + MLP", "layer 2 attention + MLP", "head"]),
    (replace(SMALL, attention="none", n_layer=1), ["embedding", "layer 1 MLP", "head"]),
    (replace(SMALL, attention="none", mlp=False), ["embedding", "head"]),
])
def test_each_model_tells_of_its_parts(data, model, names):
    told = measured(data, model, replace(QUICK, steps=4))
    assert [e.step for e in told] == [0, 3]
    assert all([row["name"] for row in e.rows] == names for e in told)
    assert all(math.isfinite(size) for e in told for row in e.rows for size in row.values() if not isinstance(size, str))


def test_a_tied_head_has_no_weights_of_its_own(data):
    rows = measured(data, replace(SMALL, tie_weights=True), replace(QUICK, steps=1))[0].rows
    assert "grad" not in rows[-1] and rows[-1]["out"] > 0 and rows[0]["grad"] > 0


def test_a_model_that_is_replayed_is_measured_all_the_same(data):
    """As on a CUDA card, where a recording calls no hooks: here, passes of a twin that shares its weights."""
    model = build(SMALL, data.tokenizer.vocab_size, 1)
    state = start(model, QUICK)
    twin = build(SMALL, data.tokenizer.vocab_size, 1)
    for (path, parameter), own in zip(list(twin.named_parameters()), model.parameters()):
        holder, name = twin.get_submodule(path.rpartition(".")[0]), path.rpartition(".")[2]
        setattr(holder, name, own)
    twin.head.weight = model.head.weight  # a tied one has no name of its own
    model.forward = twin.forward
    probe = Probe(model)
    train_step(state, data, QUICK, torch.device("cpu"), probe)
    rows = probe.rows()
    plain = measured(data, SMALL, replace(QUICK, steps=1))[0].rows
    for row, other in zip(rows, plain):
        assert {name: row[name] for name in row if name != "back"} == {name: other[name] for name in other if name != "back"}
    assert all(not module._forward_hooks for module in model.modules())


# Nothing is changed ---------------------------------------------------------------------------------------------------

def losses(events) -> list[tuple]:
    return [(type(e).__name__, e.step, getattr(e, "loss", None), getattr(e, "text", None))
            for e in events if not isinstance(e, Working | Health)]


@pytest.mark.parametrize("model, changes", [
    (SMALL, {}), (NOISY, {}), (NOISY, {"optimizer": "muon"}), (SMALL, {"optimizer": "lion"}), (SMALL, {"optimizer": "sgd"}),
    (replace(NOISY, residual_attn=False, residual_mlp=False, norm="rms", norm_place="post"), {}),
    (replace(SMALL, architecture="bigram"), {}),
])
def test_losses_are_the_same_bit_for_bit(data, model, changes):
    cfg = replace(QUICK, **changes)
    told = []
    for watched in (False, True):
        state = start(build(model, data.tokenizer.vocab_size, cfg.seed), cfg)
        told.append((losses(train(state, data, cfg, measured=watched)), state.tensors()))
    assert told[0][0] == told[1][0]
    assert all(torch.equal(told[1][1][name], tensor) for name, tensor in told[0][1].items())


def test_a_large_model_is_the_same_too(data):
    """Large enough for the functions that write their own backward pass."""
    model = replace(SMALL, n_embd=128, n_head=4, block_size=64, norm="rms")
    cfg = replace(QUICK, steps=4, batch_size=8)
    text = small_data(model.block_size)
    runs = [losses(train(start(build(model, text.tokenizer.vocab_size, 1), cfg), text, cfg, measured=w)) for w in (False, True)]
    assert runs[0] == runs[1]


def recorded(store: RunStore, cfg: RunConfig, leave_at: int = 0) -> str:
    run = store.create(cfg, owner=VISITOR, preset="test")
    recording = Recording(store, run)
    for told in recording:
        if leave_at and isinstance(told, Health | Step) and told.step == leave_at:
            recording.leave("paused")
            break
    return run


@pytest.fixture
def config() -> RunConfig:
    cfg = small_run()
    return replace(cfg, model=NOISY, train=replace(cfg.train, steps=70, eval_every=35))


@pytest.mark.parametrize("leave_at", [1, 3, 4, 32, 40])
def test_a_resumed_run_measures_what_it_would_have(store, config, leave_at):
    whole, parted = recorded(store, config), recorded(store, config, leave_at)
    for _ in Recording(store, parted):
        pass
    told = [[e for _, e in store.events(run) if isinstance(e, Health)] for run in (whole, parted)]
    assert told[0] == told[1] and [e.step + 1 for e in told[0]] == [1, 4, 16, 32, 64]
    plain = [(e.step, e.loss) for e in Run(config).events() if isinstance(e, Step)]
    assert [(step, loss) for step, loss, _ in store.points(parted)] == plain


def test_a_fork_is_measured_and_goes_on_the_same(store, config):
    parent = recorded(store, config)
    step = next(step for step in store.checkpoint_steps(parent) if step < 40)
    child, _ = fork(store, store.run(parent), step, config, owner=VISITOR, preset="test")
    told = list(Recording(store, child))
    parents = {e.step: e for _, e in store.events(parent) if isinstance(e, Health)}
    assert [e for e in told if isinstance(e, Health)] == [parents[at] for at in sorted(parents) if at >= step]
    assert [e for _, e in store.events(child) if isinstance(e, Health)] == list(parents.values())
    plain = [(e.step, e.loss) for e in Run(config).events() if isinstance(e, Step)]
    assert [(e.step, e.loss) for e in told if isinstance(e, Step)] == plain[step:]


def test_it_is_stored_and_sent_as_any_event(store, config):
    run = recorded(store, config)
    told = [e for _, e in store.events(run) if isinstance(e, Health)]
    assert all(from_dict(json.loads(json.dumps(to_dict(e), allow_nan=False))) == e for e in told)
    assert all(event(*event_row(e)) == e for e in told)
    assert store.run(run).step == 70 and all(len(json.dumps(to_dict(e))) < 160 * len(e.rows) for e in told)
    assert short(math.nan) is None and short(math.inf) is None and short(0.00123456) == 0.00123


def test_a_copy_made_in_a_measured_step_is_not_measured(data):
    """Another thread copies a model to write with it: its passes are not those of the step."""
    run = Run(small_run())
    probe = Probe(run.model)
    probe.attach()
    copy = run.sampler().model
    copy(tokens(1, 4))
    assert all(not place.lengths for place in probe.places)


# What is said -------------------------------------------------------------------------------------------------------

DEEP = ModelConfig(n_layer=8, n_embd=32, n_head=4, block_size=12, dropout_embd=0, dropout_attn=0, dropout_resid=0)


def sentences(told: list[Health]) -> dict[str, tuple[bool, str]]:
    return {s["measure"]: (s["bad"], s["words"]) for s in said(series(told))}


def test_gradients_vanish_in_a_deep_model_without_residuals(data):
    with_them = sentences(measured(data, DEEP))
    without = sentences(measured(data, replace(DEEP, residual_attn=False, residual_mlp=False, norm="none")))
    assert not with_them["gradients"][0] and "vanish" not in with_them["gradients"][1]
    assert without["gradients"][0] and "vanish on the way" in without["gradients"][1] and "layer 1" in without["gradients"][1]


def row(name: str, layer: int, **sizes) -> dict:
    return {"name": name, "layer": layer, "part": "mlp", **{size: [value] for size, value in sizes.items()}}


def layers(size: str, *values: float) -> list[dict]:
    return [row("embedding", 0, stream=1.0), *(row(f"layer {n} MLP", n, **{size: v}) for n, v in enumerate(values, 1))]


@pytest.mark.parametrize("size, values, bad, words", [
    ("back", (1e-3, 1e-3), False, "Healthy: gradients stay within a factor of 3 across 2 layers."),
    ("back", (1e-3, 4e-2), True, "Gradients reach layer 1 at 1/40 of layer 2's: they vanish on the way."),
    ("back", (1e-3, 5e-3), False, "Gradients reach layer 1 at 1/5 of layer 2's: uneven, not yet a problem."),
    ("back", (0.0, 5e-3), True, "Gradients reach layer 1 at less than a millionth of layer 2's: they vanish on the way."),
    ("back", (8.0, 0.1), True, "Gradients are 80 times as large at layer 1 as at layer 2: they explode on the way."),
    ("stream", (1.0, 2.0), False, "Healthy: activations stay within a factor of 3 across 2 layers."),
    ("stream", (1.0, 500.0), True, "Activations grow 500 times from layer 1 to layer 2: they explode on the way."),
    ("stream", (0.1, 0.001), True, "Activations shrink to 1/1,000 of the embedding's in layer 2: they vanish on the way."),
    ("update", (1e-3, 1e-3), False, "Updates are 0.1 % of the weights a step: healthy. About 0.1 % is usual."),
    ("update", (0.04, 0.05), True, "Updates are 4 % of the weights a step: large. About 0.1 % is usual."),
    ("update", (1e-7, 1e-3), True, "Updates are 0.05 % of the weights a step, "
                                   "but layer 1 MLP hardly moves: less than 0.0001 % a step."),
])
def test_sentences_follow_from_the_sizes(size, values, bad, words):
    measure = {"back": "gradients", "stream": "activations", "update": "updates"}[size]
    assert {s["measure"]: (s["bad"], s["words"]) for s in said(layers(size, *values))}[measure] == (bad, words)


def test_what_vanished_only_at_first_is_said():
    rows = layers("back", 1e-3, 1e-3)
    for each, start_at in zip(rows[1:], (1e-6, 1e-3)):
        each["back"] = [start_at, 1e-3, 1e-3]
    words = {s["measure"]: s["words"] for s in said(rows)}["gradients"]
    assert words == ("Gradients vanished in step 1, with 1/1,000 of layer 2's left at layer 1. "
                     "Now healthy: gradients stay within a factor of 3 across 2 layers.")


def test_sizes_that_are_no_numbers_are_left_out():
    rows = layers("back", 1e-3, 1e-3)
    rows[1]["back"], rows[2]["update"] = [None], [None]
    assert all(s["words"] for s in said(rows)) and all(s["words"] for s in said([row("table", 0, grad=1e-3, out=1.0)]))


def test_the_page_asks_for_its_own_runs_alone(store, config):
    run = recorded(store, config)
    asked = {"visitor": VISITOR, "run": run}
    answer = health(store, asked)
    assert answer["steps"] == [1, 4, 16, 32, 64] and answer["known"] == 5 and not answer["active"]
    assert [r["name"] for r in answer["rows"]][:2] == ["embedding", "layer 1 attention"]
    assert {r["part"] for r in answer["rows"]} == {"io", "attn", "mlp"}
    assert all(len(r["stream"]) == 5 for r in answer["rows"] if "stream" in r)
    json.dumps(answer, allow_nan=False)
    assert health(store, {**asked, "known": 5})["same"] and "rows" not in health(store, {**asked, "known": 5})
    assert health(store, {**asked, "visitor": "w" * 22}) == {"status": "gone"}
    for odd in (None, [], {"visitor": VISITOR, "run": 3}, {**asked, "known": "5"}):
        assert health(store, odd)
    new = store.create(config, owner=VISITOR, preset="test")
    empty = health(store, {"visitor": VISITOR, "run": new})
    assert empty["steps"] == [] and empty["rows"] == [] and empty["said"] == []


def test_one_measurement_is_asked_for_by_its_seq(store, config):
    """As `poll` tells it: the drawing of the model takes its colours from the last one, and needs no others."""
    run = recorded(store, config)
    asked = {"visitor": VISITOR, "run": run}
    seqs = [seq for seq, event in store.events(run) if isinstance(event, Health)]
    last, whole = health(store, {**asked, "seq": seqs[-1]}), health(store, asked)
    assert last["step"] == 64 and [row["name"] for row in last["rows"]] == [row["name"] for row in whole["rows"]]
    assert [row["update"][0] for row in last["rows"] if "update" in row] == [
        row["update"][-1] for row in whole["rows"] if "update" in row]
    assert len(json.dumps(last)) < len(json.dumps(whole)) / 2
    told = news(store.events(run), 0)
    assert told["measured"] == seqs[-1] and "measured" not in news([], 3)
    assert health(store, {**asked, "seq": seqs[-1], "visitor": "w" * 22}) == {"status": "gone"}
    other = next(seq for seq, event in store.events(run) if not isinstance(event, Health))
    for seq in (other, 10**9, 0, -1, "x", None):
        assert health(store, {**asked, "seq": seq}) == {"status": "gone"}
