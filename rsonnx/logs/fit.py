"""Which (sigma, n, alpha) can have made a log's radii, and how much that says.

CERTIFY (Cohen et al., arXiv 1902.02918, Algorithm 1; Clopper & Pearson 1934) can give n radii only:
sigma·Φ⁻¹(CP_lower(k, n, alpha)) for k = 1..n. A printed radius stands for the interval that is
printed like it, and fits a grid if the interval holds one of the grid's points. Dense grids fit
anything: what a fit is worth is told by how many of the radii would fit if they had nothing to do
with the grid, which is the width of the interval over the distance of the points around it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from rsonnx.logs.printed import Array, Printed, Rounding

SAMPLES = (*(figure * 10**power for power in range(2, 6) for figure in (1, 2, 5)), 10**6)
"""The numbers of samples that are tried."""

ALPHAS = (0.001, 0.01, 0.05, 0.1, 0.025, 0.02, 0.005, 0.002, 5e-4, 1e-4, 1e-5, 1e-6)
"""The probabilities of error that are tried, the usual ones first."""

SIGMAS = (0.25, 0.5, 1.0, 0.12, 0.125, 0.05, 0.1, 0.2, 0.75, 1.5, 2.0)
"""The noises that are tried where nobody says which it was, the usual ones first."""

_USUAL_SAMPLES = 100_000
_COMPARABLE = 1.0
"""Decades: fits of chances this close are not told apart."""
_ROUNDED_DOWN = 3.0
"""Decades by which rounding down must do better, since the field rounds to nearest."""
_TRIED_FIRST = 24


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

    def misses(self, low: Array, high: Array) -> int:
        """Return how many of the intervals hold no point."""
        # Thousands of grids are tried, and a call of few values costs what it costs for one.
        fewest, beyond = self.fewest_hits(np.stack((low, high)))
        return int(np.count_nonzero((fewest > self.n) | (beyond <= fewest)))

    def chances(self, printed: Printed, rounding: Rounding) -> Array:
        """Return for each distinct radius the chance that one near it fits without any reason to.

        Above the largest point the distance of the two largest counts.
        """
        low, high = printed.interval(rounding)
        upper = np.clip(self.fewest_hits(printed.values), 2, self.n)
        return np.minimum(1.0, (high - low) / (self.radii(upper) - self.radii(upper - 1)))


@dataclass(frozen=True)
class Fit(Grid):
    """A grid on which every radius of a log lies.

    Attributes:
        rounding: how the radii must have been printed.
        by_chance: how many of the distinct radii would be expected to fit by chance.
        log10_chance: decimal logarithm of the chance that all of them would.
        alike: whether it cannot be told from the best (within a factor of 10 in that chance).
    """

    rounding: Rounding
    by_chance: float
    log10_chance: float
    alike: bool = False

    def hits(self, printed: Printed) -> tuple[Array, Array]:
        """Return the fewest and the most hits that may have given each printed radius."""
        low, high = printed.interval(self.rounding)
        fewest, beyond = self.fewest_hits(np.stack((low, high)))
        # The inverse rounds too: step down for as long as the next one below is in the interval.
        while (lower := (fewest > 1) & (self.radii(np.maximum(fewest - 1, 1)) >= low)).any():
            fewest = fewest - lower
        return fewest, np.maximum(fewest, beyond - 1)


def fit_grids(printed: Printed, sigmas: Sequence[float]) -> tuple[Fit, ...]:
    """Try all usual (n, alpha) at each of ``sigmas``.

    Returns:
        Those that fit: first those alike, the most usual one before the rest, then the others, the
        least likely to fit by chance first.
    """
    nearest = sorted(_fits(printed, sigmas, "nearest"), key=lambda fit: fit.log10_chance)
    down = sorted(_fits(printed, sigmas, "down"), key=lambda fit: fit.log10_chance)
    fits = nearest
    if down and (not nearest or down[0].log10_chance < nearest[0].log10_chance - _ROUNDED_DOWN):
        fits = down
    count = sum(fit.log10_chance <= fits[0].log10_chance + _COMPARABLE for fit in fits)
    alike = [replace(fit, alike=True) for fit in fits[:count]]
    return (*sorted(alike, key=_unusualness), *fits[count:])


def _fits(printed: Printed, sigmas: Sequence[float], rounding: Rounding) -> Iterator[Fit]:
    low, high = printed.interval(rounding)
    # First the largest, where the grids are sparse, so that most fall at once.
    parts = slice(-_TRIED_FIRST, None), slice(None, -_TRIED_FIRST)
    for grid in (Grid(sigma, n, alpha) for sigma in sigmas for n in SAMPLES for alpha in ALPHAS):
        if any(grid.misses(low[part], high[part]) for part in parts):
            continue
        chances = grid.chances(printed, rounding)
        by_chance, log10 = math.fsum(chances), math.fsum(np.log10(chances))
        yield Fit(grid.sigma, grid.n, grid.alpha, rounding, by_chance, log10)


def _unusualness(fit: Fit) -> tuple[bool, int, int, float]:
    known = SIGMAS.index(fit.sigma) if fit.sigma in SIGMAS else 0
    return fit.n != _USUAL_SAMPLES, known, ALPHAS.index(fit.alpha), fit.log10_chance
