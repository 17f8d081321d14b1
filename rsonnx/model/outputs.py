"""Which tensor of a model answers, and how: a label, class scores, or one score with a threshold.

Where a file gives a label, that label is the class that is counted: the graph that runs answers the
file's own tensor, so no reading of ours can put another class in its place. Scores behind it are
read for what a label hides: NaN, and how near a tie was. They count as class scores only where the
label is seen to be the position of their largest (or smallest) element; a support vector machine
votes among pairs and a tree ensemble has thresholds, so theirs never do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rsonnx.errors import ModelError, UsageError
from rsonnx.model.choice import (
    LABELS,
    QUANTISED,
    classifier_behind,
    is_label,
    only_answer,
)
from rsonnx.model.elements import Origin, sorted_values
from rsonnx.model.graph import (
    FLOATS,
    Dimension,
    GraphView,
    TensorSpec,
    attribute,
    listed,
    whole,
)
from rsonnx.model.kinds import kind_of_head
from rsonnx.model.label import Label, ml_classes, read_label
from rsonnx.model.read import ModelFile
from rsonnx.model.refusals import (
    or_name_them,
    refuse_class_number,
    refuse_head,
    refuse_joined_heads,
    refuse_map,
    refuse_several_labels,
)

_WHOLE_SCORES = {"int32", "int64"}
"""Votes, or products of quantised numbers: float64 holds them."""

_SCORE_NAME = re.compile("score|prob|logit|confidence", re.IGNORECASE)


@dataclass(frozen=True)
class Output:
    """The tensor that answers.

    Attributes:
        tensor: its name in the graph: the scores, or where there are none the label.
        spec: the graph output that it was found by.
        kind: ``"scores"``: a vector an input, the largest wins; ``"score"``: one number an input,
            class 1 above the threshold; ``"label"``: the class itself, and no class scores.
        dtype: element type of the tensor.
        threshold: for ``"score"``.
        classes: names of the classes, in order, where the graph has them.
        edits: what is changed to get at it, in words.
        is_vector: whether the scores must be (batch, classes) as they are; otherwise axes of
            length 1 are flattened away.
        label: the file's own label, where it gives one.
        insisted: what the output is, where it is no vector of class scores and was named all the
            same.
    """

    tensor: str
    spec: TensorSpec
    kind: Literal["scores", "score", "label"]
    dtype: str
    threshold: float | None = None
    classes: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    is_vector: bool = False
    label: Label | None = None
    insisted: str | None = None

    @property
    def tensors(self) -> tuple[str, ...]:
        """All tensors that the answer needs."""
        return (self.tensor, *(() if self.label is None else self.label.tensors))


def find_output(
    model: ModelFile, *, name: str | None = None, threshold: float | None = None
) -> Output:
    """Find the tensor that answers.

    Args:
        model: the model.
        name: the output to use, where there are several, or where it is no vector of class scores
            and its largest element is wanted all the same.
        threshold: for a model of one score: class 1 is answered above it, class 0 otherwise.

    Raises:
        UsageError: there is no output of that name, or a threshold that is no number or for
            something else.
        ModelError: no output can be understood as a classifier's, or several can.
    """
    if threshold is not None and not math.isfinite(threshold):
        raise UsageError(f"the threshold is {threshold}, but a finite number was expected")
    view = model.view
    outputs = model.view.outputs
    if name is not None:
        chosen = next((spec for spec in outputs if spec.name == name), None)
        if chosen is None:
            raise UsageError(f"{model} has no output {name!r}; it has {listed(outputs)}")
    else:
        chosen = only_answer(model, view, outputs)
    found = _understand(model, view, chosen, threshold, is_named=name is not None)
    if threshold is not None and found.kind != "score":
        raise UsageError(
            f"a threshold was given, but the output {chosen.name!r} of {model} gives "
            f"{'class scores' if found.kind == 'scores' else 'labels'}, not one score an input"
        )
    return found


def _is_pairwise(view: GraphView, tensor: str) -> bool:
    """Return whether a tensor is a support vector machine's score for each pair of classes.

    They are no scores of classes: the label is found by a vote among them.
    """
    node = classifier_behind(view, tensor)
    if node is None or node.op_type != "SVMClassifier":
        return False
    chances = attribute(node, "prob_a")
    return chances is None or len(chances.floats) == 0


def _understand(
    model: ModelFile, view: GraphView, spec: TensorSpec, threshold: float | None, *, is_named: bool
) -> Output:
    refuse_several_labels(model, view, spec)
    if is_label(view, spec) or spec.dtype in LABELS:
        return _from_label(model, view, spec)
    tensor = view.source(spec.name)
    node = view.producer(tensor)
    if _is_pairwise(view, spec.name):
        raise ModelError(
            f"the output {spec.name!r} of {model} holds a support vector machine's scores of "
            "pairs of classes, but scores of classes or a label are needed; name the label with "
            "--output-name, or export it with probabilities"
        )
    if node is not None and node.op_type == "ZipMap" and node.input:
        names = tuple(map(str, ml_classes(node)))
        edits = ("the ZipMap is cut off", *_labels_left_out(model, view, spec, node.input[0]))
        return Output(node.input[0], spec, "scores", "float32", None, names, edits)
    if spec.dtype == "sequence_type":
        raise ModelError(
            f"the output {spec.name!r} of {model} is a sequence that no ZipMap made, but a "
            "tensor of class scores is needed; export the model with its scores as a tensor"
        )
    if spec.dtype not in FLOATS and spec.dtype not in QUANTISED:
        raise ModelError(
            f"the output {spec.name!r} of {model} has type {spec.dtype}, but class scores or "
            "labels are needed"
        )
    ordered = sorted_values(view, spec, tensor)
    if ordered is not None:
        return _before_top_k(model, view, spec, ordered, is_named=is_named)
    refuse_class_number(model, view, spec)
    refuse_joined_heads(model, view, spec, node)
    refuse_map(model, spec)
    axes = [d for d in spec.shape[1:] if d != 1]
    # One value an input: (N, 1) or (N, 1, 1). A lone axis may be the batch or the classes: a
    # threshold says that it is the batch, and running the model shows whether it is.
    lone = not any(isinstance(d, int) and d > 1 for d in spec.shape)
    if (len(spec.shape) > 1 and not axes) or (lone and threshold is not None):
        return _one_score(model, view, Output(tensor, spec, "score", spec.dtype, threshold))
    insisted = _insisted(model, view, spec, (tensor,), is_named=is_named)
    return Output(
        tensor,
        spec,
        "scores",
        spec.dtype,
        classes=_names_of_scores(model, view, tensor),
        edits=_labels_left_out(model, view, spec, tensor),
        insisted=insisted,
    )


def _names_of_scores(model: ModelFile, view: GraphView, tensor: str) -> tuple[str, ...]:
    """Return the class names that the graph has for scores, behind them or at a label of theirs."""
    node = classifier_behind(view, tensor)
    if node is not None:
        return tuple(map(str, ml_classes(node)))
    for other in model.view.outputs:
        if is_label(view, other):
            label = read_label(view, other.name)
            if label.scores is not None and view.source(label.scores) == tensor:
                return label.classes
    return ()


def _labels_left_out(
    model: ModelFile, view: GraphView, spec: TensorSpec, tensor: str
) -> tuple[str, ...]:
    """Return a sentence for each label that the file gives beside scores which were named."""
    beside = [
        other.name
        for other in model.view.outputs
        if other.name != spec.name
        and view.is_computed(other.name)
        and is_label(view, other)
        and (label := read_label(view, other.name)).is_decided
        and (label.decision != "largest" or view.source(label.scores or "") != tensor)
    ]
    return tuple(f"the file's label {name!r} is left out, for the scores named" for name in beside)


def _before_top_k(
    model: ModelFile, view: GraphView, spec: TensorSpec, ordered: Origin, *, is_named: bool
) -> Output:
    """Return the scores of which an output holds the few largest: sorted, they name no class."""
    scores = ordered.node.input[0]
    if not (ordered.keeps_order and whole(ordered.node, "largest", 1)):
        raise ModelError(
            f"the output {spec.name!r} of {model} is made of a row's values, sorted by "
            f"TopK, so their places are no classes; name the output of their positions with "
            "--output-name, or export it with what goes into the TopK"
        )
    insisted = _insisted(model, view, spec, (spec.name, scores), is_named=is_named)
    return Output(
        scores,
        spec,
        "scores",
        _type_of(view.specs, scores),
        edits=("what goes into the TopK is used in place of its sorted values",),
        is_vector=True,
        insisted=insisted,
    )


def _insisted(
    model: ModelFile, view: GraphView, spec: TensorSpec, tensors: Sequence[str], *, is_named: bool
) -> str | None:
    """Return what an output is in place of class scores, and refuse it where no user named it."""
    kinds = (kind_of_head(model, view, spec, tensor) for tensor in tensors)
    head = next(filter(None, kinds), None)
    if head is None:
        return None
    if not is_named:
        refuse_head(model, spec, head)
    return f"{head}: the largest is counted"


def _one_score(model: ModelFile, view: GraphView, output: Output) -> Output:
    if output.threshold is not None:
        return output
    node = view.producer(output.tensor)
    squashed = node is not None and node.op_type in {"Sigmoid", "Softmax", "HardSigmoid"}
    hint = (
        "it ends in a sigmoid, so 0.5 would be usual"
        if squashed
        else "0 is usual for logits and 0.5 for probabilities"
    )
    raise ModelError(
        f"the output {output.spec.name!r} of {model} is one number an input: if that is the "
        f"score of a binary classifier, declare from where on it means class 1 with --threshold "
        f"({hint}); a regressor cannot be certified"
    )


def _from_label(model: ModelFile, view: GraphView, spec: TensorSpec) -> Output:
    """Understand a label output, with the scores that decide it where they can be found."""
    label = read_label(view, spec.name)
    if not spec.shape:
        raise ModelError(
            f"the output {spec.name!r} of {model} is one {spec.dtype} for a whole batch, but "
            "a label an input is needed"
        )
    looked_up = label.tensor != spec.name  # cut off, the look-up's own shape is of no account
    if spec.is_wide and not looked_up and not label.first_column:
        raise ModelError(
            f"the output {spec.name!r} of {model} is {spec.dtype} of shape {spec.dimensions}, "
            "but one label an input, or scores of classes, are needed; a map of labels is no "
            "classifier's answer"
        )
    if spec.dtype == "string" and not (label.values or label.classes or label.decision):
        raise ModelError(
            f"the output {spec.name!r} of {model} is a text, and the classes behind it cannot "
            f"be found in the file; export the model with its scores{or_name_them(model)}"
        )
    edits = []
    if label.classes and not label.values:
        edits.append("the look-up of class names is cut off")
    if label.first_column:
        edits.append("the first column of the TopK's positions is the label")
    known = view.specs
    scores = label.scores
    dtype = _type_of(known, scores or "")
    beside = _floats_beside(model, view, spec, label)
    shown = (*label.shown, *(name for name in beside if _are_scores(view, name)))
    shown = tuple(dict.fromkeys(t for t in shown if _is_row_of_floats(known.get(t))))
    beside = tuple(name for name in beside if name not in shown)
    label = replace(label, shown=shown)
    dtype = "float64" if dtype in _WHOLE_SCORES else dtype
    if scores is not None and dtype in {*FLOATS, *QUANTISED}:
        label = replace(label, evidence=beside)
        place = "before" if label.decision == "largest" else "before, negated,"
        edits.append(f"the scores {place} the label show NaN and near ties; the label counts")
        found = known.get(scores)
        axes = [] if found is None else [d for d in found.shape[1:] if d != 1]
        names, said = label.classes, tuple(edits)
        return Output(
            scores, spec, "scores", dtype, None, names, said, is_vector=len(axes) != 1, label=label
        )
    evidence = (*label.evidence, *filter(None, [scores]), *beside)
    seen = tuple(dict.fromkeys(t for t in evidence if _is_row_of_floats(known.get(t))))
    label = replace(label, scores=None, decision=None, evidence=seen)
    return Output(
        label.tensor, spec, "label", spec.dtype, None, label.classes, tuple(edits), label=label
    )


def _floats_beside(
    model: ModelFile, view: GraphView, spec: TensorSpec, label: Label
) -> tuple[str, ...]:
    """Return other outputs of floats for the same input: NaN in them is an answer of no class.

    A label may be taken of scores in which NaN was replaced.
    """
    needed, _ = view.needed(label.tensors)
    known = {view.source(tensor) for tensor in label.tensors}
    return tuple(
        other.name
        for other in model.view.outputs
        if other.dtype in FLOATS
        and view.source(other.name) not in known
        and len(other.shape) in (1, 2)
        and _is_same_batch(other.shape[0], spec.shape[0])
        and view.depends_on_input(other.name)
        and view.needed([other.name])[0] & {i.name for i in view.inputs} <= needed
    )


def _is_same_batch(one: Dimension, other: Dimension) -> bool:
    """Return whether two axes may be the batch: exporters give a free one several names."""
    return one == other or not (isinstance(one, int) or isinstance(other, int))


def _are_scores(view: GraphView, tensor: str) -> bool:
    """Return whether an output beside a label is seen to hold scores of classes."""
    node = view.maker(tensor)
    squashed = node is not None and node.op_type in {"LogSoftmax", "Sigmoid", "Softmax"}
    return squashed or _SCORE_NAME.search(tensor) is not None


def _is_row_of_floats(spec: TensorSpec | None) -> bool:
    return spec is None or (spec.dtype in FLOATS and len(spec.shape) > 0)


def _type_of(known: Mapping[str, TensorSpec], tensor: str) -> str:
    """Return the element type of a tensor; where it is not known float64, which holds any score."""
    return known[tensor].dtype if tensor in known else "float64"
