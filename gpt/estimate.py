"""How long training will take on this machine, before it starts."""

from functools import lru_cache
from time import perf_counter

import torch

from gpt.config import ModelConfig, RunConfig, TrainConfig
from gpt.data import Dataset
from gpt.model import build, count_parameters
from gpt.options import replace
from gpt.tokenizers import ByteTokenizer
from gpt.train import start, train_step

VOCAB = 65  # of the bundled texts; of another text it changes the estimate little


def vocabulary(config: RunConfig) -> int:
    """About how many tokens there are, without a look at the text."""
    return {"char": VOCAB, "byte": 256}.get(config.data.tokenizer, config.data.vocab_size)


def floating_point_operations(config: RunConfig, vocab_size: int = VOCAB) -> float:
    """Of one training step: 6 a weight and token, 12 C S a layer and token for attention's scores (Kaplan et al. 2020)."""
    m = config.model
    weights = count_parameters(m, vocab_size)
    products = weights["attention"] + weights["mlp"] + m.n_embd * vocab_size
    scores = 12 * m.n_layer * m.n_embd * config.context if m.attention != "none" else 0
    return config.tokens_per_step * (6 * products + scores) if m.architecture == "transformer" else 0.0


def muon_operations(config: RunConfig) -> float:
    """Of Muon's step: five rounds of three products for each matrix inside the blocks; 0 for other optimisers."""
    m = config.model
    if config.train.optimizer != "muon" or m.architecture != "transformer":
        return 0.0
    shared = m.kv_heads * m.head_dim
    matrices = [(m.n_embd, m.n_embd)] * 2 + [(shared, m.n_embd)] * 2 if m.attention != "none" else []
    matrices += [(m.mlp_dim, m.n_embd)] * 2 if m.mlp else []
    ordered = [sorted(shape) for shape in matrices]
    return m.n_layer * sum(5 * (4 * low**2 * high + 2 * low**3) for low, high in ordered)


def sublayers(model: ModelConfig) -> int:
    """How many layers of attention or MLP one pass goes through."""
    if model.architecture == "bigram":
        return 0
    return model.n_layer * ((model.attention != "none") + model.mlp)


def seconds(config: RunConfig) -> float:
    """About how long training takes here, in seconds, checks and samples included, with the machine to itself."""
    machine = measure(torch.get_num_threads(), config.train.precision)
    flops = floating_point_operations(config, vocabulary(config))
    step = machine.step + machine.sublayer * sublayers(config.model) + (flops + muon_operations(config)) / machine.rate
    forward = (machine.step + machine.sublayer * sublayers(config.model)) / 3  # a pass without gradients
    checks = config.train.steps // config.train.eval_every + 1
    check = flops / 3 / machine.rate * config.train.eval_tokens / config.tokens_per_step + forward * config.sample.length
    return config.train.steps * step + checks * check


class Machine:
    """What a step costs here: seconds for itself, seconds a sublayer, and the rate of arithmetic (operations a second)."""

    def __init__(self, precision: str) -> None:
        table, narrow, wide = (_step_seconds(replace(config, {"train.precision": precision})) for config in PROBES)
        self.step = table
        self.sublayer = max(0.0, narrow - table) / sublayers(PROBES[1].model)
        arithmetic = max(1e-6, wide - self.step - self.sublayer * sublayers(PROBES[2].model))
        self.rate = floating_point_operations(PROBES[2]) / arithmetic


PROBES = (
    RunConfig(ModelConfig(architecture="bigram", block_size=8), train=TrainConfig(batch_size=4)),
    RunConfig(ModelConfig(n_layer=2, n_embd=16, block_size=8), train=TrainConfig(batch_size=4)),
    RunConfig(ModelConfig(n_layer=2, n_embd=128, block_size=64), train=TrainConfig(batch_size=8)),
)


@lru_cache
def measure(threads: int, precision: str) -> Machine:
    """Times three small models, once for each number of threads and precision; takes about half a second."""
    return Machine(precision)


def _step_seconds(config: RunConfig, times: int = 20) -> float:
    tokens = torch.arange(10_000) % VOCAB
    data = Dataset(ByteTokenizer(), tokens, tokens, "", 0.0, 0.0)
    state = start(build(config.model, VOCAB, seed=0), config.train)
    taken = []
    for state.step in range(times):
        began = perf_counter()
        train_step(state, data, config.train, torch.device("cpu"))
        taken.append(perf_counter() - began)
    return min(taken)  # the least disturbed
