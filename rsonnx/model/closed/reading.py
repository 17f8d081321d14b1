"""Read a model to a closed form."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx

from rsonnx.closed_form import Boxes, Cuts, Form
from rsonnx.errors import ModelError
from rsonnx.model.closed.boxes import cell_boxes, leaf_boxes
from rsonnx.model.closed.cells import find_cuts
from rsonnx.model.closed.following import Following
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Opener
from rsonnx.model.closed.trees import Tree
from rsonnx.model.closed.values import Terms
from rsonnx.model.closed.walk import Walk


def form_of(model: bytes, opener: Opener, fixed: Collection[int] = ()) -> Form:
    """Return the closed form of an adapted model.

    Args:
        model: with the input ``INPUT``, float32 (batch, \\*shape), and the output ``LABEL``, int64
            (batch,), serialized.
        opener: opens models as this one will be run.
        fixed: places of the flat input that no noise is added to: whole numbers up to 2^24 in size.

    Raises:
        ModelError: it has none that is known.
    """
    try:
        walk = Walk(onnx.load_from_string(model), opener, fixed)
        comparisons = [c for node in walk.nodes for c in walk.comparisons(node)]
        if not comparisons and not walk.ensembles:
            return Following(walk, Terms(values=walk.size)).form()
        cuts = find_cuts(walk.inside, walk.size, comparisons, fixed)
        deep = [
            (node, tree)
            for node in walk.nodes
            if node.output[0] in walk.ensembles
            for tree in walk.ensembles[node.output[0]].trees
            if len(walk.asked(node, tree, cuts)) > 1
        ]
        # Sums of several trees depend on the order in which they are added up, so no run says them.
        is_added_up = any(len(held.trees) > 1 for held in walk.ensembles.values())
        if deep or not cuts or (len(cuts) == 1 and not is_added_up):
            return _boxes(walk, deep, cuts)
        return Following(walk, Terms(cuts)).form()
    except NotClosedError as error:
        raise ModelError(
            f"the model has no exact certificates, since {error}; leave out --procedure exact to "
            "sample"
        ) from None


def _boxes(
    walk: Walk, deep: Sequence[tuple[onnx.NodeProto, Tree]], cuts: tuple[Cuts, ...]
) -> Boxes:
    """Return the boxes of the only tree, or the cells of the only value that is cut.

    Args:
        walk: the graph.
        deep: its trees that ask for several values, with their operators.
        cuts: of all values.
    """
    if len(deep) > 1:
        raise NotClosedError("it adds up several trees that ask for several values each")
    deciding = [node for node, _ in deep] or [
        node
        for node in walk.nodes
        if node.output[0] in walk.ensembles or any(walk.comparisons(node))
    ]
    others = [
        tree
        for node in deciding
        for tree in (walk.ensembles[node.output[0]].trees if deep else ())
        if tree is not deep[0][1] and walk.asked(node, tree, cuts)
    ]
    if others or not walk.decide({name for node in deciding for name in node.output}):
        raise NotClosedError("its label depends on more than one tree, or one value")
    return leaf_boxes(walk, cuts, *deep[0]) if deep else cell_boxes(walk, cuts)
