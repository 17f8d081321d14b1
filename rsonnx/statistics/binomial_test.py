"""Exact tests of a proportion against one half, as PREDICT uses them."""

from __future__ import annotations

from rsonnx.statistics import special
from rsonnx.statistics.checks import check_alpha, check_count
from rsonnx.statistics.rounding import probability_up


def p_value_above_half(k: int, n: int) -> float:
    """Return P(Bin(n, 1/2) >= k), rounded up: the test of p <= 1/2 against p > 1/2.

    Without samples it is 1: no sample says nothing.
    """
    if n == 0:
        return 1.0
    k, n = check_count(k, n)
    return 1.0 if k == 0 else probability_up(float(special.betainc(k, n - k + 1, 0.5)))


def p_value_differs_from_half(k: int, n: int) -> float:
    """Return the exact two-sided p-value of k hits in n samples under p = 1/2, rounded up.

    Bin(n, 1/2) is symmetric, so this is twice the larger tail, at most 1. It is the test by which
    PREDICT compares the two top classes (Hung & Fithian, arXiv 1610.03944).
    """
    if n == 0:
        return 1.0
    k, n = check_count(k, n)
    return min(1.0, 2.0 * p_value_above_half(max(k, n - k), n))


def fewest_samples_to_predict(alpha: float, *, two_sided: bool) -> int:
    """Return the smallest n at which n hits of n give a p-value <= ``alpha``: 11 at 0.001."""
    alpha = check_alpha(alpha)
    test = p_value_differs_from_half if two_sided else p_value_above_half
    n = 1
    while test(n, n) > alpha:
        n += 1
    return n


def least_top_counts(n: int, alpha: float) -> list[int]:
    """Return PREDICT's table: for m = 0 .. ``n`` the least k with 2·P(Bin(m, 1/2) >= k) <= alpha.

    The two-class test answers the top class where it has at least so many of both top classes' m
    samples; m + 1 stands where it never answers. Computed in whole numbers, so it is exact for the
    double ``alpha``.
    """
    numerator, denominator = check_alpha(alpha).as_integer_ratio()
    table, k = [1], 1
    tail, below = 0, 1  # of C(m, i) those with i >= k summed, and C(m, k - 1)
    for m in range(1, n + 1):
        tail, below = 2 * tail + below, below * m // (m + 1 - k)
        if 2 * tail * denominator > numerator << m:
            below = below * (m + 1 - k) // k
            tail, k = tail - below, k + 1
        table.append(k)
    return table
