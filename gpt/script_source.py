"""The definitions that a script can draw on: the source of this package, with a config's values in it."""

import ast
import inspect
import re
from functools import lru_cache
from importlib import import_module
from typing import Any

from gpt.config import RunConfig
from gpt.options import options
from gpt.script_classes import merge_base
from gpt.script_fold import World, fold
from gpt.script_rules import DECORATED, LEFT_OUT, LITERAL, OBJECTS, PASSED_ON, RENAMED
from gpt.script_syntax import (assign, attribute, code, copied, docstring, expression, method, methods, names, parse,
                               read, single)
from gpt.tasks import TASKS, shape

# module -> the section of the config that its functions call cfg; in the order in which a script has them
MODULES = {"gpt.seeding": None, "gpt.model": "model", "gpt.tasks": None, "gpt.bpe": None, "gpt.tokenizers": None,
           "gpt.data": "data", "gpt.schedules": "train", "gpt.optim": "train", "gpt.train": "train", "gpt.generate": "sample",
           "gpt.answers": None}
DEFINITIONS = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
READABLE = {"Tensor", "int", "float", "str", "bool", "object", "list", "tuple", "dict", "nn", "torch"}  # in annotations


@lru_cache
def module_tree(name: str) -> ast.Module:
    """The source of a module; whoever changes it makes a copy."""
    return parse(inspect.getsource(import_module(name)))


def gather(world: World, config: RunConfig, program: ast.Module) -> None:
    """Tell `world` of every definition there is, and put the config's values into the program."""
    for module, section in MODULES.items():
        for statement in (s for s in module_tree(module).body if isinstance(s, DEFINITIONS)):
            name = getattr(statement, "name", "") or "".join(names(statement, ast.Store))
            name = RENAMED.get(module, {}).get(name, name)
            world.raw.setdefault(name, (statement, module, section))
            if name.isupper() and isinstance(getattr(statement, "value", None), ast.Constant):
                world.facts[name] = statement.value.value
        for cls, members in OBJECTS.get(module, {}).items():
            if cls == ("Examples" if config.data.asks else "Dataset") or cls.lower().startswith(config.data.tokenizer):
                world.ready |= unfold(world, config, cls, members)
    if config.data.asks:
        question, answer = shape(config.data.dataset, config.data.size)
        size = config.data.size or TASKS[config.data.dataset].usual
        for name, value in {"SIZE": size, "QUESTION": question, "EXAMPLE": question + answer + 1}.items():
            constant(world, name, value, ast.Constant(value))
    outward = Outward(world)
    outward.visit(Settings(world, config, None).visit(program))
    world.ready |= {s.name: s for s in program.body if isinstance(s, ast.FunctionDef)}
    world.prepare = lambda name: outward.visit(prepared(world, config, name))
    for caller, inner in DECORATED.items():
        world.definition(caller).decorator_list = world.definition(inner).decorator_list


def prepared(world: World, config: RunConfig, name: str) -> Any:
    """A copy of a definition with the config's values in it."""
    statement, module, section = world.raw[name]
    statement = Renaming(RENAMED.get(module, {})).visit(copied(statement))
    statement.above, statement.gap = [], False
    return Plain().visit(Settings(world, config, section).visit(statement))


class Renaming(ast.NodeTransformer):
    """Other names for what two modules use the same name for."""

    def __init__(self, renamed: dict[str, str]):
        self.renamed = renamed

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.renamed.get(node.id, node.id)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.name = self.renamed.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """Methods keep their names."""
        for one in methods(node):
            self.generic_visit(one)
        return node


# The config's values ------------------------------------------------------------------------------------------------

class Settings(ast.NodeTransformer):
    """`cfg.norm` as "layer", `cfg.n_embd` as N_EMBD: words and what is off as they are, numbers by a name."""

    def __init__(self, world: World, config: RunConfig, section: str | None):
        self.world, self.config, self.section = world, config, section

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        owner, section = node.value, None
        if isinstance(owner, ast.Name) and owner.id == "cfg":
            section = self.section
        elif isinstance(owner, ast.Attribute) and owner.attr == "cfg":  # model.cfg
            section = "model"
        elif isinstance(owner, ast.Attribute) and ast.unparse(owner.value) == "cfg":  # cfg.train
            section = owner.attr
        return setting(self.world, self.config, section, node.attr) if section else self.generic_visit(node)


