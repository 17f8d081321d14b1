"""Runs on tables: what all the data decide is settled once, written down, and not found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from commands import lines_of, write_lines
from onnx import TensorProto, helper
from onnx_models import save
from table_models import answers, column_model, table, write_table

import rsonnx
from rsonnx.errors import DataError, RsonnxError, RunFileError, UsageError
from rsonnx.runs import Sample, merge

DRAW: dict[str, Any] = {
    "sigma": "0.25std",
    "bounds": "auto",
    "n": 300,
    "n0": 20,
    "seed": 3,
    "providers": "cpu",
    "sample": Sample(12),
}


@pytest.fixture(scope="module")
def columns() -> dict[str, list[object]]:
    """Return a table whose labels are what the model answers."""
    read = table()
    return {**read, "y": [int(answer) for answer in answers(column_model(), read)]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(column_model(), tmp_path_factory.mktemp("model"))


@pytest.fixture
def data(columns: dict[str, list[object]], tmp_path: Path) -> Path:
    return write_table(tmp_path / "data.csv", columns)


def test_the_header_holds_what_all_the_data_span(
    model: Path, data: Path, columns: dict[str, list[object]]
) -> None:
    """Not the twelve inputs of the run alone; text and whole numbers are fixed."""
    run = rsonnx.certify(model, data, **DRAW)
    header = run.header.to_json()
    assert [c["name"] for c in header["data"]["columns"]] == ["n", "a", "k", "b"]
    assert [c["fixed"] for c in header["data"]["columns"]] == [True, False, True, False]
    assert header["data"]["columns"][2]["texts"] == list(dict.fromkeys(columns["k"]))
    sigmas = header["noise"]["parameters"]["sigmas"]
    deviations = [0, np.std(columns["a"]), 0, np.std(columns["b"])]
    np.testing.assert_allclose(sigmas, 0.25 * np.array(deviations, float), rtol=1e-5)
    every = [*columns["a"], *columns["b"], *columns["n"]]  # that n is fixed, the model alone says
    assert (header["model"]["bounds"]["low"], header["model"]["bounds"]["high"]) == (
        min(map(float, every)),
        max(map(float, every)),
    )
    assert [row.base_prediction for row in run.rows] == [row.label for row in run.rows]
    assert "fixed" in run.header.claim
    assert max(row.radius for row in run.rows) > 0


def test_parts_resumed_and_replayed_runs_have_the_same_numbers(
    model: Path, data: Path, tmp_path: Path
) -> None:
    """Shards, a run that goes on, and a replay of it."""
    whole = tmp_path / "whole.jsonl"
    run = rsonnx.certify(model, data, output=whole, **DRAW)
    parts = [tmp_path / f"part{at}.jsonl" for at in (1, 2)]
    for at, part in enumerate(parts, start=1):
        rsonnx.certify(model, data, output=part, shard=f"{at}/2", **DRAW)
    merged = merge(parts)
    assert merged.header.noise == run.header.noise
    assert [row.counts for row in merged.rows] == [row.counts for row in run.rows]
    begun = write_lines(tmp_path / "begun.jsonl", lines_of(whole)[:5])
    again = rsonnx.certify(model, data, output=begun, resume=True, **DRAW)
    assert [row.counts for row in again.rows] == [row.counts for row in run.rows]
    assert not rsonnx.verify(begun, model=model, data=data, replay=3).faults


@pytest.mark.parametrize("change", ["a number", "a text for another", "a text everywhere", "a row"])
def test_changed_data_are_refused(
    change: str, model: Path, data: Path, columns: dict[str, list[object]], tmp_path: Path
) -> None:
    """By a run that goes on and by a check, where all codes are the same too."""
    run = tmp_path / "run.jsonl"
    rsonnx.certify(model, data, output=run, **DRAW)
    changed = {name: list(values) for name, values in columns.items()}
    if change == "a number":
        changed["a"][0] = 0.125
    elif change == "a text for another":
        changed["k"][0] = next(kind for kind in changed["k"] if kind != changed["k"][0])
    elif change == "a text everywhere":
        other = {"red": "green", "green": "blue", "blue": "red"}
        changed["k"] = [other[str(kind)] for kind in changed["k"]]
    else:
        changed = {name: values + values[-1:] for name, values in changed.items()}
    other_data = write_table(tmp_path / "other.csv", changed)
    begun = write_lines(tmp_path / "begun.jsonl", lines_of(run)[:5])
    with pytest.raises(RsonnxError):
        rsonnx.certify(model, other_data, output=begun, resume=True, **DRAW)
    with pytest.raises(RunFileError):
        rsonnx.verify(run, model=model, data=other_data)


def test_named_columns_and_plain_sigma(model: Path, data: Path) -> None:
    """One sigma for all columns that are not fixed; another law is refused."""
    run = rsonnx.certify(model, data, **DRAW | {"sigma": 0.5}, fixed_columns="b")
    assert run.header.noise.parameters["sigmas"] == [0, 0.5, 0, 0]
    with pytest.raises(UsageError, match="laplace"):
        rsonnx.certify(model, data, **DRAW | {"sigma": 0.5, "noise": "laplace"})


def test_a_constant_column_has_no_share_of_its_deviation(
    model: Path, columns: dict[str, list[object]], tmp_path: Path
) -> None:
    data = write_table(tmp_path / "data.csv", columns | {"a": [0.1] * len(columns["a"])})
    with pytest.raises(UsageError, match="'a'"):
        rsonnx.certify(model, data, **DRAW)
    assert rsonnx.certify(model, data, **DRAW, fixed_columns=["a"]).header.noise.fixed == (0, 1, 2)


@pytest.mark.parametrize(
    "content",
    ["a,0.5\nb,0.25\n", "column\tsigma\nb\t0.25\na\t0.5\n", '{"b": 0.25, "a": 0.5, "k": 0}'],
)
def test_sigmas_by_the_names_of_columns(
    content: str, model: Path, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "sigmas"
    path.write_text(content)
    run = rsonnx.certify(model, data, **DRAW | {"sigma": str(path)})
    assert run.header.noise.parameters["sigmas"] == [0, 0.5, 0, 0.25]


@pytest.mark.parametrize(
    ("content", "named"),
    [("a,0.5\n", "b"), ("a,1\nb,1\nz,1\n", "'z'"), ('{"a": 1, "b": 1, "k": 1}', "'k'")],
)
def test_sigmas_of_other_columns_are_refused(
    content: str, named: str, model: Path, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "sigmas"
    path.write_text(content)
    with pytest.raises(DataError, match=named):
        rsonnx.certify(model, data, **DRAW | {"sigma": str(path)})


def test_a_loaded_classifier_takes_the_columns_that_it_was_loaded_for(
    model: Path, data: Path, columns: dict[str, list[object]]
) -> None:
    """One that was loaded without the table does not know its texts."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["s"])],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("s", TensorProto.FLOAT, ["N", 4])],
    )
    wide = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    classifier = rsonnx.load(wide, preprocess="none", bounds=(-10, 10))
    with pytest.raises(DataError, match="loaded"):
        rsonnx.certify(classifier, data, sigma=0.5, n=300)


