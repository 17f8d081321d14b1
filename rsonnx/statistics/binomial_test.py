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
