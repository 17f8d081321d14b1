"""One tree of any depth, or one value: boxes, each with the label that a run gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Boxes, Cuts
from rsonnx.model.closed.cells import cell_rows, least_numbers
from rsonnx.model.closed.runs import Inside
from rsonnx.model.closed.trees import Branch, Tree
from rsonnx.model.closed.values import Terms
from rsonnx.model.tail import LABEL


def labelled(
    inside: Inside,
    size: int,
    cuts: tuple[Cuts, ...],
    first: NDArray[np.intp],
    last: NDArray[np.intp],
) -> Boxes:
    """Return boxes, from the first to the last cell of each value, with the model's labels."""
    rows = np.zeros((len(first), size), np.float32)
    for i, each in enumerate(cuts):
        rows[:, each.at] = least_numbers(each)[first[:, i]]
    (labels,) = inside.run([LABEL], rows)
    return Boxes(cuts, first, last, np.asarray(labels, np.int64))


def leaf_boxes(
    inside: Inside,
    size: int,
    cuts: Sequence[Cuts],
    tree: Tree,
    tensor: str,
    places: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last cell of each value in each leaf's box, (boxes, values).

    Args:
        inside: the model.
        size: values of an input.
        cuts: of all values that the tree asks for.
        tree: the tree.
        tensor: its input's name.
        places: (features,), of the values that this is made of.
    """
    (held,) = inside.run([tensor], cell_rows(cuts, size))
    rows = held.reshape(len(held), -1).astype(np.float64)
    starts = Terms(tuple(cuts)).starts - 1
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
            low, high = first.copy(), last.copy()
            if i is not None and kept.size:
                low[i], high[i] = max(low[i], kept[0]), min(high[i], kept[-1])
            if kept.size and (low <= high).all():
                waiting.append((then, low, high))
    return np.array([box[0] for box in boxes]), np.array([box[1] for box in boxes])
