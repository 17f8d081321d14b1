"""Model files that a stranger might send: damaged, contradictory, or made to do harm."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx_models import build, echo, linear, node, save

Maker = Callable[[Path], Path]

MAKERS: dict[str, Maker] = {}
"""Makes a file in a folder and returns its path, by name."""

HARMLESS = {
    "two kinds of data", "node without output", "output is the input", "ir 0", "ir -1",
    "10000 nodes", "200000 nodes", "external too long", "external is the model",
    "control characters", "metadata of 9 MB", "metadata of 100 MB", "preprocessing nested",
    "preprocessing of a file",
}  # fmt: skip
"""Odd, but what they compute is clear: they load where a preprocessing is declared."""

SLOW = {"200000 nodes", "metadata of 100 MB", "loop that doubles"}
"""Take seconds, or gigabytes, until they are refused."""

ENDLESS = {"endless loop"}
"""Only a limit on time ends them."""


def _add(name: str, make: Callable[[], onnx.ModelProto]) -> None:
    MAKERS[name] = lambda folder: save(make(), folder, f"{name}.onnx")


def _bytes(name: str, make: Callable[[], bytes]) -> None:
    def write(folder: Path) -> Path:
        path = folder / f"{name}.onnx"
        path.write_bytes(make())
        return path

    MAKERS[name] = write


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


FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


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


# Graphs that are none


def _graph(nodes: list[NodeProto], **options: object) -> onnx.ModelProto:
    return build(nodes, ("n", 4), ("n", 4), **options)  # type: ignore[arg-type]


def _listed_twice() -> onnx.ModelProto:
    proto = echo()
    proto.graph.input.append(proto.graph.input[0])
    return proto


def _without(field: str) -> onnx.ModelProto:
    proto = _graph([node("Relu", ["x"], "scores")])
    proto.ClearField(field) if field == "opset_import" else proto.graph.ClearField(field)
    return proto


_add("cycle", lambda: _graph([node("Relu", ["b"], "a"), node("Add", ["a", "x"], "b"),
                              node("Add", ["a", "b"], "scores")]))  # fmt: skip
_add("cycle of identities", lambda: _graph([node("Identity", ["scores"], "a"),
                                            node("Identity", ["a"], "scores")]))  # fmt: skip
_add("undefined tensor", lambda: _graph([node("Add", ["x", "nowhere"], "scores")]))
_add("undefined output", lambda: _graph([node("Relu", ["x"], "other")]))
_add("two nodes of one output", lambda: _graph([node("Relu", ["x"], "scores"),
                                                node("Neg", ["x"], "scores")]))  # fmt: skip
_add("input listed twice", _listed_twice)
_add("output is the input", lambda: build([node("Relu", ["x"], "y")], ("n", 4), ("n", 4),
                                          output_name="x"))  # fmt: skip
for _size in (2**35, 2**62):
    _add(f"input of {_size} values", lambda n=_size: build([node("Relu", ["x"], "scores")],
                                                           ("n", n), ("n", 4)))  # fmt: skip
_add("no inputs", lambda: _without("input"))
_add("no outputs", lambda: _without("output"))
_add("no opset", lambda: _without("opset_import"))
_add("node without output", lambda: _graph([NodeProto(op_type="Relu", input=["x"]),
                                            node("Relu", ["x"], "scores")]))  # fmt: skip
_add("node without input", lambda: _graph([NodeProto(op_type="Identity", output=["scores"])]))
_add("zipmap without input", lambda: _graph([NodeProto(op_type="ZipMap", output=["scores"],
                                                       domain="ai.onnx.ml")]))  # fmt: skip

for _name in ("rsonnx_input", "rsonnx_label", "rsonnx_scores", "rsonnx_rows", "rsonnx_head_0"):
    _add(
        f"our name {_name}",
        lambda n=_name: _graph([node("Relu", ["x"], n), node("Neg", [n], "scores")]),
    )


# onnxruntime lets the second of two initializers win, which changed what the model computes.
def _weight_of_our_name() -> onnx.ModelProto:
    weights = {"rsonnx_zero": np.array([-1], np.float32)}
    return _graph([node("Mul", ["x", "rsonnx_zero"], "scores")], weights=weights)


_add("our name as weight", _weight_of_our_name)
_add("our name as input", lambda: build([node("Relu", ["rsonnx_input"], "scores")], ("n", 4),
                                        ("n", 4), input_name="rsonnx_input"))  # fmt: skip
_add("our name as output", lambda: build([node("Relu", ["x"], "rsonnx_label")], ("n", 4), ("n", 4),
                                         output_name="rsonnx_label"))  # fmt: skip

for _version in (0, 9999, -1, 2**62):
    _add(f"opset {_version}", lambda v=_version: _graph([node("Relu", ["x"], "scores")], opset=v))
for _version in (0, 9999, -1):
    _add(f"ir {_version}", lambda v=_version: _graph([node("Relu", ["x"], "scores")], ir_version=v))


def _many(count: int) -> onnx.ModelProto:
    names = ["x", *(f"t{i}" for i in range(count - 1)), "scores"]
    proto = _graph([])
    for source, target in itertools.pairwise(names):
        proto.graph.node.add(op_type="Neg", input=[source], output=[target])
    return proto


_add("10000 nodes", lambda: _many(10_000))
_add("200000 nodes", lambda: _many(200_000))


# What hides in subgraphs and functions


def _branch(nodes: list[NodeProto]) -> onnx.GraphProto:
    result = helper.make_tensor_value_info("b", FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [result])


def _in_if(inner: NodeProto) -> onnx.ModelProto:
    yes = numpy_helper.from_array(np.array(True), "yes")
    other = _branch([node("Identity", ["x"], "b")])
    made = node("If", ["yes"], "scores", then_branch=_branch([inner]), else_branch=other)
    proto = _graph([made])
    proto.graph.initializer.append(yes)
    return proto


def _loop(times: int, inner: NodeProto) -> onnx.ModelProto:
    """A loop that starts with x and computes b from a, so many times."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", ["go"], "on"), inner],
        "body",
        [
            info("i", TensorProto.INT64, []),
            info("go", TensorProto.BOOL, []),
            info("a", FLOAT, None),
        ],
        [info("on", TensorProto.BOOL, []), info("b", FLOAT, None)],
    )
    proto = _graph([node("Loop", ["times", "yes", "x"], "scores", body=body)])
    proto.graph.initializer.append(numpy_helper.from_array(np.array(times), "times"))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    return proto


