"""Operators that sum products: MatMul, Gemm, Einsum, attention and recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence

from rsonnx.model.rows.call import MICROSOFT, Call, of_shape, rule
from rsonnx.model.rows.elementwise import broadcast
from rsonnx.model.rows.values import Dim, Multiple, Shape, Tensor, UnprovedError, rows_axis


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


@rule("MatMul")
def _mat_mul(call: Call) -> Tensor:
    return matrix_product(call.tensor().dims, call.tensor(1).dims)


@rule("MatMulInteger")
def _integer_mat_mul(call: Call) -> Tensor:
    """Multiply integers: a zero point a row of A would be one a row of the batch."""
    call.scalar(2)
    _a_column(call, 1, 3)
    return _mat_mul(call)


@rule("MatMulIntegerToFloat", domain=MICROSOFT)
def _mat_mul_to_float(call: Call) -> Tensor:
    call.scalar(2, 4)
    _a_column(call, 1, 3, 5)
    return _with_bias(_mat_mul(call), call, 6)


@rule("QLinearMatMul")
def _quantised_mat_mul(call: Call) -> Tensor:
    call.scalar(1, 2, 6, 7)
    _a_column(call, 3, 4, 5)
    return matrix_product(call.tensor().dims, call.tensor(3).dims)


def _a_column(call: Call, weights: int, *indices: int) -> None:
    """Demand of scales that they are fixed, and may be one a column only of fixed weights."""
    (call.fixed if call.tensor(weights).is_fixed else call.scalar)(*indices)


@rule("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def _fused_mat_mul(call: Call) -> Tensor:
    if call.attribute("transBatchA", 0) or call.attribute("transBatchB", 0):
        raise UnprovedError("transBatch")
    return matrix_product(*_transposed(call, 0, 1))


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


@rule("Gemm")
@rule("FusedGemm", domain=MICROSOFT)
def _gemm(call: Call) -> Tensor:
    a, b = _transposed(call, 0, 1)
    if len(a) != 2 or len(b) != 2:
        raise UnprovedError("matrices of other than 2 axes")
    return _with_bias(matrix_product(a, b), call, 2)


@rule("QGemm", domain=MICROSOFT)
def _quantised_gemm(call: Call) -> Tensor:
    call.scalar(1, 2, 7, 8)
    _a_column(call, 3, 4, 5)
    return _with_bias(matrix_product(*_transposed(call, 0, 3)), call, 6)


def _with_bias(made: Tensor, call: Call, index: int) -> Tensor:
    if not call.has(index):
        return made
    shape = broadcast(made.dims, call.tensor(index).dims)
    if len(shape) != made.rank or rows_axis(shape) != made.axis:
        raise UnprovedError("a bias of another shape")
    return of_shape(*shape)


@rule("Einsum")
def _einsum(call: Call) -> Tensor:
    equation = call.attribute("equation", "").replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if not arrow or not all(term.isalpha() for term in terms) or not (out.isalpha() or not out):
        raise UnprovedError(f"equation {equation[:40]!r}")
    if len(set(out)) != len(out):
        raise UnprovedError("labels")
    return contract(terms, [tensor.dims for tensor in call.given], out)


@rule("Attention")
@rule("MultiHeadAttention", domain=MICROSOFT)
def _separate_attention(call: Call) -> Tensor:
    """Attend with Q, K and V, (rows, steps, width) or (rows, heads, steps, width), and a bias."""
    _nothing_beyond(call, 3 if call.operator == "Attention" else 4)
    call.fixed(3)
    query, key, value = (call.rows_first(i, least=3) for i in range(3))
    if query.rank != value.rank or len({t.dims[0] for t in (query, key, value)}) > 1:
        raise UnprovedError("queries, keys and values of other shapes")
    same_heads = call.attribute("q_num_heads", 0) == call.attribute("kv_num_heads", 0)
    width = value.dims[-1] if query.rank == 4 or same_heads else None
    return of_shape(*query.dims[:-1], width)


@rule("Attention", domain=MICROSOFT)
def _joint_attention(call: Call) -> Tensor:
    """Attend with Q, K and V made of one input (rows, steps, width) by one weight and a bias."""
    _nothing_beyond(call, 3)
    call.fixed(1, 2)
    tensor, width = call.rows_first(rank=3), call.tensor(1).dims[-1]
    is_thirds = "qkv_hidden_sizes" not in call.attributes and isinstance(width, int)
    return of_shape(*tensor.dims[:-1], width // 3 if is_thirds else None)  # type: ignore


def _nothing_beyond(call: Call, inputs: int) -> None:
    if [t for t in call.inputs[inputs:] if t is not None] or call.outputs > 1:
        raise UnprovedError("a mask, a past or a present")


@rule("GRU", "LSTM", "RNN")
def _recurrent(call: Call) -> list[Tensor]:
    """Follow X (steps, rows, features), or with ``layout`` 1 (rows, steps, features)."""
    tensor, weights = call.tensor(), call.tensor(2)
    rows = 0 if call.attribute("layout", 0) else 1
    call.fixed(1, 2, 3, 7)
    if tensor.rank != 3 or weights.rank != 3 or tensor.axis not in (None, rows):
        raise UnprovedError()
    if call.has(4):
        raise UnprovedError("sequence_lens")
    steps, batch = tensor.dims[1 - rows], tensor.dims[rows]
    directions, hidden = weights.dims[0], weights.dims[2]
    state = (directions, batch, hidden) if rows else (batch, directions, hidden)
    if any(call.has(index) and call.tensor(index).dims != state for index in (5, 6)):
        raise UnprovedError("a first state of another shape")
    every = (steps, directions, batch, hidden) if rows else (batch, steps, directions, hidden)
    return [of_shape(*every), of_shape(*state), of_shape(*state)]
