"""The same models written in the plain way, with the loops that usually come with them: what the fast path is measured
against, and tested against, weight by weight.

`Lecture` is how a lecture builds a Transformer: every head a module of its own, every mask applied by hand. `NanoGPT`
is how nanoGPT's `model.py` is organised (Karpathy 2022): one product for queries, keys and values, the causal kernel,
tied weights. Both in words of our own, and only for what the ladder and the reference recipe switch on.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpt.config import ModelConfig, RunConfig
from gpt.data import Dataset
from gpt.schedules import learning_rate


class Head(nn.Module):
    """One head of attention: three layers, a triangle of ones, and a softmax."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.key = nn.Linear(cfg.n_embd, cfg.head_dim, bias=cfg.qkv_bias)
        self.query = nn.Linear(cfg.n_embd, cfg.head_dim, bias=cfg.qkv_bias)
        self.value = nn.Linear(cfg.n_embd, cfg.head_dim, bias=cfg.qkv_bias)
        self.register_buffer("tril", torch.tril(torch.ones(cfg.block_size, cfg.block_size)))
        self.dropout = nn.Dropout(cfg.dropout_attn)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        q, k, v = self.query(x), self.key(x), self.value(x)  # (B, T, D)
        scores = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5  # (B, T, T)
        scores = scores.masked_fill(self.tril[:T, :T] == 0, float("-inf"))
        return self.dropout(F.softmax(scores, dim=-1)) @ v


class Heads(nn.Module):
    """Several heads, one after the other, their outputs side by side."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.heads = nn.ModuleList(Head(cfg) for _ in range(cfg.heads))
        self.proj = nn.Linear(cfg.n_embd, cfg.n_embd, bias=cfg.bias) if cfg.attn_proj else nn.Identity()
        self.dropout = nn.Dropout(cfg.dropout_resid)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.proj(torch.cat([head(x) for head in self.heads], dim=-1)))


class FeedForward(nn.Module):
    """One layer and a ReLU, or two layers around it."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        layers = [nn.Linear(cfg.n_embd, cfg.mlp_dim, bias=cfg.bias), nn.ReLU()]
        if cfg.mlp_proj:
            layers.append(nn.Linear(cfg.mlp_dim, cfg.n_embd, bias=cfg.bias))
        self.net = nn.Sequential(*layers, nn.Dropout(cfg.dropout_resid))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class LectureBlock(nn.Module):
    """Attention, then feed-forward; residuals and norms as the step of the ladder has them."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.cfg = cfg
        self.attn, self.ffwd = Heads(cfg), FeedForward(cfg) if cfg.mlp else None
        normed = cfg.norm == "layer"
        self.ln1 = nn.LayerNorm(cfg.n_embd) if normed else nn.Identity()
        self.ln2 = nn.LayerNorm(cfg.n_embd) if normed else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.sublayer(self.ln1, self.attn, x, self.cfg.residual_attn)
        return self.sublayer(self.ln2, self.ffwd, x, self.cfg.residual_mlp) if self.ffwd else x

    def sublayer(self, norm: nn.Module, inner: nn.Module, x: Tensor, residual: bool) -> Tensor:
        if self.cfg.norm_place == "pre":
            return x + inner(norm(x)) if residual else inner(norm(x))
        return norm(x + inner(x)) if residual else norm(inner(x))


class Lecture(nn.Module):
    """A step of the ladder; the bigram table too."""

    def __init__(self, cfg: ModelConfig, vocab_size: int):
        super().__init__()
        self.cfg = cfg
        if cfg.architecture == "bigram":
            self.table = nn.Embedding(vocab_size, vocab_size)
            return
        self.tokens = nn.Embedding(vocab_size, cfg.n_embd)
        self.positions = nn.Embedding(cfg.block_size, cfg.n_embd)
        self.blocks = nn.Sequential(*[LectureBlock(cfg) for _ in range(cfg.n_layer)])
        self.ln_f = nn.LayerNorm(cfg.n_embd) if cfg.norm == "layer" and cfg.final_norm else nn.Identity()
        self.head = nn.Linear(cfg.n_embd, vocab_size, bias=cfg.head_bias)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        B, T = tokens.shape
        if self.cfg.architecture == "bigram":
            logits = self.table(tokens)
        else:
            x = self.tokens(tokens) + self.positions(torch.arange(T, device=tokens.device))  # (B, T, C)
            logits = self.head(self.ln_f(self.blocks(x)))  # (B, T, V)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(B * T, -1), targets.view(B * T))


class NanoAttention(nn.Module):
    """Queries, keys and values from one product; the causal kernel."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.n_head = cfg.heads
        self.c_attn = nn.Linear(cfg.n_embd, 3 * cfg.n_embd, bias=cfg.bias)
        self.c_proj = nn.Linear(cfg.n_embd, cfg.n_embd, bias=cfg.bias)
        self.resid_dropout = nn.Dropout(cfg.dropout_resid)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.size()
        q, k, v = (t.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for t in self.c_attn(x).split(C, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0, is_causal=True)
        return self.resid_dropout(self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C)))


