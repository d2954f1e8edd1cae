"""The diagram of the model, which the browser draws from the form and which switches it; and what stands under it."""

import gradio as gr

from playground.panels.island import island

MODEL = """
<section class="card" id="model-card" aria-label="The model"><h2>The model <span id="total" class="mono" title="parameters"></span></h2>
<div class="drawing"></div><p class="legend" hidden></p>
<div class="choices" popover="auto" role="dialog"></div></section>
<section class="card" aria-label="Parameters by part"><h2>Where the parameters are</h2>
<ul id="weights"></ul></section>
<section class="card" id="begin" aria-label="How to begin" hidden><h2>How to begin</h2><ol>
<li><b>Train.</b> The curve falls past the dotted lines: what guessing, counting letters, and a table of pairs
can do.</li>
<li><b>Take the next step</b> of the ladder: each adds one part.</li>
<li><b>Switch a part off</b> on the right and train again. The gap between two curves is what it was worth.</li>
</ol></section>"""


def model() -> gr.HTML:
    """The stack from embedding to head, live; the parameters of each part; for a new visitor, what to do first."""
    return island("model", MODEL, elem_id="model")
