"""A run's weights at each step that was kept, and before the first one, which its seed makes again; and what they gave.

What is worked out of one step's weights is remembered, since they never change: within bounds, whoever asks.
"""

from collections import OrderedDict
from collections.abc import Hashable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from gpt.events import Started
from gpt.options import Refusal
from gpt.records import StoredRun
from gpt.store import RunStore

if TYPE_CHECKING:
    from torch import Tensor

    from gpt.run import Sampler
    from gpt.tokenizers import Tokenizer

class NotKept(Refusal):
    """There are no weights of that step."""


NO_WEIGHTS = "This run has no weights yet: let it train for a step."


def steps_of(store: RunStore, run: StoredRun) -> list[int]:
    """The steps whose weights can be looked at, rising: 0 is among them for a run that began anew, not in another one."""
    kept = store.checkpoint_steps(run.id)
    return [0, *kept] if 0 not in kept and begins_anew(store, run) else kept


def begins_anew(store: RunStore, run: StoredRun) -> bool:
    """Whether its first weights were drawn from its seed: neither another run's nor a file's."""
    first = next((event for _, event in store.events(run.id, 0, 1)), None)
    return run.parent is None and isinstance(first, Started) and first.step == 0


def sampler_at(store: RunStore, run: StoredRun, step: int | None = None) -> "tuple[int, Sampler]":
    """The model at a step, or the newest, and which step that is. Raises NotKept, TextError."""
    from gpt.importing import stored_sampler
    from gpt.model import build
    from gpt.run import Sampler

    if kept := store.load_checkpoint(run.id, step):
        return kept[0], stored_sampler(run, kept)
    if step or not begins_anew(store, run):
        raise NotKept("The weights of that step are not kept: choose another one." if step is not None else NO_WEIGHTS)
    tokenizer = tokenizer_of(store, run)
    return 0, Sampler(build(run.config.model, tokenizer.vocab_size, run.config.train.seed).eval(), tokenizer, run.config.data)


def tokenizer_of(store: RunStore, run: StoredRun) -> "Tokenizer":
    """The run's tokenizer: from its text, or where its weights came from a file, from there. Raises TextError."""
    from gpt.importing import tokenizer_for

    written = {} if begins_anew(store, run) else store.checkpoint_times(run.id)
    return tokenizer_for(run, (0, {}, _about(store, run.id, max(written.items())) if written else {}))


@lru_cache(maxsize=64)
def _about(store: RunStore, run: str, newest: tuple[int, int]) -> dict[str, str]:
    """What the `newest` checkpoint says besides its weights, all of which are read for it."""
    kept = store.load_checkpoint(run)
    return kept[2] if kept else {}


class Memory:
    """Tensors by what they were made of: the ones used last, up to some bytes in all. For any thread."""

    def __init__(self, most_bytes: int):
        self.most_bytes, self.used = most_bytes, 0
        self._known: OrderedDict[Hashable, "Tensor"] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> "Tensor | None":
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def put(self, key: Hashable, made: "Tensor") -> None:
        with self._lock:
            if key not in self._known:
                self._known[key] = made
                self.used += made.nbytes
            while self.used > self.most_bytes and len(self._known) > 1:
                self.used -= self._known.popitem(last=False)[1].nbytes
