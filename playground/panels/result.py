"""A result that came with the address, shown over the page until it is closed. The browser fills it in."""

import gradio as gr

from playground import plots
from playground.panels.island import island
from playground.panels.studies import CROSS

RESULT = f"""
<dialog id="result-dialog" aria-labelledby="result-title">
<header><div><p class="stamp">Shared result</p><h2 id="result-title" tabindex="-1"></h2>
<p class="apart">It came with the link: nothing of it was computed here. Your own runs and settings are as they were.</p></div>
<button type="button" class="close" aria-label="Close">{CROSS}</button></header>
<div class="body"><p class="asked" hidden></p>
<p class="lost" hidden></p>
<div class="told"><ul class="cautions" aria-label="Keep in mind"></ul>
<div class="chart"><div class="plot" tabindex="0" role="slider" aria-label="Loss curves: the arrow keys read them"
aria-valuemin="0" aria-valuenow="0"></div>
<div class="of"><div class="segments small" role="radiogroup" aria-label="Loss on">
<label><input type="radio" name="result-of" value="training" checked><span>training</span></label>
<label><input type="radio" name="result-of" value="validation"><span>validation</span></label></div>
<span class="unit">loss, nats a token</span></div></div>
<div class="halves"><div class="compared" tabindex="0" role="region" aria-label="Settings and outcomes"></div>
<section class="wrote" aria-label="Samples"><h3></h3><div class="columns" tabindex="0"></div></section></div></div></div>
<footer><p class="then"></p><button type="button" class="plain" id="result-close">Close</button>
<button type="button" id="result-over">Lay over my chart</button>
<button type="button" class="start" id="result-load">Load these settings</button></footer></dialog>"""


def result() -> gr.HTML:
    """The dialog of a result link: curves, outcomes, settings and a sample, to be read only."""
    words = {kind: [name for name, _ in plots.references(1, 0.0, 0.0, kind)] for kind in ("char", "byte", "bpe")}
    return island("result", RESULT, elem_id="result", layout=plots.layout(), traces=plots.traces(),
                  checked=plots.traces(held_out=True), compared=plots.compared(), inherited=plots.inherited(), references=words)
