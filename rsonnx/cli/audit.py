"""``rsonnx audit``: what can be told about the logs of other projects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from cloup import command

from rsonnx.cli.audit_text import audit_text
from rsonnx.cli.options import json_option
from rsonnx.logs import Audit, Fit, GridAudit, audit_log, read_log
from rsonnx.report import Certified, certified, default_radii, fraction_down


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
    audits = [audit_log(read_log(path), sigma=sigma, alpha=alpha) for path in logs]
    tables = [list(_tables(found)) for found in audits]
    if as_json:
        values = [_to_json(found, table) for found, table in zip(audits, tables, strict=True)]
        click.echo(json.dumps(values, indent=2, allow_nan=False))
    else:
        texts = [audit_text(found, table) for found, table in zip(audits, tables, strict=True)]
        click.echo("\n\n".join(texts))


def _tables(audit: Audit) -> Iterator[Certified]:
    """Yield the figures as printed, and the restated ones where there are."""
    rows = audit.log.rows
    if rows:
        radii = default_radii(max(row.radius for row in rows)) if audit.radii else (0.0,)
        yield certified(rows, radii)
        if audit.grid and audit.grid.restated:
            yield certified(audit.grid.restated.rows, radii)


def _to_json(audit: Audit, tables: list[Certified]) -> dict[str, Any]:
    log = audit.log
    return {
        "path": str(log.path),
        "kind": log.kind,
        "rows": len(log.rows),
        "abstentions": audit.abstentions,
        "indices": None if audit.indices is None else asdict(audit.indices),
        "correct": asdict(audit.correctness),
        "not_finite": list(audit.not_finite),
        "radii": audit.radii,
        "figures": _figures(tables[0]) if tables else None,
        "grid": None if audit.grid is None else _grid(audit.grid),
        "restated": None
        if audit.grid is None or audit.grid.restated is None
        else {
            "alpha": audit.grid.restated.alpha,
            "assumed": [_fit(fit) for fit in audit.grid.restated.assumed],
            "ambiguous": audit.grid.restated.ambiguous,
            "figures": _figures(tables[1]),
        },
        "notes": [asdict(note) for note in log.notes],
    }


def _grid(grid: GridAudit) -> dict[str, Any]:
    return {
        "sigma_source": grid.sigma.source,
        "sigmas_tried": list(grid.sigma.sigmas),
        "printed": asdict(grid.printed.resolution),
        "distinct_radii": len(grid.printed.values),
        "fits": [_fit(fit) | {"alike": fit in grid.fits.alike} for fit in grid.fits.all],
        "misfits": [{"alpha": alpha, "radii": count} for alpha, count in grid.misfits.items()],
        "overstated": None if grid.overstated is None else asdict(grid.overstated),
    }


def _fit(fit: Fit) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(fit).items() if name != "grid"}
    return asdict(fit.grid) | fields


def _figures(figures: Certified) -> dict[str, Any]:
    shares = figures.certified_accuracy
    return {
        "acr": figures.acr,
        "radii": list(figures.radii),
        "certified_accuracy": None if shares is None else [fraction_down(s) for s in shares],
    }
