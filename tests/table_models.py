"""A model with an input a column, one of text and one of whole numbers, and tables for it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
KINDS = ("red", "green", "blue")
SIZES = (3, 7)


def column_model(axes: int = 2) -> onnx.ModelProto:
    """Three classes of inputs ``a`` (float), ``b`` (double), ``k`` (text) and ``n`` (int64).

    It fails on a text or a number that is none of those it knows.

    Args:
        axes: of each input: (N, 1) or (N,).
    """
    shape = ["N", 1][:axes]
    kinds = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.STRING, TensorProto.INT64)
    column = numpy_helper.from_array(np.array([-1, 1]), "column")
    weights = np.random.default_rng(5).normal(size=(2 + len(KINDS) + len(SIZES), 3))
    nodes = [helper.make_node("Reshape", [name, "column"], [f"{name}1"]) for name in "abkn"]
    nodes += [
        helper.make_node("Cast", ["b1"], ["b2"], to=TensorProto.FLOAT),
        helper.make_node(
            "OneHotEncoder", ["k1"], ["k2"], domain=ML, cats_strings=list(KINDS), zeros=0
        ),
        helper.make_node(
            "OneHotEncoder", ["n1"], ["n2"], domain=ML, cats_int64s=list(SIZES), zeros=0
        ),
        helper.make_node("Squeeze", ["k2", "one"], ["k3"]),
        helper.make_node("Squeeze", ["n2", "one"], ["n3"]),
        helper.make_node("Concat", ["a1", "b2", "k3", "n3"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", "w"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "columns",
        [
            helper.make_tensor_value_info(name, kind, shape)
            for name, kind in zip("abkn", kinds, strict=True)
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [
            column,
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(weights.astype(np.float32), "w"),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def table(rows: int = 60) -> dict[str, list[object]]:
    """Return the columns of a table for it, in another order than that of its inputs."""
    drawn = np.random.default_rng(11)
    return {
        "n": [int(SIZES[at]) for at in drawn.integers(0, len(SIZES), rows)],
        "a": [float(v) for v in drawn.normal(1, 1, rows).round(3)],
        "k": [KINDS[at] for at in drawn.integers(0, len(KINDS), rows)],
        "b": [float(v) for v in drawn.normal(-1, 0.5, rows).round(2)],
    }


def answers(model: onnx.ModelProto, columns: dict[str, list[object]]) -> NDArray[np.int64]:
    """Return what plain onnxruntime answers to a table, each column in its own input."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    feeds = {
        given.name: np.array(columns[given.name], kinds.get(given.type, object)).reshape(
            (-1, 1)[: len(given.shape)]
        )
        for given in session.get_inputs()
    }
    return np.argmax(session.run(None, feeds)[0], axis=1)


def write_table(path: Path, columns: dict[str, list[object]]) -> Path:
    """Write columns as the table that the ending says."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path
