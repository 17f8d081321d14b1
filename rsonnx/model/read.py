"""Read an ONNX model that may come from a stranger: parse it, hash it, run nothing of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, EncodeError, Message
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from rsonnx.errors import ModelError, UsageError, first_line
from rsonnx.model.apart import LARGE, MANY, Weights, say_apart, taken_apart
from rsonnx.model.containers import GZIP, foreign, foreign_folder, unpacked
from rsonnx.model.file import ModelFile, ModelSource
from rsonnx.model.graph import Scope, graphs, nodes, scopes, tensors
from rsonnx.model.stored import (
    MOST_BYTES,
    check_tensors,
    external_locations,
    hash_external,
    limit_external,
)
from rsonnx.model.structure import check_structure
from rsonnx.model.wire import Raw, UnfitError, split
from rsonnx.weights import Stamp

_OWN_NAMES = "rsonnx_"
"""How the names of the nodes and constants begin that are put around a model."""


def read_model(source: ModelSource, *, apart: bool = False) -> ModelFile:
    """Read and parse a model.

    Args:
        source: a file, gzip-compressed or not, which may keep weights in files beside it; or the
            bytes of one, or a model that onnx holds, whose weights must all be in it.
        apart: whether large weights may lie beside the model, for who does not read their values.

    Raises:
        UsageError: there is no such file.
        ModelError: it is no ONNX model (the message names what it is), is damaged or made so that
            no onnxruntime loads it, or its external data leave its folder.
    """
    path, raw, stamps = None, Raw(), dict[str, Stamp]()
    pool = ThreadPoolExecutor(1)
    hashed = _Hashed(pool)
    try:
        if isinstance(source, onnx.ModelProto):
            try:
                data = source.SerializeToString(deterministic=True)
            except (EncodeError, ValueError):
                raise ModelError(
                    f"the model given is larger than {MOST_BYTES:,} bytes; save it with external "
                    "data and give its path"
                ) from None
            hashed.add(data)
        elif isinstance(source, bytes):
            data = source
            hashed.add(data)
        elif isinstance(source, str | os.PathLike):
            path = Path(source)
            _check_file(path)
            stamps[path.name] = Stamp.of(path)
            data, raw = _bytes_of(path, hashed, apart=apart)
        else:
            raise UsageError(
                f"the model is a {type(source).__name__}, but a file, the bytes of one, or what "
                "onnx holds was expected"
            )
        size = hashed.size
        model, external = _parsed(data, path)
        del data  # of a large model it need not be there twice
        if path is not None and external:
            limit_external(model)
            # One of them may be the model's own file, which is read already.
            stamps = {location: Stamp.of(path.parent / location) for location in external} | stamps
            hashed.add_files(model, path.parent, {name: stamps[name] for name in external})
        proto, weights = _loaded(model, stamps, raw, apart=apart)
        digest = hashed.digest()
        late = apart and weights
        read = ModelFile(path, digest if late else digest.result(), size, proto, external, weights)
        check_tensors(read)
    finally:
        pool.shutdown(wait=False)
    return read


class _Hashed:
    """The SHA-256 of what is read, made beside the reading by the one thread of a pool.

    Attributes:
        size: bytes of the model's file.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._files: Future[None] | None = None
        self.begin()

    def begin(self) -> None:
        self._digest, self.size = hashlib.sha256(), 0

    def add(self, data: Any) -> None:
        self._pool.submit(self._digest.update, data)
        self.size += len(data)

    def add_files(self, model: ModelFile, folder: Path, stamps: Mapping[str, Stamp]) -> None:
        self._folder, self._stamps = folder, stamps
        self._files = self._pool.submit(hash_external, self._digest, model, folder, stamps)

    def digest(self) -> Future[str]:
        """Return what gives the digest of all of it, or raises what is wrong with a file.

        This is called when external data are loaded: until then, and until they are hashed, which
        reads them again, none of their files may change.
        """
        return self._pool.submit(self._made)

    def _made(self) -> str:
        if self._files is not None:
            self._files.result()
            for location, stamp in self._stamps.items():
                stamp.check(self._folder / location)
        return self._digest.hexdigest()


