"""The parameters of what a drawing of the model shows, piece by piece: a projection, a norm in its place, the head.

Of the layers, which are all alike, one is counted: pieces of a block are to be taken n_layer times.
"""

from dataclasses import replace

import torch

from gpt.config import ModelConfig
from gpt.model import ARCHITECTURES

NORM_PLACES = ("before", "out", "after")
OUTSIDE = {"table": "bigram", "embed": "embedding"}  # modules whose pieces have other names
INSIDE = {"attn": {"qkv": "qkv", "q_norm": "qk_norm", "k_norm": "qk_norm", "proj": "attn_proj"},
          "mlp": {"fc": "mlp_fc", "proj": "mlp_proj"}}


def piece_of(path: str) -> str:
    """The piece a parameter belongs to: "embedding", "qkv", "norm_attn_before", "norm_both_out", "final_norm", ..."""
    words = path.split(".")
    if words[0] != "blocks":
        return OUTSIDE.get(words[0], words[0])
    _, _, sublayer, *inside = words
    if inside[0] in NORM_PLACES:
        return f"norm_{sublayer}_{inside[0]}"
    layer = inside[1] if sublayer == "both" else sublayer
    return INSIDE[layer][inside[-2]]


def count_pieces(cfg: ModelConfig, vocab_size: int) -> dict[str, int]:
    """Parameters by piece, of one layer where there are several; pieces without any are left out.

    Counted on a model without memory, as `gpt.model.count_parameters` does. A tied head counts as embedding.
    """
    with torch.device("meta"):
        model = ARCHITECTURES[cfg.architecture](replace(cfg, n_layer=1), vocab_size)
    counts: dict[str, int] = {}
    for path, parameter in model.named_parameters():
        counts[piece_of(path)] = counts.get(piece_of(path), 0) + parameter.numel()
    return counts
