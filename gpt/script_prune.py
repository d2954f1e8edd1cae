"""Takes out of definitions what has become superfluous: locals and attributes that are known, and whatever is never used."""

import ast
from collections.abc import Container, Iterator
from typing import Any

from gpt.script_fold import World, fold
from gpt.script_syntax import (Body, Found, assign, attribute, callee, code, copied, free, method, methods, names,
                               read, same, set_code, single, substitute, target, uses, walk)

ENTRY = {"__init__", "forward", "step"}  # methods that PyTorch calls
PURE = {"max", "min", "len", "bytes", "range", "c.encode", "self.mask"}  # called for what they return and nothing else
SHORT = 40  # characters of what is joined


def classes(world: World) -> list[ast.ClassDef]:
    return [one for one in world.live.values() if isinstance(one, ast.ClassDef)]


def functions(world: World) -> Iterator[tuple[ast.ClassDef | None, ast.FunctionDef]]:
    """Every function and method, with its class."""
    for one in world.live.values():
        if isinstance(one, ast.FunctionDef):
            yield None, one
        elif isinstance(one, ast.ClassDef):
            yield from ((one, m) for m in methods(one))


# Locals -------------------------------------------------------------------------------------------------------------

def settle(world: World, function: ast.FunctionDef) -> None:
    """Work through a body from top to bottom: a local that is known is written out where it is used, and goes."""
    known: Found = {}
    waiting, done = list(code(function)), []
    inner = {name for s in waiting for child in walk(s) if isinstance(child, ast.stmt) and child is not s
             for name in names(child, ast.Store)}  # those that a loop or a branch sets
    while waiting:
        statement = waiting.pop(0)
        if added(statement, known):
            continue
        statement, *rest = fold(world, [substitute(statement, known)]) or [ast.Pass()]
        waiting = rest + waiting
        if isinstance(statement, ast.Pass) or noted(world, statement, known, inner, function.name == "__init__"):
            continue
        if parts := separate(world, statement):
            waiting = parts + waiting
            continue
        if done and (joined := telescope(done[-1], statement)):
            done.pop()
            statement = joined
        done.append(statement)
        if isinstance(statement, ast.Return | ast.Raise):  # what follows is never reached
            break
    if done and isinstance(done[-1], ast.Return) and done[-1].value is None:
        done.pop()
    set_code(function, done)


def added(statement: ast.stmt, known: Found) -> bool:
    """Whether a statement adds an entry to a table that is known."""
    place = target(statement)
    table = known.get(getattr(place.value, "id", "")) if isinstance(place, ast.Subscript) else None
    if not isinstance(table, ast.Dict) or not isinstance(place.slice, ast.Constant):
        return False
    known[place.value.id] = ast.Dict([*table.keys, place.slice], [*table.values, substitute(statement.value, known)])
    return True


def noted(world: World, statement: ast.stmt, known: Found, inner: set[str], constructor: bool) -> bool:
    """Whether a statement only says what a local is; `known` has it then."""
    if isinstance(statement, ast.FunctionDef) and (value := single(statement)):
        known[statement.name] = ast.Lambda(statement.args, value)
        return True
    place = target(statement)
    if not isinstance(place, ast.Name):
        return False
    known.pop(place.id, None)
    value = statement.value
    if same(value, read(place.id)):
        return True
    table = constructor and isinstance(value, ast.Dict)
    if not table and (place.id in inner or not (world.static(value) or attribute(value))):
        return False
    known[place.id] = value
    return True


def separate(world: World, statement: ast.stmt) -> Body:
    """`a, b = x, y` as two statements, where that means the same and one of them can be left out; else nothing."""
    place, value = target(statement), getattr(statement, "value", None)
    if not isinstance(place, ast.Tuple | ast.List) or not isinstance(value, ast.Tuple | ast.List):
        return []
    pairs = list(zip(place.elts, value.elts))
    if any(isinstance(e, ast.Starred) for pair in pairs for e in pair) or len(place.elts) != len(value.elts):
        return []
    if len(pairs) > 1 and not any(attribute(p) or attribute(v) or world.static(v) or same(v, read(getattr(p, "id", "")))
                                  for p, v in pairs):
        return []
    if any(names(p, ast.Store) & names(value.elts[i + 1:]) for i, p in enumerate(place.elts)):
        return []
    parts: Body = [assign(p, v) for p, v in pairs]
    parts[-1].comment = getattr(statement, "comment", "")
    return parts


