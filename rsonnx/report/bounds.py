"""Every confidence bound side by side: what each makes of the same counts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from rsonnx.noise import Gaussian
from rsonnx.report.plotting import drawing, look_of, new_figure
from rsonnx.report.rounding import text_down
from rsonnx.report.table import Cell, Column, Note, Report, Table, decimals
from rsonnx.statistics import BOUNDS, DEFAULT_BOUND, Bound, check_alpha, check_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 400
"""Counts at which a curve is drawn, at most."""


@dataclass(frozen=True)
class BoundAt:
    """A bound at given counts.

    Attributes:
        name, sound, source: of the bound.
        lower: the lower bound, rounded down where it is sound; None where a uniform is missing.
        radius: in the units of sigma, rounded down; None where there is no bound, or it is
            infinite, which only an unsound bound of 1 gives.
        note: why there is no bound, or why an unsound one may not certify; else "".
    """

    name: str
    sound: bool
    source: str
    lower: float | None
    radius: float | None
    note: str


@dataclass(frozen=True)
class BoundComparison:
    """All bounds at ``k`` hits in ``n`` samples, sound ones first; arguments as they were given."""

    k: int
    n: int
    alpha: float
    sigma: float
    uniform: float | None
    bounds: tuple[BoundAt, ...]


def compare_bounds(
    k: int, n: int, *, alpha: float = 0.001, sigma: float = 1.0, uniform: float | None = None
) -> BoundComparison:
    """Return what every bound makes of ``k`` hits in ``n`` samples.

    Args:
        k: samples of the class, 0..n.
        n: samples in all, >= 1.
        alpha: probability of error, in (0, 1).
        sigma: standard deviation of Gaussian noise, > 0; 1 gives radii in units of sigma.
        uniform: of the randomised bound, in (0, 1] and drawn before the samples; None leaves it.

    Raises:
        UsageError: an argument is outside its range.

    >>> for bound in rsonnx.compare_bounds(990, 1_000).bounds[:2]:
    ...     print(bound.name, round(bound.lower, 4))
    clopper-pearson 0.976
    chernoff-kl 0.9735
    """
    k, n = check_count(k, n)
    alpha, noise = check_alpha(alpha), Gaussian(sigma)
    bounds = tuple(_at(bound, k, n, alpha, noise, uniform) for bound in BOUNDS.values())
    return BoundComparison(k, n, alpha, sigma, uniform, bounds)


def _at(
    bound: Bound, k: int, n: int, alpha: float, noise: Gaussian, uniform: float | None
) -> BoundAt:
    lower, note = None, bound.why_not
    if bound.needs_uniform and uniform is None:
        note = "needs --uniform U, a number in (0, 1] drawn before the samples"
    else:
        lower = bound.lower(k, n, alpha, uniform)
    radius = None if lower is None or lower >= 1.0 else noise.radius(lower)
    return BoundAt(bound.name, bound.sound, bound.source, lower, radius, note)


def bounds_report(comparison: BoundComparison) -> Report:
    """Return the bounds as a table, with what is to be said of some."""
    k, n, sigma = comparison.k, comparison.n, comparison.sigma
    columns = (
        Column("bound"),
        Column("lower bound", form=decimals(8), unknown="-"),
        Column(
            "radius/sigma" if sigma == 1.0 else f"radius at sigma {sigma:g}",
            form=decimals(4),
            unknown="-",
        ),
        Column("", left=True),
    )
    rows = []
    for bound in comparison.bounds:
        infinite = bound.lower is not None and bound.radius is None
        radius = Cell("infinite" if infinite else bound.radius)
        rows.append((bound.name, bound.lower, radius, "" if bound.sound else "comparison only"))
    notes = [
        *(Note(f"{b.name}: {b.note}") for b in comparison.bounds if b.sound and b.note),
        Note(
            "comparison only, never a certificate:",
            tuple(f"{b.name}: {b.note}" for b in comparison.bounds if not b.sound),
        ),
        Note("All figures are rounded down."),
    ]
    share = text_down(Fraction(k, n), 8)
    title = f"k = {k:,} hits in n = {n:,} samples, k/n = {share}, alpha = {comparison.alpha:g}"
    return Report([Table(columns, rows, title, notes)], value=asdict(comparison))


def bounds_figure(comparison: BoundComparison) -> Figure:
    """Draw all bounds, and their radii, against k/n.

    Raises:
        UsageError: matplotlib is missing.
    """
    n, noise = comparison.n, Gaussian(comparison.sigma)
    counts = sorted({round(n * i / _POINTS) for i in range(_POINTS + 1)})
    with drawing():
        figure = new_figure(0)
        figure.set_size_inches(10.0, 5.0)
        left, right = figure.subplots(1, 2)
        for position, at in enumerate(b for b in comparison.bounds if b.lower is not None):
            bound = BOUNDS[at.name]
            points = [_at(bound, k, n, comparison.alpha, noise, comparison.uniform) for k in counts]
            look = look_of(position) | {
                "label": at.name if at.sound else f"{at.name} (comparison only)",
                "linestyle": "-" if at.sound else "--",
                "linewidth": 2.4 if at.name == DEFAULT_BOUND else 1.2,
            }
            shares = [k / n for k in counts]
            left.plot(shares, [math.nan if p.lower is None else p.lower for p in points], **look)
            right.plot(shares, [math.nan if p.radius is None else p.radius for p in points], **look)
        left.set_ylabel("lower bound on p")
        left.legend(fontsize="small")
        right.set_ylabel("radius / sigma" if comparison.sigma == 1.0 else "radius")
        right.set_xlim(0.5, 1.0)
        for axes in (left, right):
            axes.axvline(comparison.k / n, color="0.7", linewidth=0.8, zorder=0)
            axes.set_xlabel("k/n")
        figure.suptitle(
            f"n = {n:,}, alpha = {comparison.alpha:g}, sigma = {comparison.sigma:g}; "
            f"grey line: k = {comparison.k:,}"
        )
    return figure
