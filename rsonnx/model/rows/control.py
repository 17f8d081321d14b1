"""Operators that run subgraphs: If, Loop, Scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import onnx

from rsonnx.model.rows.call import Call, of_shape, positive, rule, spare
from rsonnx.model.rows.values import (
    Coupled,
    Dim,
    Multiple,
    NonEmpty,
    Tensor,
    UnprovedError,
    Value,
    join,
    same,
)

OPERATORS = {"If", "Loop", "Scan"}

_MOST_ROUNDS = 8
"""How often a loop's body is followed until what is known of its states no longer changes."""


def _subgraph(call: Call, name: str) -> onnx.GraphProto:
    if name not in call.attributes or not call.attributes[name].HasField("g"):
        raise UnprovedError(f"no {name}")
    return call.attributes[name].g


@rule("If", sizes={0})
def _if(call: Call) -> list[Value]:
    condition = call.tensor()
    branches = [_subgraph(call, name) for name in ("then_branch", "else_branch")]
    if condition.counts_rows:
        return _where_some(call, branches)
    call.fixed(0)
    if condition.value is not None:
        return call.body(branches[0 if condition.value.reshape(()) else 1], [])
    then, otherwise = (call.body(branch, []) for branch in branches)
    return [join(a, b, "If") for a, b in zip(then, otherwise, strict=True)]


def _where_some(call: Call, branches: Sequence[onnx.GraphProto]) -> list[Value]:
    """Return what an If gives that runs for the rows of a mask, where there are any.

    Its condition looks at all rows, so what it gives must be the same whichever branch a batch has
    it run. That is so where the then-branch gives one entry a true entry of that very mask, each of
    its own row, as always, and the else-branch nothing: along that axis no entries, along others as
    many. Without true entries the then-branch would give no entries too, so each output is the
    then-branch's in every batch: a row in the mask is there in every batch that it is in, and the
    branch runs then; a row outside has no entry, whether others make the branch run or not.

    Within the then-branch the mask is known to have true entries. Its outputs must have sizes that
    are known, and must be no places, which tell rows' numbers.
    """
    condition = call.value(0)
    asked = condition[()] if condition.shape == () else None
    if not isinstance(asked, NonEmpty):
        raise UnprovedError("the number of rows used as a value")
    then, otherwise = call.body(branches[0], [], asked.of), call.body(branches[1], [])
    return [_some(a, b, asked) for a, b in zip(then, otherwise, strict=True)]


def _some(then: Value, otherwise: Value, asked: NonEmpty) -> Value:
    if isinstance(then, Coupled):
        return then
    rows = Multiple(1, asked.of)
    if rows in then.dims and not then.places and isinstance(otherwise, Tensor):
        none = tuple(0 if size == rows else size for size in then.dims)
        if otherwise.is_fixed and otherwise.shape == none and None not in none:
            return Tensor(tuple(rows if size == rows else size for size in then.dims))
    return Coupled("If, whose branch depends on all rows")


@rule("Loop")
def _loop(call: Call) -> list[Value]:
    body = _subgraph(call, "body")
    call.fixed(0, 1)
    counters = [
        Tensor(None) if len(value.type.tensor_type.shape.dim) else Tensor(())
        for value in body.input[:2]
    ]

    def step(now: list[Value]) -> list[Value]:
        made = call.body(body, [*counters, *now])
        if not isinstance(made[0], Tensor) or not made[0].is_fixed:
            raise UnprovedError("a condition that depends on the inputs")
        return made[1:]

    states, collected = _settle(step, [call.tensor(i) for i in range(2, len(call.inputs))])
    return [*states, *(_stacked(value, None, 0) for value in collected)]


@rule("Scan")
def _scan(call: Call) -> list[Value]:
    if call.version < 9:
        raise UnprovedError("before operator set 9")
    body, count = _subgraph(call, "body"), call.attribute("num_scan_inputs", 0)
    first = len(call.inputs) - count
    axes = call.integers("scan_input_axes") or [0] * count
    if count < 1 or first < 0 or len(axes) != count:
        raise UnprovedError("num_scan_inputs")
    parts: list[Value] = []
    length: Dim = None
    for index, axis in enumerate(axes):
        tensor = call.tensor(first + index)
        place = positive(axis, tensor.rank)
        spare(tensor, place)
        length = tensor.dims[place]
        parts.append(Tensor((*tensor.dims[:place], *tensor.dims[place + 1 :])))
    states, collected = _settle(
        lambda now: call.body(body, [*now, *parts]), [call.tensor(i) for i in range(first)]
    )
    places = call.integers("scan_output_axes") or [0] * len(collected)
    stacked = [_stacked(v, length, axis) for v, axis in zip(collected, places, strict=True)]
    return [*states, *stacked]


def _settle(
    step: Callable[[list[Value]], list[Value]], states: Sequence[Value]
) -> tuple[list[Value], list[Value]]:
    """Return what is true of the states before and after any number of steps, and the rest."""
    # States that start as one mask need not stay one, and masks are told apart by identity.
    now = [replace(state) for state in states]
    for _ in range(_MOST_ROUNDS):
        made = step(now)
        after = [join(a, b, "a loop") for a, b in zip(now, made[: len(now)], strict=True)]
        if all(same(a, b) for a, b in zip(now, after, strict=True)):
            return after, made[len(now) :]
        now = after
    raise UnprovedError("states that keep changing")


def _stacked(value: Value, length: Dim, axis: int) -> Value:
    if isinstance(value, Coupled):
        return value
    if value.counts_rows or value.places:
        raise UnprovedError("the number of rows used as a value")
    if value.shape is None:
        return value
    place = positive(axis, value.rank + 1)
    return of_shape(*value.dims[:place], length, *value.dims[place:])
