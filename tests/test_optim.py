"""Optimisers against their formulas, and against PyTorch's own where it has one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gpt.config import TrainConfig
from gpt.model import build
from gpt.optim import make_optimizers, orthogonal
from gpt.train import mean_loss
from support import SMALL, tokens


def test_weight_decay_pulls_on_matrices_alone():
    model, cfg = build(replace(SMALL, qk_norm=True), 11, 1), TrainConfig(weight_decay=0.3)
    decayed, free = make_optimizers(model, cfg)[0].param_groups
    assert decayed["weight_decay"] == 0.3 and free["weight_decay"] == 0
    assert all(p.dim() >= 2 for p in decayed["params"]) and all(p.dim() < 2 for p in free["params"])
    held = [id(p) for group in (decayed, free) for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


class Table(nn.Module):
    """Two parameters with gradients of one's choice."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix, self.vector = nn.Parameter(torch.tensor([[1.0, -2.0]])), nn.Parameter(torch.tensor([3.0]))

    def pull(self, *slopes: float) -> None:
        self.matrix.grad, self.vector.grad = torch.tensor([slopes[:2]]), torch.tensor(slopes[2:])


def test_adamw_by_formula():
    model, cfg = Table(), TrainConfig(lr=0.1, beta1=0.8, beta2=0.9, weight_decay=0.5)
    [optimizer], m, v = make_optimizers(model, cfg), torch.zeros(3), torch.zeros(3)
    w, decay = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.5, 0.5, 0.0])
    for step, slopes in enumerate(([1.0, -2.0, 0.5], [0.3, 1.0, -1.0]), start=1):
        model.pull(*slopes)
        optimizer.step()
        g = torch.tensor(slopes)
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
        w = w * (1 - 0.1 * decay) - 0.1 * (m / (1 - 0.8**step)) / ((v / (1 - 0.9**step)).sqrt() + 1e-8)
        torch.testing.assert_close(torch.cat([model.matrix[0], model.vector]).detach(), w)


def test_sgd_by_formula():
    model, cfg = Table(), TrainConfig(optimizer="sgd", lr=0.1, momentum=0.5, weight_decay=0.5)
    [optimizer], m = make_optimizers(model, cfg), torch.zeros(3)
    w, decay = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.5, 0.5, 0.0])
    for slopes in ([1.0, -2.0, 0.5], [0.3, 1.0, -1.0]):
        model.pull(*slopes)
        optimizer.step()
        m = 0.5 * m + torch.tensor(slopes) + decay * w
        w = w - 0.1 * m
        torch.testing.assert_close(torch.cat([model.matrix[0], model.vector]).detach(), w)


def test_adam_by_formula():
    """The classical way to decay: as part of the gradient."""
    model, cfg = Table(), TrainConfig(optimizer="adam", lr=0.1, beta1=0.8, beta2=0.9, weight_decay=0.5)
    [optimizer], m, v = make_optimizers(model, cfg), torch.zeros(3), torch.zeros(3)
    w, decay = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.5, 0.5, 0.0])
    for step, slopes in enumerate(([1.0, -2.0, 0.5], [0.3, 1.0, -1.0]), start=1):
        model.pull(*slopes)
        optimizer.step()
        g = torch.tensor(slopes) + decay * w
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
        w = w - 0.1 * (m / (1 - 0.8**step)) / ((v / (1 - 0.9**step)).sqrt() + 1e-8)
        torch.testing.assert_close(torch.cat([model.matrix[0], model.vector]).detach(), w)


def test_lion_by_formula():
    model, cfg = Table(), TrainConfig(optimizer="lion", lr=0.1, beta1=0.8, beta2=0.9, weight_decay=0.5)
    [optimizer], m = make_optimizers(model, cfg), torch.zeros(3)
    w, decay = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.5, 0.5, 0.0])
    for slopes in ([1.0, -2.0, 0.5], [-0.1, 1.0, -1.0], [0.2, 0.1, -0.3]):
        model.pull(*slopes)
        optimizer.step()
        g = torch.tensor(slopes)
        w = w * (1 - 0.1 * decay) - 0.1 * (0.8 * m + 0.2 * g).sign()
        m = 0.9 * m + 0.1 * g
        torch.testing.assert_close(torch.cat([model.matrix[0], model.vector]).detach(), w)


