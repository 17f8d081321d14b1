"""Operators between integers and what they stand for, with scales that are fixed."""

from __future__ import annotations

from rsonnx.model.rows.axes import flattened_softmax
from rsonnx.model.rows.call import Call, of_shape, spare
from rsonnx.model.rows.elementwise import broadcast
from rsonnx.model.rows.picking import concatenated
from rsonnx.model.rows.values import Tensor, UnprovedError, Value, product


def _scaled(call: Call) -> list[Value]:
    """Quantise, or undo it: one scale for all, or one for each place along ``axis``."""
    tensor, scale = call.tensor(0), call.tensor(1)
    call.fixed_from(1)
    if product(scale.dims) != 1:
        if scale.rank != 1 or call.attribute("block_size", 0):
            raise UnprovedError("blocks of scales")
        spare(tensor, call.axis(tensor.rank, 1))
    return [Tensor(tensor.dims)]


def _pair(call: Call) -> list[Value]:
    call.scalar(1, 2, 4, 5, 6, 7)
    return [of_shape(*broadcast(call.tensor(0).dims, call.tensor(3).dims))]


def _one(call: Call) -> list[Value]:
    call.scalar(1, 2, 3, 4)
    return [Tensor(call.tensor(0).dims)]


def _where(call: Call) -> list[Value]:
    call.scalar(2, 3, 5, 6, 7, 8)
    return [of_shape(*broadcast(*(call.tensor(i).dims for i in (0, 1, 4))))]


def _softmax(call: Call) -> list[Value]:
    call.scalar(1, 2, 3, 4)
    opset = call.attribute("opset", 0)
    if opset < 1:
        raise UnprovedError("opset")
    if opset < 13:
        return flattened_softmax(call)
    tensor = call.tensor(0)
    spare(tensor, call.axis(tensor.rank, -1))
    return [Tensor(tensor.dims)]


def _concat(call: Call) -> list[Value]:
    call.scalar(0, 1, *(i for i in range(2, len(call.inputs)) if i % 3 != 2))
    parts = [call.tensor(i) for i in range(2, len(call.inputs), 3)]
    return [concatenated(parts, call.axis(parts[0].rank))]


RULES = {
    "DequantizeLinear": _scaled,
    "QuantizeLinear": _scaled,
    "com.microsoft.DequantizeLinear": _scaled,
    "com.microsoft.QLinearAdd": _pair,
    "com.microsoft.QLinearConcat": _concat,
    "com.microsoft.QLinearLeakyRelu": _one,
    "com.microsoft.QLinearMul": _pair,
    "com.microsoft.QLinearSigmoid": _one,
    "com.microsoft.QLinearSoftmax": _softmax,
    "com.microsoft.QLinearWhere": _where,
    "com.microsoft.QuantizeLinear": _scaled,
}
