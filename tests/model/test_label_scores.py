"""Labels that a graph computes by ArgMax."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import model_file, save

import rsonnx
from rsonnx.model import find_output


def argmax_model(axis: int = 1, last: int = 0) -> onnx.ModelProto:
    """0/0 for a row of zeros: scores x / sum(x), then ArgMax, Squeeze and a label."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["total"], keepdims=1),
        helper.make_node("Div", ["x", "total"], ["scores"]),
        helper.make_node(
            "ArgMax", ["scores"], ["best"], axis=axis, keepdims=1, select_last_index=last
        ),
        helper.make_node("Squeeze", ["best", "axes"], ["label"]),
    ]
    graph = helper.make_graph(
        nodes,
        "argmax",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_scores_before_an_argmax_show_nan(tmp_path: Path) -> None:
    path = save(argmax_model(), tmp_path)
    found = rsonnx.load(path, preprocess="none", providers=["cpu"])
    assert found.num_classes == 3
    assert found.facts["label"] == "the model's own label"
    rows = np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]], np.float32)
    # A tie goes to the lowest class; 0/0 is NaN and no class, where the bare ArgMax says 0.
    assert found.classify(rows).tolist() == [1, 0, -1]


def test_an_argmax_along_the_batch_has_no_scores() -> None:
    assert find_output(model_file(argmax_model(axis=0))).kind == "label"


@pytest.mark.parametrize("last", [0, 1])
def test_the_file_s_own_rule_breaks_ties(tmp_path: Path, last: int) -> None:
    found = rsonnx.load(
        save(argmax_model(last=last), tmp_path), preprocess="none", providers=["cpu"]
    )
    rows = np.array([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]], np.float32)
    assert found.classify(rows).tolist() == [last, 2]
