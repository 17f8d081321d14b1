"""The radius in brightness of noise on brightness and contrast, by the lemma of Neyman and Pearson.

A sample is e^K(x + B) with K ~ N(0, s²) and B ~ N(0, 1), in standard deviations of B. Of an input
of another contrast k and brightness b it is e^(K+k)(x + B'), where B' is b + e^-k·B if the input
is e^k(x + b), and e^-k(b + B) if it is e^k·x + b: N(m, e^-2k) with m = b or e^-k·b. At one k all is
worse for a larger m, so that e^-k·b counts for k < 0 and b for k > 0.

**Events.** Put X = K/s, Y = B, λ = e^-k. Turned to the side of k, the events that are most probable
at the changed input for what they are at x are X < κ(Y),

    κ(y) = (s/|k|)((1 - λ⁻²)y²/2 + λ⁻²·m·y) + c.

With P(c) and Q(c) their probabilities here and there, and t the ratio of the densities at their
edge, any event of probability q here has at most Q(c) + t(q - P(c)) there, whatever c is: so a c
that is only near the best one gives a bound that is only slightly too large. A stays before B as
long as the bounds of "not A" and of B sum to less than 1.

**Integrals.** P and Q are E Φ(a₀ + a₁Z + a₂Z²) of a normal Z. The trapezoidal rule of step h errs
by at most 2M/(e^(2πd/h) - 1), where M bounds the integral of |integrand| on lines up to d off the
real axis (Trefethen and Weideman, SIAM Review 56, 2014, Theorem 5.1). There
|Φ(x + iy)| <= 1 + e^(y²)/4, and y = d(a₁ + 2a₂Z): with d <= 1, 1/|a₁|, 1/|4a₂| that makes M < 6,
and with h = d/5 the error less than 3e-13.

**Between two k.** What is more probable at k' than at k is so by at most r|k' - k|,
r = ½√(1/s² + 2 + b²): half of the mean of |X/s + 1 - Z² - bZ|, the change of the density, whose
square has that mean. So a margin at one k proves an interval around it, and intervals are taken
until they cover all contrasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rsonnx.statistics import normal_quantile_down, normal_quantile_up, portable, special

Values = NDArray[np.float64]

_ERROR = 1e-12
"""Of a probability: three times the rule's, which leaves room for its sums in doubles."""

_REACH = 9.0
"""Beyond, a normal variable is with probability 1e-18."""

_MARGIN = 3e-7
"""By how much a radius that is to be proved is below the one where the bounds meet, relatively."""

_MOST_INTERVALS = 4_000

_NEAR, _MOST_STEPS = 1e-5, 60
"""How far from an event's probability that of the nearest set of the right form may be, relatively:
what that gives away is of second order."""


@lru_cache(maxsize=4096)
def brightness_radius(spread: float, contrast: float, not_a: float, b: float) -> float:
    """Return a brightness, in standard deviations, below which the answer stands.

    Args:
        spread: s, the standard deviation of K, > 0.
        contrast: the largest |k|, > 0.
        not_a: upper bound on the probability of all classes but A, in [0, 1].
        b: upper bound on the probability of any one of them, in [0, 1].

    Returns:
        At most 1e-6, relatively, below the largest one that is true; 0 where there is none.
    """
    rest = (min(1.0, not_a + _ERROR), min(1.0, b + _ERROR))
    if sum(rest) >= 1:
        return 0.0
    edge = np.array([-contrast])

    def excess(at: float) -> float:
        return float(_sum_of_bounds(edge, at, spread, rest)[0]) - 1

    if excess(0.0) >= 0:
        return 0.0
    most = -(normal_quantile_down(rest[0]) + normal_quantile_down(rest[1])) / 2 + 1e-3
    near, margin = _root(excess, 0.0, most, 1e-9), _MARGIN
    while margin < 1:
        if _stands(near * (1 - margin), contrast, spread, rest):
            return near * (1 - margin)
        margin *= 4
    return 0.0


