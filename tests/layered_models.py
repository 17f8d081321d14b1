"""Networks for the tests of deterministic verification, and what onnxruntime makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from rsonnx.deterministic import Affine, Ball, Network, Verifier, largest_radius, read_network

RELU_NET = "h = Gemm<transB=1>(x, w, b); r = Relu(h); y = Gemm<transB=1>(r, o, c)"


def read(model: onnx.ModelProto, threshold: float | None = None) -> Network:
    """Return the layers of a model from x to y."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    return read_network(model, "x", [d.dim_value for d in dims[1:]], "y", threshold)


def outputs(model: onnx.ModelProto, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return what onnxruntime answers to rows of values, (rows, classes), one at a time."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    fed = np.asarray(rows, np.float32).reshape(-1, 1, *shape)
    return np.stack([session.run(["y"], {"x": x})[0].ravel() for x in fed])


def certified(network: Network, x: Any, label: int, norm: str, **options: Any) -> float:
    """Return the largest radius certified, to 1e-11 of it."""
    center = np.asarray(x, np.float64)

    def margin(radius: float) -> float:
        verifier = Verifier(network, Ball(center, norm, radius), **options)
        return float(verifier.margins(label).min())

    return largest_radius(margin, 1.0, 1e-11)


def gradient(network: Network, x: NDArray[np.float64], row: NDArray[np.float64]) -> NDArray[Any]:
    """Return the gradient of a row times the scores at an input, by float64."""
    values: list[Any] = [x]
    for layer in network.layers:
        if isinstance(layer, Affine):
            values.append(sum((m @ values[s] for s, m in layer.parts), start=layer.bias))
        else:
            values.append(np.maximum(values[layer.source], 0))
    slopes = [np.zeros(len(v)) for v in values[:-1]] + [row]
    for number in range(len(network.layers), 0, -1):
        layer = network.layers[number - 1]
        if isinstance(layer, Affine):
            for source, matrix in layer.parts:
                slopes[source] = slopes[source] + slopes[number] @ matrix
        else:
            slopes[layer.source] = slopes[layer.source] + slopes[number] * (values[number] > 0)
    return np.asarray(slopes[0])
