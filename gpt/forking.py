"""A new run that begins where another one was: what fits is carried over, what is new starts as in any run."""

import re

from gpt.changes import after
from gpt.config import RunConfig
from gpt.events import Forked
from gpt.options import ConfigError
from gpt.records import StoredRun
from gpt.run import Run
from gpt.store import RunStore


def fork(store: RunStore, parent: StoredRun, step: int, config: RunConfig, **about: object) -> tuple[str, Forked]:
    """Makes a run of `config` that goes on from `parent` after `step` steps; `about` goes to `RunStore.create`.

    Returns its id, and what it took over. With the same options it trains as its parent did, bit for bit. Raises
    ConfigError where it cannot begin there, and names where it can.
    """
    checkpoint = store.load_checkpoint(parent.id, step)
    if wrong := problems(store, parent, step, config, found=checkpoint is not None):
        raise ConfigError(wrong)
    run, (_, tensors, meta) = Run(config), checkpoint
    before = after(parent.config, [change for change in parent.plan if change[0] < step])
    weights = {f"model.{name}": weight for name, weight in run.model.state_dict().items()}
    fits = {name for name, weight in weights.items() if name in tensors and tensors[name].shape == weight.shape}
    carried = {name: tensors[name] if name in fits else weight for name, weight in weights.items()}
    if config.train.optimizer == before.train.optimizer:
        carried |= {name: tensor for name, tensor in tensors.items() if remembers(name, fits)}
    id = store.create(config, parent=parent.id, forked_at=step, **about)
    told = Forked(0, parent.id, step, *(in_short(names) for names in (fits, weights.keys() - fits)))
    store.append(id, [run.started(), told])
    store.copy_history(parent.id, id, step)
    store.save_checkpoint(id, step, carried, meta, lasting=True)
    return id, told


def problems(store: RunStore, parent: StoredRun, step: int, config: RunConfig, found: bool) -> list[str]:
    """Why it cannot begin there, in words."""
    wrong = config.problems()
    if not found:
        kept = ", ".join(f"{step:,}" for step in store.checkpoint_steps(parent.id))
        wrong.append(f"Step {step:,} of run {parent.id} was not kept: fork it at step {kept}." if kept else
                     f"Run {parent.id} has no weights yet: let it train for a step.")
    if config.data != parent.config.data:
        wrong.append("A fork goes on with the text of its parent: leave the data options as they were, or train a new run.")
    if config.train.steps <= step:
        wrong.append(f"steps = {config.train.steps:,} are done at step {step:,}: use steps = {step + 1:,} or more.")
    return wrong


def remembers(name: str, fits: set[str]) -> bool:
    """Whether a tensor is the optimiser's memory of a weight that was carried over."""
    weight = name.removeprefix("optimizer.").rpartition(".")[0]
    return name.startswith("optimizer.") and f"model.{weight}" in fits


def in_short(names: set[str]) -> list[str]:
    """Weights by name, the layers' as one: ["blocks.*.attn.qkv.weight", "embed.weight"]."""
    return sorted({re.sub(r"\.\d+\.", ".*.", name.removeprefix("model.")) for name in names})
