"""What browsers ask and do, without one: any JSON is answered, runs stay their owner's, updates stay small."""

import json
import math

import pytest

from gpt.config import RunConfig
from gpt.events import Answers, Eval, Finished, Sample, Started, Step
from gpt.options import replace
from gpt.store import RunStore
from gpt.texts import read_text
from playground import actions, app, bringing, form, questions, rows
from playground.asked import sendable, visitor_of, whole
from playground.scheduler import Scheduler

ANN, BOB = "Ann_----------------01", "Bob_----------------02"
JUNK = [None, True, 5, -1, 10**30, 1e308, math.nan, math.inf, "text", "\ud800", [], [1, [2]], {}, {"visitor": ANN}]
VALUES = [None, True, -1, 10**30, 2.5, math.nan, math.inf, "\ud800", "1", [[1]], {"a": {}}]
DEEP = json.loads("[" * 400 + "]" * 400)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = RunStore(tmp_path_factory.mktemp("runs"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def scheduler(store):
    return Scheduler(store)


@pytest.fixture(scope="module")
def ask(store, scheduler):
    return questions.questions(store, scheduler)


def trained(store, steps: int = 1000, owner: str = ANN, every: int = 100, done: int = 0, **changes) -> str:
    """A stored run with a curve, as a training would have left it."""
    config = replace(RunConfig(), {"train.steps": steps, "train.eval_every": every} | changes)
    run = store.create(config, owner=owner, preset="ladder/09-pre-ln")
    store.append(run, [Started(0, 1000, 65, 3.3, 2.4, 256, "CPU, 1 thread", "f" * 64, {"gpt": "0"})])
    done, events = done or steps, []
    for step in range(1, done + 1):
        events.append(Step(step, 4 / (1 + step / 300) + 0.3137 * (step % 3), step * 0.01234))
        if step % every == 0:
            events += [Eval(step, 3.123456, step * 0.01234), Sample(step, config.sample.prompt, "text" * 40)]
    store.append(run, events)
    return run


def size(answer) -> int:
    """Bytes on the wire; raises for what is no JSON."""
    return len(json.dumps(answer, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode())


# Any JSON at all


@pytest.mark.parametrize("name", vars(questions.Questions)["__annotations__"])
@pytest.mark.parametrize("asked", [*JUNK, DEEP], ids=lambda asked: repr(asked)[:20])
def test_every_question_answers_any_json(ask, name, asked):
    answer = getattr(ask, name)(asked)
    assert isinstance(answer, dict) and size(answer) < 10_000
    if name in ("compare", "link", "report"):
        assert "are chosen" in answer["refused"]
    elif name not in ("check", "runs", "arms", "plan", "studies", "script", "lesson", "reveal"):  # which are about no run, or about all
        assert answer == {"status": "gone"}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("key", ["after", "seq", "stride", "seconds", "head"])
def test_a_poll_with_any_cursor_is_answered(ask, store, key, value):
    run = trained(store, steps=20)
    for question in (ask.poll, ask.writing):
        answer = question({"visitor": ANN, "run": run, key: value})
        assert size(answer) < 2000 and answer["status"] in ("queued", "gone")


@pytest.mark.parametrize("asked", [
    {"preset": 5}, {"preset": DEEP}, {"preset": "\ud800" * 500}, {"changes": 5}, {"changes": "abc"}, {"changes": [1]},
    {"changes": {"\ud800": "\ud800"}}, {"changes": {"model.n_head": DEEP}}, {"changes": {"model.n_head": 10**4000}},
    {"changes": {"train.lr": math.nan}}, {"changes": {"train.steps": math.inf}},
    {"changes": {"sample.prompt": "\ud800"}},
    {"changes": {"data.text": {"a": 1}, "data.dataset": "own"}}, {"changes": {"model": {"n_head": 4}}},
], ids=lambda asked: repr(asked)[:40])
def test_a_form_that_cannot_be_is_answered_with_problems(ask, asked):
    answer = ask.check(asked)
    assert answer["problems"] and size(answer) < 5000


def test_more_changes_than_options_are_refused_in_one_sentence(ask):
    problems = ask.check({"changes": {f"model.x{i}": i for i in range(3000)}})["problems"]
    assert len(problems) == 1 and "3,000" in problems[0] and len(problems[0]) < 150


def test_what_was_asked_is_read_with_bounds():
    assert [whole({"n": n}, "n", 7, 1, 9) for n in (1, 9, 0, 10, True, "3", 3.0, None, 10**30)] == [1, 9] + [7] * 7
    assert sendable({"\ud800": [math.nan, "a\udfff", 1.5]}) == {"?": [None, "a?", 1.5]}


# Problems that would show only once the run has begun


@pytest.mark.parametrize("changes, says", [
    ({"sample.prompt": "東京"}, "Unknown characters"),
    ({"train.device": "mps"}, "not available"),
    ({"data.dataset": "own", "data.text": "0" * 64}, "not on this machine"),
    ({"model.n_layer": 48, "model.n_embd": 1024, "model.block_size": 1024, "train.batch_size": 512}, "memory|use a"),
])
def test_check_finds_what_would_make_the_run_fail(ask, changes, says):
    import re

    answer = ask.check({"preset": "ladder/09-pre-ln", "changes": changes})
    assert re.search(says, " ".join(answer["problems"]))


def test_an_unreadable_prompt_is_told_apart_and_the_rest_is_still_counted(ask):
    answer = ask.check({"preset": "ladder/09-pre-ln", "changes": {"sample.prompt": "é"}})
    assert answer["unreadable"] == answer["problems"][0] and answer["parameters"] and answer["references"]


def test_check_draws_the_schedule_wherever_there_is_one(ask):
    """Also where the prompt cannot be read; not where no config can be made of the form."""
    changes = {"train.schedule": "cosine", "train.warmup": 100}
    drawn = ask.check({"preset": "ladder/09-pre-ln", "changes": changes})["schedule"]
    assert drawn["bends"] == [100] and "half a cosine" in drawn["words"]
    unreadable = ask.check({"preset": "ladder/09-pre-ln", "changes": changes | {"sample.prompt": "é"}})
    assert unreadable["problems"] and unreadable["schedule"] == drawn
    too_long = ask.check({"preset": "ladder/09-pre-ln", "changes": {"train.warmup": 1000, "train.steps": 10}})
    assert too_long["problems"] and too_long["schedule"] is None


def test_check_of_a_form_without_problems(ask):
    answer = ask.check({"preset": "ladder/12-gpu", "changes": {}})
    assert answer["problems"] == [] and answer["parameters"] == 1_208_385 and answer["seconds"] > 0
    other = ask.check({"preset": "ladder/12-gpu", "changes": {"sample.temperature": 1.5}})
    assert other["recipe"] == answer["recipe"], "how samples are drawn is no other training"
    assert ask.check({"preset": "ladder/12-gpu", "changes": {"train.steps": 7}})["recipe"] != answer["recipe"]


# Owners


@pytest.mark.parametrize("visitor", [
    "command line", "", None, 5, [ANN], {"a": 1}, ANN + "x", ANN[:-1], ANN + "\n", "*" * 22])
def test_nobody_can_claim_what_the_page_did_not_give_out(ask, store, scheduler, visitor):
    run = trained(store, steps=3, owner=visitor if isinstance(visitor, str) else "command line")
    asked = {"visitor": visitor, "run": run}
    assert visitor_of(asked) is None
    for name in ("poll", "curve", "settings", "writing", "table"):
        assert getattr(ask, name)(asked) == {"status": "gone"}
    assert ask.runs(asked) == {"runs": [], "touched": 0, "done": []}
    do = actions.actions(store, scheduler)
    assert "again" in do.train(asked)["refused"] and "gone" in do.stop(asked)["refused"]
    replaced, desk = app.enter(store, asked)
    assert visitor_of(replaced) and desk["run"] is None


def test_a_visitor_sees_their_own_runs_only(ask, store):
    run = trained(store, steps=3)
    assert ask.poll({"visitor": ANN, "run": run})["run"] == run
    assert run in [chip["id"] for chip in ask.runs({"visitor": ANN})["runs"]]
    for name in ("poll", "curve", "settings", "writing", "table"):
        assert getattr(ask, name)({"visitor": BOB, "run": run}) == {"status": "gone"}
    assert ask.runs({"visitor": BOB})["runs"] == []


def test_a_known_visitor_stays_and_finds_the_newest_run(store):
    run = trained(store, steps=3, owner=BOB)
    assert app.enter(store, {"visitor": BOB})[0] == {"visitor": BOB}
    assert app.enter(store, {"visitor": BOB})[1]["run"] == run


# Own texts


@pytest.mark.parametrize("raw, says", [(b"", "empty"), (b" \n ", "empty"), (b"\xff\xfe", "UTF-8"), (b"a\0b", "NUL")])
def test_a_bad_text_is_refused_in_words(raw, says):
    answer = bringing.bring_text()({"visitor": ANN}, raw)
    assert says in answer.pop("refused") and not answer


def test_a_good_text_is_kept_and_named():
    raw = b"To be, or not to be\r\n" * 9
    answer = bringing.bring_text()({"visitor": ANN}, raw)
    value = {"preset": "ladder/03-multi-head", "changes": {"data.dataset": "own", "data.text": answer["text"]}}
    assert answer["text"][:8] in answer["words"] and f"{len(raw)} bytes" in answer["words"]
    assert read_text(form.config_of(value)[1].data) == "To be, or not to be\n" * 9


@pytest.mark.parametrize("visitor", [None, "", "command line", 5])
def test_nobody_without_a_page_brings_a_text(visitor):
    assert "again" in bringing.bring_text()({"visitor": visitor}, b"To be, or not to be")["refused"]


# The growth of a run


def follow(ask, run: str, **more) -> tuple[list, list]:
    """All of a run's points and checks as a browser gathers them."""
    asked, steps, evals = {"visitor": ANN, "run": run, "after": 0, "seq": 0, "seconds": 0.0} | more, [], []
    while True:
        answer = ask.poll(asked)
        assert answer["from"] == asked["after"] and size(answer) < 2000
        for loss, ms in zip(answer["loss"], answer["ms"], strict=True):
            asked["after"] += answer["stride"]
            asked["seconds"] += ms / 1000
            steps.append((asked["after"], loss, asked["seconds"]))
        evals += answer["evals"]
        asked |= {"seq": answer["seq"], "stride": answer["stride"]}
        if not answer["more"]:
            return steps, evals


def test_deltas_add_up_to_the_run(ask, store):
    run = trained(store, steps=1000)
    steps, evals = follow(ask, run)
    assert [step for step, _, _ in steps] == list(range(1, 1001))
    assert steps[-1][2] == pytest.approx(1000 * 0.01234, abs=2e-3)
    assert [step for step, _, _ in evals] == list(range(100, 1001, 100))
    again = ask.poll({"visitor": ANN, "run": run, "after": 1000, "seq": 10**6, "seconds": 12.34})
    assert again["loss"] == [] and again["evals"] == [] and not again["more"]


def test_a_long_run_comes_in_strides_and_keeps_the_stride_it_began_with(ask, store):
    run = trained(store, steps=10_000, done=500)
    assert [step for step, _, _ in follow(ask, run)[0]] == list(range(5, 501, 5))
    assert [step for step, _, _ in follow(ask, run, stride=100)[0]] == list(range(100, 501, 100))


def test_a_cursor_beyond_the_run_begins_again(ask, store):
    run = trained(store, steps=10)
    assert ask.poll({"visitor": ANN, "run": run, "after": 11})["again"]


def test_more_is_said_while_there_is_more(ask, store):
    run = trained(store, steps=questions.plots.POINTS + 1)
    first = ask.poll({"visitor": ANN, "run": run})
    assert first["more"] and not ask.poll({"visitor": ANN, "run": run, "after": questions.plots.POINTS})["more"]
    checked = trained(store, steps=30, every=1)  # more checks than go into one answer
    assert ask.poll({"visitor": ANN, "run": checked})["more"]
    assert len(follow(ask, checked)[1]) == 30


def test_the_worst_answer_is_under_two_kilobytes(ask, store):
    """Every option changed, the longest prompt of the widest characters, a long message, points and checks waiting."""
    known = dict(form.options.walk(RunConfig))
    changed = {path: not option.default for path, option in known.items() if option.kind == "switch"}
    changed |= {"sample.prompt": "東" * 2000, "train.lr": 0.00123456789, "model.n_embd": 96, "train.seed": 2**31 - 1}
    run = trained(store, steps=100_000, done=20_000, every=100, **changed)
    store.set_status(run, "failed", "東" * 5000)
    for head in (0, 1):
        for after in (0, 15_000):
            answer = ask.poll({"visitor": ANN, "run": run, "after": after, "stride": 50 if head else 1, "head": head})
            assert answer["loss"] and size(answer) < 2000, size(answer)
            assert len(answer["message"]) == (0 if head else rows.LETTERS)
    assert len(answer["head"]["prompt"]) <= questions.PROMPT
    assert ask.settings({"visitor": ANN, "run": run})["changes"]["sample.prompt"] == "東" * 2000


def test_a_run_can_be_put_back_into_the_form(ask, store):
    run = trained(store, steps=5, **{"model.residual_attn": False})
    value = ask.settings({"visitor": ANN, "run": run})
    assert form.config_of(value)[1] == store.run(run).config
    head = ask.poll({"visitor": ANN, "run": run, "head": 1})["head"]
    assert head["recipe"] == ask.check(value)["recipe"] and head["device"] == "CPU, 1 thread"


@pytest.mark.parametrize("done, most, more", [
    (0, 100, 0), (1, 100, 1), (100, 100, 50), (1000, 5000, 500), (2500, 10_000, 1000),
    (99_990, 99_990, 10), (100_000, 100_000, 0)])
def test_more_steps_are_half_of_those_done_within_the_limit(store, done, most, more):
    from types import SimpleNamespace

    assert rows.more_steps(SimpleNamespace(step=done, study=None, options={"train.steps": most})) == more


def test_a_run_at_the_limit_is_not_extended(store, scheduler):
    run = trained(store, steps=100, done=3)
    store.append(run, [Finished(rows.MOST_STEPS, 2.0, 1.0)])
    assert "train a new one" in actions.actions(store, scheduler).extend({"visitor": ANN, "run": run})["refused"]


def test_the_final_loss_says_what_it_is_over(ask, store):
    run = trained(store, steps=5, owner=BOB)
    assert "held-out" not in ask.poll({"visitor": BOB, "run": run})["words"]
    store.append(run, [Finished(5, 1.23456, 1.0, 59_405)])
    assert ask.poll({"visitor": BOB, "run": run})["words"].endswith(" · 1.235 on all 59,405 held-out tokens")


def test_losses_of_other_tokens_come_with_their_bits(ask, store):
    """For the list, the chart and the words at the end of a run."""
    run = trained(store, steps=5, owner=BOB, **{"data.tokenizer": "bpe", "data.vocab_size": 300})
    begun = Started(0, 1000, 300, 4.3, 3.4, 256, "CPU", "f" * 64, {"gpt": "0"}, characters=2.0)
    store.append(run, [begun, Finished(5, 2.5, 1.0, 59_405)])
    answer = ask.poll({"visitor": BOB, "run": run, "head": 1})
    assert answer["words"].endswith(" · 2.500 held out, 1.803 bits a character")
    head = answer["head"]
    assert head["text"].endswith("/bpe 300") and head["held_out"].endswith("/0.1") and head["bits"] == pytest.approx(0.721348)
    assert [words for words, _ in head["references"]] == ["guessing", "token counts", "bigram table"]
    assert not any("letter" in words for _, words in head["verdicts"])


def test_check_shows_how_the_text_is_cut(ask):
    chars, pieces = (ask.check({"preset": "ladder/03-multi-head", "changes": {"data.tokenizer": kind}})["cut"] for kind in ("char", "bpe"))
    assert chars["tokens"] == 594_060 and chars["characters"] == 1 and len(chars["first"]) == 120
    assert "".join(pieces["first"]).startswith("".join(chars["first"])) and len(pieces["first"]) < 80
    assert pieces["tokens"] < 0.6 * chars["tokens"] and pieces["characters"] > 1.7
    odd = ask.check({"preset": "ladder/03-multi-head", "changes": {"data.tokenizer": "bpe", "data.vocab_size": 9000}})
    assert "257 to 8,192" in odd["problems"][0] and odd["cut"] is None


def test_finished_steps_are_marked(ask, store):
    run = trained(store, steps=5, owner=BOB)
    store.append(run, [Finished(5, 2.0, 1.0)])
    assert "ladder/09-pre-ln" in ask.runs({"visitor": BOB})["done"]


def test_an_earlier_run_s_curve_is_bounded(ask, store):
    run = trained(store, steps=5000)
    curve = ask.curve({"visitor": ANN, "run": run})
    assert len(curve["steps"]) == len(curve["loss"]) <= questions.EARLIER and curve["steps"][-1] > 4900


def test_the_whole_table_and_a_sample_can_be_had(ask, store):
    run = trained(store, steps=100)
    assert len(ask.table({"visitor": ANN, "run": run})["csv"].splitlines()) > 100
    seq = next(n for n, event in store.events(run) if isinstance(event, Sample))
    assert ask.writing({"visitor": ANN, "run": run, "seq": seq})["text"] == "text" * 40


def test_samples_beside_each_other_are_few_and_know_their_loss(ask, store):
    from gpt.events import Eval, Sample
    from playground.comparing import MOST_SAMPLES

    runs = [trained(store, steps=20), trained(store, steps=20)]
    told = [event for n in range(500) for event in (Eval(20 + n, 9 - n / 100, 1.0), Sample(20 + n, "O", "text"))]
    store.append(runs[1], told)
    some, many = ask.compare({"visitor": ANN, "runs": runs})["samples"]
    assert len(many) <= MOST_SAMPLES and len(some) <= len(many)
    assert many[-1][::2] == [519, 4.01] and all(loss == pytest.approx(9 - (step - 20) / 100, abs=1e-3) for step, _, loss in many[-9:])
    assert ask.writing({"visitor": ANN, "run": runs[1], "seq": many[-1][1]})["text"] == "text"


# Tasks


def test_a_task_tells_exact_answers_and_a_text_nothing_of_them(store, ask):
    text, run = trained(store), store.create(replace(RunConfig(), {"data.dataset": "copy"}), owner=ANN, preset="tasks/copy")
    wrong = [["abcdefgh=", "abcdefgh", "abcdefgg"]]
    store.append(run, [Started(0, 1000, 28, 3.3, 3.2, 256, "CPU, 1 thread", "e" * 64, {"gpt": "0"}),
                       Eval(0, 3.3, 0.0), Answers(0, 1, 4, wrong)])
    poll = ask.poll({"visitor": ANN, "run": run, "head": 1})
    ((step, right, total, seq),) = poll["answers"]
    assert (step, right, total) == (0, 1, 4) and len(poll["head"]["question"]) == 9 and poll["words"].startswith("25.0 % exact")
    assert ask.answers({"visitor": ANN, "run": run, "seq": seq}) == {"step": 0, "right": 1, "total": 4, "wrong": wrong}
    assert ask.answers({"visitor": ANN, "run": run, "seq": seq - 1}) == {"status": "gone"}  # the check beside it
    assert ask.answers({"visitor": BOB, "run": run, "seq": seq}) == {"status": "gone"}
    plain = ask.poll({"visitor": ANN, "run": text, "head": 1})
    assert "answers" not in plain and not {"question", "exact"} & plain["head"].keys()
