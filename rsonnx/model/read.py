"""Read an ONNX file that may come from a stranger: parse it, hash it, run nothing of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import (
    ExternalDataInfo,
    load_external_data_for_model,
    uses_external_data,
)

from rsonnx.errors import ModelError, UsageError

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
        load_external_data_for_model(proto, str(path.parent))
    return ModelFile(path, digest.hexdigest(), size, proto, external)


def _not_a_model(path: Path, why: str) -> str:
    return f"{path} is not an ONNX model ({why}); export the classifier to ONNX and name that file"


def _external_locations(proto: onnx.ModelProto, path: Path) -> Iterator[str]:
    folder = path.parent.resolve()
    for tensor in tensors(proto.graph):
        if not uses_external_data(tensor):
            continue
        location = ExternalDataInfo(tensor).location
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


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield every node of a graph and of its subgraphs."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                yield from nodes(subgraph)


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield every stored tensor of a graph and of its subgraphs."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for subgraph in (attribute.g, *attribute.graphs):
                yield from tensors(subgraph)
