"""What holds for every model, whatever its options: on a pairwise cover of them, weights moved off their start."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from gpt.config import ModelConfig, SampleConfig
from gpt.generate import generate
from gpt.model import KVCache, build, count_parameters, plain_name
from gpt.options import has_effect, options
from gpt.seeding import generator
from support import FACTORS, SMALL, VOCAB, moved, pairs_in, pairs_to_cover, pairwise, tokens

COVER = pairwise()
every = pytest.mark.parametrize("cfg", COVER, ids=range(len(COVER)))


def test_the_cover_covers():
    """Each pair of values is tried where both have an effect: a window without attention would not count."""
    tried = set().union(*map(pairs_in, COVER))
    assert tried >= set(pairs_to_cover())
    assert all(not cfg.problems() for cfg in COVER) and len(COVER) < 70


def test_the_cover_has_every_choice():
    pairs = {side for pair in pairs_to_cover() for side in pair}
    for name, option in options(ModelConfig).items():
        values = {value for other, value in pairs if other == name}
        assert len(values) > 1 and values == set(FACTORS[name]), name
        assert option.kind != "choice" or values == set(option.choices), name


@every
def test_scores_depend_on_no_later_token(cfg):
    """By gradients, dropout on: exactly zero for later tokens, nor for those no window of any layer reaches."""
    model = moved(cfg).train()
    model.noise.reseed(1, device=torch.device("cpu"))
    inputs = []
    table = model.table if cfg.architecture == "bigram" else model.embed
    table.register_forward_hook(lambda module, args, output: inputs.append(output))
    T = cfg.block_size
    scores = model(tokens(1, T))
    looks = has_effect(cfg, "attention") and cfg.attention != "none"
    reach = (cfg.window - 1 if cfg.window else T) * cfg.n_layer if looks else 0
    for t in range(T):
        (slope,) = torch.autograd.grad((scores[0, t] * tokens(VOCAB, seed=t)).sum(), inputs[0], retain_graph=True)
        felt = slope[0].abs().sum(-1)
        assert felt[t + 1 :].eq(0).all() and felt[: max(0, t - reach)].eq(0).all()
        if not (cfg.dropout_embd or cfg.dropout_attn or cfg.dropout_resid):
            first = max(0, t - min(reach, cfg.window - 1)) if looks and cfg.window else 0 if looks else t
            assert felt[first : t + 1].ne(0).all()


@every
def test_cached_decoding_equals_the_full_pass(cfg):
    """On scores, in pieces of every size: argmax on fresh weights passes with a broken cache."""
    model = moved(cfg).double().eval()
    sequence = tokens(2, cfg.block_size)
    whole = model(sequence)
    for sizes in ((7, 2), (1, 4), (cfg.block_size,)):
        sizes = [*sizes, *[1] * (cfg.block_size - sum(sizes))]
        cache = KVCache(cfg)
        pieces = [model(piece, cache) for piece in sequence.split(sizes, dim=1)]
        assert cache.length == cfg.block_size
        torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=1e-9, atol=1e-9)


@every
def test_gradients_reach_every_parameter(cfg):
    model = moved(cfg).eval()
    x = tokens(4, cfg.block_size)
    torch.nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten()).backward()
    # The last position is no input here, so a table of positions keeps one row without a gradient.
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.any(), name


@every
def test_generation_goes_on_past_the_context(cfg):
    model = moved(cfg).eval()
    drawn = SampleConfig(length=3 * cfg.block_size + 5, temperature=1.0, seed=3)
    text = list(generate(model, [1, 2, 3], drawn))
    assert len(text) == drawn.length and all(0 <= token < VOCAB for token in text)
    assert list(generate(model, [1, 2, 3], drawn)) == text


@every
def test_parameters_are_counted_without_building(cfg):
    counts = count_parameters(cfg, VOCAB)
    assert counts["total"] == sum(p.numel() for p in build(cfg, VOCAB, 1).parameters())
    assert counts["total"] == sum(n for part, n in counts.items() if part != "total")


def test_parameters_of_gpt2_by_part():
    """n_layer 12, width 768, context 1024, V = 50257: the 124,439,808 of the smallest GPT-2."""
    gpt2 = ModelConfig(n_layer=12, n_head=12, n_embd=768, block_size=1024)
    C, L = 768, 12
    assert count_parameters(gpt2, 50257) == {
        "embedding": 50257 * C, "position": 1024 * C, "attention": L * (4 * C * C + 4 * C),
        "mlp": L * (8 * C * C + 5 * C), "norm": (2 * L + 1) * 2 * C, "head": 0, "total": 124_439_808,
    }


@every
def test_weights_follow_from_the_seed_alone(cfg):
    """Not from PyTorch's own generator, which all threads share."""
    torch.manual_seed(1)
    one = build(cfg, VOCAB, seed=5).state_dict()
    torch.manual_seed(2)
    again, other = build(cfg, VOCAB, seed=5).state_dict(), build(cfg, VOCAB, seed=6).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_two_models_start_equal_in_all_they_share():
    """The fairness of every comparison: one part changed, all other weights of the same shape are the same."""
    models, compared = {cfg: parts(cfg) for cfg in COVER}, 0
    for (a, left), (b, right) in combinations(models.items(), 2):
        if a.init != b.init or a.n_layer != b.n_layer and a.init == "gpt2":  # other starting weights, by intention
            continue
        for name in left.keys() & right.keys():
            if left[name].shape == right[name].shape:
                assert torch.equal(left[name], right[name]), name
                compared += 1
    assert compared > 1000


