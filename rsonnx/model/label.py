"""What the nodes behind a label say of it: which values it may take, and which scores decide it.

The label itself always comes from the file's own nodes. What is read here is only how its values
are numbered 0, 1, ..., what they are called, and where NaN would show that a label does not.
"""

from __future__ import annotations

import math
import operator as operators
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.model.graph import GraphView, attribute, whole

ML_CLASSIFIERS = {"LinearClassifier", "TreeEnsembleClassifier", "SVMClassifier"}

_PASSING = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
_COMPARING = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
_LOGICAL = {"And", "Not", "Or", "Xor"}
_CHOOSING = {"ArgMax", "ArgMin", "TopK"}
_DECIDING = {"Ceil", "Floor", "Round", "Sign", *_CHOOSING, *_COMPARING}
_ROW_AXES = (1, -1)
_MOST_VALUES = 30_000
"""Of a label that arithmetic makes, such as 1 - 2 * (score < 0), or a position + 1."""

_ARITHMETIC = {"Add": operators.add, "Mul": operators.mul, "Sub": operators.sub}
_DEEPEST = 12
_UNKNOWN: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Label:
    """A label, as far as the graph tells.

    Attributes:
        tensor: what is read: the label itself, or the position that a table is read at.
        values: what the tensor may be, class by class; empty where it is the class's number.
        table: class of each position that the tensor may be; empty where it is the class itself.
        first_column: whether only the first of several columns counts.
        classes: names of the classes, in order; empty where the file has none.
        decision: whether the label is where ``scores`` are largest or smallest; None for neither.
        scores: the tensor whose largest or smallest element decides.
        evidence: tensors in which NaN shows, if a label has no scores.
        is_decided: whether an operator that decides among classes was found.
    """

    tensor: str
    values: tuple[int, ...] | tuple[str, ...] = ()
    table: tuple[int, ...] = ()
    first_column: bool = False
    classes: tuple[str, ...] = ()
    decision: Literal["largest", "smallest"] | None = None
    scores: str | None = None
    evidence: tuple[str, ...] = ()
    is_decided: bool = False

    @property
    def tensors(self) -> tuple[str, ...]:
        """All tensors that it needs."""
        return (self.tensor, *filter(None, [self.scores]), *self.evidence)


def read_label(view: GraphView, output: str, depth: int = 0) -> Label:
    """Read a label back to what decides it.

    Args:
        view: the graph.
        output: the label's tensor.
        depth: how many look-ups were read on the way; a damaged file may go round in a circle.
    """
    tensor = behind(view, output, _PASSING)
    node = view.producer(tensor)
    if node is None or depth > _DEEPEST:
        return Label(output)
    looked_up = _looked_up(view, node, depth)
    if looked_up is not None:
        return looked_up
    if node.op_type in ML_CLASSIFIERS and tensor == node.output[0]:
        values = ml_classes(node)
        evidence = tuple(node.output[1:2])
        return Label(
            tensor if values else output,
            values,
            classes=tuple(map(str, values)),
            evidence=tuple(filter(None, evidence)),
            is_decided=True,
        )
    decided = _decided(view, node, tensor)
    if decided is not None:
        return replace(decided, tensor=output)
    possible = _possible(view, output)
    evidence = tuple(dict.fromkeys(_evidence(view, output)))
    if not possible:
        return Label(output, evidence=evidence, is_decided=bool(evidence))
    ordered: Any = tuple(sorted(possible))
    return Label(
        output, ordered, classes=tuple(map(str, ordered)), evidence=evidence, is_decided=True
    )


def behind(view: GraphView, tensor: str, passing: set[str]) -> str:
    """Return the tensor behind operators that do not compute."""
    for _ in range(32):  # a damaged file may go round in a circle
        node = view.producer(tensor)
        if node is None or node.op_type not in passing or not node.input:
            break
        tensor = node.input[0]
    return tensor


