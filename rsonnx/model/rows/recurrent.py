"""Recurrent layers, which run along one axis of each row."""

from __future__ import annotations

from rsonnx.model.rows.call import Call, of_shape
from rsonnx.model.rows.values import UnprovedError, Value


def _recurrent(call: Call) -> list[Value]:
    """Follow X (steps, rows, features), or with ``layout`` 1 (rows, steps, features)."""
    tensor, weights = call.tensor(0), call.tensor(2)
    rows = 0 if call.attribute("layout", 0) else 1
    call.fixed(1, 2, 3, 7)
    if tensor.rank != 3 or weights.rank != 3 or tensor.axis not in (None, rows):
        raise UnprovedError()
    if call.has(4):
        raise UnprovedError("sequence_lens")
    steps, batch = tensor.dims[1 - rows], tensor.dims[rows]
    directions, hidden = weights.dims[0], weights.dims[2]
    state = [directions, hidden]
    state.insert(rows, batch)
    for index in (5, 6):
        if call.has(index) and call.tensor(index).dims != tuple(state):
            raise UnprovedError("a first state of another shape")
    last = of_shape(*state)
    every = [steps, directions, batch, hidden] if rows else [batch, steps, directions, hidden]
    return [of_shape(*every), last, last]


RULES = dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent)
