"""The drawing of the model: a card whose SVG the browser draws from the form."""

import gradio as gr

from playground.panels.island import island

MODEL = """
<section class="card" aria-label="The model"><h2>The model <span id="total" class="mono" title="parameters"></span></h2>
<div id="drawing"></div></section>"""


def model() -> gr.HTML:
    """The stack from embedding to head, live."""
    return island("model", MODEL, elem_id="model")
