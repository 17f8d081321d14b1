"""Attention in one operator, which mixes the steps of each row."""

from __future__ import annotations

from rsonnx.model.rows.call import Call, of_shape
from rsonnx.model.rows.values import UnprovedError, Value


def _only(call: Call, inputs: int) -> None:
    """Demand that no mask or past is given, nor a present asked for."""
    if [t for t in call.inputs[inputs:] if t is not None] or call.outputs > 1:
        raise UnprovedError("a mask, a past or a present")


def _separate(call: Call) -> list[Value]:
    """Attend with Q, K and V, (rows, steps, width) or (rows, heads, steps, width), and a bias."""
    bias = 3 if call.operator == "Attention" else 4
    _only(call, bias)
    call.fixed(3)
    query, key, value = (call.rows_first(i, least=3) for i in range(3))
    if query.rank != value.rank or len({t.dims[0] for t in (query, key, value)}) > 1:
        raise UnprovedError("queries, keys and values of other shapes")
    heads = ("q_num_heads", "kv_num_heads")
    same_heads = len({call.attribute(name, 0) for name in heads}) == 1
    width = value.dims[-1] if query.rank == 4 or same_heads else None
    return [of_shape(*query.dims[:-1], width)]


def _joint(call: Call) -> list[Value]:
    """Attend with Q, K and V made of one input (rows, steps, width) by one weight and a bias."""
    _only(call, 3)
    call.fixed(1, 2)
    tensor, width = call.rows_first(rank=3), call.tensor(1).dims[-1]
    is_thirds = "qkv_hidden_sizes" not in call.attributes and isinstance(width, int)
    return [of_shape(*tensor.dims[:-1], width // 3 if is_thirds else None)]  # type: ignore


RULES = {
    "Attention": _separate,
    "com.microsoft.Attention": _joint,
    "com.microsoft.MultiHeadAttention": _separate,
}
