"""``rsonnx audit``: what can be told about the logs of other projects."""

from __future__ import annotations

from pathlib import Path

import click
from cloup import command

from rsonnx.cli.options import json_option


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
    from rsonnx.cli.terminal import show
    from rsonnx.logs import audit_log, read_log
    from rsonnx.report import audit_report

    audits = [audit_log(read_log(path), sigma=sigma, alpha=alpha) for path in logs]
    show(audit_report(audits), "json" if as_json else "table")
