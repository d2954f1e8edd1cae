"""What the browser asks about the inside of a model: its guesses, its attention, and what it relies on.

Each question takes the scheduler, the store and any JSON and answers with JSON, or raises Refusal. Models are looked at one at
a time, so that looking costs the training little; text and answer are bounded, whatever the model.
"""

from base64 import b64encode
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Iterator

from gpt.config import RunConfig, SampleConfig
from gpt.options import ConfigError, Refusal, replace
from gpt.records import StoredRun
from gpt.store import RunStore
from playground.asked import fields, whole
from playground.kept import sampler_at, steps_of
from playground.rows import GONE, Answer, mine
from playground.scheduler import Scheduler

if TYPE_CHECKING:
    from torch import Tensor

    from gpt.data import Dataset
    from gpt.inspect_model import Reliance, Seen
    from gpt.run import Sampler
    from gpt.tokenizers import Tokenizer

MOST_TOKENS = 128  # of a text that is looked at
MOST_WEIGHTS = 120_000  # of all attention patterns together, a byte each
CANDIDATES = 10
HELD_OUT_TOKENS = 4096  # on which parts are taken out,
SHORTEST = 64  # tokens of a passage, unless there is less room
LONGEST = 256  # in windows of at most so many
SECONDS = 2.0
PATIENCE_SECONDS = 20.0
GOLDEN = 0.618034  # of the held-out text lie between one passage and the next: they never repeat

_looking = Lock()


@contextmanager
def alone() -> Iterator[None]:
    """One look at a time. Raises Refusal where many wait."""
    if not _looking.acquire(timeout=PATIENCE_SECONDS):
        raise Refusal("Many are looking into models now: try again in a moment.")
    try:
        yield
    finally:
        _looking.release()


# Which model ------------------------------------------------------------------------------------------------------


def model_of(scheduler: Scheduler, store: RunStore, run: StoredRun, asked: Any) -> "tuple[int, bool, Sampler]":
    """The step, whether it is training, and the model: of the newest weights, or of "step". Raises Refusal."""
    newest = fields(asked).get("step") is None
    if newest and (live := scheduler.live(run.id)):
        return live[0], True, live[1]
    step, sampler = sampler_at(store, run, None if newest else whole(asked, "step", default=-1))
    return step, False, sampler


def text_of(run: StoredRun) -> "Dataset":
    """The run's text. Raises TextError where it is not here, or is another one by now."""
    from gpt.data import load
    from gpt.tokenizers import TextError

    data = load(run.config.data, run.config.model.block_size)
    if run.fingerprint not in (None, data.fingerprint):
        raise TextError("The text has changed since this run began: its held-out part can no longer be read.")
    return data


def room_for(run: StoredRun) -> int:
    """How many tokens are looked at: fewer where an answer has no room for all that the heads of a large model look at."""
    cfg = run.config.model
    heads = cfg.n_layer * cfg.heads if cfg.architecture == "transformer" and cfg.attention != "none" else 1
    return next((T for T in range(MOST_TOKENS, 2, -1) if heads * int(band(T, cfg.block_size).sum()) <= MOST_WEIGHTS), 2)


def band(T: int, context: int) -> "Tensor":
    """Which of T tokens (columns) each of them (rows) can look at, (T, T)."""
    import torch

    return torch.ones(T, T, dtype=torch.bool).tril().triu(1 - context)


def passage(run: StoredRun, tokenizer: "Tokenizer", number: int, room: int) -> str:
    """Some lines of the held-out text, of a task one example; the prompt of the run where its text is not here."""
    try:
        text = text_of(run)
    except Refusal:
        return run.config.sample.prompt or "\n"
    held_out = text.val
    if run.config.data.asks:  # a question and its answer
        rows = held_out.view(-1, text.length)
        return tokenizer.decode(rows[int(number * GOLDEN % 1 * len(rows))][:-1].tolist())
    at = int(number * GOLDEN % 1 * max(0, len(held_out) - 2 * room))
    near = held_out[at : at + 2 * room].tolist()
    line = tokenizer.tokens.index(b"\n") if b"\n" in tokenizer.tokens else -1
    begin = near.index(line) + 1 if line in near[:room] else 0
    return tokenizer.decode(near[begin : begin + room]).strip("\ufffd")


# The questions ----------------------------------------------------------------------------------------------------


def look(scheduler: Scheduler, store: RunStore, asked: Any) -> Answer:
    """A text inside a model: each token's surprise, the candidates for it, the guess after each layer, and all attention."""
    run = mine(store, asked)
    if run is None:
        return GONE
    from gpt.inspect_model import see
    from gpt.run import encode_prompt

    cfg, text = sampling(asked), fields(asked).get("text")
    with alone():
        step, live, sampler = model_of(scheduler, store, run, asked)
        room, tokenizer = room_for(run), sampler.tokenizer
        text = text if isinstance(text, str) and text else passage(run, tokenizer, whole(asked, "passage"), min(room, max(run.config.model.block_size, SHORTEST)))
        tokens = encode_prompt(tokenizer, text)
        fed = tokens[-room:]
        seen = see(sampler.model, fed)
        told = guesses(seen, fed, tokenizer, cfg) | {"lens": lens(sampler, seen, fed), "heads": heads(seen, run.config.model.block_size)}
    return {"step": step, "live": live, "checkpoints": steps_of(store, run), "text": text, "given": len(tokens),
            "room": room, "context": run.config.model.block_size, "tokens": labels(tokenizer, fed), **told, **built(run)}


