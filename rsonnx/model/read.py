"""Read an ONNX model that may come from a stranger: parse it, hash it, run nothing of it."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, EncodeError, Message
from onnx import TensorProto, helper
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from rsonnx.errors import ModelError, UsageError, first_line
from rsonnx.model.apart import LARGE, MANY, Weights, say_apart, taken_apart
from rsonnx.model.containers import GZIP, foreign, foreign_folder, unpacked
from rsonnx.model.graph import GraphView, Scope, graphs, nodes, scopes, tensors
from rsonnx.model.structure import check_structure
from rsonnx.model.wire import Raw, UnfitError, split
from rsonnx.weights import Stamp

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto
"""A model: its file, the bytes of one, or the model as onnx holds it."""

_MOST_BYTES = 2**31 - 1
"""protobuf's own limit on one message. A model with its external data read must keep it too."""

_OWN_NAMES = "rsonnx_"
"""How the names of the nodes and constants begin that are put around a model."""

_PACKED_BITS = {"INT2": 2, "UINT2": 2, "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4}
"""Types of which several values share a byte."""

_CHUNK = 2**20


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A parsed model.

    Attributes:
        path: where it was read from; None for one that was given as bytes or as onnx holds it.
        hashed: its SHA-256, or what will give it.
        size: bytes of the file as it lies.
        proto: the model, with external data loaded, but for the values of ``weights``.
        external_data: relative names of the external data files.
        weights: large weights, where they lie apart.
    """

    path: Path | None
    hashed: str | Future[str]
    size: int
    proto: onnx.ModelProto
    external_data: tuple[str, ...] = ()
    weights: Weights = field(default_factory=dict)

    def __str__(self) -> str:
        return "the model given" if self.path is None else str(self.path)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file as it lies, compressed or not, and of every external data file.

        They follow on each other in the order in which they are named; of a model that onnx holds,
        it is that of its deterministic serialisation. A large file may still be read for it.

        Raises:
            ModelError: external data cannot be read, or changed since before they were loaded.
        """
        return self.hashed if isinstance(self.hashed, str) else self.hashed.result()

    @property
    def name(self) -> str:
        """Name of the file, without its folder; of a model that has none, the same every time."""
        return "(not a file)" if self.path is None else self.path.name

    @property
    def opset(self) -> int:
        """Version of the default operator set."""
        return next((o.version for o in self.proto.opset_import if o.domain in ("", "ai.onnx")), 0)

    @property
    def metadata(self) -> dict[str, str]:
        """The model's own key-value metadata."""
        return {p.key: p.value for p in self.proto.metadata_props}

    @cached_property
    def view(self) -> GraphView:
        """Look-ups over its main graph."""
        return GraphView(self.proto)


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
                    f"the model given is larger than {_MOST_BYTES:,} bytes; save it with external "
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
            _limit_external(model)
            # One of them may be the model's own file, which is read already.
            stamps = {location: Stamp.of(path.parent / location) for location in external} | stamps
            hashed.add_files(model, path.parent, {name: stamps[name] for name in external})
        proto, weights = _loaded(model, stamps, raw, apart=apart)
        digest = hashed.digest()
        late = apart and weights
        read = ModelFile(path, digest if late else digest.result(), size, proto, external, weights)
        _check_tensors(read)
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
        self._files = self._pool.submit(_hash_external, self._digest, model, folder, stamps)

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
    contents = unpacked(data, str(model), _MOST_BYTES) if data.startswith(GZIP) else data
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
    return model, tuple(dict.fromkeys(_external_locations(model)))


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
    if size > _MOST_BYTES:
        raise ModelError(
            f"{path} has {size:,} bytes, but an ONNX file can have at most {_MOST_BYTES:,}; "
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


def _check_tensors(model: ModelFile) -> None:
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


def _external_locations(model: ModelFile) -> Iterator[str]:
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


def _limit_external(model: ModelFile) -> None:
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
    if total > _MOST_BYTES:
        raise _too_much(f"{model} has {total:,} bytes of weights in external data")


def _too_much(what: str) -> ModelError:
    return ModelError(
        f"{what}, but at most {_MOST_BYTES:,} can be read; export a smaller or a quantised model"
    )


def _hash_external(digest: Any, model: ModelFile, folder: Path, locations: Iterable[str]) -> None:
    for location in locations:
        where = f"{model} keeps weights in {location[:80]!r}"
        try:
            with (folder / location).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > _MOST_BYTES:
                    raise _too_much(f"{where}, which has {size:,} bytes")
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise ModelError(f"{where}, which cannot be read: {error.strerror}") from None


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
