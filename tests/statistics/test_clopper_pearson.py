"""Clopper-Pearson against exact binomial tails in rational arithmetic."""

import math
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.statistics import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    fewest_samples_to_exceed_half,
    samples_to_exceed_half,
)


def upper_tail(k: int, n: int, p: Fraction) -> Fraction:
    """P(Bin(n, p) >= k), exactly."""
    return sum((math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1)), Fraction(0))


counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
alphas = st.floats(1e-12, 0.5)


@given(counts, alphas)
def test_lower_bound_covers_exactly(count: tuple[int, int], alpha: float) -> None:
    k, n = count
    bound = Fraction(clopper_pearson_lower(k, n, alpha))
    assert upper_tail(k, n, bound) <= Fraction(alpha) or k == 0
    # A bound larger by 1e-9 would not cover: the guard costs no more than that.
    if k:
        assert upper_tail(k, n, bound * (1 + Fraction(1, 10**9))) > Fraction(alpha)


@given(counts, alphas)
def test_upper_bound_mirrors_the_lower_one(count: tuple[int, int], alpha: float) -> None:
    k, n = count
    upper = Fraction(clopper_pearson_upper(k, n, alpha))
    lower = 1 - Fraction(clopper_pearson_lower(n - k, n, alpha))
    # The two are rounded in opposite senses relative to their own size.
    assert abs(upper - lower) <= Fraction(1, 2**34)
    if k < n:
        assert 1 - upper_tail(k + 1, n, upper) <= Fraction(alpha)


@given(counts, alphas)
def test_more_hits_never_lower_the_bound(count: tuple[int, int], alpha: float) -> None:
    k, n = count
    if k < n:
        assert clopper_pearson_lower(k, n, alpha) <= clopper_pearson_lower(k + 1, n, alpha)


def test_no_hits_and_all_hits() -> None:
    assert clopper_pearson_lower(0, 10, 0.001) == 0.0
    assert clopper_pearson_upper(10, 10, 0.001) == 1.0


@pytest.mark.parametrize(("alpha", "least"), [(0.001, 10), (0.5, 2), (0.25, 3), (1e-6, 20)])
def test_fewest_samples(alpha: float, least: int) -> None:
    # alpha^(1/n) > 1/2 is strict: at alpha = 1/4, n = 2 gives exactly 1/2 and is not enough.
    assert fewest_samples_to_exceed_half(alpha) == least
    assert clopper_pearson_lower(least, least, alpha) > 0.5
    assert clopper_pearson_lower(least - 1, least - 1, alpha) <= 0.5


def test_samples_needed_for_a_share() -> None:
    needed = samples_to_exceed_half(0.6, 0.001)
    assert needed is not None
    assert clopper_pearson_lower(math.floor(0.6 * needed), needed, 0.001) > 0.5
    assert clopper_pearson_lower(math.floor(0.6 * needed * 0.9), int(needed * 0.9), 0.001) <= 0.5
    assert samples_to_exceed_half(0.5, 0.001) is None
    assert samples_to_exceed_half(0.500001, 0.001, most=10**6) is None


# r / sigma, samples, least hits that certify and most that stop, at 0.001 / 3 and 0.0001 / 2: the
# stages of CertifyAdp (arXiv 2106.06946) in the shared half of `ensembles.json` (FIELD.md, J), by
# exact binomial tails, in agreement with the authors' code.
STAGES = [
    (0.5, 1_000, 741, 633),
    (0.5, 10_000, 7_072, 6_733),
    (0.5, 120_000, 83_520, None),
    (1.5, 1_000, 959, 900),
    (1.5, 10_000, 9_416, 9_232),
    (1.5, 120_000, 112_277, None),
]


@pytest.mark.parametrize(("radius", "n", "least", "most"), STAGES)
def test_hits_that_reach_a_radius_are_the_golden_ones(
    radius: float, n: int, least: int, most: int | None
) -> None:
    p = NormalDist().cdf(radius)
    alpha, beta = 0.001 / 3, 0.0001 / 2
    assert clopper_pearson_lower(least - 1, n, alpha) < p <= clopper_pearson_lower(least, n, alpha)
    if most is not None:
        below, above = (clopper_pearson_upper(hits, n, beta) for hits in (most, most + 1))
        assert below < p <= above
