"""The form: from the declarations in gpt.config to HTML, to JSON for the browser, and back to a config.

Its value is {"preset": id, "changes": {path: value}}: where it started and what differs from there. No torch here.
"""

import hashlib
import html
import json
from typing import Any

from gpt import options
from gpt.config import GROUPS, RunConfig
from gpt.options import ConfigError, Option, shorten
from gpt.presets import Preset, list_presets, load, previous
from gpt.texts import MAX_TEXT_BYTES
from playground.asked import fields

SEGMENTS = 4  # choices up to this many, if short, lie side by side
SEGMENT_LETTERS = 34  # and no more letters than this in all
ARROW = "M3.5 5.5h6a3.5 3.5 0 1 1 0 7H6M3.5 5.5 6.2 2.8M3.5 5.5l2.7 2.7"  # back to the preset
ELSEWHERE = ("data.text", "sample.prompt")  # shown beside what they belong to, not in the form's list
DRAWINGS = {"data.vocab_size": "cut", "train.decay": "schedule"}  # what the browser draws under an option: path -> id

# Under the choice of the text: paste or bring one's own.
OWN_TEXT = f"""<div id="own-text" data-most="{MAX_TEXT_BYTES}" hidden>
<p class="help" role="status">Plain text in UTF-8, up to {MAX_TEXT_BYTES / 1e6:g} MB, in any language. It stays on this server.</p>
<textarea id="pasted" rows="5" aria-label="Paste a text" placeholder="Paste a text here, or drop a file …" spellcheck="false"
autocomplete="off"></textarea><div class="buttons"><button type="button" id="paste">Use this text</button>
<button type="button" id="upload">Open a file …</button>
<input type="file" id="upload-file" aria-label="A text file" accept=".txt,.md,text/*" hidden></div></div>"""

# The parts that a closed group lets one switch on and off: group -> (name, component, paths switched together).
PARTS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "Token mixing": (("Attention", "attn", ("model.attention",)),),
    "Position": (("Position", "pos", ("model.position",)),),
    "Feed-forward": (("Feed-forward", "mlp", ("model.mlp",)),),
    "Wiring": (("Skip connections", "res", ("model.residual_attn", "model.residual_mlp")),
               ("Normalisation", "norm", ("model.norm",))),
}


# From declarations to the browser ---------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """All options as JSON: what the browser needs to show, hide, reset and name them."""
    about = {path: _describe(path, option) for path, option in options.walk(RunConfig)}
    return {"options": about, "parts": {group: [list(part) for part in parts] for group, parts in PARTS.items()}}


def _describe(path: str, option: Option) -> dict[str, Any]:
    section = path.split(".")[0]
    when = [{f"{section}.{name}": list(values) for name, values in any_of.items()} for any_of in option.when]
    return {"kind": option.kind, "default": option.default, "label": option.label, "term": option.term,
            "group": option.group, "part": option.part, "short": option.short, "zero": option.zero, "when": when,
            "choices": {value: list(words) for value, words in option.choices.items()},
            "low": option.low, "high": option.high, "log": option.log,
            "integer": option.kind == "number" and option.integer, "live": option.live}


def describe_presets() -> list[dict[str, Any]]:
    """All presets as JSON: their words, their differences from the defaults, and what a ladder step changed."""
    plain = options.values(RunConfig())
    described = []
    for preset in list_presets():
        values = options.values(preset.config)
        described.append({
            "id": preset.id, "group": preset.group, "number": preset.number, "title": preset.title,
            "adds": preset.adds, "why": preset.why, "predict": preset.predict,
            "stated": preset.stated, "inferred": preset.inferred, "sources": list(preset.sources),
            "published": sorted(preset.published.items()),
            "values": {path: value for path, value in values.items() if value != plain[path]},
            "changed": _changed(preset),
        })
    return described


def _changed(preset: Preset) -> list[str]:
    """What a ladder step changed: the options that differ from the step before it."""
    before = previous(preset)
    return list(options.difference(preset.config, before.config)) if before else []


# From the browser to a config -------------------------------------------------------------------------------------


def config_of(value: Any) -> tuple[Preset, RunConfig]:
    """The preset and the config that a form's value stands for. Raises ConfigError."""
    given = fields(value).get("preset") or list_presets()[0].id
    preset = load(shorten(given if isinstance(given, str) else type(given).__name__))
    return preset, options.replace(preset.config, changes_of(value))


def changes_of(value: Any) -> dict[str, Any]:
    """What a form's value changes, {path: plain value}, not yet checked. Raises ConfigError for no such table."""
    changes, known = fields(value).get("changes") or {}, len(dict(options.walk(RunConfig)))
    if not isinstance(changes, dict):
        raise ConfigError(["The form's changes are not a table of options: load the page again."])
    if len(changes) > known:
        raise ConfigError([f"{len(changes):,} changes are more than there are options, {known}: load the page again."])
    nested = dict | list  # may be nested deeper than can be repeated in a message
    return {path: type(wanted).__name__ if isinstance(wanted, nested) else wanted for path, wanted in changes.items()}


def value_of(config: RunConfig, preset: Preset) -> dict[str, Any]:
    """The form's value that stands for `config`."""
    changes = {path: after for path, (_, after) in options.difference(config, preset.config).items()}
    return {"preset": preset.id, "changes": changes}


