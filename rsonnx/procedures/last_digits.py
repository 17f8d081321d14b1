"""Radii that are one but for the last digits, which other machines compute otherwise.

Other releases of scipy and other C libraries give bounds and radii other last digits. A row's bound
is taken for ours within a quarter of the margin by which bounds are rounded outward
(:func:`rsonnx.statistics.as_recorded`), and its radius where it lies between the radii of bounds
that are a little weaker and a little stronger. The margin has room for the stronger ones as well,
so their radius is a certificate, and with it all that are smaller.
"""

from __future__ import annotations

from collections.abc import Callable

SHARE = 2.0**-46
"""By how much bounds are weakened and strengthened, relatively: 64 units in the last place of 1."""


def is_near(
    radius: float,
    of: Callable[..., float],
    p_a_lower: float,
    p_b_upper: float | None = None,
    share: float = SHARE,
) -> bool:
    """Say whether a radius lies between those of bounds that differ by a share of themselves.

    Args:
        radius: as a row has it.
        of: the radius of ``p_a_lower``, or of both bounds.
        p_a_lower, p_b_upper: bounds on the class and on every other one; None for a one-sided
            radius.
        share: by how much the bounds differ.
    """

    def moved(by: float) -> float:
        p_a = p_a_lower * (1.0 + by)
        p_a = p_a if p_a < 1.0 else p_a_lower
        return of(p_a) if p_b_upper is None else of(p_a, p_b_upper * (1.0 - by))

    return moved(-share) <= radius <= moved(share)
