"""The GPT: every part of it, in the order data flows through them.

Letters used for shapes throughout: B batch, T tokens fed, S tokens attended to (T and what the cache holds),
H heads, K key/value heads, D dimensions a head, C width (n_embd), F hidden width of the MLP, V vocabulary.

Each choice of the config names an entry of a closed table right under the parts it chooses from. What is
switched off is a part that does nothing, not a branch.
"""

import math
from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpt import kernels
from gpt.config import ModelConfig
from gpt.seeding import generator

EPS = 1e-5  # in every norm


class Linear(nn.Linear):
    """x W^T + b, by the fastest product there is."""

    def forward(self, x: Tensor) -> Tensor:
        return kernels.linear(x, self.weight, self.bias)


# Norms --------------------------------------------------------------------------------------------------------------

class RMSNorm(nn.RMSNorm):
    """x / sqrt(mean(x^2) + eps) * w. Zhang & Sennrich 2019."""

    def forward(self, x: Tensor) -> Tensor:
        return kernels.RMSNorm.apply(x, self.weight, self.eps) if kernels.pays(x) else super().forward(x.to(self.weight.dtype))


NORMS: dict[str, Callable[[ModelConfig], nn.Module]] = {
    "none": lambda cfg: nn.Identity(),
    "layer": lambda cfg: nn.LayerNorm(cfg.n_embd, eps=EPS, bias=cfg.bias),
    "rms": lambda cfg: RMSNorm(cfg.n_embd, eps=EPS),
}


# Dropout ------------------------------------------------------------------------------------------------------------

class Noise:
    """The random numbers of a model's dropout: its own, because PyTorch's default ones are shared by all threads."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._device = torch.device("cpu")
        self._generator: torch.Generator | None = None

    def reseed(self, *key: object, device: torch.device) -> None:
        """Start anew from `key`. Keyed by the step, a resumed run draws what it would have drawn."""
        self._key, self._device, self._generator = key, device, None

    @property
    def generator(self) -> torch.Generator:
        """Made when first asked for: a model without dropout never does."""
        if self._generator is None:
            self._generator = generator(*self._key, "dropout", device=self._device)
        return self._generator


class Dropout(nn.Module):
    """x * mask / (1 - p) in training, x otherwise. Srivastava et al. 2014."""

    def __init__(self, p: float, noise: Noise):
        super().__init__()
        self.p, self.noise = p, noise

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.noise.generator)
        return x * keep.div_(1 - self.p)


def dropout(p: float, noise: Noise) -> nn.Module:
    return Dropout(p, noise) if p else nn.Identity()


# Positions ----------------------------------------------------------------------------------------------------------

class Position(nn.Module):
    """No position encoding, and the three places where one can enter. `start` is the first token's position."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()

    def embed(self, x: Tensor, start: int) -> Tensor:
        """Token embeddings, (B, T, C), before the first block."""
        return x

    def rotate(self, x: Tensor, start: int) -> Tensor:
        """Queries or keys, (B, T, heads, D)."""
        return x

    def bias(self, T: int, S: int) -> Tensor | None:
        """What is added to the scores of the last T of S positions, (H, T, S), or None for nothing."""
        return None


class Learned(Position):
    """One learnt vector a position, added to the token's. Gehring et al. 2017, GPT."""

    def __init__(self, cfg: ModelConfig):
        super().__init__(cfg)
        self.table = nn.Embedding(cfg.block_size, cfg.n_embd)

    def embed(self, x: Tensor, start: int) -> Tensor:
        return x + self.table.weight[start : start + x.shape[1]]


class Sinusoidal(Position):
    """sin and cos of t / 10000^(2i/C), added to the token's vector. Vaswani et al. 2017."""

    def __init__(self, cfg: ModelConfig):
        super().__init__(cfg)
        half = torch.arange(0, cfg.n_embd, 2)
        angle = torch.arange(cfg.block_size)[:, None] / 10_000 ** (half / cfg.n_embd)  # (block_size, C/2)
        table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, : cfg.n_embd]  # sin, cos, sin, cos, ...
        self.register_buffer("table", table, persistent=False)

    def embed(self, x: Tensor, start: int) -> Tensor:
        return x + self.table[start : start + x.shape[1]]


