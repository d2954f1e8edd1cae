"""Generated tasks: their examples, what of them is learnt from, exact answers, and what the presets are there to show."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from gpt import answers
from gpt.__main__ import main
from gpt.config import DataConfig, ModelConfig, RunConfig, SampleConfig
from gpt.data import IGNORED, Examples, load
from gpt.estimate import floating_point_operations
from gpt.events import Answers, Eval, Finished, Sample, Started, Step, Working
from gpt.generate import generate
from gpt.options import ConfigError
from gpt.options import replace as change
from gpt.presets import load as preset
from gpt.recording import Recording
from gpt.replicas import as_one, seeded, train_replicas
from gpt.run import Run, posed
from gpt.store import RunStore
from gpt.tasks import DRAWS, SYMBOLS, TASKS, examples, shape
from gpt.texts import read_text
from gpt.train import evaluate, mean_loss
from support import SMALL, moved, pairwise

each = pytest.mark.parametrize("task", TASKS)
SHORT = {"train.eval_tokens": 512, "sample.length": 5, "train.device": "cpu"}


def task_data(task: str, **options) -> Examples:
    return load(DataConfig(dataset=task, **options), 64)


def small_task(task: str = "running", **changes) -> RunConfig:
    """A few steps of a small model on a task."""
    base = change(RunConfig(), {"data.dataset": task, "data.size": TASKS[task].least + 2, "model.n_layer": 1, "model.n_embd": 16,
                                "model.n_head": 2, "train.steps": 6, "train.eval_every": 3, "train.batch_size": 4, **SHORT})
    return change(base, changes)


# Examples -----------------------------------------------------------------------------------------------------------

def closes(question: str, answer: str) -> bool:
    """Whether brackets match to the end, each with its own kind."""
    text = question + answer.rstrip(".")
    while any(pair in text for pair in ("()", "[]", "{}")):
        for pair in ("()", "[]", "{}"):
            text = text.replace(pair, "")
    return not text


def follows(question: str, answer: str) -> bool:
    """Whether the answer stands where the last letter of the question stood before."""
    *word, asked = question
    return "".join(word).split(asked)[1].startswith(answer) and len(set(word)) == len(word)


def add_up(question: str, answer: str) -> bool:
    a, b = question.split("+")
    return int(a) + int(b) == int(answer)


RIGHT: dict[str, Callable[[str, str], bool]] = {
    "copy": lambda q, a: q == a, "reverse": lambda q, a: list(q) == list(reversed(a)),
    "sort": lambda q, a: sorted(q) == list(a), "addition": add_up,
    "modular": lambda q, a: (SYMBOLS.index(q[0]) + SYMBOLS.index(q[2]) - SYMBOLS.index(a)) % 31 == 0,
    "induction": follows, "parity": lambda q, a: (int(q, 2).bit_count() - int(a)) % 2 == 0,
    "running": lambda q, a: all((int(q[: n + 1], 2).bit_count() - int(a[n])) % 2 == 0 for n in range(len(q))),
    "brackets": closes,
}
FINGERPRINTS = {  # another text under the same name would be continued as if it were the same
    "copy": "46b880da5d30cfc0", "reverse": "76dec2806f72bb07", "sort": "27c7d4ccd0a80746",
    "addition": "b1bc16393ee7153c", "modular": "cb567cdd59ff2471", "induction": "446989a4dcb87398",
    "parity": "2f2caaa4f13bcf57", "running": "2ccc0ec5ce178d5f", "brackets": "58f328b8b8dd31e7",
}


@each
def test_examples_are_right_different_and_of_one_length(task):
    made = examples(task, TASKS[task].usual)
    assert len({question for question, _ in made}) == len(made) > 900
    assert {(len(q), len(a)) for q, a in made} == {shape(task, 0)} == {shape(task, TASKS[task].usual)}
    assert all(RIGHT[task](question.rstrip("="), answer) for question, answer in made)
    text = read_text(DataConfig(dataset=task))
    assert text == "".join(f"{question}{answer}\n" for question, answer in made)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == FINGERPRINTS[task]


@each
def test_every_size_can_be_had(task):
    for size in (TASKS[task].least, TASKS[task].most):
        questions, lengths = task_data(task, size=size, val_fraction=0.3), shape(task, size)
        assert (questions.question, questions.answer) == lengths and questions.targets > 0


@each
def test_no_question_is_both_learnt_from_and_held_out(task):
    data = task_data(task)
    rows = [{tuple(row) for row in part.view(-1, data.length)[:, : data.question].tolist()} for part in (data.train, data.val)]
    assert not rows[0] & rows[1] and sum(map(len, rows)) == (len(data.train) + len(data.val)) // data.length


def test_modular_addition_has_all_pairs_once():
    assert len(examples("modular", 31)) == 31**2 and len(examples("modular", 62)) == 62**2 < DRAWS


# What is learnt from ------------------------------------------------------------------------------------------------

@each
def test_rows_are_examples_and_only_answers_are_targets(task):
    data = task_data(task)
    text = set(read_text(DataConfig(dataset=task)).splitlines())
    checked, whole = data.eval_batches(500, 64), list(data.whole_split(64, 50))
    for x, y in [data.batch(3, 1, 5, 64), *checked[:2], whole[-1]]:
        assert x.shape == y.shape == (len(x), data.length - 2)
        for fed, wanted in zip(x.tolist(), y.tolist()):
            answer = [token for token in wanted if token != IGNORED]
            assert len(answer) == data.answer and wanted[: -data.answer] == [IGNORED] * (data.question - 1)
            assert data.tokenizer.decode(fed[: data.question] + answer) in text
            assert fed[data.question :] == answer[:-1]
    assert sum(int((y != IGNORED).sum()) for _, y in whole) == data.targets
    assert all(torch.equal(a, b) for a, b in zip(data.batch(3, 1, 5, 64), data.batch(3, 1, 5, 20)))  # the context is of no matter


def test_the_loss_is_that_of_the_answers_alone():
    data, model = task_data("sort", size=4), moved(replace(SMALL, block_size=12), vocab_size=28)
    x, y = data.batch(0, 1, 7, 12)
    by_hand = F.cross_entropy(model(x)[:, data.question - 1 :].flatten(0, 1), y[:, data.question - 1 :].flatten())
    assert mean_loss(model, x, y).item() == pytest.approx(by_hand.item(), abs=1e-6)
    batches = list(data.whole_split(12, 300))  # of unequal sizes
    assert len({len(x) for x, _ in batches}) == 2
    rows = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    assert evaluate(model, batches) == pytest.approx(mean_loss(model, *rows).item(), abs=1e-5)


def test_entropies_are_those_of_answers():
    data = task_data("parity")  # "=" before every answer: a bit, whatever is known
    assert data.unigram == pytest.approx(0.693, abs=1e-3) and data.bigram == pytest.approx(0.693, abs=1e-3)
    assert task_data("running").bigram == pytest.approx(0.693, abs=0.01)
    assert task_data("copy").bigram == pytest.approx(3.25, abs=0.02)


def test_what_a_task_cannot_be_is_refused_in_words():
    refused = [({"data.size": 40}, "size = 40: induction takes 3 to 26 .letters., or 0 for the usual 8"),
               ({"data.tokenizer": "byte"}, "tokenizer = byte: the answers of a task .*use tokenizer = char"),
               ({"model.block_size": 8}, "block_size = 8 is too short .* block_size = 12 or more")]
    for changes, message in refused:
        with pytest.raises(ConfigError, match=message):
            change(RunConfig(), {"data.dataset": "induction", **changes})


def test_a_step_is_counted_by_what_it_feeds():
    config = small_task("copy", **{"model.block_size": 1024})
    assert config.context == 2 * (TASKS["copy"].least + 2) and config.tokens_per_step == 4 * config.context


def test_what_a_card_replays_has_the_shape_of_the_examples(monkeypatch):
    """Recorded passes take one shape alone, and examples are shorter than the model's context."""
    recorded = []
    monkeypatch.setattr("gpt.run.choose_device", lambda name: torch.device("cpu"))
    monkeypatch.setattr("torch.cuda.make_graphed_callables", lambda model, inputs: recorded.append(inputs[0].shape))
    config = change(preset("ladder/09-pre-ln").config, {"model.block_size": 16, "data.dataset": "parity",
                                                       "train.device": "cuda", "train.replay": True})
    run = Run(config)
    x, _ = run.data.batch(0, 1, config.train.batch_size, config.model.block_size)
    assert recorded == [x.shape] and x.shape[1] == config.context < config.model.block_size


