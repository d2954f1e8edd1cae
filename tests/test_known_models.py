"""Known models are special cases: with weights copied over, our presets score as implementations nobody here wrote.

Both are built from small random configs; nothing is downloaded.
"""

import random
from dataclasses import replace

import pytest
import torch

from gpt.config import ModelConfig
from gpt.model import GPT, KVCache
from gpt.presets import load
from support import moved, tokens


def sizes(seed: int, preset: str) -> tuple[ModelConfig, int]:
    """The preset's model with small random sizes, and a vocabulary."""
    chance = random.Random(seed)
    n_head = chance.choice((2, 4, 6))
    cfg = replace(
        load(preset).config.model,
        n_layer=chance.randint(1, 3), n_head=n_head, n_embd=n_head * 2 * chance.randint(1, 6),
        block_size=chance.randint(5, 24), rope_base=chance.choice((10_000.0, 300.0)),
    )
    assert not cfg.problems()
    return cfg, chance.randint(5, 60)


def gpt2(cfg: ModelConfig, vocab_size: int) -> torch.nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(
        vocab_size=vocab_size, n_positions=cfg.block_size, n_embd=cfg.n_embd, n_layer=cfg.n_layer, n_head=cfg.n_head,
        n_inner=cfg.mlp_dim, activation_function="gelu_new", layer_norm_epsilon=1e-5, bos_token_id=0, eos_token_id=0,
        attn_implementation="eager",
    )).eval()


def llama(cfg: ModelConfig, vocab_size: int) -> torch.nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(
        vocab_size=vocab_size, hidden_size=cfg.n_embd, intermediate_size=cfg.mlp_dim, num_hidden_layers=cfg.n_layer,
        num_attention_heads=cfg.n_head, num_key_value_heads=cfg.kv_heads, max_position_embeddings=cfg.block_size,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": cfg.rope_base}, hidden_act="silu",
        tie_word_embeddings=False,
        attention_bias=False, mlp_bias=False, bos_token_id=0, eos_token_id=0, pad_token_id=None,
        attn_implementation="eager",
    )).eval()


GPT2_NAMES = {
    "transformer.wte": "embed", "transformer.wpe": "position.table", "transformer.h.": "blocks.", "ln_1": "attn.before",
    "attn.c_attn": "attn.inner.qkv", "attn.c_proj": "attn.inner.proj", "ln_2": "mlp.before", "mlp.c_fc": "mlp.inner.fc",
    "mlp.c_proj": "mlp.inner.proj", "transformer.ln_f": "final_norm", "lm_head": "head",
}


def from_gpt2(ours: GPT) -> dict[str, torch.Tensor]:
    """Our weights under GPT-2's names; its layers hold theirs (inputs, outputs)."""
    weights = {}
    for name, tensor in ours.state_dict().items():
        linear = name.startswith("blocks") and tensor.dim() == 2
        for theirs, here in GPT2_NAMES.items():
            name = name.replace(here, theirs)
        weights[name] = tensor.T if linear else tensor
    return weights


def from_llama(ours: GPT) -> dict[str, torch.Tensor]:
    """Our weights under Llama's names; it keeps apart what we fuse."""
    weights = {"model.embed_tokens.weight": ours.embed.weight, "model.norm.weight": ours.final_norm.weight,
        "lm_head.weight": ours.head.weight}
    for i, block in enumerate(ours.blocks):
        attn, mlp = block["attn"], block["mlp"]
        q, k, v = attn.inner.qkv.weight.split(list(attn.inner.qkv.parts.values()))
        gate, up = mlp.inner.fc.weight.chunk(2)
        layer = {
            "input_layernorm": attn.before.weight, "post_attention_layernorm": mlp.before.weight, "self_attn.q_proj": q,
            "self_attn.k_proj": k, "self_attn.v_proj": v, "self_attn.o_proj": attn.inner.proj.weight,
            "mlp.gate_proj": gate,
            "mlp.up_proj": up, "mlp.down_proj": mlp.inner.proj.weight,
        }
        weights |= {f"model.layers.{i}.{name}.weight": weight for name, weight in layer.items()}
    return weights


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("preset, build_theirs, convert", [
    ("modern/gpt2", gpt2, from_gpt2), ("modern/llama", llama, from_llama),
])
def test_scores_equal_those_of_transformers(preset, build_theirs, convert, seed):
    cfg, vocab_size = sizes(seed, preset)
    ours, theirs = moved(cfg, seed, vocab_size).eval(), build_theirs(cfg, vocab_size)
    theirs.load_state_dict(convert(ours), strict=True)
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())
    with torch.inference_mode():
        for T in {1, 2, cfg.block_size // 2, cfg.block_size}:
            x = tokens(2, T, seed=T, vocab_size=vocab_size)
            expected = theirs(x).logits
            assert expected.std() > 0.3  # weights off their start: nearly equal scores would prove little
            torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-4)
            cache = KVCache(cfg)
            decoded = torch.cat([ours(token, cache) for token in x.split(1, dim=1)], dim=1)
            torch.testing.assert_close(decoded, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("preset, build_theirs, convert", [
    ("modern/gpt2", gpt2, from_gpt2), ("modern/llama", llama, from_llama),
])
def test_gradients_equal_those_of_transformers(preset, build_theirs, convert):
    """So that training is theirs too: the same loss has the same slope in the token table."""
    cfg, vocab_size = sizes(1, preset)
    ours, theirs = moved(cfg, 1, vocab_size).eval(), build_theirs(cfg, vocab_size)
    theirs.load_state_dict(convert(ours), strict=True)
    x = tokens(2, cfg.block_size, vocab_size=vocab_size)
    theirs(x, labels=x).loss.backward()
    torch.nn.functional.cross_entropy(ours(x)[:, :-1].flatten(0, 1), x[:, 1:].flatten()).backward()
    torch.testing.assert_close(ours.embed.weight.grad, theirs.get_input_embeddings().weight.grad, rtol=1e-3, atol=1e-5)
