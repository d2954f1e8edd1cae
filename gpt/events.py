"""What a run reports while it goes: small frozen records, in the order they happen. No torch here."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Started:
    """Before the first step: what is about to be trained. Entropies are nats per token of the training text."""

    step: int
    parameters: int
    vocab_size: int
    unigram: float  # entropy of the tokens' frequencies
    bigram: float  # entropy of a token given the one before
    tokens_per_step: int
    device: str
    fingerprint: str  # SHA-256 of the text
    versions: dict[str, str]
    flops: float = 0.0  # floating-point operations of a training step, about; 0 where they are not known
    train_tokens: int = 0  # tokens of the training text
    characters: float = 0.0  # that a token of the held-out text holds, on average; 0 where it is not known


@dataclass(frozen=True)
class Step:
    """One optimiser step: the loss of its batch before the step, in nats; seconds of training so far."""

    step: int  # 1 for the first
    loss: float
    seconds: float


@dataclass(frozen=True)
class Eval:
    """Validation loss in nats a token over a fixed set of batches, after `step` steps."""

    step: int
    loss: float
    seconds: float


@dataclass(frozen=True)
class Sample:
    """Text drawn after `step` steps, from the run's own prompt and seed."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class Answers:
    """How many of `total` held-out questions of a task are answered exactly after `step` steps.

    `wrong` are some of the others: question, right answer and given answer of each.
    """

    step: int
    right: int
    total: int
    wrong: list[list[str]]


@dataclass(frozen=True)
class Changed:
    """Options changed while the run goes, {path: value}: they hold from the next step on."""

    step: int
    changes: dict[str, Any]


@dataclass(frozen=True)
class Forked:
    """A run began as another one was after `at` steps; weights by name, the layers' as one."""

    step: int  # 0: it is told first
    parent: str
    at: int
    carried: list[str]
    fresh: list[str]


@dataclass(frozen=True)
class Health:
    """Sizes of activations, gradients and updates in the step that follows `step` steps, told before that `Step`.

    A row is {"name": "layer 3 MLP", ...} with what there is of: "stream", the residual stream after the part; "out", its
    own output; "back", the gradient that comes back to that stream; "grad", that of the part's weights before clipping;
    "update", the step's size as a share of the weights'. Root mean squares; None where it is no number.
    """

    step: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Diverged:
    """The loss stopped being a number; the run ends here. `advice` says what to try."""

    step: int
    advice: str


@dataclass(frozen=True)
class Finished:
    """All steps are done. `val_loss` is over the whole validation text, which has `val_tokens` tokens to predict."""

    step: int
    val_loss: float
    seconds: float
    val_tokens: int = 0  # 0 in runs of a version that took the last `Eval` for the final loss


@dataclass(frozen=True)
class Working:
    """A check or a sample is under way, `done` of it (0 .. 1): a chance to do something else. Never stored."""

    step: int
    done: float


Event = Started | Step | Eval | Sample | Answers | Changed | Forked | Health | Diverged | Finished | Working
STORED = (Started, Step, Eval, Sample, Answers, Changed, Forked, Health, Diverged, Finished)
KINDS: dict[str, type] = {cls.__name__.lower(): cls for cls in STORED}


def to_dict(event: Event) -> dict[str, Any]:
    """{"event": "eval", "step": ..., ...}: one JSON line of the command line, one row of the store."""
    return {"event": type(event).__name__.lower(), **asdict(event)}


def from_dict(record: dict[str, Any]) -> Event:
    """The inverse of `to_dict`."""
    record = dict(record)
    return KINDS[record.pop("event")](**record)
