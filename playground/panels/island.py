"""An island: a gr.HTML with a fixed template whose behaviour is a real file, an ES module of static/."""

from typing import Any

import gradio as gr

ROUTE = "playground"  # where the page's own files are served, relative to the page


def island(module: str, markup: str, *, elem_id: str, **props: Any) -> gr.HTML:
    """`markup` brought to life by `mount` of static/<module>.js. It is never rendered again: events reach `watch`.

    Not a subclass: Gradio would write a stub file beside the source.
    """
    load = (f"import(new URL('{ROUTE}/{module}.js', document.baseURI).href)"
            ".then((m) => m.mount(element, { props, trigger, watch }))")
    return gr.HTML(html_template=markup, js_on_load=load, apply_default_css=False,
                   elem_id=elem_id, **props)