class NanoNorm(nn.Module):
    """LayerNorm whose bias may be left out."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(cfg.n_embd))
        self.bias = nn.Parameter(torch.zeros(cfg.n_embd)) if cfg.bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class NanoBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, cfg: ModelConfig):
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = NanoNorm(cfg), NanoAttention(cfg), NanoNorm(cfg)
        self.c_fc = nn.Linear(cfg.n_embd, cfg.mlp_dim, bias=cfg.bias)
        self.gelu = nn.GELU()
        self.c_proj = nn.Linear(cfg.mlp_dim, cfg.n_embd, bias=cfg.bias)
        self.dropout = nn.Dropout(cfg.dropout_resid)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.dropout(self.c_proj(self.gelu(self.c_fc(self.ln_2(x)))))


class NanoGPT(nn.Module):
    """The reference recipe's model, with the exact GELU where ours is GPT-2's."""

    def __init__(self, cfg: ModelConfig, vocab_size: int):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab_size, cfg.n_embd), nn.Embedding(cfg.block_size, cfg.n_embd)
        self.drop = nn.Dropout(cfg.dropout_embd)
        self.h = nn.ModuleList([NanoBlock(cfg) for _ in range(cfg.n_layer)])
        self.ln_f = NanoNorm(cfg)
        self.lm_head = nn.Linear(cfg.n_embd, vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                std = 0.02 / math.sqrt(2 * cfg.n_layer) if name.endswith("c_proj.weight") else 0.02
                nn.init.normal_(weight, mean=0.0, std=std)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        T = tokens.size(1)
        x = self.drop(self.wte(tokens) + self.wpe(torch.arange(T, dtype=torch.long, device=tokens.device)))
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)


def plain_model(cfg: ModelConfig, vocab_size: int) -> Lecture | NanoGPT:
    """The plain form of a step of the ladder, or of a model with tied weights."""
    tied = cfg.architecture == "transformer" and cfg.tie_weights
    return (NanoGPT if tied else Lecture)(cfg, vocab_size)


def plain_batch(data: Dataset, batch_size: int, block_size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random pieces of the training text, cut one by one and stacked."""
    starts = torch.randint(len(data.train) - block_size, (batch_size,))
    x = torch.stack([data.train[i : i + block_size] for i in starts])
    y = torch.stack([data.train[i + 1 : i + block_size + 1] for i in starts])
    return x.to(device), y.to(device)


def plain_step(model: nn.Module, data: Dataset, cfg: RunConfig, device: torch.device) -> Callable[[int], Tensor]:
    """A function that trains `model` for one step, given its number, and returns the batch's loss as a tensor."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": cfg.train.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=cfg.train.lr, betas=(cfg.train.beta1, cfg.train.beta2))
    model.to(device).train()

    def step(number: int) -> Tensor:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(number, cfg.train)
        x, y = plain_batch(data, cfg.train.batch_size, cfg.model.block_size, device)
        _, loss = model(x, y)
        loss.backward()
        if cfg.train.grad_clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), cfg.train.grad_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step
