"""Drawing text from a model, token by token."""

from typing import Iterator

import torch
from torch import Tensor

from gpt.config import SampleConfig
from gpt.model import GPT, Bigram, KVCache
from gpt.options import Refusal
from gpt.seeding import generator


def next_token(scores: Tensor, cfg: SampleConfig, g: torch.Generator) -> int:
    """One token drawn from scores (V,) on the CPU: temperature, then the top k, then the top p of what is left.

    Raises Refusal if a score is not finite.
    """
    if not scores.isfinite().all():
        raise Refusal("The model's scores are no longer numbers, since its training diverged: train it again with a "
                      "smaller step size or gradient clipping.")
    if cfg.temperature == 0:
        return int(scores.argmax())
    scores, order = scores.double().sort(descending=True, stable=True)
    probabilities = ((scores - scores[0]) / cfg.temperature).softmax(-1)  # the likeliest is 0: nothing overflows
    if cfg.top_k:
        probabilities[cfg.top_k :] = 0
    if cfg.top_p < 1:  # keep a token while those before it have less than p: the likeliest always stays
        before = probabilities.cumsum(-1) - probabilities
        probabilities[before >= cfg.top_p * probabilities.sum()] = 0
    return int(order[torch.multinomial(probabilities, 1, generator=g)])


def generate(model: GPT | Bigram, prompt: list[int], cfg: SampleConfig) -> Iterator[int]:
    """Yield `cfg.length` tokens that follow `prompt` (at least one token), the same for the same seed.

    Keys and values are cached. When the context is full, its newer half is fed again as a new context, so that
    text of any length costs one pass a token and one longer pass every half context. The model must be in eval mode.
    """
    g = generator(cfg.seed, "sample")
    room = model.cfg.block_size
    device = next(model.parameters()).device
    seen, fresh = prompt[-room:], prompt[-room:]
    cache = KVCache(model.cfg)
    for _ in range(cfg.length):
        token = next_token(_scores(model, fresh, cache, device), cfg, g)
        yield token
        seen, fresh = [*seen, token][-room:], [token]
        if cache.length == room:
            cache, fresh = KVCache(model.cfg), seen[-max(1, room // 2) :]


@torch.inference_mode()
def _scores(model: GPT | Bigram, tokens: list[int], cache: KVCache, device: torch.device) -> Tensor:
    """Scores (V,) of the token after `tokens`. Apart, since no mode may stay switched on across a yield."""
    return model(torch.tensor([tokens], device=device), cache)[0, -1].cpu()
