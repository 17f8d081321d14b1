"""One tree of any depth, or one value: boxes, each with the label that a run gives."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from rsonnx.closed_form import Boxes, Cuts
from rsonnx.model.closed.cells import cell_rows, least_numbers
from rsonnx.model.closed.trees import Branch, Tree
from rsonnx.model.closed.values import Terms
from rsonnx.model.closed.walk import Walk
from rsonnx.model.tail import LABEL


def cell_boxes(walk: Walk, cuts: tuple[Cuts, ...]) -> Boxes:
    """Return the cells of the only value that decides, or the whole space where none does."""
    first = np.arange(len(cuts[0].cuts) + 1)[:, None] if cuts else np.zeros((1, 0), np.intp)
    return _labelled(walk, cuts, first, first)


def leaf_boxes(walk: Walk, cuts: tuple[Cuts, ...], node: onnx.NodeProto, tree: Tree) -> Boxes:
    """Return the boxes of the leaves of the only tree.

    Args:
        walk: the graph.
        cuts: of all values that the tree asks for.
        node: the tree's operator.
        tree: the tree.
    """
    places = walk.places(node)
    (held,) = walk.inside.run([node.input[0]], cell_rows(cuts, walk.size))
    rows = held.reshape(len(held), -1).astype(np.float64)
    starts = Terms(cuts).starts - 1
    numbers = {each.at: i for i, each in enumerate(cuts)}
    boxes = []
    waiting = [(0, np.zeros(len(cuts), np.intp), np.diff(starts) - 1)]
    while waiting:
        index, first, last = waiting.pop()
        branch = tree.nodes[index]
        if not isinstance(branch, Branch):
            boxes.append((first, last))
            continue
        i = numbers.get(int(places[branch.feature]))
        # A value that is cut nowhere goes the same way always.
        cells = rows[:1] if i is None else rows[starts[i] : starts[i + 1]]
        below = branch.is_below(cells[:, branch.feature])
        for answer, then in ((True, branch.below), (False, branch.above)):
            kept = np.flatnonzero(below == answer)
            # What is looked up may lie on one side of a threshold in several stretches of cells.
            for stretch in np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1):
                low, high = first.copy(), last.copy()
                if i is not None and stretch.size:
                    low[i], high[i] = max(low[i], stretch[0]), min(high[i], stretch[-1])
                if stretch.size and (low <= high).all():
                    waiting.append((then, low, high))
    first, last = (np.array(ends) for ends in zip(*boxes, strict=True))
    return _labelled(walk, cuts, first, last)


def _labelled(
    walk: Walk, cuts: tuple[Cuts, ...], first: NDArray[np.intp], last: NDArray[np.intp]
) -> Boxes:
    """Return boxes, from the first to the last cell of each value, with the model's labels."""
    rows = np.zeros((len(first), walk.size), np.float32)
    for i, each in enumerate(cuts):
        rows[:, each.at] = least_numbers(each)[first[:, i]]
    (labels,) = walk.inside.run([LABEL], rows)
    return Boxes(cuts, first, last, np.asarray(labels, np.int64))
