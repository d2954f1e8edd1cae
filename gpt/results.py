"""A study in the store, and what it has found so far: for the page, the command line and reports. No torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, median

from gpt.config import RunConfig
from gpt.effects import Effect, Outcome, caution, effect, ranked
from gpt.events import Eval
from gpt.measure import BITS, NATS, unit_of
from gpt.options import get, replace, walk
from gpt.presets import Preset, named
from gpt.records import StoredRun, StoredStudy
from gpt.store import RunStore
from gpt.study import BUDGETS, Study

AWAY = 1.0  # nats above guessing
STRETCHES = 25  # of a run, whose pace is looked at
GOING, RESTING = ("queued", "running"), ("paused", "stopped", "interrupted")  # what a run's status says of a study
Curve = list[tuple[int, float]]  # (step, validation loss)


def create(store: RunStore, study: Study, *, owner: str, preset: str, title: str) -> tuple[str, list[str]]:
    """Stores a study and all its runs, queued; returns its id and theirs, in the order in which they are to be trained."""
    id, runs = store.create_study(owner=owner, title=title, about=study.to_json()), []
    for arm, seed, config in study.configs():
        labels = [study.arms[arm].name, *[f"seed {seed}"] * (len(study.seeds) > 1)]
        runs.append(store.create(config, owner=owner, preset=preset, study=id, arm=arm, part=study.arms[arm].part, labels=labels))
    return id, runs


def title_of(preset: Preset, config: RunConfig, path: str) -> str:
    """What a study of `config` is called; how long it trains goes without saying."""
    plain = replace(config, {name: get(preset.config, name) for name in ("train.steps", "train.eval_every", "train.warmup")})
    what = dict(walk(RunConfig))[path].label if path else "what each part is worth"
    return f"{' '.join([preset.title, *named(plain, preset.config)['labels']])}: {what}"


@dataclass(frozen=True)
class ArmResult:
    """One arm: what it was worth, and its runs in the order of their seeds."""

    effect: Effect
    runs: list[StoredRun]

    @property
    def exact(self) -> float | None:
        """Of a task, the share of exact answers, the mean over the seeds that have ended."""
        known = [run.exact for run in self.runs if run.status == "finished" and run.exact is not None]
        return fmean(known) if known else None

    @property
    def status(self) -> str:
        """"waiting", "training", "done", or "stopped" where some runs will not end by themselves."""
        statuses = {run.status for run in self.runs}
        if "running" in statuses or {"queued", "finished"} <= statuses:
            return "training"
        return "waiting" if "queued" in statuses else "done" if statuses <= {"finished", "diverged"} else "stopped"


@dataclass(frozen=True)
class Results:
    """A study and what came of it: what a report draws, too."""

    id: str
    title: str
    study: Study
    base: ArmResult
    arms: list[ArmResult]  # the others, the largest harm first; a sweep's in the order of their values

    @property
    def going(self) -> bool:
        """Whether some of its runs train or wait for their turn."""
        return any(run.status in GOING for run in self.runs)

    @property
    def resumable(self) -> bool:
        """Whether it stands still with runs that have not ended."""
        return not self.going and any(run.status in RESTING for run in self.runs)

    @property
    def runs(self) -> list[StoredRun]:
        return [run for arm in (self.base, *self.arms) for run in arm.runs]

    @property
    def done(self) -> int:
        return sum(run.status in ("finished", "diverged") for run in self.runs)

    @property
    def rows(self) -> list[Effect]:
        return [arm.effect for arm in self.arms]

    @property
    def caution(self) -> str:
        early = "Runs are still to come: whoever looks early and often sees effects that are none. " * (self.going and self.done > 0)
        cut = ("Losses are bits a character, since arms cut the text in different ways: where tokens are longer, the same "
               "context and number of tokens hold more text. ") * (self.unit == BITS)
        return (early + cut + caution(self.rows)).strip()

    @property
    def seeds(self) -> Sequence[int]:
        return self.study.seeds

    @property
    def budget(self) -> str:
        """In words, with its size: "the same number of steps: 1,000"."""
        base = self.study.arms[self.study.base].config
        sizes = {"steps": f"{base.train.steps:,}", "tokens": f"{base.train.steps * base.tokens_per_step:,}"}
        return BUDGETS[self.study.budget] + (f": {sizes[self.study.budget]}" if self.study.budget in sizes else "")

    @property
    def unit(self) -> str:
        """Of its losses: bits a character where arms cut the text in different ways."""
        return unit_of(arm.options for arm in self.study.arms)

    @property
    def label(self) -> str:
        """The option that a sweep varies, in words."""
        return dict(walk(RunConfig))[self.study.path].label if self.study.path else ""


def results(store: RunStore, stored: StoredStudy) -> Results:
    """What `stored` has found by now; runs that were deleted are left out."""
    study = Study.from_json(stored.about)
    arms: list[list[StoredRun]] = [[] for _ in study.arms]
    for run in reversed(store.runs(study=stored.id)):
        arms[run.arm].append(run)
    unit = unit_of(arm.options for arm in study.arms)
    base = outcomes(store, arms[study.base], unit)
    found = {index: ArmResult(effect(planned, base, outcomes(store, arms[index], unit)), arms[index])
             for index, planned in enumerate(study.arms)}
    others = [result for index, result in found.items() if index != study.base]
    if study.kind == "ablation":
        place = {id(row): at for at, row in enumerate(ranked([result.effect for result in others]))}
        others.sort(key=lambda result: place[id(result.effect)])
    return Results(stored.id, stored.title, study, found[study.base], others)


def outcomes(store: RunStore, runs: Sequence[StoredRun], unit: str) -> list[Outcome]:
    """How those that have ended did, with losses in `unit`. The loss of one that diverged, or ended far above guessing, is no number: how far it
    ran away measures nothing."""
    return [Outcome(int(run.options["train.seed"]), math.nan if ran_away(run) else run.measured(run.val_loss, unit), run.parameters or 0,
                    usual_seconds(store, run.id, run.step))
            for run in runs if run.status in ("finished", "diverged")]


def ran_away(run: StoredRun) -> bool:
    """Whether a run that has ended did so without learning anything."""
    return run.status == "diverged" or run.val_loss is None or not run.val_loss < math.log(run.vocab_size or 1) + AWAY


@lru_cache(maxsize=4096)
def usual_seconds(store: RunStore, run: str, steps: int) -> float:
    """What training takes at the run's usual pace: other work on the machine holds up some of its steps, not most."""
    stride = max(1, steps // STRETCHES)
    ends = [0.0, *(seconds for _, _, seconds in store.points(run, 0, stride, STRETCHES + 1))]
    paces = [(end - start) / stride for start, end in zip(ends, ends[1:])]
    return median(paces) * steps if paces else 0.0


def curves(store: RunStore, runs: Sequence[StoredRun], unit: str = NATS) -> list[Curve]:
    """The validation losses of each run that has some, in `unit`."""
    found = ([(e.step, run.measured(e.loss, unit)) for _, e in store.events(run.id) if isinstance(e, Eval) and math.isfinite(e.loss)]
             for run in runs)
    return [curve for curve in found if curve]
