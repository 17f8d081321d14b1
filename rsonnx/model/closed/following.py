"""Sums from where they begin to the label: each operator by the rules of its kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.closed_form import Form
from rsonnx.model.closed.applying import RESHAPING
from rsonnx.model.closed.boxes import cell_boxes
from rsonnx.model.closed.choices import Choices
from rsonnx.model.closed.curves import CURVES, Curves, sigmoid, softmax
from rsonnx.model.closed.ensembles import ensemble_sums, label_choice, linear_choice, with_base
from rsonnx.model.closed.forms import decided
from rsonnx.model.closed.linear import LINEAR
from rsonnx.model.closed.linear import Linear as LinearRules
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.steps import STEPWISE
from rsonnx.model.closed.tables import MANY, Tables, merged
from rsonnx.model.closed.values import (
    Bounded,
    Choice,
    Fixed,
    Labels,
    Rising,
    Sums,
    Terms,
    Value,
    Values,
)
from rsonnx.model.closed.walk import Walk
from rsonnx.model.graph import attribute
from rsonnx.model.head import INPUT
from rsonnx.model.label import ml_classes
from rsonnx.model.possible import COMPARING, LOGICAL
from rsonnx.model.tail import LABEL

_ELEMENTWISE = (
    COMPARING
    | LOGICAL
    | STEPWISE
    | {"Add", "Binarizer", "Cast", "Div", "Exp", "Mul", "Neg", "Sigmoid", "Sub", "Where"}
)


class Following:
    """A graph whose label follows from sums of terms.

    Args:
        walk: the graph, from the input to where values are compared or added up.
        terms: what sums are of.
    """

    def __init__(self, walk: Walk, terms: Terms) -> None:
        self._walk, self._terms, self._known = walk, terms, walk.known
        self._linear = LinearRules(terms, walk.seen)
        self._curves = Curves(terms, walk.seen, self._linear)
        self._choices = Choices(walk.view, walk.seen, self._curves)
        if terms.cuts:
            names = sorted(walk.dependent & walk.names - {INPUT})
            self._tables = Tables(terms, walk.inside, walk.seen, names, walk.size)

    def form(self) -> Form:
        """Follow the graph to its label.

        Raises:
            NotClosedError: it is not decided by sums of terms.
        """
        lost: list[str] = []
        for node in self._walk.nodes:
            if all(name in self._known for name in node.output if name in self._walk.names):
                continue
            operands = self._walk.operands(node)
            if node.op_type in RESHAPING and not isinstance(operands[0], Fixed | Labels):
                operands = operands[:1]  # the shape of its result has been seen
            if self._terms.cuts and node.output[0] not in self._walk.ensembles:
                operands = [
                    self._tables.value(name, self._tables.at(operand.places))
                    if isinstance(operand, Values) and operand.steady.all()
                    else operand
                    for name, operand in zip(node.input, operands, strict=False)
                ]
            is_lost = any(name and o is None for name, o in zip(node.input, operands, strict=False))
            made = None if is_lost else self._result(node, operands)
            if made is None and not is_lost:
                lost.append(node.op_type)
            outputs = list(filter(None, node.output))
            self._known.update(zip(outputs, made or [None] * len(outputs), strict=False))
        label = self._known[LABEL]
        if isinstance(label, Fixed | Sums) and self._terms.cuts:  # of one value after all, or none
            number = int(self._tables.behind(label)[0]) if isinstance(label, Sums) else -1
            return cell_boxes(
                self._walk, self._terms.cuts[number : number + 1] if number >= 0 else ()
            )
        if not isinstance(label, Labels):
            what = lost[0] if lost else self._walk.nodes[-1].op_type
            raise NotClosedError(f"what its operator {what} makes of sums is not followed")
        return decided(label, self._terms, self._known.values())

    def _result(
        self, node: onnx.NodeProto, operands: Sequence[Value | None]
    ) -> Sequence[Value | None] | None:
        arrays = [operand.array for operand in operands if isinstance(operand, Fixed)]
        if len(arrays) == len(node.input):
            return [Fixed(array) for array in self._walk.seen.applied(node, arrays)]
        made = self._tabulated(node, operands) if self._terms.cuts else None
        if made is None and node.output[0] in self._walk.ensembles:
            made = self._of_trees(node)
        return self._by_rules(node, operands) if made is None else made

    def _by_rules(
        self, node: onnx.NodeProto, operands: Sequence[Value | None]
    ) -> Sequence[Value | None] | None:
        """Return what a node makes of sums and of what was made of sums."""
        kinds = {type(operand) for operand in operands}
        made: Value | None = None
        if node.op_type in LINEAR and not kinds & {Labels, Rising, Bounded}:
            sums = self._linear.result(node, operands)
            is_classifier = sums is not None and node.op_type == "LinearClassifier"
            return self._of_linear(node, sums[0]) if sums and is_classifier else sums
        if node.op_type in CURVES and isinstance(operands[0], Sums):
            made = self._curves.of_sums(node, operands[0])
        else:
            results = self._choices.result(node, operands)
            if results is not None:
                return results
            if Rising in kinds:
                made = self._curves.of_rising(node, operands)
            elif Bounded in kinds:
                made = self._curves.of_bounds(node, operands)
        return None if made is None else [made]

    def _tabulated(
        self, node: onnx.NodeProto, operands: Sequence[Value | None]
    ) -> Sequence[Value | None] | None:
        """Return what was run, where each element depends on one cut value at most."""
        numbers = []
        for name, operand in zip(node.input, operands, strict=False):
            if isinstance(operand, Sums):
                if operand.roundings:  # a run adds up in one order of several
                    return None
                numbers.append(self._tables.behind(operand))
            elif isinstance(operand, Values) and node.output[0] in self._walk.ensembles:
                trees = self._walk.ensembles[node.output[0]].trees
                if len(trees) > 1:
                    return None
                asked = [self._walk.asked(node, tree, self._terms.cuts) for tree in trees]
                numbers.append(self._tables.at(np.array(list(set().union(*asked)), np.intp)))
            elif name and not isinstance(operand, Fixed):
                return None
        if not numbers:
            return None
        if node.op_type in _ELEMENTWISE:
            each = merged(*numbers)
        else:
            each = merged(
                np.full(1, -1), *(number for of in numbers for number in of.reshape(-1, 1))
            )
        if (each == MANY).any():
            return None
        return [
            self._tables.value(name, each) if name in self._walk.names else None
            for name in filter(None, node.output)
        ]

    def _of_trees(self, node: onnx.NodeProto) -> list[Value | None]:
        """Return the label and the scores of a classifier of trees, or the sums of others."""
        ensemble = self._walk.ensembles[node.output[0]]
        rows = self._tables.rows(node.input[0])
        sums = ensemble_sums(ensemble, self._terms, self._walk.places(node), rows)
        if node.op_type == "TreeEnsembleClassifier":
            choice, labels = label_choice(ensemble, sums, self._terms)
            scores = choice.sums if ensemble.targets > 2 else None
            return [self._label(node, choice, labels), self._of_scores(node, scores)]
        if len(ensemble.base) not in (0, ensemble.targets):
            raise NotClosedError("its base values are not one a target")
        return [self._of_scores(node, with_base(sums, ensemble.base, self._terms))]

    def _of_linear(self, node: onnx.NodeProto, sums: Sums) -> list[Value | None]:
        """Return the label and the scores of a linear classifier."""
        choice, labels = linear_choice(ml_classes(node), sums)
        scores = sums if sums.coefficients.shape[1] > 1 else None
        return [self._label(node, choice, labels), self._of_scores(node, scores)]

    def _label(
        self, node: onnx.NodeProto, choice: Choice, labels: NDArray[np.generic]
    ) -> Labels | None:
        is_needed = node.output[0] in self._walk.names
        return self._choices.labels(node, choice, labels) if is_needed else None

    def _of_scores(self, node: onnx.NodeProto, sums: Sums | None) -> Value:
        """Return scores as an operator of ai.onnx.ml gives them, behind its own transform.

        Of those that it makes of one score nothing is known but that they are finite.
        """
        stated = attribute(node, "post_transform")
        name = "NONE" if stated is None else stated.s.decode()
        if node.op_type == "TreeEnsemble":
            name = self._walk.ensembles[node.output[0]].transform
        if name == "PROBIT":
            raise NotClosedError("its post-transform is PROBIT")
        if name == "NONE":
            return Bounded(-(2.0**126), 2.0**126) if sums is None else sums
        if sums is None or name == "SOFTMAX_ZERO":
            return Bounded(0.0, 1.0)
        return sigmoid(sums) if name == "LOGISTIC" else softmax(sums)
