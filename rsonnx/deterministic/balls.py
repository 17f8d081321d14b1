"""Balls around an input, and the least value of a linear function over one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_DUAL = {"l2": 2, "linf": 1, "l1": np.inf}
"""The order of the norm that bounds a product with a vector of each."""


@dataclass(frozen=True, eq=False)
class Ball:
    """The points within a radius of a center.

    Attributes:
        center: float64 (size,).
        norm: ``"l2"``, ``"linf"`` or ``"l1"``.
        radius: at least 0.
        bounds: least and largest value of a point's places, where the ball is cut to them; the
            center is a point all the same.
        fixed: places of values that no point changes.
    """

    center: NDArray[np.float64]
    norm: str
    radius: float
    bounds: tuple[float, float] = (-math.inf, math.inf)
    fixed: tuple[int, ...] = ()

    @cached_property
    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the largest value of each place, rounded outward."""
        reach = np.full(len(self.center), self.radius)
        reach[list(self.fixed)] = 0.0
        low = np.nextafter(self.center - reach, -np.inf)
        high = np.nextafter(self.center + reach, np.inf)
        least, most = self.bounds
        return (
            np.where(reach > 0, np.maximum(low, np.minimum(least, self.center)), self.center),
            np.where(reach > 0, np.minimum(high, np.maximum(most, self.center)), self.center),
        )

    def lowest(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a lower bound of each row times any point, (rows,), rounded down.

        It is the least value where the ball is whole; one that is cut to bounds lies in a ball and
        in a box, and the larger bound of the two is taken.

        Args:
            rows: float64 (rows, size).
        """
        moved = np.delete(rows, self.fixed, axis=1) if self.fixed else rows
        norms = (
            np.linalg.norm(moved, _DUAL[self.norm], axis=1) if moved.size else np.zeros(len(rows))
        )
        sizes = abs(rows)
        unit = (len(self.center) + 8) * 2.0**-52
        reach = self.radius * norms
        whole = rows @ self.center - reach - unit * (sizes @ abs(self.center) + reach)
        if math.isinf(self.bounds[0]) and math.isinf(self.bounds[1]):
            return whole
        low, high = self.box
        boxed = np.maximum(rows, 0) @ low + np.minimum(rows, 0) @ high
        return np.maximum(whole, boxed - unit * (sizes @ np.maximum(abs(low), abs(high))))
