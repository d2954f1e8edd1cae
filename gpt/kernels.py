"""The costly operations of the model in a second, faster form for the CPU. The plain form stands in model.py.

The plain form is the reference and what runs everywhere; tests hold these to it. Functions that write their own backward
pass save what PyTorch's automatic one spends on memory: each step of a formula reads and writes a whole tensor.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

SMALL_PRODUCT = 1 << 20  # multiplications, and
SMALL = 1 << 15  # numbers: with fewer, an operation is over before a function written in Python has begun


def pays(x: Tensor) -> bool:
    """Whether x is worth a function of this file."""
    return x.numel() >= SMALL and x.device.type == "cpu"


# Products -----------------------------------------------------------------------------------------------------------

def onednn(a: Tensor, b: Tensor) -> Tensor:
    """a (M, K) times b (N, K) transposed, in float32 by oneDNN, which uses the widest instructions of every maker."""
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


def halved(a: Tensor, b: Tensor) -> Tensor:
    """The same in bfloat16: half the digits, summed in float32."""
    return a @ b.t()


class Product(Function):
    """x W^T + b by `times`, in `dtype`; x (..., K), W (N, K), b (N) -> (..., N)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, times: Callable, dtype: torch.dtype) -> Tensor:
        a, b = x.reshape(-1, x.shape[-1]).to(dtype), weight.to(dtype)
        ctx.save_for_backward(a, b)
        ctx.times, ctx.shape, ctx.dtypes, ctx.has_bias = times, x.shape, (x.dtype, weight.dtype), bias is not None
        y = times(a, b)
        return (y if bias is None else y.add_(bias)).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        g = grad.reshape(-1, b.shape[0])
        dx = ctx.times(g, b.t()).to(ctx.dtypes[0]).view(ctx.shape) if ctx.needs_input_grad[0] else None
        db = g.sum(0, dtype=ctx.dtypes[1]) if ctx.has_bias else None
        return dx, ctx.times(g.t(), a.t()).to(ctx.dtypes[1]), db, None, None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b, x (..., K), W (N, K), b (N) -> (..., N), the fastest way there is for factors of this size."""
    if x.numel() * weight.shape[0] < SMALL_PRODUCT or x.device.type != "cpu":
        return F.linear(x, weight, bias)
    if torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return Product.apply(x, weight, bias, halved, torch.bfloat16)
    if onednn_is_faster():
        return Product.apply(x, weight, bias, onednn, torch.float32)
    return F.linear(x, weight, bias)


@lru_cache
def bfloat16_is_fast(device: str) -> bool:
    """Whether a kind of device multiplies bfloat16 by instructions of its own, and PyTorch by these."""
    if device == "cpu":
        able = torch.cpu.get_capabilities()
        return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) and clearly_faster(halved, torch.bfloat16)
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


@lru_cache
def onednn_is_faster() -> bool:
    """Whether oneDNN's products are faster here than those PyTorch takes by itself."""
    built_in = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return built_in and clearly_faster(onednn, torch.float32)


@torch.inference_mode()
def clearly_faster(times: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype) -> bool:
    """Whether a product in `dtype` takes much less time than PyTorch's in float32; a few milliseconds.

    Much, so that it comes out the same each time: a run that is resumed multiplies as it did before.
    """
    a, b = torch.ones(512, 256), torch.ones(256, 256)
    factors = a.to(dtype), b.to(dtype)
    usual, other = (min(_seconds(way) for _ in range(20)) for way in (lambda: F.linear(a, b), lambda: times(*factors)))
    return usual > 1.3 * other


def _seconds(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


# Attention ----------------------------------------------------------------------------------------------------------

class HalvedAttention(Function):
    """Causal attention with products in bfloat16 and everything else in float32; q, k, v (B, H, T, D)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        ctx.shape, ctx.scale, ctx.dtypes = q.shape, 1 / math.sqrt(q.shape[-1]), (q.dtype, k.dtype, v.dtype)
        q, k, v = (x.bfloat16().flatten(0, 1) for x in (q, k, v))
        scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(ctx.scale).add_(hidden(q.shape[1]))  # (B H, T, T)
        p = scores.softmax(-1)
        ctx.save_for_backward(q, k, v, p)
        return torch.bmm(p.bfloat16(), v).view(ctx.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        q, k, v, p = ctx.saved_tensors
        g = grad.bfloat16().flatten(0, 1)
        dv = torch.bmm(p.bfloat16().transpose(1, 2), g)
        dp = torch.bmm(g, v.transpose(1, 2)).float()
        ds = torch.ops.aten._softmax_backward_data(dp, p, -1, torch.float32).mul_(ctx.scale).bfloat16()
        grads = torch.bmm(ds, k), torch.bmm(ds.transpose(1, 2), q), dv
        return tuple(d.view(ctx.shape).to(dtype) for d, dtype in zip(grads, ctx.dtypes))


@lru_cache(maxsize=16)
def hidden(T: int) -> Tensor:
    """0 where a position may look, -inf at later ones, (T, T)."""
    return torch.full((T, T), -math.inf).triu_(1)


# Norms, activations, positions --------------------------------------------------------------------------------------

class RMSNorm(Function):
    """x / rms(x) * w over the last dimension; x (..., C), w (C)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        r = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=weight.dtype).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, r, weight)
        return torch.mul(x, r).mul_(weight)  # as exact as the weight, should x be bfloat16

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, r, weight = ctx.saved_tensors
        normed = x * r
        by_weight = grad * normed
        along = (by_weight @ weight).unsqueeze(-1).div_(-x.shape[-1])  # how much of the gradient only rescales x
        return torch.addcmul(grad * weight, normed, along).mul_(r).to(x.dtype), by_weight.flatten(0, -2).sum(0), None


class SquaredReLU(Function):
    """ReLU(x)^2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x.clamp_min(0)
        ctx.save_for_backward(y)
        return y * y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return torch.mul(grad, ctx.saved_tensors[0]).mul_(2)


class TanhGELU(Function):
    """x (1 + tanh(u)) / 2 = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3); a sigmoid costs less than a tanh."""

    SLOPE, CUBE = 2 * math.sqrt(2 / math.pi), 0.044715

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        s = (x * x).mul_(TanhGELU.SLOPE * TanhGELU.CUBE).add_(TanhGELU.SLOPE).mul_(x).sigmoid_()
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, s = ctx.saved_tensors
        slope = (x * x).mul_(3 * TanhGELU.SLOPE * TanhGELU.CUBE).add_(TanhGELU.SLOPE).mul_(x)  # x d(2u)/dx
        return slope.mul_(1 - s).add_(1).mul_(s).mul_(grad)


class Rotation(Function):
    """(a cos - b sin, b cos + a sin) for the halves a, b of the last dimension; x (..., D), cos and sin (..., D/2)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        return _turn(grad, cos, -sin), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    y = torch.empty(x.shape, dtype=x.dtype)
    (a, b), (c, d) = x.chunk(2, dim=-1), y.chunk(2, dim=-1)
    torch.mul(a, cos, out=c).addcmul_(b, sin, value=-1)
    torch.mul(b, cos, out=d).addcmul_(a, sin)
    return y
