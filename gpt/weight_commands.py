"""What the commands that take weights out and in do: export, import, and sample, which draws from a file too."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gpt import commands
from gpt.commands import OWNER, Changes
from gpt.options import Refusal, replace
from gpt.store import RunStore

if TYPE_CHECKING:
    from gpt.weights import Uploaded


def export(arguments: Namespace, changes: Changes) -> int:
    """Write a run's weights: as a file of the playground, or as a folder for transformers."""
    from gpt import transformers_export, weights
    from gpt.importing import tokenizer_for

    store = RunStore()
    run = store.run(store.find(arguments.run))
    if arguments.to == "transformers":
        transformers_export.shape_of(run.config)  # refused before anything is read
    checkpoint = store.load_checkpoint(run.id, arguments.at)
    if checkpoint is None:
        kept = ", ".join(f"{step:,}" for step in store.checkpoint_steps(run.id))
        raise Refusal(f"Step {arguments.at:,} of run {run.id} was not kept: use --at {kept}." if kept and arguments.at is not None
                      else f"Run {run.id} has no weights yet: python -m gpt resume {run.id} trains it.")
    tokenizer = tokenizer_for(run, checkpoint)
    if arguments.to == "transformers":
        out = Path(arguments.out or run.id)
        transformers_export.write(out, run.config, weights.weights_in(checkpoint), tokenizer)
    else:
        out = Path(arguments.out or f"{run.id}.safetensors")
        if weights.write(out, run, checkpoint, tokenizer) > weights.MOST_BYTES:
            print(f"note: the file is larger than the {weights.MOST_BYTES / 1e6:g} MB that `import` reads.", file=sys.stderr)
    print(f"{out}  (the weights after {checkpoint[0]:,} steps)")
    return 0


def import_command(arguments: Namespace, changes: Changes) -> int:
    from gpt import importing

    uploaded = uploaded_from(arguments.file)
    print(importing.words(uploaded, importing.keep(RunStore(), uploaded, OWNER)))
    return 0


def sample(arguments: Namespace, changes: Changes) -> int:
    """Draw from a file, from an imported run by the tokenizer it brought along, or from any other run."""
    from gpt import importing
    from gpt.device import prepare

    prepare()
    if arguments.run.endswith(".safetensors"):
        uploaded = uploaded_from(arguments.run)
        config, source = uploaded.config, importing.sampler(uploaded)
    else:
        store = RunStore()
        run = store.run(store.find(arguments.run))
        checkpoint = store.load_checkpoint(run.id)
        if checkpoint is None or "tokenizer" not in checkpoint[2]:
            return commands.sample(arguments, changes)
        config, source = run.config, importing.stored_sampler(run, checkpoint)
    for piece in source.sample(replace(config, changes).sample):
        print(piece, end="", flush=True)
    print()
    return 0


def uploaded_from(path: str) -> "Uploaded":
    """What a file of weights holds. Raises Refusal."""
    from gpt.weights import MOST_BYTES, read

    try:
        with open(path, "rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}. Name a file that `python -m gpt export` has written.") from error
    return read(raw)


COMMANDS = {"export": export, "import": import_command, "sample": sample}
