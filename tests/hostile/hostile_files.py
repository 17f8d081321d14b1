"""Model files whose bytes, tensors, external data or words are damaged or made to do harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from hostile.making import FLOAT, Makers, graph
from onnx import TensorProto, helper, numpy_helper
from onnx_models import build, echo, linear, node, save

MAKERS = Makers()
_add, _bytes = MAKERS.add, MAKERS.add_bytes


def _adding(tensor: TensorProto) -> onnx.ModelProto:
    """A model that adds a stored tensor to its input."""
    proto = build([node("Add", ["x", "w"], "scores")], ("n", 4), ("n", 4))
    tensor.name = "w"
    proto.graph.initializer.append(tensor)
    return proto


def _tensor(kind: int, dims: list[int], raw: bytes | None = None, **typed: object) -> TensorProto:
    tensor = TensorProto(data_type=kind, dims=dims, **typed)
    if raw is not None:
        tensor.raw_data = raw
    return tensor


# Damaged protobufs

_bytes("cut", lambda: linear().SerializeToString()[:-50])
_bytes("one byte", lambda: b"\x08")
_bytes("zeros", lambda: bytes(4096))
_bytes("length of 2 GiB", lambda: b"\x3a\xff\xff\xff\xff\x07" + bytes(64))
_bytes("endless varint", lambda: b"\xff" * 4096)


def _nested(depth: int) -> bytes:
    """Ifs within Ifs, written out byte by byte, since protobuf's own writer refuses such depth."""

    def field(number: int, content: bytes) -> bytes:
        size, length = b"", len(content)
        while length > 127:
            size, length = size + bytes([length & 127 | 128]), length >> 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + content

    graph = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Relu"))
    for _ in range(depth):
        attribute = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(1, b"c") + field(2, b"y") + field(4, b"If") + field(5, attribute))
    shape = echo().graph
    graph += field(11, shape.input[0].SerializeToString())
    graph += field(12, shape.output[0].SerializeToString())
    return b"\x08\x08" + field(7, graph) + field(8, field(1, b"") + b"\x10\x0d")


# protobuf stops at 100 messages within each other: three to a nested If.
_bytes("nested 30", lambda: _nested(30))
_bytes("nested 10000", lambda: _nested(10_000))


# Stored tensors that contradict themselves

_add("2^40 elements", lambda: _adding(_tensor(FLOAT, [2**20, 2**20])))
_add("2^62 elements", lambda: _adding(_tensor(FLOAT, [2**31, 2**31])))
_add("product overflows", lambda: _adding(_tensor(FLOAT, [2**32, 2**32], bytes(0))))
_add("negative size", lambda: _adding(_tensor(FLOAT, [-4], np.ones(4, np.float32).tobytes())))
_add("two negative sizes", lambda: _adding(_tensor(FLOAT, [-2, -2], bytes(16))))
_add("too few bytes", lambda: _adding(_tensor(FLOAT, [4], bytes(12))))
_add("too many bytes", lambda: _adding(_tensor(FLOAT, [4], bytes(1600))))
_add("too few numbers", lambda: _adding(_tensor(FLOAT, [4], float_data=[1.0, 2.0])))
_add("numbers of another type", lambda: _adding(_tensor(FLOAT, [4], int64_data=[1, 2, 3, 4])))
_add("two kinds of data", lambda: _adding(_tensor(FLOAT, [4], bytes(16), float_data=[1.0] * 4)))
_add("a type of no version", lambda: _adding(_tensor(99, [4], bytes(16))))
_add("no type", lambda: _adding(_tensor(0, [4], bytes(16))))
_add("text as weights", lambda: _adding(_tensor(TensorProto.STRING, [1], string_data=[b"\xff"])))


def _reshaped_by(tensor: TensorProto) -> onnx.ModelProto:
    proto = build([node("Reshape", ["x", "w"], "scores")], (1, 4), (1, 4))
    tensor.name = "w"
    proto.graph.initializer.append(tensor)
    return proto


_add("broken shape", lambda: _reshaped_by(_tensor(TensorProto.INT64, [2], bytes(3))))
_add("shape of 2^40", lambda: _reshaped_by(_tensor(TensorProto.INT64, [2**40])))


def _dropout_mode() -> onnx.ModelProto:
    """The mode of a Dropout is a tensor that does not hold what it says."""
    proto = build([node("Dropout", ["x", "r", "m"], "scores")], ("n", 4), ("n", 4))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "r"))
    proto.graph.initializer.add(name="m", data_type=TensorProto.BOOL, dims=[3], raw_data=b"\0")
    return proto


_add("broken dropout mode", _dropout_mode)


def _look_up() -> onnx.ModelProto:
    """The class names behind a label are a tensor that does not hold what it says."""
    proto = build([node("Relu", ["x"], "r"), node("ArgMax", ["r"], "i", axis=1)], ("n", 4), ("n",))
    made = proto.graph.node.add(op_type="ArrayFeatureExtractor", domain="ai.onnx.ml")
    made.input.extend(["names", "i"])
    made.output.append("scores")
    proto.graph.initializer.add(name="names", data_type=TensorProto.STRING, dims=[2**40])
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    proto.opset_import.add(domain="ai.onnx.ml", version=1)
    return proto


