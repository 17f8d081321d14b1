"""A graph from the input to where values are compared or added up."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.closed_form import Cuts
from rsonnx.model.closed.cells import Comparison
from rsonnx.model.closed.curves import CURVES
from rsonnx.model.closed.linear import LINEAR
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Inside, Opener, Tensors
from rsonnx.model.closed.steps import STEPWISE, step
from rsonnx.model.closed.trees import TREES, Ensemble, Tree, read_ensemble
from rsonnx.model.closed.values import Fixed, Value, Values
from rsonnx.model.graph import GraphView, attribute, bodies, called, function_key
from rsonnx.model.head import INPUT
from rsonnx.model.possible import COMPARING, LOGICAL
from rsonnx.model.tail import LABEL

_SHAPES = {"Shape", "Size"}
_FOLLOWED = (
    TREES
    | LINEAR
    | CURVES
    | STEPWISE
    | COMPARING
    | LOGICAL
    | _SHAPES
    | {"ArgMax", "ArgMin", "Binarizer", "Constant", "ConstantOfShape", "Imputer", "LabelEncoder"}
    | {"LpNormalization", "Normalizer", "Where"}
)


class Walk:
    """One adapted model, and what is known of its tensors.

    Args:
        model: the model.
        opener: opens models as this one will be run.
        fixed: places of the input's values that are whole numbers up to 2^24 in size.

    Attributes:
        model: the model.
        view: look-ups over its graph.
        nodes: those that the label needs, each behind those that it needs.
        names: of all tensors that the label needs.
        size: values of an input.
        inside: runs it.
        seen: its tensors.
        known: what is known of each; None for what is not followed.
        dependent: the tensors that depend on the input's values.
        ensembles: the trees of each tree operator, by its first output.

    Raises:
        NotClosedError: an operator is none of those that are followed.
    """

    def __init__(self, model: onnx.ModelProto, opener: Opener, fixed: Collection[int]) -> None:
        self.model, self.view, self.fixed = model, GraphView(model), fixed
        (data,) = (value for value in model.graph.input if value.name == INPUT)
        rows, *axes = data.type.tensor_type.shape.dim
        if rows.HasField("dim_value"):
            raise NotClosedError("it takes batches of one size alone")
        shape = tuple(axis.dim_value for axis in axes)
        self.size = math.prod(shape)
        self.nodes = list(_in_order(self.view, LABEL))
        functions = {function_key(function) for function in model.functions}
        for node in self.nodes:
            if node.op_type not in _FOLLOWED or called(node) in functions or any(bodies(node)):
                raise NotClosedError(f"its operator {node.op_type} is none that is followed")
        self.names = self.view.needed([LABEL])[0]
        self.inside = Inside(model, shape, opener)
        names = [name for node in self.nodes for name in node.output if name in self.names]
        self.seen = Tensors(self.inside, names, self.size)
        places = np.arange(self.size).reshape(1, *shape)
        zeros = np.zeros(places.shape)
        self.known: dict[str, Value | None] = {INPUT: Values(places, zeros + 1, zeros, zeros, 1)}
        self.dependent = {INPUT}
        self.ensembles: dict[str, Ensemble] = {}
        self._ends: list[str] = []
        self._follow_steps()

    def _follow_steps(self) -> None:
        """Find out which tensors are made of the input's values one by one, and which of none."""
        for node in self.nodes:
            operands = self.operands(node)
            outputs = [name for name in node.output if name in self.names]
            if node.op_type in _SHAPES or not self.dependent & set(filter(None, node.input)):
                for name in outputs:
                    array = self.view.constant(name)
                    array = self.seen.constant(name) if array is None else array
                    self.known[name] = None if array is None else Fixed(array)
                continue
            self.dependent.update(outputs)
            if node.op_type in TREES:
                self.ensembles[node.output[0]] = read_ensemble(node)
            elif any(isinstance(operand, Values) for operand in operands):
                made = step(node, operands, self.seen, self.fixed)
                self.known.update(zip(filter(None, node.output), made or [], strict=False))
                if made is None:
                    self._ends.append(node.op_type)

    def operands(self, node: onnx.NodeProto) -> list[Value | None]:
        """Return what is known of what a node uses; None for an operand that is left out, too."""
        held: list[Value | None] = []
        for name in node.input:
            if name and name not in self.known and name not in self.dependent:
                constant = self.view.constant(name)
                self.known[name] = None if constant is None else Fixed(constant)
            held.append(self.known.get(name) if name else None)
        return held

    def comparisons(self, node: onnx.NodeProto) -> Iterator[Comparison]:
        """Yield the comparisons that a node makes of the input's values."""
        operands = self.operands(node)
        turned = len(operands) == 2 and isinstance(operands[1], Values)
        values = operands[turned] if operands else None
        if node.output[0] in self.ensembles:
            places = self.places(node)
            for branch in self.ensembles[node.output[0]].branches:
                if not 0 <= branch.feature < len(places):
                    raise NotClosedError("its trees ask for a value that is not there")
                place = int(places[branch.feature])
                yield Comparison(
                    node.input[0], branch.feature, place, branch.threshold, branch.or_equal
                )
        elif isinstance(values, Values) and node.op_type == "Binarizer":
            stated = attribute(node, "threshold")
            level = 0.0 if stated is None else float(stated.f)
            yield from _each(node.input[0], values, np.array(level), True)
        elif isinstance(values, Values) and node.op_type in COMPARING - {"Equal"}:
            other = operands[not turned]
            if isinstance(other, Fixed):
                asks_less = node.op_type.startswith("Less") != turned
                equal = node.op_type.endswith("Equal") == asks_less
                yield from _each(node.input[turned], values, other.array, equal)

    def places(self, node: onnx.NodeProto) -> NDArray[np.intp]:
        """Return which values of the input a tree operator's input is made of."""
        values = self.known.get(node.input[0])
        if not isinstance(values, Values):
            what = next(iter(self._ends), node.op_type)
            raise NotClosedError(f"its trees ask for what its operator {what} makes of values")
        return values.places.ravel()

    def asked(self, node: onnx.NodeProto, tree: Tree, cuts: Sequence[Cuts]) -> set[int]:
        """Return the places of the values that matter to a tree."""
        places = self.places(node)
        return {int(places[feature]) for feature in tree.features} & {c.at for c in cuts}

    def decide(self, ends: set[str]) -> bool:
        """Return whether the label depends on the input through some tensors alone."""
        waiting, visited = [LABEL], set(ends)
        while waiting:
            name = waiting.pop()
            if name == INPUT:
                return False
            maker = self.view.producer(name)
            if name in visited or maker is None or maker.op_type in _SHAPES:
                continue
            visited.add(name)
            waiting += filter(None, maker.input)
        return True


def _each(
    tensor: str, values: Values, thresholds: NDArray[np.generic], or_equal: bool
) -> Iterator[Comparison]:
    """Yield the comparison of each element of a tensor with its number."""
    shape = np.broadcast_shapes(values.places.shape, thresholds.shape)
    if shape != values.places.shape:
        raise NotClosedError("it compares a value with several numbers at once")
    levels = np.broadcast_to(thresholds, shape).ravel()
    for element, (place, level) in enumerate(zip(values.places.ravel(), levels, strict=True)):
        yield Comparison(tensor, element, int(place), float(level), or_equal)


def _in_order(view: GraphView, tensor: str) -> Iterator[onnx.NodeProto]:
    """Yield the nodes that a tensor needs, each behind those that it needs."""
    done: set[str] = set()
    waiting = [(tensor, False)]
    while waiting:
        name, is_ready = waiting.pop()
        node = view.producer(name)
        if node is None or name in done:
            continue
        if is_ready:
            done.update(node.output)
            yield node
            continue
        waiting.append((name, True))
        waiting += [(operand, False) for operand in node.input if operand and operand not in done]
