"""The command line: `python -m gpt COMMAND`. Its help needs no torch; commands import it when they run."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from gpt.config import GROUPS, RunConfig
from gpt.options import ConfigError, Option, Refusal, show, walk
from gpt.study import BUDGETS

DESCRIPTION = """\
Train a small GPT on the command line, part by part.

A run starts from a preset and changes what you name:

    python -m gpt train 06-residual
    python -m gpt train llama --model.norm layer --train.steps 500
    python -m gpt train fast --data.text my.txt

Runs are kept in one folder (GPT_PLAYGROUND_HOME, else ~/.gpt-playground), which the page shares."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of repeating every option."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message}\n{self.prog} --help lists what there is.\n")


Command = Callable[..., argparse.ArgumentParser]  # (name, help, *arguments, sections=())
EVERYTHING = ("model", "data", "train", "sample")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(prog="python -m gpt", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, help: str, *arguments: str, sections: tuple[str, ...] = ()) -> argparse.ArgumentParser:
        words = [argument.upper() for argument in arguments] + ["[--OPTION VALUE ...]"] * bool(sections)
        sub = commands.add_parser(name, help=help, description=help, formatter_class=Help,
                                  usage=" ".join(["python -m gpt", name, *words]))
        for argument in arguments:
            sub.add_argument(argument, metavar=argument.upper(), help=ARGUMENTS[argument])
        add_options(sub, sections)
        return sub

    for add in (add_training, add_comparing, add_of_runs, add_of_presets):  # in the order of the help
        add(command)
    return top


def add_training(command: Command) -> None:
    """What trains a preset."""
    train = command("train", "Train a preset, with the options you change, and keep the run.", "preset", sections=EVERYTHING)
    train.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    resume = command("resume", "Go on with a run that was stopped, paused or interrupted, exactly where its last checkpoint is.", "run")
    resume.add_argument("--json", action="store_true", help="print each event as a line of JSON")
    seeds = command("seeds", "Train a preset with several seeds, together where that is faster, and print what a seed is worth.",
                    "preset", sections=("model", "data", "train"))
    seeds.add_argument("--count", type=int, default=4, metavar="K", help="how many seeds, from --train.seed on (default: 4)")


def add_comparing(command: Command) -> None:
    """What sets models or runs beside each other."""
    for name, help in (("ablate", "Train a preset, and again without each of its parts; print what each part is worth, with its interval."),
                       ("sweep", "Train a preset with several values of one number, and compare.")):
        study = command(name, help, "preset", sections=("model", "data", "train"))
        study.add_argument("--seeds", type=int, default=3, metavar="K", help="how many seeds, from --train.seed on (default: 3)")
        study.add_argument("--budget", default="steps", choices=tuple(BUDGETS), help="what all have as much of: "
                           + "; ".join(f"{key}: {words}" for key, words in BUDGETS.items()))
        if name == "ablate":
            study.add_argument("--only", action="append", metavar="ARM", help="only this and others named so, such as "
                               "--only=-residual --only=RMSNorm; by default all parts that can be left out")
            study.add_argument("--all", action="store_true", help="everything that can be left out, added or exchanged")
        else:
            study.add_argument("--over", required=True, metavar="OPTION", help="the number, such as model.n_layer")
            study.add_argument("--values", required=True, nargs="+", metavar="VALUE", help="its values, such as 1 2 4 8")
    command("study", "Go on with a study that was stopped, and print what it has found.", "study")
    command("studies", "List the studies, the newest first.")
    for name, help, usage, least in (
            ("compare", "What two or more runs differ in, and how they did.", "RUN RUN ...", "+"),
            ("link", "Print what shows up to four runs to others, to be put after the address of a page.", "RUN ...", "+"),
            ("report", "Write runs, or a study, as one HTML or Markdown file.", "RUN ... [--out FILE]", "*")):
        report = command(name, help)
        report.usage = f"python -m gpt {name} {usage}"
        report.add_argument("runs", nargs=least, metavar="RUN", help=ARGUMENTS["run"])
    report.add_argument("--study", metavar="STUDY", help="a study and its runs, in place of runs")
    report.add_argument("--out", metavar="FILE", help="where to; .md makes it Markdown (default: named by the title)")


