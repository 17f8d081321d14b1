"""Top-k figures: of all rows, for the true class, from the estimation counts alone."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from headers import record_of
from reported import row

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import Gaussian, Laplace
from rsonnx.procedures import Adaptive, CertificateCounts, Fixed, Procedure
from rsonnx.procedures.top_k import certify_top_k
from rsonnx.report import FORMATS, fraction_down
from rsonnx.report.top_k import TopKFigures, top_k_figures, top_k_report
from rsonnx.runs import Header, Row, Run
from rsonnx.runs.records import Settings

RULE = Fixed(Gaussian(0.5), 10, 1000, 0.001, num_classes=5)
COUNTS = (
    Counts([5, 990, 5]),  # the true class, 1, leads
    Counts([600, 300, 50, 50]),  # it is second
    Counts([400, 200, 200, 100, 100]),  # second or third
    Counts([1000]),  # it was never seen
    Counts([0, 0, 0], 1000),  # nothing but NaN
)
ROWS = [row(i, 0.5, estimation=counts) for i, counts in enumerate(COUNTS)]
RADII = (0.0, 0.25, 0.5)


def figures(
    k: int, rows: list[Row] | None = None, procedure: Procedure = RULE, **changed: Any
) -> TopKFigures:
    """The figures of a run of these rows; a change is of its header, or how it ended."""
    status = changed.pop("status", "complete")
    header = Header.from_json(record_of(procedure, **changed))
    run = Run(Path("run.jsonl"), header, tuple(rows or ROWS), status)
    return top_k_figures(run, RADII, k)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_every_row_is_in_the_denominator(k: int) -> None:
    found = figures(k).summary
    each = [
        certify_top_k(counts, 1, k, sigma=0.5, num_classes=5, alpha=0.001).radius
        for counts in COUNTS
    ]
    assert each[3] == each[4] == 0.0
    assert found.inputs == 5
    assert found.certified_accuracy == tuple(
        Fraction(sum(r > 0 and r >= at for r in each), 5) for at in RADII
    )
    assert found.acr == pytest.approx(sum(each) / 5, rel=1e-15)
    assert found.acr <= sum(map(Fraction, each)) / 5


def test_more_is_certified_as_k_rises() -> None:
    at_zero = [figures(k).summary.certified_accuracy[0] for k in (1, 2, 3, 4)]
    assert at_zero == [Fraction(1, 5), Fraction(2, 5), Fraction(3, 5), Fraction(3, 5)]
    acr = [figures(k).summary.acr for k in (1, 2, 3, 4)]
    assert acr == sorted(acr)


def test_selection_and_what_it_chose_do_not_matter() -> None:
    other = [
        replace(
            r,
            counts=CertificateCounts(Counts([9, 0, 1]), r.estimation),
            prediction=0,
            top_class=0,
            radius=9.0,
        )
        for r in ROWS
    ]
    assert figures(2, other) == figures(2)


def test_the_table_and_its_json() -> None:
    run = figures(2, model={"file": "a\x1b[2J.onnx"}, status="interrupted")
    report = top_k_report([run, figures(2)])
    title, table, notes, _ = FORMATS["table"](report).split("\n\n")
    head, first, second = table.splitlines()
    assert head.split() == ["model", "sigma", "inputs", "top-2", "ACR", "r=0", "r=0.25", "r=0.5"]
    assert first.split()[:4] == ["a\\x1b[2J.onnx", "(interrupted)", "0.5", "5"]
    assert first.split()[5:] == second.split()[4:] == ["40.0", "20.0", "20.0"]
    assert notes.startswith(
        "a\\x1b[2J.onnx, sigma = 0.5 (run.jsonl): l2 radius in input values between"
    )
    assert "interrupted: the figures are of the 5 of" in title
    found = json.loads(FORMATS["json"](report))[1]
    assert (found["top_k"], found["top_k_acr"]) == (2, fraction_down(figures(2).summary.acr))
    assert (found["radii"], found["top_k_certified_accuracy"][0]) == ([0.0, 0.25, 0.5], 0.4)
    assert found["top_k_certified_accuracy_count"] == [2, 1, 1]
    assert (found["model"], found["inputs"], found["n"]) == ("tiny.onnx", 5, 1000)
    assert (found["alpha"], found["norm"], found["sigma"]) == (0.001, "l2", 0.5)


def test_rows_without_a_label_are_refused() -> None:
    rows = [ROWS[0], replace(ROWS[1], label=None), replace(ROWS[2], label=None)]
    with pytest.raises(UsageError, match=r"2 of 3 inputs of run.jsonl have no label, but a top-2"):
        figures(2, rows)


def test_runs_of_another_kind_are_refused() -> None:
    adaptive = Adaptive(Gaussian(0.5), 10, 1000, 0.001, (0.25,))
    with pytest.raises(UsageError, match=r"run.jsonl is adaptive: .* with a fixed n"):
        figures(2, procedure=adaptive)
    for noise in (Laplace(0.5), Gaussian(0.5, "l1")):
        with pytest.raises(UsageError, match=r"radii in l1, but top-k certificates are for Gauss"):
            figures(2, procedure=replace(RULE, noise=noise))
    with pytest.raises(UsageError, match="does not say how many classes"):
        figures(2, procedure=replace(RULE, num_classes=None))
    with pytest.raises(UsageError, match="k is 5, but with 5 classes a number from 1 to 4"):
        figures(5)


def test_a_two_sided_run_has_the_same_counts() -> None:
    two_sided = figures(2, procedure=replace(RULE, radius_rule="two-sided"))
    assert two_sided.summary == figures(2).summary


@pytest.mark.parametrize("rule", [{"bound": "hoeffding"}, {"radius_rule": "two-sided"}])
def test_a_restated_run_names_no_rule_that_is_not_of_these_figures(rule: dict[str, str]) -> None:
    procedure = replace(RULE, alpha=0.01, **rule)
    before = asdict(Settings(0.001, procedure.bound, procedure.radius_rule))
    report = top_k_report([figures(2, procedure=procedure, restated_from=before)])
    said = FORMATS["markdown"](report)
    assert "0.01" in said
    assert "0.001" in said
    assert not any(word in said.casefold() for word in ("hoeffding", "-sided"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": 5},
        {"counts": CertificateCounts(Counts([9]), Counts([0, 999]))},
        {"counts": CertificateCounts(Counts([9]), Counts([0, 999, 2]))},
        {"counts": CertificateCounts(Counts([9]), Counts([0, 999, 0, 0, 0, 1]))},
    ],
)
def test_rows_that_contradict_the_run_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RunFileError, match=r"run\.jsonl, input 3: .* n = 1,000 and 5 classes"):
        figures(2, [*ROWS, replace(row(3, 0.5, estimation=COUNTS[0]), **wrong)])
