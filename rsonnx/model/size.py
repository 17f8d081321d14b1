"""How many rows a batch of a model may have, by the values of its largest tensor."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import onnx

from rsonnx.errors import ModelError
from rsonnx.model.graph import GraphView
from rsonnx.model.head import INPUT

_MOST_VALUES = 2**31 - 1
"""Of a tensor: kernels of devices count values in 32 bits. Some of those that meet more leave the
end of a tensor unwritten and say nothing (onnxruntime issues 28107, 28385, 32299)."""


def most_rows(model: onnx.ModelProto, shape: Sequence[int], name: str) -> int:
    """Return how many rows a batch may have on a device, at least 1.

    A tensor whose shape is not inferred is not seen.

    Args:
        model: adapted, with a free batch axis, which is fixed at one row here.
        shape: of one row.
        name: what to call it in messages.

    Raises:
        ModelError: a tensor is too large already for one row.
    """
    (data,) = (value for value in model.graph.input if value.name == INPUT)
    for dimension, size in zip(data.type.tensor_type.shape.dim, (1, *shape), strict=True):
        dimension.dim_value = size
    tensors = GraphView(model).specs.values()
    largest = max(prod(d for d in spec.shape if isinstance(d, int)) for spec in tensors)
    if largest > _MOST_VALUES:
        raise ModelError(
            f"{name} makes a tensor of {largest:,} values of one input, but kernels of a device "
            f"count up to {_MOST_VALUES:,}; ask for --providers cpu"
        )
    return _MOST_VALUES // largest
