"""Rows: an exact round trip through JSON, and a refusal of everything else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from headers import row_of
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError
from rsonnx.procedures import ABSTAIN, AbstainReason, CertificateCounts, certify_from_counts
from rsonnx.runs import Row
from rsonnx.runs.rows import MEANING

per_class = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)
counts = st.builds(Counts, per_class, st.integers(0, 10**9))
finite = st.floats(0, sys.float_info.max, allow_nan=False)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    reason = draw(st.none() | st.sampled_from(AbstainReason))
    return Row(
        index=draw(st.integers(0, 10**7)),
        name=draw(st.text()),
        digest=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        label=draw(st.none() | st.integers(0, 10**5)),
        base_prediction=draw(st.integers(-1, 10**5)),
        prediction=ABSTAIN if reason else draw(st.integers(0, 10**5)),
        top_class=draw(st.integers(-1, 10**5)),
        counts=CertificateCounts(draw(counts), draw(counts)),
        p_a_lower=draw(st.floats(0, 1)),
        radius=0.0 if reason else draw(finite),
        reason=reason,
        explanation=draw(st.text()) if reason else None,
        arithmetic=draw(st.sampled_from(("exact", "float"))),
        seconds=draw(st.integers(0, 10**8)) / 1000,
        p_b_upper=draw(st.none() | st.floats(0, 1)),
        one_sided_radius=draw(st.none() | finite),
        uniform=draw(st.none() | st.floats(0, 1, exclude_min=True)),
        claim=draw(st.none() | st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))),
    )


@given(rows())
def test_a_row_survives_json_to_the_last_bit(row: Row) -> None:
    read = Row.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False)))
    assert read == row
    assert (read.radius.hex(), read.p_a_lower.hex()) == (row.radius.hex(), row.p_a_lower.hex())
    assert (read.selection, read.estimation) == (row.selection, row.estimation)
    assert type(read.label) is type(row.label)


@given(per_class, st.integers(0, 50))
def test_a_certificate_becomes_a_row_that_gives_it_back(found: list[int], nothing: int) -> None:
    estimation = Counts([k + 1 for k in found], nothing)
    certificate = certify_from_counts(Counts([1, 5]), estimation, sigma=0.25, alpha=0.01)
    row = row_of(certificate, label=1)
    again = Row.from_json(json.loads(json.dumps(row.to_json())))
    derived = certify_from_counts(again.selection, again.estimation, sigma=0.25, alpha=0.01)
    assert derived.radius == again.radius
    assert derived.p_a_lower == again.p_a_lower
    assert derived.label == again.prediction
    assert again.abstained == (again.prediction == ABSTAIN) == (again.reason is not None)


def test_every_field_is_explained(make_row: Callable[..., Row]) -> None:
    assert set(make_row().to_json()) - {"kind"} == set(MEANING)
    assert all(MEANING.values())


def test_a_certified_row_is_correct_only_with_the_true_label(make_row: Callable[..., Row]) -> None:
    assert make_row(label=3).correct
    assert not make_row(label=2).correct
    assert not make_row(label=None).correct
    abstained = make_row(hits=500, label=3)
    assert abstained.abstained
    assert not abstained.correct


@pytest.mark.parametrize("field", sorted(MEANING))
def test_a_missing_field_is_named(field: str, make_row: Callable[..., Row]) -> None:
    value = make_row().to_json()
    del value[field]
    with pytest.raises(RunFileError, match=f"the field '{field}' is missing"):
        Row.from_json(value)


WRONG = (True, 1.5, "1", [1], {"a": 1}, -2, 10**400, float("nan"), float("inf"), None, "\ud800")
ALLOWED: dict[str, tuple[Any, ...]] = {
    "name": ("1", "\ud800"),
    "digest": ("1", "\ud800"),
    "arithmetic": ("1", "\ud800"),
    "explanation": ("1", "\ud800", None),
    "label": (None,),
    "reason": (None,),
    "radius": (1.5,),
    "seconds": (1.5,),
    "p_b_upper": (None,),
    "one_sided_radius": (None, 1.5),
    "uniform": (None,),
    "claim": (None,),
}


@pytest.mark.parametrize("field", sorted(set(MEANING) - {"counts", "abstained"}))
def test_values_of_the_wrong_kind_are_refused(field: str, make_row: Callable[..., Row]) -> None:
    for wrong in WRONG:
        if any(wrong is fine or wrong == fine for fine in ALLOWED.get(field, ())):
            continue
        with pytest.raises(RunFileError):
            Row.from_json(make_row().to_json() | {field: wrong})


@pytest.mark.parametrize(
    "selection",
    [
        {"-1": 5},  # would be the last class
        {"01": 5},
        {" 1": 5},
        {"1_0": 5},
        {"99999999999": 1},  # would ask for 800 GB
        {"1": 5.0},
        {"1": True},
        {"1": -1},
        {"1": 2**63},  # would wrap to a negative count
        {"1": 10**400},
        {"no_class": 1.5},
        {"no_class": "1"},
        {"class": 1},
        [1, 2],
        "1",
        None,
    ],
)
def test_counts_that_are_no_counts_are_refused(
    selection: Any, make_row: Callable[..., Row]
) -> None:
    value = make_row().to_json()
    value["counts"] = value["counts"] | {"selection": selection}
    with pytest.raises(RunFileError) as caught:
        Row.from_json(value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "claim",
    [
        {"hits": 3},
        {"hits": 3, "samples": 5, "more": 0},
        {"hits": -1, "samples": 5},
        {"hits": 3, "samples": 5.0},
        {"hits": True, "samples": 5},
        {"hits": None, "samples": 5},
        {"hits": 3, "samples": 10**400},
        [3, 5],
        "3 of 5",
    ],
)
def test_a_claim_that_is_none_is_refused(claim: Any, make_row: Callable[..., Row]) -> None:
    with pytest.raises(RunFileError) as caught:
        Row.from_json(make_row().to_json() | {"claim": claim})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "samples", [{"selection": 100, "estimation": 999}, {"estimation": 1000}, [100, 1000], None, {}]
)
def test_samples_that_the_counts_do_not_sum_to_are_refused(
    samples: Any, make_row: Callable[..., Row]
) -> None:
    with pytest.raises(RunFileError, match="samples is "):
        Row.from_json(make_row().to_json() | {"samples": samples})


@pytest.mark.parametrize("wrong", [[], "x", 3, None, {}])
def test_counts_without_stages_are_refused(wrong: Any, make_row: Callable[..., Row]) -> None:
    with pytest.raises(RunFileError):
        Row.from_json(make_row().to_json() | {"counts": wrong})


@pytest.mark.parametrize(
    "changed",
    [
        {"abstained": True},
        {"prediction": -1},
        {"reason": "wrong-guess"},
        {"reason": "wrong-guess", "abstained": True},
        {"reason": "wrong-guess", "abstained": True, "prediction": -1},  # and a radius
        {"abstained": 0},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(
    changed: dict[str, Any], make_row: Callable[..., Row]
) -> None:
    with pytest.raises(RunFileError, match=r"contradict|has a radius|abstained is"):
        Row.from_json(make_row().to_json() | changed)
