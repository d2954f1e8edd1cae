"""Takes classes apart that are there for many models at once: what one model needs of them is written where it is used."""

import ast
from typing import Any

from gpt.options import ConfigError
from gpt.script_fold import World, fold
from gpt.script_prune import classes
from gpt.script_syntax import (SIMPLE, Body, Found, Swap, assign, attribute, bind, callee, code, copied, expression,
                               fill, match, method, methods, own, pattern, read, single, substitute, target, uses,
                               walk)

WIRING = {"Sublayer", "Together"}  # classes around layers, dissolved into the class that holds them
SUPER = "super().__init__"
FUSED = pattern("FusedLinear(_inputs, _parts, bias=_bias)")
PARTS = "# its rows, each drawn by its name"


def make_plain(world: World) -> None:
    """One round of everything below."""
    for cls in classes(world):
        merge_base(world, cls)
        name_modules(cls)
        init = method(cls, "__init__")
        for statement in code(init) if init else []:
            dissolve(world, cls, statement)
        for statement in code(init) if init else []:
            split_fused(world, cls, statement)
    drop_empty_classes(world)


# Calls --------------------------------------------------------------------------------------------------------------

def called(function: ast.FunctionDef, call: ast.Call, skip: int = 0, place: ast.expr | None = None) -> Body:
    """A function's statements with a call's arguments in them; what it returns goes to `place`."""
    given, body = bind(function.args, call, skip), copied(code(function))
    if given is None:
        raise ConfigError([f"This config cannot be written as a script: {function.name} is called in a way it cannot show."])
    held = [name for name, value in given.items() if apart(value, uses(body, name))]
    first: Body = [assign(ast.Name(name, ast.Store()), given.pop(name)) for name in held]
    last = body.pop() if isinstance(body[-1], ast.Return) else None
    if last and place and ast.unparse(place) != ast.unparse(last.value):
        body.append(assign(copied(place), last.value, getattr(last, "comment", "")))
    return first + [substitute(s, given) for s in body]


def apart(value: ast.expr, count: int) -> bool:
    """Whether an argument that is used `count` times needs a line of its own: it is long, or would be worked out twice."""
    several = len(getattr(value, "args", ())) > 1
    return not isinstance(value, SIMPLE | ast.Tuple) and count > (0 if several else 1)


class Splice(ast.NodeTransformer):
    """Writes out functions where they are called as statements."""

    def __init__(self, world: World):
        self.world = world

    def visit_Expr(self, node: ast.Expr | ast.Assign) -> Any:
        name = callee(node.value)
        function = self.world.live.get(name) if name in self.world.spliced else None
        returns = [n for n in walk(function) if isinstance(n, ast.Return)] if function else []
        if function is None or returns not in ([], [function.body[-1]]):  # it must end at its end only
            return node
        statements = called(function, node.value, place=target(node))
        for statement in statements[:1]:
            statement.above, statement.gap = getattr(node, "above", []), getattr(node, "gap", False)
        return statements

    visit_Assign = visit_Expr


def merge_base(world: World, cls: ast.ClassDef) -> None:
    """A class and the one that it extends, as one."""
    base = copied(world.definition(getattr(cls.bases[0], "id", ""))) if cls.bases else None
    if not isinstance(base, ast.ClassDef):
        return
    init, inherited = method(cls, "__init__"), method(base, "__init__")
    if init and inherited:
        init.body = [new for s in init.body for new in (called(inherited, s.value, 1) if is_super(s) else [s])]
    cls.body += [m for m in methods(base) if not method(cls, m.name)]
    cls.bases = base.bases


def is_super(statement: ast.stmt) -> bool:
    return callee(getattr(statement, "value", None)) == SUPER


# Layers that hold layers --------------------------------------------------------------------------------------------

def name_modules(cls: ast.ClassDef) -> None:
    """An nn.ModuleDict whose entries are known, as a class with attributes."""
    init = method(cls, "__init__") if [ast.unparse(base) for base in cls.bases] == ["nn.ModuleDict"] else None
    call = next((s.value for s in init.body if is_super(s)), None) if init else None
    if call is None or not call.args or not isinstance(call.args[0], ast.Dict):
        return
    entries = entries_of(call.args[0])
    call.args = []
    init.body += set_attributes(entries)
    cls.bases = [expression("nn.Module")]
    Values(entries).visit(cls)


def entries_of(table: ast.Dict) -> dict[str, ast.expr]:
    return {key.value: value for key, value in zip(table.keys, table.values)}


def set_attributes(entries: dict[str, ast.expr]) -> Body:
    return [assign(own(name, ast.Store()), value) for name, value in entries.items()]


class Values(ast.NodeTransformer):
    """`self.values()` as a list of attributes."""

    def __init__(self, entries: dict[str, ast.expr]):
        self.entries = entries

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return ast.List([own(name) for name in self.entries], ast.Load()) if callee(node) == "self.values" else node