class Rope(Position):
    """Turns dimension i and i + D/2 of queries and keys by t / base^(2i/D). Su et al. 2021, laid out as Llama does."""

    def __init__(self, cfg: ModelConfig):
        super().__init__(cfg)
        half = torch.arange(0, cfg.head_dim, 2) / cfg.head_dim
        angle = torch.arange(cfg.block_size)[:, None] / cfg.rope_base**half  # (block_size, D/2)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def rotate(self, x: Tensor, start: int) -> Tensor:
        T = x.shape[1]
        cos, sin = self.cos[start : start + T, None], self.sin[start : start + T, None]  # (T, 1, D/2)
        if kernels.pays(x):
            return kernels.Rotation.apply(x, cos, sin)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Alibi(Position):
    """Subtracts slope_h * distance from the scores. Press et al. 2022, with their slopes for any number of heads."""

    def __init__(self, cfg: ModelConfig):
        super().__init__(cfg)
        self.register_buffer("slopes", torch.tensor(alibi_slopes(cfg.heads)), persistent=False)

    def bias(self, T: int, S: int) -> Tensor:
        at = torch.arange(S, device=self.slopes.device)
        return -self.slopes[:, None, None] * (at[S - T :, None] - at)  # (H, T, S)


def alibi_slopes(heads: int) -> list[float]:
    """2^(-8/H), 2^(-16/H), ... for a power of two; else those of the next lower one, then every second of the higher."""
    whole = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (h + 1) / whole) for h in range(whole)]
    return slopes + [2 ** (-4 * (h + 1) / whole) for h in range(0, 2 * (heads - whole), 2)]


POSITIONS: dict[str, type[Position]] = {
    "none": Position, "learned": Learned, "sinusoidal": Sinusoidal, "rope": Rope, "alibi": Alibi,
}


# Attention ----------------------------------------------------------------------------------------------------------

class KVCache:
    """Keys and values of the tokens seen so far, for every layer. It belongs to whoever generates."""

    def __init__(self, cfg: ModelConfig):
        self.length, self.room = 0, cfg.block_size
        self.layers: list[tuple[Tensor, Tensor] | None] = [None] * cfg.n_layer

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add (B, K, T, D) of new tokens; returns all of the layer, (B, K, S, D)."""
        if self.layers[layer] is None:
            shape = (*k.shape[:2], self.room, k.shape[3])
            self.layers[layer] = (k.new_empty(shape), v.new_empty(shape))
        end = self.length + k.shape[2]
        if end > self.room:
            raise ValueError(f"{end} tokens do not fit a context of {self.room}: feed the newest ones to a new cache")
        for stored, new in zip(self.layers[layer], (k, v)):
            stored.narrow(2, self.length, k.shape[2]).copy_(new)
        return tuple(stored.narrow(2, 0, end) for stored in self.layers[layer])


@dataclass
class Look:
    """What one forward pass hands to every layer."""

    position: Position
    start: int  # position of the first token fed
    mask: Tensor | None  # added to the scores, (H or 1, T, S); None: only earlier tokens, or all when T is 1
    cache: KVCache | None


class FusedLinear(Linear):
    """Several linear layers over the same input as one product; `parts` names them and their widths."""

    def __init__(self, inputs: int, parts: dict[str, int], bias: bool):
        super().__init__(inputs, sum(parts.values()), bias=bias)
        self.parts = parts

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return super().forward(x).split_with_sizes(list(self.parts.values()), dim=-1)


class Attention(nn.Module):
    """softmax(q k^T / sqrt(D) + mask) v, H times side by side. Vaswani et al. 2017."""

    def __init__(self, cfg: ModelConfig, layer: int, noise: Noise):
        super().__init__()
        self.layer, self.D, self.softcap = layer, cfg.head_dim, cfg.softcap
        shared = cfg.kv_heads * cfg.head_dim
        self.qkv = FusedLinear(cfg.n_embd, {"q": cfg.n_embd, "k": shared, "v": shared}, bias=cfg.qkv_bias)
        self.q_norm = RMSNorm(cfg.head_dim, eps=EPS) if cfg.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(cfg.head_dim, eps=EPS) if cfg.qk_norm else nn.Identity()
        self.drop = dropout(cfg.dropout_attn, noise)
        self.proj = Linear(cfg.n_embd, cfg.n_embd, bias=cfg.bias) if cfg.attn_proj else nn.Identity()
        self.plain = bool(cfg.softcap or cfg.dropout_attn)  # what PyTorch's fused kernel cannot do

    def forward(self, x: Tensor, look: Look) -> Tensor:
        q, k, v = (part.unflatten(-1, (-1, self.D)) for part in self.qkv(x))  # (B, T, H or K, D)
        q = look.position.rotate(self.q_norm(q), look.start)
        k = look.position.rotate(self.k_norm(k), look.start)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # (B, H or K, T, D)
        if look.cache is not None:
            k, v = look.cache.extend(self.layer, k, v)  # (B, K, S, D)
        y = self.attend(q, k, v, look.mask) if self.plain else fused_attention(q, k, v, look.mask)
        return self.proj(y.transpose(1, 2).flatten(2))  # (B, T, C)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Attention written out, for what the fused kernel cannot do; the reference for what it can. -> (B, H, T, D)"""
        repeats = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.D)  # (B, H, T, S)
        if self.softcap:
            scores = self.softcap * torch.tanh(scores / self.softcap)
        T, S = scores.shape[-2:]
        scores = scores + (hide_future(T, S, 0, q.device) if mask is None else mask)
        return self.drop(scores.softmax(dim=-1)) @ v


