"""What the browser asks: the check of a form, the growth of a run, earlier curves, samples. Plain reads of the store.

Each question takes any JSON and answers with JSON; a run that is not the asking visitor's is "gone". They are direct
requests, not queued events. No torch is imported before the first `check`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gpt.changes import marked
from gpt.config import RunConfig
from gpt.events import Answers, Eval, Event, Health, Sample
from gpt.home import home
from gpt.measure import BITS, bits
from gpt.options import ConfigError, Refusal, shorten
from gpt.records import StoredRun
from gpt.store import RunStore
from gpt.stories import thinned
from gpt.tasks import held_out_question
from playground import bringing, coding, comparing, evolving, form, healthy, inspecting, lessons, pairing, plots, sharing
from playground.asked import fields, moment, sendable, visitor_of, whole
from playground.rows import (GONE, LETTERS, MOST_STEPS, Answer, mine, more_steps, origin, preset_of, real, references_of, row,
                             total_of, works)
from playground.scheduler import Scheduler
from playground.verdicts import Verdicts, task_verdicts, verdict, verdicts

EVENTS = 40  # most evaluations and samples in one answer
RECENT = 32  # steps whose mean loss is put into words
EARLIER = 120  # most points of an earlier run's curve
LISTED = 2000  # newest runs of a visitor that the page lists
CUT = 120  # letters of a text whose tokens are shown
PROMPT = 24  # letters of a prompt beside the samples

if TYPE_CHECKING:
    from gpt.data import Dataset

QUESTIONS = (*comparing.QUESTIONS, *sharing.QUESTIONS, coding.script, bringing.weights, healthy.health, pairing.pairs,
             lessons.reveal)

Question = Callable[[Any], Answer]


@dataclass(frozen=True)
class Questions:
    """The functions the browser calls on the server, by the region that asks."""

    check: Question  # the form
    poll: Question  # the chart, several times a second
    curve: Question
    settings: Question
    writing: Question
    answers: Question
    table: Question
    runs: Question  # lists and comparisons
    compare: Question
    card: Question
    arms: Question  # studies
    plan: Question
    studies: Question
    study: Question
    report: Question
    health: Question  # how the signals of a run fare
    script: Question  # code and weights
    weights: Question
    link: Question
    look: Question  # the inside of a model
    knock_out: Question
    embeddings: Question  # the same through its training
    belief: Question
    pairs: Question  # parts taken out, and runs without them
    writes: Question
    lesson: Question  # the ladder as lessons
    reveal: Question


def questions(store: RunStore, scheduler: Scheduler) -> Questions:
    """The questions about what is in `store`."""

    def about_mine(answer: Callable[[StoredRun, Any], Answer]) -> Question:
        def question(asked: Any) -> Answer:
            run = mine(store, asked)
            return sendable(answer(run, asked)) if run else GONE
        question.__name__ = answer.__name__
        return question

    @about_mine
    def poll(run: StoredRun, asked: Any) -> Answer:
        return grown(store, scheduler, run, asked)

    @about_mine
    def curve(run: StoredRun, asked: Any) -> Answer:
        return whole_curve(store, run)

    @about_mine
    def settings(run: StoredRun, asked: Any) -> Answer:
        return origin(run) or GONE

    @about_mine
    def writing(run: StoredRun, asked: Any) -> Answer:
        told = store.event(run.id, whole(asked, "seq"))
        return {"step": told.step, "prompt": told.prompt, "text": told.text} if isinstance(told, Sample) else GONE

    @about_mine
    def answers(run: StoredRun, asked: Any) -> Answer:
        told = store.event(run.id, whole(asked, "seq"))
        if not isinstance(told, Answers):
            return GONE
        return {"step": told.step, "right": told.right, "total": told.total, "wrong": told.wrong}

    @about_mine
    def table(run: StoredRun, asked: Any) -> Answer:
        return {"csv": "".join(store.csv(run.id))}

    def runs(asked: Any) -> Answer:
        visitor, since = visitor_of(asked), whole(asked, "since")
        if visitor is None:
            return {"runs": [], "touched": 0, "done": []}
        known = store.runs(visitor, LISTED, since=since)
        return sendable({"runs": [row(run) for run in known], "done": store.finished_presets(visitor),
                         "touched": max((run.touched for run in known), default=since)})

    about_store = {question.__name__: refusing(store, question) for question in QUESTIONS}
    about_models = {question.__name__: refusing(store, partial(question, scheduler))
                    for question in (*inspecting.QUESTIONS, *evolving.QUESTIONS, *pairing.QUESTIONS)}
    return Questions(check=check, poll=poll, curve=curve, settings=settings, writing=writing, answers=answers, table=table,
                     runs=runs, lesson=lessons.lesson, **about_store, **about_models)


def refusing(store: RunStore, question: Callable[[RunStore, Any], Answer]) -> Question:
    """A question about the store that answers {"refused": why} where it cannot be answered."""

    def answer(asked: Any) -> Answer:
        try:
            return sendable(question(store, asked))
        except Refusal as error:
            return sendable({"refused": shorten(str(error), 4 * LETTERS)})

    return answer


# The form ---------------------------------------------------------------------------------------------------------


def check(asked: Any) -> Answer:
    """What a form's value would train: problems in words, parameters by component, seconds, schedule, references ...

    `unreadable` repeats the problem with the prompt, which stands elsewhere on the page.
    """
    answer: Answer = {"problems": [], "unreadable": "", "parameters": None, "parts": {}, "pieces": {}, "seconds": None,
                      "recipe": "", "references": [], "bits": None, "cut": None, "schedule": None}
    try:
        preset, config = form.config_of(asked)
        answer["schedule"] = plots.schedule(config.train)  # also where its text or its prompt cannot be read
        answer |= {"recipe": form.recipe_of(config, preset)} | sized(config)
    except ConfigError as error:
        answer["problems"] = error.problems
    except Refusal as error:
        answer["problems"] = [str(error)]
    answer["problems"] = [shorten(problem, 2 * LETTERS) for problem in answer["problems"]]
    return sendable(answer)


def sized(config: RunConfig) -> Answer:
    """What a config would train, and all that would make it fail later. Raises ConfigError or TextError."""
    from gpt.device import choose_device
    from gpt.estimate import seconds
    from gpt.model import count_parameters
    from gpt.pieces import count_pieces

    read = reading(config)
    vocab_size, wrong = read["vocab_size"], [read["unreadable"]] if read["unreadable"] else []
    try:
        choose_device(config.train.device)
    except ConfigError as error:
        wrong += error.problems
    if too_much := config.problems(vocab_size):
        return {"problems": wrong + too_much}  # counting a model that does not fit could take long
    parts, pieces = count_parameters(config.model, vocab_size), count_pieces(config.model, vocab_size)
    return {**read, "problems": wrong, "seconds": seconds(config), "parts": parts, "pieces": pieces, "parameters": parts["total"]}


def reading(config: RunConfig) -> Answer:
    """What a curve over the config's text can beat, and why its prompt cannot be read in it, if so. Raises TextError.

    A text that would first be downloaded is left alone: looking at a form must not do that.
    """
    from gpt.data import load as load_text
    from gpt.estimate import vocabulary
    from gpt.run import encode_prompt
    from gpt.tokenizers import TextError

    if config.data.dataset == "tinyshakespeare" and not (home() / "texts" / "tinyshakespeare.txt").exists():
        return {"references": [], "bits": None, "cut": None, "vocab_size": vocabulary(config), "unreadable": ""}
    text = load_text(config.data, config.model.block_size)
    try:
        unreadable, _ = "", encode_prompt(text.tokenizer, config.sample.prompt)
    except TextError as error:
        unreadable = str(error)
    return {"references": plots.references(text.tokenizer.vocab_size, text.unigram, text.bigram, text.tokenizer.kind),
            "bits": bits(1.0, text.characters), "cut": cut(text), "vocab_size": text.tokenizer.vocab_size, "unreadable": unreadable}


def cut(text: "Dataset") -> Answer:
    """How a text is cut: its first tokens as they can be shown, how many there are, and the characters each holds."""
    first, letters = [], 0
    for token in text.train[:CUT].tolist():
        first.append(inspecting.label(text.tokenizer, token))
        letters += len(first[-1])
        if letters >= CUT:
            break
    tokens = len(text.train) + len(text.val)
    return {"first": first, "tokens": tokens, "characters": round(text.characters, 3)}


# A run ------------------------------------------------------------------------------------------------------------


def grown(store: RunStore, scheduler: Scheduler, run: StoredRun, asked: Any) -> Answer:
    """What is new of a run since the browser's cursors `after` (step) and `seq` (event): under 2 kB."""
    after, seq = whole(asked, "after"), whole(asked, "seq")
    head = bool(fields(asked).get("head")) and run.vocab_size is not None
    stride = whole(asked, "stride", plots.stride_for(total_of(run)), low=1, high=MOST_STEPS)
    if after > run.step:  # it was resumed from an older checkpoint: begin again
        return {"status": run.status, "run": run.id, "again": True}
    limit = plots.POINTS // 3 if head or run.message else plots.POINTS  # these need room, each its own
    points = store.points(run.id, after, stride, limit)
    most = EVENTS // 4 if points else EVENTS
    events = store.events(run.id, seq, most)
    return {
        "run": run.id, "status": run.status, "message": "" if head else shorten(run.message, LETTERS),
        "place": scheduler.place(run.id), "step": run.step, "total": total_of(run), "extend": more_steps(run),
        "sharing": scheduler.active(), "stride": stride, "from": after,
        **plots.delta(points, moment(asked, "seconds")), **news(events, seq),
        "more": len(points) == limit or len(events) == most, "words": words(store, run),
        **({"head": beginning(run)} if head else {}),
    }