_add("random in an If", lambda: _in_if(node("RandomNormalLike", ["x"], "b")))
_add("random in a Loop", lambda: _loop(2, node("RandomUniformLike", ["a"], "b")))
_add("custom operator in an If", lambda: _in_if(node("Evil", ["x"], "b", domain="evil")))
_add("custom operator", lambda: _graph([node("Evil", ["x"], "scores", domain="evil")],
                                       domains=("evil",)))  # fmt: skip


def _functions(calls: dict[str, str]) -> onnx.ModelProto:
    """Functions of one node each: name -> operator that it calls."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("mine", 1)]
    made = [
        helper.make_function(
            "mine", name, ["a"], ["b"],
            [node(called, ["a"], "b", domain="mine" if called in calls else "")], opsets,
        )
        for name, called in calls.items()
    ]  # fmt: skip
    start = node(next(iter(calls)), ["x"], "scores", domain="mine")
    return _graph([start], domains=("mine",), functions=made)


def _doubling(levels: int) -> onnx.ModelProto:
    """Functions that each call the next one twice: 2^levels nodes once they are inlined."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("mine", 1)]
    functions = [
        helper.make_function(
            "mine", f"F{i}", ["a"], ["b"],
            [node(f"F{i + 1}", ["a"], "m", domain="mine"),
             node(f"F{i + 1}", ["m"], "b", domain="mine")], opsets,
        )
        for i in range(levels)
    ]  # fmt: skip
    last = helper.make_function(
        "mine", f"F{levels}", ["a"], ["b"], [node("Neg", ["a"], "b")], opsets
    )
    start = node("F0", ["x"], "scores", domain="mine")
    return _graph([start], domains=("mine",), functions=[*functions, last])


