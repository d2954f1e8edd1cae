"""The direction of imports: what a module may know of the others, read from the source."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = {".".join(path.relative_to(ROOT / "gpt").with_suffix("").parts).removesuffix(".__init__"): path
           for path in (ROOT / "gpt").rglob("*.py")}

# The spine of the package, from what knows nothing to what knows all; other modules lie anywhere beside it.
SPINE = ["options", "config", "presets", "model", "generate", "data", "optim", "train", "run", "store", "__main__"]

LIGHT = ["gpt.options", "gpt.config", "gpt.presets", "gpt.events", "gpt.home", "gpt.schedules", "gpt.bench",
         "gpt.arms", "gpt.study", "gpt.effects", "gpt.results", "gpt.compare", "gpt.report", "gpt.diagnosis",
         "gpt.changes", "gpt.lessons", "gpt.pairs", "gpt.link", "gpt.texts"]


def imported(path: Path) -> set[str]:
    """All modules that a file imports, also inside functions; "gpt.x" for `from gpt import x` too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: import absolutely"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def known_to(name: str) -> set[str]:
    """The modules of gpt that a module imports itself."""
    return {word.removeprefix("gpt.") for word in imported(MODULES[name])} & set(MODULES) - {name}


GRAPH = {name: known_to(name) for name in MODULES}


def reached(name: str) -> set[str]:
    """All modules that come with a module."""
    found, ahead = set(), [name]
    while ahead:
        new = GRAPH[ahead.pop()] - found
        found |= new
        ahead += new
    return found


def test_imports_make_no_circle():
    TopologicalSorter(GRAPH).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize("name", SPINE)
def test_imports_go_one_way(name):
    """Not by way of another module either."""
    above = reached(name) & set(SPINE[SPINE.index(name) :])
    assert not above, f"{name} must not know {above}"


def test_the_spine_is_connected():
    """So that the order above is about imports that exist."""
    assert reached("__main__") >= set(SPINE) - {"__main__"}
    assert reached("run") >= {"train", "data", "model", "generate", "config"}


@pytest.mark.parametrize("name", MODULES)
def test_gpt_knows_neither_page_nor_gradio(name):
    roots = {word.split(".")[0] for word in imported(MODULES[name])}
    assert not roots & {"playground", "gradio", "plotly", "tests", "pickle"}


@pytest.mark.parametrize("module", LIGHT)
def test_options_and_presets_need_no_torch(module):
    """In a fresh process: the command line's help and the page must appear before torch is there."""
    use = "gpt.presets.list_presets()" if module == "gpt.presets" else "0"
    code = f"import sys, {module}; {use}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
