"""What can be told about a log of another project from the log alone."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from rsonnx.logs.fit import ALPHAS, SIGMAS, Fit, fit_grids
from rsonnx.logs.log import ABSTAIN, Log, LogRow
from rsonnx.logs.printed import TOLERANCE, Printed, Resolution
from rsonnx.noise import Gaussian
from rsonnx.statistics import check_alpha, clopper_pearson_lower

_SIGMA_IN_A_NAME = re.compile(
    r"(?<![a-z])sigma[_=-]?((?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,6})?)(?![0-9])", re.IGNORECASE
)

SigmaSource = Literal["given", "path", "fitted"]


@dataclass(frozen=True)
class Gap:
    """Two neighbouring ``idx`` that are not a step apart."""

    after: int
    before: int


@dataclass(frozen=True)
class Indices:
    """The column ``idx``: ``step`` is the commonest distance, ``gaps`` is where it is another.

    With fewer than two different ones there is no step.
    """

    first: int
    last: int
    step: int | None
    gaps: tuple[Gap, ...]
    repeated: tuple[int, ...]
    ascending: bool


@dataclass(frozen=True)
class Misfit:
    """How many of the distinct ``radii`` lie off the grid of ``alpha``."""

    alpha: float
    radii: int


@dataclass(frozen=True)
class Overstated:
    """How many rows print a radius above the one that their hits give.

    ``surely`` whichever hits are behind it, ``possibly`` for some that are printed alike, and
    ``expected`` if all that are printed alike are equally likely.
    """

    surely: int
    possibly: int
    expected: float


@dataclass(frozen=True)
class GridAudit:
    """The radii of a log against the grids of CERTIFY.

    Attributes:
        sigma_source: who says which noise it was: ``"given"`` by the caller, ``"path"``, or
            ``"fitted"`` among the usual ones.
        sigmas_tried: those; one where it is known.
        printed: how finely radii are printed.
        distinct_radii: how many different ones above 0 there are.
        fits: the grids that all of them lie on, the best first.
        misfits: at the best fit's sigma and n, for each alpha that was tried; empty without a fit.
        overstated: rows whose radius is above the best fit's value; None without a fit.
    """

    sigma_source: SigmaSource
    sigmas_tried: tuple[float, ...]
    printed: Resolution
    distinct_radii: int
    fits: tuple[Fit, ...] = ()
    misfits: tuple[Misfit, ...] = ()
    overstated: Overstated | None = None


@dataclass(frozen=True)
class Restatement:
    """A log at another alpha.

    It does not overstate if the log was made by CERTIFY on one of the grids. An abstention stays
    one, since its hits are unknown; so does, at an alpha below the log's, a row whose radius is 0
    or not finite.

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


@dataclass(frozen=True)
class Audit:
    """What was found in a log.

    Attributes:
        log: the log.
        indices: its ``idx``; None without rows.
        abstentions: rows that abstain.
        not_finite: lines whose radius is infinite or no number.
        radii: rows with a radius above 0.
        grid: which parameters the radii can come from; None without such rows.
        restated: the log at another alpha; None where it was not asked for or nothing fits.
    """

    log: Log
    indices: Indices | None
    abstentions: int
    not_finite: tuple[int, ...]
    radii: int
    grid: GridAudit | None
    restated: Restatement | None


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
    radii = [row.printed for row in log.rows if row.radius > 0.0 and row.printed is not None]
    grid = restated = None
    if radii:
        printed = Printed.of(radii)
        grid = _grid(log, printed, sigma)
        if alpha is not None and grid.fits:
            assumed = tuple(fit for fit in grid.fits if fit.alike)
            restated = _restated(log.rows, printed, assumed, alpha)
    return Audit(
        log=log,
        indices=_indices([row.index for row in log.rows]) if log.rows else None,
        abstentions=sum(row.abstained for row in log.rows),
        not_finite=tuple(
            row.line for row in log.rows if row.printed and not math.isfinite(float(row.printed))
        ),
        radii=len(radii),
        grid=grid,
        restated=restated,
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


def _grid(log: Log, printed: Printed, sigma: float | None) -> GridAudit:
    source, sigmas = _sigmas(log.path, sigma)
    audit = GridAudit(source, sigmas, printed.resolution, len(printed.values))
    fits = fit_grids(printed, sigmas)
    if not fits:
        return audit
    low, high = printed.interval(fits[0].rounding)
    misses = {alpha: replace(fits[0], alpha=alpha).misses(low, high) for alpha in sorted(ALPHAS)}
    return replace(
        audit,
        fits=fits,
        misfits=tuple(Misfit(alpha, count) for alpha, count in misses.items()),
        overstated=_overstated(log.rows, printed, fits[0]),
    )


def _sigmas(path: Path, given: float | None) -> tuple[SigmaSource, tuple[float, ...]]:
    """Return the noise of a log: ``given``, else what the last part of the path with sigma_S says.

    ``noise_S``, which in the field's folders is the noise of the training, is not meant.
    """
    if given is not None:
        return "given", (given,)
    for part in reversed(path.parts):
        named = _SIGMA_IN_A_NAME.findall(part)
        if named and float(named[-1]) > 0:
            return "path", (float(named[-1]),)
    return "fitted", SIGMAS


def _overstated(rows: Sequence[LogRow], printed: Printed, fit: Fit) -> Overstated:
    fewest, most = fit.hits(printed)
    above = fit.fewest_hits(printed.values * (1.0 - TOLERANCE))
    shares = np.clip((above - fewest) / (most - fewest + 1), 0.0, 1.0)
    share_of = dict(zip(printed.values, shares, strict=True))
    found = [float(share_of.get(row.radius, 0.0)) for row in rows]
    return Overstated(found.count(1.0), len(found) - found.count(0.0), math.fsum(found))


def _restated(
    rows: Sequence[LogRow], printed: Printed, assumed: tuple[Fit, ...], alpha: float
) -> Restatement:
    """Derive certificates at another alpha from the fewest hits that the radii betray."""
    smallest = dict.fromkeys(printed.values, math.inf)
    for fit in assumed:
        noise, (fewest, _) = Gaussian(fit.sigma), fit.hits(printed)
        for value, hits in zip(printed.values, fewest, strict=True):
            radius = noise.radius(clopper_pearson_lower(int(hits), fit.n, alpha))
            smallest[value] = min(smallest[value], radius)
    fewest, most = assumed[0].hits(printed)
    ambiguous = set(printed.values[most > fewest])
    keeps_zero = all(alpha >= fit.alpha for fit in assumed)
    return Restatement(
        alpha,
        assumed,
        tuple(_row_with(row, smallest.get(row.radius, 0.0), keeps_zero) for row in rows),
        sum(row.radius in ambiguous for row in rows),
    )


def _row_with(row: LogRow, radius: float, keeps_zero: bool) -> LogRow:
    if radius > 0.0 or (row.radius == 0.0 and keeps_zero):
        return replace(row, radius=radius)
    return replace(row, radius=0.0, prediction=ABSTAIN)
