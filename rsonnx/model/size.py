"""How many rows a batch of a model may have, by the values of its largest tensor."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from math import prod

import onnx

from rsonnx.errors import ModelError
from rsonnx.model.graph import TensorSpec, graphs, inferred
from rsonnx.model.head import INPUT

_MOST_VALUES = 2**31 - 1
"""Of a tensor: kernels of devices count values in 32 bits. Some of those that meet more leave the
end of a tensor unwritten and say nothing (onnxruntime issues 28107, 28385, 32299)."""


def most_rows(model: onnx.ModelProto, shape: Sequence[int], name: str) -> int:
    """Return how many rows a batch may have on a device, at least 1.

    A tensor whose shape is not inferred is not seen.

    Args:
        model: adapted, with a free batch axis, which is fixed here.
        shape: of one row.
        name: what to call it in messages.

    Raises:
        ModelError: a tensor is too large already for one row.
    """
    alone, both = (_values(model, (rows, *shape)) for rows in (1, 2))
    largest = max(alone.values())
    if largest > _MOST_VALUES:
        raise ModelError(
            f"{name} makes a tensor of {largest:,} values of one input, but kernels of a device "
            f"count up to {_MOST_VALUES:,}; ask for --providers cpu"
        )
    # What is made of weights does not grow with a batch.
    growth = {tensor: both.get(tensor, 0) - values for tensor, values in alone.items()}
    return 1 + min(
        (_MOST_VALUES - alone[tensor]) // more for tensor, more in growth.items() if more > 0
    )


def _values(model: onnx.ModelProto, shape: Sequence[int]) -> dict[tuple[int, str], int]:
    """Return how many values each tensor has, by its graph and name, for an input of a shape."""
    (data,) = (value for value in model.graph.input if value.name == INPUT)
    for dimension, size in zip(data.type.tensor_type.shape.dim, shape, strict=True):
        dimension.dim_value = size
    graph = model.graph
    with contextlib.suppress(Exception):  # see GraphView.specs
        # The shapes that exported models work out of the batch's are propagated.
        graph = inferred(model, data_prop=True)
    return {
        (number, value.name): prod(d for d in TensorSpec.of(value).shape if isinstance(d, int))
        for number, each in enumerate(graphs(graph))
        for value in (*each.input, *each.output, *each.value_info)
    }