@pytest.mark.parametrize("change", [
    {}, {"activation": "swiglu"}, {"queries_per_kv": 2, "parallel": True}, {"mlp": False}, {"mlp_proj": False}, {"bias": False},
], ids=str)
def test_muon_moves_matrices_as_pytorchs_own_does(monkeypatch, change):
    """One at a time there, all of a shape at once here: queries, keys and values are matrices of their own."""
    monkeypatch.setattr("gpt.kernels.bfloat16_is_fast", lambda device: True)  # PyTorch's is always in bfloat16
    model = build(replace(SMALL, init="normal", tie_weights=False, **change), 11, 1)
    cfg = TrainConfig(optimizer="muon", lr=0.05, lr_rest=0.01, momentum=0.9, weight_decay=0.2)
    muon, rest = make_optimizers(model, cfg)
    [group], (decayed, free) = muon.param_groups, rest.param_groups
    copies = [[nn.Parameter(m.detach().clone()) for m in p.split(rows)] for p, rows in zip(group["params"], group["parts"])]
    theirs = torch.optim.Muon([c for several in copies for c in several], lr=0.05, momentum=0.9, weight_decay=0.2)
    others = [nn.Parameter(p.detach().clone()) for p in decayed["params"]]
    adamw = torch.optim.AdamW(others, lr=0.01, weight_decay=0.2)
    for group_ in rest.param_groups:
        group_["lr"] = cfg.lr * group_["scale"]
    for step in range(4):
        model.zero_grad()
        mean_loss(model, tokens(4, 8, seed=step), tokens(4, 8, seed=step + 9)).backward()
        for several, p, rows in zip(copies, group["params"], group["parts"]):
            for c, grad in zip(several, p.grad.split(rows)):
                c.grad = grad.clone()
        for c, p in zip(others, decayed["params"]):
            c.grad = p.grad.clone()
        for optimizer in (muon, rest, theirs, adamw):
            optimizer.step()
    for several, p in zip(copies, group["params"]):
        torch.testing.assert_close(p.detach(), torch.cat([c.detach() for c in several]), atol=2e-3, rtol=0)
        assert (p.detach() - torch.cat([c.detach() for c in several])).norm() < 0.02 * 4 * 0.05 * p.shape[1] ** 0.5
    for c, p in zip(others, decayed["params"]):
        torch.testing.assert_close(p.detach(), c.detach())
    taken = [id(p) for g in (group, decayed, free) for p in g["params"]]
    assert sorted(taken) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 4, 16), (2, 16, 4)])
@pytest.mark.parametrize("fast", [True, False])
def test_orthogonalised_matrices_keep_their_directions(monkeypatch, shape, fast):
    """U S V^T -> U S' V^T with S' about one: the same factors by way of an exact decomposition."""
    monkeypatch.setattr("gpt.kernels.bfloat16_is_fast", lambda device: fast)
    g = torch.Generator().manual_seed(1)
    x = 100 * torch.randn(shape, generator=g)
    turned = orthogonal(x).float()
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    inner = u.mT @ turned @ vt.mT  # diagonal if the directions are the same
    sizes = inner.diagonal(dim1=1, dim2=2)
    assert sizes.min() > 0.5 and sizes.max() < 1.35
    assert (inner - torch.diag_embed(sizes)).abs().max() < (0.1 if fast else 1e-3)


def test_muon_on_a_model_without_hidden_matrices_is_adamw():
    model = build(replace(SMALL, architecture="bigram"), 11, 1)
    [only] = make_optimizers(model, TrainConfig(optimizer="muon", lr=0.05, lr_rest=0.01))
    assert isinstance(only, torch.optim.AdamW) and only.param_groups[0]["scale"] == pytest.approx(0.2)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("name", ["adamw", "adam", "lion", "muon", "sgd"])
def test_a_parameter_without_gradient_stays_where_it_is(name):
    model = build(SMALL, 11, 1)
    before = weights(model)
    for optimizer in make_optimizers(model, TrainConfig(optimizer=name)):
        optimizer.step()
    assert torch.equal(weights(model), before)
