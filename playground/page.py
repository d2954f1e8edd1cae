"""The components of the page that events and tests name."""

from dataclasses import dataclass

import gradio as gr


@dataclass(frozen=True)
class Page:
    """What the regions made, for wiring."""

    demo: gr.Blocks
    visitor: gr.BrowserState
    desk: gr.HTML  # the chart: its value says whose page it is and which run it shows
    form: gr.HTML
    pasted: gr.Textbox
    paste: gr.Button
    upload: gr.UploadButton
    text_note: gr.HTML
