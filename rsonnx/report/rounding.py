"""Rounding down for print: a figure on a page is never above the one that was computed."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction


def text_down(value: float | Fraction, digits: int) -> str:
    """Return ``value`` with ``digits`` decimals, rounded towards minus infinity."""
    scale = 10**digits
    return str(
        (Decimal(math.floor(Fraction(value) * scale)) / scale).quantize(
            Decimal(1).scaleb(-digits), rounding=ROUND_FLOOR
        )
    )


def percent_down(share: Fraction) -> str:
    """Return a share as a percentage with one decimal, rounded down: 2/3 is "66.6"."""
    return text_down(share * 100, 1)


def fraction_down(value: Fraction) -> float:
    """Return the largest float that is not above ``value``."""
    nearest = float(value)
    return math.nextafter(nearest, -math.inf) if Fraction(nearest) > value else nearest
