"""The table of all the visitor's runs: what is compared in the chart is ticked here."""

import gradio as gr

from playground.panels.island import island

TABLE = """
<section class="card" id="runs-table" aria-label="Runs">
<div class="table-top"><h2>Runs <span id="runs-count"></span></h2>
<div class="filter"><input type="search" id="runs-filter" placeholder="Filter: name, preset, status, tag:x"
aria-label="Filter the runs by words; tag:x for a tag" autocomplete="off" spellcheck="false">
<span class="select"><select id="runs-sort" aria-label="Sort by"></select></span></div>
<div class="bulk" role="group" aria-label="Ticked runs"><p id="selection-count" role="status"></p>
<span class="bulk-tools" hidden><span id="selection-tools"></span>
<button type="button" id="selection-delete">Delete</button>
<button type="button" id="selection-clear">Clear</button></span></div></div>
<div class="grid" role="grid" aria-label="Runs" aria-multiselectable="true">
<div class="grid-head" role="row" aria-rowindex="1"></div>
<div class="grid-body" role="rowgroup"><div class="grid-space" role="presentation"></div></div></div>
<p class="empty" hidden></p></section>"""


def runs_table() -> gr.HTML:
    """Sorted, filtered, ticked, named, tagged and deleted in the browser, which holds all rows and draws those in view."""
    return island("table", TABLE, elem_id="table")
