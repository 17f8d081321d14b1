"""Range checks that the functions of this room share."""

from __future__ import annotations

from rsonnx.errors import UsageError
from rsonnx.scalars import as_float, as_whole, shown

MOST_SAMPLES = 10**12
"""More than a century of any model; a number beyond it is a slip of the finger."""


LEAST_ALPHA = 1e-200
"""Beyond it scipy's tails lose their digits, and from 1e-250 they are 0 before they should be."""


def check_alpha(alpha: float) -> float:
    """Return ``alpha``, the probability of error, or refuse it unless 1e-200 <= alpha < 1."""
    number = as_float(alpha)
    if not LEAST_ALPHA <= number < 1.0:
        raise UsageError(
            f"alpha is {shown(alpha)}, but a probability of error was expected, below 1 and at "
            f"least {LEAST_ALPHA:g}; 0.001 is the usual choice"
        )
    return number


def check_share(name: str, value: float) -> float:
    """Return a share, or refuse it unless it lies strictly between 0 and 1."""
    number = as_float(value)
    if not 0.0 < number < 1.0:
        raise UsageError(f"{name} is {shown(value)}, but it must lie strictly between 0 and 1")
    return number


def check_samples(name: str, n: int) -> int:
    """Return ``n``, a number of samples, or refuse it unless it is a whole number >= 1."""
    whole = as_whole(n)
    if whole is None or not 1 <= whole <= MOST_SAMPLES:
        raise UsageError(
            f"{name} is {shown(n)}, but a whole number of samples was expected, at least 1 and "
            f"at most {MOST_SAMPLES:,}"
        )
    return whole


def check_count(k: int, n: int) -> tuple[int, int]:
    """Return ``(k, n)`` as ints, or refuse them unless 0 <= k <= n and n >= 1."""
    n = check_samples("n", n)
    whole = as_whole(k)
    if whole is None or not 0 <= whole <= n:
        raise UsageError(f"k is {shown(k)}, but a whole number from 0 to n = {n} was expected")
    return whole, n
