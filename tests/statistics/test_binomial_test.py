"""PREDICT's tests against exact sums of binomial coefficients."""

import math
from fractions import Fraction
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.statistics import (
    fewest_samples_to_predict,
    least_top_counts,
    p_value_above_half,
    p_value_differs_from_half,
)

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_one_sided_is_the_exact_tail_rounded_up(count: tuple[int, int]) -> None:
    k, n = count
    exact = Fraction(sum(math.comb(n, j) for j in range(k, n + 1)), 2**n)
    found = Fraction(p_value_above_half(k, n))
    assert exact <= found <= min(Fraction(1), exact * (1 + Fraction(1, 2**35)))


@given(counts)
def test_two_sided_is_exact_and_symmetric(count: tuple[int, int]) -> None:
    k, n = count
    observed = math.comb(n, k)
    # The definition of an exact two-sided test: all outcomes that are no more probable.
    exact = Fraction(sum(c for j in range(n + 1) if (c := math.comb(n, j)) <= observed), 2**n)
    found = Fraction(p_value_differs_from_half(k, n))
    assert exact <= found <= min(Fraction(1), exact * (1 + Fraction(1, 2**35)))
    assert p_value_differs_from_half(n - k, n) == p_value_differs_from_half(k, n)


def test_no_samples_say_nothing() -> None:
    assert p_value_above_half(0, 0) == 1.0
    assert p_value_differs_from_half(0, 0) == 1.0


@pytest.mark.parametrize(("two_sided", "least"), [(True, 11), (False, 10)])
def test_fewest_samples_that_can_answer_at_the_usual_alpha(two_sided: bool, least: int) -> None:
    # 2 * 2^-10 > 0.001 >= 2 * 2^-11, and 2^-9 > 0.001 >= 2^-10 (locuslab/smoothing#8).
    assert fewest_samples_to_predict(0.001, two_sided=two_sided) == least


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.3, 0.0625])
def test_least_top_counts_are_exact(alpha: float) -> None:
    """2·P(Bin(m, 1/2) >= k) <= alpha at the table's k and not below it, for every m <= 1,000."""
    table = least_top_counts(1_000, alpha)
    assert len(table) == 1_001
    ways = [1]  # C(m, j)
    for m, k in enumerate(table):
        tail = sum(ways[k:])
        assert 2 * tail <= Fraction(alpha) * 2**m < 2 * (tail + ways[k - 1])
        ways = [1, *map(add, ways, ways[1:]), 1]


def test_least_top_counts_decide_as_the_p_value_does() -> None:
    for m, k in enumerate(least_top_counts(150, 0.001)):
        for n_a in range((m + 1) // 2, m + 1):
            assert (p_value_differs_from_half(n_a, m) <= 0.001) == (n_a >= k)
