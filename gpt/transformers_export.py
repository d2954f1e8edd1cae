"""A run as a folder that Hugging Face's `transformers` loads, model and tokenizer, where its shape is one of theirs.

GPT-2's and Llama's are. Nothing of `transformers` is needed to write it: these are JSON files and one of safetensors.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from gpt.bpe import WORD
from gpt.config import ModelConfig, RunConfig, SampleConfig
from gpt.model import EPS, POSITIONS
from gpt.options import ConfigError, Refusal, has_effect, options
from gpt.tokenizers import BpeTokenizer, CharTokenizer, Tokenizer

# The options that a shape can hold, besides sizes, dropout and starting weights. Where ours has no bias and theirs has, it
# is zero; where ours has no positions, or those of sines, they are the table.
BOTH: dict[str, tuple] = {
    "architecture": ("transformer",), "attention": ("multi", "single"), "qk_norm": (False,), "window": (0,), "softcap": (0.0,),
    "attn_proj": (True,), "mlp": (True,), "mlp_proj": (True,), "residual_attn": (True,), "residual_mlp": (True,),
    "norm_place": ("pre",), "final_norm": (True,), "parallel": (False,), "head_bias": (False,),
}
SHAPES: dict[str, dict[str, tuple]] = {
    "gpt2": {**BOTH, "queries_per_kv": (1,), "position": ("learned", "sinusoidal", "none"), "norm": ("layer",),
             "activation": ("gelu", "relu", "silu", "relu2", "identity")},
    "llama": {**BOTH, "position": ("rope",), "norm": ("rms",), "activation": ("swiglu", "geglu")},
}
NAMES = {"gpt2": "GPT-2", "llama": "Llama"}
ACTIVATIONS = {"gelu": "gelu_new", "relu": "relu", "silu": "silu", "relu2": "relu2", "identity": "linear", "swiglu": "silu",
               "geglu": "gelu_new"}  # by their names


def shape_of(config: RunConfig) -> str:
    """"gpt2" or "llama". Raises ConfigError that lists what fits neither, and what would."""
    wrong = {shape: misfits(config.model, shape) for shape in SHAPES}
    for shape, found in wrong.items():
        if not found:
            return shape
    raise ConfigError([
        "transformers has models of the shapes of GPT-2 and of Llama, and this is neither: train a run that is one of them, such "
        "as the presets modern/gpt2 and modern/llama, or export it without --to transformers.",
        *(f"For {NAMES[shape]}: {', '.join(found)}." for shape, found in wrong.items())])


def misfits(cfg: ModelConfig, shape: str) -> list[str]:
    """The options that a shape cannot hold: "norm = rms (use layer)"."""
    wrong, known = [], options(cfg)
    for name, fits in SHAPES[shape].items():
        value = getattr(cfg, name)
        idle = not has_effect(cfg, name) or (name == "window" and value >= cfg.block_size)
        if value not in fits and not idle:
            written = [known[name].describe(v) if known[name].kind != "choice" else v for v in (value, *fits)]
            wrong.append(f"{name} = {written[0]} (use {' or '.join(written[1:])})")
    return wrong


def files(config: RunConfig, weights: dict[str, Tensor], tokenizer: Tokenizer) -> dict[str, bytes]:
    """The folder's files by name. Raises ConfigError where no shape fits."""
    shape = shape_of(config)
    about, convert = {"gpt2": (gpt2_config, gpt2_weights), "llama": (llama_config, llama_weights)}[shape]
    cfg = config.model
    theirs = convert(cfg, weights)
    if not cfg.tie_weights:
        theirs["lm_head.weight"] = weights["head.weight"]
    common = {"model_type": shape, "vocab_size": tokenizer.vocab_size, "tie_word_embeddings": cfg.tie_weights, "dtype": "float32",
              "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    written = {"config.json": {**about(cfg), **common}, "generation_config.json": generation(config.sample, cfg.block_size),
               "tokenizer.json": tokenizer_json(tokenizer), "tokenizer_config.json": {
                   "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False,
                   "model_max_length": cfg.block_size}}
    encoded = {name: json.dumps(record, indent=2, ensure_ascii=False).encode() for name, record in written.items()}
    return {**encoded, "model.safetensors": save({name: t.clone().contiguous() for name, t in theirs.items()}, {"format": "pt"})}


