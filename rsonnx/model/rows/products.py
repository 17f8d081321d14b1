"""Operators that sum products: MatMul, Gemm, Einsum, and their integer and fused forms."""

from __future__ import annotations

from collections.abc import Sequence

from rsonnx.model.rows.call import Call, of_shape
from rsonnx.model.rows.elementwise import broadcast
from rsonnx.model.rows.values import (
    Dim,
    Multiple,
    Shape,
    Tensor,
    UnprovedError,
    Value,
    rows_axis,
)


def contract(terms: Sequence[Sequence[str]], shapes: Sequence[Shape], out: Sequence[str]) -> Tensor:
    """Return what an Einstein sum gives: entries multiplied, summed over the labels not in ``out``.

    The value at a place needs, of each operand, the entries that share the labels of the place. So
    it needs its own row alone where the label of the rows stays and every operand's rows have it.
    """
    sizes: dict[str, Dim] = {}
    for labels, shape in zip(terms, shapes, strict=True):
        if len(labels) != len(shape) or len(set(labels)) != len(labels):
            raise UnprovedError("labels")
        for label, size in zip(labels, shape, strict=True):
            sizes[label] = broadcast((sizes.get(label, 1),), (size,))[0]
    if any(isinstance(size, Multiple) and label not in out for label, size in sizes.items()):
        raise UnprovedError()
    return of_shape(*(sizes[label] for label in out))


def matrix_product(a: Shape, b: Shape) -> Tensor:
    """Return the product of matrices, or of stacks of them, as numpy's ``matmul`` has it."""
    if not a or not b:
        raise UnprovedError("a number in place of a matrix")
    stack = [f"stack {i}" for i in reversed(range(max(len(a), len(b), 2) - 2))]
    left = (["row"] if len(a) > 1 else []) + ["sum"]
    right = ["sum"] + (["column"] if len(b) > 1 else [])
    first = stack[len(stack) - (len(a) - len(left)) :] + left
    second = stack[len(stack) - (len(b) - len(right)) :] + right
    return contract([first, second], [a, b], stack + left[:-1] + right[1:])


def _mat_mul(call: Call) -> list[Value]:
    return [matrix_product(call.tensor(0).dims, call.tensor(1).dims)]


def _integer_mat_mul(call: Call) -> list[Value]:
    """Multiply integers: a zero point a row of A would be one a row of the batch."""
    call.scalar(2)
    _a_column(call, 1, 3)
    return _mat_mul(call)


def _mat_mul_to_float(call: Call) -> list[Value]:
    call.scalar(2, 4)
    _a_column(call, 1, 3, 5)
    return [_with_bias(_mat_mul(call)[0], call, 6)]


def _quantised_mat_mul(call: Call) -> list[Value]:
    call.scalar(1, 2, 6, 7)
    _a_column(call, 3, 4, 5)
    return [matrix_product(call.tensor(0).dims, call.tensor(3).dims)]


def _a_column(call: Call, weights: int, *indices: int) -> None:
    """Demand of scales that they are fixed, and may be one a column only of fixed weights."""
    (call.fixed if call.tensor(weights).is_fixed else call.scalar)(*indices)


def _fused_mat_mul(call: Call) -> list[Value]:
    if call.attribute("transBatchA", 0) or call.attribute("transBatchB", 0):
        raise UnprovedError("transBatch")
    return [matrix_product(*_transposed(call, 0, 1))]


def _transposed(call: Call, *places: int) -> tuple[Shape, Shape]:
    shapes = []
    for place, name in zip(places, ("transA", "transB"), strict=True):
        shape = call.tensor(place).dims
        if call.attribute(name, 0):
            if len(shape) < 2:
                raise UnprovedError(name)
            shape = (*shape[:-2], shape[-1], shape[-2])
        shapes.append(shape)
    return shapes[0], shapes[1]


def _gemm(call: Call) -> list[Value]:
    a, b = _transposed(call, 0, 1)
    if len(a) != 2 or len(b) != 2:
        raise UnprovedError("matrices of other than 2 axes")
    return [_with_bias(matrix_product(a, b), call, 2)]


def _quantised_gemm(call: Call) -> list[Value]:
    call.scalar(1, 2, 7, 8)
    _a_column(call, 3, 4, 5)
    return [_with_bias(matrix_product(*_transposed(call, 0, 3)), call, 6)]


def _with_bias(made: Value, call: Call, index: int) -> Tensor:
    if not isinstance(made, Tensor):
        raise UnprovedError()
    if not call.has(index):
        return made
    shape = broadcast(made.dims, call.tensor(index).dims)
    if len(shape) != made.rank or rows_axis(shape) != made.axis:
        raise UnprovedError("a bias of another shape")
    return of_shape(*shape)


def _einsum(call: Call) -> list[Value]:
    equation = call.attribute("equation", "").replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if not arrow or not all(term.isalpha() for term in terms) or not (out.isalpha() or not out):
        raise UnprovedError(f"equation {equation[:40]!r}")
    if len(set(out)) != len(out):
        raise UnprovedError("labels")
    return [contract(terms, [tensor.dims for tensor in call.given], out)]


RULES = {
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _mat_mul,
    "MatMulInteger": _integer_mat_mul,
    "QLinearMatMul": _quantised_mat_mul,
    "com.microsoft.FusedGemm": _gemm,
    "com.microsoft.FusedMatMul": _fused_mat_mul,
    "com.microsoft.MatMulIntegerToFloat": _mat_mul_to_float,
    "com.microsoft.QGemm": _quantised_gemm,
    "com.microsoft.TransposeMatMul": _fused_mat_mul,
}
