"""Operators that compute each value from the values at the same place, with broadcasting."""

from __future__ import annotations

from itertools import zip_longest

from rsonnx.model.rows.call import Call, of_shape
from rsonnx.model.rows.values import Dim, Multiple, Shape, Tensor, UnprovedError, Value


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


def elementwise(call: Call) -> list[Value]:
    """Combine all inputs place by place."""
    return [of_shape(*broadcast(*(tensor.dims for tensor in call.given)))]


def first_alone(call: Call) -> list[Value]:
    """Change the first input place by place; of the others only the type matters."""
    return [Tensor(call.tensor(0).dims)]


def _dropout(call: Call) -> list[Value]:
    if call.has(2) and call.value(2).any():
        raise UnprovedError("training mode")
    call.fixed(1)
    return [Tensor(call.tensor(0).dims)] * call.outputs


_EVERYWHERE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
    Cast Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid
    HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not
    Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub
    Sum Swish Tan Tanh ThresholdedRelu Where Xor
    ai.onnx.ml.Binarizer ai.onnx.ml.CategoryMapper ai.onnx.ml.LabelEncoder
    com.microsoft.BiasGelu com.microsoft.FastGelu com.microsoft.Gelu com.microsoft.QuickGelu
    """

RULES = dict.fromkeys(_EVERYWHERE.split(), elementwise) | {
    "CastLike": first_alone,
    "Dropout": _dropout,
}
