"""A graph from the input to where values are compared or added up."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from rsonnx.closed_form import Cuts
from rsonnx.model.closed.cells import Comparison
from rsonnx.model.closed.curves import CURVES
from rsonnx.model.closed.linear import LINEAR
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Inside, Opener, Tensors
from rsonnx.model.closed.steps import CUTTING, STEPWISE, levels_of, step
from rsonnx.model.closed.trees import TREES, Ensemble, Tree, read_ensemble
from rsonnx.model.closed.values import Fixed, Value, Values
from rsonnx.model.graph import GraphView, bodies, called, function_key
from rsonnx.model.head import INPUT
from rsonnx.model.possible import LOGICAL
from rsonnx.model.tail import LABEL

_SHAPES = {"Shape", "Size"}
_FOLLOWED = (
    TREES
    | LINEAR
    | CURVES
    | STEPWISE
    | CUTTING
    | LOGICAL
    | _SHAPES
    | {"ArgMax", "ArgMin", "Constant", "ConstantOfShape", "Imputer", "LpNormalization"}
    | {"Normalizer", "Where"}
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
        for node in self.nodes:
            if node.op_type == "OneHotEncoder":  # that a value is no category ends a run of another
                kept = [a for a in node.attribute if a.name != "zeros"]
                del node.attribute[:]
                node.attribute.extend([*kept, helper.make_attribute("zeros", 1)])
        functions = {function_key(function) for function in model.functions}
        for node in self.nodes:
            if node.op_type not in _FOLLOWED or called(node) in functions or any(bodies(node)):
                raise NotClosedError(f"its operator {node.op_type} is none that is followed")
        self.names = self.view.needed([LABEL])[0]
        self.inside = Inside(model, shape, opener)
        names = [name for node in self.nodes for name in node.output if name in self.names]
        self.seen = Tensors(self.inside, names, self.size)
        places = np.arange(self.size).reshape(1, *shape)
        self.known: dict[str, Value | None] = {INPUT: Values.of(places, steady=False)}
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
            asked = [
                (branch.feature, branch.threshold, branch.or_equal)
                for branch in self.ensembles[node.output[0]].branches
            ]
            if any(not 0 <= feature < len(places) for feature, _, _ in asked):
                raise NotClosedError("its trees ask for a value that is not there")
        elif isinstance(values, Values) and node.output[0] in self.known:
            asked = [
                (element, level, or_equal)
                for levels, or_equal in levels_of(node, operands)
                for element, level in _broadcast(values.places.shape, levels)
            ]
        else:
            return
        if isinstance(values, Values):
            places, steady = values.places.ravel(), values.steady.ravel()
            for element, level, or_equal in asked:
                if not steady[element]:
                    yield Comparison(
                        node.input[turned], element, int(places[element]), level, or_equal
                    )

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


def _broadcast(shape: tuple[int, ...], levels: NDArray[np.generic]) -> Iterator[tuple[int, float]]:
    """Yield the place of each element with the number that it is compared with."""
    if np.broadcast_shapes(shape, levels.shape) != shape:
        raise NotClosedError("it compares a value with several numbers at once")
    yield from enumerate(map(float, np.broadcast_to(levels, shape).flat))


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
