"""Read an ONNX file that may come from a stranger: parse it, hash it, run nothing of it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, helper
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from rsonnx.errors import ModelError, UsageError

Scope = onnx.GraphProto | onnx.FunctionProto
"""What holds nodes whose names live together: the main graph, or the body of a function."""

FunctionKey = tuple[str, str, str]
"""What tells functions apart: domain, name and overload."""

_MOST_BYTES = 2**31 - 1
"""protobuf's own limit on one message. A model with its external data read must keep it too."""

_MOST_NODES = 2_000_000
"""Nodes of a model once its functions are put in place of their calls: onnxruntime does that, and
forty functions that each call the next one twice would be a million million."""

_OWN_NAMES = "rsonnx_"
"""How the names of the nodes and constants begin that are put around a model."""

_PACKED_BITS = {"INT2": 2, "UINT2": 2, "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4}
"""Types of which several values share a byte."""

_CHUNK = 2**20


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A parsed model file.

    Attributes:
        path: where it was read from.
        sha256: of the file and of every external data file, in the order in which they are named.
        size: bytes of the file.
        proto: the model, with external data loaded.
        external_data: relative names of the external data files.
    """

    path: Path
    sha256: str
    size: int
    proto: onnx.ModelProto
    external_data: tuple[str, ...]

    @property
    def opset(self) -> int:
        """Version of the default operator set."""
        return next((o.version for o in self.proto.opset_import if o.domain in ("", "ai.onnx")), 0)

    @property
    def metadata(self) -> dict[str, str]:
        """The model's own key-value metadata."""
        return {p.key: p.value for p in self.proto.metadata_props}


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read and parse a model file.

    Raises:
        UsageError: there is no such file.
        ModelError: the file is no ONNX model, or its external data leave its folder.
    """
    path = Path(path)
    if not os.path.exists(path):  # unlike Path.exists, False for a name that is too long
        raise UsageError(f"the model file {path} does not exist; check the path")
    if not path.is_file():
        raise UsageError(f"{path} is not a file, but an ONNX model file was expected")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ModelError(
            f"{path} has {size:,} bytes, but an ONNX file can have at most {_MOST_BYTES:,}; "
            "export the model with external data"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the model file {path} cannot be read: {error.strerror}") from None
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError:
        raise ModelError(_not_a_model(path, "it does not parse")) from None
    if not proto.graph.node or not proto.graph.output or not proto.opset_import:
        raise ModelError(_not_a_model(path, "it has no graph with operators and outputs"))
    _check_text(proto, path)
    _check_names(proto, path)
    _check_functions(proto, path)
    digest = hashlib.sha256(data)
    external = tuple(dict.fromkeys(_external_locations(proto, path)))
    if external:
        _limit_external(proto, path)
        for location in external:
            _hash_external(digest, path, location)
        _load_external(proto, path)
    _check_tensors(proto, path)
    return ModelFile(path, digest.hexdigest(), size, proto, external)


def _check_text(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse names and texts that are no UTF-8, which protobuf hands out as bytes."""
    waiting: list[Message] = [proto]
    while waiting:
        for field, value in waiting.pop().ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                waiting += value if _is_repeated(value) else [value]
            elif field.type == FieldDescriptor.TYPE_STRING:
                texts = value if _is_repeated(value) else [value]
                if any(isinstance(text, bytes) for text in texts):
                    raise ModelError(_not_a_model(path, f"its field {field.name} is no text"))


def _is_repeated(value: Any) -> bool:
    return not isinstance(value, Message | str | bytes)


def _check_names(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse names that our own nodes and constants have: one would take the other's place."""
    for scope in (proto.graph, *proto.functions):
        own = next((n for n in _names(scope) if n.startswith(_OWN_NAMES)), None)
        if own is not None:
            raise ModelError(
                f"{path} has a tensor named {own[:80]!r}, but names that begin with {_OWN_NAMES} "
                "are those of the nodes that rsonnx adds; give the model as it was exported"
            )


def _names(scope: Scope) -> Iterator[str]:
    for node in nodes(scope):
        yield from node.output
    for graph in graphs(scope):
        yield from (value.name for value in graph.input)
        yield from (tensor.name for tensor in graph.initializer)
        yield from (sparse.values.name for sparse in graph.sparse_initializer)


def _check_functions(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse functions that call themselves, or would be of absurd size in place of their calls."""
    bodies = {function_key(f): f for f in proto.functions}
    if len(bodies) < len(proto.functions):
        raise ModelError(
            f"{path} defines a function twice, so it is not clear which of the two is called; "
            "export the model again"
        )
    sizes: dict[FunctionKey, int] = {}
    open_: list[FunctionKey] = []

    def size(scope: Scope) -> int:
        return sum(of_call(called(n)) for n in nodes(scope))

    def of_call(key: FunctionKey) -> int:
        if key not in bodies:
            return 1
        if key in open_:
            raise ModelError(
                f"{path} has the function {key[1][:80]!r}, which calls itself, so it has no end; "
                "export the model without it"
            )
        if key not in sizes:
            open_.append(key)
            sizes[key] = size(bodies[key])
            open_.pop()
        return sizes[key]

    try:
        total = size(proto.graph) if bodies else 0
    except RecursionError:
        total = _MOST_NODES + 1
    if total > _MOST_NODES:
        raise ModelError(
            f"{path} has functions within functions that come to more than {_MOST_NODES:,} "
            "operators; export the model without them"
        )


def _check_tensors(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse a stored tensor that does not hold what it says: reading its values would fail."""
    for tensor in tensors(proto):
        # An attribute that is not set looks like an empty tensor.
        problem = _contradiction(tensor) if tensor.ByteSize() else None
        if problem is not None:
            raise ModelError(
                f"{path} stores the tensor {tensor.name[:80]!r}, which {problem}; the file is "
                "damaged: export the model again"
            )


def _contradiction(tensor: TensorProto) -> str | None:
    """Return what is wrong with a tensor, None if its size and its data agree."""
    shape = list(tensor.dims)
    if any(d < 0 for d in shape):
        return f"has the shape {_cut(shape)}"
    bits = _bits(tensor.data_type)
    if bits is None:
        return f"has a type ({tensor.data_type}) that is not known"
    count = math.prod(shape)
    if tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING:
        found, wanted, unit = len(tensor.raw_data), -(-count * bits // 8), "bytes"
    else:
        name = helper.tensor_dtype_to_field(tensor.data_type)
        found, unit = len(getattr(tensor, name)), "values"
        is_complex = tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128)
        wanted = count * 2 if is_complex else -(-count * bits // 8) if bits < 8 else count
    if found == wanted:
        return None
    return f"has the shape {_cut(shape)} and so {wanted} {unit}, but {found} are there"


def _bits(kind: int) -> int | None:
    """Return the size of one value of a type; None for a type that is not known."""
    try:
        packed = _PACKED_BITS.get(TensorProto.DataType.Name(kind))
        return packed or 8 * helper.tensor_dtype_to_np_dtype(kind).itemsize
    except (KeyError, ValueError, TypeError):
        return None


def _cut(shape: list[int]) -> str:
    return str(shape) if len(shape) <= 8 else f"of {len(shape)} axes"


def _limit_external(proto: onnx.ModelProto, path: Path) -> None:
    """Let every tensor read as many bytes as its shape needs, and all together not too many.

    Without a length a tensor would read its whole file, however large; many tensors may read the
    same place again and again.
    """
    total = 0
    for tensor in filter(uses_external_data, tensors(proto)):
        bits = _bits(tensor.data_type) or 0
        wanted = -(-math.prod(max(0, d) for d in tensor.dims) * bits // 8)
        total += wanted
        length = next((e.value for e in tensor.external_data if e.key == "length"), None)
        if length is None:
            tensor.external_data.add(key="length", value=str(wanted))
        elif not length.isdecimal() or length.lstrip("0") != (str(wanted) if wanted else ""):
            raise ModelError(
                f"{path} keeps {length[:40]!r} bytes of the tensor {tensor.name[:80]!r} in "
                f"external data, but its shape {_cut(list(tensor.dims))} needs {wanted}; export "
                "the model again"
            )
    if total > _MOST_BYTES:
        raise ModelError(
            f"{path} has {total:,} bytes of weights in external data, but at most {_MOST_BYTES:,} "
            "can be read; export a smaller or a quantised model"
        )


def _hash_external(digest: Any, path: Path, location: str) -> None:
    try:
        with (path.parent / location).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MOST_BYTES:
                raise ModelError(
                    f"{path} keeps weights in {location[:80]!r}, which has {size:,} bytes, but at "
                    f"most {_MOST_BYTES:,} can be read; export a smaller or a quantised model"
                )
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ModelError(
            f"{path} keeps weights in {location[:80]!r}, which cannot be read: {error.strerror}"
        ) from None


def _load_external(proto: onnx.ModelProto, path: Path) -> None:
    """Read the external data into the model, all of them: onnxruntime is given no file names."""
    try:
        load_external_data_for_model(proto, str(path.parent))
        left = [t.name for t in tensors(proto) if uses_external_data(t)]
        problem = f"the tensor {left[0]!r} is of a kind that is not read" if left else None
    except (ValidationError, ValueError, OSError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
    if problem is not None:
        raise ModelError(
            f"{path} keeps weights in external data that cannot be read ({problem}); export the "
            "model again, with its external data in plain files beside it"
        )


def _not_a_model(path: Path, why: str) -> str:
    return f"{path} is not an ONNX model ({why}); export the classifier to ONNX and name that file"


def _external_locations(proto: onnx.ModelProto, path: Path) -> Iterator[str]:
    folder = path.parent.resolve()
    for tensor in tensors(proto):
        if not uses_external_data(tensor):
            continue
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        try:
            target = (folder / location).resolve()
            is_file = target.is_file()
        except (OSError, ValueError):  # a name that no file can have
            target, is_file = folder, False
        if not target.is_relative_to(folder):
            raise ModelError(
                f"{path} keeps weights in {location[:80]!r}, outside its own folder; external data "
                "must lie beside the model"
            )
        if not is_file:
            raise ModelError(
                f"{path} keeps weights in {location[:80]!r}, but there is no such file beside it; "
                "copy the external data along with the model"
            )
        yield location


def function_key(function: onnx.FunctionProto) -> FunctionKey:
    """Return what a function is called by."""
    return usual_domain(function.domain), function.name, function.overload


def called(node: onnx.NodeProto) -> FunctionKey:
    """Return the key of the function that a node calls, if it is one of the model's."""
    return usual_domain(node.domain), node.op_type, node.overload


def usual_domain(domain: str) -> str:
    """Return the usual name of a domain: the default one has two."""
    return "" if domain == "ai.onnx" else domain


def is_reserved(domain: str) -> bool:
    """Return whether a domain has operators that onnx or onnxruntime brings along."""
    name = f"{usual_domain(domain)}."
    return name.startswith((".", "ai.onnx.", "com.microsoft.", "com.ms.", "org.pytorch.aten."))


def nodes(scope: Scope) -> Iterator[onnx.NodeProto]:
    """Yield every node of a graph or function and of its subgraphs."""
    for node in scope.node:
        yield node
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                yield from nodes(subgraph)


def graphs(scope: Scope) -> Iterator[onnx.GraphProto]:
    """Yield a graph and its subgraphs; of a function, which is no graph itself, the subgraphs."""
    if isinstance(scope, onnx.GraphProto):
        yield scope
    for node in nodes(scope):
        for attribute in node.attribute:
            yield from (attribute.g, *attribute.graphs)  # one that is not set is empty


def tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every stored tensor of a model, of its functions and of their subgraphs."""
    for scope in (proto.graph, *proto.functions):
        for graph in graphs(scope):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in nodes(scope):
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