def fused_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """The same by PyTorch's kernel, which never stores the scores. A mask costs its fast path: None where possible."""
    causal = mask is None and q.shape[2] > 1
    if q.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):  # the kernel is slow in bfloat16 there
            return kernels.HalvedAttention.apply(q, k, v) if causal and q.shape == k.shape else fused_attention(q, k, v, mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=q.shape[1] != k.shape[1])


def hide_future(T: int, S: int, window: int, device: torch.device) -> Tensor:
    """0 where the last T of S positions may look, -inf elsewhere: later positions, and those `window` or more back. (T, S)"""
    at = torch.arange(S, device=device)
    distance = at[S - T :, None] - at
    hidden = (distance < 0) | (distance >= window) if window else distance < 0
    return torch.zeros(T, S, device=device).masked_fill(hidden, -math.inf)


# Feed-forward -------------------------------------------------------------------------------------------------------

def gelu(x: Tensor) -> Tensor:
    """GELU in the tanh form of GPT-2. Hendrycks & Gimpel 2016."""
    return kernels.TanhGELU.apply(x) if kernels.pays(x) else F.gelu(x, approximate="tanh")


def relu2(x: Tensor) -> Tensor:
    """ReLU(x)^2. So et al. 2021."""
    return kernels.SquaredReLU.apply(x) if kernels.pays(x) else F.relu(x).square()


# name -> (function, gated); a gated MLP multiplies a second product of the input by the bent first one.
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "identity": (lambda x: x, False), "relu": (F.relu, False), "gelu": (gelu, False), "silu": (F.silu, False),
    "relu2": (relu2, False), "swiglu": (F.silu, True), "geglu": (gelu, True),
}