def add_of_runs(command: Command) -> None:
    """What goes on with a run, or uses its weights."""
    fork = command("fork", "Go on from a step of a run as a new run, with the options you change.", "run", sections=EVERYTHING)
    fork.add_argument("--at", type=int, metavar="STEP", help="a step whose checkpoint is kept (default: the last)")
    command("reproduce", "Train a run once more, with the changes made on its way, and from the same fork.", "run")
    command("sample", "Draw text from a run, or from a file that `export` wrote.", "run", sections=("sample",))
    export = command("export", "Write a run's weights with its options and tokenizer as one file, or as a folder for transformers.", "run")
    export.add_argument("--to", default="file", choices=("file", "transformers"), help="file: one that `import` and `sample` read "
                        "(default); transformers: a folder that Hugging Face's transformers loads, for a GPT-2 or a Llama")
    export.add_argument("--out", metavar="PATH", help="where to (default: named by the run)")
    export.add_argument("--at", type=int, metavar="STEP", help="a step whose checkpoint is kept (default: the last)")
    command("import", "Make a run of a file that `export` wrote: to sample it and, where its text is, to go on with it.", "file")
    command("eval", "A run's loss, bits per character and perplexity over its whole validation text.", "run")


def add_of_presets(command: Command) -> None:
    """What is said of presets and runs, and measured."""
    command("params", "Count a preset's parameters by component.", "preset", sections=("model", "data"))
    command("script", "Print a preset, with the options you change, as one short Python file that needs only PyTorch.", "preset",
            sections=EVERYTHING)
    command("presets", "List the presets.")
    command("runs", "List the runs, the newest first.")
    command("options", "Print the table of all options, as the README has it.")
    ladder = command("ladder", "Train the twelve steps on tiny Shakespeare and print their losses beside the published ones.",
                     sections=("data", "train"))
    ladder.add_argument("--only", nargs="+", type=int, metavar="STEP", help="only these steps, such as --only 1 2 3")
    bench = command("bench", "Measure speed, time to a loss, sampling and the page on this machine; takes some minutes.")
    bench.add_argument("--only", nargs="+", metavar="PART", help="only these parts: speed, sampling, seeds, loss, page")
    bench.add_argument("--dataset", default="tinyshakespeare", choices=("tinyshakespeare", "tinyplays"),
                       help="the text to train on; tiny Shakespeare, for which the reference is documented, is downloaded on first use")


ARGUMENTS = {
    "preset": "a preset: its name or the beginning of it (06-residual, 06, llama); `presets` lists them",
    "study": "a study: its id or the beginning of it; `studies` lists them",
    "file": "a file that `export` wrote",
    "run": "a run: its id or the beginning of it; `runs` lists them",
}


class Help(argparse.HelpFormatter):
    """Options on one line, their explanation indented below."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=6, width=100)


def add_options(sub: argparse.ArgumentParser, sections: tuple[str, ...]) -> None:
    """One flag for each option of the sections, in the groups of the form."""
    groups = {title: sub.add_argument_group(title) for title in GROUPS
              if any(path.split(".")[0] in sections and option.group == title for path, option in walk(RunConfig))}
    for path, option in walk(RunConfig):
        if path.split(".")[0] in sections:
            groups[option.group].add_argument(f"--{path}", dest=path, metavar=accepts(option), default=argparse.SUPPRESS,
                                              help=explain(path, option).replace("%", "%%"))


def read_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options given as flags, {"model.norm": "rms", ...}. Raises ConfigError that lists every wrong one."""
    known, changes, wrong = dict(walk(RunConfig)), {}, []
    for path, written in vars(arguments).items():
        if path in known:
            try:
                changes[path] = written if path == "data.text" else known[path].parse(written)
            except ConfigError as error:
                wrong += error.problems
    if wrong:
        raise ConfigError(wrong)
    return changes


def accepts(option: Option) -> str:
    """What an option takes, as its placeholder in the help."""
    if option.kind == "choice":
        return "{" + ",".join(option.choices) + "}"
    return {"switch": "{on,off}", "number": f"{show(option.low)}..{show(option.high)}", "text": "TEXT"}[option.kind]


def explain(path: str, option: Option) -> str:
    """An option in a few sentences: label, term, explanation, choices, source, default."""
    if path == "data.text":
        return "Train on this UTF-8 file, in place of a bundled text."
    default = option.describe(option.default) if option.kind != "choice" else option.default
    parts = [f"{option.label} ({option.term})." if option.term else f"{option.label}.", option.help]
    parts += [f"{value}: {line}" for value, (_, line) in option.choices.items()]
    parts += [f"[{option.source}]" if option.source else "", f"Default: {default}." if default else ""]
    return " ".join(part for part in parts if part)


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, 1 for a run that diverged, 2 for what cannot be done, 130 when stopped."""
    arguments = parser().parse_args(argv)
    from gpt import commands, weight_commands

    try:
        found = {**commands.COMMANDS, **weight_commands.COMMANDS}.get(arguments.command)
        if not found:
            from gpt import study_commands

            found = study_commands.COMMANDS[arguments.command]
        return found(arguments, read_options(arguments))
    except Refusal as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        sys.stdout = open(os.devnull, "w")  # or Python complains once more when it ends
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
