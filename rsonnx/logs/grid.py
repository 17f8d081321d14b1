"""The radii that CERTIFY can give at all: sigma·Φ⁻¹(CP_lower(k, n, alpha)) for k = 0..n.

Cohen et al., arXiv 1902.02918, Algorithm 1; Clopper & Pearson 1934. A radius that lies on no such
point was not made by these parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """The points of (sigma, n, alpha); in floating point, good to about 1e-10 sigma."""

    sigma: float
    n: int
    alpha: float

    def radii(self, hits: Array) -> Array:
        """Return the radius of each number of hits, 1..n; negative where p_A is below 1/2."""
        p_a_lower = special.betaincinv(hits, self.n - hits + 1, self.alpha)
        return np.asarray(self.sigma * special.ndtri(p_a_lower), np.float64)

    def fewest_hits(self, radii: Array) -> Array:
        """Return the fewest hits whose radius is at least each of ``radii``; n + 1 where none is.

        The bound is at least p exactly where P(Bin(n, p) >= k) <= alpha.
        """
        from scipy import stats  # noqa: PLC0415  slow to load, and few commands read logs

        with np.errstate(over="ignore"):  # an absurd sigma: the probability is 1 then, rightly
            p = special.ndtr(radii / self.sigma)
        return np.asarray(stats.binom.isf(self.alpha, self.n, p) + 1, np.float64)

    def spacing(self, radii: Array) -> Array:
        """Return the distance between the two points around each of ``radii``.

        Above the largest point, that of the two largest.
        """
        upper = np.clip(self.fewest_hits(radii), 2, self.n)
        return self.radii(upper) - self.radii(upper - 1)

    @property
    def largest(self) -> float:
        """The radius of n hits."""
        return float(self.radii(np.array([float(self.n)]))[0])
