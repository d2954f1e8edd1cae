"""Training: exact resuming, honest steps, and nothing that a look at it could change."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice

import pytest
import torch
from torch import Tensor, nn

from gpt.config import ModelConfig, SampleConfig, TrainConfig
from gpt.data import Dataset
from gpt.events import (
    KINDS, Answers, Changed, Diverged, Eval, Event, Finished, Forked, Health, Sample, Started, Step, Working, from_dict, to_dict,
)
from gpt.model import build
from gpt.options import ConfigError
from gpt.run import Run
from gpt.tokenizers import TextError
from gpt.train import TrainState, evaluate, mean_loss, start, train
from support import SMALL, moved, small_data, small_run, tokens

NOISY = replace(SMALL, dropout_embd=0.1, dropout_attn=0.1, dropout_resid=0.1)
QUICK = TrainConfig(steps=6, batch_size=4, eval_every=3, eval_tokens=128, device="cpu")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return small_data()


def begin(data: Dataset, cfg: TrainConfig = QUICK, model: ModelConfig = SMALL) -> TrainState:
    return start(build(model, data.tokenizer.vocab_size, cfg.seed), cfg)


def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def losses(events: list[Event]) -> list[tuple]:
    """What happened, without the times."""
    return [(type(e).__name__, *(v for k, v in vars(e).items() if k != "seconds")) for e in events]


def happened(events: Iterable[Event]) -> list[Event]:
    """What a run has done in the end: without the signs of life on the way."""
    return [event for event in events if not isinstance(event, Working)]


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


# Events -------------------------------------------------------------------------------------------------------------

def test_events_come_in_order(data):
    cfg = replace(QUICK, steps=5, eval_every=2)
    state = begin(data, cfg)
    events = happened(train(state, data, cfg))
    assert [(type(e), e.step) for e in events] == [
        (Eval, 0), (Step, 1), (Step, 2), (Eval, 2), (Step, 3), (Step, 4), (Eval, 4), (Step, 5), (Eval, 5),
        (Finished, 5),
    ]
    assert events[-1].val_tokens == len(data.val) - 1 and state.step == 5
    assert events[-1].val_loss == evaluate(state.model, data.whole_split(SMALL.block_size))
    seconds = [e.seconds for e in events]
    assert seconds == sorted(seconds) and seconds[0] == 0 < seconds[-1]


def test_long_checks_and_samples_come_in_pieces(data):
    """So that whoever drives a run can do something else meanwhile; `events` leaves them out."""
    cfg = small_run(sample=SampleConfig(length=50))
    cfg = replace(cfg, train=replace(cfg.train, steps=1, eval_every=1, eval_tokens=4096))
    pieces = list(Run(cfg).work())
    kinds = [kind for kind, _ in groupby(type(e) for e in pieces)]
    assert kinds == [Started, Eval, Working, Sample, Step, Eval, Working, Sample, Working, Finished]
    for _, several in groupby(pieces, key=type):
        done = [e.done for e in several if isinstance(e, Working)]
        assert done == sorted(set(done)) and all(0 < d <= 1 for d in done)
    assert losses(list(Run(cfg).events())) == losses(happened(pieces))


@pytest.mark.parametrize("at_once", [3, 16])
def test_losses_that_are_read_later_are_the_same(data, monkeypatch, at_once):
    """As from a GPU: several steps are done before the first of them is told."""
    cfg = replace(QUICK, steps=30, eval_every=12)
    usual = happened(train(begin(data, cfg), data, cfg))
    monkeypatch.setattr("gpt.train.most_at_once", lambda device: at_once)
    state, ahead, late = begin(data, cfg), set(), []
    for event in train(state, data, cfg):
        if not isinstance(event, Working):
            late.append(event)
        if isinstance(event, Step):
            ahead.add(state.step - event.step)
    assert losses(late) == losses(usual)
    assert max(ahead) == min(at_once, 12) - 1  # never past a check
    seconds = [e.seconds for e in late if isinstance(e, Step)]
    assert seconds == sorted(seconds) and len(set(seconds)) == 30


@pytest.mark.parametrize("at_once", [1, 8])
def test_divergence_is_told_at_its_step(data, monkeypatch, at_once):
    monkeypatch.setattr("gpt.train.most_at_once", lambda device: at_once)
    cfg = replace(QUICK, optimizer="sgd", lr=1e12, steps=50, eval_every=100)
    steps = [e for e in train(begin(data, cfg), data, cfg) if isinstance(e, Step | Diverged)]
    assert isinstance(steps[-1], Diverged) and steps[-1].step == len(steps) - 1
    assert all(math.isfinite(e.loss) for e in steps[:-1])


def test_a_run_begins_with_what_it_is_and_samples_at_each_check():
    cfg = small_run()
    events = list(Run(cfg).events())
    check, steps = [Eval, Sample], [Step, Step, Step]
    assert [type(e) for e in events] == [Started, *check, *steps, *check, *steps, *check, Finished]
    assert events[0].parameters == sum(p.numel() for p in Run(cfg).model.parameters())
    assert events[0].tokens_per_step == 4 * SMALL.block_size
    assert all(len(e.text) == cfg.sample.length for e in events if isinstance(e, Sample))
    assert losses(events) == losses(list(Run(cfg).events()))  # same config, same run


def test_events_survive_json():
    import json

    rare = [Changed(1, {"train.lr": 1e-4}), Forked(0, "id", 3, ["a"], []), Health(0, [{"name": "head", "out": None}])]
    samples = [*Run(small_run()).events(), *rare, Answers(2, 1, 2, [["ab=", "ab", "ba"]]), Diverged(3, "try less")]
    assert {type(e) for e in samples} == set(KINDS.values())
    assert [from_dict(json.loads(json.dumps(to_dict(e)))) for e in samples] == samples


def test_the_reported_loss_is_of_the_batch_before_the_step(data):
    cfg, model = replace(QUICK, steps=1), build(SMALL, data.tokenizer.vocab_size, 1)
    x, y = data.batch(0, cfg.seed, cfg.batch_size, SMALL.block_size)
    scores = model(x).log_softmax(-1)
    by_hand = -sum(scores[b, t, y[b, t]] for b in range(4) for t in range(SMALL.block_size)) / y.numel()
    first = next(e for e in train(start(model, cfg), data, cfg) if isinstance(e, Step))
    assert first.loss == pytest.approx(float(by_hand.detach()), rel=1e-5)


def test_evaluation_weighs_every_token_once(data):
    """Batches of unequal size: a mean of means would be another number."""
    model, x, y = moved(SMALL), tokens(5, 8), tokens(5, 8, seed=1)
    whole = float(mean_loss(model.eval(), x, y).detach())
    assert evaluate(model, [(x[:4], y[:4]), (x[4:], y[4:])]) == pytest.approx(whole, rel=1e-6)


def test_batches_are_the_same_for_every_model(data):
    """What makes two curves comparable."""
    seen: dict[str, list[Tensor]] = {}
    bigram = replace(SMALL, architecture="bigram")
    for name, cfg in {"plain": SMALL, "other": replace(NOISY, n_layer=1, position="rope"), "bigram": bigram}.items():
        state, fed = begin(data, QUICK, cfg), seen.setdefault(name, [])
        state.model.register_forward_pre_hook(lambda module, args, fed=fed: fed.append(args[0]))
        happened(train(state, data, QUICK))
    assert len(seen["plain"]) > 6
    for other in ("other", "bigram"):
        assert len(seen[other]) == len(seen["plain"]) and all(map(torch.equal, seen["plain"], seen[other]))


def test_each_step_drops_other_values(data):
    """And each seed: a mask that stays is a smaller network, not dropout."""
    masks = []
    for seed in (1, 2):
        state = begin(data, model=replace(SMALL, dropout_embd=0.5))
        state.model.drop.register_forward_hook(
            lambda module, args, out: masks.append(out.eq(0)) if module.training else None)
        happened(train(state, data, replace(QUICK, steps=3, seed=seed)))
    assert len(masks) == 6 and len({tuple(mask.flatten().tolist()) for mask in masks}) == 6


# On a GPU -----------------------------------------------------------------------------------------------------------

def test_a_recorded_model_replays_in_training_only(data, monkeypatch):
    """As far as it can be seen without a card: what is recorded, and that copies for sampling run as ever."""
    seen = []

    def record(model: nn.Module, inputs: tuple[Tensor]) -> nn.Module:
        seen.append((model.training, [x.shape for x in inputs]))
        plain = model.forward
        model.forward = lambda tokens, cache=None: (seen.append("replayed") if model.training else None, plain(tokens, cache))[1]
        return model

    monkeypatch.setattr("torch.cuda.make_graphed_callables", record)
    cfg = replace(QUICK, device="cuda", replay=True)
    run = Run(small_run())
    run.state = start(run.model, cfg)
    assert seen == [(True, [(4, SMALL.block_size)])]
    expected = happened(train(begin(data), data, QUICK))
    assert losses(happened(train(run.state, data, cfg))) == losses(expected)
    assert seen.count("replayed") == QUICK.steps
    sampler = run.sampler()
    assert "forward" in vars(run.model) and "forward" not in vars(sampler.model)


def test_what_cannot_be_recorded_is_refused():
    cfg = small_run(model=NOISY, train=replace(QUICK, device="cuda", replay=True))
    assert any("replay = on" in problem and "no dropout" in problem for problem in cfg.problems())
    assert not replace(cfg, model=SMALL).problems()


# Resuming -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("after", [1, 3, 5])  # 3: a check is due right then
@pytest.mark.parametrize("model, change", [
    (NOISY, {}), (SMALL, {"schedule": "cosine", "warmup": 2, "weight_decay": 0.1, "grad_clip": 0.5}),
    (NOISY, {"optimizer": "muon", "lr": 0.02}), (SMALL, {"optimizer": "lion"}), (SMALL, {"precision": "bfloat16"}),
    (NOISY, {"optimizer": "sgd", "lr": 0.1}), (SMALL, {"optimizer": "sgd", "momentum": 0.0}),
    (replace(SMALL, architecture="bigram"), {}),
    (replace(NOISY, tie_weights=False, parallel=True, norm="rms"), {"schedule": "wsd"}),
], ids=["dropout", "cosine", "muon", "lion", "bfloat16", "sgd", "no momentum", "bigram", "untied"])
def test_resuming_is_exact(data, model, change, after):
    """Bit for bit as if it had never stopped: losses, weights, and what the optimiser remembers."""
    cfg = replace(QUICK, **change)
    state, events, saved = begin(data, cfg, model), [], {}
    for event in train(state, data, cfg):
        events.append(event)
        if isinstance(event, Step) and event.step == after:
            saved, rest = copied(state.tensors()), len(events)

    torch.manual_seed(99)  # what others draw must not matter
    again = begin(data, replace(cfg, seed=7), model)  # other weights, to be replaced
    again.load(saved, after, 1.5)
    resumed = happened(train(again, data, cfg))
    assert losses(resumed) == losses(happened(events[rest:]))
    assert_same(state.tensors(), again.tensors())
    assert resumed[-1].seconds > 1.5


def test_a_run_resumes_from_its_checkpoint():
    cfg = small_run(model=NOISY)
    run, events, saved = Run(cfg), [], None
    for event in run.events():
        events.append(event)
        if isinstance(event, Step) and event.step == 3:
            step, tensors, meta = run.checkpoint()
            saved, rest = (step, copied(tensors), dict(meta)), len(events)
    resumed = Run(cfg, saved)
    assert losses(list(resumed.events())) == losses(events[rest:])
    assert_same(run.state.tensors(), resumed.state.tensors())


def test_an_ended_run_goes_on(data):
    """Ten steps, or four and then six more: the same, as the schedule does not look at the end."""
    whole, cfg = begin(data), replace(QUICK, steps=10)
    happened(train(whole, data, cfg))
    parts = begin(data)
    happened(train(parts, data, replace(cfg, steps=4)))
    happened(train(parts, data, cfg))
    assert_same(whole.tensors(), parts.tensors())


def test_stopping_leaves_a_state_to_go_on_from(data):
    whole = begin(data)
    happened(train(whole, data, QUICK))
    state = begin(data)
    for asked in (1, 2, 4):  # stopped after an Eval, a Step, an Eval
        events = train(state, data, QUICK)
        list(islice(events, asked))
        events.close()
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    happened(train(state, data, QUICK))
    assert_same(whole.tensors(), state.tensors())


def test_a_finished_run_only_says_so(data):
    state = begin(data)
    last = happened(train(state, data, QUICK))[-2:]
    before = copied(state.tensors())
    assert losses(happened(train(state, data, QUICK))) == losses(last)
    assert_same(before, state.tensors())


def test_checking_changes_nothing(data):
    """However often the held-out text is looked at, dropout on."""
    rare, often = begin(data, model=NOISY), begin(data, model=NOISY)
    steps = [[e.loss for e in train(state, data, replace(QUICK, eval_every=every)) if isinstance(e, Step)]
             for state, every in ((rare, 1000), (often, 1))]
    assert steps[0] == steps[1]
    assert_same(rare.tensors(), often.tensors())


def test_sampling_between_steps_changes_nothing():
    quiet, talkative = Run(small_run(model=NOISY)), Run(small_run(model=NOISY))
    list(quiet.events())
    for _ in talkative.events():
        assert "".join(talkative.sample(talkative.cfg.sample))
        assert torch.is_grad_enabled()
    assert_same(quiet.state.tensors(), talkative.state.tensors())


def test_samples_drop_nothing():
    """Also right after a step, when the model is set to train: the same seed draws the same text."""
    run = Run(small_run(model=replace(SMALL, dropout_resid=0.5, init="torch")))
    events = run.events()
    assert any(isinstance(event, Step) for event in events)
    wild = replace(run.cfg.sample, temperature=2.0)
    assert run.model.training and "".join(run.sample(wild)) == "".join(run.sample(wild))


def test_two_runs_in_turns_do_not_mix():
    """As the page runs them, one event each."""
    cfgs = [small_run(model=NOISY), small_run(model=NOISY, train=replace(QUICK, seed=2))]
    alone = [losses(list(Run(cfg).events())) for cfg in cfgs]
    in_turns: list[Iterator[Event]] = [Run(cfg).events() for cfg in cfgs]
    both = list(zip(*in_turns))
    assert [losses(list(events)) for events in zip(*both)] == alone


# What is refused, and what goes wrong ---------------------------------------------------------------------------------

def test_a_run_refuses_options_that_cannot_work():
    with pytest.raises(ConfigError, match="n_embd") as error:
        Run(small_run(model=replace(SMALL, n_embd=17), train=replace(QUICK, steps=0)))
    assert len(error.value.problems) == 2


def test_a_run_refuses_a_prompt_it_cannot_read():
    cfg = small_run()
    with pytest.raises(TextError, match="Unknown characters: '9'"):
        Run(replace(cfg, sample=replace(cfg.sample, prompt="cat 9")))


def test_an_empty_prompt_begins_a_line():
    run = Run(small_run())
    greedy = replace(run.cfg.sample, temperature=0.0)
    assert "".join(run.sample(greedy)) == "".join(run.sample(replace(greedy, prompt="\n")))
    assert "".join(run.sample(greedy)) != "".join(run.sample(replace(greedy, prompt="c")))


@pytest.mark.parametrize("optimizer, lr", [("sgd", 1e12), ("adamw", 1e30)])
def test_divergence_ends_the_run_and_says_what_to_try(data, optimizer, lr):
    cfg = replace(QUICK, optimizer=optimizer, lr=lr, steps=50, eval_every=100)
    state = begin(data, cfg, replace(SMALL, norm="none", init="torch"))
    events = happened(train(state, data, cfg))
    last = events[-1]
    assert isinstance(last, Diverged) and last.step == state.step < 50
    assert all(math.isfinite(e.loss) for e in events[:-1])
    for advice in (f"lr {lr / 10:.1g}", "gradient clipping", "warming up"):
        assert advice in last.advice
    milder = replace(cfg, grad_clip=1.0, warmup=5)
    assert "clipping" not in happened(train(begin(data, milder, replace(SMALL, norm="none")), data, milder))[-1].advice


def test_a_check_that_is_no_number_ends_the_run(data):
    state = begin(data)
    state.model.embed.weight.data.fill_(math.nan)
    events = happened(train(state, data, QUICK))
    assert [type(e) for e in events] == [Diverged] and events[0].step == 0


def test_a_loss_that_is_no_number_updates_nothing(data):
    state, cfg = begin(data), replace(QUICK, eval_every=100)
    events = train(state, data, cfg)
    list(islice(events, 3))
    state.model.head.weight.data[0] = math.inf
    before = copied(state.tensors())
    assert isinstance(list(events)[-1], Diverged)
    assert_same(before, state.tensors())


# Learning -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("init", ["gpt2", "normal", "zero"])
def test_an_untrained_model_knows_nothing(data, init):
    """ln V nats, as every token is about as likely to it as every other."""
    state = begin(data, model=replace(SMALL, init=init))
    first = next(train(state, data, QUICK))
    assert first.loss == pytest.approx(math.log(data.tokenizer.vocab_size), abs=0.05)


@pytest.mark.parametrize("change", [
    {}, {"architecture": "bigram"}, {"position": "rope", "norm": "rms", "activation": "swiglu"},
], ids=str)
def test_one_batch_is_learnt_by_heart(data, change):
    """A text of one window is every batch; a table can only learn what follows each token there."""
    T = SMALL.block_size
    tiny = replace(data, train=data.train[: T + 1], val=data.train[: T + 1])
    cfg = replace(QUICK, steps=80, lr=0.02, eval_every=1000)
    if change.get("architecture") == "bigram":
        cfg = replace(cfg, lr=0.3)
    end = happened(train(begin(tiny, cfg, replace(SMALL, **change)), tiny, cfg))[-1]
    followers: dict[int, list[int]] = {}
    for a, b in zip(tiny.train.tolist(), tiny.train[1:].tolist()):
        followers.setdefault(a, []).append(b)
    table = -sum(math.log(f.count(b) / len(f)) for f in followers.values() for b in f) / T
    assert end.val_loss < (table + 0.05 if change.get("architecture") == "bigram" else 0.05)


def test_a_bigram_table_comes_down_to_the_bigram_entropy(data):
    """And not below it on its training text: the line that the chart draws."""
    cfg = replace(QUICK, steps=150, lr=0.1, schedule="linear", batch_size=64, eval_every=1000)
    state = begin(data, cfg, replace(SMALL, architecture="bigram"))
    happened(train(state, data, cfg))
    whole = [(data.train[None, :-1], data.train[None, 1:])]
    assert data.bigram <= evaluate(state.model, whole) < data.bigram + 0.05


# One step -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("clip, moves", [(0.0, None), (0.01, 0.01), (1e6, None)])
def test_clipping_bounds_the_gradients_length(data, clip, moves):
    """By plain SGD at rate 1, where the step is the gradient."""
    cfg = replace(QUICK, steps=1, optimizer="sgd", momentum=0.0, lr=1.0, grad_clip=clip)

    def step(cfg: TrainConfig) -> float:
        state = begin(data, cfg)
        before = copied(dict(state.model.named_parameters()))
        happened(train(state, data, cfg))
        return math.sqrt(sum(float((p - before[n]).detach().square().sum()) for n, p in state.model.named_parameters()))

    unclipped = step(replace(cfg, grad_clip=0.0))
    assert unclipped > 0.05 and step(cfg) == pytest.approx(moves or unclipped, rel=1e-3)


def test_the_schedule_sets_the_step(data):
    """A run under warmup moves first by 1/4 of the rate: the schedule reaches the optimiser."""
    cfg = replace(QUICK, optimizer="sgd", momentum=0.0, lr=0.4, warmup=4, steps=4)
    state, seen = begin(data, cfg), []
    for event in train(state, data, cfg):
        if isinstance(event, Step):
            seen.append({group["lr"] for optimizer in state.optimizers for group in optimizer.param_groups})
    assert [pytest.approx(rate) for rates in seen for rate in rates] == [0.1, 0.2, 0.3, 0.4]
