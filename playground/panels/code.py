"""The form's model as code, and a run's weights as files."""

import gradio as gr

from playground.bringing import MOST_BYTES
from playground.panels.island import island

CODE = """
<section class="card" id="code-card" aria-label="The code"><h2>The code <span class="hint-right">the settings as one file that needs
PyTorch alone</span></h2>
<div class="code-top"><p id="code-differ" role="status"></p>
<div class="code-against"><label for="code-against">against</label><div class="select"><select id="code-against"></select></div></div></div>
<div class="code-frame"><header><b id="code-name" class="mono"></b><span id="code-lines"></span>
<span class="code-tools"><button type="button" id="code-next" hidden>Next difference</button>
<button type="button" id="code-copy">Copy</button><button type="button" id="code-save">Download</button></span></header>
<p class="refused" role="alert" hidden></p>
<div class="code-view"><div class="code-box" tabindex="0" role="region" aria-label="The script"><pre></pre></div>
<div class="code-map" aria-hidden="true"></div></div>
<footer>To run it: <code id="code-run"></code><span>with any text in UTF-8; it trains, and writes a sample.</span></footer></div></section>
<section class="card" id="weights-card" aria-label="The weights"><h2>The weights <span class="hint-right" id="weights-of"></span></h2>
<div class="weights-two"><div class="out"><p class="lead"></p>
<div class="buttons"><button type="button" id="take" class="strong">Download weights</button>
<button type="button" id="take-transformers">For transformers</button></div>
<p class="help" id="take-help"></p><ul class="help" id="take-why" hidden></ul></div>
<div class="in"><p class="lead">Go on with weights that this page has written, here or on another machine.</p>
<div class="buttons"><button type="button" id="bring">Bring weights …</button>
<input type="file" id="bring-file" aria-label="A file of weights" accept=".safetensors" hidden></div>
<p class="help" id="bring-help">A .safetensors file of up to 64 MB, or drop it here.</p></div></div>
<p id="weights-said" role="status" hidden></p></section>"""


def code() -> gr.HTML:
    """The script of the form with what differs from another's, and weights out and in."""
    return island("code", CODE, elem_id="code", most=MOST_BYTES)
