"""Drawing text: the right distribution, the same text for the same seed, and any length."""

from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import Tensor

from gpt.config import ModelConfig, SampleConfig
from gpt.generate import generate, next_token
from gpt.model import build
from gpt.seeding import generator
from support import SMALL, VOCAB, moved, tokens

SCORES = torch.tensor([1.0, 3.0, -2.0, 2.5, 0.0, 2.9, 1.5, -1.0])
DRAWS = 4000


def drawn(cfg: SampleConfig, scores: Tensor = SCORES, draws: int = DRAWS) -> Counter:
    g = generator(0, "draws")
    return Counter(next_token(scores, cfg, g) for _ in range(draws))


def fits(found: Counter, probabilities: Tensor) -> bool:
    """Pearson's chi-square below 50: one draw in a million exceeds 40 with eight outcomes. The seed is fixed."""
    assert set(found) <= set(probabilities.nonzero().flatten().tolist())
    return sum((found[i] - DRAWS * p) ** 2 / (DRAWS * p) for i, p in enumerate(probabilities.tolist()) if p) < 50


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_tokens_come_as_often_as_their_probability(temperature):
    found = drawn(SampleConfig(temperature=temperature))
    assert fits(found, (SCORES / temperature).softmax(-1))
    assert not fits(found, (SCORES / temperature / 1.2).softmax(-1))  # the test can tell


@pytest.mark.parametrize("k", [1, 3, 8, 500])
def test_top_k_draws_among_the_k_likeliest(k):
    likeliest = SCORES.argsort(descending=True)[:k]
    kept = torch.zeros(8).index_fill(0, likeliest, 1.0) * SCORES.softmax(-1)
    found = drawn(SampleConfig(temperature=1.0, top_k=k))
    assert set(found) <= set(likeliest.tolist()) and fits(found, kept / kept.sum())


@pytest.mark.parametrize("p", [0.05, 0.35, 0.6, 0.9, 1.0])
def test_top_p_draws_among_the_fewest_that_reach_p(p):
    order, total, nucleus = SCORES.argsort(descending=True).tolist(), 0.0, []
    for token in order:
        if total < p:
            nucleus.append(token)
            total += float(SCORES.softmax(-1)[token])
    kept = torch.zeros(8).index_fill(0, torch.tensor(nucleus), 1.0) * SCORES.softmax(-1)
    assert fits(drawn(SampleConfig(temperature=1.0, top_p=p)), kept / kept.sum())


def test_top_p_is_of_what_top_k_leaves():
    """Of the three likeliest, renormalised: 0.40, 0.36, 0.24; two of them reach 0.7."""
    assert set(drawn(SampleConfig(temperature=1.0, top_k=3, top_p=0.7))) == {1, 5}


def test_temperature_comes_before_top_p():
    """Cold, the likeliest token alone reaches 0.5."""
    assert set(drawn(SampleConfig(temperature=0.05, top_p=0.5), draws=200)) == {1}


@pytest.mark.parametrize("temperature", [0.0, 1e-3, 1e-40, 5e-324])
def test_cold_draws_take_the_likeliest(temperature):
    assert set(drawn(SampleConfig(temperature=temperature), draws=50)) == {1}


def test_equal_scores_have_equal_chances():
    assert fits(drawn(SampleConfig(temperature=1.0), torch.zeros(8)), torch.full((8,), 1 / 8))


# Whole texts --------------------------------------------------------------------------------------------------------

def without_cache(model, prompt: list[int], cfg: SampleConfig) -> list[int]:
    """The same text by whole passes: the context starts anew with its newer half whenever it is full."""
    g, room, text = generator(cfg.seed, "sample"), model.cfg.block_size, []
    context = prompt[-room:]
    for _ in range(cfg.length):
        text.append(next_token(model(torch.tensor([context]))[0, -1], cfg, g))
        if len(context) == room:
            context = [*context, text[-1]][-max(1, room // 2) :]
        else:
            context = [*context, text[-1]]
    return text


MODELS = {
    "learned": SMALL, "rope": replace(SMALL, position="rope"),
    "alibi, window": replace(SMALL, position="alibi", window=3),
    "smallest context": replace(SMALL, block_size=2),
    "odd context": replace(SMALL, block_size=5, position="sinusoidal"),
    "no attention": replace(SMALL, attention="none"), "bigram": ModelConfig(architecture="bigram", block_size=4),
}


@pytest.mark.parametrize("prompt", [[1], [1, 2, 3], list(tokens(12)), list(tokens(40))], ids=len)
@pytest.mark.parametrize("cfg", MODELS.values(), ids=MODELS)
@torch.inference_mode()
def test_text_is_what_whole_passes_give(cfg, prompt):
    """Also beyond the context, and for prompts that fill it or exceed it. In float64, so that no draw is a near tie."""
    model, prompt = moved(cfg).double().eval(), [int(t) for t in prompt]
    for sample in (SampleConfig(length=40, temperature=0.0), SampleConfig(length=40, temperature=1.0, seed=4)):
        assert list(generate(model, prompt, sample)) == without_cache(model, prompt, sample)


def test_greedy_text_is_the_argmax_of_the_full_pass():
    model = moved(SMALL).eval()
    text = list(generate(model, [1], SampleConfig(length=SMALL.block_size, temperature=0.0)))
    assert model(torch.tensor([[1, *text[:-1]]])).argmax(-1)[0].tolist() == text
    assert len(set(text)) > 1


def test_texts_follow_their_seed():
    model = build(SMALL, VOCAB, 1).eval()
    texts = [tuple(generate(model, [1], SampleConfig(length=30, seed=seed))) for seed in (1, 1, 2, 3)]
    assert texts[0] == texts[1] and len(set(texts)) == 3


def test_a_longer_text_begins_with_the_shorter():
    model = moved(SMALL).eval()
    whole = list(generate(model, [1], SampleConfig(length=50)))
    assert list(generate(model, [1], SampleConfig(length=20))) == whole[:20]


def test_texts_drawn_at_once_do_not_mix():
    """Two visitors sample one model in turns; each has its own cache and its own random numbers."""
    model, cfgs = moved(SMALL).eval(), [SampleConfig(length=30, seed=seed) for seed in (1, 2)]
    alone = [list(generate(model, [1], cfg)) for cfg in cfgs]
    in_turns = zip(*(generate(model, [1], cfg) for cfg in cfgs))
    assert [list(text) for text in zip(*in_turns)] == alone


def test_sampling_leaves_the_shared_generator_and_gradients_alone():
    """No mode stays switched on across a yield, and no draw comes from the generator of all threads."""
    model, before = moved(SMALL).eval(), torch.get_rng_state()
    text = generate(model, [1], SampleConfig(length=10))
    for _ in islice(text, 5):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    text.close()
    assert torch.equal(before, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())
