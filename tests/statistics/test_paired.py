"""Paired differences: exact coverage by enumeration, and scipy as a second opinion."""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rsonnx.statistics import paired_accuracy, paired_mean_interval
from rsonnx.statistics.paired import PairedAccuracy

PAIRS = 14
DELTA = 0.1


@cache
def found(only_first: int, only_second: int) -> PairedAccuracy:
    return paired_accuracy(only_first, only_second, PAIRS, DELTA)


@pytest.mark.parametrize(
    ("first", "second"),
    [p for p in product((0.0, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.0), repeat=2) if sum(p) <= 1],
)
def test_the_interval_covers_whatever_the_truth(first: float, second: float) -> None:
    # All outcomes of 14 pairs with their trinomial probabilities: no sampling, no tolerance but
    # that of a sum of 120 floats.
    rest, missed = max(0.0, 1 - first - second), 0.0
    for b in range(PAIRS + 1):
        for c in range(PAIRS + 1 - b):
            one = found(b, c)
            if not one.low <= first - second <= one.high:
                counts = [b, c, PAIRS - b - c]
                missed += stats.multinomial.pmf(counts, PAIRS, [first, second, rest])
    assert missed <= DELTA + 1e-12


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 500))
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int, concordant: int) -> None:
    pairs = max(1, b + c + concordant)
    one = paired_accuracy(b, c, pairs)
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    # binomtest is itself good to 1e-11 relative; ours is rounded up by 1.5e-11.
    assert one.p_value == pytest.approx(expected, rel=1e-10)
    assert one.p_value >= expected * (1 - 1e-11)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 500))
def test_laws_of_the_interval(b: int, c: int, concordant: int) -> None:
    pairs = max(1, b + c + concordant)
    one, mirrored = paired_accuracy(b, c, pairs), paired_accuracy(c, b, pairs)
    assert -1 <= one.low <= one.difference <= one.high <= 1
    # Clopper-Pearson's bounds of k and n - k mirror each other up to the guard of 2^-36.
    assert mirrored.low == pytest.approx(-one.high, abs=1e-9)
    assert mirrored.p_value == one.p_value
    if one.low > 0 or one.high < 0:
        assert one.p_value <= 0.045 * (1 + 1e-9)


def test_an_example_by_hand() -> None:
    one = paired_accuracy(15, 5, 500)
    theta = [float(stats.beta.ppf(0.0225, 15, 6)), float(stats.beta.isf(0.0225, 16, 5))]
    psi_high = float(stats.beta.isf(0.0025, 21, 480))
    psi_low = float(stats.beta.ppf(0.0025, 20, 481))
    assert one.difference == pytest.approx(0.02)
    assert one.low == pytest.approx(psi_low * (2 * theta[0] - 1), abs=1e-9)
    assert one.high == pytest.approx(psi_high * (2 * theta[1] - 1), abs=1e-9)
    assert one.low > 0
    assert one.p_value == pytest.approx(0.04138946533)  # scipy.stats.binomtest(15, 20)


def test_the_bootstrap_of_a_mean_difference() -> None:
    values = np.random.Generator(np.random.PCG64(1)).normal(0.1, 1.0, 800)
    one = paired_mean_interval(values)
    assert one.mean == values.mean()
    half = 1.96 * values.std() / math.sqrt(values.size)
    # The error of a quantile of 2,000 resamples is about 4 % of the half width; 15 % is 4 of those.
    assert one.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert one.high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert paired_mean_interval(values) == one
    moved = paired_mean_interval(-values, seed=0)
    assert moved.mean == -one.mean


def test_the_bootstrap_of_no_spread() -> None:
    one = paired_mean_interval([-0.25] * 7)
    assert (one.mean, one.low, one.high) == (-0.25, -0.25, -0.25)
