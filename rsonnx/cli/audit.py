"""``rsonnx audit``: what can be told about the logs of other projects."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from cloup import command

from rsonnx.cli.options import json_option
from rsonnx.report import fraction_down, percent_down, printable, text_down

if TYPE_CHECKING:
    from rsonnx.logs import Audit, Fit, GridAudit, Restatement
    from rsonnx.report import Certified

_MOST_SHOWN = 5
_TELLING = -1.0
"""Decades: where the chance of a fit, times the grids that were tried, is above one in ten, the
best one does not show how the log was made."""


@command()
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--sigma",
    type=float,
    metavar="FLOAT",
    help="Standard deviation of the noise of the logs. [default: what sigma_0.25 in the path says, "
    "else fitted among the usual ones]",
)
@click.option(
    "--alpha",
    type=float,
    metavar="FLOAT",
    help="Restate the table at this probability of error, from the hits that the radii betray.",
)
@json_option
def audit(logs: tuple[Path, ...], sigma: float | None, alpha: float | None, as_json: bool) -> None:
    """Examine tab-separated logs (idx label predict radius correct time) of other projects.

    The logs are taken to be those of Gaussian noise and l2 radii; they do not say so themselves.
    A radius of CERTIFY lies on one of n points that sigma, n and alpha leave. The usual n and alpha
    are tried; how many radii would fit by chance tells what a fit is worth. Where the printed
    digits leave several numbers of hits, --alpha takes the fewest, so that it overstates nothing if
    the grid is right.

    \b
    Example:
      rsonnx audit cifar10/sigma_0.25
      rsonnx audit results/*.tsv --sigma 0.5 --alpha 0.001 --json
    """
    from rsonnx.logs import audit_log, read_log

    audits = [audit_log(read_log(path), sigma=sigma, alpha=alpha) for path in logs]
    if as_json:
        click.echo(json.dumps([_to_json(audit) for audit in audits], indent=2, allow_nan=False))
    else:
        click.echo("\n\n".join("\n".join(_text(audit)) for audit in audits))


def _tables(audit: Audit) -> dict[str, Certified]:
    """Return the figures as printed, and the restated ones where there are, by name."""
    from rsonnx.procedures import default_radii
    from rsonnx.report import certified

    rows, restated = audit.log.rows, audit.restated
    if not rows:
        return {}
    radii = default_radii(max(row.radius for row in rows)) if audit.radii else (0.0,)
    tables = {"as printed": certified(rows, radii)}
    if restated is not None:
        tables[f"alpha = {restated.alpha:g}"] = certified(restated.rows, radii)
    return tables


def _to_json(audit: Audit) -> dict[str, Any]:
    log, restated = audit.log, audit.restated
    figures = [
        {
            "acr": table.acr,
            "radii": table.radii,
            "certified_accuracy": table.certified_accuracy
            and [fraction_down(share) for share in table.certified_accuracy],
        }
        for table in _tables(audit).values()
    ]
    return {
        "path": str(log.path),
        "kind": log.kind,
        "rows": len(log.rows),
        "abstentions": audit.abstentions,
        "indices": audit.indices and asdict(audit.indices),
        "correct": asdict(log.correctness),
        "not_finite": audit.not_finite,
        "radii": audit.radii,
        "figures": figures[0] if figures else None,
        "grid": audit.grid and asdict(audit.grid),
        "restated": restated
        and {
            "alpha": restated.alpha,
            "assumed": [asdict(fit) for fit in restated.assumed],
            "ambiguous": restated.ambiguous,
            "figures": figures[1],
        },
        "notes": [asdict(note) for note in log.notes],
    }


def _text(audit: Audit) -> Iterator[str]:
    log = audit.log
    yield (
        f"{printable(str(log.path))}: {log.kind} log, {len(log.rows):,} rows, "
        f"{audit.abstentions:,} abstentions"
    )
    notes = [printable(str(note)) for note in log.notes[:_MOST_SHOWN]]
    if len(log.notes) > _MOST_SHOWN:
        notes.append(f"and {len(log.notes) - _MOST_SHOWN:,} notes more; --json lists them all")
    for finding in (*_findings(audit), *notes):
        yield textwrap.fill(
            finding, 100, initial_indent="  ", subsequent_indent="      ", break_long_words=False
        )
    yield from _table(audit)


def _table(audit: Audit) -> Iterator[str]:
    tables = _tables(audit)
    if any(figures.certified_accuracy is None for figures in tables.values()):
        yield "  not every row has a label, so certified accuracy and ACR are unknown"
    elif audit.log.kind == "predict":
        for figures in tables.values():
            right = percent_down((figures.certified_accuracy or ())[0])
            yield f"  right: {right} % of all rows, rounded down"
    elif tables:
        radii = next(iter(tables.values())).radii
        lines = [["", "ACR", *(f"r={radius:g}" for radius in radii)]]
        for name, figures in tables.items():
            shares = [percent_down(share) for share in figures.certified_accuracy or ()]
            lines.append([name, text_down(figures.acr or 0.0, 4), *shares])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
            yield "  ".join([f"  {line[0].ljust(widths[0])}", *cells])
        yield "  certified accuracy in % of all rows; all figures rounded down"


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
    from rsonnx.logs import ALPHAS, SAMPLES

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
        yield f"as likely: {_named(alike)}"
    if others:
        yield f"fitting too, but far likelier by chance: {_named(others)}"


def _named(fits: Sequence[Fit]) -> str:
    return _some([f"sigma {fit.sigma:g}, n {fit.n:,}, alpha {fit.alpha:g}" for fit in fits], "; ")


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


def _some(items: Sequence[str], separator: str = ", ") -> str:
    more = f" and {len(items) - _MOST_SHOWN:,} more" if len(items) > _MOST_SHOWN else ""
    return separator.join(items[:_MOST_SHOWN]) + more
