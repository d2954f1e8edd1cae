"""Takes out parameters for which every call of a script gives the same, and those that are not used."""

import ast
from dataclasses import dataclass, field

from gpt.script_fold import World
from gpt.script_prune import ENTRY, classes, functions
from gpt.script_syntax import (Found, attribute, callee, code, method, names, read, same, set_code, substitute,
                               target, walk)

WHOLE = {"Sublayer", "Together", "FusedLinear"}  # classes that keep their parameters until they are taken apart
EXPLICIT = {"init_weights"}  # functions that say what they work on


@dataclass
class Calls:
    """A function and all its calls, each with the globals that mean the same there as everywhere."""

    function: ast.FunctionDef
    calls: list[ast.Call] = field(default_factory=list)
    globals: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        arguments = self.function.args.args
        self.skip = int(bool(arguments) and arguments[0].arg == "self")
        self.parameters = [a.arg for a in arguments[self.skip:]]
        self.usual: Found = dict(zip(self.parameters[::-1], self.function.args.defaults[::-1]))


def settle_parameters(world: World, program: ast.FunctionDef) -> None:
    """Drop the parameters of all functions that need none."""
    callees = Callees(world, program)
    shared = {place.id for s in program.body if isinstance(place := target(s), ast.Name)}  # set once and for all
    found = {id(one): Calls(one) for cls, one in functions(world) if not cls or cls.name not in WHOLE}
    for one in [program, *(function for _, function in functions(world))]:
        here = shared if one is program else shared - names(one, ast.Store) - {a.arg for a in one.args.args}
        for call in (n for n in walk(one) if isinstance(n, ast.Call)):
            if calls := found.get(id(callees(call))):
                calls.calls.append(call)
                calls.globals.append(here)
    for calls in found.values():
        if calls.calls:
            settle_keywords(calls)
            shrink(world, calls)


class Callees:
    """What a call runs, where that can be only one thing of the script."""

    def __init__(self, world: World, program: ast.FunctionDef):
        self.by_name = {name: one for name, one in world.live.items() if isinstance(one, ast.FunctionDef)}
        self.by_name |= {cls.name: init for cls in classes(world) if (init := method(cls, "__init__"))}
        members = [m for cls, m in functions(world) if cls and m.name not in ENTRY]
        self.methods = {m.name: m for m in members if [other.name for other in members].count(m.name) == 1}
        self.forward: dict[str, ast.FunctionDef | None] = {}  # of the module that an attribute or a variable holds
        nodes = list(walk([program, *world.live.values()]))
        for node in nodes:
            self.note(world, place_name(target(node)), getattr(node, "value", None))
        self.forward |= {n.target.id: self.forward.get(place_name(n.iter)) for n in nodes
                         if isinstance(n, ast.For) and attribute(n.iter) and isinstance(n.target, ast.Name)}

    def note(self, world: World, name: str, made: ast.expr | None) -> None:
        """What is called `name` holds what `made` makes, or several of it."""
        if callee(made) == "nn.ModuleList" and made.args:
            made = getattr(made.args[0], "elt", None)
        if name and isinstance(made, ast.Call):
            cls = world.live.get(callee(made))
            forward = method(cls, "forward") if isinstance(cls, ast.ClassDef) else None
            self.forward[name] = forward if self.forward.get(name, forward) is forward else None

    def __call__(self, call: ast.Call) -> ast.FunctionDef | None:
        name = place_name(call.func)
        if isinstance(call.func, ast.Name):
            return self.forward.get(name) or self.by_name.get(name)
        return self.forward[name] if name in self.forward else self.methods.get(getattr(call.func, "attr", ""))


def place_name(place: ast.expr | None) -> str:
    """ "x" or "self.x"; "" for what is neither."""
    return f"self.{attribute(place)}" if attribute(place) else getattr(place, "id", "")


def settle_keywords(calls: Calls) -> None:
    """Drop keywords that no call gives."""
    arguments = calls.function.args
    given = {keyword.arg for call in calls.calls for keyword in call.keywords}
    kept = [(a, value) for a, value in zip(arguments.kwonlyargs, arguments.kw_defaults) if a.arg in given or value is None]
    known = {a.arg: value for a, value in zip(arguments.kwonlyargs, arguments.kw_defaults)} if not kept else {}
    if known:
        calls.function.body = [substitute(s, known) for s in calls.function.body]
        arguments.kwonlyargs, arguments.kw_defaults = [], []


def shrink(world: World, calls: Calls) -> None:
    """Drop the parameters that one function does not need."""
    function, parameters = calls.function, calls.parameters
    unclear = any(isinstance(a, ast.Starred) for call in calls.calls for a in call.args)
    if unclear or function.args.vararg or any(len(call.args) > len(parameters) for call in calls.calls):
        return
    bound = [calls.usual | dict(zip(parameters, c.args)) | {k.arg: k.value for k in c.keywords} for c in calls.calls]
    if any(given.keys() != set(parameters) for given in bound):
        return
    changed, gone, known = names(function, ast.Store), set(), {}
    for i, name in enumerate(parameters):
        values = [given[name] for given in bound]
        twins = [p for p in parameters[:i] if p not in gone and isinstance(values[0], ast.Name)
                 and all(same(given[p], given[name]) for given in bound)]
        alike = all(same(values[0], value) for value in values)
        everywhere = isinstance(values[0], ast.Name) and all(values[0].id in there for there in calls.globals)
        if name not in names(code(function)):
            gone.add(name)
        elif alike and name not in changed and (world.static(values[0]) or everywhere and function.name not in EXPLICIT):
            known[name] = values[0]
        elif twins and name not in changed:
            known[name] = read(twins[0])
    drop(calls, gone | known.keys(), known)


def drop(calls: Calls, gone: set[str], known: Found) -> None:
    """Take parameters out of a definition and its calls."""
    function = calls.function
    set_code(function, [substitute(s, known) for s in code(function)])
    function.args.args = [a for i, a in enumerate(function.args.args) if i < calls.skip or a.arg not in gone]
    function.args.defaults = [calls.usual[p] for p in calls.parameters if p in calls.usual and p not in gone]
    for call in calls.calls:
        call.args = [a for name, a in zip(calls.parameters, call.args) if name not in gone]
        call.keywords = [k for k in call.keywords if k.arg not in gone]
