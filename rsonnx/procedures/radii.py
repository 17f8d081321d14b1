"""At which radii the figures of a run are stated, and how a radius is printed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from numbers import Real

from rsonnx.errors import UsageError
from rsonnx.scalars import as_float, plain, shown

_STEPS = tuple(
    Fraction(figure) * Fraction(10) ** exponent
    for exponent in range(-3, 3)
    for figure in ("1", "2.5", "5")
)
"""As fractions, so that three steps of 0.1 are 0.3 and not the float above it."""
_WHOLE_STEPS = tuple(Fraction(s) for s in (1, 2, 5, 10, 20, 50, 100, 200, 500))
_MOST_RADII = 9
_ALL_DIGITS = Context(prec=400)
"""Of any double: 309 before the point."""


def default_radii(largest: float, *, whole: bool = False) -> tuple[float, ...]:
    """Return round radii from 0 up to the largest that a run can give, at most nine of them.

    Args:
        largest: the largest radius, >= 0.
        whole: whether radii are whole numbers.
    """
    most = Fraction(largest)
    step = next((s for s in (_WHOLE_STEPS if whole else _STEPS) if most / s < _MOST_RADII), most)
    return tuple(float(step * i) for i in range(_MOST_RADII) if i == 0 or step * i <= most)


def as_radii(radii: float | Iterable[float]) -> tuple[float, ...]:
    """Return radii as floats; a number is one of them.

    Raises:
        UsageError: they are no numbers.
    """
    several = plain(radii)
    if isinstance(several, Real):
        several = (several,)
    if isinstance(several, str | bytes) or not isinstance(several, Iterable):
        raise UsageError(f"the radii are {shown(radii)}, but numbers were expected")
    listed = tuple(several)
    numbers = tuple(map(as_float, listed))
    if any(map(math.isnan, numbers)):
        raise UsageError(f"the radii are {shown(list(listed))}, but numbers were expected")
    return numbers


def radius_text(radius: float) -> str:
    """Return a radius for print: four decimals, never above it."""
    return str(Decimal(radius).quantize(Decimal("0.0001"), ROUND_FLOOR, _ALL_DIGITS))
