"""What the browser asks about a model's way through training: its embeddings, and its belief, at every step that was kept.

Each question works for a moment at most, the newest steps first, and says how many are left for the next one. What one step's
weights give is remembered, so a question that comes again is answered at once. Models are loaded one at a time.
"""

import math
import unicodedata
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from gpt.options import Refusal
from gpt.records import StoredRun
from gpt.store import RunStore
from gpt.tokenizers import TextError
from playground.asked import fields, whole
from playground.inspecting import alone, label, room_for, rounded, text_of
from playground.kept import NO_WEIGHTS, Memory, NotKept, sampler_at, steps_of, tokenizer_of
from playground.rows import GONE, Answer, mine
from playground.scheduler import Scheduler

if TYPE_CHECKING:
    from torch import Tensor

    from gpt.run import Sampler

SECONDS = 1.0  # of one question; at least one model is looked at in it
MOST_BYTES = 128 << 20  # remembered, of all runs
RUN_BYTES = MOST_BYTES // 2  # of one run: what cannot be remembered together would be worked out again and again
MOST_POINTS = 300  # in one picture
NEAR = 5  # neighbours told of each
LINES = 5  # candidates whose probability is followed, besides what really came

NO_NUMBERS = "Its weights are no longer numbers, since its training diverged"

Frames = list[tuple[int, bool, "Tensor"]]  # (step, whether it is training, what its weights give)

_known = Memory(MOST_BYTES)


def frames(scheduler: Scheduler, store: RunStore, run: StoredRun, about: tuple, make: "Callable[[Sampler], Tensor]",
           live: bool) -> tuple[Frames, int]:
    """What `make` gives for the model at each kept step, rising, and at present if it trains and `live`; how many are left.

    `about` says what is made, for the memory: with it nothing is made twice. Of very large ones only the newest steps are told.
    """
    end, worked, found, left = monotonic() + SECONDS, False, [], 0
    if live and (present := scheduler.live(run.id)):
        with alone():
            found.append((present[0], True, make(present[1])))
    times = store.checkpoint_times(run.id)
    for step in reversed(steps_of(store, run)):
        key = (run.id, step, times.get(step), *about)
        made = _known.get(key)
        if made is None and worked and monotonic() > end:
            left += 1
            continue
        if made is None:
            worked = True
            try:
                with alone():
                    _known.put(key, made := make(sampler_at(store, run, step)[1]))
            except NotKept:  # a newer one has taken its place meanwhile
                continue
        if not (found and found[-1][0] == step):  # the present weights have just been kept
            found.append((step, False, made))
        if (1 + len(found)) * made.nbytes > RUN_BYTES:
            break
    return found[::-1], left


# Embeddings -------------------------------------------------------------------------------------------------------------


def embeddings(scheduler: Scheduler, store: RunStore, asked: Any) -> Answer:
    """The vectors of tokens, or "of" positions, in two dimensions at every kept step; with "newest", the present ones alone.

    All steps are seen along the axes of one, so that points move and the picture does not turn or jump: the principal
    components of the newest kept step, since what matters is where training led. "fit" says which step that is.
    """
    run = mine(store, asked)
    if run is None:
        return GONE
    positions = fields(asked).get("of") == "positions"
    if positions and (none := no_positions(run)):
        return {"none": none}
    rows, points = position_points(run) if positions else token_points(store, run)
    import torch

    chosen = torch.tensor(rows)
    about, live = ("positions" if positions else "tokens", *rows), bool(fields(asked).get("live"))
    found, left = frames(scheduler, store, run, about, lambda sampler: table(sampler, positions, chosen), live)
    usable = [frame for frame in found if frame[2].isfinite().all()]
    if not usable:
        raise Refusal(f"{NO_NUMBERS}: there are no vectors to show.") if found else NotKept(NO_WEIGHTS)
    fit = next((frame for frame in reversed(usable) if frame[0] and not frame[1]), usable[-1])
    shown = [frame for frame in usable if frame[1]] if fields(asked).get("newest") else usable
    return {"none": "", "points": points, "fit": fit[0], "frames": pictures(shown, fit[2]), "left": left,
            "lost": [step for step, _, vectors in found if not vectors.isfinite().all()],
            "note": note_of(run, positions)}


def table(sampler: "Sampler", positions: bool, chosen: "Tensor") -> "Tensor":
    """The chosen rows of a model's vectors, (n, C)."""
    from gpt.inspect_embeddings import position_table, token_table

    return (position_table if positions else token_table)(sampler.model)[chosen].float().cpu().clone()


def pictures(shown: Frames, fitted: "Tensor") -> list[Answer]:
    """Each frame as places in the picture, shares of the variance, and neighbours as [row, cosine, row, cosine ...]."""
    import torch

    from gpt.inspect_embeddings import neighbours, principal

    axes, told = principal(fitted), []
    for step, live, vectors in shown:
        cosines, others = neighbours(vectors, NEAR)
        near = torch.stack([others.double(), cosines.double()], dim=-1).flatten(1)
        told.append({"step": step, "live": live, "at": [[short(x), short(y)] for x, y in axes.place(vectors).tolist()],
                     "share": [round(share, 3) for share in axes.shares(vectors)],
                     "near": [[round(n, 2) for n in row] for row in near.tolist()]})
    return told


