"""The largest radius that is certified."""

from __future__ import annotations

import math
from collections.abc import Callable

_LEAST = 2.0**-30
"""Of the first radius: smaller ones are 0."""

_MOST_STEPS = 200

_STEEPEST = 4.0


def largest_radius(margin: Callable[[float], float], first: float, precision: float) -> float:
    """Return the largest radius found at which the margin is above 0; 0 where there is none.

    It is bracketed by doubling or halving, then by regula falsi as the Illinois rule has it, with a
    bisection wherever three steps have not halved the bracket: margins are only nearly continuous.

    Args:
        margin: of a radius, in general the smaller the larger the radius.
        first: the radius that is tried first, above 0.
        precision: how far the radius may be, relative to it, below one that is not certified.
    """
    low, low_margin, high, high_margin = 0.0, 0.0, math.inf, -math.inf
    tried, certified = first, None
    widths: list[float] = []
    for _ in range(_MOST_STEPS):
        value = margin(tried)
        if value > 0:
            low, low_margin = tried, value
            high_margin /= 2 if certified else 1
        else:
            high, high_margin = tried, value
            low_margin /= 2 if certified is False else 1
        certified = value > 0
        widths.append(high - low)
        if high - low <= precision * low or (low == 0 and high < first * _LEAST):
            break
        if math.isinf(high):
            tried = 2 * low
            continue
        tried = (low + high) / 2
        halved = len(widths) < 4 or widths[-1] <= widths[-4] / 2
        if low > 0 and halved and math.isfinite(high_margin):
            # Bounds break down all at once beyond what they certify: that far away tells little.
            fall = max(high_margin, -_STEEPEST * low_margin)
            secant = low + (high - low) * low_margin / (low_margin - fall)
            edge = precision * low / 4
            tried = min(max(secant, low + edge), high - edge)
    return low