def dissolve(world: World, cls: ast.ClassDef, statement: ast.stmt) -> None:
    """`self.attn = Sublayer(...)`: its parts become this class's own, named after it."""
    holder, made = attribute(target(statement)), getattr(statement, "value", None)
    if not holder or callee(made) not in WIRING & world.live.keys():
        return
    reads = sum(attribute(n) == holder and isinstance(n.ctx, ast.Load) for n in walk(cls))
    if reads > sum(isinstance(n, ast.Call) and attribute(n.func) == holder for n in walk(cls)):
        return  # not yet: it is in a list that has still to be written out
    wiring = copied(world.live[callee(made)])
    init, forward = method(wiring, "__init__"), method(wiring, "forward")
    if init:
        parts = [s for s in called(init, made, 1) if not is_super(s)]
        places = {attribute(target(s)) for s in parts} - {""}
        renamed = {place: holder if place == "inner" else f"{place}_{holder}" for place in places}
    else:
        parts, renamed = set_attributes(entries_of(made.args[0])), {}
        (forward,) = fold(world, [Values(entries_of(made.args[0])).visit(forward)])
    constructor = method(cls, "__init__")
    at = constructor.body.index(statement)
    constructor.body[at : at + 1] = [Renamed(renamed).visit(s) for s in parts]
    Renamed(renamed).visit(forward)
    for m in methods(cls):
        if m is not constructor:
            m.body = [new for s in m.body for new in write_out(s, holder, forward)]


class Renamed(ast.NodeTransformer):
    """Other names for attributes of self."""

    def __init__(self, renamed: dict[str, str]):
        self.renamed = renamed

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        node.attr = self.renamed.get(attribute(node), node.attr)
        return node


def write_out(statement: ast.stmt, holder: str, forward: ast.FunctionDef) -> Body:
    """A statement with `self.holder(x, ...)` replaced by what that does; an argument used twice is worked out before."""
    before: Body = []
    for call in [n for n in walk(statement) if isinstance(n, ast.Call) and attribute(n.func) == holder]:
        body, given = copied(single(forward)), bind(forward.args, call, 1)
        for name, value in given.items():
            if not isinstance(value, SIMPLE) and uses(body, name) > 1:
                before.append(assign(ast.Name("y", ast.Store()), value))
                given[name] = read("y")
        statement = Swap(call, substitute(body, given)).visit(statement)
    return [*before, statement]


# Linear layers in one -----------------------------------------------------------------------------------------------

def split_fused(world: World, cls: ast.ClassDef, statement: ast.stmt) -> None:
    """A FusedLinear as a plain one, whose result is split where it is used."""
    found: Found = {}
    if not match(FUSED, getattr(statement, "value", None), found) or not isinstance(found["_parts"], ast.Dict):
        return
    widths = found["_parts"].values
    sizes = {world.value(width) for width in widths}
    if None in sizes:
        return  # not yet
    layer, first = attribute(target(statement)), ast.unparse(widths[0])
    found["_outputs"] = expression(total([first if len(sizes) == 1 else ast.unparse(width) for width in widths]))
    made = fill(f"self.{layer} = nn.Linear(_inputs, _outputs, bias=_bias)\nself.{layer}.parts = _parts", found)
    made[1].comment = PARTS
    init = method(cls, "__init__")
    at = init.body.index(statement)
    init.body[at : at + 1] = made
    split = f"self.{layer}(_x).split({first if len(sizes) == 1 else f'list(self.{layer}.parts.values())'}, dim=-1)"
    for m in methods(cls):
        if m is not init:
            unpack(m, layer, list(entries_of(found["_parts"])))
            if len(widths) > 1:
                m.body = [new for s in m.body for new in split_in(s, layer, split)]


def total(widths: list[str]) -> str:
    """The sum of some widths, equal ones together."""
    counts = {width: widths.count(width) for width in widths}
    return " + ".join(f"{count} * {width}" if count > 1 else width for width, count in counts.items())


def unpack(function: ast.FunctionDef, layer: str, parts: list[str]) -> None:
    """`first, *rest = self.layer(x)` with a name for each part; a single one needs none."""
    for i, statement in enumerate(function.body):
        place, value = target(statement), getattr(statement, "value", None)
        starred = isinstance(place, ast.Tuple) and isinstance(place.elts[-1], ast.Starred)
        if not starred or not isinstance(value, ast.Call) or attribute(value.func) != layer:
            continue
        first, rest = place.elts[0].id, place.elts[-1].value.id
        known = {first: read(parts[0]), rest: ast.Tuple([read(part) for part in parts[1:]], ast.Load())}
        after = function.body[i + 1:]
        if len(parts) > 1:
            statement.targets = [ast.Tuple([ast.Name(part, ast.Store()) for part in parts], ast.Store())]
        else:
            known[first], after[0].comment = value, getattr(statement, "comment", "")
        function.body[i:] = [statement] * (len(parts) > 1) + [substitute(s, known) for s in after]
        return


def split_in(statement: ast.stmt, layer: str, split: str) -> Body:
    """A statement that splits the result of a layer; by a line of its own if it does more than that."""
    call = next((n for n in walk(statement) if isinstance(n, ast.Call) and attribute(n.func) == layer), None)
    if call is None:
        return [statement]
    (result,) = fill(split, {"_x": call.args[0]})
    if getattr(statement, "value", None) is call:
        return [Swap(call, result.value).visit(statement)]
    return [assign(ast.Name(layer, ast.Store()), result.value), Swap(call, read(layer)).visit(statement)]


# Classes that add nothing -------------------------------------------------------------------------------------------

def drop_empty_classes(world: World) -> None:
    """A class that only passes on what it is given is the one it extends."""
    known: Found = {}
    for cls in classes(world):
        passes = single(code(cls)[0]) if len(code(cls)) == 1 else None
        if passes and ast.unparse(passes) == "super().forward(x)":
            known[cls.name] = cls.bases[0]
    world.live = {name: substitute(one, known) for name, one in world.live.items() if name not in known}
