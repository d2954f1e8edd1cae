"""What the browser asks to compare runs: differences, what a run's course suggests, studies and reports.

Each question takes the store and any JSON and answers with JSON, or raises Refusal. Only the asking visitor's own runs are seen.
"""

from dataclasses import asdict
from typing import Any

from gpt import compare as comparison
from gpt.changes import in_words
from gpt.config import RunConfig
from gpt.events import Changed, Eval, Event, Forked, Sample
from gpt.options import ConfigError, Refusal, get, walk
from gpt.presets import Preset, following
from gpt.records import StoredRun, StoredStudy
from gpt.results import GOING, ArmResult, Results, curves, results, title_of
from gpt.store import ACTIVE, RunStore, UnknownRun
from gpt.stories import thinned
from gpt.study import BUDGETS, MOST_RUNS, MOST_SEEDS, Study
from playground import form
from playground.asked import fields, visitor_of, whole
from playground.rows import GONE, Answer, mine, preset_of, real, references_of, works

MOST_COMPARED = 8
MOST_SAMPLES = 120  # of a run, where several are compared
COURSE = 40  # points of a course that is judged
LATEST = 200  # newest runs among which the one before is looked for


# Runs -------------------------------------------------------------------------------------------------------------


def my_runs(store: RunStore, asked: Any, most: int, least: int = 1) -> list[StoredRun]:
    """The visitor's runs that are asked about, as {"runs": [ids]}. Raises Refusal for none, too many, or another's."""
    ids = fields(asked).get("runs")
    ids = list(dict.fromkeys(id for id in ids if isinstance(id, str))) if isinstance(ids, list) else []
    if not least <= len(ids) <= most:
        raise Refusal(f"{len(ids)} runs are chosen: choose from {least} to {most}.")
    runs = [mine(store, {**fields(asked), "run": id}) for id in ids]
    if None in runs:
        raise UnknownRun("One of these runs is gone: choose others.")
    return runs


def compare(store: RunStore, asked: Any) -> Answer:
    """Two to eight runs side by side."""
    runs = my_runs(store, asked, MOST_COMPARED, least=2)
    told = [comparison.outcome(store, run) for run in runs]
    names = comparison.names(runs)
    described = [{"id": run.id, **asdict(outcome), "name": name, "colour": run.part, "tokens_per_second": outcome.speed}
                 for run, outcome, name in zip(runs, told, names)]
    samples = [written(store.events(run.id)) for run in runs]
    rows = comparison.differing([run.present for run in runs])
    return {"runs": described, "rows": [asdict(row) for row in rows], "cautions": comparison.comparable(runs), "samples": samples}


def written(events: list[tuple[int, Event]]) -> list[list[Any]]:
    """A run's samples as [step, seq, the validation loss known by then], the last among them; the text is asked for by its seq."""
    found, loss = [], None
    for seq, event in events:
        if isinstance(event, Eval):
            loss = real(event.loss)
        elif isinstance(event, Sample):
            found.append([event.step, seq, loss])
    return thinned(found, MOST_SAMPLES)


def card(store: RunStore, asked: Any) -> Answer:
    """What a run's course so far says: what is wrong, what happened, and what to try next."""
    run = mine(store, asked)
    if run is None:
        return GONE
    from gpt.diagnosis import card as end_card, findings

    events = [event for _, event in store.events(run.id)]
    answer: Answer = {
        "findings": [], "changed": [], "happened": "", "next": [], "checkpoints": store.checkpoint_steps(run.id),
        "previous": None, "parent": None, "carried": next((carried(e) for e in events if isinstance(e, Forked)), ""),
        "changes": [[e.step, in_words(e.changes)] for e in events if isinstance(e, Changed)],
    }
    if parent := run.parent and mine(store, {**fields(asked), "run": run.parent}):
        answer["parent"] = {"id": parent.id, "name": comparison.called(parent)}
    if run.vocab_size is None or not works(run):
        return answer
    history = history_of(store, run)
    answer["findings"] = [asdict(found) for found in findings(history)]
    if run.status in ACTIVE:
        return answer
    before, preset = one_before(store, run), preset_of(run)
    after = following(preset) if preset else None
    said = end_card(history, history_of(store, before) if before else None, comparison.called(before) if before else "",
                    after.id if after else "")
    nexts = [{**asdict(s), "preset": after.id if after and s.action == "preset" else None} for s in said.next]
    return {**answer, "changed": said.changed, "happened": said.happened, "next": nexts, "previous": before.id if before else None}


