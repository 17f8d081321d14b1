"""Operators that compute each value from the values at the same place, with broadcasting."""

from __future__ import annotations

from itertools import zip_longest

from onnx import TensorProto

from rsonnx.model.rows.call import MICROSOFT, ML, Call, of_shape, rule, spare
from rsonnx.model.rows.values import Dim, Multiple, Shape, Tensor, UnprovedError, product


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape to which some shapes are broadcast, aligned at their last axes.

    An axis of rows meets only the same axis, or one of length 1: a number for each of so many rows
    would make the answer depend on a row's place.
    """
    aligned = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return tuple(reversed([_meet(sizes) for sizes in aligned]))


def _meet(sizes: tuple[Dim, ...]) -> Dim:
    rows = {size for size in sizes if isinstance(size, Multiple)}
    others = {size for size in sizes if size != 1} - rows
    if len(rows) > 1 or (rows and others):
        raise UnprovedError("rows that are combined with another number of rows")
    if rows:
        return rows.pop()
    numbers = others - {None}
    if len(numbers) > 1:
        raise UnprovedError("shapes that do not fit")
    return numbers.pop() if numbers else None if others else 1


_EVERYWHERE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
    Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid
    HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not
    Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub
    Sum Swish Tan Tanh ThresholdedRelu Where Xor
    """


@rule(*_EVERYWHERE.split())
@rule("Binarizer", "CategoryMapper", "LabelEncoder", domain=ML)
@rule("BiasGelu", "FastGelu", "Gelu", "QuickGelu", domain=MICROSOFT)
def _everywhere(call: Call) -> Tensor:
    return of_shape(*broadcast(*(tensor.dims for tensor in call.given)))


@rule("Cast", "CastLike")
def _cast(call: Call) -> Tensor:
    """Turn values into another type, for CastLike into one that is not known here.

    Beyond the range of UINT32 onnxruntime's vectors give other numbers than its single values.
    """
    to = call.attribute("to", TensorProto.UNDEFINED)
    if to in (TensorProto.UINT32, TensorProto.UNDEFINED) and call.tensor().axis is not None:
        raise UnprovedError("whole numbers without a sign, which wrap by their place")
    return Tensor(call.tensor().dims)


@rule("Dropout")
def _dropout(call: Call) -> list[Tensor]:
    if call.has(2) and call.value(2).any():
        raise UnprovedError("training mode")
    call.fixed(1)
    return [Tensor(call.tensor().dims)] * call.outputs


@rule("DequantizeLinear", "QuantizeLinear")
@rule("DequantizeLinear", "QuantizeLinear", domain=MICROSOFT)
def _scaled(call: Call) -> Tensor:
    """Quantise, or undo it: one scale for all, or one for each place along ``axis``."""
    tensor, scale = call.tensor(), call.tensor(1)
    call.fixed_from(1)
    if product(scale.dims) != 1:
        if scale.rank != 1 or call.attribute("block_size", 0):
            raise UnprovedError("blocks of scales")
        spare(tensor, call.axis(tensor.rank, 1))
    return Tensor(tensor.dims)


_QUANTISED = {
    "QLinearAdd": (0, 3),
    "QLinearLeakyRelu": (0,),
    "QLinearMul": (0, 3),
    "QLinearSigmoid": (0,),
    "QLinearWhere": (0, 1, 4),
}
"""The places of their data; all other inputs are scales and zero points."""


@rule(*_QUANTISED, domain=MICROSOFT)
def _quantised(call: Call) -> Tensor:
    data = _QUANTISED[call.operator.removeprefix(MICROSOFT)]
    call.scalar(*(i for i in range(9) if i not in data))
    return of_shape(*broadcast(*(call.tensor(i).dims for i in data)))
