"""Radii back to hits, and hits to what another alpha gives: always the fewest hits possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rsonnx.logs.fit import TOLERANCE, Fit, Printed
from rsonnx.logs.log import ABSTAIN, LogRow
from rsonnx.noise import Gaussian
from rsonnx.statistics import clopper_pearson_lower


@dataclass(frozen=True)
class Hits:
    """The numbers of hits that can stand behind each printed radius; whole numbers."""

    fewest: tuple[int, ...]
    most: tuple[int, ...]


@dataclass(frozen=True)
class Overstated:
    """How many rows print a radius above the one that their hits give.

    Attributes:
        surely: whichever hits were behind it.
        possibly: for some hits that are printed alike; at least ``surely``.
        expected: if all hits that are printed alike are equally likely.
    """

    surely: int
    possibly: int
    expected: float


@dataclass(frozen=True)
class Restatement:
    """A log at another alpha.

    Attributes:
        alpha: probability of error an input.
        assumed: the grids that the log may have been made with; each row has the smallest radius
            that any of them gives.
        rows: with their new radii, rounded down; those that no longer certify abstain.
        ambiguous: rows for which the printed digits leave several numbers of hits, on the first of
            ``assumed``; the fewest were taken.
    """

    alpha: float
    assumed: tuple[Fit, ...]
    rows: tuple[LogRow, ...]
    ambiguous: int


def hits_behind(printed: Printed, fit: Fit) -> Hits:
    """Return the hits that may have given each printed radius, which must fit."""
    low, high = printed.interval(fit.rounding)
    fewest, beyond = fit.grid.fewest_hits(low), fit.grid.fewest_hits(high)
    # The inverse rounds too: step down for as long as the next one below is in the interval.
    while (lower := (fewest > 1) & (fit.grid.radii(np.maximum(fewest - 1, 1)) >= low)).any():
        fewest = fewest - lower
    most = np.maximum(fewest, beyond - 1)
    return Hits(tuple(map(int, fewest)), tuple(map(int, most)))


def overstated(rows: Sequence[LogRow], printed: Printed, fit: Fit) -> Overstated:
    """Count the radii that were printed above the grid's own value."""
    hits = hits_behind(printed, fit)
    beyond = fit.grid.fewest_hits(printed.values * (1.0 - TOLERANCE))
    shares = [
        min(1.0, max(0.0, (first_above - fewest) / (most - fewest + 1)))
        for first_above, fewest, most in zip(beyond.tolist(), hits.fewest, hits.most, strict=True)
    ]
    share_of = dict(zip(printed.values.tolist(), shares, strict=True))
    found = [share_of.get(row.radius, 0.0) for row in rows]
    return Overstated(
        sum(share == 1.0 for share in found), sum(share > 0.0 for share in found), math.fsum(found)
    )


def restate_log(
    rows: Sequence[LogRow], printed: Printed, fits: Sequence[Fit], alpha: float
) -> Restatement:
    """Derive a log's certificates at another alpha from the hits that its radii betray.

    The result does not overstate if the log was made by CERTIFY on one of the grids. An abstention
    stays one, since its hits are unknown; so does, at an alpha below the log's, a row whose radius
    is 0 or not finite.

    Args:
        rows: of the log.
        printed: its radii.
        fits: the grids to allow for, at least one; every radius must fit each of them.
        alpha: in (0, 1).
    """
    behind = [hits_behind(printed, fit) for fit in fits]
    columns = [_radii(hits, fit, alpha) for hits, fit in zip(behind, fits, strict=True)]
    smallest = [min(radii) for radii in zip(*columns, strict=True)]
    restated = dict(zip(printed.values.tolist(), smallest, strict=True))
    several = {
        value
        for value, fewest, most in zip(
            printed.values.tolist(), behind[0].fewest, behind[0].most, strict=True
        )
        if most > fewest
    }
    keeps_zero = all(alpha >= fit.grid.alpha for fit in fits)
    return Restatement(
        alpha,
        tuple(fits),
        tuple(_restated(row, restated, keeps_zero=keeps_zero) for row in rows),
        sum(row.radius in several for row in rows),
    )


def _radii(hits: Hits, fit: Fit, alpha: float) -> list[float]:
    noise = Gaussian(fit.grid.sigma)
    return [noise.radius(clopper_pearson_lower(k, fit.grid.n, alpha)) for k in hits.fewest]


def _restated(row: LogRow, radii: dict[float, float], *, keeps_zero: bool) -> LogRow:
    radius = radii.get(row.radius, 0.0)
    if radius > 0.0 or (row.radius == 0.0 and keeps_zero):
        return replace(row, radius=radius)
    return replace(row, radius=0.0, prediction=ABSTAIN)
