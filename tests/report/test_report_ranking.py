"""The best of a column: exact, with all ties, and only where runs can be compared."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import Line, changed_header, figures, row

from rsonnx.noise import Uniform
from rsonnx.report import log_figures
from rsonnx.report.figures import ACR, STANDARD
from rsonnx.report.ranking import rank

AT = (0.0, 0.5)
ONE = figures([1.0, 0.5, 0.25, -1.0])
TWO = figures([1.5, 0.25, 0.25, -1.0])


def test_ties_are_all_best() -> None:
    found = rank([ONE, TWO, ONE])
    assert found.best == (
        frozenset({STANDARD, 0.0, 0.5}),
        frozenset({STANDARD, 0.0, ACR}),
        frozenset({STANDARD, 0.0, 0.5}),
    )
    assert found.note is not None
    assert "ties are all marked" in found.note


radii = st.lists(st.sampled_from((-1.0, 0.0, 0.25, 0.5, 1.0)), min_size=5, max_size=5)


@given(st.lists(radii, min_size=2, max_size=4))
def test_the_best_is_the_largest(runs: list[list[float]]) -> None:
    found = rank([figures(one) for one in runs])
    for column in (ACR, *AT):
        values = [
            sum((Fraction(r) for r in one if r >= 0), Fraction(0))
            if column == ACR
            else sum(r >= float(column) for r in one)
            for one in runs
        ]
        assert [column in best for best in found.best] == [v == max(values) for v in values]


def test_equal_as_printed_is_not_equal() -> None:
    low, high = figures([1.0, 0.50001]), figures([1.0, 0.50002])
    assert [ACR in best for best in rank([low, high]).best] == [False, True]
    assert (rank([low]).note, rank([low]).marked) == (None, False)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (figures([1.0], status="interrupted"), "two complete, labelled runs"),
        (figures([row(0, 1.0, label=None)]), "two complete, labelled runs"),
        (figures([1.0, 0.5, 0.25]), "not of the same inputs"),
        (figures([row(i, 1.0, digest=f"other {i}") for i in range(4)]), "not of the same inputs"),
        (figures([row(i, 1.0, digest="") for i in range(4)]), "not of the same inputs"),
        (figures([row(i, 1.0, label=2) for i in range(4)]), "with the same labels"),
        (figures([1.0] * 4, noise=Uniform(2.0, "linf", 4)), "different norms or units"),
        (figures([1.0] * 4, units="input values between 0 and 255"), "different norms or units"),
        (figures([1.0] * 4, alpha=0.01), "different alphas"),
        (log_figures("x", [Line(1, 1, 1.0)], AT), "two complete, labelled runs"),
    ],
)
def test_what_cannot_be_compared_has_no_best(other: Any, reason: str) -> None:
    for runs in ([ONE, other], [other, ONE]):
        found = rank(runs)
        assert not found.marked
        assert found.note is not None
        assert found.note.startswith("No best is marked: ")
        assert reason in found.note


def test_the_others_are_compared_where_one_is_not_complete() -> None:
    late = replace(TWO, status="interrupted")
    found = rank([ONE, late, figures([0.1, 0.1, 0.1, 0.1])])
    assert found.best[1] == frozenset()
    assert ACR in found.best[0]
    assert "1 of 3 are not among them" in str(found.note)


def test_an_adaptive_run_is_compared_where_it_decided() -> None:
    adaptive = replace(TWO, header=changed_header(target_radii=(0.5,)))
    found = rank([ONE, adaptive])
    assert found.best == (frozenset({STANDARD, 0.5}), frozenset({STANDARD}))
    assert "left undecided are not marked" in str(found.note)
