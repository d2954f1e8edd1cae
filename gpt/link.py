"""A link that shows what came of up to four runs to anybody, with nothing behind it: all it shows stands in its address.

    #result=1.<base64url of raw DEFLATE of JSON>

"1" is the version. The JSON is {"runs": [run, ...]}; static/result_text.js reads it, and trusts none of it. A run has

    preset, changes, name, status, step, parameters
    text      {"print": the first letters of its SHA-256, "vocab", "unigram", "bigram"}: what a loss can be compared with;
              "bits": what a nat a token is in bits a character, or null
    curve     {"every": steps a point stands for, "loss": means of the training loss}
    checks    {"step", "loss"}: on held-out text; `best` is the lowest as [step, loss], `final` that of the whole split
    marks     [[step, words], ...]: what was changed on the way
    sample    {"step", "prompt", "text"}: the last one, cut

The losses of `curve` and `checks` are thousandths of a nat, each as what is added to the one before; so are the steps of
checks. null is no number. A text of its author's own never travels: only that it was one. No torch here.
"""

import base64
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from gpt.changes import marked
from gpt.compare import Outcome, names, outcome_of, preset_of
from gpt.events import Eval, Event, Sample
from gpt.options import Refusal, difference, shorten
from gpt.store import RunStore, StoredRun
from gpt.stories import thinned

VERSION = 1
MOST_RUNS = 4
LONGEST = 8000  # characters: longer addresses are cut by some programs that pass them on
POINTS, CHECKS, MARKS = 72, 60, 12  # at most
NAME, WORDS, PROMPT, SAMPLE = 60, 60, 80, 300  # letters
PRINT = 8  # of a text's SHA-256
LARGEST = 1000.0  # nats: a loss beyond that says no more than that it ran away


def fragment(store: RunStore, runs: Sequence[StoredRun]) -> str:
    """The part of a link after its "#". Raises Refusal for none, too many, runs that have not begun, and a link too long."""
    if not 1 <= len(runs) <= MOST_RUNS:
        raise Refusal(f"A result link holds 1 to {MOST_RUNS} runs, and {len(runs)} are chosen.")
    told = json.dumps({"runs": [_told(store, run, name) for run, name in zip(runs, names(runs), strict=True)]},
                      ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(told.encode("utf-8", "replace")) + packer.flush()
    link = f"result={VERSION}.{base64.urlsafe_b64encode(packed).decode().rstrip('=')}"
    if len(link) > LONGEST:
        raise Refusal(f"The link would have {len(link):,} characters, and addresses of more than {LONGEST:,} are often cut: "
                      "choose fewer runs, or runs with a shorter prompt.")
    return link


def _told(store: RunStore, run: StoredRun, name: str) -> dict[str, Any]:
    if run.vocab_size is None:
        raise Refusal(f"{name} has not begun: there is no result to share yet.")
    events, preset, every = [event for _, event in store.events(run.id)], preset_of(run), max(1, -(-run.step // POINTS))
    outcome = outcome_of(run, events)
    points = store.points(run.id, 0, every, POINTS)
    return {
        "preset": preset.id, "changes": _changes(run), "name": shorten(name, NAME), "status": run.status, "step": run.step,
        "parameters": run.parameters, "text": _text(run),
        "curve": {"every": every, "loss": _steps_between(map(_thousandths, (loss for _, loss, _ in points)))},
        **_checked(events, outcome), "marks": [[step, shorten(words, WORDS)] for step, words in marked(events)[:MARKS]],
        "sample": _sample(events),
    }


def _text(run: StoredRun) -> dict[str, Any]:
    return {"print": (run.fingerprint or "")[:PRINT], "vocab": run.vocab_size, "unigram": _real(run.unigram),
            "bigram": _real(run.bigram), "bits": run.bits_per_nat}


def _changes(run: StoredRun) -> dict[str, Any]:
    changes = {path: value for path, (_, value) in difference(run.present, preset_of(run).config).items()}
    changes.pop("data.text", None)
    return changes


def _checked(events: Sequence[Event], outcome: Outcome) -> dict[str, Any]:
    checks = thinned([e for e in events if isinstance(e, Eval)], CHECKS)
    best = [outcome.best_step, _real(outcome.best)] if outcome.best is not None else None
    losses = _steps_between(_thousandths(e.loss) for e in checks)
    steps = _steps_between(e.step for e in checks)
    return {"checks": {"step": steps, "loss": losses}, "best": best, "final": _real(outcome.final)}


def _sample(events: Sequence[Event]) -> dict[str, Any] | None:
    last = next((e for e in reversed(events) if isinstance(e, Sample)), None)
    return last and {"step": last.step, "prompt": shorten(last.prompt, PROMPT), "text": shorten(last.text, SAMPLE)}


def _real(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) or abs(value) > LARGEST else round(value, 3)


def _thousandths(loss: float) -> int | None:
    return None if _real(loss) is None else round(1000 * loss)


def _steps_between(values: Iterable[int | None]) -> list[int | None]:
    """Each value as what is added to the last known one before it."""
    found, last = [], 0
    for value in values:
        found.append(None if value is None else value - last)
        last = last if value is None else value
    return found
