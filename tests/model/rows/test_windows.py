"""The sizes that the proof derives are those that onnxruntime gives.

A reshape to one row for each input, of so many values, is only proved where the sizes before it are
known and right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from row_oracle import session

from rsonnx.model.rows import prove_rows

WEIGHTS = {
    "w": np.ones((4, 3, 3, 2), np.float32),
    "t": np.ones((3, 2, 3, 2), np.float32),
    "scales": np.array([1, 1, 1.5, 2.3], np.float32),
}
WINDOW: dict[str, Any] = {"kernel_shape": [3, 2]}
CASES: list[tuple[str, list[str], dict[str, Any]]] = [
    ("Conv", ["x", "w"], {}),
    ("Conv", ["x", "w"], {"pads": [1, 0, 2, 1], "strides": [2, 3]}),
    ("Conv", ["x", "w"], {"dilations": [2, 3]}),
    ("Conv", ["x", "w"], {"auto_pad": "SAME_UPPER", "strides": [3, 2]}),
    ("Conv", ["x", "w"], {"auto_pad": "SAME_LOWER"}),
    ("Conv", ["x", "w"], {"auto_pad": "VALID", "strides": [2, 2]}),
    ("ConvTranspose", ["x", "t"], {"strides": [2, 3], "output_padding": [1, 2]}),
    ("ConvTranspose", ["x", "t"], {"pads": [1, 0, 1, 1], "dilations": [2, 1]}),
    ("MaxPool", ["x"], WINDOW | {"strides": [2, 3]}),
    ("MaxPool", ["x"], WINDOW | {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("MaxPool", ["x"], WINDOW | {"dilations": [2, 2]}),
    ("AveragePool", ["x"], WINDOW | {"pads": [1, 1, 1, 0], "count_include_pad": 1}),
    ("LpPool", ["x"], WINDOW | {"strides": [1, 2]}),
    ("GlobalMaxPool", ["x"], {}),
    ("Resize", ["x", "", "scales"], {"mode": "linear"}),
    ("DepthToSpace", ["x"], {"blocksize": 1}),
    ("SpaceToDepth", ["x"], {"blocksize": 3}),
]


def model(operator: str, inputs: list[str], attributes: dict[str, Any], size: int) -> Any:
    nodes = [
        helper.make_node(operator, inputs, ["made"], **attributes),
        helper.make_node("Reshape", ["made", "flat"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 9, 12])],
        [onnx.ValueInfoProto(name="made"), onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(v, k) for k, v in WEIGHTS.items()]
        + [numpy_helper.from_array(np.array([-1, size]), "flat")],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"), CASES, ids=[f"{c[0]} {c[2]}" for c in CASES]
)
def test_sizes_are_those_that_run(
    operator: str, inputs: list[str], attributes: dict[str, Any]
) -> None:
    running = session(model(operator, inputs, attributes, 1))
    row = running.run(["made"], {"x": np.zeros((1, 3, 9, 12), np.float32)})[0]
    for size, proved in ((row.size, True), (row.size * 7, False)):
        proto = model(operator, inputs, attributes, size)
        assert prove_rows(proto, input_name="x", outputs=["y"]).proved is proved
