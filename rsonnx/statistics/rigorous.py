"""Proof by integer arithmetic that a claimed bound or radius is on the safe side.

The fast path trusts scipy to within a margin. Nothing here does: every step is exact or rounded
towards refusal, on Python integers alone, so a True is a proof about the very doubles that were
claimed. A False means "not proved". Under a millisecond for n = 1e5, a few for n = 1e7.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from rsonnx.statistics.checks import check_alpha, check_count
from rsonnx.statistics.enclosures import (
    CDF_BITS,
    Big,
    binomial_term_up,
    normal_cdf_bounds,
    normal_tail_bounds,
)
from rsonnx.statistics.rounding import normal_quantile_up

_SUM_BITS = 128
"""Bits after the binary point of the tail sum, which is at least 1."""

_CHECK_EVERY = 32
"""Terms between two looks at whether the question is settled."""


def upper_tail_at_most(k: int, n: int, p: float, alpha: float) -> bool:
    """Prove P(Bin(n, p) >= k) <= alpha for the exact values of the doubles ``p`` and ``alpha``.

    The first term of the tail is bounded above by Stirling's series with its remainder; the others
    follow by the ratio (n-j)/(j+1)·p/(1-p), which falls with j, so that what is left after any term
    is below a geometric series.

    """
    k, n = check_count(k, n)
    alpha = check_alpha(alpha)
    if not 0.0 < p < 1.0:
        return p <= 0.0 < k
    hits, scale = p.as_integer_ratio()
    return _tail_at_most(k, n, hits, scale, alpha)


def proves_lower_bound(p: float, k: int, n: int, alpha: float) -> bool:
    """Prove that ``p`` is not above the Clopper-Pearson lower bound of (k, n, alpha)."""
    return p <= 0.0 or upper_tail_at_most(k, n, p, alpha)


def proves_upper_bound(p: float, k: int, n: int, alpha: float) -> bool:
    """Prove that ``p`` is not below the Clopper-Pearson upper bound of (k, n, alpha)."""
    if p >= 1.0:
        return True
    k, n = check_count(k, n)
    alpha = check_alpha(alpha)
    if p <= 0.0:
        return False
    # P(Bin(n, p) <= k) = P(Bin(n, 1 - p) >= n - k), with 1 - p as a fraction: it may be no double.
    hits, scale = p.as_integer_ratio()
    return _tail_at_most(n - k, n, scale - hits, scale, alpha)


def normal_cdf_at_most(x: float | Fraction, p: float) -> bool:
    """Prove Φ(x) <= p, that is x <= Φ⁻¹(p)."""
    if p >= 1.0:
        return True
    return Fraction(normal_cdf_bounds(Fraction(x))[1], 1 << CDF_BITS) <= Fraction(p)


def normal_cdf_at_least(x: float | Fraction, p: float) -> bool:
    """Prove Φ(x) >= p, that is x >= Φ⁻¹(p)."""
    if p <= 0.0:
        return True
    return Fraction(normal_cdf_bounds(Fraction(x))[0], 1 << CDF_BITS) >= Fraction(p)


@lru_cache(maxsize=4096)
def proves_radius(radius: float, sigma: float, p_a_lower: float) -> bool:
    """Prove radius <= sigma·Φ⁻¹(p_a_lower), the l2 radius of Gaussian smoothing, >= 0."""
    if radius == 0.0:
        return p_a_lower >= 0.5
    return normal_cdf_at_most(Fraction(radius) / Fraction(sigma), p_a_lower)


@lru_cache(maxsize=4096)
def proves_radius_beside(radius: float, sigma: float, p_other: float) -> bool:
    """Prove radius <= -sigma·Φ⁻¹(p_other), that is Φ(-radius/sigma) >= p_other, for p_other > 0."""
    return normal_tail_bounds(Fraction(radius) / Fraction(sigma))[0] >= Fraction(p_other)


def proves_two_sided_radius(
    radius: float, sigma: float, p_a_lower: float, p_b_upper: float
) -> bool:
    """Prove radius <= sigma/2·(Φ⁻¹(p_a_lower) - Φ⁻¹(p_b_upper)).

    With t a double near Φ⁻¹(p_b_upper), it is enough that Φ(t) >= p_b_upper and that
    Φ(2·radius/sigma + t) <= p_a_lower.
    """
    if not 0.0 < p_b_upper < p_a_lower:
        return p_b_upper <= 0.0
    split = normal_quantile_up(p_b_upper)  # a guess, not trusted
    total = 2 * Fraction(radius) / Fraction(sigma) + Fraction(split)
    return normal_cdf_at_least(split, p_b_upper) and normal_cdf_at_most(total, p_a_lower)


def _tail_at_most(k: int, n: int, hits: int, scale: int, alpha: float) -> bool:
    """Prove P(Bin(n, hits/scale) >= k) <= alpha, for a power of 2 as ``scale``."""
    misses = scale - hits
    if k == 0 or (alpha < 0.5 and k * scale <= n * hits):
        return False  # the median of a binomial is not below the floor of its mean
    limit = _ratio_down(alpha, binomial_term_up(k, n, hits, scale))
    term = total = 1 << _SUM_BITS
    j = k
    while total <= limit:
        for _ in range(_CHECK_EVERY):
            if j == n:
                return total <= limit
            term = term * hits * (n - j) // (misses * (j + 1)) + 1
            total += term
            j += 1
        # term·r/(1 - r) bounds the rest, where r is the next ratio and all later ones are smaller.
        upper, lower = hits * (n - j), misses * (j + 1)
        if upper < lower and total + term * upper // (lower - upper) + 1 <= limit:
            return True
        if upper < lower and term >> 20 == 0:
            return False
    return False


def _ratio_down(alpha: float, first: Big) -> int:
    """Return floor(alpha / first · 2^_SUM_BITS)."""
    numerator, denominator = alpha.as_integer_ratio()
    mantissa, exponent = first
    shift = _SUM_BITS - exponent
    if shift >= 0:
        return (numerator << shift) // (denominator * mantissa)
    return numerator // (denominator * mantissa << -shift)
