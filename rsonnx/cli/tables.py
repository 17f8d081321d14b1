"""Print the figures of runs on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from rsonnx.certificate import EXACT
from rsonnx.noise import EnumeratedNoise
from rsonnx.report import (
    FORMATS,
    Figures,
    Heading,
    LogFigures,
    Settings,
    accuracy_report,
    dataset_statements,
    selection_of,
    summarize,
)
from rsonnx.runs import Row, text_field, whole_field
from rsonnx.runs.fields import flag_field, noise_field
from rsonnx.runs.header import recorded_rows
from rsonnx.runs.parts import shard_field


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
        dataset_statements(
            rows,
            radii,
            alpha=settings.alpha,
            family_wise=settings.family_wise,
            shared_noise=heading.shared_noise,
            selection=selection_of(header, heading.status),
        ),
        tuple(rows),
    )


def heading_of(header: dict[str, Any], status: str) -> Heading:
    """Return what names a run in a table, from its header.

    Raises:
        KeyError, TypeError: the header lacks what every run file of this format has, or
            contradicts itself.
        UsageError: its noise is none that is known.
    """
    noise, targets = header["noise"], header["target_radii"]
    law = noise_field(header)
    settings = _settings(header)
    if settings.exact != isinstance(law, EnumeratedNoise):
        raise TypeError(f"the bound is {settings.bound:.60}, which is none for {law.name} noise")
    restated = header.get("restated_from")
    if targets is not None and not (isinstance(targets, list) and targets):
        raise TypeError("target_radii is no list of numbers")
    return Heading(
        model=text_field(header["model"], "file"),
        noise=law.label,
        sigma=law.deviation,
        within=law.within.replace("the row's radius", "the input's radius"),
        units=text_field(noise, "units"),
        norm=law.norm,
        n=whole_field(header, "n", least=1),
        arithmetic=text_field(noise, "arithmetic"),
        status=_status(header, status),
        settings=settings,
        target_radii=None
        if targets is None
        else tuple(_number({"target_radii": r}, "target_radii") for r in targets),
        restated_from=None if restated is None else _settings(restated),
        shared_noise="shared" in noise and flag_field(noise, "shared"),
        additive=law.additive,
        rows=recorded_rows(header),
    )


def _status(header: dict[str, Any], status: str) -> str:
    """Return how the run ended; a shard that ended well is no complete run either."""
    shard = shard_field(header)
    if shard is None or shard.of == 1:
        return status
    return f"shard {shard}" if status == "complete" else f"{status} shard {shard}"


def _settings(fields: Any) -> Settings:
    exact = text_field(fields, "bound") == EXACT
    if exact and fields["alpha"] != 0:
        raise TypeError("alpha is not 0, which a run that was counted in full has")
    return Settings(
        alpha=0.0 if exact else _number(fields, "alpha", below=1.0),
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


def print_runs(runs: Sequence[Figures | LogFigures], *, as_json: bool) -> None:
    """Print the table of several runs, or a JSON list with an object a run."""
    click.echo(FORMATS["json" if as_json else "table"](accuracy_report(runs)))
