"""Rows: one table of fields from which all that reads, writes and describes them comes."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from headers import certified_row, row_of
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError
from rsonnx.noise import Cover
from rsonnx.procedures import ABSTAIN, AbstainReason, CertificateCounts, certify_from_counts
from rsonnx.runs import CountsRow, Row, read_part
from rsonnx.runs.row_fields import FIELDS, MEANING, columns_of, row_schema

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "runs").glob("*.jsonl"))

per_class = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)
counts = st.builds(Counts, per_class, st.integers(0, 10**9))
finite = st.floats(0, sys.float_info.max, allow_nan=False)


@st.composite
def covers(draw: st.DrawFn) -> Cover:
    edges = sorted(draw(st.sets(st.floats(-180, 180), min_size=2, max_size=6)))
    samples = draw(
        st.lists(st.integers(0, 10**6), min_size=len(edges) - 1, max_size=len(edges) - 1)
    )
    shifts = draw(st.booleans())
    return Cover(
        edges=() if shifts else tuple(edges),
        centres=tuple((round(at), -1) for at in edges[1:]) if shifts else tuple(edges[1:]),
        radii=tuple(0.25 for _ in samples),
        hits=tuple(draw(st.integers(0, n)) for n in samples),
        samples=tuple(samples),
    )


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
        cover=draw(st.none() | covers()),
    )


@given(rows())
def test_a_row_survives_json_to_the_last_bit(row: Row) -> None:
    read = Row.from_json(json.loads(json.dumps(row.to_json(), allow_nan=False)))
    assert read == row
    assert (read.radius.hex(), read.p_a_lower.hex()) == (row.radius.hex(), row.p_a_lower.hex())
    assert type(read.label) is type(row.label)


@given(per_class, st.integers(0, 50))
def test_a_certificate_becomes_a_row_that_gives_it_back(found: list[int], nothing: int) -> None:
    estimation = Counts([k + 1 for k in found], nothing)
    certificate = certify_from_counts(Counts([1, 5]), estimation, sigma=0.25, alpha=0.01)
    again = Row.from_json(json.loads(json.dumps(row_of(certificate).to_json())))
    stages = (again.selection, again.estimation)
    assert certify_from_counts(*stages, sigma=0.25, alpha=0.01) == certificate
    assert (again.prediction, again.radius) == (certificate.label, certificate.radius)
    assert again.abstained == (again.prediction == ABSTAIN) == (again.reason is not None)


def test_a_certified_row_is_correct_only_with_the_true_label() -> None:
    found = [certified_row(label=label).correct for label in (3, 2, None)]
    assert found == [True, False, False]
    assert not certified_row(hits=500, label=3).correct


def test_one_table_is_the_source_of_all() -> None:
    names = [field.name for field in FIELDS]
    assert list(MEANING) == names
    assert all(MEANING.values())
    plain, calculated = certified_row(), replace(certified_row(), p_a_upper=1.0, cover=Cover())
    usual = [field.name for field in FIELDS if not field.rare]
    assert list(plain.to_json()) == ["kind", *usual]
    assert list(calculated.to_json()) == ["kind", *names]
    own, all_of_them = (
        [c.name for c in columns_of(rows)] for rows in ([plain], [plain, calculated])
    )
    assert [name for name in all_of_them if name not in own] == [
        "p_a_upper",
        "cover_cells",
        "cover_counted",
    ]
    assert {field.name for field in fields(Row)} == {f.name for f in FIELDS if not f.derived}
    schema = row_schema()
    assert schema["required"] == ["kind", *usual]
    assert list(schema["properties"]) == ["kind", *names]
    # Every field has its columns, in the table's order, and nothing else has.
    columns = columns_of([calculated])
    owners = [next(n for n in names if c.name == n or c.name.startswith(f"{n}_")) for c in columns]
    assert list(dict.fromkeys(owners)) == names
    nested = {"counts", "samples", "claim", "cover"}
    assert all(owners.count(name) == (2 if name in nested else 1) for name in names)


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(row_schema())
    return jsonschema.Draft202012Validator(row_schema())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_rows_of_every_time_follow_the_schema(path: Path, validator: Any) -> None:
    for row in read_part(path).rows:
        assert validator.is_valid(row.to_json()) is isinstance(row, Row)
        if isinstance(row, CountsRow):
            assert CountsRow.from_json(row.to_json()) == row


def test_the_schema_accepts_what_the_reader_accepts(validator: Any) -> None:
    row = certified_row().to_json()
    for field in FIELDS:
        for value in (True, 1.5, "1", [1], {"a": 1}, -2, 2**53 + 1, None):
            if field.flat == "real" and value == 2**53 + 1:
                continue  # which no double is: a schema does not know how a number was written
            valid = validator.is_valid(row | {field.name: value})
            assert valid is field.kind.accepts(value), (field.name, value)


WRONG = (True, 1.5, "1", [1], {"a": 1}, -2, -0.0, 1.0, 10**400, float("nan"), float("inf"), None)
WRONG += (2**53 + 1, "\ud800")
ALLOWED: dict[str, tuple[Any, ...]] = (
    dict.fromkeys(("label", "reason", "p_b_upper", "uniform", "claim", "cover"), (None,))
    | {"name": ("1", "\ud800"), "explanation": ("1", None), "p_a_lower": (1.0,)}
    | dict.fromkeys(("radius", "seconds"), (1.0, 1.5))
    | dict.fromkeys(("p_a_upper", "p_b_upper", "uniform"), (None, 1.0))
    | {"one_sided_radius": (None, 1.0, 1.5)}
)


@pytest.mark.parametrize("name", MEANING)
def test_a_field_that_is_missing_or_of_another_kind_is_refused(name: str) -> None:
    value = certified_row().to_json()
    if name in value:
        with pytest.raises(RunFileError, match=f"'{name}' is missing"):
            Row.from_json({key: kept for key, kept in value.items() if key != name})
    for wrong in WRONG:
        if json.dumps(wrong) not in map(json.dumps, ALLOWED.get(name, ())):  # 1 is not true
            with pytest.raises(RunFileError, match=name) as caught:
                Row.from_json(value | {name: wrong})
            assert len(str(caught.value)) < 300


def test_a_field_that_no_row_has_is_refused() -> None:
    with pytest.raises(RunFileError, match="'later'"):
        Row.from_json(certified_row().to_json() | {"later": 1})


NO_COUNTS = [
    *({key: 5} for key in ("-1", "01", " 1", "1_0", "class", "99999999999")),  # of 800 GB
    *({"1": count} for count in (5.0, True, 0, -1, 2**63, 10**400)),  # would wrap below 0
    *({"no_class": count} for count in (1.5, "1")),
    [1, 2],
    "1",
    None,
]  # fmt: skip
NO_CLAIM = [
    {"hits": 3},
    {"hits": 3, "samples": 5, "more": 0},
    *({"hits": hits, "samples": 5} for hits in (-1, True, None, 5.0, 10**400)),
    [3, 5],
    "3 of 5",
]
NO_SAMPLES = [{"selection": 100, "estimation": 999}, {"estimation": 1000}, [100, 1000], None, {}]
CONTRADICTIONS: list[dict[str, Any]] = [
    *({"counts": {"selection": one, "estimation": {"3": 1000}}} for one in NO_COUNTS),
    *({"counts": one} for one in ([], "x", 3, None, {})),
    *({"claim": one} for one in NO_CLAIM),
    *({"samples": one} for one in NO_SAMPLES),
    {"abstained": True},
    {"abstained": 0},
    {"prediction": -1},
    {"reason": "wrong-guess"},
    {"reason": "wrong-guess", "abstained": True},
    {"reason": "wrong-guess", "abstained": True, "prediction": -1},  # and a radius
]


@pytest.mark.parametrize("changed", CONTRADICTIONS, ids=lambda changed: str(changed)[:60])
def test_a_row_that_contradicts_itself_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(RunFileError) as caught:
        Row.from_json(certified_row().to_json() | changed)
    assert len(str(caught.value)) < 200