def test_a_longer_context_that_no_example_fills_costs_no_operations():
    short, long = (change(RunConfig(), {"data.dataset": "parity", "model.block_size": size}) for size in (16, 256))
    assert floating_point_operations(short) == floating_point_operations(long)


# Exact answers ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cfg", pairwise()[::9], ids=str)
def test_answers_are_those_that_are_written_token_by_token(cfg: ModelConfig):
    """Counted in one pass, written with a cache: as a sample that always takes the likeliest."""
    data = task_data("running", size=6)
    model = moved(replace(cfg, block_size=14), vocab_size=data.tokenizer.vocab_size).eval()
    rows = data.val.view(-1, data.length)
    plain = [list(generate(model, row[: data.question].tolist(), SampleConfig(length=data.answer, temperature=0.0))) for row in rows]
    assert answers.write(model, rows[:, : data.question], data.answer).tolist() == plain
    made = rows.clone()  # of which some are answered as the model does
    made[::2, data.question : -1] = torch.tensor(plain)[::2]
    right = [given == row[data.question : -1].tolist() for given, row in zip(plain, made)]
    assert answers.is_right(model, made, data.question).tolist() == right and any(right)


def test_wrong_answers_are_told_with_what_was_right():
    data, model = task_data("addition", size=2), moved(replace(SMALL, block_size=8), vocab_size=13)
    *between, found = answers.ask(model, data, 7)
    assert found.step == 7 and found.total == len(data.val) // data.length and len(found.wrong) == answers.SHOWN
    assert [type(event) for event in between] == [Working] * ((found.total - 1) // answers.AT_ONCE)
    assert all(add_up(question.rstrip("="), answer) and given != answer for question, answer, given in found.wrong)
    *_, some = answers.ask(model, data, 7, most=40)
    assert some.total == 40 and some.right <= found.right


def test_a_run_tells_its_answers_after_each_check_and_all_at_the_end(monkeypatch):
    monkeypatch.setattr(answers, "CHECKED", 5)
    run = Run(small_task())
    events = list(run.events())
    check = [Eval, Answers, Sample]
    assert [type(event) for event in events] == [Started, *check, *[Step] * 3, *check, *[Step] * 3, *check, Finished]
    assert [event.total for event in events if isinstance(event, Answers)] == [5, 5, len(run.data.val) // run.data.length]
    sample = next(event for event in events if isinstance(event, Sample))
    assert (len(sample.prompt), len(sample.text)) == (7, 5) and run.data.tokenizer.encode(sample.prompt) == \
        run.data.val[: run.data.question].tolist()
    assert events[-1].val_tokens == run.data.targets
    assert posed(run.cfg.data, SampleConfig(prompt="ab=", length=2)) == SampleConfig(prompt="ab=", length=2)


def test_answers_are_stored_and_forgotten_with_what_is_trained_again(tmp_path):
    store = RunStore(tmp_path)
    id = store.create(small_task(), owner="me", preset="tasks/copy")
    list(Recording(store, id))
    kept = [event for _, event in store.events(id) if isinstance(event, Answers)]
    assert len(kept) == 3 and store.run(id).exact == kept[-1].right / kept[-1].total
    store.adopt(id)
    store.rewind(id, 2)
    assert store.run(id).exact == kept[0].right / kept[0].total
    store.rewind(id, 0)
    assert store.run(id).exact is None
    store.close()


def test_seeds_as_one_are_each_as_alone():
    config = small_task("sort", **{"train.steps": 20, "train.eval_every": 10, "train.grad_clip": 0.5})
    seeds = [3, 1]
    alone: dict[int, list] = {}
    for seed, event in train_replicas(config, seeds, together=False):
        alone.setdefault(seed, []).append(event)
    together: dict[int, list] = {}
    for seed, event in as_one([Run(seeded(config, seed)) for seed in seeds]):
        together.setdefault(seed, []).append(event)
    for seed in seeds:
        one, other = ([e.val_loss if isinstance(e, Finished) else e.loss for e in events if isinstance(e, Step | Eval | Finished)]
                      for events in (alone[seed], together[seed]))
        assert len(one) == 24 and one == pytest.approx(other, abs=1e-4)


# The presets --------------------------------------------------------------------------------------------------------

def learnt(name: str, steps: int) -> tuple[float, float]:
    """The share of exact answers, and the loss, after the first steps of a preset."""
    config = preset(name).config
    events = list(Run(change(config, {"train.steps": steps, "train.eval_every": steps, **SHORT})).events())
    found = [event for event in events if isinstance(event, Answers)][-1]
    return found.right / found.total, events[-1].val_loss


def test_attention_copies_and_a_bigram_table_cannot():
    exact, loss = learnt("tasks/copy", 75)
    assert exact > 0.99 and loss < 0.3
    exact, loss = learnt("tasks/copy-bigram", 200)
    assert exact == 0 and loss > 3.2  # one letter in 26: the logarithm is 3.26


def test_induction_takes_two_layers():
    assert learnt("induction-2", 150)[0] > 0.95
    assert learnt("induction-1", 150)[0] < 0.2


def test_parity_takes_the_steps_between():
    assert learnt("parity-steps", 75)[0] > 0.99
    assert learnt("tasks/parity", 50)[0] < 0.7


# The command line ---------------------------------------------------------------------------------------------------

@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path))


