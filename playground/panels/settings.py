"""The form."""

import gradio as gr

from playground import form
from playground.panels.island import island

SETTINGS = """
<section class="card form" aria-label="Settings"><div class="form-head">
<h2>Settings <button type="button" id="reset-all" hidden></button></h2>
<p id="estimate" aria-live="polite"></p><ul id="problems" hidden></ul></div>{groups}</section>"""


def settings() -> gr.HTML:
    """All options, which the browser holds as {"preset", "changes"}."""
    return island("form", SETTINGS.replace("{groups}", form.render()), elem_id="settings", schema=form.schema(),
                  presets=form.describe_presets())