def recipe_of(config: RunConfig, preset: Preset) -> str:
    """A few characters that are the same for the same training from the same preset; how samples are drawn aside."""
    trained = [path.split(".") for path, _ in options.walk(config) if not path.startswith("sample.")]
    acting = {f"{section}.{name}": getattr(getattr(config, section), name) for section, name in trained
              if options.has_effect(getattr(config, section), name)}
    return hashlib.sha256(json.dumps([preset.id, acting]).encode()).hexdigest()[:12]


# HTML -------------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Text as HTML that is also safe in a gr.HTML template, where braces, dollars, backticks and backslashes act."""
    escaped = html.escape(str(text), quote=True)
    for character in "`\\${}":
        escaped = escaped.replace(character, f"&#{ord(character)};")
    return escaped


def render() -> str:
    """The whole form. The browser fills in values, visibility, marks and the lines of chosen choices."""
    known = dict(options.walk(RunConfig))
    listed = [(path, option) for path, option in known.items() if path not in ELSEWHERE]
    groups = {group: [row for row in listed if row[1].group == group] for group in GROUPS}
    return "".join(_group(group, GROUPS[group], rows) for group, rows in groups.items())


def _group(name: str, part: str, rows: list[tuple[str, Option]]) -> str:
    parts = PARTS.get(name, ())
    lines = "".join(_line(label, colour) for label, colour, _ in parts) or _line(name, part)
    switches = "".join(
        f'<label class="switch on-line"><input type="checkbox" role="switch" data-switch="{escape(label)}" '
        f'aria-label="{escape(label)}"><i></i></label>' for label, _, _ in parts)
    body = "".join(row(path, option) + _below(path) for path, option in rows)
    return (f'<section class="group" data-group="{escape(name)}"><details><summary>{lines}</summary>'
            f'<div class="rows">{body}</div></details><div class="switches">{switches}</div></section>')


def _below(path: str) -> str:
    if path == "data.dataset":
        return OWN_TEXT
    return f'<figure id="{DRAWINGS[path]}" class="drawn" hidden></figure>' if path in DRAWINGS else ""


def _line(label: str, part: str) -> str:
    return (f'<span class="line" data-part="{part}"><b>{escape(label)}<em class="dot" hidden></em></b>'
            f'<span class="values" data-values="{escape(label)}"></span></span>')


def row(path: str, option: Option) -> str:
    """One option: label, term, mark, reset, control, what the choice does, explanation and source."""
    control = {"choice": _choice, "switch": _switch, "number": _number, "text": _text}[option.kind](path, option)
    term = f'<span class="term">{escape(option.term)}</span>' if option.term else ""
    source = f'<span class="tag">{escape(option.source)}</span>' if option.source else ""
    line = '<p class="says"></p>' if option.kind == "choice" else ""
    return (f'<div class="option" data-path="{path}" data-part="{option.part}">'
            f'<div class="option-head"><span class="name"><label id="{_id(path)}-label" for="{_id(path)}">'
            f'{escape(option.label)}</label>{term}<em class="mark" hidden>this step</em></span>'
            f'<button type="button" class="reset" aria-label="Reset {escape(option.label)}" hidden>'
            f'<svg viewBox="0 0 16 16" aria-hidden="true"><path d="{ARROW}"/></svg></button>'
            f'{control if option.kind in ("switch", "number") else ""}</div>'
            f'{_range(path, option)}{control if option.kind in ("choice", "text") else ""}{line}'
            f'<p class="help">{escape(option.help)} {source}</p></div>')


def _id(path: str) -> str:
    return "o-" + path.replace(".", "-")


def _choice(path: str, option: Option) -> str:
    labels = [label for label, _ in option.choices.values()]
    if len(labels) <= SEGMENTS and sum(map(len, labels)) <= SEGMENT_LETTERS:
        segments = "".join(
            f'<label><input type="radio" name="{_id(path)}" value="{escape(value)}">'
            f'<span>{escape(label)}</span></label>'
            for value, (label, _) in option.choices.items())
        return f'<div class="segments" role="radiogroup" aria-labelledby="{_id(path)}-label">{segments}</div>'
    items = "".join(f'<option value="{escape(v)}">{escape(label)}</option>' for v, (label, _) in option.choices.items())
    return f'<div class="select"><select id="{_id(path)}">{items}</select></div>'


def _switch(path: str, option: Option) -> str:
    return f'<label class="switch"><input type="checkbox" role="switch" id="{_id(path)}"><i></i></label>'


def _number(path: str, option: Option) -> str:
    off = f'<span class="zero" hidden>{escape(option.zero)}</span>' if option.zero else ""
    return (f'<span class="numeric">{off}<input id="{_id(path)}" type="text" inputmode="decimal" autocomplete="off" '
            f'spellcheck="false" size="7"></span>')


def _range(path: str, option: Option) -> str:
    """A slider, where one makes sense: a seed has no more and less."""
    if option.kind != "number" or (option.high - option.low > 1e6 and not option.log):
        return ""
    return (f'<input class="slider" type="range" min="0" max="1000" step="1" aria-labelledby="{_id(path)}-label">')


def _text(path: str, option: Option) -> str:
    return (f'<textarea id="{_id(path)}" rows="1" maxlength="{int(option.high)}" spellcheck="false" '
            f'autocomplete="off"></textarea>')