def sampling(asked: Any) -> SampleConfig:
    """The sampling options that are asked with. Raises ConfigError."""
    wanted = fields(asked)
    given = {f"sample.{name}": wanted[name] for name in ("temperature", "top_k", "top_p") if name in wanted}
    cfg = replace(RunConfig(), given).sample
    if wrong := cfg.problems():
        raise ConfigError(wrong)
    return cfg


def built(run: StoredRun) -> Answer:
    """What of the model's build has to be known to read it."""
    cfg = run.config.model
    return {"bigram": cfg.architecture == "bigram", "attention": cfg.architecture != "bigram" and cfg.attention != "none",
            "residual": cfg.residual_attn and cfg.residual_mlp, "window": cfg.window, "per_kv": cfg.heads // cfg.kv_heads}


def guesses(seen: "Seen", fed: list[int], tokenizer: "Tokenizer", cfg: SampleConfig) -> Answer:
    """After each token: the likeliest next ones as [label, probability, probability when drawn], and the true one's place.

    `true` is [probability, probability when drawn, rank]; the last token has none. `surprise` is of each token, in nats.
    """
    from gpt.inspect_model import drawn

    p, after = seen.scores.double().softmax(-1), drawn(seen.scores, cfg)
    best, order = p.topk(min(CANDIDATES, p.shape[1]), dim=-1)
    named = {token: label(tokenizer, token) for token in set(order.flatten().tolist())}
    drawn_at = after.gather(1, order)
    likely = [[[named[token], rounded(a), rounded(b)] for token, a, b in zip(*row)]
              for row in zip(order.tolist(), best.tolist(), drawn_at.tolist())]
    followed = list(enumerate(fed[1:]))
    true = [[rounded(p[i, t].item()), rounded(after[i, t].item()), int((p[i] > p[i, t]).sum())] for i, t in followed]
    surprise = [None, *(round(-seen.scores[i].double().log_softmax(-1)[t].item(), 3) for i, t in followed)]
    return {"likely": likely, "true": true, "surprise": surprise}


def lens(sampler: "Sampler", seen: "Seen", fed: list[int]) -> list[Answer]:
    """For what enters the first layer and what leaves each: its best guess, that one's probability, and the true token's."""
    import torch

    from gpt.inspect_model import read_out

    told, named, true = [], {}, torch.tensor([*fed[1:], fed[-1]])[:, None]
    for stream in seen.streams:
        p = read_out(sampler.model, stream).cpu().softmax(-1)
        best, token = p.max(-1)
        for t in set(token.tolist()) - set(named):
            named[t] = label(sampler.tokenizer, t)
        told.append({"best": [named[t] for t in token.tolist()], "p": [rounded(q) for q in best.tolist()],
                     "true": [rounded(q) for q in p.gather(1, true)[:, 0].tolist()][: len(fed) - 1]})
    return told


def heads(seen: "Seen", context: int) -> list[list[str]]:
    """Each head of each layer as base64: what each token can look at, a byte for each weight, its square root of 255."""
    can = band(len(seen.scores), context)
    return [[packed(pattern[can]) for pattern in layer] for layer in seen.patterns]


def packed(weights: "Tensor") -> str:
    return b64encode(bytes((weights.clamp(0, 1).sqrt() * 255).round().int().tolist())).decode()


def labels(tokenizer: "Tokenizer", tokens: list[int]) -> list[str]:
    return [label(tokenizer, token) for token in tokens]


def label(tokenizer: "Tokenizer", token: int) -> str:
    """A token as text; a byte that is no whole character as \\xe6."""
    text = tokenizer.decode([token])
    return text if "\ufffd" not in text else "".join(f"\\x{byte:02x}" for byte in tokenizer.tokens[token])


def rounded(p: float) -> float:
    """A probability to three digits that tell something: small ones too."""
    return float(f"{p:.3g}") if p >= 1e-4 else 0.0


def knock_out(scheduler: Scheduler, store: RunStore, asked: Any) -> Answer:
    """How the loss on held-out text changes without each head, sublayer and layer of a trained model."""
    run = mine(store, asked)
    if run is None:
        return GONE
    from gpt.inspect_model import reliance

    with alone():
        step, _, sampler = model_of(scheduler, store, run, asked)
        T = min(run.config.model.block_size, LONGEST)
        (x, y), *_ = text_of(run).eval_batches(HELD_OUT_TOKENS, T, HELD_OUT_TOKENS)
        return {"step": step, **effects(reliance(sampler.model, x, y, SECONDS))}


def effects(found: "Reliance") -> Answer:
    """What was found as [kind, layer, head, change, spread]."""
    rows = [[e.part.kind, e.part.layer, e.part.head, round(e.change, 4), None if e.spread is None else round(e.spread, 4)]
            for e in found.effects]
    return {"loss": round(found.loss, 3), "tokens": found.tokens, "rows": rows, "left_out": found.left_out}


QUESTIONS = (look, knock_out)
