"""The counts on the drawing are those of the real model."""

from dataclasses import replace

import pytest

from gpt.config import ModelConfig
from gpt.model import build
from gpt.pieces import count_pieces
from support import SMALL, VOCAB, pairwise

OUTSIDE = {"bigram", "embedding", "position", "final_norm", "head"}  # there once; all else is there in each layer


@pytest.mark.parametrize("cfg", pairwise())
def test_pieces_add_up_to_the_real_model(cfg):
    counts, model = count_pieces(cfg, VOCAB), build(cfg, VOCAB, seed=1)
    once = sum(count for piece, count in counts.items() if piece in OUTSIDE)
    layer = sum(count for piece, count in counts.items() if piece not in OUTSIDE)
    layers = len(model.blocks) if cfg.architecture == "transformer" else 0
    assert once + layers * layer == sum(p.numel() for p in model.parameters())
    assert all(counts.values())


@pytest.mark.parametrize("parallel", [False, True])
def test_each_piece_is_the_module_it_is_named_after(parallel):
    cfg = replace(SMALL, norm="layer", norm_place="both", qk_norm=True, parallel=parallel, tie_weights=False, head_bias=True,
                  attention="multi", n_head=4, queries_per_kv=2, position="learned", mlp=True, mlp_proj=True)
    counts, model = count_pieces(cfg, VOCAB), build(cfg, VOCAB, seed=1)
    block = model.blocks[0]
    attention, mlp = (block["both"].inner[name] if parallel else block[name].inner for name in ("attn", "mlp"))
    real = {"embedding": model.embed, "position": model.position, "head": model.head, "final_norm": model.final_norm,
            "qkv": attention.qkv, "attn_proj": attention.proj, "mlp_fc": mlp.fc, "mlp_proj": mlp.proj}
    for sublayer in block:
        real |= {f"norm_{sublayer}_before": block[sublayer].before, f"norm_{sublayer}_out": block[sublayer].out}
    sizes = {piece: sum(p.numel() for p in module.parameters()) for piece, module in real.items()}
    assert counts == sizes | {"qk_norm": 2 * cfg.head_dim}


def test_a_table_is_one_piece():
    assert count_pieces(ModelConfig(architecture="bigram"), 65) == {"bigram": 65 * 65}
