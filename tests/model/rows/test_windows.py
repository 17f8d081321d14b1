"""The sizes that the proof derives are those that onnxruntime gives.

A reshape to one row for each input, of so many values, is only proved where the sizes before it are
known and right.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import rows_model
from row_oracle import session

from rsonnx.model.rows import prove_rows

SHAPE = (3, 9, 12)
WEIGHTS = {
    "w": np.ones((4, 3, 3, 2), np.float32),
    "t": np.ones((3, 2, 3, 2), np.float32),
    "scales": np.array([1, 1, 1.5, 2.3], np.float32),
}


@pytest.mark.parametrize(
    "made",
    [
        "Conv(x, w)",
        "Conv<pads=[1, 0, 2, 1], strides=[2, 3]>(x, w)",
        "Conv<dilations=[2, 3]>(x, w)",
        "Conv<auto_pad='SAME_UPPER', strides=[3, 2]>(x, w)",
        "Conv<auto_pad='SAME_LOWER'>(x, w)",
        "Conv<auto_pad='VALID', strides=[2, 2]>(x, w)",
        "ConvTranspose<strides=[2, 3], output_padding=[1, 2]>(x, t)",
        "ConvTranspose<pads=[1, 0, 1, 1], dilations=[2, 1]>(x, t)",
        "MaxPool<kernel_shape=[3, 2], strides=[2, 3]>(x)",
        "MaxPool<kernel_shape=[3, 2], auto_pad='SAME_UPPER', strides=[2, 2]>(x)",
        "MaxPool<kernel_shape=[3, 2], dilations=[2, 2]>(x)",
        "AveragePool<kernel_shape=[3, 2], pads=[1, 1, 1, 0], count_include_pad=1>(x)",
        "LpPool<kernel_shape=[3, 2], strides=[1, 2]>(x)",
        "GlobalMaxPool(x)",
        "Resize<mode='linear'>(x, , scales)",
        "DepthToSpace<blocksize=1>(x)",
        "SpaceToDepth<blocksize=3>(x)",
    ],
)
def test_sizes_are_those_that_run(made: str) -> None:
    def model(size: int) -> onnx.ModelProto:
        text = f"made = {made}; y = Reshape(made, flat)"
        return rows_model(text, SHAPE, WEIGHTS | {"flat": np.array([-1, size])}, opset=18)

    alone = model(1)
    alone.graph.output.append(onnx.ValueInfoProto(name="made"))
    row = session(alone).run(["made"], {"x": np.zeros((1, *SHAPE), np.float32)})[0]
    for size, proved in ((row.size, True), (row.size * 7, False)):
        assert prove_rows(model(size), input_name="x", outputs=["y"]).proved is proved
