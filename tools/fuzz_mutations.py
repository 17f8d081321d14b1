"""Ways to damage the bytes of a file and the fields of a model's message, for tools/fuzz.py."""

from __future__ import annotations

import contextlib
import json
import random
import struct
from collections.abc import Callable, Sequence

import onnx
from google.protobuf.message import EncodeError
from onnx import TensorProto, helper

_NUMBERS = (0, 1, 2, 3, -1, 7, 8, 255, 2**15, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63))
_WORDS = (
    b"",
    b"\x00",
    b"\xff",
    b"../x",
    b"/dev/zero",
    b"rsonnx_input",
    b"\xed\xa0\x80",
    b"a" * 999,
)
_OPERATORS = (
    "Identity", "If", "Loop", "Scan", "Reshape", "Constant", "Expand", "Tile", "RandomNormal",
    "Dropout", "BatchNormalization", "DynamicQuantizeLinear", "ZipMap", "Concat", "Cast", "Softmax",
    "ArrayFeatureExtractor", "TreeEnsembleClassifier", "Gather", "ConstantOfShape", "Nothing",
)  # fmt: skip
_RUN_TOKENS = (b"NaN", b"1e999", b"-1", b"9" * 5000, b"[" * 3000, b'"\\ud800"', b"null", b"{}", b"")


# Mutations of bytes


