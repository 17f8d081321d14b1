"""Range checks that the functions of this room share."""

from __future__ import annotations

import math

from rsonnx.errors import UsageError

MOST_SAMPLES = 10**12
"""More than a century of any model; a number beyond it is a slip of the finger."""


def check_alpha(alpha: float) -> float:
    """Return ``alpha``, the probability of error, or refuse it unless 0 < alpha < 1."""
    if not (isinstance(alpha, int | float) and math.isfinite(alpha) and 0.0 < alpha < 1.0):
        raise UsageError(
            f"alpha is {alpha!r}, but it is a probability of error and must lie strictly between "
            "0 and 1; 0.001 is the usual choice"
        )
    return float(alpha)


def check_share(name: str, value: float) -> float:
    """Return a share, or refuse it unless it lies strictly between 0 and 1."""
    if not (isinstance(value, int | float) and 0.0 < value < 1.0):
        raise UsageError(f"{name} is {value!r}, but it must lie strictly between 0 and 1")
    return float(value)


def check_samples(name: str, n: int) -> int:
    """Return ``n``, a number of samples, or refuse it unless it is a whole number >= 1."""
    if isinstance(n, bool) or not hasattr(n, "__index__") or not 1 <= int(n) <= MOST_SAMPLES:
        raise UsageError(
            f"{name} is {n!r}, but a whole number of samples was expected, at least 1 and at most "
            f"{MOST_SAMPLES:,}"
        )
    return int(n)


def check_count(k: int, n: int) -> tuple[int, int]:
    """Return ``(k, n)`` as ints, or refuse them unless 0 <= k <= n and n >= 1."""
    n = check_samples("n", n)
    if isinstance(k, bool) or not hasattr(k, "__index__") or not 0 <= int(k) <= n:
        raise UsageError(f"k is {k!r}, but a whole number from 0 to n = {n} was expected")
    return int(k), n
