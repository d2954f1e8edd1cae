import gradio as gr

from playground.panels.island import island


def runs_table() -> gr.HTML:
    return island("table", "<div></div>", elem_id="table")
