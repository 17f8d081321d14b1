"""The certified-accuracy table as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rsonnx.report.escape import csv_text
from rsonnx.report.figures import Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.rounding import fraction_down, plain

_COLUMNS = (
    *("kind", "name", "status", "noise", "sigma", "units", "norm", "n", "adaptive", "arithmetic"),
    *("shared_noise", "rows", "watched_rows", "near_ties", "alpha"),
    *("family_wise", "bound", "radius_rule", "restated", "inputs", "abstained"),
    *("standard_accuracy", "acr", "acr_low", "acr_high", "false_certificates_expected"),
    "band_half_width",
)


def render_csv(runs: Sequence[Figures | LogFigures]) -> str:
    """Return a line a run below a head.

    Shares are fractions of 1, in full, and rounded as in JSON: figures down, intervals outward. A
    cell is empty where a figure is not known. ``status`` says whether a run is complete; ``kind``
    is ``run`` or ``log``.
    """
    lines = [_log(run) if isinstance(run, LogFigures) else _run(run) for run in runs]
    return written([*_COLUMNS, *_certified(runs[0], None, None, None)], lines)


def written(columns: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> str:
    """Return lines as CSV below a head; texts are made harmless for spreadsheets."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {k: csv_text(v) if isinstance(v, str) else v for k, v in line.items()} for line in lines
    )
    return buffer.getvalue().removesuffix("\n")


def _run(run: Figures) -> dict[str, Any]:
    heading, summary, stated = run.heading, run.summary, run.statements
    settings, accuracy = heading.settings, stated.accuracy
    standard = summary.standard_accuracy
    lows = None if accuracy is None else [one.low for one in accuracy]
    highs = None if accuracy is None else [one.high for one in accuracy]
    robust = None if accuracy is None else [one.robust_low for one in accuracy]
    return {
        "kind": "run",
        "name": heading.model,
        "status": heading.status,
        "noise": heading.noise,
        "sigma": heading.sigma,
        "units": heading.units,
        "norm": heading.norm,
        "n": heading.n,
        "adaptive": heading.target_radii is not None,
        "arithmetic": heading.arithmetic,
        "shared_noise": heading.shared_noise,
        "rows": heading.rows,
        "watched_rows": summary.samples.watched_rows,
        "near_ties": summary.samples.near_ties,
        "alpha": settings.alpha,
        "family_wise": settings.family_wise,
        "bound": settings.bound,
        "radius_rule": settings.radius_rule,
        "restated": heading.restated_from is not None,
        "inputs": summary.inputs,
        "abstained": summary.abstained,
        "standard_accuracy": None if standard is None else fraction_down(standard),
        "acr": summary.acr,
        "acr_low": None if stated.acr is None else stated.acr.low,
        "acr_high": None if stated.acr is None else stated.acr.high,
        "false_certificates_expected": stated.false.expected,
        "band_half_width": None if stated.band is None else stated.band.half_width,
        **_certified(run, lows, highs, robust),
    }


def _log(log: LogFigures) -> dict[str, Any]:
    summary, found = log.summary, log.population
    low, high = (None, None) if found is None else (found.low, found.high)
    return {
        "kind": "log",
        "name": log.name,
        "inputs": summary.inputs,
        "abstained": sum(row.abstained for row in log.rows),
        "acr": summary.acr,
        "acr_low": None if found is None else found.acr.low,
        "acr_high": None if found is None else found.acr.high,
        "band_half_width": None if found is None else found.band.half_width,
        **_certified(log, low, high, None),
    }


def _certified(
    run: Figures | LogFigures,
    low: Sequence[float] | None,
    high: Sequence[float] | None,
    robust: Sequence[float] | None,
) -> dict[str, Any]:
    shares = run.summary.certified_accuracy
    cells: dict[str, Any] = {}
    for i, radius in enumerate(run.summary.radii):
        at = f"certified_accuracy@{plain(radius)}"
        cells[at] = None if shares is None else fraction_down(shares[i])
        cells[f"{at}_low"] = None if low is None else low[i]
        cells[f"{at}_high"] = None if high is None else high[i]
        cells[f"robust_low@{plain(radius)}"] = None if robust is None else robust[i]
    return cells
