"""Operators that move numbers about, applied to what stands for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.model.closed.runs import Tensors
from rsonnx.model.graph import attribute

RESHAPING = {"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""Operators that leave all elements in their order."""

MOVING = {"ArrayFeatureExtractor", "Concat", "Expand", "Gather", "Slice", "Split", "Transpose"}
"""Operators that copy elements to other places."""


def reshaped(
    array: NDArray[Any], node: onnx.NodeProto, seen: Tensors, rows: int
) -> NDArray[Any] | None:
    """Return an array as a node that keeps the order of elements shapes it; None if rows mix.

    Args:
        array: stands for the node's first input, with ``rows`` entries along the batch axis.
        node: the node.
        seen: the tensors of the graph.
        rows: that number.
    """
    before, after = seen.axis(node.input[0]), seen.axis(node.output[0])
    if before is None or after is None:
        return None
    shape = seen.shape(node.output[0], rows)
    keeps = math.prod(array.shape[:before]) == math.prod(shape[:after])
    return array.reshape(shape) if keeps and math.prod(shape) == array.size else None


def float_list(node: onnx.NodeProto, name: str, default: float) -> NDArray[np.float64]:
    """Return an attribute's numbers, one default if there are none."""
    stated = attribute(node, name)
    held = [] if stated is None else list(stated.floats)
    return np.array(held or [default])
