"""Top-k certified accuracy of runs with Gaussian noise, from the counts that they recorded.

The class that is certified is the row's true label. It was fixed before the noise was drawn, so no
selection samples are needed to choose it, and none are used: the estimation counts alone bound it
and its rivals (Jia et al., arXiv 1912.09899). No input leaves the denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import Gaussian
from rsonnx.procedures.top_k import certify_top_k
from rsonnx.report.escape import printable
from rsonnx.report.figures import assumption_of
from rsonnx.report.notes import cautions, declared, headline, surety
from rsonnx.report.reported import Reported, status_of
from rsonnx.report.rounding import percent
from rsonnx.report.summary import certified, samples_of
from rsonnx.report.table import Cell, Column, Note, Report, Table, decimals, grouped
from rsonnx.runs.files import Run
from rsonnx.scalars import in_full

_NAMED = (
    *("name", "model", "variation", "preprocess", "sigma", "units", "norm", "n", "arithmetic"),
    *("status", "shared_noise", "alpha", "family_wise"),
)


@dataclass(frozen=True)
class TopKFigures(Reported):
    """What is reported of one run at one k.

    Attributes:
        summary: its figures; a row counts where its true class is certified.
        k: among how many classes the true one is certified to be.
        assumption: what all certificates assume of the model; None where nothing is assumed.
    """

    k: int
    assumption: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it for a program; the ACR is rounded down."""
        named, figures = self.named(), self.summary.to_json()
        own = ("acr", "certified_accuracy", "certified_accuracy_count")
        return {
            **{name: named[name] for name in _NAMED},
            "inputs": figures["inputs"],
            "top_k": self.k,
            "radii": figures["radii"],
            **{f"top_k_{name}": figures[name] for name in own},
            "assumption": self.assumption,
        }


@dataclass(frozen=True)
class _Outcome:
    """One input: its true class, and the radius within which that stays among the top k."""

    label: int | None
    radius: float

    @property
    def abstained(self) -> bool:
        return self.radius <= 0.0

    @property
    def correct(self) -> bool:
        return not self.abstained


def top_k_figures(run: Run, radii: Sequence[float], k: int) -> TopKFigures:
    """Certify the true class of every row of a run to be among the top k, and count.

    Args:
        run: with Gaussian noise, a fixed n and at least one row.
        radii: where to state certified accuracy, >= 0, ascending.
        k: 1..classes - 1.

    Raises:
        UsageError: the run is adaptive, has other noise or another norm, has inputs without a
            label, or does not say how many classes there are; or k is outside its range.
        RunFileError: a row contradicts the run's settings.
    """
    procedure, rows = run.header.procedure, run.rows
    noise, classes = procedure.noise, procedure.num_classes
    if not isinstance(noise, Gaussian) or noise.norm != "l2":
        raise UsageError(
            f"the run {run.path} has {noise.name} noise and radii in {noise.norm}, but top-k "
            "certificates are for Gaussian noise in l2; certify again with that"
        )
    if not procedure.fixed_n:
        raise UsageError(
            f"the run {run.path} is adaptive: its sampling stopped once its own question was "
            "decided, so its counts bound nothing else; certify again with a fixed n for --top-k"
        )
    if not procedure.samples:
        raise UsageError(
            f"the run {run.path} was calculated, so it has no counts, which a top-k certificate "
            "bounds; certify with samples for --top-k"
        )
    if classes is None:
        raise UsageError(
            f"the run {run.path} does not say how many classes its model has, and a top-k "
            "certificate shares alpha among them; certify again with this version"
        )
    unlabelled = sum(row.label is None for row in rows)
    if unlabelled:
        raise UsageError(
            f"{unlabelled:,} of {len(rows):,} inputs of {run.path} have no label, but a top-{k} "
            "certificate is for the true class; certify labelled data"
        )
    outcomes = []
    for row in rows:
        counted, label = row.estimation, row.label
        fits = counted.total == procedure.n and len(counted) <= classes
        if not fits or label is None or label >= classes:
            raise RunFileError(
                f"{run.path}, input {row.index}: it has {counted.total:,} estimation samples of "
                f"{len(counted):,} classes and the label {label}, but the run has "
                f"n = {procedure.n:,} and {classes:,} classes"
            )
        certificate = certify_top_k(
            counted, label, k, sigma=noise.sigma, num_classes=classes, alpha=procedure.alpha
        )
        outcomes.append(_Outcome(label, certificate.radius))
    assumption = assumption_of(run.header, samples_of(rows))
    return TopKFigures(
        run.header, status_of(run), certified(outcomes, radii), k, assumption, path=str(run.path)
    )


def top_k_report(runs: Sequence[TopKFigures]) -> Report:
    """Return one table for several runs at the same k and radii, with notes below it."""
    k = runs[0].k
    columns = [
        Column("run" if any(run.own_name for run in runs) else "model"),
        Column("sigma", form=lambda sigma: f"{sigma:g}", symbols=True),
        Column("inputs", form=grouped),
        Column(f"top-{k} ACR", form=decimals(4)),
        *(Column(f"r={in_full(r)}", form=percent, symbols=True) for r in runs[0].summary.radii),
    ]
    rows = [
        (
            Cell(run.label, status=run.status.removeprefix("complete")),
            run.header.noise.deviation,
            run.summary.inputs,
            run.summary.acr,
            *(run.summary.certified_accuracy or ()),
        )
        for run in runs
    ]
    notes, details = list(map(_note, runs)), [Note(_explained(k))]
    table = Table(columns, rows, headline(runs), notes, details)
    return Report([table], value=[run.to_json() for run in runs])


def _note(run: TopKFigures) -> Note:
    """Say what the figures rest on: never the run's bound and radius rule, which give others."""
    return Note(
        f"{printable(run.title)}: {printable(run.radii_of)}; n = {run.header.procedure.n:,}, "
        f"{surety(run.header.settings)}, {printable(run.header.arithmetic)} noise",
        (
            *declared(run),
            *cautions(run, run.assumption, surety),
        ),
    )


def _explained(k: int) -> str:
    among = "the most probable class" if k == 1 else f"among the {k} most probable classes"
    return (
        f"r=R: top-{k} certified accuracy, % of all inputs whose true class is certified, with "
        f"radius >= R, to be {among} of the smoothed classifier. "
        f"top-{k} ACR: mean of these radii, 0 where not certified. The true class was fixed before "
        "the noise was drawn, so the estimation samples alone are used, and none to select it. "
        "alpha/2 bounds the true class by Clopper-Pearson, alpha/2 all its rivals together, for "
        "every k at once. Radii are rounded down."
    )
