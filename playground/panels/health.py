"""How the signals of the shown run fare through its depth: a map over depth and steps, and a line for each part."""

import gradio as gr

from playground.panels.island import island
from playground.panels.segments import segments

MEASURES = (("activations", "activations"), ("gradients", "gradients"), ("updates", "updates"))
WHERE = (("stream", "in the stream"), ("part", "of each part"))

HEALTH = f"""
<section class="card" id="signals" tabindex="-1" aria-labelledby="signals-title">
<h2 id="signals-title">Signal health <span class="hint-right"></span></h2>
<p class="none" hidden></p>
<div class="measured" hidden>
<div class="head"><p class="said" role="status"><svg viewBox="0 0 16 16" aria-hidden="true"><path></path></svg><span></span></p>
<div class="switches">{segments("health-measure", "What is measured", MEASURES, "small")}
{segments("health-where", "Where it is measured", WHERE, "small")}</div></div>
<div class="charts">
<figure class="map"><figcaption></figcaption>
<div class="plot" tabindex="0" role="group" aria-roledescription="map" aria-describedby="signals-read"></div></figure>
<figure class="lines"><figcaption></figcaption><div class="plot" aria-hidden="true"></div></figure></div>
<div class="foot"><div class="ramp" aria-hidden="true"></div><p id="signals-read" aria-live="polite"></p></div>
<p class="help"></p></div></section>"""


def health() -> gr.HTML:
    """The last card of the Inspect view: it is about the whole run, not about one step's weights."""
    return island("health", HEALTH, elem_id="health-card")
