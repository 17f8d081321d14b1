"""Models with an input a column answer as onnxruntime does to each column in its own input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from table_models import answers, column_model, table, write_table

import rsonnx
from rsonnx.columns import Column
from rsonnx.data import open_dataset
from rsonnx.errors import DataError, ModelError, RsonnxError
from rsonnx.model import ModelSettings
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import load_with


def loaded(model: onnx.ModelProto, path: Path) -> OnnxClassifier:
    """Return a model with the columns of a table."""
    columns = open_dataset(path, label_column="none").reading.columns
    return load_with(model.SerializeToString(), ModelSettings((-100, 100), columns=columns))


@pytest.mark.parametrize("axes", [1, 2])
def test_every_row_is_answered_as_its_columns_are(axes: int, tmp_path: Path) -> None:
    """In one batch, which the graph proves to hold rows apart; the columns are in another order."""
    columns, model = table(), column_model(axes)
    path = write_table(tmp_path / "t.csv", columns)
    dataset = open_dataset(path, label_column="none")
    classifier = loaded(model, path)
    rows = np.stack([dataset[at].values for at in range(len(dataset))]).astype(np.float32)
    assert np.array_equal(classifier.classify(rows), answers(model, columns))
    assert len(set(answers(model, columns))) == 3
    assert classifier.rows == "proved"
    assert [column.name for column in classifier.columns if column.fixed] == ["n", "k"]
    assert classifier.facts["input"]["name"] == "a, b, k, n"
    elsewhere = classifier.elsewhere.classifier()  # as workers get it
    assert np.array_equal(elsewhere.classify(rows), answers(model, columns))


def numbers(names: Sequence[str], *widths: int, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """Return a model that scores the values of float inputs, joined in the file's order."""
    graph = helper.make_graph(
        [helper.make_node("Concat", list(names), ["scores"], axis=1)],
        "joined",
        [
            helper.make_tensor_value_info(name, kind, ["N", width])
            for name, width in zip(names, widths, strict=True)
        ],
        [helper.make_tensor_value_info("scores", kind, ["N", sum(widths)])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_float_inputs_are_joined_in_the_order_of_the_file() -> None:
    """For data without names, as arrays are."""
    classifier = rsonnx.load(numbers("cab", 1, 1, 1), preprocess="none")
    eye = np.eye(3, dtype=np.float32)
    assert classifier.classify(eye).tolist() == [0, 1, 2]
    assert [column.name for column in classifier.columns] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ("bca", [2, 0, 1]),  # by name: the model has a, b, c
        ("xyz", [0, 1, 2]),  # no name is an input's: in the file's order
    ],
)
def test_columns_are_matched_by_name_else_by_order(
    names: str, taken: list[int], tmp_path: Path
) -> None:
    path = write_table(tmp_path / "t.csv", {name: [1, 2] for name in names})
    classifier = loaded(numbers("abc", 1, 1, 1), path)
    highest = [int(at) for at in classifier.classify(np.eye(3, dtype=np.float32))]
    assert [highest.index(at) for at in range(3)] == taken


@pytest.mark.parametrize(
    ("inputs", "names", "taken"),
    [
        (["Mean_Radius", "b"], ["b", "mean radius"], [1, 0]),  # as skl2onnx writes names
        (["b", "a_b", "A.b"], ["A.b", "b", "a_b"], [1, 2, 0]),  # which case tells apart
        (["a_b", "a_b1"], ["a-b", "a b"], None),  # which of the two is none can say
    ],
)
def test_names_that_only_exporters_write_otherwise_are_the_same(
    inputs: list[str], names: list[str], taken: list[int] | None, tmp_path: Path
) -> None:
    """Taken in their order instead, columns would go to others' inputs in silence."""
    path = write_table(tmp_path / "t.csv", {name: [1, 2] for name in names})
    model = numbers(inputs, *[1] * len(inputs))
    if taken is None:
        with pytest.raises(DataError, match="a_b1"):
            loaded(model, path)
        return
    highest = loaded(model, path).classify(np.eye(len(names), dtype=np.float32)).tolist()
    assert [highest.index(at) for at in range(len(names))] == taken


def test_an_input_of_several_values_takes_what_is_left(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {name: [1, 2] for name in "xbyz"})
    classifier = loaded(numbers("Xb", 3, 1), path)
    assert classifier.classify(np.eye(4, dtype=np.float32)).tolist() == [0, 3, 1, 2]


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"a": [1], "b": [2], "c": [3], "d": [4]}, "d"),
        ({"a": [1], "b": [2]}, "c"),
        ({"a": [1], "b": [2], "cc": [3]}, "cc"),
        ({"a": [1], "b": ["red"], "c": [3]}, "red"),
    ],
)
@pytest.mark.parametrize("names", ["abc", "x"])
def test_other_columns_are_refused_by_name(
    names: str, columns: dict[str, list[object]], named: str, tmp_path: Path
) -> None:
    """By models of an input a column, and of one input for all of them."""
    path = write_table(tmp_path / "t.csv", columns)
    model = numbers("abc", 1, 1, 1) if len(names) == 3 else numbers("x", 3)
    if names == "x" and named == "cc":
        assert loaded(model, path).shape == (3,)
        return
    with pytest.raises(DataError, match=named if names == "abc" or named == "red" else "a, b"):
        loaded(model, path)


def test_what_an_input_does_not_take_is_refused(tmp_path: Path) -> None:
    """Numbers for text, halves for whole numbers; and text without a table to name it."""
    columns = table()
    for name, wrong, said in (("k", 1, "text"), ("n", 2.5, "whole"), ("n", 2**24 + 1, "whole")):
        path = write_table(tmp_path / "t.csv", columns | {name: [wrong] * len(columns["a"])})
        with pytest.raises(DataError, match=said):
            loaded(column_model(), path)
    with pytest.raises(RsonnxError, match="'k'"):
        rsonnx.load(column_model(), preprocess="none")


def test_inputs_that_are_no_columns_stay_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"a": [1], "b": [2]})
    pictures = numbers("ab", 1, 1)
    for given in pictures.graph.input:
        given.type.tensor_type.shape.dim.add().dim_value = 4
    with pytest.raises(ModelError, match="'a'"):
        loaded(pictures, path)


def test_settings_travel_with_their_columns() -> None:
    columns = (Column("a", first=2.5), Column("k", True, ("x", "y"), 1.0, whole=True))
    settings = replace(ModelSettings((0, 1)), columns=columns)
    assert ModelSettings.from_json(settings.to_json()) == settings
