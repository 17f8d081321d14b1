"""The largest radius that is certified."""

from __future__ import annotations

import math
from collections.abc import Callable

_LEAST = 2.0**-40
"""Of the first radius: smaller ones are 0."""

_MOST_STEPS = 100


def largest_radius(margin: Callable[[float], float], first: float, precision: float) -> float:
    """Return the largest radius found at which the margin is above 0; 0 where there is none.

    It is bracketed by doubling or halving, then by regula falsi (Illinois) and bisection in turn.

    Args:
        margin: of a radius, in general the smaller the larger the radius.
        first: the radius that is tried first, above 0.
        precision: how far the radius may be, relative to it, below one that is not certified.
    """
    low, low_margin, high, high_margin = 0.0, math.nan, math.inf, math.nan
    tried = first
    for step in range(_MOST_STEPS):
        value = margin(tried)
        if value > 0:
            low, low_margin = tried, value
        else:
            high, high_margin = tried, value
        if high - low <= precision * low or (low == 0 and high < first * _LEAST):
            break
        if math.isinf(high):
            tried = 2 * low
        elif low == 0:
            tried = high / 2
        else:
            middle = low + (high - low) / 2
            secant = low + (high - low) * low_margin / (low_margin - high_margin)
            edge = precision * low / 4
            use = step % 3 and math.isfinite(secant)
            tried = min(max(secant, low + edge), high - edge) if use else middle
    return low
