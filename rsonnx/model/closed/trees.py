"""Decision trees as files hold them: the operators of ai.onnx.ml, old and new, in one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.graph import attribute, stored, whole
from rsonnx.model.possible import strings

TREES = {"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
"""By the number that TreeEnsemble has for them; it also has BRANCH_MEMBER, 6."""

_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


@dataclass(frozen=True)
class Branch:
    """A node that asks whether a value is below a number.

    Attributes:
        feature: place of the value in the operator's input.
        threshold: the number.
        or_equal: whether a value that equals it counts as below.
        below: index of the node for values below.
        above: of the node for all others.
    """

    feature: int
    threshold: float
    or_equal: bool
    below: int
    above: int

    def is_below(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return the answer for each value."""
        return values <= self.threshold if self.or_equal else values < self.threshold


Leaf = tuple[tuple[int, float], ...]
"""What a leaf adds: pairs of a target, or class, and a weight."""


@dataclass(frozen=True)
class Tree:
    """One tree: its nodes, of which the first is the root."""

    nodes: tuple[Branch | Leaf, ...]

    @property
    def features(self) -> set[int]:
        """Places of the values that it asks for."""
        return {node.feature for node in self.nodes if isinstance(node, Branch)}

    @property
    def leaves(self) -> list[Leaf]:
        """Its leaves, in the order of its nodes."""
        return [node for node in self.nodes if not isinstance(node, Branch)]

    def reached(self, rows: NDArray[np.float64]) -> Iterator[tuple[Leaf, NDArray[np.bool_]]]:
        """Yield each leaf with which rows of the operator's input, (rows, features), come to it."""
        waiting = [(0, np.ones(len(rows), np.bool_))]
        while waiting:
            index, here = waiting.pop()
            node = self.nodes[index]
            if not isinstance(node, Branch):
                yield node, here
                continue
            below = node.is_below(rows[:, node.feature])
            waiting += [(node.above, here & ~below), (node.below, here & below)]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What one operator computes: a sum of what the leaves that an input comes to add.

    Attributes:
        trees: its trees.
        targets: how many numbers it gives.
        base: what is added to them; of a classifier as many numbers as its file has.
        divisor: by which the sum is divided first: the number of trees for an average, else 1.
        transform: what is done to the sums, as the file names it.
        labels: of a classifier, by number or by text; empty for others.
    """

    trees: tuple[Tree, ...]
    targets: int
    base: NDArray[np.float64]
    divisor: int
    transform: str
    labels: tuple[Any, ...] = ()

    @property
    def branches(self) -> Iterator[Branch]:
        """All nodes that ask."""
        for tree in self.trees:
            yield from (node for node in tree.nodes if isinstance(node, Branch))


def read_ensemble(node: onnx.NodeProto) -> Ensemble:
    """Return what a tree operator computes.

    Raises:
        NotClosedError: a node compares otherwise than by order, or numbers are no plain sums.
    """
    if node.op_type == "TreeEnsemble":
        return _read_new(node)
    is_classifier = node.op_type == "TreeEnsembleClassifier"
    kind = "class" if is_classifier else "target"
    weights = _floats(node, f"{kind}_weights")
    places = zip(_ints(node, f"{kind}_treeids"), _ints(node, f"{kind}_nodeids"), strict=True)
    adds: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for place, target, weight in zip(places, _ints(node, f"{kind}_ids"), weights, strict=True):
        adds.setdefault(place, []).append((target, float(weight)))
    ids = list(zip(_ints(node, "nodes_treeids"), _ints(node, "nodes_nodeids"), strict=True))
    table: dict[tuple[int, int], tuple[Any, ...]] = {}
    columns = zip(
        strings(node, "nodes_modes"),
        _ints(node, "nodes_featureids"),
        _floats(node, "nodes_values"),
        _ints(node, "nodes_truenodeids"),
        _ints(node, "nodes_falsenodeids"),
        strict=True,
    )
    for place, (mode, feature, value, true, false) in zip(ids, columns, strict=True):
        tree = place[0]
        table[place] = (
            (tuple(adds.get(place, ())),)
            if mode == "LEAF"
            else (mode, feature, float(value), (tree, true), (tree, false))
        )
    if len(table) < len(ids):
        raise NotClosedError("its trees have several nodes of one number")
    roots = [place for i, place in enumerate(ids) if i == 0 or place[0] != ids[i - 1][0]]
    labels: tuple[Any, ...] = ()
    if is_classifier:
        texts = strings(node, "classlabels_strings")
        labels = texts or tuple(_ints(node, "classlabels_int64s"))
    stated = attribute(node, "aggregate_function")
    transform = attribute(node, "post_transform")
    return _checked(
        tuple(_tree(root, table) for root in roots),
        len(labels) if is_classifier else whole(node, "n_targets", 1),
        _floats(node, "base_values"),
        "SUM" if stated is None else stated.s.decode(),
        "NONE" if transform is None else transform.s.decode(),
        labels,
    )


def _read_new(node: onnx.NodeProto) -> Ensemble:
    """Read the operator that took the place of both from version 5 of ai.onnx.ml on."""
    leaves = list(zip(_ints(node, "leaf_targetids"), _floats(node, "leaf_weights"), strict=True))
    columns = zip(
        _floats(node, "nodes_modes").astype(int),
        _ints(node, "nodes_featureids"),
        _floats(node, "nodes_splits"),
        zip(_ints(node, "nodes_trueleafs"), _ints(node, "nodes_truenodeids"), strict=True),
        zip(_ints(node, "nodes_falseleafs"), _ints(node, "nodes_falsenodeids"), strict=True),
        strict=True,
    )
    table: dict[tuple[int, int], tuple[Any, ...]] = {
        (1, i): (((target, float(weight)),),) for i, (target, weight) in enumerate(leaves)
    }
    for i, (mode, feature, value, true, false) in enumerate(columns):
        name = _MODES[mode] if 0 <= mode < len(_MODES) else "BRANCH_MEMBER"
        table[0, i] = (name, feature, float(value), true, false)
    return _checked(
        tuple(_tree((0, root), table) for root in _ints(node, "tree_roots")),
        whole(node, "n_targets", 1),
        np.zeros(0),
        _AGGREGATES[whole(node, "aggregate_function", 1)],
        _TRANSFORMS[whole(node, "post_transform", 0)],
        (),
    )


def _tree(root: tuple[int, int], table: Mapping[tuple[int, int], tuple[Any, ...]]) -> Tree:
    """Return the tree below a node of a table, where a leaf is a row of one entry."""
    order = [root]
    nodes: list[Branch | Leaf] = []
    for place in order:
        if place not in table:
            raise NotClosedError("a tree leads to a node that is not there")
        row = table[place]
        if len(row) == 1:
            nodes.append(row[0])
            continue
        mode, feature, value, true, false = row
        if mode not in _MODES[:4]:
            raise NotClosedError(f"a tree compares by {mode}, and only by order is known")
        first = len(order)
        order += [true, false]
        if len(order) > 2 * len(table) + 1:
            raise NotClosedError("a tree goes round in a circle")
        turned = mode in ("BRANCH_GTE", "BRANCH_GT")
        below, above = (first + 1, first) if turned else (first, first + 1)
        nodes.append(Branch(feature, value, mode in ("BRANCH_LEQ", "BRANCH_GT"), below, above))
    return Tree(tuple(nodes))


def _checked(
    trees: tuple[Tree, ...],
    targets: int,
    base: NDArray[np.float64],
    aggregate: str,
    transform: str,
    labels: tuple[Any, ...],
) -> Ensemble:
    if aggregate not in ("SUM", "AVERAGE") and len(trees) > 1:
        raise NotClosedError(f"its trees are combined by {aggregate}, and not added up")
    leaves: Sequence[Leaf] = [leaf for tree in trees for leaf in tree.leaves]
    for leaf in leaves:
        ids = [target for target, _ in leaf]
        if len(set(ids)) < len(ids) or any(not 0 <= target < targets for target in ids):
            raise NotClosedError("a leaf has two weights for one class, or one for none")
        if targets == 1 and not ids:
            raise NotClosedError("a leaf has no weight")
    branches = [node for tree in trees for node in tree.nodes if isinstance(node, Branch)]
    numbers = [weight for leaf in leaves for _, weight in leaf]
    if not np.isfinite([*numbers, *base]).all() or np.isnan([b.threshold for b in branches]).any():
        raise NotClosedError("its trees have numbers that are not finite")
    divisor = len(trees) if aggregate == "AVERAGE" else 1
    return Ensemble(trees, targets, base, divisor, transform, labels)


def _ints(node: onnx.NodeProto, name: str) -> list[int]:
    stated = attribute(node, name)
    return [] if stated is None else list(stated.ints)


def _floats(node: onnx.NodeProto, name: str) -> NDArray[np.float64]:
    """Return numbers that stand in an attribute, or in a tensor as the newer files have them."""
    for key in (name, f"{name}_as_tensor"):
        stated = attribute(node, key)
        if stated is not None:
            held = stored(stated.t) if stated.HasField("t") else stated.floats
            return np.array(held, np.float64).ravel()
    return np.zeros(0)