def rest_for(spread: float, contrast: float, b: float) -> float:
    """Return about which probability of all classes but A gives a radius of ``b``; 0 for none."""
    edge = np.array([-contrast])
    if b > _REACH:
        return 0.0

    def excess(rest: float) -> float:
        return float(_sum_of_bounds(edge, b, spread, (rest, rest))[0]) - 1

    return 0.0 if excess(_ERROR) >= 0 else _root(excess, _ERROR, 0.5, 1e-15)


def _root(function: Callable[[float], float], low: float, high: float, within: float) -> float:
    from scipy import optimize  # noqa: PLC0415 - as in special: no help page waits for it

    return float(optimize.brentq(function, low, high, xtol=within))


def _stands(b: float, contrast: float, spread: float, rest: tuple[float, float]) -> bool:
    """Prove that A is the answer at a brightness for all contrasts."""
    rate = math.sqrt(spread**-2 + 2 + b * b)  # of both bounds together
    at_zero = sum(float(special.ndtr(b + normal_quantile_up(q))) for q in rest) + _ERROR
    proved = (1 - at_zero) / rate
    low, high = np.array([[-contrast, proved], [-proved, contrast]])
    done = 0
    while True:
        left = low < high
        low, high = low[left], high[left]
        if not len(low):
            return True
        done += len(low)
        middle = (low + high) / 2
        reach = (1 - _ERROR - _sum_of_bounds(middle, b, spread, rest)) / rate
        if done > _MOST_INTERVALS or not (reach > 0).all():
            return False
        low, high = (
            np.concatenate([low, middle + reach]),
            np.concatenate([middle - reach, high]),
        )


def _sum_of_bounds(k: Values, b: float, spread: float, rest: tuple[float, float]) -> Values:
    """Return what two events of these probabilities have at most at each contrast, together."""
    bounds = _most(k, b, spread, rest[0])
    return bounds + (bounds if rest[0] == rest[1] else _most(k, b, spread, rest[1]))


def _most(k: Values, b: float, spread: float, q: float) -> Values:
    """Return an upper bound on the probability at each contrast of an event of probability q."""
    size, scale = np.abs(k), portable.exp(-k)
    m = b * np.maximum(1.0, scale)
    a2 = spread / size * -portable.expm1(2 * k) / 2
    a1 = spread / size * m / scale**2
    moved = (scale * (a1 + 2 * a2 * m), scale**2 * a2)
    # As if κ were normal; then Newton's method between two bounds, of which any result will do.
    c = np.sqrt(1 + a1**2 + 2 * a2**2) * special.ndtri(q) - a2
    high = _REACH * (2 + np.abs(a1) + _REACH * np.abs(a2))
    low = -high
    for _ in range(_MOST_STEPS):
        here, density = _mean(c, a1, a2)
        if (np.abs(here - q) <= _NEAR * q).all():
            break
        low, high = np.where(here < q, c, low), np.where(here < q, high, c)
        step = c + (q - here) / np.maximum(density, 1e-300)
        c = np.where((low < step) & (step < high), step, (low + high) / 2)
    here, _ = _mean(c, a1, a2)
    there, _ = _mean(c + a1 * m + a2 * m**2 + size / spread, *moved)
    ratio = portable.exp(k - (size / spread) * (c + size / spread / 2) - (m / scale) ** 2 / 2)
    bound: Values = there + _ERROR + ratio * (q - here)  # q has the error of `here` in it
    return bound


def _mean(a0: Values, a1: Values, a2: Values) -> tuple[Values, Values]:
    """Return E Φ(a₀ + a₁Z + a₂Z²), and its derivative with respect to a₀."""
    steepest = max(1.0, float(np.abs(a1).max()), 4 * float(np.abs(a2).max()))
    nodes = math.ceil(_REACH * 5 * steepest)
    z = np.arange(-nodes, nodes + 1) / (5 * steepest)
    weights = portable.exp(-z * z / 2) / (math.sqrt(2 * math.pi) * 5 * steepest)
    at = a0[:, np.newaxis] + z * (a1[:, np.newaxis] + a2[:, np.newaxis] * z)
    chance, density = special.ndtr(at), portable.exp(-at * at / 2)
    return portable.dot(chance, weights), portable.dot(density, weights) / math.sqrt(2 * math.pi)
