"""What each command of the command line does. Torch is imported by those that need it, when they run."""

import json
import math
import shutil
import signal
import sys
import threading
from argparse import Namespace
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable

from gpt.config import RunConfig
from gpt.events import Answers, Diverged, Eval, Event, Finished, Sample, Started, Step, Working, to_dict
from gpt.measure import bits
from gpt.options import ConfigError, has_effect, replace, table
from gpt.presets import list_presets, load, named
from gpt.store import RunStore

if TYPE_CHECKING:
    from gpt.recording import Recording

OWNER = "command line"
MOST_SEEDS = 64
TOLD_WRONG = 3  # wrong answers printed at a check
Changes = dict[str, Any]


def configure(config: RunConfig, changes: Changes) -> RunConfig:
    """`config` with the flags' changes. A file named by --data.text is imported first and becomes the text."""
    if "data.text" in changes:
        from gpt.texts import MAX_TEXT_BYTES, TextError, import_text

        try:
            with open(changes["data.text"], "rb") as file:
                fingerprint = import_text(file.read(MAX_TEXT_BYTES + 1))
        except OSError as error:
            raise TextError(f"{changes['data.text']} cannot be read: {error.strerror}. Name a UTF-8 text file.") from error
        changes = {**changes, "data.text": fingerprint, "data.dataset": "own"}
    changed = replace(config, changes)
    for path in changes:
        section, name = path.split(".")
        if not has_effect(getattr(changed, section), name):
            print(f"note: --{path} has no effect with these options.", file=sys.stderr)
    return changed


def train(arguments: Namespace, changes: Changes) -> int:
    from gpt.recording import Recording

    preset = load(arguments.preset)
    config = configure(preset.config, changes)
    store = RunStore()
    id = store.create(config, owner=OWNER, preset=preset.id, **named(config, preset.config))
    try:
        recording = Recording(store, id)
    except BaseException:  # refused, or Control-C meanwhile: no trace of a run that never began
        store.delete(id)
        raise
    return record(recording, arguments.json)


def resume(arguments: Namespace, changes: Changes) -> int:
    from gpt.recording import Recording

    store = RunStore()
    return record(Recording(store, store.find(arguments.run)), arguments.json)


def record(recording: "Recording", as_json: bool) -> int:
    """Train to the end, telling what happens. Control-C, or a reader that goes, stops it so that `resume` continues it."""
    from gpt.device import prepare

    prepare()
    tell: Callable[[Event], None] = JsonTeller(recording.id) if as_json else Teller(recording)
    pressed = threading.Event()  # looked at between events, when weights and step belong together
    before = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    event = None
    try:
        for event in recording:
            if not isinstance(event, Working):
                tell(event)
            if pressed.is_set() and not isinstance(event, Finished | Diverged):
                recording.leave("stopped")
                print(f"\nStopped at step {event.step:,}. To go on: python -m gpt resume {recording.id}", file=sys.stderr)
                return 130
    except BrokenPipeError:
        recording.leave("stopped")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    return 1 if isinstance(event, Diverged) else 0


class JsonTeller:
    """One line of JSON an event; each names the run."""

    def __init__(self, id: str):
        self.id = id

    def __call__(self, event: Event) -> None:
        print(json.dumps({**to_dict(event), "run": self.id}, allow_nan=False), flush=True)


