"""The table of a header's fields, held to headers of every procedure and of every version."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from commands import lines_of, write_lines

from rsonnx.errors import RunFileError
from rsonnx.runs import Header, read_part, read_run
from rsonnx.runs.attest import check_statement, statement
from rsonnx.runs.header_fields import HEADER
from rsonnx.runs.header_schema import header_schema

FILES = sorted((Path(__file__).parents[1] / "golden").glob("**/*.jsonl"))
RECORDS = {path.stem: lines_of(path)[0] for path in FILES}
OTHERS: tuple[Any, ...] = (
    *(None, True, 3, 0.5, -1, 10**400, float("nan"), float("inf")),
    *("x", "1", "\udc80", "9" * 5000, [], [[]], [None], ["x"], [3], {}, {"x": {}}, {"1": 2}),
)
"""Values of which each field takes some and refuses the others."""


def _inside(record: dict[str, Any], path: str) -> tuple[dict[str, Any] | None, str]:
    """Return the object that a field is inside of, None where there is none, and its name in it."""
    *parents, name = path.split(".")
    inside: Any = record
    for parent in parents:
        inside = inside.get(parent)
        if not isinstance(inside, dict):
            return None, name
    return inside, name


def _objects(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield value
    for inner in value.values():
        if isinstance(inner, dict):
            yield from _objects(inner)


@pytest.mark.parametrize(("turn", "name"), list(enumerate(RECORDS)))
def test_a_field_that_is_missing_or_of_another_kind_is_named(turn: int, name: str) -> None:
    """Each value stands in each field in one of three records."""
    refused, record = 0, copy.deepcopy(RECORDS[name])
    for field in HEADER:
        inside, last = _inside(record, field.path)
        if inside is None or last not in inside:
            continue
        own = inside[last]
        for value in OTHERS[turn % 3 :: 3]:
            if not field.kind.accepts(value):
                inside[last] = value
                with pytest.raises(RunFileError, match=r"line 1|header") as caught:
                    Header.from_json(record)
                assert last in str(caught.value)
                assert len(str(caught.value)) < 400
                refused += 1
        del inside[last]
        if field.since == 1:
            with pytest.raises(RunFileError, match=last):
                Header.from_json(record)
        inside[last] = own
    assert refused > 300


@pytest.mark.parametrize("name", RECORDS)
def test_a_field_that_no_header_has_is_refused(name: str) -> None:
    """But for names that are a model's or another program's, to which a header maps values."""
    maps = ("feeds", "opset", "left_out", "engine", "versions", "fields")
    record = RECORDS[name]
    free = [id(inner[key]) for inner in _objects(record) for key in maps if key in inner]
    free.append(id(record["arguments"]["resolved"]["preprocess"]))  # which is that of the model
    for number, there in enumerate(_objects(record)):
        if id(there) not in free:
            forged = copy.deepcopy(record)
            list(_objects(forged))[number]["radius_"] = 9.0
            with pytest.raises(RunFileError):
                Header.from_json(forged)


@pytest.mark.parametrize("name", RECORDS)
def test_the_schema_is_that_of_the_table(name: str) -> None:
    schema = jsonschema.Draft202012Validator(header_schema())
    record = copy.deepcopy(RECORDS[name])
    schema.validate(record)
    record["unknown"] = 1
    assert not schema.is_valid(record)


def _other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value + 0.125
    if isinstance(value, list):
        return [*value[:-1], _other(value[-1])] if value else ["x"]
    if isinstance(value, dict):
        return {**value, "source": "x"}
    return "x" if value is None else f"x{value}"


_OPTIONS = (
    *("bounds", "preprocess", "providers", "float16", "share_noise", "family_wise", "exif"),
    *("limit", "skip_every", "first", "n", "n0", "alpha", "bound", "radius", "adaptive"),
    *("norm", "lam", "sigma", "noise", "target_radius"),
)
DECIDING = ("adaptive", "adaptive-family-wise", "target")
ADAPTIVE = (*DECIDING, *(f"{name}-e-process" for name in DECIDING))
INTERVALS = ("rotation", "scaling")
COVERED = (*INTERVALS, "padded-translation")
UNSAMPLED = ("splitting", "columns", "blocks", "exact", "exact-linear")
EXCEPT = {
    # Where the bound does not need it, the model alone says it.
    "model.classes": (*ADAPTIVE, "precision", *UNSAMPLED, *COVERED),
    "arguments.resolved.noise": ("per-feature", "table", *INTERVALS),  # another option means it
    # Options that have no part in it.
    "arguments.resolved.n": UNSAMPLED,
    "arguments.resolved.n0": UNSAMPLED,
    "arguments.resolved.alpha": UNSAMPLED,
    "arguments.resolved.bound": (*ADAPTIVE, *UNSAMPLED, *COVERED),
    "arguments.resolved.radius": (*ADAPTIVE, *UNSAMPLED, *COVERED),
    "arguments.resolved.adaptive": (*UNSAMPLED, *COVERED),
}
FOLLOW = (
    *("claim", "largest_radius", "num_classes", "data.inputs", "data.manifest", "model.classes"),
    *("noise.units", "noise.generator", "noise.shared", "noise.norm", "noise.sigma"),
    *("model.bounds.high", "model.threshold", "alpha", "family_wise", "shard.index"),
    *(f"arguments.resolved.{name}" for name in _OPTIONS),
)


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "oldest"])
def test_a_field_that_follows_from_others_is_held_to_them(path: Path, tmp_path: Path) -> None:
    lines = lines_of(path)
    for field in FOLLOW:
        forged = [copy.deepcopy(lines[0]), *lines[1:]]
        inside, last = _inside(forged[0], field)
        if inside is None or last not in inside or path.stem in EXCEPT.get(field, ()):
            continue
        value = inside[last]
        if value is None and field not in ("family_wise", "num_classes"):
            continue
        inside[last] = 0.5 if field == "family_wise" and value is None else _other(value)
        write_lines(tmp_path / "run.jsonl", forged)
        try:
            read_part(tmp_path / "run.jsonl")
        except RunFileError:
            continue
        pytest.fail(f"{field} is {value!r}, and {inside[last]!r} is taken for it")


@pytest.mark.parametrize("name", ["fixed", "adaptive", "columns", "oldest"])
def test_a_statement_has_the_very_header_of_the_run_file(name: str) -> None:
    run = read_run(Path(__file__).parents[1] / "golden" / "runs" / f"{name}.jsonl")
    honest = json.loads(json.dumps(statement(run, {"rows": 3})))
    assert check_statement(run, {"rows": 3}, honest) == []
    header = honest["predicate"]["header"]
    for number, there in enumerate(_objects(header)):
        for key in (*there, "unknown"):
            forged = copy.deepcopy(honest)
            inside = list(_objects(forged["predicate"]["header"]))[number]
            inside[key] = _other(inside.get(key))
            assert check_statement(run, {"rows": 3}, forged)
        for key, value in there.items():
            if type(value) is int or type(value) is bool:  # to Python the same
                forged = copy.deepcopy(honest)
                list(_objects(forged["predicate"]["header"]))[number][key] = float(value)
                assert check_statement(run, {"rows": 3}, forged)
