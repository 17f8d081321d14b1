"""``rsonnx report``: tables from run files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from rsonnx.certificate import RADIUS_RULES
from rsonnx.cli.options import json_option
from rsonnx.cli.tables import figures_of, heading_of, print_runs
from rsonnx.errors import RunFileError, UsageError
from rsonnx.report import Figures, Heading, check_radii, default_radii
from rsonnx.runs import Run, read_run, restate

_MOST_TARGETS = 9


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--radii",
    metavar="R,R,...",
    help="Radii of the table, ascending. [default: the target radii of adaptive runs, else up to "
    "nine round ones]",
)
@click.option(
    "--alpha",
    type=float,
    metavar="FLOAT",
    help="Restate: derive every certificate anew from its counts at this probability of error. "
    "[default: the run's]",
)
@click.option(
    "--bound",
    metavar="NAME",
    help="Restate by this confidence bound; `rsonnx bounds` shows them all. [default: the run's]",
)
@click.option(
    "--radius",
    type=click.Choice(RADIUS_RULES),
    help="Restate by this radius rule. [default: the run's]",
)
@json_option
def report(
    runs: tuple[Path, ...],
    radii: str | None,
    alpha: float | None,
    bound: str | None,
    radius: str | None,
    as_json: bool,
) -> None:
    """Print the certified-accuracy table of one or more run files.

    With --alpha, --bound or --radius the certificates are derived anew from the recorded counts,
    without sampling; the files stay as they are. What the counts cannot support is refused.

    \b
    Example:
      rsonnx report mnist.jsonl --radii 0,0.5,1,1.5
      rsonnx report mnist.jsonl --alpha 0.01 --radius two-sided
    """
    wanted = None if radii is None else _radii(radii)
    read = [read_run(path) for path in runs]
    headings = [_heading(run) for run in read]
    if (alpha, bound, radius) != (None, None, None):
        read = [restate(run, alpha=alpha, bound=bound, radius=radius) for run in read]
    if wanted is None:
        wanted = _targets(headings) or default_radii(max(_largest_radius(run) for run in read))
    print_runs([_figures(run, wanted) for run in read], as_json=as_json)


def _heading(run: Run) -> Heading:
    try:
        heading = heading_of(run.header, run.status)
    except (KeyError, TypeError) as error:
        raise RunFileError(f"{run.path}, line 1: the header lacks a field ({error})") from None
    if not run.rows:
        raise RunFileError(f"the run {run.path} ended before its first input: nothing to report")
    return heading


def _figures(run: Run, radii: tuple[float, ...]) -> Figures:
    return figures_of(run.header, run.status, run.rows, radii)


def _targets(headings: Sequence[Heading]) -> tuple[float, ...] | None:
    """Return the target radii of runs that are all adaptive, as certify's own table has them."""
    targets = {r for heading in headings for r in heading.target_radii or ()}
    adaptive = all(heading.target_radii is not None for heading in headings)
    return (0.0, *sorted(targets)) if adaptive and len(targets) <= _MOST_TARGETS else None


def _largest_radius(run: Run) -> float:
    value = run.header.get("largest_radius")
    if isinstance(value, int | float) and 0 < value <= sys.float_info.max:
        return float(value)
    raise RunFileError(f"{run.path}, line 1: the header lacks a largest_radius above 0")


def _radii(text: str) -> tuple[float, ...]:
    try:
        radii = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--radii is {text!r}, but numbers such as 0,0.5,1 were expected"
        ) from None
    check_radii(radii)
    return radii
