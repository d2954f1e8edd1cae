"""The page's work for programs: typed endpoints, which `gradio_client` and the page /?view=api describe.

    client = gradio_client.Client("http://127.0.0.1:7860")
    started = client.predict("06-residual", {"train.steps": 500}, "", api_name="/start")

A visitor's key says whose runs these are; an empty one makes a new one, which is in the answer. Refusals are raised as
errors in words.
"""

import functools
import inspect
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from gpt.config import RunConfig
from gpt.events import to_dict
from gpt.options import Refusal, replace
from gpt.presets import list_presets, load, named
from gpt.store import RunStore
from playground import comparing, form
from playground.actions import one
from playground.asked import sendable, visitor_of, whole
from playground.rows import GONE, row
from playground.scheduler import Scheduler

EVENTS, STEPS = 200, 2000  # most in one answer
LETTERS_AT_ONCE = 40  # of a sample


def add_endpoints(store: RunStore, scheduler: Scheduler) -> None:
    """Adds the endpoints to the page that is being built."""
    for endpoint in (*about_runs(store, scheduler), *about_comparisons(store, scheduler)):
        gr.api(worded(endpoint), api_name=endpoint.__name__, concurrency_limit=4 if endpoint.__name__ == "sample" else None)


def about_runs(store: RunStore, scheduler: Scheduler) -> tuple[Callable[..., Any], ...]:
    """Endpoints that train runs and tell of them."""

    def presets() -> list[str]:
        """The presets' names, in the order of the ladder."""
        return [preset.id for preset in list_presets()]

    def start(preset: str, changes: dict, visitor: str = "") -> dict:
        """Queue a run of a preset ("06-residual") with options changed ({"train.steps": 500}).

        Returns {"run": its id, "visitor": the key that was given or made}.
        """
        owner, base = key(visitor), load(preset)
        config = replace(base.config, form.changes_of({"changes": changes}))
        run = scheduler.submit(config, owner=owner, preset=base.id, **named(config, base.config))
        return {"run": run, "visitor": owner}

    def events(run: str, visitor: str, after: int = 0, seq: int = 0) -> dict:
        """What is new of a run since the cursors: steps after `after` as [step, loss, seconds], other events after `seq`.

        Returns {"status", "step", "steps", "events", "after", "seq"}: the last two are the next cursors.
        """
        found = one(store, {"visitor": visitor, "run": run})
        after, seq = (whole({"cursor": cursor}, "cursor") for cursor in (after, seq))
        steps, others = store.points(run, after, 1, STEPS), store.events(run, seq, EVENTS)
        return {"status": found.status, "step": found.step, "steps": [list(point) for point in steps],
                "events": [to_dict(event) for _, event in others], "after": steps[-1][0] if steps else after,
                "seq": others[-1][0] if others else seq}

    def sample(run: str, visitor: str, prompt: str = "", length: int = 200, temperature: float = 0.8, seed: int = 1) -> Iterator[str]:
        """What a run writes after a prompt, growing; also while it trains."""
        one(store, {"visitor": visitor, "run": run})
        wanted = {"prompt": prompt, "length": length, "temperature": temperature, "seed": seed}
        cfg, text, shown = replace(RunConfig(), {f"sample.{name}": value for name, value in wanted.items()}).sample, prompt, 0
        for piece in scheduler.sample(run, cfg):
            text += piece
            if len(text) - shown > LETTERS_AT_ONCE:
                shown = len(text)
                yield text
        yield text

    def stop(run: str, visitor: str) -> dict:
        """End a run where it is."""
        scheduler.stop(one(store, {"visitor": visitor, "run": run}).id)
        return {"run": run}

    def runs(visitor: str) -> list[dict]:
        """The visitor's runs, the newest first."""
        return [row(run) for run in store.runs(key(visitor, made=False))]

    return presets, start, events, sample, stop, runs


def about_comparisons(store: RunStore, scheduler: Scheduler) -> tuple[Callable[..., Any], ...]:
    """Endpoints that set runs beside each other, and make studies."""

    def compare(runs: list[str], visitor: str) -> dict:
        """Two to eight runs side by side: the options that differ, how each did, and what to keep in mind."""
        return without_paths(comparing.compare(store, {"visitor": visitor, "runs": runs}))

    def ablate(preset: str, changes: dict, arms: list[str], seeds: int = 3, budget: str = "steps", visitor: str = "") -> dict:
        """Queue a preset and the named arms of it ("-residual", "RMSNorm"; none: all parts that can be left out), each with
        `seeds` seeds and the same budget: steps, tokens, seconds, flops or parameters. Returns {"study", "visitor"}."""
        from gpt.arms import candidates, pick, usual

        owner, base = key(visitor), load(preset)
        found = candidates(replace(base.config, changes))
        chosen = pick(found, arms) if arms else usual(found)
        asked = {"preset": base.id, "changes": changes, "arms": [arm.key for arm in chosen], "seeds": seeds, "budget": budget}
        _, planned, title = comparing.study_of(asked)
        return {"study": scheduler.submit_study(planned, owner=owner, preset=base.id, title=title), "visitor": owner}

    def study(study: str, visitor: str) -> dict:
        """What a study has found so far: the ranked arms with their differences, intervals and verdicts."""
        found = comparing.study(store, {"visitor": visitor, "study": study})
        if found == GONE:
            raise Refusal("There is no such study of this visitor's.")
        return without_paths(found)

    return compare, ablate, study


def without_paths(answer: Any) -> Any:
    """The answer with each "path" called "option": Gradio's client takes what has a path for a file, and fetches it."""
    if isinstance(answer, dict):
        return {"option" if name == "path" else name: without_paths(value) for name, value in answer.items()}
    return [without_paths(value) for value in answer] if isinstance(answer, list) else answer


def key(visitor: str, made: bool = True) -> str:
    """A visitor's key; a new one for an empty one. Raises Refusal for what the page did not give out."""
    if known := visitor_of({"visitor": visitor}):
        return known
    if visitor or not made:
        raise Refusal("That is no visitor's key: use the one that `start` or `ablate` gave, or \"\" for a new one.")
    return secrets.token_urlsafe(16)


def worded(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint, its refusals as errors that the client shows, its answers plain JSON."""
    if inspect.isgeneratorfunction(endpoint):
        @functools.wraps(endpoint)
        def growing(*given: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from map(sendable, endpoint(*given, **named))
            except Refusal as error:
                raise gr.Error(str(error), print_exception=False) from error
        return growing

    @functools.wraps(endpoint)
    def whole(*given: Any, **named: Any) -> Any:
        try:
            return sendable(endpoint(*given, **named))
        except Refusal as error:
            raise gr.Error(str(error), print_exception=False) from error
    return whole
