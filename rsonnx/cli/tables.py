"""Print summaries of runs on stdout."""

from __future__ import annotations

import json
import sys
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
        model=_text(header["model"], "file"),
        sigma=_number(noise, "sigma"),
        units=_text(noise, "units"),
        norm=_text(noise, "norm"),
        n=int(_number(header, "n")),
        alpha=_number(header, "alpha"),
        arithmetic=_text(noise, "arithmetic"),
        status=status,
    )


def _text(fields: Any, name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _number(fields: Any, name: str) -> float:
    value = fields[name]
    if not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        raise TypeError(f"{name} is no number above 0")
    return value


def print_runs(runs: Sequence[tuple[Heading, Summary]], *, as_json: bool) -> None:
    """Print the table of several runs, or a JSON list with an object a run."""
    if as_json:
        found = [asdict(heading) | summary.to_json() for heading, summary in runs]
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(render(runs))
