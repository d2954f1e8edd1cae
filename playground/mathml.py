r"""Formulas: a small part of LaTeX's notation to MathML, which browsers draw and read aloud by themselves.

`x_t`, `y^2`, `W_{q}`, `\frac{a}{b}`, `\sqrt{a}`, `\sum_{s \le t}`, `\hat{m}`, `\text{words}`, and the names below. A tree is
[tag, child, ...] with text at its leaves; a table of attributes may follow the tag. The browser makes elements of it.
"""

import re
from collections.abc import Iterator
from typing import Any

from gpt.options import Refusal

Tree = list[Any]

LETTERS = 200  # of a line, at most
NAMES = {  # \name -> (tag, text)
    "epsilon": ("mi", "ε"), "eta": ("mi", "η"), "theta": ("mi", "θ"), "mu": ("mi", "μ"), "sigma": ("mi", "σ"),
    "ell": ("mi", "ℓ"), "max": ("mi", "max"), "Attn": ("mi", "Attn"), "MLP": ("mi", "MLP"), "LN": ("mi", "LN"),
    "Drop": ("mi", "Drop"), "ln": ("mo", "ln"), "cdot": ("mo", "·"), "odot": ("mo", "⊙"), "times": ("mo", "×"), "le": ("mo", "≤"),
    "leftarrow": ("mo", "←"), "dots": ("mo", "…"), "sum": ("mo", "∑"), "softmax": ("mo", "softmax"), "minus": ("mo", "−"),
}
UNDER = {"sum", "softmax"}  # what is said of these stands under them
ONE, TWO = {"sqrt": "msqrt", "hat": "mover"}, {"frac": "mfrac"}  # with one piece, and with two
TOKEN = re.compile(r"\s*(?:(\\text\{[^{}]*\})|\\([A-Za-z]+)|(\d+(?:\.\d+)?)|([A-Za-z])|([-+=(),;.\[\]|])|([{}_^]))")


class FormulaError(Refusal):
    """A formula that cannot be read, in words."""


def mathml(line: str) -> Tree:
    """The line as the tree of a <math> element. Raises FormulaError."""
    if len(line) > LETTERS:
        raise FormulaError(f"A formula has {len(line)} letters: use at most {LETTERS}.")
    reader = _Reader(line, list(_tokens(line)))
    row = reader.row()
    if reader.at < len(reader.tokens):
        raise FormulaError(f"{line!r}: there is a }} too many.")
    return ["math", row]


def _tokens(line: str) -> Iterator[tuple[str, str]]:
    """(kind, text): "text", "name", "number", "letter", "sign", "mark"."""
    at, end = 0, len(line.rstrip())
    while at < end:
        found = TOKEN.match(line, at)
        if not found:
            raise FormulaError(f"{line!r}: {line[at:].strip()[0]!r} means nothing there.")
        kind = ("text", "name", "number", "letter", "sign", "mark")[found.lastindex - 1]
        yield kind, found[found.lastindex]
        at = found.end()


class _Reader:
    def __init__(self, line: str, tokens: list[tuple[str, str]]):
        self.line, self.tokens, self.at = line, tokens, 0

    def row(self) -> Tree:
        """Items up to the end, or to the } that closes a group."""
        items: list[Tree] = []
        while self.peek() not in (None, ("mark", "}")):
            items.append(self.scripted())
        return items[0] if len(items) == 1 else ["mrow", *items]

    def peek(self) -> tuple[str, str] | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def scripted(self) -> Tree:
        """An item with what stands below and above it."""
        under = self.peek() in [("name", name) for name in UNDER]
        base, marks = self.item(), {}
        while (mark := self.peek()) in (("mark", "_"), ("mark", "^")):
            self.at += 1
            if mark[1] in marks:
                raise FormulaError(f"{self.line!r}: there are two {mark[1]} on one symbol.")
            marks[mark[1]] = self.item()
        low, high = ("munder", "mover") if under else ("msub", "msup")
        match marks:
            case {"_": below, "^": above}:
                return ["munderover" if under else "msubsup", base, below, above]
            case {"_": below}:
                return [low, base, below]
            case {"^": above}:
                return [high, base, above]
        return base

    def item(self) -> Tree:
        token = self.peek()
        if token is None:
            raise FormulaError(f"{self.line!r}: something is missing at the end.")
        self.at += 1
        match token:
            case ("mark", "{"):
                inside = self.row()
                if self.peek() != ("mark", "}"):
                    raise FormulaError(f"{self.line!r}: a }} is missing.")
                self.at += 1
                return inside
            case ("mark", mark):
                raise FormulaError(f"{self.line!r}: {mark} has nothing to stand on.")
            case ("text", written):
                words = written.removeprefix("\\text{").removesuffix("}")
                return ["mtext", words.replace(" ", "\u00a0")]  # plain spaces at an end would be cut off
            case ("number", number):
                return ["mn", number]
            case ("letter", letter):
                return ["mi", letter]
            case ("sign", sign):
                return ["mo", {"stretchy": "false"}, "−" if sign == "-" else sign]
            case (_, name):
                return self.named(name)

    def named(self, name: str) -> Tree:
        if name in TWO:
            return [TWO[name], self.item(), self.item()]
        if name == "hat":
            return ["mover", {"accent": "true"}, self.item(), ["mo", "^"]]
        if name in ONE:
            return [ONE[name], self.item()]
        if name not in NAMES:
            raise FormulaError(f"{self.line!r}: there is no \\{name}: use {', '.join(sorted({*NAMES, *ONE, *TWO, 'text'}))}.")
        tag, text = NAMES[name]
        return [tag, text]
