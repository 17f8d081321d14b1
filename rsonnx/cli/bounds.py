"""``rsonnx bounds``: every confidence bound side by side, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path

import click
from cloup import command

from rsonnx.cli.options import alpha_option, json_option


@command()
@click.option("-k", type=int, required=True, metavar="INT", help="Hits: samples of the class.")
@click.option("-n", type=int, required=True, metavar="INT", help="Samples in all.")
@alpha_option
@click.option(
    "--sigma",
    type=float,
    default=1.0,
    metavar="FLOAT",
    help="Standard deviation of Gaussian noise, for the radii. [default: 1, radii in units of "
    "sigma]",
)
@click.option(
    "--uniform",
    type=float,
    metavar="U",
    help="The number in (0, 1] of the randomised bound: uniform, and drawn before the samples.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw all bounds against k/n into this file (png, svg or pdf); it must not exist yet.",
)
@json_option
def bounds(
    k: int,
    n: int,
    alpha: float,
    sigma: float,
    uniform: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Print what every bound makes of k hits in n samples: lower bound on p, and radius.

    The radius is sigma times the normal quantile of the bound. Bounds that miss more often than
    alpha are shown for comparison only: `rsonnx certify` refuses them.

    \b
    Example:
      rsonnx bounds -k 990 -n 1000 --alpha 0.001
      rsonnx bounds -k 990 -n 1000 --sigma 0.5 --plot bounds.svg
    """
    from rsonnx.cli.terminal import show
    from rsonnx.report import bounds_figure, bounds_report, compare_bounds, save

    comparison = compare_bounds(k, n, alpha=alpha, sigma=sigma, uniform=uniform)
    if plot is not None:
        save(bounds_figure(comparison), plot)
        click.echo(f"{'plot':<11}{plot} holds the picture", err=True)
    show(bounds_report(comparison), "json" if as_json else "table")
