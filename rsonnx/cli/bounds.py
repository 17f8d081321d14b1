"""``rsonnx bounds``: every confidence bound side by side, as a table and as a picture."""

from __future__ import annotations

import importlib
import json
import math
import textwrap
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from cloup import command

from rsonnx.cli.options import alpha_option, json_option
from rsonnx.cli.preflight import say
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.report import text_down
from rsonnx.statistics import BOUNDS, DEFAULT_BOUND, Bound, check_count

FORMATS = (".png", ".svg", ".pdf")
_WIDTH = 96
_POINTS = 400
"""Counts at which a curve is drawn, at most."""


@dataclass(frozen=True)
class Row:
    """A bound at the counts that were given.

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
    help="Draw all bounds against k/n into this file (png, svg or pdf).",
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
    check_count(k, n)
    noise = Gaussian(sigma)
    rows = [row_of(bound, k, n, alpha, noise, uniform) for bound in BOUNDS.values()]
    if plot is not None:
        draw(plot, k, n, alpha, noise, uniform)
        say("plot", f"{plot} holds the picture")
    if as_json:
        found = {"k": k, "n": n, "alpha": alpha, "sigma": sigma, "uniform": uniform}
        click.echo(json.dumps(found | {"bounds": [asdict(row) for row in rows]}, indent=2))
    else:
        click.echo(_table(rows, k, n, alpha, sigma))


def row_of(
    bound: Bound, k: int, n: int, alpha: float, noise: Gaussian, uniform: float | None
) -> Row:
    """Return one bound at ``k`` hits in ``n`` samples."""
    if bound.needs_uniform and uniform is None:
        note = "needs --uniform U, a number in (0, 1] drawn before the samples"
        return Row(bound.name, bound.sound, bound.source, None, None, note)
    lower = bound.lower(k, n, alpha, uniform)
    return Row(
        bound.name, bound.sound, bound.source, lower, _radius(noise, lower), bound.why_not
    )  # fmt: skip


def _radius(noise: Gaussian, lower: float) -> float | None:
    return noise.radius(lower) if lower < 1.0 else None


def _table(rows: list[Row], k: int, n: int, alpha: float, sigma: float) -> str:
    unit = "radius/sigma" if sigma == 1.0 else f"radius at sigma {sigma:g}"
    lines = [("bound", "lower bound", unit, "")]
    for row in rows:
        if row.lower is None:
            figures = ("-", "-")
        else:
            radius = "infinite" if row.radius is None else text_down(row.radius, 4)
            figures = (text_down(row.lower, 8), radius)
        lines.append((row.name, *figures, "" if row.sound else "comparison only"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        f"{name:<{widths[0]}}  {lower:>{widths[1]}}  {radius:>{widths[2]}}  {mark}".rstrip()
        for name, lower, radius, mark in lines
    ]
    notes = [_note(row, "") for row in rows if row.sound and row.note]
    unsound = [_note(row, "  ") for row in rows if not row.sound]
    share = text_down(Fraction(k, n), 8)
    return "\n".join(
        [
            f"k = {k:,} hits in n = {n:,} samples, k/n = {share}, alpha = {alpha:g}",
            "",
            *table,
            "",
            *notes,
            "comparison only, never a certificate:",
            *unsound,
            "All figures are rounded down.",
        ]
    )


def _note(row: Row, indent: str) -> str:
    return textwrap.fill(
        f"{row.name}: {row.note}",
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    )


def curves(n: int, alpha: float, uniform: float | None) -> dict[str, list[tuple[int, float]]]:
    """Return each bound as (k, lower bound) over the counts of ``n`` samples, by name."""
    counts = sorted({round(n * i / _POINTS) for i in range(_POINTS + 1)})
    return {
        name: [(k, bound.lower(k, n, alpha, uniform)) for k in counts]
        for name, bound in BOUNDS.items()
        if uniform is not None or not bound.needs_uniform
    }


def draw(path: Path, k: int, n: int, alpha: float, noise: Gaussian, uniform: float | None) -> None:
    """Draw all bounds, and their radii, against k/n.

    Raises:
        UsageError: the format is not known, matplotlib is missing, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"--plot is {path}, but a name that ends in {', '.join(FORMATS)} was expected"
        )
    figure = _figure(10.0, 5.0)
    left, right = figure.subplots(1, 2)
    for name, points in curves(n, alpha, uniform).items():
        sound = BOUNDS[name].sound
        shares = [hits / n for hits, _ in points]
        radii = [_radius(noise, lower) for _, lower in points]
        style = {
            "label": name if sound else f"{name} (comparison only)",
            "linestyle": "-" if sound else "--",
            "linewidth": 2.4 if name == DEFAULT_BOUND else 1.2,
        }
        left.plot(shares, [lower for _, lower in points], **style)
        right.plot(shares, [math.nan if r is None else r for r in radii], **style)
    left.set_ylabel("lower bound on p")
    left.legend(fontsize="small")
    right.set_ylabel("radius / sigma" if noise.sigma == 1.0 else "radius")
    right.set_xlim(0.5, 1.0)
    for axes in (left, right):
        axes.axvline(k / n, color="0.7", linewidth=0.8, zorder=0)
        axes.set_xlabel("k/n")
        axes.grid(color="0.9")
    figure.suptitle(f"n = {n:,}, alpha = {alpha:g}, sigma = {noise.sigma:g}; grey line: k = {k:,}")
    try:
        figure.savefig(path)
    except OSError as error:
        raise UsageError(
            f"the picture {path} cannot be written ({error.strerror or error}); name a file in a "
            "folder that exists and can be written to"
        ) from None


def _figure(width: float, height: float) -> Any:
    try:
        # A figure of its own, without pyplot, needs no screen.
        module = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise UsageError(
            f"--plot needs matplotlib, which cannot be imported here ({error}); install it with: "
            "pip install 'rsonnx[report]'"
        ) from None
    return module.Figure(figsize=(width, height), layout="constrained")
