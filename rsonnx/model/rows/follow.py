"""How the rule of an operator is applied to one of its uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnx import TensorProto, defs

from rsonnx.model.assumptions import LOSING_LONG, RANDOM
from rsonnx.model.rows import (  # noqa: F401 - each lists its rules
    axes,
    classical,
    control,
    elementwise,
    picking,
    products,
    shapes,
    windows,
)
from rsonnx.model.rows.arithmetic import evaluate
from rsonnx.model.rows.call import ML, PLACES, RULES, SIZES, Call
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

_OF_THE_SHAPE_ALONE = {"Shape", "Size"}

_MOVING = {"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""What leaves a list of places the same list, in another shape."""

_COMPARING = {"Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual"}
_COUNTING = {"ArgMax": 0, "ArgMin": 0, "TopK": 1}
_COUNTING |= {f"{ML}{kind}Classifier": 0 for kind in ("Linear", "SVM", "TreeEnsemble")}
_COUNTING |= {f"{ML}{kind}": 0 for kind in ("CategoryMapper", "LabelEncoder")}
"""Which output of an operator is of whole numbers, whatever it is given."""

_PICKING = {f"{ML}ArrayFeatureExtractor", "Gather", "GatherElements", "GatherND"}
"""Operators whose first operand alone is what they give."""

_NEVER_FIXED = RANDOM | {"BatchNormalization", "Dropout"}
"""What may answer the same input differently from call to call."""


def follow(call: Call) -> list[Value]:
    """Return what is known of an operator's outputs.

    Raises:
        UnprovedError: rows may mix, or the operator is not surely understood.
    """
    runs_bodies = call.operator in control.OPERATORS
    is_fixed = not runs_bodies and all(t.is_fixed for t in call.given)
    try:
        outputs = _apply(call)
        if not runs_bodies and (first := _evaluated(call, outputs[0], is_fixed)) is not None:
            outputs[0] = first
        else:
            _refuse_counts(call, is_fixed)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        if is_fixed and _is_function(call):
            return [Tensor(None)] * call.outputs
        if isinstance(error, UnprovedError):
            raise
        raise UnprovedError("not understood") from error  # a graph that contradicts itself
    if not runs_bodies:
        # A tensor of its own for each output, since masks are told apart by identity.
        outputs = [
            replace(value, long=_is_long(call, at)) if isinstance(value, Tensor) else value
            for at, value in enumerate(outputs)
        ]
    if call.operator in _MOVING and isinstance(outputs[0], Tensor):
        outputs[0] = replace(outputs[0], places=call.tensor().places)
    missing = call.outputs - len(outputs)
    return [*outputs[: call.outputs], *[Coupled(f"an output of {call.operator}")] * missing]


def _apply(call: Call) -> list[Value]:
    if call.operator not in RULES:
        raise UnprovedError()
    allowed = {0} if call.operator in _MOVING | _OF_THE_SHAPE_ALONE else PLACES[call.operator]
    if any(t and t.places and i not in allowed for i, t in enumerate(call.inputs)):
        raise UnprovedError("row numbers used as values")
    if call.operator in LOSING_LONG and any(t.long and t.axis is not None for t in call.given):
        raise UnprovedError("whole numbers of 64 bits, which may be lost by their place")
    made = RULES[call.operator](call)
    outputs = list(made) if isinstance(made, Sequence) else [made]
    for value in outputs:
        if isinstance(value, Tensor) and value.shape is not None:
            rows_axis(value.shape)
            sizes = [s.factor if isinstance(s, Multiple) else s or 0 for s in value.shape]
            if len(sizes) > MOST_AXES or any(not 0 <= s <= MOST_SIZE for s in sizes):
                raise UnprovedError("a shape without sense")
    return outputs


def _is_long(call: Call, at: int) -> bool:
    """Return whether an output may hold whole numbers of 64 bits, where it depends on rows."""
    if call.operator == "Cast":
        return call.attribute("to", TensorProto.UNDEFINED) == TensorProto.INT64
    if call.operator in _COMPARING:
        return False
    if call.operator in _COUNTING and at == _COUNTING[call.operator]:
        return True
    data = call.inputs[:1] if call.operator in _PICKING else call.inputs
    return any(tensor is not None and tensor.long for tensor in data)


def _evaluated(call: Call, output: Value, is_fixed: bool) -> Tensor | None:
    """Return the first output with what it holds, None where that is not known."""
    readable = call.operator in _OF_THE_SHAPE_ALONE or all(t.value is not None for t in call.given)
    if not readable or not isinstance(output, Tensor):
        return None
    try:
        return evaluate(call, output)
    except Exception:
        if not is_fixed:
            raise
        return None


def _refuse_counts(call: Call, is_fixed: bool) -> None:
    """Refuse the number of rows where it is used as data."""
    if call.operator in _OF_THE_SHAPE_ALONE and not is_fixed:
        raise UnprovedError("a shape that is not known")
    counts = (i for i, t in enumerate(call.inputs) if t is not None and t.counts_rows)
    if any(index not in SIZES[call.operator] for index in counts):
        raise UnprovedError("the number of rows used as a value")


def _is_function(call: Call) -> bool:
    """Return whether an operator surely gives the same answer to the same inputs each time."""
    domain, _, name = call.operator.rpartition(".")
    sees_more = any(a.HasField("g") or a.graphs for a in call.attributes.values())
    is_known = call.operator in RULES or defs.has(name, domain)
    return is_known and not sees_more and name not in _NEVER_FIXED
