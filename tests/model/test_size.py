"""How many rows a batch may have on a device."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import rows_model

from rsonnx.errors import ModelError
from rsonnx.model import most_rows
from rsonnx.model.graph import nodes
from rsonnx.model.head import INPUT

IMAGE = (3, 32, 32)


def adapted(text: str, channels: int = 16) -> onnx.ModelProto:
    made = rows_model(text, IMAGE, CONSTANTS | {"w": np.zeros((channels, 3, 3, 3), np.float32)})
    made.graph.input[0].name = INPUT
    for node in nodes(made.graph):
        node.input[:] = [INPUT if name == "x" else name for name in node.input]
    return made


VIEW = """
    s = Shape(x); n = Gather(s, zero); m = Unsqueeze(n, first); v = Concat<axis=0>(m, row);
    a = Reshape(x, v); b = Transpose<perm=[0,2,1]>(a); c = MatMul(a, b); y = ReduceMax(c)
"""
BRANCH = """
    y = If(yes)<
        then_branch = one () => (float[n] a) {b = Concat<axis=1>(x, x, x, x) a = ReduceMax(b)},
        else_branch = two () => (float[n] c) {c = ReduceMax(x)}
    >
"""
WEIGHTS = "a = Transpose(large); b = ReduceMax(a); y = Add(x, b)"
CONSTANTS = {
    "zero": np.array(0),
    "first": np.array([0]),
    "row": np.array([1024, 3]),
    "yes": np.array(True),
    "large": np.zeros((100, 100), np.float32),
}


@pytest.mark.parametrize(
    ("text", "largest"),
    [
        ("y = Relu(x)", 3 * 32 * 32),
        ("a = Conv(x, w); y = GlobalAveragePool(a)", 16 * 30 * 30),
        ("a = Conv<pads=[1,1,1,1]>(x, w); b = Relu(a); y = ReduceSum(b)", 16 * 32 * 32),
        pytest.param(VIEW, 1024**2, id="a shape that is worked out"),
        pytest.param(BRANCH, 4 * 3 * 32 * 32, id="inside a branch"),
        pytest.param(WEIGHTS, 3 * 32 * 32, id="a tensor of weights alone, of more values"),
    ],
)
def test_the_largest_tensor_of_a_batch_has_fewer_than_2_to_the_31_values(
    text: str, largest: int
) -> None:
    rows = most_rows(adapted(text), IMAGE, "a.onnx")
    assert rows * largest < 2**31 <= (rows + 1) * largest


def test_a_row_that_is_too_large_by_itself_is_refused() -> None:
    made, shape = adapted("y = Relu(x)"), (3, 2**15, 2**15)
    for free in made.graph.input[0].type.tensor_type.shape.dim:
        free.dim_param = "any"
    with pytest.raises(ModelError, match=r"a\.onnx .*3,221,225,472"):
        most_rows(made, shape, "a.onnx")