def mutate_bytes(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Damage some bytes: flip, cut, repeat, insert, splice with another file."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not content:
            return chance.randbytes(chance.randint(0, 9))
        at = chance.randrange(len(content))
        to = min(len(content), at + chance.choice((1, 1, 2, 4, 8, 64, 4096)))
        match chance.randrange(7):
            case 0:
                content = content[:at]
            case 1:
                content = content[:at] + content[to:]
            case 2:
                content = content[:at] + content[at:to] * 2 + content[to:]
            case 3:
                content = content[:at] + chance.randbytes(to - at) + content[to:]
            case 4:
                other = chance.choice(others)
                content = content[:at] + other[chance.randrange(len(other) + 1) :][:4096]
                content += content[to:]
            case 5:
                number = struct.pack("<q", chance.choice(_NUMBERS))
                content = content[:at] + number[: to - at] + content[to:]
            case _:
                flipped = bytes([content[at] ^ (1 << chance.randrange(8))])
                content = content[:at] + flipped + content[at + 1 :]
    return content


def mutate_run(chance: random.Random, content: bytes) -> bytes:
    """Damage a run file: bytes, lines, or the value of a key."""
    if chance.random() < 0.4:
        return mutate_bytes(chance, content, [content])
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            lines.insert(at, chance.choice(lines))
        case 1:
            del lines[at]
        case 2:
            chance.shuffle(lines)
        case _:
            with contextlib.suppress(ValueError):
                value = json.loads(lines[at])
                key = chance.choice(list(value))
                value[key] = chance.choice(
                    [None, -1, 2**70, 1e308, "x", [], {}, True, {"0": -1}, [[]], "\ud800"]
                )
                lines[at] = json.dumps(value).encode()
            lines[at] = lines[at].replace(b"0", chance.choice(_RUN_TOKENS), 1)
    return b"\n".join(lines)


# Mutations of a model's message


def mutate_model(chance: random.Random, content: bytes) -> bytes:
    """Change fields of the message, so that it still parses and means something else."""
    proto = onnx.ModelProto()
    proto.ParseFromString(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
            chance.choice(_MODEL_MUTATIONS)(chance, proto)
    try:
        return bytes(proto.SerializeToString())
    except (EncodeError, ValueError):
        return content


def _node(chance: random.Random, proto: onnx.ModelProto) -> onnx.NodeProto:
    return chance.choice(proto.graph.node)


def _a_name(chance: random.Random, proto: onnx.ModelProto) -> str:
    names = [n for node in proto.graph.node for n in (*node.input, *node.output)]
    own = ["rsonnx_input", "rsonnx_label", "rsonnx_scores", "", "nowhere", "x" * 999, "\n\x1b[2J"]
    return chance.choice([*names, *own])


def _edge(chance: random.Random, proto: onnx.ModelProto) -> None:
    node = _node(chance, proto)
    side = chance.choice((node.input, node.output))
    if side and chance.random() < 0.7:
        side[chance.randrange(len(side))] = _a_name(chance, proto)
    elif side and chance.random() < 0.5:
        del side[chance.randrange(len(side))]
    else:
        side.append(_a_name(chance, proto))


def _operator(chance: random.Random, proto: onnx.ModelProto) -> None:
    node = _node(chance, proto)
    node.op_type = chance.choice(_OPERATORS)
    node.domain = chance.choice(("", "", "", "ai.onnx.ml", "com.microsoft", "evil"))


def _attribute(chance: random.Random, proto: onnx.ModelProto) -> None:
    node = _node(chance, proto)
    found = list(node.attribute)
    attribute = chance.choice(found) if found and chance.random() < 0.8 else node.attribute.add()
    attribute.name = attribute.name or chance.choice(("value", "axis", "to", "body", "then_branch"))
    match chance.randrange(7):
        case 0:
            attribute.i = chance.choice(_NUMBERS)
        case 1:
            attribute.type = chance.randrange(16)
        case 2:
            attribute.ints.extend([chance.choice(_NUMBERS)] * chance.choice((1, 3, 1000)))
        case 3:
            del attribute.ints[chance.randrange(len(attribute.ints)) :]
        case 4:
            attribute.s = chance.choice(_WORDS)
        case 5:
            attribute.strings.append(chance.choice(_WORDS))
        case _:
            subgraph = attribute.g
            for _ in range(chance.choice((1, 2, 12))):
                inner = subgraph.node.add(op_type=chance.choice(_OPERATORS))
                inner.input.append(_a_name(chance, proto))
                inner.output.append(_a_name(chance, proto))
                inner_attribute = inner.attribute.add(name="body", type=5)
                subgraph = inner_attribute.g


def _tensor(chance: random.Random, proto: onnx.ModelProto) -> None:
    tensors = [*proto.graph.initializer]
    tensors += [a.t for n in proto.graph.node for a in n.attribute if a.HasField("t")]
    tensor = chance.choice(tensors)
    match chance.randrange(7):
        case 0:
            tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(_NUMBERS)
        case 1:
            tensor.dims.append(chance.choice(_NUMBERS))
        case 2:
            tensor.data_type = chance.choice((*range(28), 99, -1))
        case 3:
            tensor.raw_data = tensor.raw_data[: chance.randrange(len(tensor.raw_data) + 1)]
        case 4:
            tensor.float_data.append(chance.random())
        case 5:
            tensor.data_location = TensorProto.EXTERNAL
            location = chance.choice(("../x", "/dev/zero", "/etc/passwd", "", ".", "case.onnx"))
            tensor.external_data.add(key="location", value=location)
            number = str(chance.choice(_NUMBERS))
            tensor.external_data.add(key=chance.choice(("offset", "length")), value=number)
        case _:
            tensor.name = _a_name(chance, proto)


def _interface(chance: random.Random, proto: onnx.ModelProto) -> None:
    values = chance.choice((proto.graph.input, proto.graph.output, proto.graph.value_info))
    value = chance.choice(values)
    dims = value.type.tensor_type.shape.dim
    match chance.randrange(8):
        case 0:
            value.type.tensor_type.elem_type = chance.choice((*range(28), 99))
        case 1:
            dims.add(dim_value=chance.choice(_NUMBERS))
        case 2:
            dims[chance.randrange(len(dims))].dim_value = chance.choice(_NUMBERS)
        case 3:
            dims[chance.randrange(len(dims))].dim_param = chance.choice(("N", "", "?", "a" * 99))
        case 4:
            del dims[chance.randrange(len(dims))]
        case 5:
            value.name = _a_name(chance, proto)
        case 6:
            values.add().CopyFrom(value)
        case _:
            value.type.sequence_type.elem_type.tensor_type.elem_type = 1


def _structure(chance: random.Random, proto: onnx.ModelProto) -> None:
    nodes = proto.graph.node
    at = chance.randrange(len(nodes))
    match chance.randrange(6):
        case 0:
            del nodes[at]
        case 1:
            nodes.add().CopyFrom(nodes[at])
        case 2:
            nodes[at].CopyFrom(chance.choice(nodes))
        case 3:
            del proto.graph.initializer[chance.randrange(len(proto.graph.initializer))]
        case 4:
            function = proto.functions.add(name="F", domain="evil")
            function.node.add(op_type="F", domain="evil", input=["x"], output=["y"])
            nodes[at].op_type, nodes[at].domain = "F", "evil"
        case _:
            sparse = proto.graph.sparse_initializer.add()
            sparse.values.CopyFrom(helper.make_tensor("s", 1, [2], [1.0, 2.0]))
            sparse.indices.CopyFrom(helper.make_tensor("i", 7, [2], [0, chance.choice(_NUMBERS)]))
            sparse.dims.extend([chance.choice(_NUMBERS), 4])


def _header(chance: random.Random, proto: onnx.ModelProto) -> None:
    match chance.randrange(5):
        case 0:
            proto.ir_version = chance.choice(_NUMBERS)
        case 1:
            chance.choice(proto.opset_import).version = chance.choice((*range(30), *_NUMBERS))
        case 2:
            del proto.opset_import[:]
        case 3:
            key = chance.choice(("rsonnx.preprocess", "rsonnx.bounds", "rsonnx.layout", "\x1b[2J"))
            value = chance.choice(("none", '"none"', "[0, 1]", "[" * 9999, "{}", "NaN", "[1, 0]"))
            proto.metadata_props.add(key=key, value=value)
        case _:
            key = chance.choice(("Image.NominalPixelRange", "Image.BitmapPixelFormat"))
            proto.metadata_props.add(key=key, value=chance.choice(("NominalRange_0_255", "Bgr8")))


_MODEL_MUTATIONS: tuple[Callable[[random.Random, onnx.ModelProto], None], ...] = (
    _edge, _edge, _operator, _attribute, _tensor, _tensor, _interface, _interface, _structure,
    _header,
)  # fmt: skip
