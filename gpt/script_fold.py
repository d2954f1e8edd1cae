"""Works out in a tree what is known of a config: tests, tables, functions of one line, loops over a few things."""

import ast
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gpt.script_syntax import (SIMPLE, Body, Found, bind, callee, copied, docstring, fill, match, names, pattern,
                               single, substitute, uses)

KNOWN = {"bool": bool, "len": len, "max": max, "round": round, "math": math}
PLAIN = (bool, int, float, str, type(None), dict, list, tuple)
Rules = list[tuple[str, str]]  # a form, and what is written for it
Kind = tuple[type, object]


@dataclass
class World:
    """What is known, and the definitions that the script consists of so far."""

    rules: dict[Kind, Rules]  # by the kind of what they look for
    inlined: set[str]  # functions to be written out where they are called
    spliced: set[str]  # the same for functions of several statements
    defaults: dict[str, dict[str, Any]]  # arguments that need not be given, by function
    facts: dict[str, Any] = field(default_factory=dict)  # constants, by name
    constants: dict[str, ast.expr] = field(default_factory=dict)  # how they come about
    raw: dict[str, Any] = field(default_factory=dict)  # every definition there is, by name: its source, module and section
    ready: dict[str, Any] = field(default_factory=dict)  # those looked at so far, with the config's values
    prepare: Callable[[str], Any] = str  # makes one ready
    live: dict[str, Any] = field(default_factory=dict)  # those in the script, worked out
    trivial: dict[str, ast.Lambda] = field(default_factory=dict)  # methods that return an argument or a constant

    def definition(self, name: str) -> Any:
        """A definition with the config's values; None if there is none of that name."""
        if name not in self.ready and name in self.raw:
            self.ready[name] = self.prepare(name)
        return self.ready.get(name)

    def truth(self, node: ast.expr) -> bool | None:
        """Whether `node` is true; None if that is not known."""
        known = self.value(node)
        return None if known is None else bool(known[0])

    def value(self, node: ast.expr) -> tuple[Any] | None:
        """The value of an expression of constants, in a tuple; None if it is not known."""
        if isinstance(node, ast.Constant):
            return (node.value,)
        if not names(node) <= KNOWN.keys() | self.facts.keys():
            return None
        try:
            source = ast.Expression(ast.fix_missing_locations(copied(node)))
            value = eval(compile(source, "", "eval"), {"__builtins__": {}}, {**KNOWN, **self.facts})
        except Exception:  # whatever it is, it is not known
            return None
        return (value,) if isinstance(value, PLAIN) else None

    def static(self, node: ast.expr) -> bool:
        """Whether an expression may stand wherever its value is used."""
        if isinstance(node, ast.Tuple):
            return not node.elts
        if isinstance(node, ast.Dict | ast.List):
            return False
        if isinstance(node, ast.Call):
            return ast.unparse(node) == "nn.Identity()"
        function = isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("F", "torch") or \
            isinstance(node, ast.Name) and node.id in self.inlined
        return function or isinstance(node, ast.Lambda) or names(node) <= self.facts.keys()


def applied(arguments: ast.arguments, body: ast.expr, call: ast.Call) -> ast.expr | None:
    """`body` with a call's arguments in it; None if one would be worked out twice."""
    given = bind(arguments, call)
    if given is None:
        return None
    if any(uses(body, name) > 1 and not isinstance(value, SIMPLE | ast.Tuple) for name, value in given.items()):
        return None
    return substitute(copied(body), given)


def fold(world: World, statements: Body) -> Body:
    """The statements, worked out once."""
    folded: Body = []
    for statement in statements:
        result = Fold(world).visit(statement)
        folded += result if isinstance(result, list) else [result]
    return folded


def by_kind(rules: Iterable[tuple[str, str]]) -> dict[Kind, Rules]:
    """Rules by the kind of what they look for, so that few are tried."""
    found: dict[Kind, Rules] = {}
    for before, after in rules:
        found.setdefault(kind(pattern(before)), []).append((before, after))
    return found


def kind(node: ast.AST) -> Kind:
    """What no wildcard stands for: the type of a node and the name of what it calls or reads, or its operator."""
    if isinstance(node, ast.Call):
        return ast.Call, getattr(node.func, "attr", "") or getattr(node.func, "id", "")
    if isinstance(node, ast.Compare):
        return ast.Compare, type(node.ops[0])
    return type(node), getattr(node, "attr", "") or type(getattr(node, "op", None))


