"""Read an ONNX file that may come from a stranger: parse it, hash it, run nothing of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from rsonnx.errors import ModelError, UsageError

Scope = onnx.GraphProto | onnx.FunctionProto
"""What holds nodes whose names live together: the main graph, or the body of a function."""

_MOST_BYTES = 2**31 - 1
"""protobuf's own limit on one message; larger models keep their weights in external data."""


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
    if not path.exists():
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
    digest = hashlib.sha256(data)
    external = tuple(dict.fromkeys(_external_locations(proto, path)))
    if external:
        for location in external:
            digest.update((path.parent / location).read_bytes())
        _load_external(proto, path)
    return ModelFile(path, digest.hexdigest(), size, proto, external)


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
        target = (folder / location).resolve()
        if not target.is_relative_to(folder):
            raise ModelError(
                f"{path} keeps weights in {location!r}, outside its own folder; external data must "
                "lie beside the model"
            )
        if not target.is_file():
            raise ModelError(
                f"{path} keeps weights in {location!r}, but there is no such file beside it; "
                "copy the external data along with the model"
            )
        yield location


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