def news(events: list[tuple[int, Event]], seq: int) -> Answer:
    """Evaluations as [step, loss, seconds], samples as [step, seq], whose texts are asked for when shown, and marks; of a
    task, exact answers as [step, right, total, seq].

    `measured` is the seq of the last measurement of the signals among them, if there is one; it is asked for by `health`.
    """
    measured = [n for n, e in events if isinstance(e, Health)]
    exact = [[e.step, e.right, e.total, n] for n, e in events if isinstance(e, Answers)]
    return {
        **({"answers": exact} if exact else {}),
        "evals": [[e.step, real(e.loss), round(e.seconds, 2)] for _, e in events if isinstance(e, Eval)],
        "samples": [[e.step, n] for n, e in events if isinstance(e, Sample)],
        "marks": marked([event for _, event in events]),
        "seq": events[-1][0] if events else seq,
        **({"measured": measured[-1]} if measured else {}),
    }


def beginning(run: StoredRun) -> Answer:
    """What stays the same while a run goes: sent once."""
    preset, table = preset_of(run), verdicts_of(run)
    return {
        **row(run), "recipe": form.recipe_of(run.present, preset) if preset and works(run) else "",
        "device": run.device, "dataset": run.options.get("data.dataset"),
        "prompt": shorten(str(run.options.get("sample.prompt", "")).strip(), PROMPT), "verdicts": table,
        "references": references_of(run), **asking(run),
    }


