"""What losses say: intervals against published tables and by simulation, words for each case, and bands of curves."""

import math
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pytest

from gpt.effects import T_QUANTILES, Outcome, caution, effect, half_width, interval, mean_and_band, ranked, size, t_quantile
from gpt.study import Planned

NAN = math.nan


def planned(kind="minus", **about):
    return Planned("-norm", kind, "norm", "", {}, **about)


def outcomes(*losses, parameters=100, seconds=10.0, first=1):
    return [Outcome(first + i, loss, parameters, seconds) for i, loss in enumerate(losses)]


def compared(base, arm, kind="minus"):
    return effect(planned(kind), outcomes(*base), outcomes(*arm))


# Intervals ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("degrees, published", [
    (1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042), (31, 2.040), (40, 2.021), (60, 2.000), (100, 1.984),
    (120, 1.980), (10**6, 1.960),
])
def test_quantiles_are_the_published_ones(degrees, published):
    assert t_quantile(degrees) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize("degrees", range(1, 34))
def test_quantiles_leave_five_percent_outside(degrees):
    """By integrating Student's density from 0 (Simpson's rule)."""
    quantile, n = t_quantile(degrees), 2000
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    density = [scale * (1 + (quantile * i / n) ** 2 / degrees) ** (-(degrees + 1) / 2) for i in range(n + 1)]
    inside = 2 * quantile / n / 3 * (density[0] + density[-1] + 4 * sum(density[1:-1:2]) + 2 * sum(density[2:-1:2]))
    assert inside == pytest.approx(0.95, abs=1e-4)
    assert len(T_QUANTILES) == 30


def test_an_interval_by_hand():
    """Mean 2, standard deviation 1, three values: 2 +- 4.303 / sqrt 3."""
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert mean == 2 and (low, high) == pytest.approx((2 - 2.4843, 2 + 2.4843), abs=1e-3)
    assert interval([]) == (None, None, None) and interval([0.5]) == (0.5, None, None)


@pytest.mark.parametrize("count", [3, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(count):
    chance, true, covered = random.Random(1), 0.1, 0
    for _ in range(2000):
        _, low, high = interval([chance.gauss(true, 0.03) for _ in range(count)])
        covered += low <= true <= high
    assert 0.92 < covered / 2000 < 0.98


def test_seeds_are_paired():
    """What a seed is worth to both cancels; order and seeds that only one has do not matter."""
    base, arm = outcomes(2.0, 3.0, 4.0), outcomes(2.11, 3.1, 4.09)
    found = effect(planned(), base[::-1], [arm[2], arm[0], arm[1], Outcome(9, 1.0, 100, 1.0)])
    assert found.differences == pytest.approx((0.11, 0.1, 0.09)) and found.pairs == 3 and found.clear
    assert found.mean == pytest.approx(0.1) and found.high - found.low < 0.06
    assert found.loss == pytest.approx(fmean([2.11, 3.1, 4.09, 1.0]))


def test_the_numbers_beside_the_loss():
    base, arm = outcomes(2.0, 2.0, parameters=100, seconds=10.0), outcomes(2.5, 2.5, parameters=80, seconds=8.8)
    found = effect(planned(value=3), base, arm)
    assert found.parameters == -20 and found.seconds == pytest.approx(-0.12) and found.value == 3 and found.part == "norm"
    assert effect(planned(), outcomes(2.0, seconds=0.0), arm).seconds is None  # not known
    ended_early = [arm[0], replace(arm[1], loss=NAN, seconds=0.1)]
    assert effect(planned(), base, ended_early).seconds == pytest.approx(-0.12)


# Words --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, by, words, clear", [
    ("minus", (0.41, 0.42, 0.40), "removing it hurts: +0.410 (0.385 to 0.435), a large effect", True),
    ("plus", (-0.10, -0.11, -0.09), "adding it helps: -0.100 (-0.125 to -0.075), a clear effect", True),
    ("swap", (0.031, 0.03, 0.029), "swapping hurts: +0.030 (0.028 to 0.032), a small effect", True),
    ("sweep", (-0.0006, -0.0006, -0.0005), "this value is better: -0.00057 (-0.00071 to -0.00042), a negligible effect", True),
    ("minus", (0.01, -0.01, 0.02), "not distinguishable at this budget: +0.007 (-0.031 to 0.045); an effect of up to "
                                   "0.045 could hide in the noise between seeds: more seeds would narrow it", False),
    ("minus", (0.02, 0.0, 0.03), "not distinguishable at this budget: +0.017 (-0.021 to 0.055); an effect of up to "
                                 "0.055 could hide in the noise between seeds: more seeds would narrow it", False),
    ("plus", (0.001, 0.0, -0.001), "not distinguishable at this budget: +0.0000 (-0.0025 to 0.0025), negligible if anything",
     False),
    ("plus", (0.0, 0.0), "not distinguishable: equal in every seed", False),
    ("plus", (0.0,), "not distinguishable: equal in every seed", False),
    ("minus", (0.25,), "+0.250, but one seed cannot tell an effect from noise: train 3 seeds or more", False),
    ("minus", (), "no seed is done yet", False),
])
def test_verdicts(kind, by, words, clear):
    found = effect(planned(kind), outcomes(*[0.0] * len(by)), outcomes(*by))
    assert found.verdict == words and found.clear == clear


