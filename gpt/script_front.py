"""What stands before the code of a script: its header, its imports and its constants."""

import ast
import io
import re
import shlex
import textwrap
import tokenize
from collections.abc import Iterator

from gpt import options
from gpt.config import RunConfig
from gpt.model import count_parameters
from gpt.presets import Preset
from gpt.script_print import WIDTH, tidy
from gpt.script_rules import ABOUT, FIRST, drops
from gpt.script_syntax import names
from gpt.texts import BUNDLED, SHAKESPEARE_URL, read_text
from gpt.tokenizers import TextError

IMPORTS = {  # by what they are for
    "import hashlib": "hashlib", "import math": "math", "import random": "random",
    "import re": "re", "import sys": "sys",
    "from collections import Counter": "Counter", "from collections import defaultdict": "defaultdict",
    "from itertools import islice": "islice",
    "from heapq import heapify, heappop, heappush": "heappush", "import torch": "torch", "import torch.nn.functional as F": "F",
    "from torch import Tensor, nn": "nn", "from torch.optim import Optimizer": "Optimizer",
}
LETTERS = {"B": "batch", "T": "tokens", "H": "heads", "K": "heads of keys and values", "D": "dimensions a head",
           "C": "width", "F": "hidden width of the MLP", "V": "vocabulary"}
SHAKESPEARE_CHARACTERS = 65


# Header -------------------------------------------------------------------------------------------------------------

def header(config: RunConfig, preset: Preset | None, code: str) -> str:
    """What the script is, how it was made and how it is run."""
    words, flags = changes(config, preset.config if preset else RunConfig())
    title = f"{preset.title}, but {words}." if preset and words else f"{preset.title}: {preset.adds}" if preset else "A GPT."
    file, text, characters = text_of(config)
    about = [f"All of one model of GPT Playground: {size_of(config, characters)}. It trains as the playground does, from "
             "the same weights, by the same batches, to the same losses and sample. It needs PyTorch "
             + ("and makes its task itself." if config.data.asks else f"and a text, here {text}.")]
    if drops(config):
        about.append("On a CUDA card dropout draws other values than there.")
    if config.train.precision == "bfloat16":
        about.append("It takes bfloat16 on a CUDA card only, the playground wherever a machine has instructions for it: "
                     "losses then agree to about 0.05.")
    if config.train.device == "cuda" and config.train.replay:
        about.append("Nothing is recorded and replayed, which is only faster.")
    made = [f"python -m gpt script {' '.join([preset.id.split('/')[1], *flags])} > my_gpt.py"] if preset else []
    commands = "\n".join(map(command, [*made, f"python my_gpt.py {file}".strip()]))
    shapes = ", ".join(f"{letter} {what}" for letter, what in LETTERS.items() if letter in letters_of(code))
    words = "\n\n".join([filled(title), filled(" ".join(about)), commands, filled(f"{shapes}.")]).replace('"""', "'''")
    raw = "r" if "\\" in words else ""  # a command may hold anything
    return f'{raw}"""{words}\n"""'


def filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def command(line: str) -> str:
    """A command as a shell reads it, indented."""
    lines = textwrap.wrap(line, WIDTH - 8, break_on_hyphens=False, break_long_words=False, subsequent_indent="    ")
    return " \\\n".join(f"    {one}" for one in lines)


def changes(config: RunConfig, base: RunConfig) -> tuple[str, list[str]]:
    """What differs from `base`, in words and as flags of the command line."""
    flags = []
    for path, (_, value) in options.difference(config, base).items():
        written = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
        if path == "data.text":
            flags.append("--data.text FILE")
        elif (path, value) != ("data.dataset", "own"):
            flags.append(f"--{path} {shlex.quote(written) if len(written) < 60 else '...'}")
    return ", ".join(options.tags_of(config, base, without="sample")), flags


def text_of(config: RunConfig) -> tuple[str, str, int]:
    """The file to name, what text it is, and how many different characters it has; 0 if it is not here."""
    if config.data.dataset == "tinyshakespeare":  # known without a download
        return "input.txt", f"tiny Shakespeare ({SHAKESPEARE_URL})", SHAKESPEARE_CHARACTERS
    if config.data.asks:
        return "", "", len(set(read_text(config.data)))
    try:
        characters = len(set(read_text(config.data)))
    except TextError:
        characters = 0
    if config.data.dataset == "tinyplays":
        return f"data/{BUNDLED.name}", "the eight verse plays that come with the playground", characters
    return "input.txt", f"one of your own (SHA-256 {config.data.text[:12]}...)", characters


def size_of(config: RunConfig, characters: int) -> str:
    """The number of parameters, in words."""
    if config.data.tokenizer == "byte":
        return f"{count_parameters(config.model, 256)['total']:,} parameters, with bytes for tokens"
    if config.data.tokenizer == "bpe":
        size = config.data.vocab_size
        return f"{count_parameters(config.model, size)['total']:,} parameters with all of its {size:,} tokens"
    if not characters:
        return "its size depends on the text"
    whose = "task" if config.data.asks else "text"
    return f"{count_parameters(config.model, characters)['total']:,} parameters with the {characters} characters of its {whose}"


def letters_of(code: str) -> set[str]:
    """The letters in the shapes that comments and docstrings mention."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {letter for token in tokens if token.type == tokenize.COMMENT or token.string.startswith('"""')
            for letter in re.findall(r"\b[A-Z]\b", token.string)}


# Imports and constants ----------------------------------------------------------------------------------------------

def imports_of(code: str) -> str:
    """The imports that `code` needs, PyTorch's after the standard library's."""
    used = names(ast.parse(code)) | {"torch"}
    needed = [line for line, name in IMPORTS.items() if name in used]
    lines = "\n".join(needed).replace("\nimport torch\n", "\n\nimport torch\n") + "\n"
    return lines.replace("import Counter\nfrom collections import ", "import Counter, ")


def constants_of(config: RunConfig, constants: dict[str, ast.expr], code: str) -> Iterator[str]:
    """A line for each constant that is in use, with what it is."""
    used, waiting = set(), [ast.parse(code)]
    while waiting:
        new = names(waiting.pop()) & constants.keys() - used
        used |= new
        waiting += [constants[name] for name in new]
    about: dict[str, str] = {}
    for path, option in options.walk(config):
        name = path.split(".")[1]
        about.setdefault(name.upper(), option.term if option.term not in ("", name) else option.label.lower())
    order = list(dict.fromkeys([*FIRST, *about]))
    for name in sorted(used, key=order.index):
        words = ABOUT.get(name) or about[name]
        line = f"{name} = {tidy(ast.unparse(constants[name]))}"
        yield line if words == name.lower().replace("_", " ") else f"{line}  # {words}"
