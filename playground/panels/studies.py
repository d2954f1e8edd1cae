"""Studies: the dialog that sets one up, what they found, and chosen runs side by side. The browser fills them in."""

import gradio as gr

from playground import plots
from playground.panels.island import island
from playground.panels.segments import segments

SEEDS = 10  # the page offers up to as many; the server has the last word
BUDGETS = {"steps": "steps", "tokens": "tokens", "seconds": "seconds", "flops": "FLOPs", "parameters": "parameters"}
CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 4l8 8M12 4l-8 8"/></svg>'


ABLATE = f"""
<dialog id="ablate-dialog" aria-labelledby="ablate-title">
<header><div><h2 id="ablate-title" tabindex="-1">What is each part worth?</h2><p id="ablate-base"></p></div>
<button type="button" class="close" aria-label="Close">{CROSS}</button></header>
<div class="body"><div class="choose">
<div class="tabs" role="tablist" aria-label="What the variants change">
<button type="button" role="tab" id="tab-parts" aria-controls="panel-parts">Parts</button>
<button type="button" role="tab" id="tab-number" aria-controls="panel-number">One number</button></div>
<section role="tabpanel" id="panel-parts" aria-labelledby="tab-parts"></section>
<section role="tabpanel" id="panel-number" aria-labelledby="tab-number" hidden>
<div class="pick"><label for="sweep-path">The number to vary</label>
<div class="select"><select id="sweep-path"></select></div></div>
<div class="pick"><div class="pick-head"><label for="sweep-add">Its values</label>
<button type="button" class="plain" id="sweep-suggested">suggested ones</button></div>
<div class="numbers" id="sweep-values"><input id="sweep-add" type="text" inputmode="decimal" autocomplete="off"
spellcheck="false" placeholder="add a value" aria-describedby="sweep-help"></div>
<p class="help" id="sweep-help">Type a value and press Enter. The base's own value is always among them.</p>
<figure class="numbers-line" aria-hidden="true"></figure></div></section></div>
<div class="costs">
<section><h3>Seeds</h3>{segments("ablate-seeds", "Seeds", ((str(n), str(n)) for n in range(1, SEEDS + 1)))}
<p class="help" id="seeds-help"></p></section>
<section><h3>Held equal</h3>{segments("ablate-budget", "Held equal", BUDGETS.items())}
<p class="help" id="budget-help"></p></section>
<section id="ablate-steps"><div class="pick-head"><h3><label for="ablate-steps-number">Steps a run</label></h3>
<input id="ablate-steps-number" type="text" inputmode="numeric" autocomplete="off" spellcheck="false"></div>
<input class="slider" type="range" min="0" max="1000" step="1" aria-label="Steps a run">
<p class="help" id="steps-help"></p></section>
<figure id="ablate-grid" role="img"></figure>
<details id="ablate-notes" hidden><summary></summary><ul></ul></details></div></div>
<footer><ul class="problems" role="alert" hidden></ul>
<p class="sum" aria-live="polite"><b id="ablate-runs"></b> <span id="ablate-time"></span></p>
<button type="button" class="plain" id="ablate-cancel">Cancel</button>
<button type="button" class="start" id="ablate-start">Start</button></footer></dialog>"""

STUDIES = """
<section class="card" id="studies-card" aria-label="Studies"><h2>Studies <span class="hint-right"></span></h2>
<div class="chips" role="group" aria-label="Your studies"></div>
<div class="none"><svg class="ghost" viewBox="0 0 320 112" aria-hidden="true"></svg><div>
<p><b>Which part matters, and is it more than chance?</b></p>
<p>A study trains the present model and variants of it, each with a part taken away, added or swapped, on the same batches
from the same starting weights. Then it ranks what each part is worth, with an interval over several seeds.</p>
<button type="button" class="start" data-ablate>Ablate …</button></div></div>
<article class="study" hidden></article></section>"""

DIFFERENCES = """
<section class="card" id="differences-card" aria-label="Differences" tabindex="-1" hidden><h2>Differences
<span class="hint-right">against the first run</span></h2><div class="told" hidden></div>
<div class="compared" tabindex="0" role="region" aria-label="Differences of the chosen runs"></div>
<ul class="cautions" aria-label="Keep in mind"></ul>
<section class="together" aria-label="What they write"></section></section>"""


def ablate() -> gr.HTML:
    """The dialog behind "Ablate …"."""
    return island("ablate", ABLATE, elem_id="ablate")


def studies() -> gr.HTML:
    """The visitor's studies, and the shown one: ranked, charted, and in words."""
    return island("studies", STUDIES, elem_id="studies", layout=plots.layout())


def differences() -> gr.HTML:
    """The chosen runs side by side: options, outcomes, and what they write from the same words."""
    return island("differences", DIFFERENCES, elem_id="differences")