_add("function calls itself", lambda: _functions({"F": "F"}))
_add("functions call each other", lambda: _functions({"F": "G", "G": "F"}))
_add("random in a function", lambda: _functions({"F": "RandomNormalLike"}))
_add("functions double 40 times", lambda: _doubling(40))


# Little files that want much memory or time when they run


def _expanding(operator: str) -> onnx.ModelProto:
    """The scores are x plus 0 times the mean of 2^37 values."""
    size = {"Expand": [2**35, 4], "Tile": [2**35, 1], "ConstantOfShape": [2**37]}[operator]
    inputs = ["size"] if operator == "ConstantOfShape" else ["x", "size"]
    if operator == "Expand":  # a batch of one can be expanded
        inputs[0] = "zeros"
    made = [
        node(operator, inputs, "large"),
        node("ReduceMean", ["large"], "mean", keepdims=0),
        node("Mul", ["mean", "zero"], "nothing"),
        node("Add", ["x", "nothing"], "scores"),
    ]
    weights = {
        "size": np.array(size),
        "zero": np.zeros(1, np.float32),
        "zeros": np.zeros((1, 4), np.float32),
    }
    return _graph(made, weights=weights)


def _range() -> onnx.ModelProto:
    made = [
        node("Range", ["zero", "end", "step"], "large"),
        node("ReduceMax", ["large"], "top", keepdims=0),
        node("Mul", ["top", "zero"], "nothing"),
        node("Add", ["x", "nothing"], "scores"),
    ]
    weights = {
        "zero": np.array(0, np.float32),
        "end": np.array(2.0**36, np.float32),
        "step": np.array(1, np.float32),
    }
    return _graph(made, weights=weights)


for _operator in ("Expand", "Tile", "ConstantOfShape"):
    _add(f"bomb of {_operator}", lambda o=_operator: _expanding(o))
_add("bomb of Range", _range)
_add("endless loop", lambda: _loop(2**62, node("Neg", ["a"], "b")))
_add("loop that doubles", lambda: _loop(60, node("Concat", ["a", "a"], "b", axis=0)))


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
    proto = _graph([node("Relu", ["x"], "scores")])
    for i in range(1000):
        tensor = proto.graph.initializer.add(name=f"w{i}", data_type=FLOAT, dims=[2**24])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="shared.bin")
    return save(proto, folder, "external aliased.onnx")


MAKERS["external aliased"] = _aliased


# Metadata and names


def _described(metadata: dict[str, str]) -> onnx.ModelProto:
    return _graph([node("Relu", ["x"], "scores")], metadata=metadata)


CONTROL = "\x1b[2J\x1b]0;owned\x07\r\n\x00\u202e"
"""Clears a terminal, renames its window, breaks the line and turns the text around."""


def _named_badly() -> onnx.ModelProto:
    proto = _graph([node("Relu", ["x"], "scores")], metadata={CONTROL: CONTROL})
    proto.producer_name = proto.graph.doc_string = CONTROL
    proto.graph.node[0].name = CONTROL
    proto.graph.output[0].name = proto.graph.node[0].output[0] = CONTROL
    return proto


def _invalid_text() -> bytes:
    """Every name that we read is no UTF-8: protobuf does not look."""
    proto = _graph([node("Relu", ["x"], "QQQQ")], metadata={"QQQQ": "QQQQ"}, output_name="QQQQ")
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
