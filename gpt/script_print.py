"""A tree with comments as source, formatted as a person would."""

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator

from gpt.script_syntax import Body, copied, docstring

WIDTH = 110  # of a line
DEFINITIONS = ast.FunctionDef | ast.ClassDef


def show(body: Body) -> str:
    """Statements of a file: two empty lines around definitions."""
    lines: list[str] = []
    for before, statement in zip([None, *body], body):
        apart = isinstance(statement, DEFINITIONS) or isinstance(before, DEFINITIONS)
        lines += [""] * (bool(before) * (2 if apart else getattr(statement, "gap", False)))
        lines += written(statement, "")
    return "".join(f"{line}\n" for line in lines)


def block(body: Body, margin: str) -> Iterator[str]:
    """The statements of an indented block: an empty line around methods."""
    for before, statement in zip([None, *body], body):
        if before and (isinstance(statement, ast.FunctionDef) or isinstance(before, ast.FunctionDef)):
            yield ""
        yield from written(statement, margin)


def written(node: ast.stmt, margin: str) -> Iterator[str]:
    """The lines of one statement, its comments included."""
    yield from (margin + line for line in getattr(node, "above", []))
    if docstring(node):
        yield from textwrap.wrap(f'"""{node.value.value}"""', WIDTH, initial_indent=margin, subsequent_indent=margin)
        return
    *before, last = [line for text in heads(node) for line in wrapped(margin + tidy(text))]
    comment = getattr(node, "comment", "")
    if comment and len(last) + 2 + len(comment) > WIDTH:
        yield margin + comment
        comment = ""
    yield from before
    yield f"{last}  {comment}" if comment else last
    yield from block(getattr(node, "body", []), margin + "    ")
    if orelse := getattr(node, "orelse", []):
        yield margin + "else:"
        yield from block(orelse, margin + "    ")


def heads(node: ast.stmt) -> list[str]:
    """A simple statement, or the lines of a compound one that come before its block."""
    if getattr(node, "body", None):
        bare = copied(node)
        bare.body, bare.orelse = [ast.Pass()], []
        return ast.unparse(ast.fix_missing_locations(bare)).splitlines()[:-1]
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        return [f"{bare_tuple(node.targets[0])} = {bare_tuple(node.value)}"]
    if isinstance(node, ast.Return) and node.value:
        return [f"return {bare_tuple(node.value)}"]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and node.value.value:
        return [f"yield {bare_tuple(node.value.value)}"]
    return [ast.unparse(node)]


def bare_tuple(node: ast.expr) -> str:
    """An expression; a tuple without its brackets."""
    text = ast.unparse(node)
    return text[1:-1] if isinstance(node, ast.Tuple) and len(node.elts) > 1 and text[0] == "(" else text


# Small things -------------------------------------------------------------------------------------------------------

STRING = r'"(?:[^"\\]|\\.)*"'
SINGLE = r"'((?:[^'\"\\]|\\[^'\"])*)'"
NUMBER = r"(?<![\w.])\d[\d.]*(?:e-?\d+)?(?!\w)"


def tidy(text: str) -> str:
    """Double quotes, and numbers as people write them."""
    def one(found: re.Match) -> str:
        if found[1] is not None:
            return f'"{found[1]}"'
        return found[0] if found[0][0] == '"' else number(ast.literal_eval(found[0]))

    return re.sub(f"{STRING}|{SINGLE}|{NUMBER}", one, without_doubles(text))


def number(value: int | float) -> str:
    """A number, exactly and as short as people write it: 10_000, 3e-4, 0.1."""
    if abs(value) >= 10_000:
        return f"{value:_}"
    mantissa, exponent = f"{value:e}".split("e")
    short = f"{float(mantissa):g}e{int(exponent)}"
    return short if 0 < abs(value) < 0.01 and float(short) == value else repr(value)


def without_doubles(text: str) -> str:
    """f((x for x in y)) as f(x for x in y)."""
    while True:
        pairs = dict(brackets(text))
        inner = next((i for i in pairs if text[i - 1 : i + 1] == "((" and pairs.get(i - 1) == pairs[i] + 1
                      and re.match(r"[\w\])]", text[i - 2]) and " for " in text[i : pairs[i]]), None)
        if inner is None:
            return text
        text = text[:inner] + text[inner + 1 : pairs[inner]] + text[pairs[inner] + 1 :]


def brackets(line: str) -> Iterator[tuple[int, int]]:
    """Where each pair of brackets in a line opens and closes."""
    opened: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(line.lstrip()).readline):
        column = token.start[1] + len(line) - len(line.lstrip())
        if token.string in ("(", "[", "{"):
            opened.append(column)
        elif token.string in (")", "]", "}"):
            yield opened.pop(), column


# Long lines ---------------------------------------------------------------------------------------------------------

def wrapped(line: str) -> list[str]:
    """The line, or several where it is too long: broken at the commas within its longest brackets, or before `for`."""
    if len(line) <= WIDTH:
        return [line]
    margin = line[: len(line) - len(line.lstrip())]
    groups = [(a, b, cuts_in(line, a, b)) for a, b in brackets(line)]
    start, end, cuts = max(groups, key=lambda group: (bool(group[2]), group[1] - group[0]), default=(0, 0, []))
    if not cuts:
        return [line]
    cuts = [start + 1, *cuts, end]
    inside = [margin + "   "]
    for piece in (line[a:b].strip() for a, b in zip(cuts, cuts[1:])):
        if len(inside[-1]) + 1 + len(piece) > WIDTH - 1 and inside[-1].strip():
            inside.append(margin + "   ")
        inside[-1] += " " + piece
    if line[cuts[1] - 1] == ",":
        inside[-1] += ","
    return [line[: start + 1], *(part for one in inside for part in wrapped(one)), margin + line[end:]]


def cuts_in(line: str, start: int, end: int) -> list[int]:
    """Where the inside of brackets may be broken: after commas, or before the first `for` of a comprehension."""
    nested = [(a, b) for a, b in brackets(line) if start < a and b < end]
    there = [i for i in range(start + 1, end) if not any(a <= i <= b for a, b in nested)]
    loops = [i + 1 for i in there if line.startswith(" for ", i)]
    return loops[:1] or [i + 1 for i in there if line[i] == "," and i + 1 < end]
