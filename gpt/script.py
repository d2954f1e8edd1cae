"""The code of exactly one model: a config as a single file that needs PyTorch and nothing else.

It is worked out from the source of this package: what the config decides is decided, what it leaves out is left out. A
script trains as the playground does, from the same weights, by the same batches, to the same losses.
"""

import ast
import builtins
import difflib
from functools import lru_cache

from gpt.config import RunConfig
from gpt.options import ConfigError
from gpt.presets import Preset
from gpt.script_calls import settle_parameters
from gpt.script_classes import Splice, make_plain
from gpt.script_fold import Rules, World, by_kind
from gpt.script_front import constants_of, header, imports_of
from gpt.script_print import show
from gpt.script_prune import classes, functions, note_trivial, prune, reach, settle, settle_attributes
from gpt.script_rules import DEFAULTS, INLINED, NO_BIAS, NO_LAYER, NO_OUTPUT, SPLICED, drops, program, rewrites, wording
from gpt.script_source import gather
from gpt.script_syntax import Body, attribute, callee, docstring, names, parse, target, walk

MOST_ROUNDS = 40  # until nothing changes any more; a dozen are usual


def script(config: RunConfig, preset: Preset | None = None) -> str:
    """A file that trains `config` on a text that its command line names, and prints losses and a sample.

    Raises ConfigError if the config cannot work, or comes to something that a script has no words for.
    """
    if wrong := config.problems():
        raise ConfigError(wrong)
    code = whole(config)
    return f"{header(config, preset, code)}\n\n{code}"


def differences(a: str, b: str) -> list[tuple[str, bool]]:
    """The lines of script `a`, each with whether it is not in script `b`."""
    lines = a.splitlines()
    blocks = difflib.SequenceMatcher(None, lines, b.splitlines(), autojunk=False).get_matching_blocks()
    kept = {i for block in blocks for i in range(block.a, block.a + block.size)}
    return [(line, i not in kept) for i, line in enumerate(lines)]


@lru_cache(maxsize=64)  # it takes a second
def whole(config: RunConfig) -> str:
    """The script without its header. Raises ConfigError."""
    world, statements = specialise(config)
    numbers = [s for s in statements if getattr(target(s), "id", "").isupper() and isinstance(s.value, ast.Constant)]
    body = show(worded([s for s in statements if s not in numbers], wording(config)))
    values = "".join(f"{line}\n" for line in constants_of(config, world.constants, body)) + show(numbers)
    code = f"{imports_of(body + values)}\n{values}\n\n{body}"
    if unknown := unclear(code):
        raise ConfigError([f"This config cannot be written as a script: it would need {', '.join(sorted(unknown))}."])
    return code


def unclear(code: str) -> set[str]:
    """Names that nothing in a script defines, or several things do."""
    tree = ast.parse(code)
    nodes = list(ast.walk(tree))
    imported = {alias.asname or alias.name for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for alias in n.names}
    defined = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    parameters = {n.arg for n in nodes if isinstance(n, ast.arg)}
    outermost = names([s for s in tree.body if not isinstance(s, ast.FunctionDef | ast.ClassDef)], ast.Store)
    twice = outermost & {s.name for s in tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef)}
    return names(tree) - names(tree, ast.Store) - imported - defined - parameters - set(dir(builtins)) | twice


# Working it out -----------------------------------------------------------------------------------------------------

def specialise(config: RunConfig) -> tuple[World, Body]:
    """The statements of the script, and what is known of them."""
    inlined = INLINED - {"seed_for"} if drops(config) else INLINED  # else it is called in one place
    world = World(by_kind(rewrites(config)), inlined, SPLICED, DEFAULTS)
    source = parse(program(config))
    gather(world, config, source)
    statements = [s for s in source.body if not isinstance(s, ast.FunctionDef)]
    main = ast.FunctionDef("", ast.arguments([], [], None, [], [], None, []), statements, [])
    work_out(world, main)
    if further := without(world):
        world.rules = by_kind(rewrites(config) + further)
        work_out(world, main)
    return world, [*world.live.values(), *main.body]


def without(world: World) -> Rules:
    """Further rules, for kinds of layers that turn out not to be there."""
    nodes = list(walk(world.live.values()))
    layers = [n for n in nodes if callee(n) == "nn.Linear"]
    biases = any("bias" not in {keyword.arg for keyword in layer.keywords} for layer in layers)
    outputs = any(attribute(target(n)) == "proj" for n in nodes)
    return NO_BIAS * (not biases) + NO_LAYER * (not layers) + NO_OUTPUT * (not outputs)


def work_out(world: World, main: ast.FunctionDef) -> None:
    """Everything, again and again until nothing changes; then also what is to be written out as statements."""
    before, splices, seen = "", False, {}
    for _ in range(MOST_ROUNDS):
        one_round(world, main, seen)
        now = "".join(ast.dump(one) for one in [main, *world.live.values()])
        if now == before and splices:
            return
        splices = splices or now == before
        for one in [*world.live.values(), main] if splices else []:
            Splice(world).visit(one)
        before = now
    raise ConfigError(["This config cannot be written as a script: working it out comes to no end."])


def one_round(world: World, main: ast.FunctionDef, seen: dict[int, str]) -> None:
    """Everything once; functions that are as they were when last settled, in a world that is as it was, are left alone."""
    reach(world, main)
    note_trivial(world)
    make_plain(world)
    around = "".join([*world.trivial, *(ast.dump(one) for name, one in world.live.items() if name in world.inlined)])
    for one in [main, *(function for _, function in functions(world))]:
        for _ in range(MOST_ROUNDS):
            now = ast.dump(one) + around
            if seen.get(id(one)) == now:
                break
            settle(world, one)
            seen[id(one)] = now
    for cls in classes(world):
        settle_attributes(world, cls)
    settle_parameters(world, main)
    prune(world, main)


def worded(body: Body, words: list[tuple[str, str]]) -> Body:
    """The statements with other words in docstrings and comments."""
    for node in (n for statement in body for n in ast.walk(statement) if isinstance(n, ast.stmt)):
        for old, new in words:
            node.comment = getattr(node, "comment", "").replace(old, new)
            if docstring(node):
                node.value.value = node.value.value.replace(old, new)
    return body
