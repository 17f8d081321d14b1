"""Philox4x32-10 in plain operators: the words of :func:`rsonnx.noise.exported.philox4x32`.

Words are int64 tensors of 0 .. 2^32 - 1: onnxruntime multiplies int64, which wraps, and shifts
uint64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnx import TensorProto

from rsonnx.compose.graph import Builder
from rsonnx.noise.exported import KEY_STEPS, MULTIPLIERS, ROUNDS

OLDEST_OPSET = 18
"""Which first has BitwiseAnd and BitwiseXor."""

_WORD = 0xFFFF_FFFF


@dataclass(frozen=True)
class Constants:
    """What a round takes beside its words: tensors, int64 but for the shift.

    Attributes:
        multipliers: of the first and the third word.
        mask: of 32 bits.
        shift: by 32 bits, uint64.
    """

    multipliers: tuple[str, str]
    mask: str
    shift: str

    @classmethod
    def of(cls, builder: Builder) -> Constants:
        """Add them to a graph, whose bodies may use them too."""
        first, third = (_whole(builder, m) for m in MULTIPLIERS)
        return cls((first, third), _whole(builder, _WORD), builder.constant([32], "uint64"))


def round_keys(
    builder: Builder, constants: Constants, key: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return the two words that each round takes of a key."""
    steps = [_whole(builder, step) for step in KEY_STEPS]
    first, second = key
    keys = [(first, second)]
    for _ in range(ROUNDS - 1):
        first, second = (
            builder.add("BitwiseAnd", [builder.add("Add", [word, step]), constants.mask])
            for word, step in zip(keys[-1], steps, strict=True)
        )
        keys.append((first, second))
    return tuple(keys)


def philox4x32(
    builder: Builder,
    constants: Constants,
    counter: Sequence[str],
    keys: Sequence[tuple[str, str]],
) -> tuple[str, ...]:
    """Return the four words at counters, whose own four words broadcast to one shape."""

    def high_half(product: str) -> str:
        unsigned = builder.add("Cast", [product], to=TensorProto.UINT64)
        shifted = builder.add("BitShift", [unsigned, constants.shift], direction="RIGHT")
        return builder.add("Cast", [shifted], to=TensorProto.INT64)

    a, b, c, d = counter
    for first_key, second_key in keys:
        first, third = (
            builder.add("Mul", [word, multiplier])
            for word, multiplier in zip((a, c), constants.multipliers, strict=True)
        )
        a, b, c, d = (
            _xor(builder, high_half(third), b, first_key),
            builder.add("BitwiseAnd", [third, constants.mask]),
            _xor(builder, high_half(first), d, second_key),
            builder.add("BitwiseAnd", [first, constants.mask]),
        )
    return a, b, c, d


def _xor(builder: Builder, first: str, *others: str) -> str:
    for other in others:
        first = builder.add("BitwiseXor", [first, other])
    return first


def _whole(builder: Builder, value: Any) -> str:
    return builder.constant([value], "int64")
