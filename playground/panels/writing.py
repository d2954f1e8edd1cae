"""What the model writes: automatic samples, newest to the right, and one from the visitor's own prompt."""

from dataclasses import dataclass

import gradio as gr

from gpt.config import SampleConfig
from gpt.options import options
from playground import form
from playground.panels.island import island


@dataclass(frozen=True)
class Writing:
    """The components of the card."""

    sample: gr.Button
    sample_stop: gr.Button
    sampled: gr.Textbox
    prompt_note: gr.HTML


def writing() -> Writing:
    """Samples stamped with their step, and Sample / Stop with the prompt."""
    prompt = form.row("sample.prompt", options(SampleConfig)["prompt"])
    with gr.Column(elem_id="writing", elem_classes="card"):
        island("samples", '<h2>What it writes <span id="samples-from"></span></h2>'
               '<div class="strip" tabindex="0" role="list" aria-label="Samples by step"></div>', elem_id="samples")
        with gr.Row(elem_id="try"):
            island("prompt", prompt, elem_id="prompt")
            sample = gr.Button("Sample", elem_id="sample")
            sample_stop = gr.Button("Stop", elem_id="sample-stop")
        note = island("prompt_note", '<p class="bad" role="alert" hidden></p>', elem_id="prompt-note")
        sampled = gr.Textbox(
            label="Sample", show_label=False, container=False, lines=4, max_lines=12, interactive=False,
            elem_id="sampled", placeholder="Press Sample: the model continues your words, also while it trains.")
    return Writing(sample, sample_stop, sampled, note)
