"""What an audit of other projects' logs says: a table a log, findings below it, and their JSON."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rsonnx.logs import ALPHAS, SAMPLES, Audit, Fit, GridAudit, Restatement
from rsonnx.procedures import default_radii
from rsonnx.report.escape import printable
from rsonnx.report.rounding import percent
from rsonnx.report.summary import Certified, certified
from rsonnx.report.table import Column, Note, Report, Table, Value, decimals
from rsonnx.scalars import in_full

_MOST_SHOWN = 5
_TELLING = -1.0
"""Decades: where the chance of a fit, times the grids that were tried, is above one in ten, the
best one does not show how the log was made."""


def audit_report(audits: Sequence[Audit]) -> Report:
    """Return what is printed of audits: a table each, and all findings as JSON."""
    figures = [_figures(audit) for audit in audits]
    pairs = list(zip(audits, figures, strict=True))
    return Report([_table(*pair) for pair in pairs], value=[_value(*pair) for pair in pairs])


def _figures(audit: Audit) -> dict[str, Certified]:
    """Return the figures as printed, and the restated ones where there are, by name."""
    rows, restated = audit.log.rows, audit.restated
    if not rows:
        return {}
    radii = default_radii(max(row.radius for row in rows)) if audit.radii else (0.0,)
    figures = {"as printed": certified(rows, radii)}
    if restated is not None:
        figures[f"alpha = {restated.alpha:g}"] = certified(restated.rows, radii)
    return figures


def _table(audit: Audit, figures: dict[str, Certified]) -> Table:
    log, columns = audit.log, [Column("")]
    rows: list[list[Value]] = []
    findings = [*_findings(audit), *(printable(str(note)) for note in log.notes[:_MOST_SHOWN])]
    if len(log.notes) > _MOST_SHOWN:
        findings.append(f"and {len(log.notes) - _MOST_SHOWN:,} notes more; --json lists them all")
    for name, summary in figures.items():
        shares = summary.certified_accuracy or (None,) * len(summary.radii)
        if log.kind == "predict":
            columns = [Column(""), Column("right", "%", percent)]
            rows.append([name, shares[0]])
            continue
        columns = [Column(""), Column("ACR", form=decimals(4))]
        columns += [Column(f"r={in_full(radius)}", form=percent) for radius in summary.radii]
        rows.append([name, summary.acr, *shares])
    if any(summary.certified_accuracy is None for summary in figures.values()):
        findings.append("not every row has a label, so certified accuracy and ACR are unknown")
    elif figures:
        what = "r=R: certified accuracy" if log.kind == "certify" else "right"
        findings.append(f"{what} in % of all rows; the ACR is rounded down")
    title = f"{log.path}: {log.kind} log, {len(log.rows):,} rows, {audit.abstentions:,} abstentions"
    return Table(columns, rows, printable(title), [Note(finding) for finding in findings])


def _value(audit: Audit, figures: dict[str, Certified]) -> dict[str, Any]:
    log, restated = audit.log, audit.restated
    own = ("acr", "radii", "certified_accuracy", "certified_accuracy_count")
    written = [summary.to_json() for summary in figures.values()]
    values = [{name: figure[name] for name in own} for figure in written]
    return {
        "path": str(log.path),
        "kind": log.kind,
        "rows": len(log.rows),
        "abstentions": audit.abstentions,
        "indices": audit.indices and asdict(audit.indices),
        "correct": asdict(log.correctness),
        "not_finite": audit.not_finite,
        "radii": audit.radii,
        "figures": values[0] if values else None,
        "grid": audit.grid and asdict(audit.grid),
        "restated": restated
        and {
            "alpha": restated.alpha,
            "assumed": [asdict(fit) for fit in restated.assumed],
            "ambiguous": restated.ambiguous,
            "figures": values[1],
        },
        "notes": [asdict(note) for note in log.notes],
    }


def _findings(audit: Audit) -> Iterator[str]:
    """Say what was found, a sentence a matter."""
    indices, correct = audit.indices, audit.log.correctness
    if indices is not None:
        steps = "" if indices.step is None else f" in steps of {indices.step:,}"
        gaps = _some([f"{gap.after:,} and {gap.before:,}" for gap in indices.gaps])
        repeated = _some([f"{index:,}" for index in indices.repeated])
        yield (
            f"idx: {indices.first:,} to {indices.last:,}{steps}; "
            f"{f'gaps between {gaps}' if gaps else 'no gaps'}; "
            f"{f'repeated: {repeated}' if repeated else 'none repeated'}"
            f"{'' if indices.ascending else '; not ascending'}"
        )
    if correct.standing != "absent":
        lines = _some([f"{line:,}" for line in correct.lines])
        yield {
            "agrees": "correct: agrees with label and predict",
            "cumulative": "correct: a running count of right answers; label and predict are used",
            "contradicts": f"correct: contradicts label and predict, which count, on line {lines}",
        }[correct.standing]
    if audit.log.kind == "predict":
        return
    infinite = len(audit.not_finite)
    finite = f"{infinite:,} not finite, counted as 0" if infinite else "all finite"
    if audit.grid is None:
        yield f"radii: none above 0; {finite}"
        return
    yield (
        f"radii: {audit.radii:,} above 0, {audit.grid.distinct_radii:,} distinct, printed with "
        f"{audit.grid.printed.digits} {audit.grid.printed.kind}; {finite}"
    )
    yield from _grid_findings(audit.grid)
    over = audit.grid.overstated
    if over is not None and not over.possibly:
        yield "rounding: no radius is printed above the grid's value"
    elif over is not None:
        yield (
            f"rounding: {over.surely:,} of the {audit.radii:,} radii are printed above the grid's "
            f"value, up to {over.possibly:,} may be, about {over.expected:,.0f} are to be expected"
        )
    if audit.restated is not None:
        yield _restated_finding(audit.restated, audit.radii)


def _grid_findings(grid: GridAudit) -> Iterator[str]:
    sigmas = ", ".join(f"{sigma:g}" for sigma in grid.sigmas_tried)
    source = {
        "given": "as given",
        "path": "from the path; --sigma gives another",
        "fitted": f"fitted among {sigmas}",
    }[grid.sigma_source]
    if not grid.fits:
        yield f"grid: no usual n and alpha gives these radii with sigma {sigmas} ({source})"
        return
    best = grid.fits[0]
    tried = len(grid.sigmas_tried) * len(SAMPLES) * len(ALPHAS)
    chance = f"1 in {10**-best.log10_chance:,.3g}" if best.log10_chance > -300 else "nil"
    doubt = ": among so many one may well fit by chance"
    yield f"sigma: {best.sigma:g}, {source}"
    yield (
        f"grid: n = {best.n:,}, alpha = {best.alpha:g}, radii rounded "
        f"{'down' if best.rounding == 'down' else 'to nearest'}: all {grid.distinct_radii:,} "
        f"distinct radii lie on it, of which {best.by_chance:,.1f} would by chance; the chance of "
        f"all is {chance}, and {tried:,} grids were tried"
        f"{'' if best.log10_chance + math.log10(tried) < _TELLING else doubt}"
    )
    off = [f"{misfit.alpha:g} ({misfit.radii:,})" for misfit in grid.misfits if misfit.radii]
    if off:
        yield f"not at this n: alpha {', '.join(off)}; in brackets how many radii lie off the grid"
    alike = [fit for fit in grid.fits[1:] if fit.alike]
    others = [fit for fit in grid.fits if not fit.alike]
    if alike:
        yield f"as likely: {_named(alike, best)}"
    if others:
        yield f"fitting too, but far likelier by chance: {_named(others, best)}"


def _named(fits: Sequence[Fit], best: Fit) -> str:
    """Name grids: the alphas behind each n, and each sigma where one is another than the best."""
    alphas = defaultdict(list)
    for fit in sorted(fits, key=lambda fit: (fit.sigma, fit.n, fit.alpha)):
        alphas[fit.sigma, fit.n].append(f"{fit.alpha:g}")
    sigmas = {sigma for sigma, _ in alphas}
    return "; ".join(
        f"sigma = {sigma:g}, " * (sigmas != {best.sigma})
        + f"n = {n:,} with "
        + ("any alpha" if len(tried) == len(ALPHAS) else f"alpha {', '.join(tried)}")
        for (sigma, n), tried in alphas.items()
    )


def _restated_finding(restated: Restatement, radii: int) -> str:
    grids = len(restated.assumed)
    over = "" if grids == 1 else f", and the smallest radius that any of the {grids} grids gives"
    hits = (
        f"{restated.ambiguous:,} of the {radii:,} radii leave several numbers of hits, of which "
        "the fewest are taken"
        if restated.ambiguous
        else "every radius has one number of hits behind it"
    )
    return f"restated at alpha = {restated.alpha:g}: if the grid is right; {hits}{over}"


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _MOST_SHOWN:,} more" if len(items) > _MOST_SHOWN else ""
    return ", ".join(items[:_MOST_SHOWN]) + more
