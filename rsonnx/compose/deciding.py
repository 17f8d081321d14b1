"""PREDICT's decision in plain operators: from counts to a class, or -1 to abstain."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import helper

from rsonnx.compose.graph import Builder
from rsonnx.procedures import ABSTAIN

LABEL, COUNTS = "label", "counts"
"""Names of what is answered: the class or -1, int64 (); int64 (classes + 1,), last of no class."""


def decide(builder: Builder, counts: str, classes: int, least: Sequence[int]) -> None:
    """Answer as :func:`rsonnx.procedures.predict_from_counts` does.

    What is no class competes as one, last so that a tie goes to a class, and never wins.

    Args:
        builder: gets ``LABEL`` and ``COUNTS``.
        counts: of the classes, int64 (classes,).
        classes: how many.
        least: as :func:`rsonnx.statistics.least_top_counts` returns it for all samples.
    """
    add, whole = builder.add, builder.constant
    total = add("ReduceSum", [counts], keepdims=1)
    no_class = add("Sub", [whole([len(least) - 1], "int64"), total])
    add("Concat", [counts, no_class], COUNTS, axis=0)
    builder.nodes.append(
        helper.make_node("TopK", [COUNTS, whole([2], "int64")], ["top_counts", "top_classes"])
    )
    first, top = (
        add("Gather", [part, whole(0, "int64")]) for part in ("top_counts", "top_classes")
    )
    both = add("ReduceSum", ["top_counts"], keepdims=0)
    enough = add("GreaterOrEqual", [first, add("Gather", [whole(least, "int64"), both])])
    is_class = add("Less", [top, whole(classes, "int64")])
    add("Where", [add("And", [enough, is_class]), top, whole(ABSTAIN, "int64")], LABEL)
