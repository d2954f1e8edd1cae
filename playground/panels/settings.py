"""The form, and the panel for an own text."""

import gradio as gr

from playground import form
from playground.panels.island import island

SETTINGS = """
<section class="card form" aria-label="Settings"><div class="form-head">
<h2>Settings <button type="button" id="reset-all" hidden></button></h2>
<p id="estimate" aria-live="polite"></p><ul id="problems" hidden></ul></div>{groups}</section>"""

OWN_TEXT = """<h2>My own text</h2><p class="help" aria-live="polite">Plain text in UTF-8, up to 20 MB, in any language.
It stays on this server.</p>"""


def settings() -> gr.HTML:
    """All options; its value is {"preset", "changes"}."""
    return island("form", SETTINGS.replace("{groups}", form.render()), elem_id="settings", schema=form.schema(),
                  presets=form.describe_presets())


def own_text() -> tuple[gr.Textbox, gr.Button, gr.UploadButton, gr.HTML]:
    """Paste or upload: shown while the form's text is "my own text"."""
    with gr.Column(elem_id="own-text", elem_classes="card"):
        note = island("own_text", OWN_TEXT, elem_id="text-note")
        pasted = gr.Textbox(label="Paste a text", show_label=False, container=False, lines=5, max_lines=5,
                            elem_id="pasted", placeholder="Paste a text here ...")
        with gr.Row(elem_classes="buttons"):
            paste = gr.Button("Use this text", elem_id="paste")
            upload = gr.UploadButton("Upload a file", elem_id="upload", file_count="single")
    return pasted, paste, upload, note
