"""Each part against a few lines of textbook mathematics, written without the library's own layers."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gpt.config import ModelConfig
from gpt.model import (
    ACTIVATIONS, ARCHITECTURES, EPS, MLP, NORMS, POSITIONS, STD, Attention, Block, Dropout, Look, Noise, Position,
    alibi_slopes, build,
    fused_attention, hide_future,
)
from gpt.options import options
from support import SMALL, VOCAB, moved, shake, tokens

CPU = torch.device("cpu")


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("option, table", [
    ("norm", NORMS), ("position", POSITIONS), ("activation", ACTIVATIONS), ("architecture", ARCHITECTURES),
])
def test_tables_hold_exactly_the_choices(option, table):
    assert set(table) == set(options(ModelConfig)[option].choices)


# Norms --------------------------------------------------------------------------------------------------------------

def test_layer_norm():
    norm, x = shake(NORMS["layer"](SMALL)).double(), randn(3, SMALL.n_embd)
    for row, normed in zip(x, norm(x)):
        mean = sum(row) / len(row)
        variance = sum((v - mean) ** 2 for v in row) / len(row)
        close(normed, (row - mean) / (variance + EPS).sqrt() * norm.weight + norm.bias)
    assert NORMS["layer"](replace(SMALL, bias=False)).bias is None


def test_rms_norm():
    norm, x = shake(NORMS["rms"](SMALL)).double(), randn(3, SMALL.n_embd)
    for row, normed in zip(x, norm(x)):
        close(normed, row / (sum(v * v for v in row) / len(row) + EPS).sqrt() * norm.weight)
    assert [name for name, _ in norm.named_parameters()] == ["weight"]


def test_no_norm():
    x = randn(3, SMALL.n_embd)
    assert torch.equal(NORMS["none"](SMALL)(x), x)


# Positions ----------------------------------------------------------------------------------------------------------

def position(name: str, **changes) -> Position:
    return POSITIONS[name](replace(SMALL, position=name, **changes))


@pytest.mark.parametrize("name", POSITIONS)
def test_each_position_enters_in_one_place(name):
    place = {"none": None, "learned": "embed", "sinusoidal": "embed", "rope": "rotate", "alibi": "bias"}[name]
    p, x, q = shake(position(name)).double(), randn(1, 5, SMALL.n_embd), randn(1, 4, 5, SMALL.head_dim)
    changed = {"embed": not torch.equal(p.embed(x, 1), x), "rotate": not torch.equal(p.rotate(q, 1), q),
               "bias": p.bias(5, 5) is not None}
    assert [where for where, moved in changed.items() if moved] == ([place] if place else [])


def test_learned_positions():
    p, x = shake(position("learned")).double(), randn(2, 3, SMALL.n_embd)
    for t in range(3):
        close(p.embed(x, 4)[:, t], x[:, t] + p.table.weight[4 + t])


@pytest.mark.parametrize("C", [16, 5])
def test_sinusoidal_positions(C):
    p, x = position("sinusoidal", n_embd=C, n_head=1), torch.zeros(1, 6, C)
    for t in range(6):
        for i in range(C):
            angle = (2 + t) / 10_000 ** (i // 2 * 2 / C)
            assert p.embed(x, 2)[0, t, i] == pytest.approx(math.cos(angle) if i % 2 else math.sin(angle), abs=1e-5)


def test_rope_is_multiplication_by_a_complex_number():
    """Dimensions i and i + D/2 are one complex number, turned by e^(i t theta) with theta = base^(-2i/D)."""
    p, x = position("rope", n_head=2, rope_base=500.0), randn(1, 5, 2, 8)
    theta = torch.tensor([500.0 ** (-2 * i / 8) for i in range(4)], dtype=torch.float64)
    turned = torch.complex(x[..., :4], x[..., 4:]) * torch.exp(1j * torch.arange(3, 8)[:, None, None] * theta)
    close(p.double().rotate(x, 3), torch.cat([turned.real, turned.imag], dim=-1))


def test_rope_scores_depend_on_distance_alone():
    p, q, k = position("rope").double(), randn(1, 1, 1, 4), randn(1, 1, 1, 4, seed=1)

    def score(m: int, n: int) -> float:
        return float((p.rotate(q, m) * p.rotate(k, n)).sum())

    for distance in range(6):
        assert score(5 + distance, 5) == pytest.approx(score(distance, 0), abs=1e-6)
    assert len({round(score(d, 0), 4) for d in range(6)}) == 6


def test_alibi_slopes_are_the_papers():
    assert alibi_slopes(8) == [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]
    assert alibi_slopes(12) == pytest.approx([*alibi_slopes(8), 2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5])
    assert alibi_slopes(1) == [2**-8] and alibi_slopes(3) == [2**-4, 2**-8, 2**-2]
    assert all(len(alibi_slopes(h)) == len(set(alibi_slopes(h))) == h for h in range(1, 33))


def test_alibi_subtracts_slope_times_distance():
    bias = position("alibi").bias(2, 5)
    for h, slope in enumerate(alibi_slopes(SMALL.n_head)):
        for row, t in enumerate((3, 4)):
            for s in range(t + 1):
                assert bias[h, row, s] == pytest.approx(-slope * (t - s))


# Attention ----------------------------------------------------------------------------------------------------------

def look(cfg: ModelConfig, T: int) -> Look:
    """What a model hands its layers in one pass over T tokens."""
    model = build(cfg, VOCAB, 1)
    mask = model.mask(T, T)
    return Look(model.position.double(), 0, mask if mask is None else mask.double(), None)


def by_loops(attention: Attention, x: Tensor, cfg: ModelConfig) -> Tensor:
    """Causal attention over x (T, C), one number at a time: for each head, each query, each key it may see."""
    D, T = cfg.head_dim, len(x)
    W, b = attention.qkv.weight, attention.qkv.bias
    shared_dim = cfg.kv_heads * D
    q_all, k_all, v_all = (x @ W.T + (b if b is not None else 0)).split([cfg.n_embd, shared_dim, shared_dim], dim=-1)
    heads = []
    for h in range(cfg.heads):
        own, shared = slice(h * D, (h + 1) * D), h // (cfg.heads // cfg.kv_heads)
        q, k, v = q_all[:, own], *(both[:, shared * D : (shared + 1) * D] for both in (k_all, v_all))
        if cfg.qk_norm:
            q = q / (q.square().mean(-1, keepdim=True) + EPS).sqrt() * attention.q_norm.weight
            k = k / (k.square().mean(-1, keepdim=True) + EPS).sqrt() * attention.k_norm.weight
        if cfg.position == "rope":
            q, k = by_angles(q, cfg.rope_base), by_angles(k, cfg.rope_base)
        out = []
        for t in range(T):
            seen = [s for s in range(t + 1) if not cfg.window or t - s < cfg.window]
            scores = torch.stack([q[t] @ k[s] / math.sqrt(D) for s in seen])
            if cfg.softcap:
                scores = cfg.softcap * torch.tanh(scores / cfg.softcap)
            if cfg.position == "alibi":
                scores = scores - torch.tensor([alibi_slopes(cfg.heads)[h] * (t - s) for s in seen])
            weights = scores.exp() / scores.exp().sum()
            out.append(sum(w * v[s] for w, s in zip(weights, seen)))
        heads.append(torch.stack(out))
    joined = torch.cat(heads, dim=-1)
    if not cfg.attn_proj:
        return joined
    return joined @ attention.proj.weight.T + (attention.proj.bias if cfg.bias else 0)


def by_angles(x: Tensor, base: float) -> Tensor:
    """RoPE on x (T, D) from position 0, one pair at a time."""
    y, half = x.clone(), x.shape[1] // 2
    for t in range(len(x)):
        for i in range(half):
            angle = t * base ** (-i / half)
            y[t, i] = x[t, i] * math.cos(angle) - x[t, i + half] * math.sin(angle)
            y[t, i + half] = x[t, i] * math.sin(angle) + x[t, i + half] * math.cos(angle)
    return y


@pytest.mark.parametrize("change", [
    {"attention": "single"}, {}, {"n_head": 1}, {"queries_per_kv": 2}, {"queries_per_kv": 4}, {"qk_norm": True},
    {"window": 1},
    {"window": 3}, {"softcap": 1.5}, {"attn_proj": False}, {"qkv_bias": False, "bias": False}, {"position": "rope"},
    {"position": "alibi"}, {"position": "alibi", "n_head": 3, "n_embd": 12},
    {"position": "rope", "attention": "single", "window": 2},
    {"position": "alibi", "window": 2, "softcap": 1.5, "queries_per_kv": 2},
    {"position": "rope", "qk_norm": True, "softcap": 2.0, "window": 4, "queries_per_kv": 2},
], ids=str)
def test_attention_by_explicit_loops(change):
    cfg = replace(SMALL, **change)
    attention, x = shake(Attention(cfg, 0, Noise())).double(), randn(7, cfg.n_embd)
    close(attention(x[None], look(cfg, 7))[0], by_loops(attention, x, cfg))


def test_window_counts_the_token_itself():
    mask = hide_future(3, 5, 2, CPU)
    assert (mask == 0).long().tolist() == [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]]
    assert mask[mask != 0].isneginf().all()


def test_grouped_queries_are_heads_with_repeated_keys():
    grouped_cfg = replace(SMALL, queries_per_kv=2)
    grouped, full = shake(Attention(grouped_cfg, 0, Noise())).double(), Attention(SMALL, 0, Noise()).double()
    C, D = SMALL.n_embd, SMALL.head_dim
    weights = grouped.state_dict()
    for name in ("qkv.weight", "qkv.bias"):
        q, k, v = weights[name].split([C, C // 2, C // 2])
        k, v = (part.unflatten(0, (2, D)).repeat_interleave(2, dim=0).flatten(0, 1) for part in (k, v))
        weights[name] = torch.cat([q, k, v])
    full.load_state_dict(weights)
    x = randn(2, 7, C)
    close(grouped(x, look(grouped_cfg, 7)), full(x, look(SMALL, 7)))


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("T, S, masked", [
    (6, 6, False), (6, 6, True), (1, 6, False), (1, 6, True), (1, 1, False), (2, 6, True),
])
def test_the_fused_kernel_computes_what_is_written_out(kv_heads, T, S, masked):
    attention = Attention(SMALL, 0, Noise())
    q, k, v = randn(2, 4, T, 4), randn(2, kv_heads, S, 4, seed=1), randn(2, kv_heads, S, 4, seed=2)
    mask = randn(4, T, S, seed=3) + hide_future(T, S, 3, CPU) if masked else None
    close(fused_attention(q, k, v, mask), attention.attend(q, k, v, mask))


def test_only_what_the_kernel_cannot_do_is_written_out():
    assert not Attention(replace(SMALL, window=3, qk_norm=True), 0, Noise()).plain
    assert Attention(replace(SMALL, softcap=2.0), 0, Noise()).plain
    assert Attention(replace(SMALL, dropout_attn=0.1), 0, Noise()).plain


def test_training_needs_no_mask_where_the_kernel_has_its_own():
    """`is_causal` is the fast path; decoding one token sees all, and needs none either."""
    T = SMALL.block_size
    plain, windowed, alibi = (build(replace(SMALL, **c), VOCAB, 1) for c in ({}, {"window": 3}, {"position": "alibi"}))
    assert plain.mask(T, T) is None and plain.mask(1, T) is None
    assert plain.mask(2, T) is not None and windowed.mask(T, T) is not None and alibi.mask(1, T) is not None


# Feed-forward -------------------------------------------------------------------------------------------------------

def gelu(v: float) -> float:
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


def silu(v: float) -> float:
    return v / (1 + math.exp(-v))


BENDS = {
    "identity": lambda v: v, "relu": lambda v: max(v, 0.0), "gelu": gelu, "silu": silu,
    "relu2": lambda v: max(v, 0.0) ** 2, "swiglu": silu, "geglu": gelu,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_mlp(name):
    """W2 f(W1 x + b1) + b2, or W2 (f(Wg x + bg) * (W1 x + b1)) + b2 for the gated ones."""
    cfg = replace(SMALL, activation=name, expansion=1.5)
    mlp, x = shake(MLP(cfg)).double(), randn(5, cfg.n_embd)
    hidden = x @ mlp.fc.weight.T + mlp.fc.bias
    assert hidden.shape[1] == 24 * (2 if name in ("swiglu", "geglu") else 1)
    bent = hidden[:, :24].detach().clone().apply_(BENDS[name])
    if name in ("swiglu", "geglu"):
        bent = bent * hidden[:, 24:]
    close(mlp(x, None), bent @ mlp.proj.weight.T + mlp.proj.bias)


@pytest.mark.parametrize("name", ["relu", "geglu"])
def test_mlp_of_one_layer(name):
    """f(W1 x + b1), as wide as the model whatever the expansion; what a rung of the ladder begins with."""
    cfg = replace(SMALL, activation=name, mlp_proj=False, expansion=4.0)
    mlp, x = shake(MLP(cfg)).double(), randn(5, cfg.n_embd)
    first, *second = (x @ mlp.fc.weight.T + mlp.fc.bias).split(cfg.n_embd, dim=-1)
    bent = first.detach().clone().apply_(BENDS[name])
    assert len(second) == (name == "geglu")
    close(mlp(x, None), bent * second[0] if second else bent)


# Wiring -------------------------------------------------------------------------------------------------------------

WIRINGS = {
    "pre": lambda x, f, norms: x + f(norms[0](x)),
    "post": lambda x, f, norms: norms[0](x + f(x)),
    "both": lambda x, f, norms: x + norms[1](f(norms[0](x))),
}


@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("place", WIRINGS)
def test_norm_places(place, norm):
    cfg = replace(SMALL, norm_place=place, norm=norm)
    block, x, seen = shake(Block(cfg, 0, Noise())).double(), randn(2, 5, cfg.n_embd), look(cfg, 5)
    expected = x
    for sublayer in (block["attn"], block["mlp"]):
        norms = [n for n in (sublayer.before, sublayer.out, sublayer.after) if list(n.parameters())]
        assert len(norms) == (2 if place == "both" else 1)
        expected = WIRINGS[place](expected, lambda x: sublayer.inner(x, seen), norms)
    close(block(x, seen), expected)


@pytest.mark.parametrize("attn", [True, False])
@pytest.mark.parametrize("mlp", [True, False])
def test_residuals(attn, mlp):
    cfg = replace(SMALL, residual_attn=attn, residual_mlp=mlp, norm="none")
    block, x, seen = shake(Block(cfg, 0, Noise())).double(), randn(2, 5, cfg.n_embd), look(cfg, 5)
    middle = block["attn"].inner(x, seen) + (x if attn else 0)
    close(block(x, seen), block["mlp"].inner(middle, seen) + (middle if mlp else 0))


@pytest.mark.parametrize("residual", [True, False])
def test_parallel_sublayers(residual):
    cfg = replace(SMALL, parallel=True, residual_attn=residual)
    block, x, seen = shake(Block(cfg, 0, Noise())).double(), randn(2, 5, cfg.n_embd), look(cfg, 5)
    both = block["both"]
    normed = both.before(x)
    close(block(x, seen), both.inner["attn"](normed, seen) + both.inner["mlp"](normed, seen) + (x if residual else 0))


@pytest.mark.parametrize("change", [
    {}, {"final_norm": False}, {"norm": "none"}, {"tie_weights": False, "head_bias": True},
    {"norm": "rms", "position": "sinusoidal"},
    {"attention": "none"}, {"mlp": False}, {"attention": "none", "mlp": False},
], ids=str)
def test_the_whole_model(change):
    """Embedding, position, n_layer blocks, final norm, head; nothing but a linear table when all sublayers are off."""
    cfg = replace(SMALL, **change)
    model, t = moved(cfg).eval(), tokens(2, 7)
    weights = dict(model.named_parameters())
    x = model.position.embed(weights["embed.weight"][t], 0)
    sublayers = cfg.attention != "none" or cfg.mlp
    assert len(model.blocks) == (cfg.n_layer if sublayers else 0)
    for block in model.blocks:
        assert list(block) == [name for name, on in (("attn", cfg.attention != "none"), ("mlp", cfg.mlp)) if on]
        x = block(x, Look(model.position, 0, None, None))
    if cfg.final_norm and cfg.norm != "none" and sublayers:
        centred = x - x.mean(-1, keepdim=True) if cfg.norm == "layer" else x
        x = centred / (centred.square().mean(-1, keepdim=True) + EPS).sqrt() * weights["final_norm.weight"]
        x = x + weights["final_norm.bias"] if cfg.norm == "layer" else x
    head = weights["embed.weight" if cfg.tie_weights else "head.weight"]
    close(model(t), x @ head.T + (weights["head.bias"] if cfg.head_bias else 0), 1e-5)


# Dropout ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_keeps_the_mean(p):
    noise = Noise()
    noise.reseed(1, device=CPU)
    drop, x = Dropout(p, noise).train(), torch.ones(200, 200)
    y = drop(x)
    assert torch.isclose(y.unique(), torch.tensor([0.0, 1 / (1 - p)])).all()
    assert float((y == 0).float().mean()) == pytest.approx(p, abs=0.01)  # 4 sigma at most
    assert not torch.equal(drop(x), y)  # each layer and each step its own mask
    assert torch.equal(drop.eval()(x), x)


@pytest.mark.parametrize("where", ["dropout_embd", "dropout_attn", "dropout_resid"])
def test_dropout_sits_where_it_says(where):
    """Masks are drawn for the embeddings once, for each layer's attention weights, for each sublayer's output."""
    cfg, B, T, drawn = replace(SMALL, **{where: 0.5}), 2, 7, []
    model = moved(cfg).train()
    model.noise.reseed(1, device=CPU)
    for module in model.modules():
        if isinstance(module, Dropout):
            module.register_forward_hook(lambda module, args, output: drawn.append(tuple(output.shape)))
    model(tokens(B, T))
    stream, weights = (B, T, cfg.n_embd), (B, cfg.n_head, T, T)
    L = cfg.n_layer
    assert drawn == {"dropout_embd": [stream], "dropout_attn": L * [weights], "dropout_resid": 2 * L * [stream]}[where]


def assert_half_dropped(found: Tensor, whole: Tensor) -> None:
    kept = found.abs() > 1e-12
    assert 0.3 < float(kept.double().mean()) < 0.7
    close(found[kept], 2 * whole[kept])


@pytest.mark.parametrize("norm, place", [("none", "pre"), ("rms", "both")])
def test_dropped_sublayers_leave_the_residual_path(norm, place):
    """Right before the sum, as in the Transformer paper: what comes in always goes on, and no norm undoes it."""
    cfg, noise = replace(SMALL, dropout_resid=0.5, norm=norm, norm_place=place, mlp=False), Noise()
    block, x = shake(Block(cfg, 0, noise)).double().train(), randn(2, 5, cfg.n_embd)
    noise.reseed(1, device=CPU)
    wired = block["attn"]
    assert_half_dropped(block(x, look(cfg, 5)) - x, wired.out(wired.inner(wired.before(x), look(cfg, 5))))


def test_dropped_embeddings_are_those_with_their_position():
    cfg, fed = replace(SMALL, dropout_embd=0.5), []
    model, t = moved(cfg).train(), tokens(2, 7)
    model.blocks[0].register_forward_pre_hook(lambda module, args: fed.append(args[0]))
    model.noise.reseed(1, device=CPU)
    model(t)
    assert_half_dropped(fed[0], model.position.embed(model.embed(t), 0))


# Starting weights ---------------------------------------------------------------------------------------------------

WIDE = replace(SMALL, n_embd=128, block_size=64, n_layer=2, tie_weights=False, head_bias=True, expansion=4.0)


def start(init: str) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in build(replace(WIDE, init=init), 65, 1).named_parameters()}


@pytest.mark.parametrize("init, writes", [("normal", STD), ("gpt2", STD / math.sqrt(2 * 2)), ("zero", 0.0)])
def test_normal_starts(init, writes):
    for name, p in start(init).items():
        if p.dim() == 2:
            std = writes if name.endswith("proj.weight") else STD
            assert float(p.std()) == pytest.approx(std, rel=0.03), name
            assert float(p.mean()) == pytest.approx(0, abs=0.0012), name
        else:
            assert p.eq(1 if name.endswith(("before.weight", "final_norm.weight")) else 0).all(), name


def test_pytorchs_start():
    """As nn.Embedding and nn.Linear draw theirs: N(0, 1), and uniform within 1 / sqrt(inputs), biases too."""
    parameters = start("torch")
    for name, p in parameters.items():
        if name in ("embed.weight", "position.table.weight"):
            assert float(p.std()) == pytest.approx(1, rel=0.03)
        elif "norm" not in name and "before" not in name:
            inputs = parameters[name.replace(".bias", ".weight")].shape[1]
            bound = 1 / math.sqrt(inputs)
            assert float(p.abs().max()) <= bound and float(p.abs().max()) > 0.9 * bound, name
            assert float(p.std()) == pytest.approx(bound / math.sqrt(3), rel=0.03 if p.dim() == 2 else 0.2), name


def test_a_bias_of_a_tied_head_starts_like_any_other():
    tied = replace(WIDE, tie_weights=True)
    assert build(tied, 65, 1).head.bias.eq(0).all()
    as_torch = build(replace(tied, init="torch"), 65, 1)
    assert torch.equal(as_torch.head.bias, start("torch")["head.bias"])
    assert torch.equal(as_torch.embed.weight, start("torch")["embed.weight"])


def test_zero_start_makes_blocks_do_nothing():
    model, t = build(replace(SMALL, init="zero"), VOCAB, 1).eval(), tokens(1, 5)
    x = model.position.embed(model.embed(t), 0)
    assert torch.equal(model(t), model.head(model.final_norm(x)))