class MLP(nn.Module):
    """W2 f(W1 x), or W2 (f(Wg x) * W1 x) when gated; W2 may be left out. Vaswani et al. 2017, Shazeer 2020."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.bend, gated = ACTIVATIONS[cfg.activation]
        parts = {"gate": cfg.mlp_dim, "up": cfg.mlp_dim} if gated else {"up": cfg.mlp_dim}
        self.fc = FusedLinear(cfg.n_embd, parts, bias=cfg.bias)
        self.proj = Linear(cfg.mlp_dim, cfg.n_embd, bias=cfg.bias) if cfg.mlp_proj else nn.Identity()

    def forward(self, x: Tensor, look: Look) -> Tensor:
        bent, *gated = self.fc(x)  # (B, T, F) each
        y = self.bend(bent)
        for factor in gated:
            y = y * factor
        return self.proj(y)  # (B, T, C)


# Blocks -------------------------------------------------------------------------------------------------------------

class Together(nn.ModuleDict):
    """Several layers over the same input, added up. Wang & Komatsuzaki 2021."""

    def forward(self, x: Tensor, look: Look) -> Tensor:
        return sum(inner(x, look) for inner in self.values())


class Sublayer(nn.Module):
    """How a layer is wired in, once for all: after(x + out(drop(inner(before(x))))), what is off doing nothing."""

    def __init__(self, cfg: ModelConfig, inner: nn.Module, residual: bool, noise: Noise):
        super().__init__()
        def norm(*places: str) -> nn.Module:
            return NORMS[cfg.norm](cfg) if cfg.norm_place in places else nn.Identity()

        self.before = norm("pre", "both")
        self.inner = inner
        self.out = norm("both")
        self.drop = dropout(cfg.dropout_resid, noise)
        self.join = torch.add if residual else lambda x, y: y
        self.after = norm("post")

    def forward(self, x: Tensor, look: Look) -> Tensor:
        return self.after(self.join(x, self.drop(self.out(self.inner(self.before(x), look)))))


class Block(nn.ModuleDict):
    """The sublayers of one layer, in order."""

    def __init__(self, cfg: ModelConfig, layer: int, noise: Noise):
        inner: dict[str, nn.Module] = {}
        if cfg.attention != "none":
            inner["attn"] = Attention(cfg, layer, noise)
        if cfg.mlp:
            inner["mlp"] = MLP(cfg)
        residual = {"attn": cfg.residual_attn, "mlp": cfg.residual_mlp, "both": cfg.residual_attn}
        if cfg.parallel and len(inner) == 2:
            inner = {"both": Together(inner)}
        super().__init__({name: Sublayer(cfg, layer, residual[name], noise) for name, layer in inner.items()})

    def forward(self, x: Tensor, look: Look) -> Tensor:
        for sublayer in self.values():
            x = sublayer(x, look)
        return x


# Models -------------------------------------------------------------------------------------------------------------

class GPT(nn.Module):
    """Tokens in, scores of the next token out. Radford et al. 2018, 2019."""

    def __init__(self, cfg: ModelConfig, vocab_size: int):
        super().__init__()
        self.cfg, self.noise = cfg, Noise()
        self.embed = nn.Embedding(vocab_size, cfg.n_embd)
        self.position = POSITIONS[cfg.position](cfg)
        self.drop = dropout(cfg.dropout_embd, self.noise)
        has_sublayers = cfg.attention != "none" or cfg.mlp
        self.blocks = nn.ModuleList(Block(cfg, i, self.noise) for i in range(cfg.n_layer) if has_sublayers)
        self.final_norm = NORMS[cfg.norm](cfg) if cfg.final_norm and has_sublayers else nn.Identity()
        self.head = Linear(cfg.n_embd, vocab_size, bias=cfg.head_bias)
        if cfg.tie_weights:
            self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, V) scores. With a cache, `tokens` follow those it holds and are added to it."""
        T, start = tokens.shape[1], cache.length if cache else 0
        if start + T > self.cfg.block_size:
            raise ValueError(f"{start + T} tokens do not fit a context of {self.cfg.block_size}")
        x = self.drop(self.position.embed(self.embed(tokens), start))  # (B, T, C)
        look = Look(self.position, start, self.mask(T, start + T), cache)
        for block in self.blocks:
            x = block(x, look)
        if cache is not None:
            cache.length += T
        return self.head(self.final_norm(x))

    def mask(self, T: int, S: int) -> Tensor | None:
        """What the position encoding and the window add to the scores of the last T of S positions; None if nothing."""
        bias, window = self.position.bias(T, S), self.cfg.window
        device = self.embed.weight.device
        if bias is not None:
            return bias + hide_future(T, S, window, device)
        if (window and window < S) or (S > T > 1):  # the kernel's own causal mask assumes T == S
            return hide_future(T, S, window, device)
        return None