def asking(run: StoredRun) -> Answer:
    """Of a task: a question that it does not learn, for whoever has none."""
    if not works(run) or not (data := run.config.data).asks:
        return {}
    return {"question": held_out_question(data.dataset, data.size, data.val_fraction)}


def verdicts_of(run: StoredRun) -> Verdicts:
    """The words for losses of a run that has begun."""
    if run.exact is not None:
        return task_verdicts(run.vocab_size, run.unigram, run.bigram)
    return verdicts(run.vocab_size, run.unigram, run.bigram, run.options.get("data.tokenizer", "char"))


def whole_curve(store: RunStore, run: StoredRun) -> Answer:
    """A run's curve in few points, its checks, and what happened on the way."""
    stride = max(1, -(-run.step // EARLIER))
    points, events = store.points(run.id, 0, stride, EARLIER), [event for _, event in store.events(run.id)]
    checks = thinned([event for event in events if isinstance(event, Eval)], EARLIER)
    return {**row(run), "steps": [p[0] for p in points], "loss": [real(p[1]) for p in points],
            "seconds": [round(p[2], 2) for p in points], "marks": marked(events),
            "evals": [[e.step, real(e.loss), round(e.seconds, 2)] for e in checks]}


def words(store: RunStore, run: StoredRun) -> str:
    """The present loss in words: the mean of the last steps, or the validation loss before any; and the final one."""
    if run.vocab_size is None:
        return ""
    recent = [loss for _, loss, _ in store.points(run.id, max(0, run.step - RECENT), 1, RECENT)]
    loss = sum(recent) / len(recent) if recent else run.val_loss
    said = "" if loss is None else verdict(loss, verdicts_of(run))
    end = store.finished(run.id) if run.status == "finished" else None
    if run.exact is not None:
        return f"{100 * run.exact:.1f} % exact · {said}" + (f" · {end.val_loss:.3f}" if end else "")
    if not end or not end.val_tokens:
        return said
    known = run.measured(end.val_loss, BITS) if run.characters != 1 else None
    if known is not None:
        return f"{said} · {end.val_loss:.3f} held out, {known:.3f} bits a character"
    return f"{said} · {end.val_loss:.3f} on all {end.val_tokens:,} held-out tokens"
