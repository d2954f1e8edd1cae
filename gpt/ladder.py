"""The twelve steps, trained and set beside what was published of them."""

from statistics import mean
from time import perf_counter
from typing import Any

from gpt.events import Diverged, Finished, Sample, Started, Step
from gpt.lessons import AROUND
from gpt.options import ConfigError, replace
from gpt.presets import Preset, list_presets
from gpt.run import Run


def climb(changes: dict[str, Any], only: list[int] | None) -> None:
    """Train the ladder's presets with `changes` and print a table of results and a sample of each. Raises ConfigError."""
    rungs = [preset for preset in list_presets() if preset.number and (not only or preset.number in only)]
    if not rungs or (only and len(rungs) < len(set(only))):
        raise ConfigError([f"--only {' '.join(map(str, only or []))}: the ladder's steps are 1 to 12."])
    samples = []
    print("| step | parameters | our training loss | published | difference | validation | seconds |\n|---|---|---|---|---|---|---|")
    for preset in rungs:
        row, text = train_rung(preset, changes)
        print(row, flush=True)
        samples.append(f"\n{preset.number}. {preset.title}\n" + "\n".join(f"    {line}" for line in text.splitlines()))
    print(*samples, sep="\n")


def train_rung(preset: Preset, changes: dict[str, Any]) -> tuple[str, str]:
    """One line of the table, and the last sample."""
    run = Run(replace(preset.config, changes))
    losses, val_loss, parameters, text, began = [], float("nan"), 0, "", perf_counter()
    for event in run.events():
        match event:
            case Started():
                parameters = event.parameters
            case Step():
                losses.append(event.loss)
            case Finished():
                val_loss = event.val_loss
            case Sample():
                text = event.text
            case Diverged():
                text = event.advice
    ours, published = compare(losses, preset.published)
    result = f"{ours:.3f} | {published:.3f} | {ours - published:+.3f}" if ours else "too few steps | | "
    return (f"| {preset.number}. {preset.title} | {parameters:,} | {result} | {val_loss:.3f} | "
            f"{perf_counter() - began:.0f} |"), text


def compare(losses: list[float], published: dict[int, float]) -> tuple[float | None, float | None]:
    """The mean of our training losses around the published steps, and the mean of the published ones; None if not reached.

    Step 0 is left out: it shows the starting weights, not the model.
    """
    steps = [step for step in published if 0 < step <= len(losses)]
    if not steps:
        return None, None
    return mean(mean(losses[max(0, s - AROUND) : s + AROUND]) for s in steps), mean(published[s] for s in steps)
