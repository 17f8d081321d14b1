"""The certified-accuracy table, of runs and of logs beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rsonnx.report.figures import ACR, STANDARD, Figures
from rsonnx.report.logs import LogFigures
from rsonnx.report.notes import details_of, headline, notes_of
from rsonnx.report.population import NOISE, PERCENT
from rsonnx.report.ranking import rank
from rsonnx.report.rounding import alpha_up, percent
from rsonnx.report.table import Cell, Column, Note, Report, Table, Value, decimals, grouped
from rsonnx.scalars import in_full

Drawn = Figures | LogFigures

_RECORD = {
    name: (name,)
    for name in (
        *("model", "status", "variation", "preprocess", "noise", "sigma", "units", "norm", "n"),
        *("adaptive", "precision", "arithmetic"),
        *("shared_noise", "rows", "watched_rows", "near_ties", "alpha", "family_wise", "bound"),
        *("radius_rule", "restated", "inputs", "certified_wrong", "abstained"),
        *("standard_accuracy", "standard_accuracy_count", "acr"),
    )
} | {
    "acr_low": ("statements", "acr", "low"),
    "acr_high": ("statements", "acr", "high"),
    "false_certificates_expected": ("statements", "false_certificates", "expected"),
    "band_half_width": ("statements", "certified_accuracy_band", "half_width"),
}
"""Columns of the CSV file, and where the JSON has them."""


def accuracy_report(runs: Sequence[Drawn]) -> Report:
    """Return the table of several runs over the same radii, best figures marked."""
    values = [run.to_json() for run in runs]
    tables = [accuracy_table(runs)] if runs else []
    return Report(tables, records=list(map(_record, values)), value=values)


def accuracy_table(runs: Sequence[Drawn]) -> Table:
    """Return the table: a row a run, a column a radius, shares in %."""
    ranking = rank(runs)
    own = [run for run in runs if isinstance(run, Figures)]
    gaussian = all(run.gaussian for run in own)
    several = len({run.header.noise.norm for run in own}) > 1
    columns = [
        Column("run" if any(run.own_name for run in own) else "model"),
        Column("sigma" if gaussian else "noise", symbols=True),
        Column("alpha", form=alpha_up, wide=True, symbols=True),
        Column("n", form=grouped, wide=True, symbols=True),
        Column("inputs", form=grouped),
        Column("standard", form=percent),
        Column("ACR", form=decimals(4)),
        Column("wrong", form=grouped),
        Column("abstained", form=grouped),
        *(Column(f"r={in_full(r)}", form=percent, symbols=True) for r in runs[0].summary.radii),
    ]
    rows = []
    for run, best in zip(runs, ranking.best, strict=True):
        summary = run.summary
        shares = summary.certified_accuracy or (None,) * len(summary.radii)
        rows.append(
            [
                *(_of_log(run) if isinstance(run, LogFigures) else _of_run(run, gaussian, several)),
                Cell(getattr(summary, "standard_accuracy", None), best=STANDARD in best),
                Cell(summary.acr, best=ACR in best),
                *(summary.wrong, summary.abstained),
                *(Cell(s, best=r in best) for r, s in zip(summary.radii, shares, strict=True)),
            ]
        )
    return Table(
        columns,
        rows,
        title=headline(own),
        notes=list(notes_of(runs)),
        details=[*map(details_of, runs), *map(Note, explained(runs))],
        marked=ranking.note,
    )


def explained(runs: Sequence[Drawn]) -> Iterator[str]:
    """Yield what the columns and tags of the table mean."""
    yield (
        "standard: accuracy of the model itself without noise, %. ACR: mean certified radius, 0 "
        "where wrong. wrong: inputs that are certified for another class than the true one. "
        "abstained: inputs without a certificate. r=R: certified accuracy, % of all inputs that "
        "are right with radius >= R."
    )
    if len(runs) > 1:
        yield (
            "The best is marked of complete, labelled runs with the same inputs, labels, norm, "
            "units and alpha, compared before rounding."
        )
    yield f"False certificates with {PERCENT} confidence: assuming {NOISE}, where not shared."
    yield "Radii are rounded down, intervals outward, shares of inputs correctly."


def _of_run(run: Figures, gaussian: bool, several: bool) -> Iterator[Cell | Value]:
    header, law = run.header, run.header.noise
    noise = f"{law.deviation:g}" if gaussian else law.label
    yield Cell(run.label, status="" if run.status == "complete" else run.status)
    yield f"{noise}, {law.norm}" if several else Cell(law.deviation or noise, lambda _: noise)
    yield from (header.procedure.alpha, header.procedure.n, run.summary.inputs)


def _of_log(log: LogFigures) -> Iterator[Cell | Value]:
    yield from (log.name, None, None, None, log.summary.inputs)


def _record(value: Mapping[str, Any]) -> dict[str, Value]:
    """Return what JSON says of a run or a log as a line of CSV; shares are fractions of 1."""
    log = "log" in value
    flat = dict(value)
    if not log:
        flat |= {
            "variation": ", ".join(value["variation"]),
            "adaptive": value["target_radii"] is not None,
            "restated": value["restated_from"] is not None,
            "watched_rows": value["samples"]["watched_rows"],
            "near_ties": value["samples"]["near_ties"],
        }
    record = {
        "kind": "log" if log else "run",
        "name": value["log"] if log else value["name"] or value["model"],
    }
    record |= {name: _at(flat, *path) for name, path in _RECORD.items()}
    for i, radius in enumerate(value["radii"]):
        at = f"certified_accuracy@{in_full(radius)}"
        record[at] = _at(flat, "certified_accuracy", i)
        record[f"{at}_count"] = _at(flat, "certified_accuracy_count", i)
        for bound in ("low", "high"):
            record[f"{at}_{bound}"] = _at(flat, "statements", "certified_accuracy", bound, i)
        robust = _at(flat, "statements", "certified_accuracy", "robust_low", i)
        record[f"robust_low@{in_full(radius)}"] = robust
    return record


def _at(value: Any, *path: str | int) -> Any:
    """Return what is at a path, or None where it is not known."""
    for key in path:
        if value is None or (isinstance(key, str) and key not in value):
            return None
        value = value[key]
    return value