@pytest.mark.parametrize("change", ["kept", "one more", "a text for a number"])
def test_a_header_whose_columns_are_not_those_of_its_noise_is_refused(
    change: str, model: Path, data: Path, tmp_path: Path
) -> None:
    """It would say of a column that it gets noise which does not, or the other way."""
    path = tmp_path / "run.jsonl"
    rsonnx.certify(model, data, output=path, **DRAW)
    lines = lines_of(path)
    columns = lines[0]["data"]["columns"]
    if change == "kept":
        columns[0]["fixed"] = False
    elif change == "one more":
        columns.append({"name": "z", "fixed": False, "texts": []})
    else:
        columns[1]["texts"] = "red"
    with pytest.raises(RunFileError, match="column"):
        rsonnx.read_run(write_lines(path, lines))


def test_a_data_frame_is_the_same_data(
    model: Path, data: Path, columns: dict[str, list[object]]
) -> None:
    runs = [rsonnx.certify(model, given, **DRAW) for given in (data, pandas.DataFrame(columns))]
    one, other = runs
    assert one.header.noise == other.header.noise
    assert [(row.digest, row.counts) for row in one.rows] == [
        (row.digest, row.counts) for row in other.rows
    ]


def test_labels_that_are_texts_meet_the_models_names(
    model: Path, columns: dict[str, list[object]], tmp_path: Path
) -> None:
    """Whatever order they stand in; names that are none of the model's are refused."""
    names = ["middle", "high", "low"]
    named = tmp_path / "named.onnx"
    named.write_bytes(rsonnx.declare(model, classes=names))
    labels = [names[int(str(label))] for label in columns["y"]]
    run = rsonnx.certify(named, write_table(tmp_path / "t.csv", columns | {"y": labels}), **DRAW)
    assert [row.label for row in run.rows] == [row.base_prediction for row in run.rows]
    other = write_table(tmp_path / "other.csv", columns | {"y": [f"{x}er" for x in labels]})
    with pytest.raises(DataError, match="middle"):
        rsonnx.certify(named, other, **DRAW)


def test_a_table_without_labels_is_answered(
    model: Path, columns: dict[str, list[object]], tmp_path: Path
) -> None:
    data = write_table(tmp_path / "t.csv", {k: v for k, v in columns.items() if k != "y"})
    options = {key: value for key, value in DRAW.items() if key not in ("n", "n0")}
    made = rsonnx.predict(model, data, n=50, label_column="none", **options)
    assert [prediction.label for prediction in made] == [None] * 12
