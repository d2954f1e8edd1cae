"""Cost a seed when several are trained as one model, against training them in turn."""

from collections.abc import Iterator

import torch

from gpt.bench.table import Row
from gpt.options import replace
from gpt.presets import load as preset
from gpt.replicas import seconds_a_step, stackable
from gpt.run import Run

COUNT = 8
MODELS = ("01", "03", "06", "09", "10", "11")


def rows(dataset: str) -> Iterator[Row]:
    """Steps of the ladder, and which way each would take."""
    for name in MODELS:
        config = replace(preset(name).config, {"data.dataset": dataset})
        if not stackable(Run(config), COUNT):
            yield Row(f"{COUNT} seeds of ladder {name}", "in turn: too large to gain")
            continue
        together, in_turn = seconds_a_step(config, COUNT, torch.get_num_threads())
        yield Row(f"{COUNT} seeds of ladder {name}", f"{1e6 * together / COUNT:,.0f} µs a seed and step",
                  f"in turn: {1e6 * in_turn / COUNT:,.0f} µs", in_turn / together,
                  "chosen: together" if together < in_turn else "chosen: in turn")
