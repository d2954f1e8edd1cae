"""The ladder as lessons: a rail of twelve steps, and one lesson at a time, which the browser fills in."""

import gradio as gr

from playground.panels.island import island

LEARN = """
<div class="learn"><nav class="rail" aria-label="Lessons"><ol></ol></nav>
<p class="offline" role="alert" hidden></p>
<article class="lesson" aria-labelledby="lesson-title" hidden>
<header><p class="where"></p><h2 id="lesson-title" tabindex="-1"></h2></header>
<div class="lesson-grid">
<p class="idea"></p>
<section class="card sketch" aria-label="The model of this step"><h3>The model <span class="mono"></span></h3><figure></figure>
<p class="key"><i></i> new in this step</p></section>
<section class="card formula" aria-label="The formula"><h3>The formula</h3>
<div class="two"><div class="equations"></div><dl></dl></div></section>
<section class="card market" aria-label="Query, key and value" hidden></section>
<section class="card guess" aria-label="Your guess"><h3>Your guess</h3><p class="asks"></p>
<h4 class="came-out" hidden></h4>
<div class="dial"><div class="pointer"><input type="range" class="slider"
aria-label="Your guess: how the loss will change"></div>
<div class="gauge"></div></div>
<output class="guessed"></output>
<div class="outcome" aria-live="polite" hidden></div>
<div class="growing" hidden><p class="pace"></p><figure class="small-curve"></figure></div>
<div class="wrote" hidden><h4>What it writes now</h4><pre></pre></div>
<div class="buttons"><button type="button" class="strong start-training"></button>
<button type="button" class="only">See it without training</button>
<button type="button" class="halt" hidden>Stop here</button><button type="button" class="in-train" hidden>Open in Train</button>
<button type="button" class="anew" hidden>Guess again</button></div>
<p class="sorry bad" role="alert" hidden></p></section>
<section class="card errand" aria-label="One thing to try"><h3>One thing to try</h3><p></p>
<button type="button" class="strong"></button></section></div>
<nav class="pager" aria-label="Before and after"><button type="button" class="back"></button>
<button type="button" class="onward"></button></nav>
</article></div>"""


def learn() -> gr.HTML:
    """One lesson, with the rail of all."""
    return island("learn", LEARN, elem_id="learn")
