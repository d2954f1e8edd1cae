"""The fast functions against the plain ones: values and gradients, at sizes where the model uses either."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gpt import kernels
from gpt.config import ModelConfig, TrainConfig
from gpt.model import POSITIONS, RMSNorm, build, fused_attention, gelu, relu2
from gpt.train import evaluate, mean_loss, start, train_step
from support import SMALL, moved, small_data, tokens

LARGE = ModelConfig(n_layer=2, n_embd=64, n_head=4, block_size=32, norm="rms", qk_norm=True, position="rope", activation="relu2")


def randn(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_gradients(work: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """The value of `work(*inputs)` and the gradients of a random weighing of it."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    y = work(*inputs)
    y.backward(randn(*y.shape, seed=9).to(y.dtype))
    return [y.detach(), *(x.grad for x in inputs)]


def assert_equal(fast: list[Tensor], plain: list[Tensor], tolerance: float) -> None:
    """To `tolerance` of the largest number of each tensor."""
    assert len(fast) == len(plain)
    for a, b in zip(fast, plain):
        assert a.shape == b.shape
        assert (a.float() - b.float()).abs().max() <= tolerance * b.abs().max()


PRODUCTS = {"onednn": (kernels.onednn, torch.float32, 1e-5), "halved": (kernels.halved, torch.bfloat16, 2e-2)}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("bias", [True, False])
def test_products(name, bias):
    times, dtype, tolerance = PRODUCTS[name]
    inputs = [randn(3, 50, 24), randn(40, 24, seed=1), *[randn(40, seed=2)] * bias]
    fast = with_gradients(lambda x, w, b=None: kernels.Product.apply(x, w, b, times, dtype), *inputs)
    assert_equal(fast, with_gradients(F.linear, *inputs), tolerance)


def test_a_product_of_what_needs_no_gradient():
    weight = randn(5, 4).requires_grad_()
    kernels.Product.apply(randn(6, 4), weight, None, kernels.onednn, torch.float32).sum().backward()
    torch.testing.assert_close(weight.grad, randn(6, 4).sum(0).expand(5, 4))


@pytest.mark.parametrize("faster", [True, False])
def test_products_are_chosen_by_size_and_by_what_is_faster(monkeypatch, faster):
    monkeypatch.setattr(kernels, "onednn_is_faster", lambda: faster)
    chosen = []
    monkeypatch.setattr(kernels, "Product", type("Spy", (), {"apply": lambda x, w, b, times, dtype: chosen.append(times)}))
    weight = randn(64, 64)
    assert kernels.linear(randn(4, 64), weight) is not None and not chosen  # small
    kernels.linear(randn(256, 64), weight)
    assert chosen == [kernels.onednn] * faster
    with torch.autocast("cpu", torch.bfloat16):
        kernels.linear(randn(256, 64), weight)
    assert chosen == [kernels.onednn] * faster + [kernels.halved]


def test_a_build_without_onednn_multiplies_as_pytorch_does(monkeypatch):
    monkeypatch.setattr(kernels, "clearly_faster", lambda *asked: pytest.fail("there is nothing to time"))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert kernels.onednn_is_faster.__wrapped__() is False


@pytest.mark.parametrize("taken, faster", [((1.0, 0.5), True), ((1.0, 0.9), False), ((0.5, 1.0), False)])
def test_only_what_is_clearly_faster_is_taken(monkeypatch, taken, faster):
    calls = iter([taken[0]] * 20 + [taken[1]] * 20)
    monkeypatch.setattr(kernels, "_seconds", lambda work: next(calls))
    assert kernels.clearly_faster(kernels.halved, torch.bfloat16) is faster
    assert next(calls, None) is None


@pytest.mark.parametrize("able, faster, fast", [
    ({"avx512_bf16": True}, True, True), ({"avx512_bf16": True}, False, False), ({"bf16": True, "neon": True}, True, True),
    ({"avx2": True}, True, False)])
def test_bfloat16_needs_instructions_that_are_used(monkeypatch, able, faster, fast):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    monkeypatch.setattr(kernels, "clearly_faster", lambda times, dtype: faster)
    assert kernels.bfloat16_is_fast.__wrapped__("cpu") is fast
    assert kernels.bfloat16_is_fast.__wrapped__("mps") is False


@pytest.mark.parametrize("T", [2, 33])
def test_halved_attention(T):
    q, k, v = (randn(3, 2, T, 8, seed=s) for s in range(3))
    fast = with_gradients(lambda q, k, v: kernels.HalvedAttention.apply(q, k, v), q, k, v)
    assert_equal(fast, with_gradients(lambda q, k, v: fused_attention(q, k, v, None), q, k, v), 2e-2)


def test_halved_attention_cannot_see_the_future():
    x = randn(1, 1, 6, 4).requires_grad_()
    kernels.HalvedAttention.apply(x, x, x)[0, 0, 3].sum().backward()
    assert x.grad[0, 0, 4:].eq(0).all() and x.grad[0, 0, :4].ne(0).any()