@pytest.mark.parametrize("base, arm, diverged, words, clear", [
    ((2, 2, 2), (NAN, math.inf, NAN), 3, "removing it makes training diverge with every seed", True),
    ((2,), (NAN,), 1, "removing it makes training diverge with the one seed tried", True),
    ((2, 2, 2), (NAN, 2.2, 2.4), 1, "removing it makes training diverge with 1 of 3 seeds; the others differ by +0.300", False),
    ((2, 2, 2), (NAN, 2.2, 2.2), 1, "removing it makes training diverge with 1 of 3 seeds; the others differ by +0.200", True),
    ((2, 2, 2), (NAN, 1.8, 1.8), 1, "removing it makes training diverge with 1 of 3 seeds; the others differ by -0.200", False),
    ((NAN, NAN), (2, 2), 0, "the base itself diverges: there is nothing to compare with", False),
])
def test_divergence_is_told_and_never_averaged(base, arm, diverged, words, clear):
    found = compared(base, arm)
    assert (found.diverged, found.verdict, found.clear) == (diverged, words, clear)
    assert found.pairs == len(found.differences) == sum(math.isfinite(a) and math.isfinite(b) for a, b in zip(base, arm))


def test_seeds_that_are_asked_for_would_be_enough():
    """Were the mean and the spread to stay as they are."""
    differences = (0.02, 0.0, 0.03)
    assert half_width(stdev(differences), 6) < fmean(differences) < half_width(stdev(differences), 5)


@pytest.mark.parametrize("difference, word", [
    (0.0, "negligible"), (-0.0099, "negligible"), (0.01, "small"), (-0.05, "clear"), (0.199, "clear"), (0.2, "large"),
    (-9, "large"),
])
def test_sizes(difference, word):
    assert size(difference) == word


def test_ranking_puts_the_largest_harm_first():
    base = (2.0, 2.0)
    helps, hurts, little = compared(base, (1.5, 1.5)), compared(base, (2.5, 2.6)), compared(base, (2.0, 2.1))
    once, always, unknown = compared(base, (NAN, 1.0)), compared(base, (NAN, NAN)), compared(base, ())
    assert ranked([helps, unknown, once, little, hurts, always]) == [always, once, hurts, little, helps, unknown]


def test_many_intervals_come_with_a_caution():
    known, single = compared((2, 2), (2.1, 2.2)), compared((2,), (2.1,))
    assert caution([single] * 5) == "" == caution([])
    assert "95 %" not in caution([known] * 2 + [single] * 5) and "learning rate" in caution([known])
    assert "95 %" in caution([known] * 3) and "of 20 parts" in caution([known] * 3)


# Curves -------------------------------------------------------------------------------------------------------------

def test_a_band_of_few_curves_holds_all_of_them():
    curves = [[(0, 4.0), (10, 3.0)], [(10, 2.0), (20, 1.0)], [(0, None), (10, NAN), (30, math.inf)]]
    steps, mean, low, high = mean_and_band(curves)
    assert steps == [0, 10, 20] and mean == [4.0, 2.5, 1.0] and low == [4.0, 2.0, 1.0] and high == [4.0, 3.0, 1.0]


def test_a_band_of_many_curves_is_their_standard_deviation():
    losses = [1.0, 2.0, 3.0, 4.0, 5.0]
    steps, mean, low, high = mean_and_band([[(7, loss)] for loss in losses])
    assert (steps, mean) == ([7], [3.0])
    assert high[0] - 3 == pytest.approx(stdev(losses)) == 3 - low[0]


def test_no_curves_make_no_band():
    assert mean_and_band([]) == mean_and_band([[], [(0, None)]]) == ([], [], [], [])


def test_statistics_need_no_torch():
    root = Path(__file__).resolve().parent.parent
    code = "import sys, gpt.effects; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60).returncode == 0
