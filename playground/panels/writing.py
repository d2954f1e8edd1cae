"""What the model writes: automatic samples, newest to the right, and one from the visitor's own prompt."""

import gradio as gr

from gpt.config import SampleConfig
from gpt.options import options
from playground import form
from playground.panels.island import island

SAMPLES = """<div class="heading"><h2>What it writes <span id="samples-from"></span></h2></div>
<div class="strip" tabindex="0" role="list" aria-label="Samples by step"></div>"""

ANSWERS = """<h2>What it answers <span id="answers-now"></span></h2>
<div class="answered"><figure class="exact" tabindex="0" role="slider" aria-label="Exact answers by step: the arrow keys choose a check"
aria-valuemin="0" aria-valuenow="0"></figure><div class="wrong"></div></div>"""

OWN = """<div id="prompt-note"><p class="bad" role="alert" hidden></p></div>
<div id="sampled"><textarea rows="4" readonly aria-label="Sample"
placeholder="Press Sample: the model continues your words, also while it trains."></textarea></div>"""


def writing() -> None:
    """Samples stamped with their step, and Sample / Stop with the prompt."""
    prompt = form.row("sample.prompt", options(SampleConfig)["prompt"])
    with gr.Column(elem_id="writing", elem_classes="card"):
        island("samples", SAMPLES, elem_id="samples")
        island("answers", ANSWERS, elem_id="answers")  # of a task, in their place
        with gr.Row(elem_id="try"):
            island("prompt", prompt, elem_id="prompt")
            gr.Button("Sample", elem_id="sample")
            gr.Button("Stop", elem_id="sample-stop")
        island("writing", OWN, elem_id="own-writing")
