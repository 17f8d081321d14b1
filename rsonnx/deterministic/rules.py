"""What each operator makes of the layers before it: a rule an operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from rsonnx.deterministic.building import Builder, Value
from rsonnx.deterministic.layers import Matrix
from rsonnx.deterministic.operators import convolution, diagonal, mean, windows
from rsonnx.errors import ModelError

Operand = Any
"""A :class:`Value`, the array of a constant, or None for an input that is left out."""


@dataclass(frozen=True, eq=False)
class Call:
    """An operator at work.

    Attributes:
        kind: its name.
        result: the name of what it makes.
        operands: what it is given.
        attributes: by name.
        opset: version of the operator set.
    """

    kind: str
    result: str
    operands: Sequence[Operand]
    attributes: Mapping[str, Any]
    opset: int

    @classmethod
    def of(cls, node: onnx.NodeProto, operands: Sequence[Operand], opset: int) -> Call:
        """Return a node as a call."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return cls(node.op_type, node.output[0], operands, attributes, opset)

    def refusal(self, why: str = "") -> ModelError:
        """Return the refusal of an operator that no bounds are known of here."""
        return ModelError(
            f"deterministic verification knows no bounds of {self.kind} {self.result!r}{why}; "
            "`rsonnx certify` takes every operator"
        )

    def value(self, place: int = 0) -> Value:
        """Return an operand that depends on the input, or refuse one that does not."""
        operand = self.operands[place]
        if not isinstance(operand, Value):
            raise self.refusal(" of a constant")
        return operand

    def constant(self, place: int, default: float = 0.0) -> NDArray[np.float64]:
        """Return an operand that must be constant, in float64; the default if it is left out."""
        operand = self.operands[place] if place < len(self.operands) else None
        if isinstance(operand, Value):
            raise self.refusal(" with two operands that depend on the input")
        return np.asarray(default if operand is None else operand, np.float64)


_SAME = (b"SAME_UPPER", b"SAME_LOWER")

_MOST_PRODUCTS = 1 << 26
"""Of a convolution, which is held as a matrix: two gigabytes while it is made."""

Rule = Callable[[Builder, Call], Value]

RULES: dict[str, Rule] = {}
"""A rule an operator, by its name."""


