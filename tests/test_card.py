"""What a run's card says at its end: what changed, how the losses compare, and what to try next."""

import math

import pytest
from test_diagnosis import history, letters, preset

from gpt.config import RunConfig
from gpt.diagnosis import SEED_NOISE, History, card


def ended(final: float | None, config: RunConfig | None = None, val=lambda share: 2.0 + 0.1 * (share == 0), **about) -> History:
    """A run that has ended with this loss; flat, unless `val` says otherwise."""
    return history(config or preset("09"), val=val, final=final, **about)


@pytest.mark.parametrize("mine, other, says", [
    (2.0, 2.13, "2.000 nats a character, 0.130 below 08's 2.130, a clear difference: "
                "the right character gets 14% more probability."),
    (2.13, 2.0, "0.130 above 08's 2.000, a clear difference: the right character gets 12% less probability."),
    (2.0, 2.045, "a small difference: the right character gets 5% more"),
    (1.5, 3.1, "a large difference: the right character gets 5.0 times the probability."),
    (2.013, 2.0, "0.013 above 08's 2.000: so little may be chance."),
    (2.0001, 2.0, "It ended at 2.000 nats a character, as 08 did."),
])
def test_the_card_says_how_the_losses_compare(mine, other, says):
    said = card(ended(mine), ended(other, preset("08")), "08")
    assert said.happened.endswith(says) or says in said.happened
    assert said.changed == ["pre-LN", "+final norm"]


@pytest.mark.parametrize("changes, says", [
    ({"dataset": "tinyshakespeare"}, "08 was measured on another text, so that their losses cannot be compared."),
    ({"tokenizer": "byte"}, "other tokens"), ({"val_fraction": 0.2}, "another part of it"),
    ({"batch_size": 1}, "no fair comparison: it read 4.0 times as much text."),
    ({"steps": 4000}, "no fair comparison: it read 4.0 times less text."),
    ({"seed": 2}, "0.010 below 08's 2.010: that much is chance, since only the seed differs."),
])
def test_the_card_says_what_forbids_a_comparison(changes, says):
    said = card(ended(2.0), ended(2.01, preset("09", **changes)), "08")
    assert says in said.happened and "ablate" not in [s.action for s in said.next]


def test_the_card_compares_other_tokens_of_the_same_text_by_the_character():
    pieces = ended(2.4, preset("09", tokenizer="bpe"), characters=2.0)
    chars = ended(1.3, preset("09"), characters=1.0)
    said = card(pieces, chars, "08").happened
    assert said.startswith("It ended at 2.400 nats a token, or 1.731 bits a character, 0.144 below 08's 1.876.")
    assert "it read 2.0 times as much text" in said and "ablate" not in [s.action for s in card(pieces, chars, "08").next]
    assert "other tokens" in card(ended(2.4, preset("09", tokenizer="bpe")), chars, "08").happened
    assert "counting pairs of tokens" in card(pieces, None, "").happened


def test_the_card_of_a_run_that_stands_alone():
    assert card(ended(2.0), None, "").happened == (
        "It ended at 2.000 nats a character, 0.390 below what counting pairs of letters gives.")
    assert "gives" in card(ended(3.0), None, "").happened and card(ended(2.0), None, "").changed == []
    assert "has no loss to compare with" in card(ended(2.0), ended(None, status="diverged"), "").happened
    assert card(ended(None, evals=[]), ended(2.0), "08").happened == "The loss was not checked: there is nothing to compare."


def test_losses_of_one_kind_are_compared():
    """The whole validation text with the whole, or the last checks of both."""
    stopped = ended(None, status="stopped")
    assert "as 08 did" in card(ended(2.05), stopped, "08").happened
    assert "0.050 above" in card(ended(2.05), ended(2.0), "08").happened


def actions(said) -> list[str]:
    return [suggestion.action for suggestion in said.next]


def falling(share: float) -> float:
    """Falls by 0.15 with each doubling of the steps."""
    return 2.0 - 0.15 * math.log2(max(share, 0.01))


def test_what_still_falls_is_trained_on():
    said = card(ended(None, val=falling, wander=0.005), None, "", "ladder/10-dropout")
    assert actions(said) == ["extend", "preset"] and "by 0.15 with" in said.next[0].words
    assert said.next[1].label == "Next: Dropout"
    assert actions(card(ended(None), None, "", "ladder/10-dropout")) == ["preset"]
    assert actions(card(ended(None, val=falling, wander=0.2), None, "")) == [], "lost in the noise"
    assert actions(card(ended(None, preset("09", steps=100_000, eval_every=5000), val=falling), None, "")) == []


def test_a_run_whose_step_size_has_run_out_starts_again_for_longer():
    first, = card(ended(None, preset("gpt2"), val=falling), None, "").next
    assert first.action == "train" and first.fix == {"train.steps": 2000} and first.label == "Train for 2,000 steps"


def test_differences_of_a_seed_s_size_ask_for_more_seeds():
    close = ended(2.0 + SEED_NOISE / 2, preset("08"))
    assert actions(card(ended(2.0), close, "08", "ladder/10-dropout")) == ["ablate", "preset"]
    assert actions(card(ended(None, val=falling), ended(None, preset("08"), val=falling), "08")) == ["extend", "ablate"]
    assert actions(card(ended(2.0), ended(2.2, preset("08")), "08")) == []
    assert actions(card(ended(2.0), ended(2.01), "09")) == [], "nothing was changed"


def test_what_went_wrong_is_mended_first():
    risen = ended(254.0, preset("09", lr=1.0), val=lambda share: 4.2 + 250 * min(share, 0.1))
    assert card(risen, ended(2.0), "08").happened == "The loss ran away: there is nothing to compare."
    assert "has no loss to compare with" in card(ended(2.0), risen, "08").happened
    broken = card(ended(None, preset("09", lr=1.0), status="diverged"), ended(2.0), "08", "ladder/10-dropout")
    assert "stopped being a number" in broken.happened and actions(broken) == ["train", "preset"]
    assert broken.next[0].fix == {"train.lr": 1e-3}
    stuck = card(history(preset("05"), val=letters), None, "")
    assert actions(stuck) == ["train"] and stuck.next[0].label == "Train with residual"
