"""Stored tensors of a stranger's file: they hold what they say, and lie where they may.

External data are files beside the model, of which no more is read than the shapes of tensors need.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper
from onnx.external_data_helper import uses_external_data

from rsonnx.errors import ModelError
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import tensors

MOST_BYTES = 2**31 - 1
"""protobuf's own limit on one message. A model with its external data read must keep it too."""

_PACKED_BITS = {"INT2": 2, "UINT2": 2, "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4}
"""Types of which several values share a byte."""

_CHUNK = 2**20


def check_tensors(model: ModelFile) -> None:
    """Refuse a stored tensor that does not hold what it says: reading its values would fail."""
    for tensor in tensors(model.proto):
        # An attribute that is not set looks like an empty tensor.
        there = tensor.ByteSize() and not uses_external_data(tensor)  # as what lies apart does
        problem = _contradiction(tensor) if there else None
        if problem is not None:
            raise ModelError(
                f"{model} stores the tensor {tensor.name[:80]!r}, which {problem}; the file is "
                "damaged: export the model again"
            )


def _contradiction(tensor: TensorProto) -> str | None:
    """Return what is wrong with a tensor, None if its size and its data agree."""
    if any(d < 0 for d in tensor.dims):
        return f"has the shape {_shape(tensor)}"
    bits = _bits(tensor.data_type)
    if bits is None:
        return f"has a type ({tensor.data_type}) that is not known"
    count = _count(tensor)
    if tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING:
        held, wanted, unit = len(tensor.raw_data), -(-count * bits // 8), "bytes"
    else:
        held = len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type)))
        is_complex = tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128)
        wanted = count * 2 if is_complex else -(-count * bits // 8) if bits < 8 else count
        unit = "values"
    if held == wanted:
        return None
    return f"has the shape {_shape(tensor)} and so {wanted} {unit}, but {held} are there"


def _count(tensor: TensorProto) -> int:
    """Return how many values a tensor says that it has; of absurdly many, what can be printed."""
    return int(min(math.prod(max(0, d) for d in tensor.dims), 2**80))


def _bits(kind: int) -> int | None:
    """Return the size of one value of a type; None for a type that is not known."""
    try:
        packed = _PACKED_BITS.get(TensorProto.DataType.Name(kind))
        return packed or 8 * helper.tensor_dtype_to_np_dtype(kind).itemsize
    except (KeyError, ValueError, TypeError):
        return None


def _shape(tensor: TensorProto) -> str:
    return str(list(tensor.dims)) if len(tensor.dims) <= 8 else f"of {len(tensor.dims)} axes"


def _entry(tensor: TensorProto, key: str) -> str | None:
    return next((e.value for e in tensor.external_data if e.key == key), None)


def external_locations(model: ModelFile) -> Iterator[str]:
    """Yield the files that hold weights, all of them in the model's own folder."""
    for tensor in filter(uses_external_data, tensors(model.proto)):
        location = _entry(tensor, "location") or ""
        where = f"{model} keeps weights in {location[:80]!r}"
        if model.path is None:
            raise ModelError(f"{where}, a file beside it; give the path of the model's file")
        folder = model.path.parent.resolve()
        if len({entry.key for entry in tensor.external_data}) < len(tensor.external_data):
            raise ModelError(f"{where}, but says so twice of a tensor; export the model again")
        if str(folder) != str(folder).encode(errors="ignore").decode():
            raise ModelError(f"{where}, but its folder's name is no UTF-8; give it another name")
        try:
            target = (folder / location).resolve()
            is_file = target.is_file()
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, a loop of links
            target, is_file = folder, False
        if not target.is_relative_to(folder):
            raise ModelError(
                f"{where}, outside its own folder; external data must lie beside the model"
            )
        if not is_file:
            raise ModelError(
                f"{where}, but there is no such file beside it; copy the external data along with "
                "the model"
            )
        yield location


def limit_external(model: ModelFile) -> None:
    """Let every tensor read as many bytes as its shape needs, and all together not too many.

    Without a length a tensor would read its whole file, however large; many tensors may read the
    same place again and again.
    """
    total = 0
    for tensor in filter(uses_external_data, tensors(model.proto)):
        bits = _bits(tensor.data_type) or 0
        wanted = -(-_count(tensor) * bits // 8)
        total += wanted
        length = _entry(tensor, "length")
        if length is None:
            tensor.external_data.add(key="length", value=str(wanted))
        elif not length.isdecimal() or length.lstrip("0") != (str(wanted) if wanted else ""):
            raise ModelError(
                f"{model} keeps {length[:40]!r} bytes of the tensor {tensor.name[:80]!r} in "
                f"external data, but its shape {_shape(tensor)} needs {wanted}; export the model "
                "again"
            )
    if total > MOST_BYTES:
        raise _too_much(f"{model} has {total:,} bytes of weights in external data")


def _too_much(what: str) -> ModelError:
    return ModelError(
        f"{what}, but at most {MOST_BYTES:,} can be read; export a smaller or a quantised model"
    )


def hash_external(digest: Any, model: ModelFile, folder: Path, locations: Iterable[str]) -> None:
    """Add files of weights to a digest, in their order; ModelError where one cannot be read."""
    for location in locations:
        where = f"{model} keeps weights in {location[:80]!r}"
        try:
            with (folder / location).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > MOST_BYTES:
                    raise _too_much(f"{where}, which has {size:,} bytes")
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise ModelError(f"{where}, which cannot be read: {error.strerror}") from None
