"""Ways to damage the bytes of a file and the fields of a model's message, for tools/fuzz.py."""

from __future__ import annotations

import contextlib
import json
import random
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Error, Message

_NUMBERS = (0, 1, 2, 3, -1, 7, 8, 14, 255, 2**15, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63))
_BYTES = (b"", b"\x00", b"\xff", b"../x", b"/dev/zero", b"\xed\xa0\x80", b"a" * 999)
_NAMES = (
    *("", "nowhere", "N", "?", "x" * 999, "\n\x1b[2J", "value", "axis", "to", "body"),
    *("rsonnx_input", "rsonnx_label", "rsonnx_scores"),
)
_TEXTS = {
    "op_type": (
        *("Identity", "If", "Loop", "Scan", "Reshape", "Constant", "Expand", "Tile", "Dropout"),
        *("RandomNormal", "BatchNormalization", "DynamicQuantizeLinear", "ZipMap", "Concat"),
        *("Cast", "Softmax", "ArrayFeatureExtractor", "TreeEnsembleClassifier", "Gather"),
        *("ConstantOfShape", "Nothing", "F"),
    ),
    "domain": ("", "", "ai.onnx.ml", "com.microsoft", "evil"),
    "key": (
        *("location", "offset", "length", "rsonnx.preprocess", "rsonnx.bounds", "rsonnx.layout"),
        *("Image.NominalPixelRange", "Image.BitmapPixelFormat", "\x1b[2J"),
    ),
    "value": (
        *("../x", "/dev/zero", "/etc/passwd", "", ".", "case.onnx", "-1", str(2**62)),
        *("none", '"none"', "[0, 1]", "[" * 9999, "{}", "NaN", "[1, 0]", "Bgr8"),
        "NominalRange_0_255",
    ),
}
"""What a text is replaced by, by the name of its field; others by any name of the model."""
_RUN_TOKENS = (b"NaN", b"1e999", b"-1", b"9" * 5000, b"[" * 3000, b'"\\ud800"', b"null", b"{}", b"")


def mutate_bytes(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Damage some bytes: flip, cut, repeat, insert, splice with another file."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not content:
            return chance.randbytes(chance.randint(0, 9))
        at = chance.randrange(len(content))
        to = min(len(content), at + chance.choice((1, 1, 2, 4, 8, 64, 4096)))
        other = chance.choice(others)
        number = struct.pack("<q", chance.choice(_NUMBERS))
        middle, rest = chance.choice(
            (
                (b"", b""),
                (b"", content[to:]),
                (content[at:to] * 2, content[to:]),
                (chance.randbytes(to - at), content[to:]),
                (other[chance.randrange(len(other) + 1) :][:4096], content[to:]),
                (number[: to - at], content[to:]),
                (bytes([content[at] ^ (1 << chance.randrange(8))]), content[at + 1 :]),
            )
        )
        content = content[:at] + middle + rest
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


def mutate_model(chance: random.Random, content: bytes) -> bytes:
    """Change fields of the message, so that it still parses and means something else.

    Every type of message has the same chance, whatever the number of its messages, and every field
    of it: it is cleared, set, or takes the value of another one of its type.
    """
    proto = onnx.ModelProto()
    proto.ParseFromString(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        messages = defaultdict(list)
        for message in _messages(proto):
            messages[message.DESCRIPTOR.name].append(message)
        message = chance.choice(messages[chance.choice(sorted(messages))])
        present = [field for field, _ in message.ListFields()]
        fields = present if present and chance.random() < 0.7 else message.DESCRIPTOR.fields
        with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError, Error):
            _change(chance, message, chance.choice(fields), messages)
    try:
        return bytes(proto.SerializeToString())
    except (Error, ValueError):
        return content


def _messages(message: Message) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from _messages(part)


def _change(
    chance: random.Random, message: Any, field: FieldDescriptor, messages: dict[str, list[Any]]
) -> None:
    is_message = field.type == FieldDescriptor.TYPE_MESSAGE
    alike = messages.get(field.message_type.name, []) if is_message else []
    if not field.is_repeated:
        if is_message and alike and chance.random() < 0.7:
            part = getattr(message, field.name)
            for _ in range(chance.choice((1, 1, 12)) if field.name == "g" else 1):
                part.CopyFrom(_copy(chance.choice(alike)))
                if field.name == "g" and part.node:  # a graph in a graph in a graph
                    part = part.node[0].attribute.add(name="body", type=5).g
        elif is_message or chance.random() < 0.2:
            message.ClearField(field.name)
        else:
            setattr(message, field.name, _value(chance, message, field, messages))
        return
    values = getattr(message, field.name)
    at = chance.randrange(len(values)) if values else 0
    match chance.randrange(4):
        case 0:
            del values[at : at + chance.choice((1, 1, 1, 10**6))]
        case 1 if is_message:
            values.append(_copy(chance.choice(alike or [values.add()])))
        case 1:
            value = _value(chance, message, field, messages)
            values.extend([value] * chance.choice((1, 1, 3, 1000)))
        case 2 if is_message:
            values[at].CopyFrom(_copy(chance.choice(alike)))
        case 2:
            values[at] = _value(chance, message, field, messages)
        case _:
            kept = [_copy(value) if is_message else value for value in values]
            chance.shuffle(kept)
            del values[:]
            values.extend(kept)


def _copy(message: Any) -> Any:
    """Return a message of its own, since none can be copied into a part of itself."""
    return type(message).FromString(message.SerializePartialToString())


def _value(
    chance: random.Random, message: Any, field: FieldDescriptor, messages: dict[str, list[Any]]
) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        names = [n for node in messages["NodeProto"] for n in (*node.input, *node.output)]
        return chance.choice(_TEXTS.get(field.name) or (*names, *_NAMES))
    if field.type == FieldDescriptor.TYPE_BYTES:
        old = getattr(message, field.name)
        is_cut = isinstance(old, bytes) and old and chance.random() < 0.7
        return old[: chance.randrange(len(old))] if is_cut else chance.choice(_BYTES)
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return chance.choice((0.0, -1.0, 1e308, float("nan"), float("inf"), chance.random()))
    return chance.choice((*range(30), *_NUMBERS))
