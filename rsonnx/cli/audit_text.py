"""The findings of ``rsonnx audit`` in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence

from rsonnx.logs import ALPHAS, SAMPLES, Audit, Fit, GridAudit, Indices, Restatement
from rsonnx.report import Certified, percent_down, printable, text_down

_WIDTH = 100
_MOST_SHOWN = 5
_TELLING = -1.0
"""Decades: where the chance of a fit, times the grids that were tried, is above one in ten, the
best one does not show how the log was made."""


def audit_text(audit: Audit, tables: Sequence[Certified]) -> str:
    """Return what was found in a log; ``tables`` are its figures, and the restated ones."""
    log = audit.log
    lines = [
        f"{printable(str(log.path))}: {log.kind} log, {len(log.rows):,} rows, "
        f"{audit.abstentions:,} abstentions"
    ]
    lines += [wrapped for note in _notes(audit) for wrapped in _wrapped(note)]
    return "\n".join([*lines, *_table(audit, tables)])


def _wrapped(note: str) -> list[str]:
    return textwrap.wrap(
        note,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _notes(audit: Audit) -> Iterator[str]:
    if audit.indices is not None:
        yield _index_words(audit.indices)
    correct = audit.correctness
    if correct.standing == "contradicts":
        lines = _some([f"{line:,}" for line in correct.lines])
        yield f"correct: contradicts label and predict, which are believed, on line {lines}"
    elif correct.standing == "cumulative":
        yield "correct: a running count of right answers; label and predict are used"
    elif correct.standing == "agrees":
        yield "correct: agrees with label and predict"
    if audit.log.kind == "certify":
        yield from _radius_words(audit)
    for note in audit.log.notes[:_MOST_SHOWN]:
        yield printable(str(note))
    if len(audit.log.notes) > _MOST_SHOWN:
        yield f"and {len(audit.log.notes) - _MOST_SHOWN:,} notes more; --json lists them all"


def _index_words(indices: Indices) -> str:
    steps = "" if indices.step is None else f" in steps of {indices.step:,}"
    words = [f"idx: {indices.first:,} to {indices.last:,}{steps}"]
    gaps = [f"{gap.after:,} and {gap.before:,}" for gap in indices.gaps]
    words.append(f"gaps between {_some(gaps)}" if gaps else "no gaps")
    repeated = [f"{index:,}" for index in indices.repeated]
    words.append(f"repeated: {_some(repeated)}" if repeated else "none repeated")
    if not indices.ascending:
        words.append("not ascending")
    return "; ".join(words)


def _radius_words(audit: Audit) -> Iterator[str]:
    infinite = len(audit.not_finite)
    finite = f"{infinite:,} not finite, counted as 0" if infinite else "all finite"
    grid = audit.grid
    if grid is None:
        yield f"radii: none above 0; {finite}"
        return
    distinct = len(grid.printed.values)
    yield (
        f"radii: {audit.radii:,} above 0, {distinct:,} distinct, printed with "
        f"{grid.printed.resolution}; {finite}"
    )
    yield from _grid_words(grid, distinct)
    if grid.overstated is not None and not grid.overstated.possibly:
        yield "rounding: no radius is printed above the grid's value"
    elif grid.overstated is not None:
        yield (
            f"rounding: {grid.overstated.surely:,} of the {audit.radii:,} radii are printed above "
            f"the grid's value, up to {grid.overstated.possibly:,} may be, about "
            f"{grid.overstated.expected:,.0f} are to be expected"
        )
    if grid.restated is not None:
        yield _restated_words(grid.restated, audit.radii)


def _grid_words(grid: GridAudit, distinct: int) -> Iterator[str]:
    sigmas = ", ".join(f"{sigma:g}" for sigma in grid.sigma.sigmas)
    best = grid.fits.best
    if best is None:
        source = {"given": "as given", "path": "from the path; --sigma gives another"}
        yield (
            f"grid: no usual n and alpha gives these radii with sigma {sigmas} "
            f"({source.get(grid.sigma.source, 'all usual ones')})"
        )
        return
    source = {"given": "as given", "path": "from the path", "fitted": f"fitted among {sigmas}"}
    yield f"sigma: {best.grid.sigma:g}, {source[grid.sigma.source]}"
    tried = len(grid.sigma.sigmas) * len(SAMPLES) * len(ALPHAS)
    chance = f"1 in {10**-best.log10_chance:,.3g}" if best.log10_chance > -300 else "nil"
    yield (
        f"grid: n = {best.grid.n:,}, alpha = {best.grid.alpha:g}, radii rounded "
        f"{'down' if best.rounding == 'down' else 'to nearest'}: all {distinct:,} distinct radii "
        f"lie on it, of which {best.by_chance:,.1f} would by chance; the chance of all is {chance}"
        f", and {tried:,} grids were tried"
        + (
            ""
            if best.log10_chance + math.log10(tried) < _TELLING
            else ": among so many one may well fit by chance"
        )
    )
    off = [f"{alpha:g} ({count:,})" for alpha, count in grid.misfits.items() if count]
    if off:
        yield f"not at this n: alpha {', '.join(off)}; in brackets how many radii lie off the grid"
    if len(grid.fits.alike) > 1:
        yield f"as likely: {_grids(grid.fits.alike[1:])}"
    if grid.fits.others:
        yield f"fitting too, but far likelier by chance: {_grids(grid.fits.others)}"


def _grids(fits: Sequence[Fit]) -> str:
    """Name grids: the alphas behind each sigma and n."""
    alphas: dict[tuple[float, int], list[float]] = {}
    for fit in fits:
        alphas.setdefault((fit.grid.sigma, fit.grid.n), []).append(fit.grid.alpha)
    several = len({fit.grid.sigma for fit in fits}) > 1
    named = [
        (f"sigma = {sigma:g}, " if several else "") + f"n = {n:,} with {_alphas(found)}"
        for (sigma, n), found in sorted(alphas.items())
    ]
    return "; ".join(named)


def _alphas(found: Sequence[float]) -> str:
    if len(found) == len(ALPHAS):
        return "any alpha"
    return f"alpha {', '.join(f'{alpha:g}' for alpha in sorted(found))}"


def _restated_words(restated: Restatement, radii: int) -> str:
    grids = len(restated.assumed)
    over = "" if grids == 1 else f", and the smallest radius that any of the {grids} grids gives"
    several = (
        f"{restated.ambiguous:,} of the {radii:,} radii leave several numbers of hits, of which "
        "the fewest are taken"
        if restated.ambiguous
        else "every radius has one number of hits behind it"
    )
    return f"restated at alpha = {restated.alpha:g}: if the grid is right; {several}{over}"


def _table(audit: Audit, tables: Sequence[Certified]) -> Iterator[str]:
    if not tables:
        return
    if any(figures.certified_accuracy is None for figures in tables):
        yield "  not every row has a label, so certified accuracy and ACR are unknown"
        return
    lines = [["", "ACR", *(f"r={radius:g}" for radius in tables[0].radii)]]
    restated = audit.grid.restated if audit.grid is not None else None
    names = ["as printed", *([f"alpha = {restated.alpha:g}"] if restated is not None else [])]
    for name, figures in zip(names, tables, strict=True):
        shares = [percent_down(share) for share in figures.certified_accuracy or ()]
        lines.append([name, text_down(figures.acr or 0.0, 4), *shares])
    if audit.log.kind == "predict":
        yield f"  right: {lines[1][2]} % of all rows, rounded down"
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
        yield "  ".join([f"  {line[0].ljust(widths[0])}", *cells])
    yield "  certified accuracy in % of all rows; all figures rounded down"


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _MOST_SHOWN:,} more" if len(items) > _MOST_SHOWN else ""
    return ", ".join(items[:_MOST_SHOWN]) + more
