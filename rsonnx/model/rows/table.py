"""All rules by operator, and how one is applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from onnx import defs

from rsonnx.model.assumptions import RANDOM
from rsonnx.model.rows import (
    attention,
    axes,
    classical,
    control,
    elementwise,
    picking,
    products,
    quantised,
    recurrent,
    shapes,
    windows,
)
from rsonnx.model.rows.arithmetic import evaluate
from rsonnx.model.rows.call import Call
from rsonnx.model.rows.values import (
    MOST_AXES,
    MOST_SIZE,
    Coupled,
    Multiple,
    Tensor,
    UnprovedError,
    Value,
    rows_axis,
)

Rule = Callable[[Call], list[Value]]
"""Returns what is known of an operator's outputs.

It raises :class:`UnprovedError` where rows may mix, or where it does not surely understand.
"""

RULES: Mapping[str, Rule] = (
    attention.RULES
    | axes.RULES
    | classical.RULES
    | control.RULES
    | elementwise.RULES
    | picking.RULES
    | products.RULES
    | quantised.RULES
    | recurrent.RULES
    | shapes.RULES
    | windows.RULES
)

_SIZES: Mapping[str, set[int]] = picking.SIZES | shapes.SIZES | windows.SIZES
"""Which inputs say how large the output is, and so may depend on the number of rows."""

_OF_THE_SHAPE_ALONE = {"Shape", "Size"}

_MOVING = {"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""What leaves a list of places the same list, in another shape."""

_PLACES: Mapping[str, set[int]] = picking.PLACES | {
    operator: {0} for operator in _MOVING | _OF_THE_SHAPE_ALONE
}
"""Which inputs may be the places of rows."""

_NEVER_FIXED = RANDOM | {"BatchNormalization", "Dropout"}
"""What may answer the same input differently from call to call."""


def follow(call: Call) -> list[Value]:
    """Return what is known of an operator's outputs.

    Raises:
        UnprovedError: rows may mix, or the operator is not surely understood.
    """
    is_fixed = call.operator not in control.RULES and all(t.is_fixed for t in call.given)
    try:
        found = _with_value(call, _apply(call), is_fixed)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        if is_fixed and _is_function(call):
            return [Tensor(None)] * call.outputs
        if isinstance(error, UnprovedError):
            raise
        raise UnprovedError("not understood") from error  # a graph that contradicts itself
    if call.operator not in control.RULES:
        # A tensor of its own for each output, since masks are told apart by identity.
        found = [replace(value) for value in found]
    if call.operator in _MOVING and isinstance(found[0], Tensor):
        found[0] = replace(found[0], places=call.tensor(0).places)
    missing = call.outputs - len(found)
    return [*found[: call.outputs], *[Coupled(f"an output of {call.operator}")] * missing]


def _apply(call: Call) -> list[Value]:
    rule = RULES.get(call.operator)
    if rule is None:
        raise UnprovedError()
    allowed = _PLACES.get(call.operator, set())
    if any(t and t.places and i not in allowed for i, t in enumerate(call.inputs)):
        raise UnprovedError("row numbers used as values")
    found = rule(call)
    for tensor in found:
        if isinstance(tensor, Tensor) and tensor.shape is not None:
            rows_axis(tensor.shape)
            sizes = [s.factor if isinstance(s, Multiple) else s or 0 for s in tensor.shape]
            if len(sizes) > MOST_AXES or any(not 0 <= s <= MOST_SIZE for s in sizes):
                raise UnprovedError("a shape without sense")
    return found


def _with_value(call: Call, found: list[Value], is_fixed: bool) -> list[Value]:
    """Say what the first output holds, where that is known; the number of rows is never data."""
    first = found[0] if found else None
    readable = call.operator in _OF_THE_SHAPE_ALONE or all(t.value is not None for t in call.given)
    if call.operator not in control.RULES and isinstance(first, Tensor) and readable:
        try:
            made = evaluate(call, first)
        except Exception:
            if not is_fixed:
                raise
            made = None
        if made is not None:
            return [made, *found[1:]]
    if call.operator in _OF_THE_SHAPE_ALONE and not is_fixed:
        raise UnprovedError("a shape that is not known")
    sizes = _SIZES.get(call.operator, set())
    if any(t is not None and t.counts_rows and i not in sizes for i, t in enumerate(call.inputs)):
        raise UnprovedError("the number of rows used as a value")
    return found


def _is_function(call: Call) -> bool:
    """Return whether an operator surely gives the same answer to the same inputs each time."""
    domain, _, name = call.operator.rpartition(".")
    sees_more = any(a.HasField("g") or a.graphs for a in call.attributes.values())
    is_known = call.operator in RULES or defs.has(name, domain)
    return is_known and not sees_more and name not in _NEVER_FIXED
