"""What callers give as numbers, numpy's among them, as Python's own; and values in a message."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any


def plain(value: Any) -> Any:
    """Return a number or flag of numpy's, or an array of none but one, as Python's own."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def in_full(number: float) -> str:
    """Return a number in full: a shortened radius could be above the one that was certified."""
    return repr(number).removesuffix(".0")


def as_float(value: object) -> float:
    """Return a number as a float, inf where it is beyond them; NaN for what is no number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # a whole number with hundreds of digits
        return math.inf


def as_floats(values: object) -> tuple[float, ...]:
    """Return numbers as :func:`as_float` does each; of what lists none, none."""
    several = plain(values)
    return tuple(map(as_float, several)) if isinstance(several, Iterable) else ()


def as_whole(value: object) -> int | None:
    """Return a whole number as an int; None for what is none, as a flag, a text and 2.0 are."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def shown(value: object, most: int = 60) -> str:
    """Return a value for a message, shortened to ``most`` characters."""
    try:
        return f"{value!r:.{most}}"
    except (ValueError, RecursionError):  # Python writes whole numbers of up to 4,300 digits
        return f"a {type(value).__name__} too long or too deep to be shown"


def duration(seconds: float) -> str:
    """Return a time as a person says it: 1 h 5 min, 3 min 20 s, 12 s."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