def carried(fork: Forked) -> str:
    """What a fork took over, in words."""
    if not fork.fresh:
        return "All weights were carried over."
    from gpt.model import part_of

    kept, new = ({part_of(name) for name in names} for names in (fork.carried, fork.fresh))
    partly = [f"a part of the {part}" if part in kept else f"the {part}" for part in sorted(new)]
    return f"New: {' and '.join(partly)}. All other weights were carried over."


def history_of(store: RunStore, run: StoredRun) -> Any:
    """A run's course, to be judged."""
    from gpt.diagnosis import History

    checks = [event for _, event in store.events(run.id) if isinstance(event, Eval)]
    course = store.points(run.id, 0, max(1, run.step // COURSE), COURSE + 1)
    end = store.finished(run.id) if run.status == "finished" else None
    return History(
        config=run.present, preset_id=run.preset, step=run.step, status=run.status, evals=[(e.step, e.loss) for e in checks],
        train=[(step, loss) for step, loss, _ in course], vocab_size=run.vocab_size, unigram=run.unigram, bigram=run.bigram,
        parameters=run.parameters or 0, train_tokens=run.train_tokens, final=end.val_loss if end else None,
        characters=run.characters)


def one_before(store: RunStore, run: StoredRun) -> StoredRun | None:
    """The visitor's run before this one that has ended, studies aside."""
    known = store.runs(run.owner, LATEST)
    return next((other for other in known if other.created < run.created and other.study is None and works(other)
                 and other.status in ("finished", "stopped", "diverged") and other.vocab_size is not None), None)


def report(store: RunStore, asked: Any) -> Answer:
    """Runs, or a study and its runs, as one document: {"name", "text"}."""
    from gpt import report as reports

    stored = study_of_visitor(store, asked)
    found = results(store, stored) if stored else None
    runs = found.runs if found else my_runs(store, asked, reports.MOST_RUNS)
    as_markdown = fields(asked).get("format") == "md"
    title = found.title if found else f"{len(runs)} runs" if len(runs) > 1 else comparison.called(runs[0])
    write = reports.markdown if as_markdown else reports.page
    text = write(reports.gather(store, [run.id for run in runs]), title, found)
    return {"name": reports.file_name(title, "md" if as_markdown else "html"), "text": text}


# Studies ----------------------------------------------------------------------------------------------------------


def arms(store: RunStore, asked: Any) -> Answer:
    """What an ablation or a sweep of the form's config can vary."""
    from gpt.arms import candidates, suggested, sweepable, usual
    from gpt.estimate import seconds

    _, config = form.config_of(asked)
    known, found = dict(walk(RunConfig)), candidates(config)
    ticked = {arm.key for arm in usual(found)}
    numbers = [{"path": path, "label": known[path].label, "term": known[path].term, "part": known[path].part,
                "group": known[path].group, "values": values, "now": get(config, path)}
               for path in sweepable(config) if len(values := suggested(config, path)) > 1]  # of one head no part can be shared
    return {"problems": [], "sweeps": numbers, "budgets": list(BUDGETS.items()), "seconds": seconds(config),
            "most_seeds": MOST_SEEDS, "most_runs": MOST_RUNS,
            "arms": [{"key": a.key, "name": a.name, "kind": a.kind, "part": a.part, "ticked": a.key in ticked} for a in found]}


def plan(store: RunStore, asked: Any) -> Answer:
    """What a study would train, and about how long that takes; problems in words."""
    from gpt.study import seconds

    try:
        _, study, _ = study_of(asked)
    except ConfigError as error:
        return {"problems": error.problems, "runs": 0, "seconds": None, "arms": []}
    except Refusal as error:
        return {"problems": [str(error)], "runs": 0, "seconds": None, "arms": []}
    return {"problems": [], "runs": len(study.arms) * len(study.seeds), "seconds": seconds(study),
            "arms": [{"name": arm.name, "note": arm.note} for arm in study.arms]}


def study_of(asked: Any) -> tuple[Preset, Study, str]:
    """The preset, the study that is asked for, and its title. Raises ConfigError or TextError."""
    from gpt import study as studying
    from gpt.arms import candidates, sweep
    from playground.questions import reading

    preset, config = form.config_of(asked)
    told, swept = fields(asked), fields(fields(asked).get("sweep"))
    path, budget = str(swept.get("path", "")), str(told.get("budget", "steps"))
    if swept:
        values = swept.get("values")
        chosen = sweep(config, path, values if isinstance(values, list) else [])
    else:
        keys = told.get("arms") if isinstance(told.get("arms"), list) else []
        chosen = [arm for arm in candidates(config) if arm.key in keys]
    study = studying.plan(config, chosen, budget, whole(asked, "seeds", 1), lambda config: reading(config)["vocab_size"], path)
    return preset, study, title_of(preset, config, path)


def study_of_visitor(store: RunStore, asked: Any) -> StoredStudy | None:
    """The visitor's study that is asked about, as {"study": id}; None if there is none."""
    visitor, id = visitor_of(asked), fields(asked).get("study")
    return next((study for study in store.studies(visitor) if study.id == id), None) if visitor else None


def studies(store: RunStore, asked: Any) -> Answer:
    """The visitor's studies, the newest first."""
    visitor = visitor_of(asked)
    listed = []
    for stored in store.studies(visitor) if visitor else []:
        about, runs = Study.from_json(stored.about), store.runs(study=stored.id)
        if not runs:  # all deleted
            continue
        listed.append({
            "id": stored.id, "title": stored.title, "kind": about.kind, "budget": about.budget, "seeds": len(about.seeds),
            "arms": len(about.arms), "runs": len(runs), "done": sum(run.status in ("finished", "diverged") for run in runs),
            "created": stored.created, "going": any(run.status in GOING for run in runs)})
    return {"studies": listed}


def study(store: RunStore, asked: Any) -> Answer:
    """A study and what it has found so far."""
    stored = study_of_visitor(store, asked)
    if stored is None:
        return GONE
    found = results(store, stored)
    known = next((run for run in found.runs if run.vocab_size is not None), None)
    preset = preset_of(found.runs[0]) if found.runs else None
    base = found.study.arms[found.study.base]
    return {
        "id": found.id, "title": found.title, "kind": found.study.kind, "path": found.study.path, "label": found.label,
        "budget": found.budget, "seeds": list(found.seeds), "runs": len(found.runs), "done": found.done, "going": found.going,
        "resumable": found.resumable,
        "caution": found.caution, "left": left(found), **(form.value_of(base.config, preset) if preset else {}),
        "base": arm_row(store, found.base, base, preset, found.unit),
        "rows": [arm_row(store, arm, planned(found, arm), preset, found.unit) for arm in found.arms],
        "unit": found.unit, "references": [[words, known.measured(loss, found.unit)] for words, loss in references_of(known)] if known else []}


def planned(found: Results, arm: ArmResult) -> Any:
    """The plan of an arm."""
    return next(planned for planned in found.study.arms if planned.name == arm.effect.name)


def arm_row(store: RunStore, arm: ArmResult, planned: Any, preset: Preset | None, unit: str) -> Answer:
    """An arm, its effect, and its curves over the seeds."""
    from gpt.effects import mean_and_band

    each = curves(store, arm.runs, unit)
    steps, mean, low, high = mean_and_band(each)
    thinned = [[real(loss) for loss in values] for values in (mean, low, high)]
    sizes = [run.parameters for run in arm.runs if run.parameters]
    told = asdict(arm.effect)
    told["seconds"] = told["seconds"] if arm.effect.kind != "base" else least_seconds(arm)
    told["parameters"] = told["parameters"] if arm.effect.kind != "base" else (sizes[0] if sizes else None)
    if arm.exact is not None:
        told["exact"] = round(arm.exact, 4)
    return {**told, "runs": [run.id for run in arm.runs], "status": arm.status,
            "changes": form.value_of(planned.config, preset)["changes"] if preset else {},
            "curve": {"steps": steps, "mean": thinned[0], "low": thinned[1], "high": thinned[2],
                      "seeds": [[[step, real(loss)] for step, loss in curve] for curve in each]}}


def least_seconds(arm: ArmResult) -> float | None:
    """Of training, in the seed least disturbed."""
    return min((run.seconds for run in arm.runs if run.status == "finished"), default=None)


def left(found: Results) -> float | None:
    """About how many seconds a study still takes; None before any of its runs has ended."""
    done = [run.seconds for run in found.runs if run.status == "finished"]
    return sum(done) / len(done) * (len(found.runs) - found.done) if done and found.going else None


QUESTIONS = (compare, card, report, arms, plan, studies, study)
