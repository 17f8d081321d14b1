"""Certified accuracy and ACR against a few lines that follow the definitions word by word."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import row

from rsonnx.errors import UsageError
from rsonnx.procedures import ABSTAIN, default_radii
from rsonnx.report import check_radii, fraction_down, summarize
from rsonnx.runs import Row


def _row(index: int, label: int | None, prediction: int, radius: float, **changed: Any) -> Row:
    radius = -1.0 if prediction == ABSTAIN else radius
    return row(index, radius, **{"label": label, "prediction": prediction} | changed)


# Few classes and few radii, so that ties at a radius of the table are common.
radius_values = st.sampled_from((0.0, 0.1, 0.25, 0.30000000000000004, 0.5)) | st.floats(0, 4)
labels = st.integers(0, 2)


@st.composite
def run_rows(draw: st.DrawFn, unlabelled: bool = False) -> list[Row]:
    label = st.none() | labels if unlabelled else labels
    return [
        _row(
            index,
            draw(label),
            draw(st.integers(-1, 2)),
            draw(radius_values),
            base_prediction=draw(st.integers(-1, 2)),
        )
        for index in range(draw(st.integers(1, 12)))
    ]


radii_lists = st.lists(radius_values, min_size=1, max_size=6, unique=True).map(sorted)


@given(run_rows(), radii_lists)
def test_the_definitions(rows: list[Row], radii: list[float]) -> None:
    found = summarize(rows, radii)
    right = [row.prediction == row.label and row.prediction != ABSTAIN for row in rows]
    hits = [[ok and row.radius >= r for ok, row in zip(right, rows, strict=True)] for r in radii]
    assert found.certified_accuracy == tuple(Fraction(sum(h), len(rows)) for h in hits)
    mean = sum(Fraction(row.radius) if ok else 0 for ok, row in zip(right, rows, strict=True))
    assert found.acr == Fraction(mean, len(rows))
    assert found.to_json()["acr"] == fraction_down(found.acr)
    wrong = [row.prediction not in (row.label, ABSTAIN) for row in rows]
    assert found.wrong == sum(wrong)
    base = [row.base_prediction == row.label for row in rows]
    assert found.standard_accuracy == Fraction(sum(base), len(rows))
    assert found.inputs == len(rows)
    assert found.abstained == sum(row.prediction == ABSTAIN for row in rows)
    assert sum(found.abstentions.values()) == found.abstained


@given(run_rows(), radii_lists)
def test_shares_fall_with_the_radius_and_json_has_them_with_their_counts(
    rows: list[Row], radii: list[float]
) -> None:
    found = summarize(rows, radii)
    accuracy, standard = found.certified_accuracy, found.standard_accuracy
    assert accuracy is not None
    assert standard is not None
    assert list(accuracy) == sorted(accuracy, reverse=True)
    pairs = zip(accuracy, found.certified_share, strict=True)
    assert all(0 <= right <= certified <= 1 for right, certified in pairs)
    written = found.to_json()
    for name, exact in (
        ("certified_accuracy", accuracy),
        ("certified_share", found.certified_share),
        ("standard_accuracy", (standard,)),
    ):
        counts, shares = written[f"{name}_count"], written[name]
        pairs = zip(counts, shares, strict=True) if isinstance(shares, list) else [(counts, shares)]
        for (k, share), value in zip(pairs, exact, strict=True):
            assert share == k / len(rows) == float(value)
    assert written["radii"] == radii


@given(run_rows(unlabelled=True), radii_lists)
def test_one_unlabelled_row_makes_every_accuracy_unknown(
    rows: list[Row], radii: list[float]
) -> None:
    rows = [*rows, _row(len(rows), None, 0, 1.0)]
    found = summarize(rows, radii)
    assert not found.labelled
    assert (found.standard_accuracy, found.certified_accuracy, found.acr) == (None, None, None)
    written = found.to_json()
    assert [written[k] for k in ("standard_accuracy", "certified_accuracy", "acr")] == [None] * 3
    certified = [sum(not row.abstained and row.radius >= r for row in rows) for r in radii]
    assert found.certified_share == tuple(Fraction(k, len(rows)) for k in certified)


def test_a_radius_counts_where_it_is_reached_exactly() -> None:
    rows = [_row(0, 1, 1, 0.5), _row(1, 1, ABSTAIN, 0.0), _row(2, 1, 0, 9.0)]
    found = summarize(rows, [0.0, 0.5, 0.5000000000000001])
    assert found.certified_accuracy == (Fraction(1, 3), Fraction(1, 3), Fraction(0))
    assert found.certified_share == (Fraction(2, 3), Fraction(2, 3), Fraction(1, 3))
    assert found.acr == Fraction(1, 6)


@pytest.mark.parametrize(
    "radii",
    [[], [-0.1], [0.5, 0.25], [0.5, 0.5], [float("nan")], [0.0, float("nan")], [float("inf")]],
)
def test_radii_that_make_no_table_are_refused(radii: Sequence[float]) -> None:
    with pytest.raises(UsageError, match="radii are"):
        check_radii(radii)
    with pytest.raises(UsageError, match="radii are"):
        summarize([_row(0, 1, 1, 0.5)], radii)
    with pytest.raises(UsageError, match="no inputs"):
        summarize([], [0.0])


@given(st.floats(1e-300, 1e300))
def test_default_radii_are_valid_for_any_run(largest: float) -> None:
    radii = default_radii(largest)
    check_radii(radii)
    assert radii[0] == 0.0
    assert radii[-1] <= largest
    assert len(radii) <= 9


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (0.675, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)),
        (0.2, (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2)),
        (0.5, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        (2.7, (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)),
        (4.0, (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)),
        (300.0, (0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0)),
    ],
)
def test_default_radii_are_round(largest: float, expected: tuple[float, ...]) -> None:
    assert default_radii(largest) == expected
