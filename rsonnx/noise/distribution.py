"""What a smoothing distribution is: how to draw it, and which radius follows from it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

import mpmath
import numpy as np
from numpy.typing import NDArray


class SmoothingDistribution(Hashable, Protocol):
    """A law of independent noise, symmetric about 0, on every value of an input."""

    @property
    def name(self) -> str:
        """Name in run files."""

    @property
    def norm(self) -> str:
        """The norm in which :meth:`radius` is measured."""

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise on one value, in the units of the input."""

    def radius(self, p_a_lower: float) -> float:
        """Return the radius certified by a lower bound on p_A, rounded down."""

    def probability_for(self, radius: float) -> float:
        """Return a p_A at which :meth:`radius` is at least ``radius``."""

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        """Return the distribution function at ``value`` <= 0, at mpmath's working precision."""

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return ``size`` floating-point draws."""
