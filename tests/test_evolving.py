"""A model's way through training: its vectors in two dimensions, and its belief at each kept step, as the model has them."""

import json
import math

import pytest
import torch

from gpt.importing import stored_sampler
from gpt.inspect_embeddings import neighbours, position_table, principal, token_table
from gpt.inspect_model import scores_after, see
from gpt.model import build
from gpt.store import RunStore
from gpt.tokenizers import TextError
from playground import evolving
from playground.evolving import KINDS, kind_of
from playground.kept import Memory
from support import moved, pairwise, tokens, until

ANN, BOB = "Ann_----------------01", "Bob_----------------02"
BRIEF = {"train.steps": 64, "train.eval_every": 64, "train.eval_tokens": 64, "sample.length": 0}
COVER = pairwise()


# Vectors ------------------------------------------------------------------------------------------------------------


def test_the_axes_are_those_of_the_covariance_and_show_its_share():
    rows = torch.randn(40, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * torch.linspace(3, 0.1, 12)
    axes, values = principal(rows), torch.linalg.eigvalsh(rows.T.cov())
    assert axes.shares(rows) == pytest.approx((values.flip(0)[:2] / values.sum()).tolist())
    for n in range(2):  # an eigenvector of the covariance, of length one, the other way round if need be
        direction = axes.directions[:, n]
        assert torch.allclose(rows.T.cov() @ direction, values.flip(0)[n] * direction)
        assert direction[direction.abs().argmax()] > 0 and direction.norm() == pytest.approx(1)
    assert torch.allclose(axes.place(rows), (rows - rows.mean(0)) @ axes.directions)
    turned = principal(-rows)
    assert torch.allclose(turned.directions, axes.directions), "mirrored vectors are seen along the same directions"


def test_one_projection_leaves_what_does_not_move_where_it_is():
    late = torch.randn(9, 5, generator=torch.Generator().manual_seed(1))
    early = late.clone()
    early[3] += 1
    axes = principal(late)
    still = [n for n in range(9) if n != 3]
    assert torch.equal(axes.place(early)[still], axes.place(late)[still])
    assert not torch.allclose(axes.place(early)[3], axes.place(late)[3])


def test_the_nearest_by_cosine_are_found_by_hand():
    rows = torch.tensor([[1.0, 0.0], [3.0, 0.1], [0.0, 2.0], [-1.0, 0.0]])
    cosines, others = neighbours(rows, 2)
    assert others[0].tolist() == [1, 2] and cosines[0].tolist() == pytest.approx([3 / math.hypot(3, 0.1), 0])
    assert others[3].tolist()[0] == 2 and len(neighbours(rows[:1], 5)[0][0]) == 0


@pytest.mark.parametrize("cfg", COVER, ids=lambda cfg: f"{cfg.architecture}-{cfg.position}-{COVER.index(cfg)}")
def test_every_model_has_vectors_of_tokens_and_says_which_have_positions(cfg):
    model = moved(cfg)
    assert len(token_table(model)) == 11
    table = position_table(model)
    assert (table is not None) == (cfg.architecture == "transformer" and cfg.position in ("learned", "sinusoidal"))
    if table is not None:
        assert torch.equal(model.position.embed(torch.zeros(1, 4, cfg.n_embd), 2)[0], table[2:6])


@pytest.mark.parametrize("cfg", COVER, ids=lambda cfg: f"{cfg.architecture}-{COVER.index(cfg)}")
def test_scores_alone_are_those_that_are_seen(cfg):
    model, text = moved(cfg), tokens(cfg.block_size + 3).tolist()
    assert torch.allclose(scores_after(model, text), see(model, text).scores, rtol=1e-4, atol=1e-4)


def test_kinds_of_characters():
    kinds = {"e": "vowel", "é": "vowel", "z": "consonant", "Q": "upper case", "7": "digit",
             ";": "punctuation", "$": "punctuation",
             "\n": "white space", " ": "white space", "東": "other letter", "д": "other letter"}
    assert {letter: KINDS[kind_of(letter.encode())] for letter in kinds} == kinds
    assert KINDS[kind_of(b"\xe6")] == "byte"
    assert [KINDS[kind_of(piece)] for piece in (b" the", b"\n\n", b" A", b"'s")] == ["consonant", "white space", "upper case", "punctuation"]


def test_the_memory_is_bounded_and_keeps_what_was_used_last():
    memory, made = Memory(3 * 40), lambda: torch.zeros(10)
    for n in (1, 2, 3):
        memory.put(n, made())
    assert memory.get(1) is not None
    memory.put(4, made())
    assert memory.get(2) is None and memory.get(1) is not None and memory.get(4) is not None and memory.used == 3 * 40


# What the page asks -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(store, do, ask):
    """A store with its scheduler, as (store, actions, questions)."""
    return store, do, ask


def trained(place, preset: str = "ladder/03-multi-head", **changes) -> dict:
    """{"visitor", "run"} of a finished run."""
    store, do, _ = place
    run = do.train({"visitor": ANN, "preset": preset, "changes": BRIEF | changes})["run"]
    until(lambda: store.run(run).status == "finished")
    return {"visitor": ANN, "run": run}


def model_at(store: RunStore, run: str, step: int):
    return stored_sampler(store.run(run), store.load_checkpoint(run, step)).model


def test_all_kept_steps_are_seen_along_the_axes_of_the_newest(place):
    mine, ask = trained(place), place[2]
    told = ask.embeddings(mine)
    steps = [frame["step"] for frame in told["frames"]]
    assert steps == [0, 1, 4, 16, 32, 48, 64] == ask.look(mine)["checkpoints"] and told["fit"] == 64 and told["left"] == 0
    names = told["points"]["names"]
    assert names[0] == " " and len(names) == 65 - told["points"]["never"]
    data_tokens = evolving.text_of(place[0].run(mine["run"])).tokenizer
    rows = torch.tensor(data_tokens.encode("".join(names)))
    axes = principal(token_table(model_at(place[0], mine["run"], 64))[rows])
    for frame in (told["frames"][1], told["frames"][-1]):
        vectors = token_table(model_at(place[0], mine["run"], frame["step"]))[rows]
        assert torch.allclose(torch.tensor(frame["at"]), axes.place(vectors), rtol=0.01, atol=1e-3)
        assert frame["share"] == pytest.approx(axes.shares(vectors), abs=1e-3)
    begun = build(place[0].run(mine["run"]).config.model, 65, place[0].run(mine["run"]).config.train.seed)
    assert torch.allclose(torch.tensor(told["frames"][0]["at"]), axes.place(token_table(begun)[rows]), rtol=0.01, atol=1e-3)
    assert len(json.dumps(told)) < 100_000


@pytest.mark.parametrize("changes, says", [({"model.position": "rope"}, "RoPE"), ({"model.position": "alibi"}, "ALiBi"),
                                           ({"model.position": "none"}, "off"), ({"model.architecture": "bigram"}, "bigram")])
def test_where_positions_have_no_vectors_it_says_why(place, changes, says):
    assert says in place[2].embeddings({**trained(place, **changes), "of": "positions"})["none"]


def test_positions_are_shown_and_fixed_ones_do_not_move(place):
    told = place[2].embeddings({**trained(place, **{"model.position": "sinusoidal"}), "of": "positions"})
    assert told["points"]["names"] == [str(n) for n in range(1, 9)] and "same at every step" in told["note"]
    assert len({json.dumps(frame["at"]) for frame in told["frames"]}) == 1
    learned = place[2].embeddings({**trained(place), "of": "positions"})
    assert len({json.dumps(frame["at"]) for frame in learned["frames"]}) == 7 and not learned["note"]


def test_belief_is_the_softmax_of_the_model_at_each_step(place):
    mine, ask = trained(place), place[2]
    text = "What noise is that"
    told = ask.belief({**mine, "text": text, "at": 11})
    assert told["steps"] == [0, 1, 4, 16, 32, 48, 64] and told["left"] == 0 and not any(told["live"])
    tokenizer = evolving.text_of(place[0].run(mine["run"])).tokenizer
    context = torch.tensor([tokenizer.encode(text)[12 - 8 : 12]])
    for n, step in list(enumerate(told["steps"]))[1:]:
        with torch.no_grad():
            p = model_at(place[0], mine["run"], step)(context)[0, -1].softmax(-1)
        for line in told["lines"]:
            assert line["p"][n] == pytest.approx(p[tokenizer.encode(line["name"])[0]].item(), rel=0.01, abs=1e-4)
    newest = p.argsort(descending=True)[:5].tolist()
    assert [tokenizer.encode(line["name"])[0] for line in told["lines"][:5]] == newest
    assert [line["name"] for line in told["lines"] if line["true"]] == ["s"]
    assert not any(line["true"] for line in ask.belief({**mine, "text": text, "at": 17})["lines"])
    look = ask.look({**mine, "text": text})
    assert [line["p"][-1] for line in told["lines"][:5]] == [p for _, p, _ in look["likely"][11][:5]]


def test_bounded_work_is_gone_on_with_and_then_remembered(place, monkeypatch):
    mine, ask, loaded = trained(place), place[2], []
    own = evolving.sampler_at
    monkeypatch.setattr(evolving, "sampler_at", lambda *asked: loaded.append(asked[2]) or own(*asked))
    monkeypatch.setattr(evolving, "SECONDS", 0.0)
    left = [ask.belief({**mine, "text": "the", "at": 1})["left"] for _ in range(7)]
    assert left == [6, 5, 4, 3, 2, 1, 0] and loaded == [64, 48, 32, 16, 4, 1, 0]
    assert ask.belief({**mine, "text": "the", "at": 0})["left"] == 0
    assert len(loaded) == 7, "another place in the text costs no model"


def test_what_is_too_large_to_be_remembered_together_is_not_asked_for_for_ever(place, monkeypatch):
    mine, ask = trained(place), place[2]
    monkeypatch.setattr(evolving, "SECONDS", 0.0)
    whole = ask.belief({**mine, "text": "the", "at": 1})
    bytes_a_step = 4 * len("the") * place[0].run(mine["run"]).vocab_size
    monkeypatch.setattr(evolving, "RUN_BYTES", 3 * bytes_a_step)
    asked = [ask.belief({**mine, "text": "the", "at": 1}) for _ in range(7)]
    assert whole["left"] == 6 and asked[-1]["left"] == 0 and asked[-1]["steps"] == [32, 48, 64]


def test_steps_before_training_are_of_runs_that_began_there(place):
    mine, (store, do, ask) = trained(place), place
    assert ask.look({**mine, "step": 0, "text": "the"})["step"] == 0
    form = ask.settings(mine)
    fork = do.fork({**mine, **form, "step": 32})["run"]
    until(lambda: store.run(fork).status == "finished")
    assert 0 not in ask.look({"visitor": ANN, "run": fork})["checkpoints"]
    assert "not kept" in ask.look({"visitor": ANN, "run": fork, "step": 0})["refused"]


def test_others_runs_and_broken_questions_get_nothing(place):
    mine, ask = trained(place), place[2]
    for question in (ask.embeddings, ask.belief):
        for asked in (None, [], {}, {**mine, "visitor": BOB}, {"visitor": ANN, "run": "none"}):
            assert question(asked) == {"status": "gone"}
    assert "Unknown" in ask.belief({**mine, "text": "東"})["refused"]
    assert ask.belief({**mine, "text": "the", "at": 99})["steps"] and ask.belief({**mine, "text": 7, "at": "x"})["steps"]
    assert ask.embeddings({**mine, "of": 3, "live": "x", "newest": []})["frames"]


def test_bytes_that_never_occur_are_left_out(place):
    told = place[2].embeddings(trained(place, **{"data.tokenizer": "byte"}))
    assert told["points"]["all"] == 256 and told["points"]["never"] == 256 - len(told["points"]["names"]) > 150


def test_a_training_run_shows_its_present_vectors_and_belief(place):
    store, do, ask = place
    long = BRIEF | {"train.steps": 64_000, "train.eval_every": 10_000}
    run = do.train({"visitor": ANN, "preset": "ladder/03-multi-head", "changes": long})["run"]
    mine = {"visitor": ANN, "run": run, "live": True}
    until(lambda: store.run(run).step > 5)
    told = ask.embeddings(mine)
    assert told["frames"][-1]["live"]
    newest = ask.embeddings({**mine, "newest": True})
    assert [frame["live"] for frame in newest["frames"]] == [True]
    believed = ask.belief({**mine, "text": "the", "at": 1})
    assert believed["live"][-1] and believed["steps"][-1] > 5
    do.stop(mine)
    until(lambda: store.run(run).status == "stopped")
    assert ask.belief({**mine, "text": "the", "at": 1})["live"][-1] is False


@torch.no_grad()
def test_weights_that_are_no_numbers_are_left_out_and_named(place):
    mine, (store, _, ask) = trained(place), place
    step, tensors, meta = store.load_checkpoint(mine["run"], 48)
    store.adopt(mine["run"])
    broken = {name: tensor * math.nan if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    store.save_checkpoint(mine["run"], 48, broken, meta, lasting=True)
    told = ask.embeddings(mine)
    assert told["lost"] == [48] and 48 not in [frame["step"] for frame in told["frames"]]
    belief = ask.belief({**mine, "text": "the", "at": 1})
    assert [line["p"][belief["steps"].index(48)] for line in belief["lines"]] == [None] * len(belief["lines"])


def test_vectors_that_are_all_alike_lie_in_one_place():
    flat = principal(torch.ones(3, 4))
    assert flat.shares(torch.ones(3, 4)) == [0.0, 0.0] and torch.equal(flat.place(torch.ones(3, 4)), torch.zeros(3, 2))


def test_what_is_remembered_of_other_tokens_is_not_shown(place, monkeypatch):
    """Which are common is known only where the text is: with it the order is another one, and so are the vectors."""
    mine, ask = trained(place), place[2]
    by_count = ask.embeddings(mine)

    def gone(run):
        raise TextError("It is not here.")

    monkeypatch.setattr(evolving, "text_of", gone)
    by_number = ask.embeddings(mine)
    assert by_number["points"]["never"] == 0 and by_number["points"]["names"] != by_count["points"]["names"]
    assert all(len(frame["at"]) == len(by_number["points"]["names"]) for frame in by_number["frames"])
    vectors = token_table(model_at(place[0], mine["run"], 64))
    expected = principal(vectors).place(vectors)
    assert torch.allclose(torch.tensor(by_number["frames"][-1]["at"]), expected, rtol=0.01, atol=1e-3)