def ml_classes(node: onnx.NodeProto) -> tuple[int, ...] | tuple[str, ...]:
    """Return the classes that a classifier of ai.onnx.ml, or a ZipMap, lists; empty if none."""
    for key in ("classlabels_strings", "classlabels_string"):
        found = attribute(node, key)
        if found is not None and found.strings:
            return tuple(s.decode(errors="replace") for s in found.strings)
    for key in ("classlabels_int64s", "classlabels_ints"):
        found = attribute(node, key)
        if found is not None and found.ints:
            return tuple(found.ints)
    return ()


def _looked_up(view: GraphView, node: onnx.NodeProto, depth: int) -> Label | None:
    """Read a label that is looked up in a constant list: the position in it is the class."""
    if node.op_type in {"ArrayFeatureExtractor", "Gather"} and len(node.input) > 1:
        axis = whole(node, "axis", 0) if node.op_type == "Gather" else -1
        position, entries = node.input[1], _list_along(view, node.input[0], axis)
    elif node.op_type == "LabelEncoder" and node.input:
        keys, position = attribute(node, "keys_int64s"), node.input[0]
        entries = _encoded(node)
        if keys is None or list(keys.ints) != list(range(len(entries))):
            entries = []
    else:
        return None
    if not entries:
        return None
    names = [_name(entry) for entry in entries]
    inner = read_label(view, position, depth + 1)
    classes = tuple(dict.fromkeys(names))
    if len(classes) < len(names):
        # Several positions are one class, so the scores are not those of the classes.
        number = {name: k for k, name in enumerate(classes)}
        seen = (*filter(None, [inner.scores]), *inner.evidence)
        table = tuple(number[name] for name in names)
        return Label(position, (), table, inner.first_column, classes, None, None, seen, True)
    if inner.values or inner.table:
        return Label(position, classes=classes, evidence=inner.evidence, is_decided=True)
    return replace(inner, tensor=position, classes=classes, is_decided=True)


def _list_along(view: GraphView, tensor: str, axis: int) -> list[Any]:
    """Return the entries of a constant list that lies along an axis; empty for anything else."""
    found = view.constant(view.source(tensor))
    if found is None or not -found.ndim <= axis < found.ndim or found.shape[axis] != found.size:
        return []
    entries: list[Any] = found.ravel().tolist()
    return entries


def _name(entry: Any) -> str:
    if isinstance(entry, bytes):
        return entry.decode(errors="replace")
    return str(int(entry)) if isinstance(entry, float) and entry.is_integer() else str(entry)


def _encoded(node: onnx.NodeProto) -> list[Any]:
    strings, ints = attribute(node, "values_strings"), attribute(node, "values_int64s")
    if strings is not None and strings.strings:
        return list(strings.strings)
    return [] if ints is None else list(ints.ints)


def _decided(view: GraphView, node: onnx.NodeProto, tensor: str) -> Label | None:
    """Read a label that is a position of the largest or smallest element of a row."""
    column_taken = node.op_type in {"Gather", "Slice"} and _takes_first_column(view, node)
    if column_taken:  # the first of the best few
        tensor = behind(view, node.input[0], _PASSING)
        node = view.producer(tensor) or node
    if not node.input or node.op_type not in {"ArgMax", "ArgMin", "TopK"}:
        return None
    by_top_k = node.op_type == "TopK"
    by_rows = whole(node, "axis", -1 if by_top_k else 0) in _ROW_AXES
    if by_top_k and (tensor not in node.output[1:2] or not by_rows or not whole(node, "sorted", 1)):
        return None
    scores = node.input[0]
    if not by_rows:
        return Label(tensor, is_decided=True)
    smallest = node.op_type == "ArgMin" or (by_top_k and not whole(node, "largest", 1))
    return Label(
        tensor,
        first_column=by_top_k and not column_taken,
        decision="smallest" if smallest else "largest",
        scores=scores,
        is_decided=True,
    )


