"""What the commands that compare do: ablate, sweep, study, studies, compare, link, report, fork, reproduce."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gpt import compare as comparison
from gpt.arms import Arm, candidates, pick, sweep, usual
from gpt.commands import OWNER, Changes, configure, record
from gpt.config import RunConfig
from gpt.measure import BITS
from gpt.options import Refusal, walk
from gpt.presets import Preset, load, named
from gpt.results import RESTING, Results, create, results, title_of
from gpt.store import RunStore
from gpt.study import plan, seconds

if TYPE_CHECKING:
    from gpt.records import StoredRun


# Studies ----------------------------------------------------------------------------------------------------------


def ablate(arguments: Namespace, changes: Changes) -> int:
    preset = load(arguments.preset)
    config = configure(preset.config, changes)
    found = candidates(config)
    chosen = found if arguments.all else pick(found, arguments.only) if arguments.only else usual(found)
    return begin(arguments, preset, config, chosen)


def sweep_command(arguments: Namespace, changes: Changes) -> int:
    preset, known = load(arguments.preset), dict(walk(RunConfig))
    config, path = configure(preset.config, changes), arguments.over
    if path not in known:
        sweep(config, path, [])  # says that there is none
    values = [known[path].parse(value) for value in arguments.values]
    return begin(arguments, preset, config, sweep(config, path, values), path)


def begin(arguments: Namespace, preset: Preset, config: RunConfig, arms: list[Arm], path: str = "") -> int:
    """Store a study, train it, and print what it found."""
    from gpt.data import load as load_text
    from gpt.device import prepare

    prepare()
    def size(config: RunConfig) -> int:
        return load_text(config.data, config.model.block_size).tokenizer.vocab_size

    study = plan(config, arms, arguments.budget, arguments.seeds, size, path)
    store = RunStore()
    id, _ = create(store, study, owner=OWNER, preset=preset.id, title=title_of(preset, config, path))
    number = len(study.seeds)
    print(f"study {id}: the base and {len(study.arms) - 1} variants, {number} seed{'s' * (number > 1)} each, "
          f"about {max(1, seconds(study)):,.0f} s", flush=True)
    return go_on(store, id)


def study_command(arguments: Namespace, changes: Changes) -> int:
    from gpt.device import prepare

    prepare()
    store = RunStore()
    found = [study.id for study in store.studies() if study.id.startswith(arguments.study)]
    if len(found) != 1:
        raise Refusal(f"{len(found) or 'No'} studies begin with {arguments.study!r}: `python -m gpt studies` lists them all.")
    return go_on(store, found[0])


def go_on(store: RunStore, id: str) -> int:
    """Train the runs of a study that have not ended, in their order, and print what it found."""
    waiting = [run for run in reversed(store.runs(study=id)) if run.status in ("queued", *RESTING)]
    for number, run in enumerate(waiting, start=1):
        print(f"{number} of {len(waiting)}  {run.name:28}", end=" ", flush=True)
        if not train_quietly(store, run):
            print(f"\nStopped. To go on: python -m gpt study {id}", file=sys.stderr)
            return 130
        print(how_it_ended(store.run(run.id)), flush=True)
    print_results(results(store, store.study(id)))
    return 0


def how_it_ended(run: "StoredRun") -> str:
    """One that a former version began in other tokens than characters does not know bits a character."""
    if run.status == "diverged":
        return "diverged"
    known = run.measured(run.val_loss, BITS)
    return f"validation loss {run.val_loss:.4f}{'' if known is None else f', {known:.4f} bits a character'}  {run.seconds:.1f} s"


def train_quietly(store: RunStore, run: "StoredRun") -> bool:
    """Train a run to its end; whether it got there, or was stopped by Control-C."""
    from gpt.recording import Recording

    recording = Recording(store, run.id)
    try:
        for _ in recording:
            pass
    except KeyboardInterrupt:
        store.set_status(run.id, "stopped")  # from its last checkpoint it can go on
        return False
    return True


def print_results(found: Results) -> None:
    """The ranked table, and the sentence about many intervals."""
    base = found.base.effect
    loss = "unknown" if base.loss is None else f"{base.loss:.4f}"
    print(f"\n{found.title}\n{found.budget}; seeds {', '.join(map(str, found.seeds))}; the base's validation loss: {loss} "
          f"{found.unit}\n")
    task = found.base.exact is not None
    rows = [("", "difference", "95 % interval", "parameters", "time", "exact answers" if task else "", "")]
    if task:
        rows.append(("the base", "", "", "", "", f"{found.base.exact:.1%}", ""))
    for arm, row in ((arm, arm.effect) for arm in found.arms):
        name = f"{row.name} ({row.note})" if row.note else row.name
        mean = "diverged" if row.mean is None and row.diverged else "" if row.mean is None else f"{row.mean:+.4f}"
        interval = "" if row.low is None else f"{row.low:+.4f} to {row.high:+.4f}"
        size = "" if row.parameters is None else f"{row.parameters:+,}"
        exact = "" if arm.exact is None else f"{arm.exact:.1%}"
        rows.append((name, mean, interval, size, "" if row.seconds is None else f"{row.seconds:+.0%}", exact, row.verdict))
    shown = [column for column in range(6) if any(row[column] for row in rows)]
    widths = [max(len(row[column]) for row in rows) for column in shown]
    for row in rows:
        cells = (row[column].rjust(width) if column else row[column].ljust(width) for column, width in zip(shown, widths))
        print("  ".join(cells) + f"  {row[6]}".rstrip())
    if found.caution:
        print(f"\n{found.caution}")
    print(f"As a document: python -m gpt report --study {found.id} --out FILE.html")


def studies(arguments: Namespace, changes: Changes) -> int:
    store = RunStore()
    stored = store.studies()
    if not stored:
        print("No studies yet. To make one: python -m gpt ablate 09-pre-ln --train.steps 500")
    for study in stored:
        runs = store.runs(study=study.id)
        print(f"{study.id:14} {sum(run.status in ('finished', 'diverged') for run in runs):>3} of {len(runs):>3} runs  {study.title}")
    return 0


# Runs -------------------------------------------------------------------------------------------------------------


def compare(arguments: Namespace, changes: Changes) -> int:
    store = RunStore()
    print(comparison.as_text(store, [store.find(run) for run in arguments.runs]), end="")
    return 0


def link(arguments: Namespace, changes: Changes) -> int:
    from gpt.link import fragment

    store = RunStore()
    print(f"#{fragment(store, [store.run(store.find(run)) for run in dict.fromkeys(arguments.runs)])}")
    return 0


def report(arguments: Namespace, changes: Changes) -> int:
    from gpt import report as reports

    if arguments.study and arguments.runs:
        raise Refusal("Name runs or a study, not both: a study brings its own runs.")
    store = RunStore()
    found = results(store, store.study(arguments.study)) if arguments.study else None
    ids = [run.id for run in found.runs] if found else [store.find(run) for run in arguments.runs]
    stories = reports.gather(store, ids)
    title = found.title if found else " and ".join(comparison.names([story.run for story in stories])[:3])
    out = Path(arguments.out or reports.file_name(title, "html"))
    if out.suffix not in (".html", ".md") and not out.exists():
        raise Refusal(f"{out} is neither HTML nor Markdown: use --out FILE.html or FILE.md.")
    write = reports.markdown if out.suffix == ".md" else reports.page
    try:
        out.write_text(write(stories, title, found), encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{out} cannot be written: {error.strerror}. Name another file with --out.") from error
    print(out)
    return 0


def fork_command(arguments: Namespace, changes: Changes) -> int:
    store = RunStore()
    parent = store.run(store.find(arguments.run))
    kept = store.checkpoint_steps(parent.id)
    step = arguments.at if arguments.at is not None else (kept or [0])[-1]
    return train_fork(store, parent, step, configure(parent.present, changes))


def train_fork(store: RunStore, parent: "StoredRun", step: int, config: RunConfig) -> int:
    """Fork a run and train the fork."""
    from gpt.device import prepare
    from gpt.forking import fork
    from gpt.recording import Recording

    prepare()
    preset = comparison.preset_of(parent)
    id, told = fork(store, parent, step, config, owner=OWNER, preset=parent.preset, **named(config, preset.config))
    print(f"run {id} goes on from {parent.id} after step {step:,}: {len(told.carried)} kinds of weights carried over"
          + (f", new: {', '.join(told.fresh)}" if told.fresh else ""))
    return record(Recording(store, id), as_json=False)


def reproduce(arguments: Namespace, changes: Changes) -> int:
    """A run once more: from its start, or as a fork from the same step; with the changes made on the way."""
    from gpt.device import prepare
    from gpt.recording import Recording

    prepare()
    store = RunStore()
    run = store.run(store.find(arguments.run))
    preset = comparison.preset_of(run)
    about = {"owner": OWNER, "preset": run.preset, "plan": run.plan, **named(run.config, preset.config)}
    if run.parent:
        from gpt.forking import fork

        id, _ = fork(store, store.run(run.parent), run.forked_at, run.config, **about)
    else:
        id = store.create(run.config, **about)
    return record(Recording(store, id), as_json=False)


COMMANDS = {
    "ablate": ablate, "sweep": sweep_command, "study": study_command, "studies": studies, "compare": compare,
    "link": link, "report": report, "fork": fork_command, "reproduce": reproduce,
}
