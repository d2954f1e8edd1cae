"""Benchmarks: each figure beside what it is compared with, measured in one process. `python -m gpt bench` runs them all."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from gpt.options import ConfigError

SECTIONS = {
    "speed": "tokens a second, and the share of the machine's peak",
    "sampling": "tokens a second with the cache, and the first token while a run trains",
    "seeds": "several seeds together against one after the other",
    "loss": "time to a loss, and loss in equal time",
    "page": "what the page costs the runs behind it",
}


def run(dataset: str, only: list[str] | None = None) -> None:
    """Print the table, row by row as it is measured. Raises ConfigError for a section that there is not."""
    if unknown := sorted(set(only or []) - set(SECTIONS)):
        raise ConfigError([f"--only {' '.join(unknown)}: use {', '.join(SECTIONS)}."])
    import torch

    from gpt.bench import table

    print(f"{table.machine(torch.get_num_threads())}, PyTorch {torch.__version__}\n\n{table.HEAD}", flush=True)
    for name in only or SECTIONS:
        rows = section(name)
        table.print_rows(rows(dataset)) if rows else page()


def section(name: str) -> Callable[[str], Iterator] | None:
    """The function that measures a section's rows; None for the page, which this package does not know."""
    from gpt.bench import loss, sampling, seeds, speed

    return {"speed": speed.rows, "sampling": sampling.rows, "seeds": seeds.rows, "loss": loss.rows}.get(name)


def page() -> None:
    """The page's own rows, from a process of its own."""
    root = Path(__file__).resolve().parent.parent.parent
    subprocess.run([sys.executable, "-m", "playground.bench"], cwd=root, check=True)
