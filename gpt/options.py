"""Options: fields of frozen dataclasses that describe themselves.

`choice()`, `number()`, `switch()` and `text()` declare a field together with everything that is said
about it anywhere: label, term, explanation, source, range, and when it has an effect. The form, the
command line, the presets, the run names, the README's table and the tests all read that declaration.
No torch here: the command line's help and the page must appear before torch is imported.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Iterator

# A condition: any one of the dicts must hold; a dict holds when every option it names has one of the values.
Condition = tuple[dict[str, tuple], ...]


class Refusal(ValueError):
    """What was asked for cannot be done; the message is for people and names the way out."""


class ConfigError(Refusal):
    """Options that cannot work. `problems` lists all of them, each with what would pass."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Option:
    """One option: what it is called, what it may be, and what is known about it."""

    name: str
    kind: str  # "choice", "number", "switch" or "text"
    default: Any
    label: str  # plain words
    term: str  # the field's own word
    help: str  # one or two sentences
    source: str  # author year
    group: str  # the section of the form
    part: str  # the component whose colour it carries, or ""
    short: str  # in a run's name: "-residual", "lr 3e-4"
    prefixed: bool  # a choice that needs `short` before its label to be understood: "init torch"
    when: Condition  # () means always
    choices: dict[str, tuple[str, str]]  # value -> (label, one line)
    low: float
    high: float
    log: bool  # a logarithmic slider
    zero: str  # what 0 means, where it means something special: "off"
    typical: float  # a number to try where it is off
    live: bool  # may change while a run goes

    @property
    def integer(self) -> bool:
        return isinstance(self.default, int)

    def check(self, value: Any) -> str | None:
        """A sentence saying what is wrong with `value` and what would pass, or None."""
        if self.kind == "choice":
            if not isinstance(value, str) or value not in self.choices:
                return f"{self.name} = {quoted(value)}: choose one of {', '.join(self.choices)}."
        elif self.kind == "switch":
            if not isinstance(value, bool):
                return f"{self.name} = {quoted(value)}: use true or false."
        elif self.kind == "text":
            if not isinstance(value, str):
                return f"{self.name} = {quoted(value)}: use text."
            if len(value) > self.high:
                return f"{self.name} has {len(value):,} characters: use at most {self.high:,}."
        else:
            wanted = "a whole number" if self.integer else "a number"
            if isinstance(value, bool) or not isinstance(value, int if self.integer else (int, float)):
                return f"{self.name} = {quoted(value)}: use {wanted} from {show(self.low)} to {show(self.high)}."
            in_range = self.low <= value <= self.high or (self.zero and value == 0)
            if not in_range:
                also = f", or 0 for {self.zero}" if self.zero and self.low > 0 else ""
                return f"{self.name} = {show(value)}: use {wanted} from {show(self.low)} to {show(self.high)}{also}."
        return None

    def parse(self, written: str) -> Any:
        """The value that a command line or an address spells as `written`. Raises ConfigError."""
        if self.kind == "switch":
            value: Any = {"true": True, "on": True, "yes": True, "1": True,
                          "false": False, "off": False, "no": False, "0": False}.get(written.lower(), written)
        elif self.kind == "number":
            try:
                value = (int if self.integer else float)(written.replace(",", ""))
            except ValueError:
                value = written
        else:
            value = written
        if problem := self.check(value):
            raise ConfigError([problem])
        return value

    def coerce(self, value: Any) -> Any:
        """`value` as JSON or TOML may have loosened it: 3.0 for 3, 1 for 1.0. Wrong values pass, for `check` to name."""
        if self.kind == "number" and isinstance(value, (int, float)) and not isinstance(value, bool):
            if not self.integer:
                return value if self.check(value) else float(value)
            if isinstance(value, float) and value.is_integer():
                return int(value)
        return value

    def describe(self, value: Any) -> str:
        """The value in words, for a form's closed row or a table: "off", "LayerNorm", "3e-4"."""
        if self.kind == "choice":
            return self.choices[value][0]
        if self.kind == "switch":
            return "on" if value else "off"
        if self.kind == "number":
            return self.zero if value == 0 and self.zero else show(value)
        return value

    def tag(self, value: Any) -> str:
        """What a run that differs in this option is named by: "-residual", "RMSNorm", "lr 3e-4"."""
        if value is False or value == "none" or (value == 0 and self.zero):
            return f"-{self.short}"
        if value is True:
            return f"+{self.short}"
        if self.kind == "choice" and not self.prefixed:
            return self.choices[value][0]
        if self.kind == "text":
            return f"{self.short} {value[:12]!r}"
        return f"{self.short} {self.describe(value)}"