FAST = ["tasks/copy", "--train.steps=4", "--train.eval_every=2", "--train.batch_size=4", "--train.warmup=1"]


def test_the_command_line_tells_exact_answers(own_home, capsys):
    assert main(["train", *FAST]) == 0
    out = capsys.readouterr().out
    assert out.count("exact answers 0.0% (0 of 200 held-out questions)") == 2 and "(0 of 2,000 held-out questions)" in out
    assert "over all held-out answers (16,000 tokens)" in out and "should be" in out
    assert main(["train", *FAST, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(e["right"], e["total"]) for e in events if e["event"] == "answers"] == [(0, 200), (0, 200), (0, 2000)]
    run = events[-1]["run"]
    assert main(["eval", run]) == 0
    assert capsys.readouterr().out.startswith("exact answers 0.0% (0 of 2,000 held-out questions)\nloss 3.")
    assert main(["sample", run, "--sample.prompt", "abcdefgh="]) == 0
    assert len(capsys.readouterr().out) == 9


def test_runs_are_compared_by_exact_answers_where_there_are_some(own_home, capsys):
    ids = []
    for arguments in (FAST, ["03", "--train.steps=4", "--train.eval_every=4", "--train.eval_tokens=64", "--sample.length=0"]):
        assert main(["train", *arguments, "--json"]) == 0
        ids.append(json.loads(capsys.readouterr().out.splitlines()[-1])["run"])
    assert main(["train", *FAST, "--json"]) == 0
    ids.append(json.loads(capsys.readouterr().out.splitlines()[-1])["run"])
    assert main(["compare", ids[0], ids[1]]) == 0
    out = capsys.readouterr().out
    assert "Exact answers" in out and "Different texts" in out
    assert main(["compare", ids[0], ids[2]]) == 0
    assert "Different texts" not in capsys.readouterr().out