@pytest.mark.parametrize("change", [
    {"parallel": True}, {"norm": "rms"}, {"norm_place": "both"}, {"residual_attn": False}, {"position": "rope"},
    {"tie_weights": False}, {"bias": False}, {"qkv_bias": False}, {"qk_norm": True}, {"dropout_attn": 0.5},
    {"activation": "swiglu"}, {"queries_per_kv": 2}, {"attention": "single"}, {"mlp": False}, {"n_layer": 1},
], ids=str)
def test_one_change_leaves_the_other_weights(change):
    """Also inside layers joined into one: queries stay when keys are shared, the inner layer when a gate is added."""
    cfg = replace(SMALL, init="torch")
    before, after = parts(cfg), parts(replace(cfg, **change))
    shared = [name for name in before.keys() & after.keys() if before[name].shape == after[name].shape]
    lost = {name.split(".")[2] for name in before.keys() - set(shared) if name.startswith("blocks")}
    assert len(shared) >= 5 and len(lost) <= 2
    assert all(torch.equal(before[name], after[name]) for name in shared)
    if change == {"queries_per_kv": 2}:
        assert "blocks.0.attn.qkv.q.weight" in shared and "blocks.0.attn.qkv.k.weight" not in shared
    if change == {"activation": "swiglu"}:
        assert "blocks.0.mlp.fc.up.weight" in shared and "blocks.0.mlp.fc.gate.weight" in after


def parts(cfg: ModelConfig) -> dict[str, torch.Tensor]:
    """A new model's weights by plain name, joined layers taken apart."""
    found = {}
    for path, module in build(cfg, VOCAB, 1).named_modules():
        for name, p in module.named_parameters(recurse=False):
            if (path, name, cfg.tie_weights) == ("head", "weight", True):
                continue  # the embedding's, listed there
            rows = getattr(module, "parts", None)
            pieces = zip(rows, p.split(list(rows.values()))) if rows else [("", p)]
            found |= {".".join(filter(None, (plain_name(path), part, name))): piece for part, piece in pieces}
    return found


def test_dropout_leaves_the_shared_generator_alone():
    """All threads share it: a model that drew from it would change with what else runs."""
    model = moved(replace(SMALL, dropout_embd=0.5, dropout_attn=0.5, dropout_resid=0.5)).train()
    before = torch.get_rng_state()
    model.noise.reseed(1, 1, device=torch.device("cpu"))
    model(tokens(2, 8))
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_is_off_in_evaluation_and_keyed_in_training():
    model = moved(replace(SMALL, dropout_embd=0.5, dropout_attn=0.5, dropout_resid=0.5))
    x = tokens(2, 8)

    def scores(*key: object) -> torch.Tensor:
        model.noise.reseed(*key, device=torch.device("cpu"))
        return model(x)

    model.train()
    first = scores(1, 1)
    assert torch.equal(scores(1, 1), first)
    assert not torch.equal(scores(1, 2), first) and not torch.equal(scores(2, 1), first)
    model.eval()
    assert torch.equal(scores(1, 1), scores(1, 2))
    torch.testing.assert_close(scores(1, 1), moved(SMALL).eval()(x))


def test_a_tied_head_is_the_embedding():
    tied, untied = build(SMALL, VOCAB, 1), build(replace(SMALL, tie_weights=False), VOCAB, 1)
    assert tied.head.weight is tied.embed.weight and untied.head.weight is not untied.embed.weight
    assert count_parameters(replace(SMALL, tie_weights=False), VOCAB)["head"] == VOCAB * SMALL.n_embd
    assert count_parameters(SMALL, VOCAB)["head"] == 0


@pytest.mark.parametrize("cached", [False, True])
def test_too_many_tokens_are_refused(cached):
    model = build(SMALL, VOCAB, 1)
    with pytest.raises(ValueError, match=f"{SMALL.block_size + 1} tokens do not fit a context of {SMALL.block_size}"):
        if cached:
            cache = KVCache(SMALL)
            model(tokens(1, SMALL.block_size), cache)
            model(tokens(1, 1), cache)
        else:
            model(tokens(1, SMALL.block_size + 1))


def test_a_bigram_model_is_its_table():
    model = moved(ModelConfig(architecture="bigram"))
    x = tokens(2, 9)
    assert torch.equal(model(x), model.table.weight[x])
    assert [tuple(p.shape) for p in model.parameters()] == [(VOCAB, VOCAB)]


def test_seeds_are_the_same_everywhere():
    """Published runs hang on it: neither Python's hash nor the machine may enter."""
    assert torch.randint(1000, (4,), generator=generator(1, "batch", 0)).tolist() == [887, 790, 198, 114]
    assert not torch.equal(torch.randn(4, generator=generator(1)), torch.randn(4, generator=generator("1")))
