"""Print summaries of runs on stdout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from rsonnx.report import Heading, Summary, render


def heading_of(header: dict[str, Any], status: str) -> Heading:
    """Return what names a run in a table, from its header.

    Raises:
        KeyError, TypeError: the header lacks what every run file of this format has.
    """
    noise = header["noise"]
    return Heading(
        model=str(header["model"]["file"]),
        sigma=float(noise["sigma"]),
        units=str(noise["units"]),
        norm=str(noise["norm"]),
        n=int(header["n"]),
        alpha=float(header["alpha"]),
        arithmetic=str(noise["arithmetic"]),
        status=status,
    )


def print_runs(runs: Sequence[tuple[Heading, Summary]], *, as_json: bool) -> None:
    """Print the table of several runs, or a JSON list with an object a run."""
    if as_json:
        found = [asdict(heading) | summary.to_json() for heading, summary in runs]
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(render(runs))
