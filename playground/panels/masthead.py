"""The top line and the ladder."""

import os

import gradio as gr

from gpt.presets import Preset, list_presets
from gpt.tasks import TASKS
from playground.form import escape
from playground.panels.island import island

MASTHEAD = """
<header class="top"><h1><svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
<rect class="c-mlp" x="5" y="3" width="14" height="4.6" rx="2"/>
<rect class="c-norm" x="5" y="9.7" width="14" height="4.6" rx="2"/>
<rect class="c-attn" x="5" y="16.4" width="14" height="4.6" rx="2"/></svg>
GPT Playground</h1><nav class="views" aria-label="Views">
<button type="button" data-view="learn" aria-pressed="false">Learn</button>
<button type="button" data-view="train" aria-pressed="true">Train</button>
<button type="button" data-view="compare" aria-pressed="false">Compare</button>
<button type="button" data-view="inspect" aria-pressed="false">Inspect</button>
<button type="button" data-view="code" aria-pressed="false">Code</button></nav>
<p class="motto">Switch a part off, train, and see what it was worth.</p>
<div class="right">
<span class="text" title="The text the model learns from"><i>text</i> <span id="text-name"></span></span>
<button type="button" id="copy-link" title="Copy a link that opens these settings"><svg viewBox="0 0 16 16" aria-hidden="true">
<path d="M6.6 9.4 9.4 6.6M7.4 4.6l1.5-1.5a2.8 2.8 0 0 1 4 4l-1.5 1.5M8.6 11.4l-1.5 1.5a2.8 2.8 0 0 1-4-4l1.5-1.5"/></svg><span>Copy
link</span></button>
<button type="button" id="theme" role="switch" aria-checked="false" aria-label="Dark colours">
<span>Light</span><i></i><span>Dark</span></button>
</div></header>
<div id="linked" role="status" hidden></div>"""


def masthead() -> gr.HTML:
    """Name, views, chosen text, Copy link, Light / Dark. A Space is named in links: what it serves stands in a frame there."""
    return island("masthead", MASTHEAD, elem_id="masthead", space=os.environ.get("SPACE_ID", ""))


def ladder() -> gr.HTML:
    """One button for each preset, and what the chosen one is about."""
    steps = "".join(_button(p) for p in list_presets() if p.number)
    beyond = "".join(_button(p) for p in list_presets() if p.group == "modern")
    tasks = "".join(map(_button, sorted((p for p in list_presets() if p.group == "tasks"),
                                        key=lambda p: (list(TASKS).index(p.config.data.dataset), p.id))))
    return island("ladder", f"""
<nav class="ladder" aria-label="Ladder of twelve steps"><div class="steps"><div class="rungs">{steps}</div>
<div class="beyond" role="group" aria-label="Beyond the ladder">{beyond}</div></div>
<div class="steps tasks" role="group" aria-labelledby="tasks-label"><span id="tasks-label">Tasks</span>{tasks}</div></nav>
<div class="say-row"><p id="say"></p>
<details id="sources"><summary>stated and inferred</summary><dl></dl></details></div>""", elem_id="ladder")


def _button(preset: Preset) -> str:
    number = str(preset.number) if preset.number else "+" if preset.group == "modern" else ""
    return (f'<button type="button" data-preset="{escape(preset.id)}" aria-pressed="false">'
            f'<i>{number}<span class="tick"></span></i>{escape(preset.title)}</button>')
