"""Tokens a second of sampling: with the cache, and feeding the whole window for each token."""

import threading
from collections.abc import Iterator
from dataclasses import replace as changed
from statistics import median
from time import perf_counter

import torch

from gpt.bench.table import Row, in_turn, ratio
from gpt.config import ModelConfig, RunConfig, SampleConfig
from gpt.device import choose_device
from gpt.generate import generate, next_token
from gpt.model import GPT, build
from gpt.options import replace
from gpt.presets import load as preset
from gpt.run import Run
from gpt.seeding import generator

CONTEXT, TOKENS = 256, 128
REFED = 32  # tokens drawn the plain way, each of which takes as long as the others
AIM = 5.0


def rows(dataset: str) -> Iterator[Row]:
    """At a full context of 256, and while a run trains."""
    device = choose_device("auto")
    for name, cfg in {"4 layers of width 64": ModelConfig(), "4 layers of width 128": ModelConfig(n_embd=128),
                      "6 layers of width 384": ModelConfig(n_layer=6, n_head=6, n_embd=384)}.items():
        model = build(changed(cfg, block_size=CONTEXT), 65, 1).to(device).eval()
        drawn, few, full = SampleConfig(length=TOKENS), SampleConfig(length=REFED), [0] * CONTEXT
        slow, fast = in_turn(lambda: refeeding(model, full, few), lambda: list(generate(model, full, drawn)))
        gain = ratio(slow, fast) * TOKENS / REFED
        yield Row(f"sampling, {name}, context {CONTEXT}", f"{TOKENS / median(fast):,.0f} tokens/s",
                  f"re-feeding the window: {REFED / median(slow):,.0f} tokens/s", gain, f"{AIM:g} x", gain >= AIM)
    for name in ("fast", "12"):
        yield while_training(name, replace(preset(name).config, {"data.dataset": dataset}))


def refeeding(model: GPT, prompt: list[int], cfg: SampleConfig) -> list[int]:
    """The plain way: all of the window through the model for every token."""
    g, tokens, room = generator(cfg.seed, "sample"), list(prompt), model.cfg.block_size
    device = next(model.parameters()).device
    with torch.inference_mode():
        for _ in range(cfg.length):
            tokens.append(next_token(model(torch.tensor([tokens[-room:]], device=device))[0, -1].cpu(), cfg, g))
    return tokens[len(prompt):]


def while_training(name: str, config: RunConfig, requests: int = 20) -> Row:
    """Milliseconds from a request to the first character, with the weights of a run that trains in another thread."""
    run = Run(replace(config, {"train.steps": 100_000, "train.eval_every": 10_000}))
    ended = threading.Event()

    def train() -> None:
        for _ in run.work():
            if ended.is_set():
                return

    thread = threading.Thread(target=train)
    thread.start()
    taken = []
    for _ in range(requests):
        ended.wait(0.1)
        began = perf_counter()
        next(run.sampler().sample(config.sample))
        taken.append(1000 * (perf_counter() - began))
    ended.set()
    thread.join()
    worst = sorted(taken)[int(0.9 * requests)]
    return Row(f"first token while preset \"{name}\" trains", f"{median(taken):.0f} ms, nine of ten within {worst:.0f} ms",
               "", None, "50 ms", worst <= 50)