def setting(world: World, config: RunConfig, section: str, name: str) -> ast.expr:
    """One value of the config as an expression."""
    value = getattr(getattr(config, section), name)
    if name not in options(getattr(config, section)):
        return derived(world, config, name)
    literal = name in LITERAL or (section, name) == ("sample", "seed") or value == 0 and name != "seed"
    if isinstance(value, bool | str) or literal:
        return ast.Constant(int(value) if name == "expansion" and value == int(value) else value)
    return constant(world, name.upper(), value, ast.Constant(value))


def derived(world: World, config: RunConfig, name: str) -> ast.expr:
    """A property of the model's config, from its own source."""
    (cls,) = [c for c in module_tree("gpt.config").body if getattr(c, "name", "") == "ModelConfig"]
    source = copied(method(cls, name).body[-1].value)
    for node in ast.walk(source):
        if attribute(node):
            node.value.id = "cfg"
    (statement,) = fold(world, [ast.Return(Settings(world, config, "model").visit(source))])
    if isinstance(statement.value, ast.Name | ast.Constant):
        return statement.value
    return constant(world, name.upper(), getattr(config.model, name), statement.value)


def constant(world: World, name: str, value: Any, source: ast.expr) -> ast.expr:
    """A name for a value, noted with how it comes about."""
    world.facts[name] = value
    world.constants[name] = source
    return read(name)


# Simpler forms ------------------------------------------------------------------------------------------------------

class Plain(ast.NodeTransformer):
    """Only annotations that need no import, and the first words of docstrings."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.generic_visit(node)
        return assign(node.target, node.value, getattr(node, "comment", "")) if node.value else node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        if node.annotation and not names(node.annotation) <= READABLE:
            node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if node.returns and (not names(node.returns) <= READABLE or node.name == "__init__"):
            node.returns = None
        return self.visit_ClassDef(node)

    def visit_ClassDef(self, node: Any) -> Any:
        """Of the docstring the first paragraph, without sentences on what scripts leave out."""
        self.generic_visit(node)
        if docstring(node.body[0]):
            text = node.body[0].value.value.split("\n\n")[0].strip()
            sentences = re.split(r"(?<=[.;]) +(?=[A-Za-z(])", text)
            kept = " ".join(s for s in sentences if not any(word in s for word in LEFT_OUT))
            node.body[0].value.value = re.sub(";$", ".", kept)
        return node


def unfold(world: World, config: RunConfig, name: str, members: dict[str, str]) -> dict[str, ast.FunctionDef]:
    """A class that a script has one object of, as functions and variables."""
    world.prepare = lambda name: prepared(world, config, name)
    cls, found = prepared(world, config, name), {}
    merge_base(world, cls)
    init = method(cls, "__init__")
    for one in methods(cls):
        if one is not init:
            if one.name == "build":  # makes the object
                one.name, one.body = "build_tokenizer", one.body[:-1] + code(init)
            one.args.args, one.decorator_list = one.args.args[1:], []
            found[one.name] = Unbound(members).visit(one)
    return found


class Unbound(ast.NodeTransformer):
    """`self.X` as X."""

    def __init__(self, renamed: dict[str, str]):
        self.renamed = renamed

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        name = attribute(node)
        return ast.Name(self.renamed.get(name, name), node.ctx) if name else self.generic_visit(node)


class Outward(ast.NodeTransformer):
    """Members of the only tokenizer and the only text by their own names, and a record that is handed on as its parts."""

    def __init__(self, world: World):
        self.size = single(world.ready.pop("vocab_size"))
        record = [s for s in world.raw["Look"][0].body if isinstance(s, ast.AnnAssign)]
        self.fields = {s.target.id: s.annotation if names(s.annotation) <= READABLE else expression("nn.Module")
                       for s in record}

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if getattr(node.value, "id", "") not in ("tokenizer", "data", PASSED_ON):
            return self.generic_visit(node)
        return copied(self.size) if node.attr == "vocab_size" else ast.Name(node.attr, node.ctx)

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        parts = [ast.arg(name, copied(annotation)) for name, annotation in self.fields.items()]
        node.args = [new for a in node.args for new in (parts if a.arg == PASSED_ON else [a])]
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        node.args = [new for a in node.args
                     for new in (map(read, self.fields) if getattr(a, "id", "") == PASSED_ON else [a])]
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        if ast.unparse(node.targets[0]) != PASSED_ON:
            return node
        return [assign(ast.Name(name, ast.Store()), value) for name, value in zip(self.fields, node.value.args)]
