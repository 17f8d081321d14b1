"""Why an output is no classifier's answer, in a sentence that says what to do."""

from __future__ import annotations

import onnx

from rsonnx.errors import ModelError
from rsonnx.model.choice import LABELS
from rsonnx.model.elements import class_number
from rsonnx.model.graph import GraphView, TensorSpec
from rsonnx.model.kinds import INDEPENDENT, are_anchors, independent
from rsonnx.model.read import ModelFile


def refuse_several_labels(model: ModelFile, view: GraphView, spec: TensorSpec) -> None:
    """Refuse truth values of several classes, of which any number can be true of one input."""
    if spec.dtype not in {*LABELS, "bool"}:
        return
    kind = independent(view, spec, spec.name)
    if kind is not None:
        raise ModelError(
            f"the output {spec.name!r} of {model} has several labels an input ({kind}), any "
            "number of which can be true, but one class an input is needed; export the scores of "
            f"which the largest is wanted{or_name_them(model)}"
        )


def refuse_class_number(model: ModelFile, view: GraphView, spec: TensorSpec) -> None:
    """Refuse floats that have the number of a class among them."""
    found = class_number(view, spec.name)
    if found is not None:
        raise ModelError(
            f"the output {spec.name!r} of {model} has the number of a class in it, by "
            f"{found.node.op_type}, which is no score: its largest element names no class; "
            f"export {found.tensor!r} as an integer output of its own, or the scores before it"
        )


def refuse_joined_heads(
    model: ModelFile, view: GraphView, spec: TensorSpec, node: onnx.NodeProto | None
) -> None:
    """Refuse a vector that joins heads of different kinds, such as an angle and a chance."""
    if node is None or node.op_type != "Concat":
        return
    heads = [view.source(name) for name in node.input]
    makers = [view.producer(head) for head in heads]
    # 1 - p beside p is how binary classifiers write two probabilities.
    makers = [
        maker
        for maker in makers
        if maker is None
        or maker.op_type != "Sub"
        or not any(view.source(operand) in heads for operand in maker.input[1:])
    ]
    kinds = {"none" if maker is None else maker.op_type for maker in makers}
    if len(kinds) > 1 and kinds & {"Sigmoid", "Softmax", "Tanh"}:
        raise ModelError(
            f"the output {spec.name!r} of {model} joins the results of separate heads "
            f"({', '.join(sorted(kinds))}), which cannot be compared as class scores; name the "
            "classifier's own head with --output-name or export it alone"
        )


def refuse_map(model: ModelFile, spec: TensorSpec) -> None:
    """Refuse an output of several axes beside that of the batch."""
    if sum(d != 1 for d in spec.shape[1:]) <= 1:
        return
    what = "a map of values is no classifier's answer"
    if are_anchors(spec):
        what = "this is a detector's: boxes and their classes; a map of values is no classifier's"
    raise ModelError(
        f"the output {spec.name!r} of {model} has shape {spec.dimensions}, but one vector "
        f"of class scores an input is needed; {what}"
    )


def refuse_head(model: ModelFile, spec: TensorSpec, head: str) -> None:
    """Refuse a vector that is no vector of class scores but, in words, ``head``."""
    why = "any number of which can be true of one input, " if head in INDEPENDENT else ""
    raise ModelError(
        f"the output {spec.name!r} of {model} is {head}, {why}not scores of which one class "
        "is right; to certify which of them is largest all the same, name it: --output-name "
        f"{spec.name}"
    )


def or_name_them(model: ModelFile) -> str:
    """Return the hint that another output may be named, where there is another."""
    return ", or name them with --output-name" if len(model.view.outputs) > 1 else ""
