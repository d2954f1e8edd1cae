"""Inside a trained model: its guesses for each token, its attention, its vectors, and what it relies on."""

import gradio as gr

from playground.panels.island import island

PLAY = ('<button type="button" class="play"><svg viewBox="0 0 16 16" aria-hidden="true">'
        '<path class="go" d="M5 3.2v9.6L12.6 8Z"/>'
        '<path class="rest" d="M4.5 3.5h2.4v9H4.5zM9.1 3.5h2.4v9H9.1z"/></svg></button>')

WEIGHTS = f"""
<section class="card in-bar" aria-label="Which weights">
<div class="select"><select aria-label="Run to look into"></select></div>
<div class="weights-at" hidden>{PLAY}<label for="in-step">weights of step</label>
<div class="track"><input type="range" class="slider" id="in-step" min="0" value="0" step="1">
<div class="ticks" aria-hidden="true"></div></div>
<output for="in-step"></output></div>
<p class="state" role="status"></p>
<nav class="in-index" aria-label="On this page" hidden><a href="#in-next">Next token</a><a href="#in-attention">Attention</a>
<a href="#in-embeddings">Embeddings</a><a href="#in-knock">Knock out</a><a href="#signals">Signals</a></nav></section>"""

NEXT = """
<section class="card in-next" id="in-next" tabindex="-1" aria-label="Next token"><div class="reading-side"><h2>Next token
<span class="scale"><span>surprise, nats</span><i>0</i><b aria-hidden="true"></b><i>6+</i></span></h2>
<div class="toks" tabindex="0" role="listbox" aria-label="Text: the arrow keys go from token to token"></div>
<p class="facts"></p>
<div class="yours"><button type="button" class="another">Another passage</button>
<button type="button" class="own" aria-expanded="false" aria-controls="in-text">Your own text …</button>
<textarea id="in-text" rows="2" aria-label="Text to look at" spellcheck="false" hidden></textarea></div>
<p class="bad" role="alert" hidden></p></div>
<div class="guesses"><h3></h3><p class="sub"></p><ol class="candidates"></ol><p class="key"></p></div>
<div class="belief" hidden><h3>How this guess came about, step by step</h3><p class="sub"></p><div class="plot"></div></div>
<div class="lens"><h3>Its best guess after each layer</h3><p class="sub"></p><ol></ol></div></section>"""

ATTENTION = """
<section class="card in-attention" id="in-attention" tabindex="-1" aria-label="Attention">
<h2>Attention <span class="which"></span></h2>
<p class="off" hidden></p>
<div class="looks"><div class="thumbs" role="radiogroup" aria-label="Heads"></div>
<div class="large"><canvas role="img"></canvas></div>
<div class="gaze"><p class="says" role="status"></p><div class="toks small" tabindex="0" role="listbox"
aria-label="Text: the arrow keys choose the token that looks"></div><p class="facts"></p></div></div></section>"""

EMBEDDINGS = f"""
<section class="card in-embeddings" id="in-embeddings" tabindex="-1" aria-label="Embeddings">
<h2>Embeddings <span class="which"></span></h2>
<div class="head"><p class="about"></p><div class="segments small" role="radiogroup" aria-label="Vectors of">
<label><input type="radio" name="embeddings-of" value="tokens" checked><span>tokens</span></label>
<label><input type="radio" name="embeddings-of" value="positions"><span>positions</span></label></div></div>
<p class="off" hidden></p>
<div class="picture"><figure><div class="plot" tabindex="0" role="group" aria-roledescription="map" aria-describedby="in-near"
aria-label="Vectors as points: the arrow keys go from one to another, a letter key to its token"></div><p class="waits"></p>
<figcaption>{PLAY}<span class="kinds"></span></figcaption></figure>
<div class="near"><h3></h3><p class="sub"></p><ol></ol><p class="read hush" id="in-near" aria-live="polite"></p>
<p class="facts shares"></p><p class="facts note"></p></div></div></section>"""

KNOCK = """
<section class="card in-knock" id="in-knock" tabindex="-1" aria-label="What it relies on"><h2>What it relies on</h2>
<div class="about"><p>Takes one part at a time out of this trained model and measures its loss on held-out text again.
<span>What training <b>without</b> a part would give is another question: a model that never had it finds other ways.</span></p>
<div class="buttons"><button type="button" class="strong knock">Knock out each part</button>
<button type="button" data-ablate>Ablate: train without …</button></div></div>
<p class="bad" role="alert" hidden></p><div class="found" hidden><p class="most"></p>
<div class="two"><h3>Two questions, part by part</h3>
<div class="scroll pairs" tabindex="0" role="region" aria-label="Parts taken out, and runs trained without them">
<table></table></div>
<p class="bad pairs-bad" role="alert" hidden></p><p class="facts pairs-note"></p></div>
<div class="scroll parts" tabindex="0" role="region" aria-label="Change in loss without each part"><table></table></div>
<p class="facts parts-facts"></p>
<div class="texts" hidden><h3></h3><div class="beside"></div><p class="facts"></p></div></div></section>"""

INSPECTING = f"""{WEIGHTS}
<section class="card in-empty" hidden><p></p><button type="button" class="start">Train a model</button></section>
<div class="in-body" hidden>{NEXT}{ATTENTION}{EMBEDDINGS}{KNOCK}</div>"""


def inspecting() -> gr.HTML:
    """The shown run's model, seen from inside at any of its kept steps, also while it trains."""
    return island("inspecting", INSPECTING, elem_id="inspecting-card")
