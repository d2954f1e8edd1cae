"""Python source as a tree that keeps its comments: read, asked, matched against patterns, and changed."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

SKIPPED = {"ctx", "kind", "type_comment"}  # fields of a node that say nothing about what it means
SIMPLE = ast.Name | ast.Constant | ast.Attribute  # what may be repeated: working it out costs nothing
COMPREHENSIONS = ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp

Body = list[ast.stmt]
Found = dict[str, Any]  # name -> what it stands for


# Reading ------------------------------------------------------------------------------------------------------------

def parse(source: str) -> ast.Module:
    """The tree of `source`. A statement's `comment` is the one behind it, `above` the lines of comment before it,
    `gap` whether an empty line comes first."""
    tree, lines = ast.parse(source), source.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start: token.string for token in tokens if token.type == tokenize.COMMENT}
    behind = {line: text for (line, column), text in comments.items() if lines[line - 1][:column].strip()}
    alone = {line: text for (line, column), text in comments.items() if not lines[line - 1][:column].strip()}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            last = node.body[0].lineno - 1 if getattr(node, "body", None) else node.end_lineno
            node.comment = next((behind[n] for n in range(last, node.lineno - 1, -1) if n in behind), "")
            first, node.above = node.lineno - len(getattr(node, "decorator_list", ())), []
            while first - 1 in alone:
                first -= 1
                node.above.insert(0, alone[first])
            node.gap = first > 1 and not lines[first - 2].strip()
    return tree


def expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


# Asking -------------------------------------------------------------------------------------------------------------

def walk(node: ast.AST | Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of a tree, or of several, in no particular order; as `ast.walk`, in half the time."""
    waiting = [node] if isinstance(node, ast.AST) else list(node)
    while waiting:
        one = waiting.pop()
        yield one
        for name in one._fields:
            value = getattr(one, name, None)
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting += [v for v in value if isinstance(v, ast.AST)]


def docstring(node: ast.AST) -> bool:
    """Whether a statement is a string and nothing else."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def code(node: Any) -> Body:
    """The body of a definition without its docstring."""
    return node.body[1:] if node.body and docstring(node.body[0]) else node.body


def same(a: ast.AST, b: ast.AST) -> bool:
    return ast.dump(a) == ast.dump(b)


def names(node: ast.AST | Iterable[ast.AST], context: type = ast.Load) -> set[str]:
    """The names that are read in a tree, or those stored with another context."""
    return {n.id for n in walk(node) if type(n) is ast.Name and type(n.ctx) is context}


def uses(node: ast.AST | Iterable[ast.AST], name: str) -> int:
    """How often a name stands in a tree."""
    return sum(type(n) is ast.Name and n.id == name for n in walk(node))


def free(node: ast.AST) -> set[str]:
    """The names that a definition takes from outside."""
    if isinstance(node, ast.ClassDef):
        return names([*node.bases, *node.decorator_list]).union(*map(free, node.body))
    if isinstance(node, ast.FunctionDef):
        inner = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
        return names(node) - {a.arg for a in walk(node.args) if isinstance(a, ast.arg)} - names(node, ast.Store) - inner
    return names(node)


def single(function: Any) -> ast.expr | None:
    """What a function of one line returns; None for others."""
    body = code(function) if isinstance(function, ast.FunctionDef) else []
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None


def method(cls: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((m for m in methods(cls) if m.name == name), None)


def methods(cls: ast.ClassDef) -> list[ast.FunctionDef]:
    return [m for m in cls.body if isinstance(m, ast.FunctionDef)]


def attribute(node: Any) -> str:
    """X of `self.X`; "" for anything else."""
    mine = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return node.attr if mine else ""


def target(statement: Any) -> ast.expr | None:
    """What a statement assigns to, if it is one thing."""
    return statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None


def callee(node: Any) -> str:
    """The source of what a call calls; "" for what is no call."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def copied(node: Any) -> Any:
    """A copy of a tree, or of whatever stands in one; as `copy.deepcopy`, in a fraction of the time."""
    if isinstance(node, list):
        return [copied(one) for one in node]
    if not isinstance(node, ast.AST):
        return node
    new = type(node).__new__(type(node))
    new.__dict__ = {name: copied(value) for name, value in vars(node).items()}
    return new


# Changing -----------------------------------------------------------------------------------------------------------