class Fold(ast.NodeTransformer):
    """One pass over a tree, from the inside out."""

    def __init__(self, world: World):
        self.world = world

    def visit(self, node: ast.AST) -> Any:
        result = super().visit(node)
        for before, after in self.world.rules.get(kind(result), ()) if isinstance(result, ast.AST) else ():
            found: Found = {}
            if match(pattern(before), result, found):
                filled = fill(after, found)
                if isinstance(result, ast.expr):
                    return filled[0].value
                if len(filled) == 1:
                    filled[0].comment = getattr(result, "comment", "")
                return filled
        return result

    def visit_Expr(self, node: ast.Expr) -> Any:
        self.generic_visit(node)
        return node if docstring(node) or not isinstance(node.value, ast.Constant) else []

    # Tests

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        if (truth := self.world.truth(node.test)) is not None:
            return node.body if truth else node.orelse
        refuses = len(node.body) == 1 and isinstance(node.body[0], ast.Raise)
        return node.orelse if refuses or not node.body else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        truth = self.world.truth(node.test)
        return node if truth is None else node.body if truth else node.orelse

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        decisive = isinstance(node.op, ast.Or)  # what one of them must be to settle it
        truths = [self.world.truth(value) for value in node.values]
        if decisive in truths:
            return ast.Constant(decisive)
        node.values = [v for v, truth in zip(node.values, truths) if truth is None] or node.values[-1:]
        return node if len(node.values) > 1 else node.values[0]

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        truth = self.world.truth(node)
        return node if truth is None else ast.Constant(truth)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        truth = self.world.truth(node) if isinstance(node.op, ast.Not) else None
        return node if truth is None else ast.Constant(truth)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """1 - 0.1 as 0.9; not where that takes many digits."""
        self.generic_visit(node)
        numbers = isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant)
        value = self.world.value(node) if numbers else None
        return ast.Constant(value[0]) if value and len(repr(value[0])) < 6 else node

    # Tables and functions

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        table = self.world.definition(node.value.id) if isinstance(node.value, ast.Name) else node
        if isinstance(table := getattr(table, "value", None), ast.Dict) and isinstance(node.slice, ast.Constant):
            for key, value in zip(table.keys, table.values):
                if isinstance(key, ast.Constant) and key.value == node.slice.value:
                    return copied(value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        called, known = self.called(node.func), None
        if called:
            known = applied(called.args, called.body, node)
        elif callee(node) == "len" and isinstance(node.args[0], ast.Dict):
            known = ast.Constant(len(node.args[0].keys))
        elif callee(node) == "bool" and (truth := self.world.truth(node)) is not None:
            known = ast.Constant(truth)
        usual = self.world.defaults.get(callee(node), {})
        node.keywords = [k for k in node.keywords if k.arg not in usual or self.world.value(k.value) != (usual[k.arg],)]
        return node if known is None else known

    def called(self, function: ast.expr) -> ast.Lambda | None:
        """What is to be written out in the place of a call."""
        if isinstance(function, ast.Name) and function.id in self.world.inlined:
            definition = self.world.live.get(function.id)
            return ast.Lambda(definition.args, single(definition)) if single(definition) else None
        return function if isinstance(function, ast.Lambda) else self.world.trivial.get(getattr(function, "attr", ""))

    def visit_Slice(self, node: ast.Slice) -> ast.Slice:
        self.generic_visit(node)
        if isinstance(node.lower, ast.Constant) and node.lower.value == 0:
            node.lower = None
        return node

    # Blocks and loops

    def visit_With(self, node: ast.With) -> Any:
        self.generic_visit(node)
        return node.body if ast.unparse(node.items[0].context_expr) == "nullcontext()" else node

    def visit_Try(self, node: ast.Try) -> Any:
        self.generic_visit(node)
        return node.body if all(isinstance(handler.body[-1], ast.Raise) for handler in node.handlers) else node

    def visit_For(self, node: ast.For) -> Any:
        """A loop over a few things, written out; nothing of a loop that does nothing."""
        self.generic_visit(node)
        if not node.body:
            return []
        several = isinstance(node.iter, ast.List | ast.Tuple) and not any(isinstance(e, ast.Starred) for e in node.iter.elts)
        if not several or not isinstance(node.target, ast.Name) or node.target.id in names(node.body, ast.Store):
            return node
        return [substitute(copied(s), {node.target.id: element}) for element in node.iter.elts for s in node.body]

    def visit_GeneratorExp(self, node: Any) -> ast.expr:
        self.generic_visit(node)
        one, *more = node.generators
        if False in [self.world.truth(test) for test in one.ifs]:
            return ast.List([], ast.Load())
        one.ifs = [test for test in one.ifs if not self.world.truth(test)]
        if not isinstance(one.target, ast.Name):
            return node
        if one.target.id not in names([node.elt, *one.ifs, *more]):
            one.target.id = "_"
        if isinstance(one.iter, ast.List) and not (one.ifs or more):
            return ast.List([substitute(copied(node.elt), {one.target.id: e}) for e in one.iter.elts], ast.Load())
        return node

    visit_ListComp = visit_GeneratorExp

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        """{f(k, v): g(k, v) for k, v in {...}.items()}, written out."""
        self.generic_visit(node)
        loop = node.generators[0]
        table = getattr(getattr(loop.iter, "func", None), "value", None)
        if not isinstance(table, ast.Dict) or not isinstance(loop.target, ast.Tuple):
            return node
        key, value = (target.id for target in loop.target.elts)
        pairs = [{key: k, value: v} for k, v in zip(table.keys, table.values)]
        return ast.Dict([substitute(copied(node.key), pair) for pair in pairs],
                        [substitute(copied(node.value), pair) for pair in pairs])
