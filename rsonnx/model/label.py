"""What the nodes behind a label say of it: which values it may take, and which scores decide it.

The label itself always comes from the file's own nodes. What is read here is only how its values
are numbered 0, 1, ..., what they are called, and where NaN would show that a label does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx

from rsonnx.model.elements import by_rows, length_of
from rsonnx.model.graph import ENCODING, READING, GraphView, attribute, whole
from rsonnx.model.possible import (
    COMPARING,
    LOGICAL,
    PASSING,
    decoded,
    encoder_of,
    list_along,
    possible_values,
    strings,
)

ML_CLASSIFIERS = {"LinearClassifier", "TreeEnsembleClassifier", "SVMClassifier"}

_CHOOSING = {"ArgMax", "ArgMin", "TopK"}
_DECIDING = {"Ceil", "Floor", "Round", "Sign", *_CHOOSING, *COMPARING}
_THROUGH = {
    *("Add", "Max", "Min", "Mul", "Neg", "Sub", "Where"),
    *(ENCODING | LOGICAL | PASSING | READING),
}
_ROW_AXES = (1, -1)
_DEEPEST = 12


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
        evidence: tensors in which NaN shows that a label has no meaning.
        shown: further class scores, in which NaN or an infinite largest one shows that.
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
    shown: tuple[str, ...] = ()
    is_decided: bool = False

    @property
    def tensors(self) -> tuple[str, ...]:
        """All tensors that it needs."""
        return (self.tensor, *filter(None, [self.scores]), *self.evidence, *self.shown)


def read_label(view: GraphView, output: str, depth: int = 0) -> Label:
    """Read a label back to what decides it; a damaged file may go round in a circle."""
    tensor = view.behind(output, PASSING)
    node = view.producer(tensor)
    if node is None or depth > _DEEPEST:
        return Label(output)
    looked_up = _looked_up(view, node, depth)
    if looked_up is not None:
        return looked_up
    if node.op_type in ML_CLASSIFIERS and tensor == node.output[0]:
        values = ml_classes(node)
        return Label(
            tensor if values else output,
            values,
            classes=tuple(map(str, values)),
            shown=tuple(filter(None, node.output[1:2])),
            is_decided=True,
        )
    decided = _decided(view, node, tensor)
    if decided is not None:
        return replace(decided, tensor=output)
    possible: Any = possible_values(view, output)
    if possible and not isinstance(possible[0], str):
        possible = tuple(sorted(possible))
    seen = dict(_evidence(view, output))
    return Label(
        output,
        possible,
        classes=tuple(map(str, possible)),
        evidence=tuple(name for name, are_scores in seen.items() if not are_scores),
        shown=tuple(name for name, are_scores in seen.items() if are_scores),
        is_decided=bool(seen or possible),
    )


def ml_classes(node: onnx.NodeProto) -> tuple[int, ...] | tuple[str, ...]:
    """Return the classes that a classifier of ai.onnx.ml, or a ZipMap, lists; empty if none."""
    for key in ("classlabels_strings", "classlabels_string"):
        if texts := strings(node, key):
            return texts
    for key in ("classlabels_int64s", "classlabels_ints"):
        numbers = attribute(node, key)
        if numbers is not None and numbers.ints:
            return tuple(numbers.ints)
    return ()


def _looked_up(view: GraphView, node: onnx.NodeProto, depth: int) -> Label | None:
    """Read a label that is looked up in a constant list: the position in it is the class."""
    if node.op_type in {"ArrayFeatureExtractor", "Gather"} and len(node.input) > 1:
        axis = whole(node, "axis", 0) if node.op_type == "Gather" else -1
        position, entries = node.input[1], list_along(view, node.input[0], axis)
    elif node.op_type in ENCODING and node.input:
        encoder, position = encoder_of(view, node), node.input[0]
        keys = () if encoder is None else encoder.keys
        in_order = keys == tuple(range(len(keys))) and set(keys).issuperset(
            possible_values(view, position)
        )
        entries = list(encoder.values) if encoder is not None and in_order else []
    else:
        return None
    if not entries:
        return None
    names = [
        str(int(entry)) if isinstance(entry, float) and entry.is_integer() else decoded(entry)
        for entry in entries
    ]
    names = list(map(str, names))
    inner = read_label(view, position, depth + 1)
    if node.op_type in ENCODING and inner.decision is None:
        return None  # what is none of its keys has a name too
    classes = tuple(dict.fromkeys(names))
    if len(classes) < len(names):
        # Several positions are one class, so the scores are not those of the classes.
        number = {name: k for k, name in enumerate(classes)}
        scores = tuple(filter(None, [inner.scores]))
        by_largest = inner.decision == "largest"
        return Label(
            position,
            table=tuple(number[name] for name in names),
            first_column=inner.first_column,
            classes=classes,
            evidence=(*(() if by_largest else scores), *inner.evidence),
            shown=(*(scores if by_largest else ()), *inner.shown),
            is_decided=True,
        )
    if inner.values or inner.table:
        return replace(
            inner, tensor=position, values=(), table=(), first_column=False, classes=classes
        )
    return replace(inner, tensor=position, classes=classes, is_decided=True)


def _decided(view: GraphView, node: onnx.NodeProto, tensor: str) -> Label | None:
    """Read a label that is a position of the largest or smallest element of a row."""
    column_taken = _takes_first_column(view, node, tensor)
    if column_taken:  # the first of the best few
        tensor = view.behind(node.input[0], PASSING)
        node = view.producer(tensor) or node
    if not node.input or node.op_type not in {"ArgMax", "ArgMin", "TopK"}:
        return None
    by_top_k = node.op_type == "TopK"
    in_rows = by_rows(view, node) if by_top_k else whole(node, "axis", 0) in _ROW_AXES
    if by_top_k and (tensor not in node.output[1:2] or not in_rows or not whole(node, "sorted", 1)):
        return None
    scores = node.input[0]
    if not in_rows:
        return Label(tensor, is_decided=True)
    smallest = node.op_type == "ArgMin" or (by_top_k and not whole(node, "largest", 1))
    return Label(
        tensor,
        first_column=by_top_k and not column_taken and length_of(view, node) != 1,
        decision="smallest" if smallest else "largest",
        scores=scores,
        is_decided=True,
    )


def _takes_first_column(view: GraphView, node: onnx.NodeProto, tensor: str) -> bool:
    """Return whether a Gather, Slice or Split takes the first column of a table."""
    if node.op_type == "Split":
        in_rows = whole(node, "axis", 0) in _ROW_AXES
        return in_rows and view.is_column(tensor) and tensor == node.output[0]
    if node.op_type not in {"Gather", "Slice"}:
        return False
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


def _evidence(view: GraphView, tensor: str) -> Iterator[tuple[str, bool]]:
    """Yield what the operators behind a label compare, and whether the largest of it is chosen.

    NaN shows there and not in a label.
    """
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
            of_largest = node.op_type == "ArgMax" or (
                node.op_type == "TopK" and bool(whole(node, "largest", 1))
            )
            yield from ((used, of_largest) for used in node.input if view.depends_on_input(used))
        elif node.op_type in _THROUGH:
            waiting.extend(node.input[node.op_type in READING :])  # of a table, the position
