"""``rsonnx report``: tables from run files."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rsonnx.cli.options import json_option
from rsonnx.cli.tables import heading_of, print_runs
from rsonnx.errors import RunFileError, UsageError
from rsonnx.report import Heading, Summary, check_radii, default_radii, summarize
from rsonnx.runs import Run, read_run


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--radii",
    metavar="R,R,...",
    help="Radii of the table, ascending. [default: up to nine round ones]",
)
@json_option
def report(runs: tuple[Path, ...], radii: str | None, as_json: bool) -> None:
    """Print the certified-accuracy table of one or more run files.

    \b
    Example:
      rsonnx report mnist.jsonl --radii 0,0.5,1,1.5
    """
    wanted = None if radii is None else _radii(radii)
    read = [read_run(path) for path in runs]
    if wanted is None:
        wanted = default_radii(max(_largest_radius(run) for run in read))
    print_runs([_figures(run, wanted) for run in read], as_json=as_json)


def _figures(run: Run, radii: tuple[float, ...]) -> tuple[Heading, Summary]:
    try:
        heading = heading_of(run.header, run.status)
    except (KeyError, TypeError) as error:
        raise RunFileError(f"{run.path}, line 1: the header lacks a field ({error})") from None
    if not run.rows:
        raise RunFileError(f"the run {run.path} ended before its first input: nothing to report")
    return heading, summarize(run.rows, radii)


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