class Teller:
    """A progress bar where there is a terminal, and a line for every check."""

    def __init__(self, recording: "Recording"):
        self.id, self.steps, self.shown = recording.id, recording.run.cfg.train.steps, 0.0
        self.characters = recording.run.data.characters
        self.first, self.began, self.asks = recording.run.state.step, monotonic(), recording.run.cfg.data.asks

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.line(f"run {self.id}: {event.parameters:,} parameters, {event.tokens_per_step:,} tokens a step, {event.device}")
        elif isinstance(event, Step):
            if sys.stderr.isatty() and monotonic() - self.shown > 0.1:
                self.bar(event)
        elif isinstance(event, Eval):
            self.line(f"step {event.step:>6}  validation loss {event.loss:.4f}  {event.seconds:.1f} s")
        elif isinstance(event, Answers):
            self.line(f"             {exactness(event)}" + "".join(
                f"\n    {question}{given}  should be {answer}" for question, answer, given in event.wrong[:TOLD_WRONG]))
        elif isinstance(event, Diverged):
            self.line(f"step {event.step}: {event.advice}")
        elif isinstance(event, Sample) and not self.asks:  # of a task: one answer, beside many
            self.line("\n".join(f"    {line}" for line in event.text.splitlines()))
        elif isinstance(event, Finished):
            where, more = ("all held-out answers", "Ask it:") if self.asks else ("the whole validation text", "More text:")
            in_bits = "" if self.asks else f", {bits(event.val_loss, self.characters):.4f} bits a character,"
            self.line(f"finished: validation loss {event.val_loss:.4f}{in_bits} over {where} ({event.val_tokens:,} tokens) "
                      f"after {event.step:,} steps in {event.seconds:.1f} s. {more} python -m gpt sample {self.id}")

    def bar(self, event: Step) -> None:
        self.shown = monotonic()
        rate = (event.step - self.first) / max(1e-9, self.shown - self.began)
        left = (self.steps - event.step) / max(1e-9, rate)
        words = f" {event.step:,} of {self.steps:,}  loss {event.loss:.3f}  {rate:,.0f} steps/s  {left:.0f} s left "
        width = max(0, min(30, shutil.get_terminal_size().columns - len(words) - 1))  # a wrapped line cannot be redrawn
        filled = width * event.step // self.steps
        sys.stderr.write(f"\r{'█' * filled}{'░' * (width - filled)}{words}\033[K")
        sys.stderr.flush()

    def line(self, text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        print(text, flush=True)


def exactness(answers: Answers) -> str:
    """How many answers were exactly right, in words."""
    return f"exact answers {answers.right / answers.total:.1%} ({answers.right:,} of {answers.total:,} held-out questions)"


def sample(arguments: Namespace, changes: Changes) -> int:
    run = trained(arguments.run)
    config = replace(run.cfg, changes)
    for piece in run.sample(config.sample):
        print(piece, end="", flush=True)
    print()
    return 0


def evaluate(arguments: Namespace, changes: Changes) -> int:
    from gpt.data import Examples
    from gpt.train import counted, evaluate

    run = trained(arguments.run)
    batches = list(run.data.whole_split(run.cfg.model.block_size))
    loss = evaluate(run.model, batches)
    tokens = sum(counted(y) for _, y in batches)
    if isinstance(run.data, Examples):
        from gpt.answers import ask

        *_, found = ask(run.model, run.data, run.state.step)
        print(f"{exactness(found)}\nloss {loss:.4f} nats a character\n"
              f"over {tokens:,} characters of the held-out answers, after {run.state.step:,} steps")
        return 0
    print(f"loss {loss:.4f} nats a token\nbits per character {bits(loss, run.data.characters):.4f}\nperplexity {math.exp(loss):.3f}\n"
          f"over {tokens:,} tokens, the whole validation text, after {run.state.step:,} steps")
    return 0


def trained(prefix: str) -> Any:
    """The run whose id begins with `prefix`, with the weights of its newest checkpoint."""
    from gpt.device import prepare
    from gpt.run import Run

    prepare()
    store = RunStore()
    id = store.find(prefix)
    checkpoint = store.load_checkpoint(id)
    if checkpoint is None:
        raise ConfigError([f"Run {id} has no weights yet: python -m gpt resume {id} trains it."])
    return Run(store.run(id).config, checkpoint)


def seeds(arguments: Namespace, changes: Changes) -> int:
    from statistics import mean, stdev

    from gpt.device import prepare
    from gpt.replicas import train_replicas

    prepare()
    config = configure(load(arguments.preset).config, changes)
    if not 1 <= arguments.count <= MOST_SEEDS:
        raise ConfigError([f"--count {arguments.count}: use 1 to {MOST_SEEDS}."])
    first = config.train.seed
    losses = []
    for seed, event in train_replicas(config, list(range(first, first + arguments.count))):
        if isinstance(event, Diverged):
            print(f"seed {seed}: diverged at step {event.step:,}. {event.advice}", flush=True)
        elif isinstance(event, Finished):
            losses.append(event.val_loss)
            print(f"seed {seed}: validation loss {event.val_loss:.4f} after {event.step:,} steps in {event.seconds:.1f} s", flush=True)
    if len(losses) > 1:
        print(f"mean {mean(losses):.4f}, standard deviation {stdev(losses):.4f} over {len(losses)} seeds, whole validation text")
    return 0 if losses else 1


def params(arguments: Namespace, changes: Changes) -> int:
    from gpt.data import load as load_data
    from gpt.model import count_parameters

    config = configure(load(arguments.preset).config, changes)
    counts = count_parameters(config.model, load_data(config.data, config.model.block_size).tokenizer.vocab_size)
    for part, count in counts.items():
        if count:
            print(f"{part} {count}")
    return 0


def script(arguments: Namespace, changes: Changes) -> int:
    from gpt.script import script

    preset = load(arguments.preset)
    print(script(configure(preset.config, changes), preset), end="")
    return 0


def presets(arguments: Namespace, changes: Changes) -> int:
    for preset in list_presets():
        print(f"{preset.id:22} {preset.title:12} {preset.adds}")
    return 0


def runs(arguments: Namespace, changes: Changes) -> int:
    rows = RunStore().runs()
    if not rows:
        print("No runs yet. To make one: python -m gpt train 03-multi-head")
    for run in rows:
        loss = "" if run.val_loss is None else f"{run.val_loss:.4f}"
        print(f"{run.id:14} {run.preset:22} {run.status:12} step {run.step:>6} {loss:>8}  {run.name}")
    return 0


def options(arguments: Namespace, changes: Changes) -> int:
    print(table(RunConfig), end="")
    return 0


def ladder(arguments: Namespace, changes: Changes) -> int:
    from gpt.device import prepare
    from gpt.ladder import climb

    prepare()
    climb({"data.dataset": "tinyshakespeare", **changes}, arguments.only)
    return 0


def bench(arguments: Namespace, changes: Changes) -> int:
    from gpt import bench
    from gpt.device import prepare

    prepare()
    bench.run(arguments.dataset, arguments.only)
    return 0


COMMANDS: dict[str, Callable[[Namespace, Changes], int]] = {
    "train": train, "resume": resume, "seeds": seeds, "sample": sample, "eval": evaluate, "params": params, "script": script,
    "presets": presets, "runs": runs, "options": options, "ladder": ladder, "bench": bench,
}
