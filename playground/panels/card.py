"""What a run's course says: what is wrong and what would mend it, what came of it, what to try next, and where to fork it."""

import gradio as gr

from playground.panels.island import island

CARD = """
<div class="findings" role="status" aria-live="polite"></div>
<section class="card course" aria-label="What came of this run" hidden>
<div class="told" hidden>
<section class="changed"><h2>What changed</h2><ul class="tags"></ul><p class="against"></p></section>
<section class="happened"><h2>What happened</h2><p></p></section>
<section class="next"><h2>Next</h2><ul></ul></section></div>
<div class="way"><p class="origin"></p><ul class="made" aria-label="Changed on the way"></ul></div>
<button type="button" id="fork-open" aria-expanded="false" aria-controls="fork" hidden><svg viewBox="0 0 16 16" aria-hidden="true">
<path d="M3 3v10M3 8.5c5 0 8-.5 8-5M8.6 5.4 11 3l2.4 2.4"/></svg>Fork …</button>
<section id="fork" aria-label="Fork this run" hidden>
<p class="help">A fork is a new run. It begins with the weights this one had at a step that was kept, and goes on with the form's
settings. This run stays as it is.</p>
<div class="stops" role="radiogroup" aria-label="Step to fork at"></div>
<div class="go"><p class="with"></p><button type="button" id="fork-here" class="strong">Fork here with these settings</button></div>
<p class="refused" role="alert" hidden><span></span> <button type="button" class="plain" hidden></button></p>
</section></section>"""


def card() -> gr.HTML:
    """The card under the chart; hidden while there is nothing to say."""
    return island("card", CARD, elem_id="card")
