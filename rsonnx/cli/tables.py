"""Print the figures of runs on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from rsonnx.report import Figures, Heading, Settings, dataset_statements, render, summarize
from rsonnx.runs import Row, text_field, whole_field


def figures_of(
    header: dict[str, Any], status: str, rows: Sequence[Row], radii: Sequence[float]
) -> Figures:
    """Return all that is reported of one run.

    Args:
        header: the run's header.
        status: how the run ended.
        rows: its rows, at least one.
        radii: of the table, ascending.

    Raises:
        KeyError, TypeError: the header lacks what every run file of this format has.
    """
    heading = heading_of(header, status)
    settings = heading.settings
    return Figures(
        heading,
        summarize(rows, radii),
        dataset_statements(rows, radii, alpha=settings.alpha, family_wise=settings.family_wise),
    )


def heading_of(header: dict[str, Any], status: str) -> Heading:
    """Return what names a run in a table, from its header.

    Raises:
        KeyError, TypeError: the header lacks what every run file of this format has.
    """
    noise, targets = header["noise"], header["target_radii"]
    restated = header.get("restated_from")
    if targets is not None and not (isinstance(targets, list) and targets):
        raise TypeError("target_radii is no list of numbers")
    return Heading(
        model=text_field(header["model"], "file"),
        sigma=_number(noise, "sigma"),
        units=text_field(noise, "units"),
        norm=text_field(noise, "norm"),
        n=whole_field(header, "n", least=1),
        arithmetic=text_field(noise, "arithmetic"),
        status=status,
        settings=_settings(header),
        target_radii=None
        if targets is None
        else tuple(_number({"target_radii": r}, "target_radii") for r in targets),
        restated_from=None if restated is None else _settings(restated),
    )


def _settings(fields: Any) -> Settings:
    return Settings(
        alpha=_number(fields, "alpha", below=1.0),
        bound=text_field(fields, "bound"),
        radius_rule=text_field(fields, "radius_rule"),
        family_wise=None
        if fields["family_wise"] is None
        else _number(fields, "family_wise", below=1.0),
    )


def _number(fields: Any, name: str, *, below: float | None = None) -> float:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is no number")
    if not 0 < value <= sys.float_info.max or (below is not None and value >= below):
        raise TypeError(f"{name} is no number above 0" + (f" and below {below:g}" if below else ""))
    return float(value)


def print_runs(runs: Sequence[Figures], *, as_json: bool) -> None:
    """Print the table of several runs, or a JSON list with an object a run."""
    if as_json:
        click.echo(json.dumps([run.to_json() for run in runs], indent=2, allow_nan=False))
    else:
        click.echo(render(runs))
