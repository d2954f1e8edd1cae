"""The middle of the page: Train and its neighbours, the status, and the live chart."""

import os
from importlib.metadata import version

import gradio as gr

from playground import plots
from playground.panels.island import ROUTE, island

STATUS = """
<div class="status"><p><b id="status-step"></b> <span id="status-left"></span></p><p id="status-words"></p>
<p class="hush" role="status" aria-live="polite" id="announce"></p></div>"""

CHART = """
<div class="bar" role="progressbar" aria-label="Training" aria-valuemin="0" aria-valuemax="100"><i></i></div>
<div id="live" role="group" aria-label="Change this run" hidden></div>
<p id="note" role="alert" hidden></p>
<div id="chart-root" data-run="" data-step="0" data-points="0" data-status=""><div class="plot" tabindex="0"
role="slider" aria-label="Loss curves: the arrow keys read them" aria-valuemin="0" aria-valuenow="0"></div>
<div class="of"><div class="segments small" role="radiogroup" aria-label="Loss on">
<label title="The loss of each batch, smoothed"><input type="radio" name="of" value="training" checked><span>training</span></label>
<label title="The loss on text the model never learns from"><input type="radio" name="of"
value="validation"><span>validation</span></label></div>
<div class="segments small" role="radiogroup" aria-label="Loss in">
<label title="The loss as it is trained: compares among runs with the same tokens"><input type="radio" name="measure"
value="nats" checked><span>nats a token</span></label>
<label title="The same by the characters of the text: compares whatever the tokens are"><input type="radio" name="measure"
value="bits"><span>bits a character</span></label></div>
<span class="unit" role="status"></span></div>
<p class="hint"></p></div>
<div class="tools">
<div class="segments small" role="radiogroup" aria-label="Horizontal axis">
<label><input type="radio" name="x-axis" value="steps" checked><span>steps</span></label>
<label><input type="radio" name="x-axis" value="tokens"><span>tokens</span></label>
<label><input type="radio" name="x-axis" value="seconds"><span>seconds</span></label>
<label title="Operations of the training so far"><input type="radio" name="x-axis" value="flops"><span>FLOPs</span></label></div>
<div class="segments small" role="group" aria-label="Logarithmic axes">
<label><input type="checkbox" id="log-x"><span>log x</span></label>
<label><input type="checkbox" id="log-y"><span>log y</span></label></div>
<label class="smoothing">smooth <input type="range" class="slider" id="smoothing" min="0" max="100" value="66"
aria-label="Smoothing"></label>
<span class="space" id="device"></span><button type="button" id="share"
title="Copy a link that shows this result to others: curve, outcome and sample">Share</button><button type="button" id="csv">CSV</button><button type="button" id="png">PNG</button></div>
<div class="runs" id="runs" role="group" aria-label="Your newest runs"></div>"""


def training() -> gr.HTML:
    """Buttons, status and chart; returns the chart."""
    with gr.Column(elem_id="desk", elem_classes="card"):
        with gr.Row(elem_id="controls"):
            gr.Button("Train", variant="primary", elem_id="train")
            gr.Button("Pause", elem_id="pause")
            gr.Button("Step", elem_id="step")
            gr.Button("Stop", elem_id="stop")
            gr.Button("+ steps", elem_id="extend")
            gr.Button("Ablate …", elem_id="ablate-open")  # opens a dialog, in the browser
            island("status", STATUS, elem_id="status")
        desk = live_chart()
    return desk


def live_chart() -> gr.HTML:
    """The chart: asks for what is new and appends it. On a Space it asks less often, since hosts count requests."""
    return island("chart", CHART, elem_id="chart",
                  every_ms=1500 if os.environ.get("SPACE_ID") else 400,
                  plotly=f"{ROUTE}/plotly/plotly.min.js?{version('plotly')}",
                  layout=plots.layout(), traces=plots.traces(), checked=plots.traces(held_out=True),
                  compared=plots.compared(), inherited=plots.inherited(),
                  earlier=[plots.earlier(place) for place in range(plots.EARLIER)])