def _rule(*kinds: str) -> Callable[[Rule], Rule]:
    def put(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return put


@_rule("Relu")
def _relu(build: Builder, call: Call) -> Value:
    return build.relu(call.value())


@_rule("Cast")
def _cast(_build: Builder, call: Call) -> Value:
    if call.attributes["to"] not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        name = TensorProto.DataType.Name(call.attributes["to"])
        raise call.refusal(f" to {name}, whose rounding is coarse")
    return call.value()


@_rule("Dropout")
def _dropout(_build: Builder, call: Call) -> Value:
    if len(call.operands) > 2 and call.operands[2] is not None and np.any(call.operands[2]):
        raise call.refusal(" in training mode")
    return call.value()


@_rule("Softmax", "LogSoftmax")
def _softmax(_build: Builder, call: Call) -> Value:
    value = call.value()
    axis = call.attributes.get("axis", 1 if call.opset < 13 else -1)
    along = value.shape[axis:] if call.opset < 13 else (value.shape[axis],)
    if math.prod(along) != value.places.size:
        raise call.refusal(" over some of the scores alone")
    return Value(value.layer, value.places, call.kind)


@_rule("Add", "Sub")
def _sum(build: Builder, call: Call) -> Value:
    shape = np.broadcast_shapes(*(operand.shape for operand in call.operands))
    parts: list[tuple[int, Matrix]] = []
    bias: NDArray[np.float64] | float = 0.0
    for operand, sign in zip(
        call.operands, (1.0, 1.0 if call.kind == "Add" else -1.0), strict=True
    ):
        if isinstance(operand, Value):
            broadcast = Value(operand.layer, np.broadcast_to(operand.places, shape))
            layer = build.in_order(broadcast)
            parts.append((layer, diagonal(np.full(math.prod(shape), sign))))
        else:
            bias = sign * np.asarray(operand, np.float64)
    return build.affine(parts, shape, bias)


@_rule("Mul", "Div")
def _scale(build: Builder, call: Call) -> Value:
    places = (0, 1) if call.kind == "Div" or isinstance(call.operands[0], Value) else (1, 0)
    value, factor = call.value(places[0]), call.constant(places[1])
    with np.errstate(divide="ignore"):
        factor = 1 / factor if call.kind == "Div" else factor
    return _scaled(build, value, factor, np.broadcast_shapes(value.shape, factor.shape))


@_rule("Neg")
def _negative(build: Builder, call: Call) -> Value:
    return _scaled(build, call.value(), np.array(-1.0), call.value().shape)


def _scaled(
    build: Builder,
    value: Value,
    factor: NDArray[np.float64],
    shape: Sequence[int],
    bias: NDArray[np.float64] | float = 0.0,
    mass: NDArray[np.float64] | None = None,
) -> Value:
    layer = build.in_order(Value(value.layer, np.broadcast_to(value.places, shape)))
    factors = diagonal(np.broadcast_to(factor, shape).ravel())
    return build.affine([(layer, factors)], shape, bias, mass)


@_rule("BatchNormalization")
def _batch_normalization(build: Builder, call: Call) -> Value:
    if call.attributes.get("training_mode") or not call.attributes.get("spatial", 1):
        raise call.refusal(" in training mode or an axis of its own a value")
    value = call.value()
    axes = [1, -1, *[1] * (len(value.shape) - 2)]
    scale, offset, average, variance = (
        np.asarray(operand, np.float64).reshape(axes) for operand in call.operands[1:5]
    )
    epsilon = np.float32(call.attributes.get("epsilon", 1e-5))
    factor = scale / np.sqrt(variance + np.float64(epsilon))
    moved = average * factor
    return _scaled(build, value, factor, value.shape, offset - moved, abs(offset) + abs(moved))


@_rule("Gemm")
def _gemm(build: Builder, call: Call) -> Value:
    value, weights, bias = call.value(), call.constant(1), call.constant(2)
    if call.attributes.get("transA") or value.shape[:-1] != (1,):
        raise call.refusal(" with a transposed input")
    matrix = weights if call.attributes.get("transB") else weights.T
    matrix = np.ascontiguousarray(matrix) * call.attributes.get("alpha", 1.0)
    added = bias * call.attributes.get("beta", 1.0)
    return build.affine([(build.in_order(value), matrix)], (1, len(matrix)), added)


@_rule("MatMul")
def _product(build: Builder, call: Call) -> Value:
    value, weights = call.value(), call.constant(1)
    if weights.ndim != 2 or math.prod(value.shape[:-1]) != 1:
        raise call.refusal(" of several rows")
    matrix = np.ascontiguousarray(weights.T)
    return build.affine([(build.in_order(value), matrix)], (*value.shape[:-1], len(matrix)))


@_rule("Conv")
def _convolution(build: Builder, call: Call) -> Value:
    value, weights, bias = call.value(), call.constant(1), call.constant(2)
    pixels, kernel = value.shape[2:], weights.shape[2:]
    outputs, seen = _windows(call, pixels, kernel)
    products = weights.size * len(seen)
    if products > _MOST_PRODUCTS:
        raise call.refusal(f" of {products:,} products, more than {_MOST_PRODUCTS:,}")
    matrix = convolution(
        weights.reshape(*weights.shape[:2], -1),
        call.attributes.get("group", 1),
        math.prod(pixels),
        seen,
    )
    shape = (1, len(weights), *outputs)
    added = bias.reshape(1, -1, *[1] * len(pixels))
    return build.affine([(build.in_order(value), matrix)], shape, added)


@_rule("AveragePool")
def _average_pool(build: Builder, call: Call) -> Value:
    if call.attributes.get("ceil_mode"):
        raise call.refusal(" with ceil_mode")
    padded = call.attributes.get("auto_pad", b"NOTSET") in _SAME
    if padded and max(call.attributes.get("dilations", [1])) > 1:
        raise call.refusal(" with padding for the same size and dilations")
    value = call.value()
    pixels, channels, kernel = value.shape[2:], value.shape[1], call.attributes["kernel_shape"]
    outputs, seen = _windows(call, pixels, kernel)
    weights = np.full((channels, 1, math.prod(kernel)), 1.0)
    matrix = convolution(weights, channels, math.prod(pixels), seen)
    counts = (seen >= 0).sum(axis=1)
    if call.attributes.get("count_include_pad"):
        counts[:] = math.prod(kernel)
    matrix = diagonal(np.tile(1 / counts, channels)) @ matrix
    return build.affine([(build.in_order(value), matrix)], (1, channels, *outputs))


def _windows(
    call: Call, pixels: Sequence[int], kernel: Sequence[int]
) -> tuple[tuple[int, ...], NDArray[np.int64]]:
    """Return what :func:`windows` does, by a call's strides, pads and dilations."""
    axes = len(pixels)
    strides = call.attributes.get("strides", [1] * axes)
    dilations = call.attributes.get("dilations", [1] * axes)
    auto = call.attributes.get("auto_pad", b"NOTSET")
    pads = call.attributes.get("pads", [0] * 2 * axes)
    wide = [dilation * (k - 1) + 1 for dilation, k in zip(dilations, kernel, strict=True)]
    if auto in _SAME:
        missing = [
            max(0, (-(-length // stride) - 1) * stride + width - length)
            for length, stride, width in zip(pixels, strides, wide, strict=True)
        ]
        less, more = [m // 2 for m in missing], [m - m // 2 for m in missing]
        pads = [*less, *more] if auto == b"SAME_UPPER" else [*more, *less]
    elif auto == b"VALID":
        pads = [0] * 2 * axes
    padded = np.add(pixels, np.reshape(pads, (2, axes)).sum(axis=0))
    if (padded < wide).any():
        raise call.refusal(" whose kernel is larger than what it sees")
    return windows(pixels, kernel, strides, pads, dilations)


@_rule("GlobalAveragePool", "ReduceMean")
def _mean(build: Builder, call: Call) -> Value:
    value = call.value()
    axes = list(range(2, len(value.shape)))
    keeps = True
    if call.kind == "ReduceMean":
        stated = call.operands[1] if len(call.operands) > 1 else call.attributes.get("axes")
        axes = [int(axis) % len(value.shape) for axis in np.ravel(() if stated is None else stated)]
        if 0 in axes or not axes:
            raise call.refusal(" of a batch, or of all values")
        keeps = bool(call.attributes.get("keepdims", 1))
    matrix = mean(value.shape, axes)
    kept = [
        (1 if axis in axes else n)
        for axis, n in enumerate(value.shape)
        if keeps or axis not in axes
    ]
    return build.affine([(build.in_order(value), matrix)], kept)