def short(x: float) -> float:
    """A place to three digits."""
    return float(f"{x:.3g}")


def token_points(store: RunStore, run: StoredRun) -> tuple[list[int], Answer]:
    """The tokens that are shown, the commonest first, and what they are; those that never occur have learnt nothing."""
    tokenizer = tokenizer_of(store, run)
    size = tokenizer.vocab_size
    try:
        counts = text_of(run).train.bincount(minlength=size).tolist()
    except TextError:  # an imported run, whose text is elsewhere: which are common is not known
        rows = list(range(size))
    else:
        rows = sorted((token for token in range(size) if counts[token]), key=lambda token: -counts[token])
    shown = rows[:MOST_POINTS]
    return shown, {"names": [label(tokenizer, token) for token in shown], "all": size, "never": size - len(rows),
                   "kinds": [kind_of(tokenizer.tokens[token]) for token in shown], "rarer": len(rows) - len(shown)}


KINDS = ("vowel", "consonant", "upper case", "digit", "punctuation", "white space", "other letter", "byte")


def kind_of(token: bytes) -> int:
    """What sort of character a token is, as a place in KINDS; of a longer one, its first that is no space."""
    try:
        characters = token.decode()
    except UnicodeDecodeError:
        return KINDS.index("byte")
    character = (characters.strip() or characters)[0]
    category, plain = unicodedata.category(character), unicodedata.normalize("NFD", character)[0]
    if category == "Ll" and plain in "abcdefghijklmnopqrstuvwxyz":
        return KINDS.index("vowel" if plain in "aeiou" else "consonant")
    if category in ("Lu", "Lt"):
        return KINDS.index("upper case")
    if category[0] == "L":
        return KINDS.index("other letter")
    if category == "Nd":
        return KINDS.index("digit")
    return KINDS.index("white space" if character.isspace() else "punctuation")


MOST_POSITIONS = 128
WITHOUT_VECTORS = {
    "none": "Position encoding is off in this model, so positions have no vectors.",
    "rope": "RoPE has no vectors: inside attention it turns queries and keys by an angle that grows with their position.",
    "alibi": "ALiBi has no vectors: inside attention it lowers the scores of tokens that are further back.",
}


def no_positions(run: StoredRun) -> str:
    """Why positions have no vectors in a model; empty where they have."""
    if run.config.model.architecture == "bigram":
        return "A bigram table knows no positions, only the token before."
    return WITHOUT_VECTORS.get(run.config.model.position, "")


def position_points(run: StoredRun) -> tuple[list[int], Answer]:
    """The positions that are shown, counted from 1 in their names: of a long context every second, third ..."""
    context = run.config.model.block_size
    every = -(-context // MOST_POSITIONS)
    rows = list(range(0, context, every))
    return rows, {"names": [str(1 + row) for row in rows], "every": every, "all": context}


def note_of(run: StoredRun, positions: bool) -> str:
    """What has to be known of these vectors."""
    if positions and run.config.model.position == "sinusoidal":
        return "A fixed pattern of sines: nothing of it is learnt, so it is the same at every step."
    if run.config.model.architecture == "bigram":
        return ("A bigram table has no vectors: each token's row of scores stands for it, so tokens that are followed alike "
                "lie together.")
    return ""


# Belief -----------------------------------------------------------------------------------------------------------------


def belief(scheduler: Scheduler, store: RunStore, asked: Any) -> Answer:
    """The probability of what may come after token "at" of a text, at every kept step: of the newest step's likeliest
    candidates, and of the token that really comes."""
    run = mine(store, asked)
    if run is None:
        return GONE
    from gpt.run import encode_prompt

    tokenizer, text = tokenizer_of(store, run), fields(asked).get("text")
    fed = encode_prompt(tokenizer, text if isinstance(text, str) else "")[-room_for(run) :]
    at = whole(asked, "at", low=0, high=len(fed) - 1)
    about, live = ("belief", tuple(fed)), bool(fields(asked).get("live"))
    found, left = frames(scheduler, store, run, about, lambda sampler: believed(sampler, fed), live)
    if not found:
        raise NotKept(NO_WEIGHTS)
    after = [(step, live, p[at]) for step, live, p in found]
    usable = [p for _, _, p in after if p.isfinite().all()]
    if not usable:
        raise Refusal(f"{NO_NUMBERS}: there is no belief to show.")
    newest, true = usable[-1], fed[at + 1] if at + 1 < len(fed) else None
    likely = newest.topk(min(LINES, len(newest))).indices.tolist()
    lines = [{"name": label(tokenizer, token), "true": token == true, "p": [real(p[token].item()) for _, _, p in after]}
             for token in dict.fromkeys([*likely, *([] if true is None else [true])])]
    return {"steps": [step for step, _, _ in after], "live": [live for _, live, _ in after], "lines": lines, "left": left}


def believed(sampler: "Sampler", fed: list[int]) -> "Tensor":
    """The probabilities (T, V) of what comes after each token."""
    from gpt.inspect_model import scores_after

    return scores_after(sampler.model, fed).softmax(-1)


def real(p: float) -> float | None:
    """A probability as others of Inspect are rounded; None for what is no number."""
    return rounded(p) if math.isfinite(p) else None


QUESTIONS = (embeddings, belief)