def _parsed(data: bytes, path: Path | None) -> tuple[ModelFile, tuple[str, ...]]:
    """Return a model that is not hashed yet, nor are its external data read, and their names."""
    model = ModelFile(path, "", len(data), onnx.ModelProto())
    contents = unpacked(data, str(model), MOST_BYTES) if data.startswith(GZIP) else data
    try:
        model.proto.ParseFromString(contents)
        graph = model.proto.graph
        is_model = graph.node and graph.output and model.proto.opset_import
        problem = None if is_model else "it has no graph with operators and outputs"
    except DecodeError:
        problem = "it does not parse"
    if problem is not None:
        raise _not_a_model(model, problem, foreign(contents, path))
    _check_text(model)
    _check_names(model)
    check_structure(model.proto, str(model))
    return model, tuple(dict.fromkeys(external_locations(model)))


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a model's file and its external data; errors as for read_model."""
    return read_model(path).sha256


def _check_file(path: Path) -> None:
    if not os.path.exists(path):  # unlike Path.exists, False for a name that is too long
        raise UsageError(f"the model file {path} does not exist; check the path")
    if path.is_dir() and (instead := foreign_folder(path)) is not None:
        raise ModelError(f"{path} is not an ONNX model but {instead}")
    if not path.is_file():
        raise UsageError(f"{path} is not a file, but an ONNX model file was expected")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ModelError(
            f"{path} has {size:,} bytes, but an ONNX file can have at most {MOST_BYTES:,}; "
            "export the model with external data"
        )


def _bytes_of(path: Path, hashed: _Hashed, *, apart: bool) -> tuple[bytes, Raw]:
    """Return a file, and the values of large weights that were taken out of it."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if apart and size >= MANY:
                with contextlib.suppress(UnfitError):
                    return split(file, size, LARGE, hashed.add)
                file.seek(0)
                hashed.begin()
            data = file.read()
    except OSError as error:
        raise UsageError(f"the model file {path} cannot be read: {error.strerror}") from None
    hashed.add(data)
    return data, Raw()


def _not_a_model(model: ModelFile, why: str, instead: str | None = None) -> ModelError:
    """Return the refusal of a file: with what it is instead where that is known, else with why."""
    if instead is not None:
        return ModelError(f"{model} is not an ONNX model but {instead}")
    return ModelError(
        f"{model} is not an ONNX model ({why}); export the classifier to ONNX and name that file"
    )


def _check_text(model: ModelFile) -> None:
    """Refuse names and texts that are no UTF-8, which protobuf hands out as bytes."""
    waiting: list[Message] = [model.proto]
    while waiting:
        for known, value in waiting.pop().ListFields():
            values = [value] if isinstance(value, Message | str | bytes) else value
            if known.type == FieldDescriptor.TYPE_MESSAGE:
                waiting += values
            elif known.type == FieldDescriptor.TYPE_STRING and any(
                isinstance(text, bytes) for text in values
            ):
                raise _not_a_model(model, f"its field {known.name} is no text")


def _check_names(model: ModelFile) -> None:
    """Refuse names that our own nodes and constants have: one would take the other's place."""
    for scope in scopes(model.proto):
        own = next((name for name in _names(scope) if name.startswith(_OWN_NAMES)), None)
        if own is not None:
            raise ModelError(
                f"{model} has a tensor named {own[:80]!r}, but names that begin with {_OWN_NAMES} "
                "are those of the nodes that rsonnx adds; give the model as it was exported"
            )


def _names(scope: Scope) -> Iterator[str]:
    for node in nodes(scope):
        yield from node.output
    for graph in graphs(scope):
        yield from (value.name for value in graph.input)
        yield from (tensor.name for tensor in graph.initializer)
        yield from (sparse.values.name for sparse in graph.sparse_initializer)


def _loaded(
    model: ModelFile, stamps: Mapping[str, Stamp], raw: Raw, *, apart: bool
) -> tuple[onnx.ModelProto, Weights]:
    """Read external data into the model, but for those that stay in their files.

    Returns:
        The model, and the weights that lie apart.
    """
    try:
        proto, weights = (
            taken_apart(model.proto, model.path, stamps, raw) if apart else (model.proto, {})
        )
        if model.path is not None:
            load_external_data_for_model(proto, str(model.path.parent))
        left = [t.name for t in tensors(proto) if uses_external_data(t)]
        problem = f"the tensor {left[0]!r} is of a kind that is not read" if left else None
    except (ValidationError, ValueError, OSError) as error:
        problem = first_line(error)
    if problem is not None:
        raise ModelError(
            f"{model} keeps weights in external data that cannot be read ({problem}); export the "
            "model again, with its external data in plain files beside it"
        )
    say_apart(proto, weights)
    return proto, weights
