"""The diagram of the model, which the browser draws from the form and which switches it; and what stands under it."""

import gradio as gr

from playground.panels.island import island

TINTS = (("off", "off"), ("gradients", "gradients"), ("activations", "activations"), ("updates", "updates"))
KEYS = '<p class="keys" aria-hidden="true"><kbd>↑</kbd><kbd>↓</kbd> walk · <kbd>Enter</kbd> switches</p>'
CHOICES = '<div class="choices" popover="auto" role="dialog"></div>'
SIGNALS = "".join(f'<label><input type="radio" name="tint" value="{value}"{" checked" if value == "off" else ""}>'
                  f'<span>{words}</span></label>' for value, words in TINTS)

MODEL = f"""
<section class="card" id="model-card" aria-label="The model"><h2>The model
<span id="total" class="mono" title="parameters"></span></h2>
<div class="drawing"></div>{KEYS}<p class="legend" hidden></p>
<div class="signals"><span id="tint-label">Colour by</span>
<div class="segments small" role="radiogroup" aria-labelledby="tint-label">{SIGNALS}</div>
<div class="ramp" aria-hidden="true" hidden></div><p class="tint-says" hidden></p></div>
<div class="tools"><button type="button" id="model-larger">Larger</button>
<button type="button" id="model-save">Save as SVG</button></div>{CHOICES}</section>
<section class="card" aria-label="Parameters by part"><h2>Where the parameters are</h2>
<ul id="weights"></ul></section>
<section class="card" id="begin" aria-label="How to begin" hidden><h2>How to begin</h2>
<p>New to all this? <button type="button" class="link" data-lesson="1">Twelve short lessons</button> begin at the first
step.</p><ol>
<li><b>Train.</b> The curve falls past the dotted lines: what guessing, counting letters, and a table of pairs
can do.</li>
<li><b>Take the next step</b> of the ladder: each adds one part.</li>
<li><b>Switch a part off</b>, in the drawing above or on the right, and train again. The gap between two
curves is what it was worth.</li>
</ol></section>
<dialog id="model-dialog" aria-label="The model, large"><header><b>The model</b> <span class="total mono"></span>
<button type="button" class="close" aria-label="Close">×</button></header>
<div class="drawing"></div><p class="legend" hidden></p>{CHOICES}</dialog>"""


def model() -> gr.HTML:
    """The stack from embedding to head, live; the parameters of each part; for a new visitor, what to do first."""
    return island("model", MODEL, elem_id="model")
