"""What can be told about a log of another project from the log alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rsonnx.logs.correctness import Correctness, judge_correct
from rsonnx.logs.fit import ALPHAS, Fits, Printed, fit_grids, off_grid
from rsonnx.logs.grid import Grid
from rsonnx.logs.log import Log, LogRow
from rsonnx.logs.restate import Overstated, Restatement, overstated, restate_log
from rsonnx.logs.sigma import SigmaSource, sigma_of
from rsonnx.noise import Gaussian
from rsonnx.statistics import check_alpha


@dataclass(frozen=True)
class Gap:
    """Two neighbouring ``idx`` that are not a step apart."""

    after: int
    before: int


@dataclass(frozen=True)
class Indices:
    """The column ``idx``.

    Attributes:
        first: the smallest.
        last: the largest.
        step: the commonest distance of neighbours; None with fewer than two different ones.
        gaps: where the distance is another one.
        repeated: those that stand on several lines.
        ascending: whether each line's is above the one before.
    """

    first: int
    last: int
    step: int | None
    gaps: tuple[Gap, ...]
    repeated: tuple[int, ...]
    ascending: bool


@dataclass(frozen=True)
class GridAudit:
    """The radii of a log against the grids of CERTIFY.

    Attributes:
        sigma: the noises that were tried, and why.
        printed: the distinct radii above 0.
        fits: the grids that all of them lie on.
        misfits: at the best fit's sigma and n, how many distinct radii lie off the grid of each
            alpha that was tried; empty where nothing fits.
        overstated: rows whose radius is above the best fit's value; None where nothing fits.
        restated: the log at another alpha; None where it was not asked for or nothing fits.
    """

    sigma: SigmaSource
    printed: Printed
    fits: Fits
    misfits: dict[float, int]
    overstated: Overstated | None
    restated: Restatement | None


@dataclass(frozen=True)
class Audit:
    """What was found in a log.

    Attributes:
        log: the log.
        indices: its ``idx``; None without rows.
        abstentions: rows that abstain.
        correctness: how the column ``correct`` stands to label and prediction.
        not_finite: lines whose radius is infinite or no number.
        radii: rows with a radius above 0.
        grid: which parameters the radii can come from; None without such rows.
    """

    log: Log
    indices: Indices | None
    abstentions: int
    correctness: Correctness
    not_finite: tuple[int, ...]
    radii: int
    grid: GridAudit | None


def audit_log(log: Log, *, sigma: float | None = None, alpha: float | None = None) -> Audit:
    """Examine a log.

    Args:
        log: as :func:`rsonnx.logs.read_log` returns it.
        sigma: noise of the log, > 0; None to take it from the path, or to fit it.
        alpha: restate the log at this probability of error, in (0, 1).

    Raises:
        UsageError: ``sigma`` or ``alpha`` is outside its range.
    """
    if sigma is not None:
        sigma = Gaussian(sigma).sigma
    if alpha is not None:
        check_alpha(alpha)
    rows = log.rows
    certified = [row for row in rows if row.radius > 0.0]
    return Audit(
        log=log,
        indices=_indices([row.index for row in rows]) if rows else None,
        abstentions=sum(row.abstained for row in rows),
        correctness=judge_correct(rows),
        not_finite=tuple(
            row.line
            for row in rows
            if row.printed is not None and not math.isfinite(float(row.printed))
        ),
        radii=len(certified),
        grid=_grid(rows, certified, sigma_of(log.path, sigma), alpha) if certified else None,
    )


def _grid(
    rows: Sequence[LogRow], certified: Sequence[LogRow], sigma: SigmaSource, alpha: float | None
) -> GridAudit:
    printed = Printed.of([row.printed for row in certified if row.printed is not None])
    fits = fit_grids(printed, sigma.sigmas)
    best = fits.best
    if best is None:
        return GridAudit(sigma, printed, fits, {}, None, None)
    return GridAudit(
        sigma,
        printed,
        fits,
        misfits={
            other: off_grid(printed, Grid(best.grid.sigma, best.grid.n, other), best.rounding)
            for other in sorted(ALPHAS)
        },
        overstated=overstated(certified, printed, best),
        restated=None if alpha is None else restate_log(rows, printed, fits.alike, alpha),
    )


def _indices(indices: Sequence[int]) -> Indices:
    counts = Counter(indices)
    ordered = sorted(counts)
    steps = Counter(b - a for a, b in pairwise(ordered))
    step = min(steps, key=lambda s: (-steps[s], s)) if steps else None
    return Indices(
        first=ordered[0],
        last=ordered[-1],
        step=step,
        gaps=tuple(Gap(a, b) for a, b in pairwise(ordered) if b - a != step),
        repeated=tuple(index for index in ordered if counts[index] > 1),
        ascending=all(a < b for a, b in pairwise(indices)),
    )
