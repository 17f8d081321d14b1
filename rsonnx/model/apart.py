"""Large weights of a model beside its graph, so that they are in memory once.

What asks about a graph needs names and shapes; the values of large weights are asked for by the
session alone, which takes them as they lie here or, where it can, from their file. protobuf copies
them at every step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from rsonnx.model.wire import Piece, Raw
from rsonnx.weights import Stamp, StoredWeight, can_stay, in_memory

Weights = Mapping[str, NDArray[Any] | StoredWeight]
"""Values of stored tensors of the main graph, by name; the graph says that they are elsewhere."""

_DTYPES: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.FLOAT16: np.dtype("<f2"),
    TensorProto.DOUBLE: np.dtype("<f8"),
    TensorProto.INT8: np.dtype("i1"),
    TensorProto.UINT8: np.dtype("u1"),
}
"""Types of weights. Values of others, of shapes and tables, decide what a graph does."""

LARGE, MANY = 1 << 20, 1 << 26
"""Bytes of a large weight, and of all large weights of a model from which on they lie apart."""

_NOWHERE = "apart"
"""Where the graph says that they are which are here; no file of this name is opened."""

_ALIGNED = 64
"""Bytes of which the place of a weight in a file is a multiple, as in memory, if it stays there."""


def taken_apart(
    model: onnx.ModelProto, path: Path | None, stamps: Mapping[str, Stamp], raw: Raw
) -> tuple[onnx.ModelProto, Weights]:
    """Return a model without the values of its large weights, which it seems to lack, and those.

    Args:
        model: checked to hold what it says; it is used up.
        path: of its file, beside which its external data are, whose lengths are stated and checked;
            None where it has none.
        stamps: of all these files, by name, from before they were read.
        raw: what was taken out of the file before it was parsed; what is no weight is put back.

    Raises:
        ValidationError, ValueError, OSError: external data cannot be read.
    """
    stored = model.graph.initializer
    names = Counter(tensor.name for tensor in stored)
    large = {
        place: size
        for place, tensor in enumerate(stored)
        if names[tensor.name] == 1 and (size := _size(tensor, place in raw)) >= LARGE
    }
    taken = {}
    if sum(large.values()) >= MANY:
        taken = {place: _taken(stored[place], path, stamps, raw.get(place)) for place in large}
    weights = {stored[place].name: values for place, values in taken.items() if values is not None}
    for place, piece in raw.items():
        if taken.get(place) is None:
            stored[place].raw_data = piece.values.tobytes()
    if not weights:
        return model, {}
    light = onnx.ModelProto()
    light.CopyFrom(model)  # the old one's memory lasts as long as any part of it
    return light, weights


def say_apart(model: onnx.ModelProto, weights: Weights) -> None:
    """Have a model say of its weights that they lie elsewhere."""
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            if not tensor.external_data:
                tensor.external_data.add(key="location", value=_NOWHERE)
            tensor.data_location = TensorProto.EXTERNAL


def _size(tensor: TensorProto, apart: bool = False) -> int:
    """Return the bytes that a tensor says it has, if it can lie apart; 0 of any other."""
    dtype, stored = _DTYPES.get(tensor.data_type), apart or tensor.HasField("raw_data")
    twice = tensor.float_data or tensor.int32_data or tensor.double_data
    if dtype is None or not (stored or uses_external_data(tensor)) or twice:
        return 0
    return int(dtype.itemsize * math.prod(max(0, length) for length in tensor.dims))


def _taken(
    tensor: TensorProto, path: Path | None, stamps: Mapping[str, Stamp], piece: Piece | None
) -> NDArray[Any] | StoredWeight | None:
    """Take the values out of a tensor; None of one that does not hold what it says."""
    dtype, shape = _DTYPES[tensor.data_type], tuple(tensor.dims)
    weight, values, stays = None, None, False
    if path is not None and uses_external_data(tensor):
        weight = _in_file(tensor, path.parent, stamps)
        stays = can_stay(weight.path) and weight.path.parent == path.parent
        if weight.offset % _ALIGNED or not stays:
            values = weight.values()
    else:
        data = np.frombuffer(tensor.raw_data, np.uint8) if piece is None else piece.values
        if data.size != math.prod(shape) * dtype.itemsize:
            return None
        values = data.view(dtype).reshape(shape)
        if path is not None and piece is not None:
            weight = StoredWeight(path, stamps[path.name], piece.offset, shape, dtype)
            stays = can_stay(path)
    for kept in ("raw_data", "data_location", "external_data"):
        tensor.ClearField(kept)
    if weight is None or not stays:
        return values
    said = {"location": weight.path.name, "offset": weight.offset, "length": weight.nbytes}
    for key, value in said.items():
        tensor.external_data.add(key=key, value=str(value))
    return replace(weight, held=values)


def _in_file(tensor: TensorProto, folder: Path, stamps: Mapping[str, Stamp]) -> StoredWeight:
    """Return external data, unread."""
    opened = TensorProto()
    opened.CopyFrom(tensor)
    said = {entry.key: entry for entry in opened.external_data}
    said["length"].value = "0"
    load_external_data_for_tensor(opened, str(folder))  # looks at the file, and reads nothing
    location, offset = said["location"].value, int(said["offset"].value) if "offset" in said else 0
    dtype, shape = _DTYPES[tensor.data_type], tuple(tensor.dims)
    weight = StoredWeight(folder / location, stamps[location], offset, shape, dtype)
    if offset + weight.nbytes > weight.stamp.size:
        raise ValueError(f"the file of {tensor.name[:80]!r} is too short")
    return weight


def put_back(model: bytes, weights: Weights) -> bytes:
    """Return a serialized model with the values of its weights in it."""
    if not weights:
        return model
    whole = onnx.load_from_string(model)
    for tensor in whole.graph.initializer:
        if tensor.name in weights:
            tensor.raw_data = in_memory(weights[tensor.name]).tobytes()
            del tensor.external_data[:]
            tensor.ClearField("data_location")
    return bytes(whole.SerializeToString())