class Bigram(nn.Module):
    """A V x V table: row i holds the scores of what follows token i. Shannon 1948."""

    def __init__(self, cfg: ModelConfig, vocab_size: int):
        super().__init__()
        self.cfg, self.noise = cfg, Noise()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, V) scores; the cache only counts."""
        if cache is not None:
            cache.length += tokens.shape[1]
        return self.table(tokens)


ARCHITECTURES = {"transformer": GPT, "bigram": Bigram}


def build(cfg: ModelConfig, vocab_size: int, seed: int) -> GPT | Bigram:
    """A model with its starting weights, on the CPU."""
    model = ARCHITECTURES[cfg.architecture](cfg, vocab_size)
    init_weights(model, cfg, seed)
    return model


def set_dropout(model: GPT | Bigram, cfg: ModelConfig) -> None:
    """Let `model` forget as much as `cfg` says from now on; its weights stay."""
    model.cfg = cfg
    shares = {GPT: cfg.dropout_embd, Attention: cfg.dropout_attn, Sublayer: cfg.dropout_resid}
    for module in list(model.modules()):
        if type(module) in shares:
            module.drop = dropout(shares[type(module)], model.noise).train(model.training)
        if isinstance(module, Attention):
            module.plain = bool(cfg.softcap or cfg.dropout_attn)


# Starting weights ---------------------------------------------------------------------------------------------------

STD = 0.02

# name -> standard deviation of the layers that write to the residual path, given their number
RESIDUAL_STD = {"normal": lambda n: STD, "gpt2": lambda n: STD / math.sqrt(n), "zero": lambda n: 0.0}


@torch.no_grad()
def init_weights(model: nn.Module, cfg: ModelConfig, seed: int) -> None:
    """Draw every weight from (seed, its name): two models that differ in one part start equal in all others."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear):
            rows = module.parts if isinstance(module, FusedLinear) else {"": module.out_features}
            weights = module.weight.split(list(rows.values()))
            biases = [None] * len(rows) if module.bias is None else module.bias.split(list(rows.values()))
            for part, weight, bias in zip(rows, weights, biases):
                init_linear(weight, bias, cfg, generator(seed, plain_name(path), part), writes=path.endswith(".proj"))
    for path, module in model.named_modules():  # last: a table that the head shares is drawn as an embedding
        if isinstance(module, nn.Embedding):
            module.weight.normal_(0, 1 if cfg.init == "torch" else STD, generator=generator(seed, f"{path}.weight"))


def init_linear(weight: Tensor, bias: Tensor | None, cfg: ModelConfig, g: torch.Generator, writes: bool) -> None:
    """Fill one linear layer's weight (out, in) and bias; `writes` if its output goes to the residual path."""
    if cfg.init == "torch":
        bound = 1 / math.sqrt(weight.shape[1])
        weight.uniform_(-bound, bound, generator=g)
        if bias is not None:
            bias.uniform_(-bound, bound, generator=g)
        return
    weight.normal_(0, RESIDUAL_STD[cfg.init](2 * cfg.n_layer) if writes else STD, generator=g)
    if bias is not None:
        bias.zero_()


def plain_name(path: str) -> str:
    """A module's path without the wiring around it, so that rewiring keeps its weights: "blocks.0.attn.qkv"."""
    return ".".join(word for word in path.split(".") if word not in ("both", "inner"))


# What it is made of -------------------------------------------------------------------------------------------------

PARTS = {"embed": "embedding", "table": "embedding", "position": "position", "attn": "attention", "mlp": "mlp", "head": "head"}
NORM_NAMES = {"before", "out", "after", "final_norm", "q_norm", "k_norm"}


def part_of(path: str) -> str:
    """The component that a parameter belongs to."""
    words = path.split(".")
    return "norm" if NORM_NAMES & set(words) else next(PARTS[word] for word in words if word in PARTS)


def count_parameters(cfg: ModelConfig, vocab_size: int) -> dict[str, int]:
    """Parameters by component, and their "total"; counted on a model without memory. A tied head counts as embedding."""
    with torch.device("meta"):
        model = ARCHITECTURES[cfg.architecture](cfg, vocab_size)
    counts = dict.fromkeys(["embedding", "position", "attention", "mlp", "norm", "head"], 0)
    for path, parameter in model.named_parameters():
        counts[part_of(path)] += parameter.numel()
    return counts | {"total": sum(counts.values())}