def telescope(first: ast.stmt, second: ast.stmt) -> ast.stmt | None:
    """`y = a` and `y = f(y)` as `y = f(a)` if that is short, `y = a` and `return y` as `return a`."""
    place, value = target(first), getattr(second, "value", None)
    if not isinstance(place, ast.Name) or value is None:
        return None
    comment = getattr(second, "comment", "") or getattr(first, "comment", "")
    if isinstance(second, ast.Return) and same(value, read(place.id)):
        second.value, second.comment = first.value, comment
        return second
    again = getattr(target(second), "id", "") == place.id
    if not again or uses(value, place.id) != 1 or getattr(first, "comment", ""):
        return None
    joined = substitute(copied(value), {place.id: first.value})
    return assign(place, joined, comment) if len(ast.unparse(joined)) < SHORT else None


# Attributes and methods ---------------------------------------------------------------------------------------------

class Attributes(ast.NodeTransformer):
    """Puts what `self.X` is in its place."""

    def __init__(self, known: Found):
        self.known = known

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        known = attribute(node) in self.known and isinstance(node.ctx, ast.Load)
        return copied(self.known[attribute(node)]) if known else self.generic_visit(node)


def settle_attributes(world: World, cls: ast.ClassDef) -> None:
    """What the constructor sets to something known is written out in the other methods."""
    init = method(cls, "__init__")
    set_here = [(attribute(target(s)), s) for s in init.body] if init else []
    places = [place for place, _ in set_here]
    known = {place: s.value for place, s in set_here if place and places.count(place) == 1 and world.static(s.value)}
    for one in methods(cls):
        if one is not init:
            Attributes(known).visit(one)


def note_trivial(world: World) -> None:
    """Methods that return one of their arguments or a constant need not be called."""
    found: dict[str, list[ast.Lambda | None]] = {}
    for cls, one in functions(world):
        value, parameters = single(one), one.args.args[1:]
        simple = isinstance(value, ast.Constant) or getattr(value, "id", "") in {p.arg for p in parameters}
        arguments = ast.arguments([], parameters, None, [], [], None, one.args.defaults)
        if cls and one.name not in ENTRY:
            found.setdefault(one.name, []).append(ast.Lambda(arguments, value) if simple else None)
    world.trivial = {name: ways[0] for name, ways in found.items() if len(ways) == 1 and ways[0]}


# What is never used -------------------------------------------------------------------------------------------------

def prune(world: World, program: ast.FunctionDef) -> None:
    """Leave out locals, attributes and methods that nothing reads, then definitions that nothing reaches."""
    nodes = list(walk([program, *world.live.values()]))
    called = {getattr(n.func, "attr", "") for n in nodes if isinstance(n, ast.Call)} - world.trivial.keys()
    abroad = {n.attr for n in nodes if isinstance(n, ast.Attribute) and not attribute(n)}
    for cls in classes(world):
        cls.body = [m for m in cls.body if not isinstance(m, ast.FunctionDef) or m.name in ENTRY | called] or [ast.Pass()]
        if init := method(cls, "__init__"):
            here = {attribute(n) for n in walk(cls) if isinstance(getattr(n, "ctx", None), ast.Load)}
            set_code(init, [s for s in code(init) if attribute(target(s)) in here | abroad | {""}])
            if not init.args.args[1:] and [callee(getattr(s, "value", None)) for s in code(init)] == ["super().__init__"]:
                cls.body.remove(init)
    everywhere = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    for one in [program, *(function for _, function in functions(world))]:
        used = everywhere if one is program or one.name in world.spliced else names(one)
        set_code(one, [s for s in code(one) if not idle(s, used)])
    reach(world, program)


def idle(statement: ast.stmt, used: Container[str]) -> bool:
    """Whether a statement only sets a local that is not in use, and calls nothing but for its value."""
    place = target(statement)
    calls = {callee(n) for n in walk(statement)} - {""}
    return isinstance(place, ast.Name) and place.id not in used and calls <= PURE


def reach(world: World, program: ast.FunctionDef) -> None:
    """Keep what the program needs, directly or not, and bring in what is missing, in the source's order."""
    wanted: dict[str, Any] = {}
    waiting = [program]
    while waiting:
        for name in free(waiting.pop()) - wanted.keys():
            if source := world.definition(name):
                if name not in world.live:
                    (world.live[name],) = fold(world, [copied(source)])
                wanted[name] = world.live[name]
                waiting.append(wanted[name])
    order = list(dict.fromkeys([*world.raw, *world.ready]))
    world.live = {name: wanted[name] for name in sorted(wanted, key=order.index)}