def _takes_first_column(view: GraphView, node: onnx.NodeProto) -> bool:
    """Return whether a Gather or Slice takes the first column of a table."""
    numbers = [view.constant(name) for name in node.input[1:]]
    if not node.input or any(n is None for n in numbers):
        return False
    lists = [np.ravel(n).tolist() for n in numbers if n is not None]
    if node.op_type == "Gather":
        return lists == [[0]] and whole(node, "axis", 0) in _ROW_AXES
    if not lists:  # an old Slice
        parts = [attribute(node, key) for key in ("starts", "ends", "axes")]
        lists = [list(part.ints) for part in parts if part is not None]
    return len(lists) > 2 and lists[:2] == [[0], [1]] and lists[2] in ([1], [-1])


def _possible(view: GraphView, tensor: str, depth: int = 0) -> frozenset[int] | frozenset[str]:
    """Return all values that a label of constants, comparisons and positions may take.

    Empty where that is not known.
    """
    constant = view.constant(view.source(tensor))
    if constant is not None:
        return _entries(constant)
    node = view.producer(tensor)
    if node is None or depth > _DEEPEST:
        return _UNKNOWN
    operator = node.op_type
    to_bool = operator == "Cast" and whole(node, "to", 0) == onnx.TensorProto.BOOL
    if to_bool or operator in {"Sign", *_COMPARING, *_LOGICAL}:
        return frozenset({-1, 0, 1} if operator == "Sign" else {0, 1})
    if operator in {"ArgMax", "ArgMin"} and node.input:
        return _positions(view, node)
    if operator in {"Where", *_ARITHMETIC, *_PASSING}:
        names = node.input[:1] if operator in _PASSING else node.input[operator == "Where" :]
        return _combined(operator, [_possible(view, name, depth + 1) for name in names])
    return _UNKNOWN


def _positions(view: GraphView, node: onnx.NodeProto) -> frozenset[int]:
    """Return the positions along the axis that an ArgMax or ArgMin reduces."""
    spec, axis = view.specs.get(node.input[0]), whole(node, "axis", 0)
    if spec is None or not -len(spec.shape) <= axis < len(spec.shape):
        return _UNKNOWN
    size = spec.shape[axis]
    return frozenset(range(size)) if isinstance(size, int) and size <= _MOST_VALUES else _UNKNOWN


def _combined(
    operator: str, operands: Sequence[frozenset[int] | frozenset[str]]
) -> frozenset[int] | frozenset[str]:
    """Return what an operator makes of operands that may take these values."""
    kinds = {type(value) for values in operands for value in values}
    if not operands or not all(operands) or len(kinds) > 1:
        return _UNKNOWN
    if operator in _PASSING:
        return operands[0]
    if operator == "Where":
        merged: Any = frozenset().union(*operands)
        return merged  # type: ignore[no-any-return]
    sizes = [len(values) for values in operands]
    if str in kinds or len(sizes) != 2 or math.prod(sizes) > _MOST_VALUES:
        return _UNKNOWN
    one, other = ([int(value) for value in values] for values in operands)
    return frozenset(_ARITHMETIC[operator](a, b) for a in one for b in other)


def _entries(constant: NDArray[np.generic]) -> frozenset[int] | frozenset[str]:
    values = constant.ravel().tolist()
    if len(values) > _MOST_VALUES:
        return _UNKNOWN
    if constant.dtype.kind in "OSU":
        return frozenset(v.decode(errors="replace") if isinstance(v, bytes) else v for v in values)
    is_whole = constant.dtype.kind in "biuf" and all(float(v).is_integer() for v in values)
    return frozenset(map(int, values)) if is_whole else _UNKNOWN


def _evidence(view: GraphView, tensor: str) -> Iterator[str]:
    """Yield what the operators behind a label compare: NaN shows there and not in a label."""
    seen, waiting = set(), [tensor]
    while waiting:
        name = waiting.pop()
        node = view.producer(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        default = -1 if node.op_type == "TopK" else 0
        across = node.op_type in _CHOOSING and whole(node, "axis", default) not in _ROW_AXES
        if node.op_type in _DECIDING and not across:
            yield from (used for used in node.input if view.depends_on_input(used))
        elif node.op_type in {"Add", "Max", "Min", "Mul", "Neg", "Sub", "Where"} | (
            _PASSING | _LOGICAL
        ):
            waiting.extend(node.input)