def write(folder: Path, config: RunConfig, weights: dict[str, Tensor], tokenizer: Tokenizer) -> None:
    """Writes the folder. Raises ConfigError where no shape fits, Refusal where it cannot be written."""
    made = files(config, weights, tokenizer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, raw in made.items():
            (folder / name).write_bytes(raw)
    except OSError as error:
        raise Refusal(f"{folder} cannot be written: {error.strerror}. Name another folder with --out.") from error


# GPT-2 ---------------------------------------------------------------------------------------------------------------

GPT2_LAYER = {"ln_1": "attn.before", "attn.c_attn": "attn.inner.qkv", "attn.c_proj": "attn.inner.proj", "ln_2": "mlp.before",
              "mlp.c_fc": "mlp.inner.fc", "mlp.c_proj": "mlp.inner.proj"}


def gpt2_config(cfg: ModelConfig) -> dict[str, Any]:
    """What `config.json` says of the model."""
    return {
        "architectures": ["GPT2LMHeadModel"], "n_positions": cfg.block_size, "n_embd": cfg.n_embd, "n_layer": cfg.n_layer,
        "n_head": cfg.heads, "n_inner": cfg.mlp_dim, "activation_function": ACTIVATIONS[cfg.activation],
        "layer_norm_epsilon": EPS, "embd_pdrop": cfg.dropout_embd, "attn_pdrop": cfg.dropout_attn,
        "resid_pdrop": cfg.dropout_resid,
    }


def gpt2_weights(cfg: ModelConfig, ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under GPT-2's names; its layers hold theirs (inputs, outputs), and all have a bias."""
    theirs = {"transformer.wte.weight": ours["embed.weight"], "transformer.wpe.weight": position_table(cfg, ours)}
    places = {f"transformer.h.{i}.{there}": f"blocks.{i}.{here}" for i in range(cfg.n_layer) for there, here in GPT2_LAYER.items()}
    for there, here in {**places, "transformer.ln_f": "final_norm"}.items():
        weight = ours[f"{here}.weight"]
        theirs[f"{there}.weight"] = weight.T if weight.dim() == 2 else weight
        theirs[f"{there}.bias"] = bias_of(ours, here)
    return theirs


def position_table(cfg: ModelConfig, ours: dict[str, Tensor]) -> Tensor:
    """What is added to the token at each position, (block_size, C)."""
    if cfg.position == "none":
        return torch.zeros(cfg.block_size, cfg.n_embd)
    return ours["position.table.weight"] if cfg.position == "learned" else POSITIONS[cfg.position](cfg).table


def bias_of(ours: dict[str, Tensor], layer: str) -> Tensor:
    """A layer's bias, zero where it has none."""
    return ours.get(f"{layer}.bias", torch.zeros(len(ours[f"{layer}.weight"])))


# Llama ---------------------------------------------------------------------------------------------------------------

def llama_config(cfg: ModelConfig) -> dict[str, Any]:
    """What `config.json` says of the model; the RoPE base in the words of transformers 5 and of 4."""
    return {
        "architectures": ["LlamaForCausalLM"], "hidden_size": cfg.n_embd, "intermediate_size": cfg.mlp_dim,
        "num_hidden_layers": cfg.n_layer, "num_attention_heads": cfg.heads, "num_key_value_heads": cfg.kv_heads,
        "head_dim": cfg.head_dim, "max_position_embeddings": cfg.block_size, "hidden_act": ACTIVATIONS[cfg.activation],
        "rms_norm_eps": EPS, "rope_theta": cfg.rope_base, "attention_dropout": cfg.dropout_attn,
        "rope_parameters": {"rope_type": "default", "rope_theta": cfg.rope_base},
        "attention_bias": cfg.qkv_bias or cfg.bias, "mlp_bias": cfg.bias,
    }


def llama_weights(cfg: ModelConfig, ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under Llama's names; it keeps apart what we fuse."""
    theirs = {"model.embed_tokens.weight": ours["embed.weight"], "model.norm.weight": ours["final_norm.weight"]}
    shared = cfg.kv_heads * cfg.head_dim
    for i in range(cfg.n_layer):
        layer, block = f"model.layers.{i}", f"blocks.{i}"
        theirs[f"{layer}.input_layernorm.weight"] = ours[f"{block}.attn.before.weight"]
        theirs[f"{layer}.post_attention_layernorm.weight"] = ours[f"{block}.mlp.before.weight"]
        for here, parts, biased in (
            ("attn.inner.qkv", {"self_attn.q_proj": cfg.n_embd, "self_attn.k_proj": shared, "self_attn.v_proj": shared},
             cfg.qkv_bias or cfg.bias),
            ("attn.inner.proj", {"self_attn.o_proj": cfg.n_embd}, cfg.qkv_bias or cfg.bias),
            ("mlp.inner.fc", {"mlp.gate_proj": cfg.mlp_dim, "mlp.up_proj": cfg.mlp_dim}, cfg.bias),
            ("mlp.inner.proj", {"mlp.down_proj": cfg.n_embd}, cfg.bias),
        ):
            kinds = {"weight": ours[f"{block}.{here}.weight"], "bias": bias_of(ours, f"{block}.{here}")}
            for kind in ("weight", "bias")[: 1 + biased]:
                pieces = kinds[kind].split(list(parts.values()))
                theirs |= {f"{layer}.{there}.{kind}": piece for there, piece in zip(parts, pieces, strict=True)}
    return theirs


# Text ----------------------------------------------------------------------------------------------------------------

def generation(cfg: SampleConfig, block_size: int) -> dict[str, Any]:
    """How text is drawn: as here, but no longer than one context, beyond which their models have no positions."""
    drawn = {"do_sample": True, "temperature": cfg.temperature, "top_k": cfg.top_k, "top_p": cfg.top_p}
    return {**(drawn if cfg.temperature else {"do_sample": False}), "max_length": block_size}


def tokenizer_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer in the format of the `tokenizers` library; it refuses what ours refuses."""
    common = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
              "post_processor": None}
    if isinstance(tokenizer, CharTokenizer):
        split = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
        # A character that is not known is an error, since the token for such is not there either.
        return {**common, "pre_tokenizer": split, "decoder": {"type": "Fuse"},
                "model": {"type": "WordLevel", "vocab": tokenizer.index, "unk_token": "<unk>"}}
    letters = letters_of_bytes()
    written = ["".join(letters[byte] for byte in token) for token in tokenizer.tokens]
    merges = [[written[first], written[second]] for first, second in tokenizer.made] if isinstance(tokenizer, BpeTokenizer) else []
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    words = {"type": "Split", "pattern": {"Regex": WORD}, "behavior": "Isolated", "invert": False}
    before = {"type": "Sequence", "pretokenizers": [words, level]} if merges else level
    return {**common, "pre_tokenizer": before, "decoder": level, "model": {
        "type": "BPE", "vocab": {token: i for i, token in enumerate(written)}, "merges": merges, "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}}


def letters_of_bytes() -> str:
    """How that library writes each of the 256 bytes: itself where that can be seen, else a letter from U+0100 on."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    rest = iter(range(256, 512))
    return "".join(chr(byte if byte in seen else next(rest)) for byte in range(256))
