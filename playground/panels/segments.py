"""A few choices side by side, of which one holds."""

from collections.abc import Iterable


def segments(name: str, label: str, choices: Iterable[tuple[str, str]], size: str = "") -> str:
    """Radio buttons as HTML: `choices` are (value, words), `label` is for those who hear the page."""
    radios = "".join(f'<label><input type="radio" name="{name}" value="{value}"><span>{words}</span></label>'
                     for value, words in choices)
    return f'<div class="{f"segments {size}".strip()}" role="radiogroup" aria-label="{label}">{radios}</div>'
