"""Tokens a second at equal work: our models against the same models written plainly, and against the machine's peak."""

import os
from collections.abc import Iterator
from dataclasses import replace as changed
from functools import lru_cache
from statistics import median

import torch

from gpt import kernels
from gpt.bench.plain import plain_model, plain_step
from gpt.bench.table import Row, in_turn, numbered, ratio
from gpt.config import ModelConfig, RunConfig, TrainConfig
from gpt.data import Dataset, load
from gpt.device import choose_device
from gpt.estimate import floating_point_operations
from gpt.model import build
from gpt.options import replace
from gpt.presets import load as preset
from gpt.train import start, train_step

AIM = 1.25
LADDER = ("01", "02", "03", "04", "06", "09", "11", "12")
LARGER = RunConfig(  # nanoGPT's model for a GPU
    ModelConfig(n_layer=6, n_head=6, n_embd=384, block_size=256, bias=False, qkv_bias=False),
    train=TrainConfig(batch_size=4, grad_clip=1.0, weight_decay=0.1, beta2=0.99))


def rows(dataset: str) -> Iterator[Row]:
    """The peak, then each model in float32 against its plain form, then in bfloat16 against itself."""
    device = choose_device("auto")
    yield Row("matrix products, float32", f"{peak(device, torch.float32) / 1e9:,.0f} GFLOP/s", "by definition 100 % of the peak")
    if kernels.bfloat16_is_fast(device.type):
        yield Row("matrix products, bfloat16", f"{peak(device, torch.bfloat16) / 1e9:,.0f} GFLOP/s", "by definition 100 % of the peak")
    configs = {"nanoGPT's recipe": preset("nanogpt").config, "6 layers of width 384": LARGER}
    configs |= {f"ladder {name}": preset(name).config for name in reversed(LADDER)}
    for name, config in configs.items():
        yield against_plain(name, replace(config, {"data.dataset": dataset}), device)
    for name in ("nanoGPT's recipe", "6 layers of width 384", "ladder 12"):
        if kernels.bfloat16_is_fast(device.type):
            yield in_bfloat16(name, replace(configs[name], {"data.dataset": dataset}), device)
    if device.type == "cpu" and (os.cpu_count() or 1) > torch.get_num_threads():
        for name in ("6 layers of width 384", "nanoGPT's recipe", "ladder 09"):
            yield on_all_cores(name, replace(configs[name], {"data.dataset": dataset}), device)
    if device.type == "cuda":
        for name in ("ladder 09", "ladder 06", "ladder 03"):
            yield replayed(name, replace(configs[name], {"data.dataset": dataset}), device)


def against_plain(name: str, config: RunConfig, device: torch.device) -> Row:
    """One model in both forms, step by step in turn."""
    data = load(config.data, config.model.block_size)
    plain = plain_model(config.model, data.tokenizer.vocab_size)
    slow, fast = in_turn(numbered(plain_step(plain, data, config, device)), our_step(config, data, device))
    gain = ratio(slow, fast)
    return Row(f"{name}, float32", told(config, fast, peak(device, torch.float32)), tokens_told(config, slow), gain,
               f"{AIM} x", gain >= AIM)


def in_bfloat16(name: str, config: RunConfig, device: torch.device) -> Row:
    """One model in bfloat16, against itself in float32."""
    data = load(config.data, config.model.block_size)
    halved = changed(config, train=changed(config.train, precision="bfloat16"))
    slow, fast = in_turn(our_step(config, data, device), our_step(halved, data, device))
    return Row(f"{name}, bfloat16", told(config, fast, peak(device, torch.bfloat16)), f"float32: {tokens_told(config, slow)}",
               ratio(slow, fast))


def on_all_cores(name: str, config: RunConfig, device: torch.device) -> Row:
    """One model with a thread on every core, against the threads it usually has: what leaving some to others costs."""
    few, all_cores = torch.get_num_threads(), os.cpu_count() or 1
    step = our_step(config, load(config.data, config.model.block_size), device)

    def with_threads(threads: int) -> None:
        torch.set_num_threads(threads)
        step()

    try:
        slow, fast = in_turn(lambda: with_threads(few), lambda: with_threads(all_cores))
    finally:
        torch.set_num_threads(few)
    return Row(f"{name}, {all_cores} threads", tokens_told(config, fast),
               f"{few} thread{'s' * (few > 1)}: {tokens_told(config, slow)}", ratio(slow, fast))


def replayed(name: str, config: RunConfig, device: torch.device) -> Row:
    """One model whose passes are recorded, against itself."""
    data = load(config.data, config.model.block_size)
    recorded = changed(config, train=changed(config.train, device="cuda", replay=True))
    slow, fast = in_turn(our_step(config, data, device), our_step(recorded, data, device))
    return Row(f"{name}, replayed", told(config, fast, peak(device, torch.float32)), f"launched one by one: {tokens_told(config, slow)}",
               ratio(slow, fast))


def our_step(config: RunConfig, data: Dataset, device: torch.device):
    """A function that trains our form of the model for one step."""
    state = start(build(config.model, data.tokenizer.vocab_size, 1).to(device), config.train)

    def step() -> None:
        train_step(state, data, config.train, device)
        state.step += 1
        if device.type != "cpu":
            torch.cuda.synchronize()  # the plain form is waited for as well

    return step


def tokens_told(config: RunConfig, seconds: list[float]) -> str:
    return f"{config.tokens_per_step / median(seconds):,.0f} tokens/s"


def told(config: RunConfig, seconds: list[float], most: float) -> str:
    """Tokens a second, and the share of the peak that the model's own arithmetic reaches."""
    share = floating_point_operations(config) / median(seconds) / most
    return tokens_told(config, seconds) + (f", {share:.0%} of peak" if share >= 0.01 else "")


@lru_cache
def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of the fastest large product there is, in `dtype`."""
    n = 1024 if device.type == "cpu" else 8192
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))

    def product() -> None:
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()

    ways = [product]
    if device.type == "cpu" and dtype == torch.float32 and kernels.onednn_is_faster():
        ways.append(lambda: kernels.onednn(a, b))
    return 2 * n**3 / min(min(times) for times in in_turn(*ways, seconds=1.0))
