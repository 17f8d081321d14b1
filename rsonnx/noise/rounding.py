"""From high precision to a radius that is never too large."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from threading import RLock

import mpmath

_MARGIN = mpmath.mpf(2) ** -60
"""Relative margin for the rounding of a formula in 100 bits, which may lose 30 of them."""

_FARTHEST = -(mpmath.mpf(2) ** 30)
"""In standard deviations; mpmath fails where the square of a number is beyond the doubles."""

_PRECISION_LOCK = RLock()


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Have mpmath compute in ``bits``, which is a setting of the whole process, one thread a time.

    A thread that left while another computed would put back the precision under its hands.
    """
    with _PRECISION_LOCK, mpmath.workprec(bits):
        yield


def down(value: mpmath.mpf) -> float:
    """Return a double not above ``value``, a formula evaluated in at least 100 bits; at least 0."""
    if not value > 0:
        return 0.0
    if mpmath.isinf(value):
        return math.inf
    near = float(value * (1 - _MARGIN))
    return max(0.0, math.nextafter(near, -math.inf))


def quotient_down(numerator: int, denominator: int) -> float:
    """Return the largest double not above a quotient of whole numbers, the second above 0."""
    exact = Fraction(numerator, denominator)
    near = float(exact)
    return near if Fraction(near) <= exact else math.nextafter(near, -math.inf)


def normal_cdf(z: mpmath.mpf) -> mpmath.mpf:
    """Return Φ(z) at mpmath's working precision, or more where z is far below all that matters."""
    return mpmath.ncdf(max(z, _FARTHEST))
