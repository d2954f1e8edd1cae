"""Files out of the page and into it: a run's weights as one file or for transformers, a file's as a run, and own texts."""

import io
import re
import zipfile
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

from gpt.compare import called
from gpt.options import ConfigError, Refusal, shorten
from gpt.records import ELSEWHERE, StoredRun
from gpt.store import RunStore
from gpt.texts import MAX_TEXT_BYTES, import_text
from playground.actions import one, owner, refusable
from playground.asked import fields
from playground.rows import GONE, LETTERS, Answer, mine, works
from playground.scheduler import Scheduler

MOST_BYTES = 64_000_000  # of a file that is brought; what gpt.weights reads
TOO_LARGE = f"The file is larger than {MOST_BYTES / 1e6:g} MB, or does not say how large it is: bring one of a smaller model."
MOST_BROUGHT = 40  # runs of one visitor whose weights came from a file
TAKERS, PATIENCE_SECONDS = 2, 30.0  # files made at once, each in memory; how long another waits for its turn
FLOAT_BYTES = 4
TEXT_TOO_LARGE = f"The text is larger than {MAX_TEXT_BYTES / 1e6:g} MB, or does not say how large it is: use a part of it."
UNREADABLE = "This version cannot read the options of this run: use the one that trained it."
NO_WEIGHTS = "This run has no weights yet: they are kept at its first check, and when it pauses or ends."


def weights(store: RunStore, asked: Any) -> Answer:
    """What of a run's weights can be taken along: {"name", "step", "bytes", "shape", "why"}; `why` there is no shape."""
    run = mine(store, asked)
    if run is None:
        return GONE
    steps = store.checkpoint_steps(run.id)
    answer: Answer = {"name": called(run), "step": steps[-1] if steps else None, "bytes": FLOAT_BYTES * (run.parameters or 0),
                      "shape": "", "why": [], "missing": "" if steps else NO_WEIGHTS}
    if not works(run):
        return {**answer, "step": None, "missing": UNREADABLE}
    from gpt.transformers_export import NAMES, shape_of

    try:
        answer["shape"] = NAMES[shape_of(run.config)]
    except ConfigError as error:
        answer["why"] = [shorten(line, LETTERS) for line in error.problems[1:]]  # the first says what the buttons do
    return answer


def take_for(store: RunStore) -> Callable[[Any], tuple[str, bytes]]:
    """The function that makes a file of a visitor's run: its weights, or with {"to": "transformers"} an archive for that.
    Raises Refusal."""
    places = BoundedSemaphore(TAKERS)

    def take(asked: Any) -> tuple[str, bytes]:
        run, wanted = one(store, asked), fields(asked).get("to")
        if not works(run):
            raise Refusal(UNREADABLE)
        if not places.acquire(timeout=PATIENCE_SECONDS):
            raise Refusal("Many are taking weights now: try again in a moment.")
        try:
            return packed(store, run, wanted == "transformers")
        finally:
            places.release()

    return take


def packed(store: RunStore, run: StoredRun, for_transformers: bool) -> tuple[str, bytes]:
    """The name of the file and what is in it. Raises Refusal."""
    from gpt import transformers_export
    from gpt.importing import tokenizer_for
    from gpt.weights import not_numbers, pack, weights_in

    if for_transformers:
        transformers_export.shape_of(run.config)  # refused before anything is read
    checkpoint = store.load_checkpoint(run.id)
    if checkpoint is None:
        raise Refusal(NO_WEIGHTS)
    name, tokenizer = file_name(run, checkpoint[0]), tokenizer_for(run, checkpoint)
    if not for_transformers:
        return f"{name}.safetensors", pack(run, checkpoint, tokenizer)
    tensors = weights_in(checkpoint)
    if not_numbers(tensors):
        raise Refusal("The weights of this run are no longer numbers, since its training diverged.")
    return f"{name}.zip", archive(name, transformers_export.files(run.config, tensors, tokenizer))


def file_name(run: StoredRun, step: int) -> str:
    """A run's name and its steps, in the letters that any machine's file names may have."""
    plain = re.sub(r"[^A-Za-z0-9.+-]+", "-", called(run)).strip("-.")[:60].rstrip("-.")
    return f"{plain or 'run'}-{step}"


def archive(folder: str, files: dict[str, bytes]) -> bytes:
    """A zip of a folder; stored, since weights hardly get smaller. The same files make the same zip."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as zipped:
        for name, raw in files.items():
            zipped.writestr(zipfile.ZipInfo(f"{folder}/{name}"), raw)
    return made.getvalue()


def bring_weights_for(store: RunStore, scheduler: Scheduler) -> Callable[[Any, bytes], Answer]:
    """The function that makes a visitor's run of a file's bytes: {"run", "words"} or {"refused": why}."""

    def bring(asked: Any) -> Answer:
        visitor = owner(asked)
        scheduler.check_room(visitor)
        if sum(run.device == ELSEWHERE for run in store.runs(visitor)) >= MOST_BROUGHT:
            raise Refusal(f"{MOST_BROUGHT} of your runs came from files: delete one first.")
        from gpt.importing import keep, text_is_here
        from gpt.weights import read

        uploaded = read(asked["raw"])
        id, here = keep(store, uploaded, visitor), text_is_here(uploaded)
        return {"run": id, "words": said(uploaded.step, here)}

    return with_bytes(bring)


def bring_text() -> Callable[[Any, bytes], Answer]:
    """The function that keeps a visitor's own text: {"text": its fingerprint, "words"} or {"refused": why}."""

    def bring(asked: Any) -> Answer:
        owner(asked)
        text = import_text(asked["raw"])
        return {"text": text, "words": f"{len(asked['raw']):,} bytes taken as {text[:8]}."}

    return with_bytes(bring)


def with_bytes(bring: Callable[[Any], Answer]) -> Callable[[Any, bytes], Answer]:
    """An action that also gets the body of a request, as "raw"."""
    answer = refusable(bring)
    return lambda asked, raw: answer({**fields(asked), "raw": raw})


def said(step: int, here: bool) -> str:
    """What can be done with the run."""
    if here:
        return f"The weights after {step:,} steps are here. They write, train on and fork; the optimiser starts anew."
    return (f"The weights after {step:,} steps are here, and they write. The text they were trained on is not: "
            "to train them on, import it first.")
