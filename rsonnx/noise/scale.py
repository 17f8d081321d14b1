"""Checks of what defines a distribution, with sentences that say which unit was expected."""

from __future__ import annotations

import math
from numbers import Integral, Real

from rsonnx.errors import UsageError

_LEAST, _MOST = 1e-290, 1e290
"""Beyond these a scale times a power of d leaves the doubles."""
_MOST_EXPONENT = 1e12
_MOST_VALUES = 2**53


def check_scale(name: str, value: float) -> float:
    """Return the scale of a noise as a float, or refuse it unless it is finite and above 0.

    Args:
        name: ``"sigma"``, the standard deviation, or ``"lambda"``, the scale of its own formula.
        value: what was given.
    """
    number = as_float(value)
    if not (math.isfinite(number) and number > 0):
        what = "standard deviation" if name == "sigma" else "scale"
        raise UsageError(
            f"{name} is {value!r:.40}, but the {what} of the noise must be a finite "
            "number above 0, in the units of the input (0.25 and 0.5 are usual for [0, 1])"
        )
    if name == "lambda" and not _LEAST <= number <= _MOST:
        raise UsageError(
            f"lambda is {value!r:.40}, but {_LEAST:g} to {_MOST:g} was expected, in the units of "
            "the input; rescale the inputs"
        )
    return number


def check_size(size: int | None, *, needed: bool) -> int | None:
    """Return how many values an input has; None, where that is not needed, if it is not known."""
    return None if size is None and not needed else needed_size(size)


def needed_size(size: int | None) -> int:
    """Return how many values an input has, or refuse it unless it is known and 1 to 2^53."""
    if size is None:
        raise UsageError(
            "this radius depends on how many values an input has, but no size was given; give the "
            "size"
        )
    if isinstance(size, bool) or not isinstance(size, Integral) or not 1 <= size <= _MOST_VALUES:
        raise UsageError(
            f"size is {size!r:.40}, but a whole number of at least 1 was expected, and of at most "
            f"{_MOST_VALUES}, what no memory holds"
        )
    return int(size)


def check_exponent(value: float, least: int, noise: str) -> float:
    """Return the exponent of a noise as a float, or refuse it unless it is above ``least``."""
    number = as_float(value)
    if not (math.isfinite(number) and number > least):
        raise UsageError(
            f"a is {value!r:.40}, but the exponent of {noise} noise must be a finite number above "
            f"{least}" + (", the number of values of an input" if least else "")
        )
    if number > _MOST_EXPONENT:
        raise UsageError(
            f"a is {value!r:.40}, but at most {_MOST_EXPONENT:g} was expected; use a smaller one"
        )
    return number


def as_float(value: object) -> float:
    """Return a number as a float, infinite where it is beyond them; NaN for what is no number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # a whole number with hundreds of digits
        return math.inf


def shown_sigma(value: float) -> float:
    """Return a standard deviation that was computed, without the noise of its last digit."""
    return float(f"{value:.14g}")
