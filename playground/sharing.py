"""What the browser asks to share results: the address's part that shows them to others."""

from typing import Any

from gpt import link as links
from gpt.store import RunStore
from playground.comparing import my_runs
from playground.rows import Answer


def link(store: RunStore, asked: Any) -> Answer:
    """One to four runs as the part of a link after its "#"; `own` says that a text of the visitor's own was trained on."""
    runs = my_runs(store, asked, links.MOST_RUNS)
    own = any(run.options.get("data.dataset") == "own" for run in runs)
    return {"link": links.fragment(store, runs), "own": own}


QUESTIONS = (link,)