def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on nothing is large enough for a fast function."""
    monkeypatch.setattr(kernels, "pays", lambda x: False)
    monkeypatch.setattr(kernels, "linear", F.linear)


ROPE = POSITIONS["rope"](replace(LARGE, block_size=600))
PARTS = {
    "RMSNorm": (lambda x, w: norm(x, w), (randn(500, 64), randn(64, seed=1))),
    "RMSNorm of small numbers": (lambda x, w: norm(x, w), (randn(500, 64, scale=1e-3), randn(64, seed=1))),
    "relu2": (relu2, (randn(500, 64),)),
    "gelu": (gelu, (randn(500, 64, scale=3.0),)),
    "gelu far out": (gelu, (randn(500, 64, scale=100.0),)),
    "rope": (lambda x: ROPE.rotate(x, 7), (randn(1, 500, 4, 16),)),
}


def norm(x: Tensor, weight: Tensor) -> Tensor:
    module = RMSNorm(64, eps=1e-5)
    del module.weight
    module.weight = weight  # as a tensor, so that its gradient can be asked for
    return module(x)


@pytest.mark.parametrize("name", PARTS)
def test_parts(monkeypatch, name):
    work, inputs = PARTS[name]
    monkeypatch.setattr(kernels, "SMALL", 1000)
    assert kernels.pays(inputs[0])
    fast = with_gradients(work, *inputs)
    plainly(monkeypatch)
    assert_equal(fast, with_gradients(work, *inputs), 1e-5)


@pytest.mark.parametrize("work, shapes", [
    (lambda x, w: kernels.RMSNorm.apply(x, w, 1e-5), [(3, 5), (5,)]), (kernels.SquaredReLU.apply, [(3, 5)]),
    (kernels.TanhGELU.apply, [(3, 5)]),
    (lambda x: kernels.Rotation.apply(x, torch.linspace(0, 1, 6).double().view(3, 2), torch.ones(3, 2).double()), [(3, 4)]),
    (lambda x, w, b: kernels.Product.apply(x, w, b, kernels.halved, torch.float64), [(2, 3, 4), (5, 4), (5,)]),
], ids=["RMSNorm", "SquaredReLU", "TanhGELU", "Rotation", "Product"])
def test_backward_passes_by_differences(work, shapes):
    """In double precision, against the change of the value itself."""
    inputs = [randn(*shape, seed=i).double().requires_grad_() for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(work, inputs)


@pytest.mark.parametrize("change", [
    {}, {"activation": "gelu", "norm": "layer"}, {"activation": "swiglu", "parallel": True}, {"queries_per_kv": 2},
    {"position": "alibi"}, {"softcap": 5.0}, {"window": 9}, {"qkv_bias": False, "bias": False, "tie_weights": False},
], ids=str)
def test_a_model_is_the_same_either_way(monkeypatch, change):
    """All its gradients, at a size where every part takes the fast way."""
    monkeypatch.setattr(kernels, "onednn_is_faster", lambda: True)
    cfg = replace(LARGE, **change)

    def gradients() -> list[Tensor]:
        model = moved(cfg, vocab_size=30, scale=0.1)
        loss = mean_loss(model, tokens(24, 32, vocab_size=30), tokens(24, 32, vocab_size=30, seed=1))
        loss.backward()
        return [loss.detach(), *(p.grad for p in model.parameters())]

    fast = gradients()
    plainly(monkeypatch)
    assert_equal(fast, gradients(), 1e-4)


def test_training_in_bfloat16_stays_near_float32(monkeypatch):
    """Fifty steps: the losses differ by rounding, not by more; and weights, checks and samples stay in float32."""
    monkeypatch.setattr(kernels, "bfloat16_is_fast", lambda device: True)
    data, ends = small_data(32), {}
    for precision in ("float32", "bfloat16"):
        cfg = TrainConfig(steps=50, batch_size=16, lr=3e-3, precision=precision)
        state = start(build(LARGE, data.tokenizer.vocab_size, 1), cfg)
        losses = []
        for state.step in range(cfg.steps):
            losses.append(float(train_step(state, data, cfg, torch.device("cpu"))))
        assert all(p.dtype == torch.float32 for p in state.model.parameters())
        ends[precision] = (losses, evaluate(state.model, data.eval_batches(1024, 32, 16)))
    assert ends["float32"] != ends["bfloat16"]
    assert all(abs(a - b) < 0.02 for a, b in zip(ends["float32"][0][:10], ends["bfloat16"][0]))
    assert abs(ends["float32"][1] - ends["bfloat16"][1]) < 0.1


def test_small_models_take_the_plain_way():
    """So that nothing written in Python stands between their operations."""
    assert not kernels.pays(randn(4, SMALL.block_size, SMALL.n_embd))