def quoted(value: Any) -> str:
    """A wrong value as a message repeats it: not longer than people read."""
    return shorten(repr(value))


def shorten(text: str, most: int = 60) -> str:
    """`text`, its end cut off if it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def show(value: float) -> str:
    """A number as short as people write it: 3e-4, 10,000, 0.1."""
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    if abs(value) < 0.01:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def _option(kind: str, default: Any, *, label: str, group: str, term: str = "", help: str = "", source: str = "",
            part: str = "", short: str = "", prefixed: bool = False, when: dict | tuple = (), choices: dict | None = None,
            low: float = 0, high: float = 0, log: bool = False, zero: str = "",
            typical: float = 0, live: bool = False) -> Any:
    when = (when,) if isinstance(when, dict) else tuple(when)
    about = dict(kind=kind, default=default, label=label, term=term, help=help, source=source, group=group, part=part,
                 short=short, prefixed=prefixed, when=when, choices=choices or {}, low=low, high=high, log=log, zero=zero,
                 typical=typical, live=live)
    return field(default=default, metadata={"option": about})


def choice(default: str, choices: dict[str, tuple[str, str]], **about: Any) -> Any:
    """A field that takes one of `choices`: value -> (label, one line that says what it does)."""
    return _option("choice", default, choices=choices, **about)


def number(default: float, low: float, high: float, **about: Any) -> Any:
    """A field that takes a number from `low` to `high`; whole numbers when the default is an int.

    `zero="off"` admits 0 as well and says what it means; `log=True` spreads a slider logarithmically; `typical` is what
    an ablation tries where it is off; `live=True` lets it change while a run goes.
    """
    return _option("number", default, low=low, high=high, **about)


def switch(default: bool, **about: Any) -> Any:
    """A field that is on or off."""
    return _option("switch", default, **about)


def text(default: str, most: int, **about: Any) -> Any:
    """A field that takes at most `most` characters."""
    return _option("text", default, high=most, **about)


def options(config: Any) -> Mapping[str, Option]:
    """The options of a section (class or instance), by field name, in their order."""
    return _options(config if isinstance(config, type) else type(config))


@lru_cache
def _options(cls: type) -> Mapping[str, Option]:
    return MappingProxyType({f.name: Option(name=f.name, **f.metadata["option"]) for f in fields(cls) if "option" in f.metadata})


def sections(config: Any) -> dict[str, type]:
    """The sections of a config made of sections: {"model": ModelConfig, ...}."""
    return {f.name: f.type for f in fields(config) if is_dataclass(f.type)}


def walk(config: Any) -> Iterator[tuple[str, Option]]:
    """Every option of a config made of sections, as ("model.norm", Option)."""
    for section, cls in sections(config).items():
        for name, option in options(cls).items():
            yield f"{section}.{name}", option


def get(config: Any, path: str) -> Any:
    """The value at "section.name"."""
    section, name = path.split(".")
    return getattr(getattr(config, section), name)


def has_effect(section: Any, name: str) -> bool:
    """Whether option `name` changes anything, given the other options of its section.

    An option whose condition names an option that itself has no effect has none either.
    """
    conditions = options(section)[name].when
    return not conditions or any(
        all(getattr(section, other) in values and has_effect(section, other) for other, values in condition.items())
        for condition in conditions
    )


def problems(section: Any) -> list[str]:
    """What is wrong with the values of one section, each on its own: type, range, choice."""
    found = (option.check(getattr(section, name)) for name, option in options(section).items())
    return [problem for problem in found if problem]


def values(config: Any) -> dict[str, Any]:
    """All options as a flat dict, {"model.norm": "layer", ...}: what a run stores."""
    return {path: get(config, path) for path, _ in walk(config)}


def replace(config: Any, changes: dict[str, Any]) -> Any:
    """`config` with {"model.norm": "rms", ...} changed.

    Raises ConfigError that lists every problem at once: unknown names, wrong values, and values that cannot
    work together.
    """
    known = dict(walk(config))
    unknown = [path for path in changes if path not in known]
    wrong = [f"{shorten(str(path))}: there is no such option.{_nearest(str(path), known)}" for path in unknown[:5]]
    wrong += [f"{len(unknown) - 5:,} more do not exist either."] * (len(unknown) > 5)
    by_section: dict[str, dict] = {}
    for path, value in changes.items():
        if path in known:
            section, name = path.split(".")
            by_section.setdefault(section, {})[name] = known[path].coerce(value)
    new = {section: dataclasses.replace(getattr(config, section), **change) for section, change in by_section.items()}
    changed = dataclasses.replace(config, **new)
    wrong += changed.problems()
    if wrong:
        raise ConfigError(wrong)
    return changed


def _nearest(path: str, known: dict[str, Option]) -> str:
    import difflib

    close = difflib.get_close_matches(path, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def difference(config: Any, base: Any) -> dict[str, tuple[Any, Any]]:
    """The options in which `config` differs from `base` and that have an effect in either: path -> (base's, config's)."""
    found = {}
    for path, _ in walk(config):
        section, name = path.split(".")
        before, after = get(base, path), get(config, path)
        matters = has_effect(getattr(config, section), name) or has_effect(getattr(base, section), name)
        if before != after and matters:
            found[path] = (before, after)
    return found


def tags_of(config: Any, base: Any, without: str = "") -> list[str]:
    """A word or two for each difference from `base`, as ["-residual", "lr 3e-4"]; section `without` left aside.

    Options of one term that have all changed alike are named together, by the words that their names share.
    """
    known = dict(walk(config))
    changed = {path: after for path, (_, after) in difference(config, base).items() if path.split(".")[0] != without}
    tags = []
    for path, after in changed.items():
        section = path.split(".")[0]
        family = [other for other, option in known.items() if option.term == known[path].term != ""
                  and other.split(".")[0] == section]
        alike = all(changed.get(other) == after for other in family if has_effect(getattr(config, section), other.split(".")[1]))
        if alike and len(family) > 1:
            shared = [word for word in known[path].short.split() if all(word in known[o].short.split() for o in family)]
            tags.append(dataclasses.replace(known[path], short=" ".join(shared)).tag(after))
        else:
            tags.append(known[path].tag(after))
    return list(dict.fromkeys(tags))


def name_of(config: Any, base: Any, without: str = "") -> str:
    """A config's name: its tags, "-residual lr 3e-4"; empty when nothing differs."""
    return " ".join(tags_of(config, base, without))


def table(config: Any) -> str:
    """All options as a Markdown table: what the README shows."""
    lines = ["| option | what it is | values | default | source |", "|---|---|---|---|---|"]
    for path, option in walk(config):
        values = {"choice": ", ".join(f"`{value}`" for value in option.choices), "switch": "on, off", "text": "text",
                  "number": f"{show(option.low)} to {show(option.high)}" + (f", 0: {option.zero}" if option.zero else "")}
        default = option.default if option.kind == "choice" else option.describe(option.default)
        what = option.label if option.term in ("", path.split(".")[1]) else f"{option.label} ({option.term})"
        lines.append(f"| `{path}` | {what} | {values[option.kind]} | {default} | {option.source} |")
    return "\n".join(lines) + "\n"
