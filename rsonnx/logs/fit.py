"""Which (sigma, n, alpha) can have made a log's radii, and how much that says.

A printed radius stands for the interval that is printed like it. It fits a grid if the interval
holds one of the grid's points. Dense grids fit anything: what a fit is worth is told by how many of
the radii would fit if they had nothing to do with the grid, which is the width of the interval over
the distance of the points around it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rsonnx.logs.digits import Resolution, resolution_of
from rsonnx.logs.grid import Array, Grid

SAMPLES = (*(figure * 10**power for power in range(2, 6) for figure in (1, 2, 5)), 10**6)
"""The numbers of samples that are tried."""

ALPHAS = (0.001, 0.01, 0.05, 0.1, 0.025, 0.02, 0.005, 0.002, 5e-4, 1e-4, 1e-5, 1e-6)
"""The probabilities of error that are tried, the usual ones first."""

SIGMAS = (0.25, 0.5, 1.0, 0.12, 0.125, 0.05, 0.1, 0.2, 0.75, 1.5, 2.0)
"""The noises that are tried where nobody says which it was, the usual ones first."""

Rounding = Literal["nearest", "down"]

TOLERANCE = 2e-7
"""Relative slack on a printed radius: some projects compute it in single precision."""

_USUAL_SAMPLES = 100_000
_COMPARABLE = 1.0
"""Decades: fits of chances this close are not told apart."""
_ROUNDED_DOWN = 3.0
"""Decades by which rounding down must do better, since the field rounds to nearest."""
_TRIED_FIRST = 24


@dataclass(frozen=True)
class Printed:
    """The distinct radii above 0 of a log, ascending, each with the unit of its last digit."""

    values: Array
    units: Array
    resolution: Resolution

    @classmethod
    def of(cls, texts: Sequence[str]) -> Printed:
        """Read printed radii above 0, at least one."""
        resolution = resolution_of(texts)
        values = np.array(sorted({float(text) for text in texts}))
        units = np.array([resolution.unit(float(value)) for value in values])
        return cls(values, units, resolution)

    def interval(self, rounding: Rounding) -> tuple[Array, Array]:
        """Return the lowest and the highest true radius behind each printed one."""
        slack = TOLERANCE * self.values
        below = 0.5 * self.units if rounding == "nearest" else 0.0
        above = 0.5 * self.units if rounding == "nearest" else self.units
        return self.values - below - slack, self.values + above + slack

    def largest(self, count: int) -> Printed:
        """Return the ``count`` largest."""
        return Printed(self.values[-count:], self.units[-count:], self.resolution)


@dataclass(frozen=True)
class Fit:
    """A grid on which every radius of a log lies.

    Attributes:
        grid: sigma, n and alpha.
        rounding: how the radii must have been printed.
        by_chance: how many of the distinct radii would be expected to fit by chance.
        log10_chance: decimal logarithm of the chance that all of them would.
    """

    grid: Grid
    rounding: Rounding
    by_chance: float
    log10_chance: float


@dataclass(frozen=True)
class Fits:
    """All grids tried that fit a log.

    Attributes:
        best: the one least likely to fit by chance; of those that cannot be told apart, the most
            usual. None where nothing fits.
        alike: those that cannot be told from the best (within a factor of 10 in the chance that all
            radii fit), the best first.
        others: those that fit, but are far more likely to by chance.
    """

    alike: tuple[Fit, ...]
    others: tuple[Fit, ...]

    @property
    def best(self) -> Fit | None:
        """The first of those alike."""
        return self.alike[0] if self.alike else None

    @property
    def all(self) -> tuple[Fit, ...]:
        """All that fit."""
        return self.alike + self.others


def fit_grids(printed: Printed, sigmas: Sequence[float]) -> Fits:
    """Try all usual (n, alpha) at each of ``sigmas``."""
    nearest, down = (sorted(_fits(printed, sigmas, r), key=_chance) for r in _ROUNDINGS)
    found = nearest
    if down and (not nearest or down[0].log10_chance < nearest[0].log10_chance - _ROUNDED_DOWN):
        found = down
    if not found:
        return Fits((), ())
    limit = found[0].log10_chance + _COMPARABLE
    alike = [fit for fit in found if fit.log10_chance <= limit]
    return Fits(
        tuple(sorted(alike, key=_unusualness)), tuple(fit for fit in found if fit not in alike)
    )


def off_grid(printed: Printed, grid: Grid, rounding: Rounding) -> int:
    """Return how many of the distinct radii lie on no point of the grid."""
    low, high = printed.interval(rounding)
    fewest = grid.fewest_hits(low)
    on_it = (fewest <= grid.n) & (grid.fewest_hits(high) > fewest)
    return int(np.count_nonzero(~on_it))


def chances(printed: Printed, grid: Grid, rounding: Rounding) -> Array:
    """Return for each distinct radius the chance that one near it fits without any reason to."""
    low, high = printed.interval(rounding)
    return np.minimum(1.0, (high - low) / grid.spacing(printed.values))


_ROUNDINGS: tuple[Rounding, Rounding] = ("nearest", "down")


def _fits(printed: Printed, sigmas: Sequence[float], rounding: Rounding) -> Iterator[Fit]:
    few = printed.largest(_TRIED_FIRST)  # where the grids are sparse, so that most fall at once
    for sigma in sigmas:
        for n in SAMPLES:
            for alpha in ALPHAS:
                grid = Grid(sigma, n, alpha)
                if not off_grid(few, grid, rounding) and not off_grid(printed, grid, rounding):
                    yield _fit(printed, grid, rounding)


def _fit(printed: Printed, grid: Grid, rounding: Rounding) -> Fit:
    chance = chances(printed, grid, rounding)
    return Fit(grid, rounding, math.fsum(chance), math.fsum(np.log10(chance)))


def _chance(fit: Fit) -> float:
    return fit.log10_chance


def _unusualness(fit: Fit) -> tuple[bool, int, int, float]:
    grid = fit.grid
    known = SIGMAS.index(grid.sigma) if grid.sigma in SIGMAS else 0
    return grid.n != _USUAL_SAMPLES, known, ALPHAS.index(grid.alpha), fit.log10_chance