def read(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def own(name: str, context: ast.expr_context = ast.Load()) -> ast.Attribute:
    """`self.name`."""
    return ast.Attribute(read("self"), name, context)


def assign(place: ast.expr, value: ast.expr, comment: str = "") -> ast.Assign:
    """A statement `place = value`."""
    statement = ast.Assign([place], value, lineno=0)
    statement.comment = comment
    return statement


def set_code(function: Any, statements: Body) -> None:
    """Another body for a definition, which keeps its docstring."""
    function.body = function.body[: len(function.body) - len(code(function))] + (statements or [ast.Pass()])


class Substitute(ast.NodeTransformer):
    """Puts expressions in the place of names, except where a comprehension or a lambda uses a name for itself."""

    def __init__(self, known: Found):
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        wanted = copied(self.known.get(node.id))
        if wanted is None or not isinstance(node.ctx, ast.Load) and not isinstance(wanted, ast.Name):
            return node
        if isinstance(wanted, ast.Name):
            wanted.ctx = node.ctx
        return wanted

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, COMPREHENSIONS):
            first = node.generators[0]
            outside = Substitute(self.known).visit(first.iter)  # of its scope
            first.iter = ast.Constant(None)  # not to be visited twice
            node = self.without({name for one in node.generators for name in names(one.target, ast.Store)}, node)
            first.iter = outside
            return node
        if isinstance(node, ast.Lambda):
            return self.without({argument.arg for argument in node.args.args}, node)
        return super().visit(node)

    def without(self, taken: set[str], node: ast.AST) -> Any:
        """What is in a node that has its own meaning for some names."""
        return Substitute({name: v for name, v in self.known.items() if name not in taken}).generic_visit(node)


def substitute(node: Any, known: Found) -> Any:
    """`node` with expressions in the place of names; it is changed."""
    return Substitute(known).visit(node) if known else node


class Swap(ast.NodeTransformer):
    """One node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else super().visit(node)


def bind(arguments: ast.arguments, call: ast.Call, skip: int = 0) -> Found | None:
    """Parameter -> what a call gives for it; None if that cannot be told. `skip` 1 leaves `self` aside."""
    parameters = [argument.arg for argument in arguments.args[skip:]]
    if arguments.vararg and not parameters and [type(a) for a in call.args] == [ast.Starred]:
        return {arguments.vararg.arg: call.args[0].value}
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return None
    given: Found = dict(zip(parameters[::-1], arguments.defaults[::-1])) | dict(zip(parameters, call.args))
    given |= {keyword.arg: keyword.value for keyword in call.keywords}
    if arguments.vararg:
        given[arguments.vararg.arg] = ast.Tuple(call.args[len(parameters):], ast.Load())
    elif len(call.args) > len(parameters):
        return None
    return given if given.keys() >= set(parameters) else None


# Patterns -----------------------------------------------------------------------------------------------------------

@lru_cache(maxsize=None)
def pattern(source: str) -> ast.AST:
    """What a rule looks for: an expression or a statement. Names that begin with _ stand for any expression, and
    `_body` alone in a block for all its statements."""
    (statement,) = ast.parse(source).body
    return statement.value if isinstance(statement, ast.Expr) else statement


def match(wanted: Any, node: Any, found: Found) -> bool:
    """Whether `node` has the form `wanted`; fills in what its wildcards stand for."""
    if type(wanted) is ast.Name and wanted.id[0] == "_" and len(wanted.id) > 1:
        if wanted.id in found:
            return same(found[wanted.id], node)
        found[wanted.id] = node
        return isinstance(node, ast.expr)
    if type(wanted) is not type(node):
        return False
    if isinstance(wanted, list):
        if len(wanted) == 1 and isinstance(wanted[0], ast.Expr) and getattr(wanted[0].value, "id", "") == "_body":
            found["_body"] = node
            return True
        return len(wanted) == len(node) and all(match(a, b, found) for a, b in zip(wanted, node))
    if not isinstance(wanted, ast.AST):
        return wanted == node
    return all(match(getattr(wanted, field, None), getattr(node, field, None), found)
               for field in wanted._fields if field not in SKIPPED)


class Fill(ast.NodeTransformer):
    """Puts what was found in the place of wildcards."""

    def __init__(self, found: Found):
        self.found = found

    def visit_Name(self, node: ast.Name) -> Any:
        return copied(self.found.get(node.id, node))

    def visit_Expr(self, node: ast.Expr) -> Any:
        body = getattr(node.value, "id", "") == "_body" and "_body" in self.found
        return copied(self.found["_body"]) if body else self.generic_visit(node)


def fill(source: str, found: Found) -> Body:
    """The statements of `source` with its wildcards filled in."""
    return Fill(found).visit(ast.parse(source)).body