_add("broken class names", _look_up)


def _sparse(indices: list[int], dims: list[int]) -> onnx.ModelProto:
    proto = build([node("Add", ["x", "w"], "scores")], ("n", 4), ("n", 4))
    made = proto.graph.sparse_initializer.add(dims=dims)
    made.values.CopyFrom(helper.make_tensor("w", FLOAT, [len(indices)], [1.0] * len(indices)))
    made.indices.CopyFrom(helper.make_tensor("", TensorProto.INT64, [len(indices)], indices))
    return proto


_add("sparse out of range", lambda: _sparse([0, 10**6], [4]))
_add("sparse negative", lambda: _sparse([-(2**40), 1], [4]))
_add("sparse of 2^50", lambda: _sparse([0, 1], [2**50]))

for _kind in ("FLOAT8E4M3FN", "FLOAT8E5M2", "INT4", "UINT4", "BFLOAT16", "FLOAT4E2M1", "COMPLEX64"):
    _bytes_of = {"FLOAT8E4M3FN": 4, "FLOAT8E5M2": 4, "BFLOAT16": 8, "COMPLEX64": 32}.get(_kind, 2)
    _add(
        f"weights of {_kind}",
        lambda k=_kind, b=_bytes_of: _adding(_tensor(TensorProto.DataType.Value(k), [4], bytes(b))),
    )


# External data


def _external(name: str, location: str, prepare: Callable[[Path], object] = lambda _: None) -> None:
    def make(folder: Path) -> Path:
        prepare(folder)
        proto = build([node("Add", ["x", "w"], "scores")], ("n", 4), ("n", 4))
        tensor = proto.graph.initializer.add(name="w", data_type=FLOAT, dims=[4])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        return save(proto, folder, f"{name}.onnx")

    MAKERS[name] = make


def _sparse_file(folder: Path) -> None:
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(2**40)


_external("external above", "../w.bin", lambda f: (f.parent / "w.bin").write_bytes(bytes(16)))
_external("external absolute", "/etc/passwd")
_external("external device", "/dev/zero")
_external("external link", "link.bin", lambda f: (f / "link.bin").symlink_to("/etc/passwd"))
_external("external link to a device", "zero.bin",
          lambda f: (f / "zero.bin").symlink_to("/dev/zero"))  # fmt: skip
_external("external directory", "folder", lambda f: (f / "folder").mkdir())
_external("external pipe", "pipe.bin", lambda f: os.mkfifo(f / "pipe.bin"))
_external("external nothing", "")
_external("external with a zero byte", "w\0.bin")
_external("external name of 5000 letters", "w" * 5000)
_external("external too short", "short.bin", lambda f: (f / "short.bin").write_bytes(bytes(3)))
_external("external too long", "long.bin", lambda f: (f / "long.bin").write_bytes(bytes(999)))
_external("external of 1 TiB", "huge.bin", _sparse_file)
_external("external is the model", "external is the model.onnx")


def _aliased(folder: Path) -> Path:
    """A thousand tensors of 64 MiB that all lie in the same place of one sparse file."""
    with (folder / "shared.bin").open("wb") as file:
        file.truncate(2**26)
    proto = graph([node("Relu", ["x"], "scores")])
    for i in range(1000):
        tensor = proto.graph.initializer.add(name=f"w{i}", data_type=FLOAT, dims=[2**24])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="shared.bin")
    return save(proto, folder, "external aliased.onnx")


MAKERS["external aliased"] = _aliased


# Metadata and names


def _described(metadata: dict[str, str]) -> onnx.ModelProto:
    return graph([node("Relu", ["x"], "scores")], metadata=metadata)


CONTROL = "\x1b[2J\x1b]0;owned\x07\r\n\x00\u202e"
"""Clears a terminal, renames its window, breaks the line and turns the text around."""


def _named_badly() -> onnx.ModelProto:
    proto = graph([node("Relu", ["x"], "scores")], metadata={CONTROL: CONTROL})
    proto.producer_name = proto.graph.doc_string = CONTROL
    proto.graph.node[0].name = CONTROL
    proto.graph.output[0].name = proto.graph.node[0].output[0] = CONTROL
    return proto


def _invalid_text() -> bytes:
    """Every name that we read is no UTF-8: protobuf does not look."""
    proto = graph([node("Relu", ["x"], "QQQQ")], metadata={"QQQQ": "QQQQ"}, output_name="QQQQ")
    proto.producer_name = "QQQQ"
    proto.opset_import[0].domain = ""
    return proto.SerializeToString().replace(b"QQQQ", b"\xff\xfe\xed\xa0")


_add("control characters", _named_badly)
_bytes("names that are no text", _invalid_text)
_add("metadata of 9 MB", lambda: _described({"x": "y" * 9_000_000}))
_add("metadata of 100 MB", lambda: _described({"x": "y" * 100_000_000}))
_add("preprocessing nested", lambda: _described({"rsonnx.preprocess": "[" * 100_000}))
_add("bounds of many digits", lambda: _described({"rsonnx.bounds": f"[0, {'9' * 4000}]"}))
_add("preprocessing of a file", lambda: _described({"rsonnx.preprocess": '"/etc/passwd.json"'}))
