"""Which tensor of a model answers, and how: a label, class scores, or one score with a threshold.

Where a file gives a label, that label is the class that is counted: the graph that runs answers the
file's own tensor, so no reading of ours can put another class in its place. Scores behind it are
read for what a label hides: NaN, and how near a tie was. They count as class scores only where the
label is seen to be the position of their largest (or smallest) element; a support vector machine
votes among pairs and a tree ensemble has thresholds, so theirs never do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from rsonnx.errors import Ask, ModelError, UsageError, refuse
from rsonnx.model.choice import LABELS, QUANTISED, classifier_behind, is_label, only_answer
from rsonnx.model.elements import Origin, class_number, sorted_values
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import FLOATS, TensorSpec, attribute, listed, whole
from rsonnx.model.kinds import INDEPENDENT, are_anchors, independent, kind_of_head
from rsonnx.model.label import Label, ml_classes, read_label
from rsonnx.scalars import shown

_WHOLE_SCORES = {"int32", "int64"}
"""Votes, or products of quantised numbers: float64 holds them."""

USUAL_THRESHOLDS = "0 is usual for logits and 0.5 for probabilities"
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
    model: ModelFile,
    *,
    name: str | None = None,
    threshold: float | None = None,
    ask: Ask = refuse,
) -> Output:
    """Find the tensor that answers.

    Args:
        model: the model.
        name: the output to use, where there are several, or where it is no vector of class scores
            and its largest element is wanted all the same.
        threshold: for a model of one score: class 1 is answered above it, class 0 otherwise.
        ask: hears what else has to be declared; where it returns, so does this, with a guess by
            which the rest of the model can be asked about.

    Raises:
        UsageError: there is no output of that name, or a threshold for something else.
        ModelError: no output can be understood as a classifier's, or several can.
    """
    outputs = {spec.name: spec for spec in model.view.outputs}
    if name is not None and name not in outputs:
        raise UsageError(f"{model} has no output {shown(name)}; it has {listed(outputs.values())}")
    spec = only_answer(model, ask) if name is None else outputs[name]
    if spec is None:
        first = model.view.outputs[0]
        return Output(first.name, first, "scores", first.dtype)
    output = _Reader(model, spec, is_named=name is not None, ask=ask).read(threshold)
    if threshold is not None and output.kind != "score":
        gives = "class scores" if output.kind == "scores" else "labels"
        raise UsageError(
            f"a threshold was given, but the output {spec.name!r} of {model} gives {gives}, not "
            "one score an input"
        )
    return output


class _Reader:
    """Understands one output of a model, or refuses it."""

    def __init__(self, model: ModelFile, spec: TensorSpec, *, is_named: bool, ask: Ask) -> None:
        self.model, self.spec, self.is_named, self.ask = model, spec, is_named, ask
        self.view = model.view

    def refuse(self, why: str) -> ModelError:
        return ModelError(f"the output {self.spec.name!r} of {self.model} {why}")

    @property
    def or_name_them(self) -> str:
        """The hint that another output may be named, where there is another."""
        return ", or name them with --output-name" if len(self.view.outputs) > 1 else ""

    def read(self, threshold: float | None) -> Output:
        spec, view = self.spec, self.view
        if spec.dtype in {*LABELS, "bool"}:
            kind = independent(view, spec, spec.name)
            if kind is not None:
                raise self.refuse(
                    f"has several labels an input ({kind}), any number of which can be true; "
                    f"export the scores of which the largest is wanted{self.or_name_them}"
                )
        if is_label(self.model, spec) or spec.dtype in LABELS:
            return self._label()
        tensor = view.source(spec.name)
        node = view.producer(tensor)
        if self._is_pairwise():
            raise self.refuse(
                "holds a support vector machine's scores of pairs of classes; name the label with "
                "--output-name, or export it with probabilities"
            )
        if node is not None and node.op_type == "ZipMap" and node.input:
            names = tuple(map(str, ml_classes(node)))
            edits = ("the ZipMap is cut off", *self._labels_left_out(node.input[0]))
            return Output(node.input[0], spec, "scores", "float32", None, names, edits)
        if spec.dtype == "sequence_type":
            raise self.refuse(
                "is a sequence that no ZipMap made; export the model with its scores as a tensor"
            )
        if spec.dtype not in FLOATS and spec.dtype not in QUANTISED:
            raise self.refuse(f"has type {spec.dtype}, but class scores or labels are needed")
        ordered = sorted_values(view, spec, tensor)
        if ordered is not None:
            return self._before_top_k(ordered)
        self._refuse_what_is_no_vector_of_scores(tensor)
        axes = [d for d in spec.shape[1:] if d != 1]
        # One value an input: (N, 1) or (N, 1, 1). A lone axis may be the batch or the classes: a
        # threshold says that it is the batch, and running the model shows whether it is.
        lone = not any(isinstance(d, int) and d > 1 for d in spec.shape)
        if (len(spec.shape) > 1 and not axes) or (lone and threshold is not None):
            return self._one_score(tensor, threshold)
        return Output(
            tensor,
            spec,
            "scores",
            spec.dtype,
            classes=self._names_of_scores(tensor),
            edits=self._labels_left_out(tensor),
            insisted=self._insisted(tensor),
        )

    def _is_pairwise(self) -> bool:
        """Return whether it is a support vector machine's score for each pair of classes.

        They are no scores of classes: the label is found by a vote among them.
        """
        node = classifier_behind(self.model, self.spec.name)
        if node is None or node.op_type != "SVMClassifier":
            return False
        chances = attribute(node, "prob_a")
        return chances is None or len(chances.floats) == 0

    def _refuse_what_is_no_vector_of_scores(self, tensor: str) -> None:
        """Refuse floats with a class's number among them, heads of several kinds, and maps."""
        number = class_number(self.view, self.spec.name)
        if number is not None:
            raise self.refuse(
                f"has the number of a class in it, by {number.node.op_type}, which is no score; "
                f"export {number.tensor!r} as an integer output of its own, or the scores before it"
            )
        node = self.view.producer(tensor)
        if node is not None and node.op_type == "Concat":
            heads = [self.view.source(name) for name in node.input]
            kinds = set()
            for head in heads:
                maker = self.view.producer(head)
                # 1 - p beside p is how binary classifiers write two probabilities.
                if maker is None or maker.op_type != "Sub":
                    kinds.add("none" if maker is None else maker.op_type)
                elif not any(self.view.source(operand) in heads for operand in maker.input[1:]):
                    kinds.add("Sub")
            if len(kinds) > 1 and kinds & {"Sigmoid", "Softmax", "Tanh"}:
                raise self.refuse(
                    f"joins the results of separate heads ({', '.join(sorted(kinds))}), which are "
                    "no class scores; name the classifier's own head with --output-name or export "
                    "it alone"
                )
        if sum(d != 1 for d in self.spec.shape[1:]) > 1:
            what = "a detector's boxes and classes" if are_anchors(self.spec) else "a map"
            raise self.refuse(
                f"has shape {self.spec.dimensions}, but one vector of class scores an input "
                f"is needed; {what} is no classifier's answer"
            )

    def _names_of_scores(self, tensor: str) -> tuple[str, ...]:
        """Return the class names that the graph has for scores, behind them or at their label."""
        node = classifier_behind(self.model, tensor)
        if node is not None:
            return tuple(map(str, ml_classes(node)))
        for other in self.view.outputs:
            if is_label(self.model, other):
                label = read_label(self.view, other.name)
                if label.scores is not None and self.view.source(label.scores) == tensor:
                    return label.classes
        return ()

    def _labels_left_out(self, tensor: str) -> tuple[str, ...]:
        """Return a sentence for each label that the file gives beside scores which were named."""
        beside = [
            other.name
            for other in self.view.outputs
            if other.name != self.spec.name
            and self.view.is_computed(other.name)
            and is_label(self.model, other)
            and (label := read_label(self.view, other.name)).is_decided
            and (label.decision != "largest" or self.view.source(label.scores or "") != tensor)
        ]
        return tuple(
            f"the file's label {name!r} is left out, for the scores named" for name in beside
        )

    def _before_top_k(self, ordered: Origin) -> Output:
        """Return the scores of which it holds the few largest: sorted, they name no class."""
        scores = ordered.node.input[0]
        if not (ordered.keeps_order and whole(ordered.node, "largest", 1)):
            raise self.refuse(
                "is made of a row's values, sorted by TopK, so their places are no classes; name "
                "the output of their positions with --output-name, or export what goes into it"
            )
        return Output(
            scores,
            self.spec,
            "scores",
            self._type_of(scores),
            edits=("what goes into the TopK is used in place of its sorted values",),
            is_vector=True,
            insisted=self._insisted(self.spec.name, scores),
        )

    def _insisted(self, *tensors: str) -> str | None:
        """Return what it is in place of class scores, and refuse it where no user named it."""
        kinds = (kind_of_head(self.model, self.spec, tensor) for tensor in tensors)
        head = next(filter(None, kinds), None)
        if head is None:
            return None
        if not self.is_named:
            why = "any number of which can be true of one input, " if head in INDEPENDENT else ""
            raise self.refuse(
                f"is {head}, {why}not scores of which one class is right; to certify which of them "
                f"is largest all the same, name it: --output-name {self.spec.name}"
            )
        return f"{head}: the largest is counted"

    def _one_score(self, tensor: str, threshold: float | None) -> Output:
        if threshold is None:
            node = self.view.producer(tensor)
            squashed = node is not None and node.op_type in {"Sigmoid", "Softmax", "HardSigmoid"}
            hint = "it ends in a sigmoid, so 0.5 would be usual" if squashed else USUAL_THRESHOLDS
            self.ask(
                self.refuse(
                    "is one number an input: if that is a binary classifier's score, say from "
                    f"where on it is class 1 with --threshold ({hint}); a regressor cannot be "
                    "certified"
                )
            )
        return Output(tensor, self.spec, "score", self.spec.dtype, threshold)

    def _label(self) -> Output:
        """Understand a label output, with the scores that decide it where they can be found."""
        spec, label = self.spec, read_label(self.view, self.spec.name)
        if not spec.shape:
            raise self.refuse(
                f"is one {spec.dtype} for a whole batch, but a label an input is needed"
            )
        looked_up = label.tensor != spec.name  # cut off, the look-up's own shape is of no account
        if spec.is_wide and not looked_up and not label.first_column:
            raise self.refuse(
                f"is {spec.dtype} of shape {spec.dimensions}, but one label an input, or scores of "
                "classes, are needed; a map of labels is no classifier's answer"
            )
        if spec.dtype == "string" and not (label.values or label.classes or label.decision):
            raise self.refuse(
                "is a text, and the classes behind it cannot be found in the file; export the "
                f"model with its scores{self.or_name_them}"
            )
        edits = []
        if label.classes and not label.values:
            edits.append("the look-up of class names is cut off")
        if label.first_column:
            edits.append("the first column of the TopK's positions is the label")
        beside = self._floats_beside(label)
        shown = (*label.shown, *(name for name in beside if self._are_scores(name)))
        label = replace(label, shown=self._rows_of_floats(shown))
        beside = tuple(name for name in beside if name not in label.shown)
        scores, dtype = label.scores, self._type_of(label.scores or "")
        dtype = "float64" if dtype in _WHOLE_SCORES else dtype
        if scores is not None and dtype in {*FLOATS, *QUANTISED}:
            place = "before" if label.decision == "largest" else "before, negated,"
            edits.append(f"the scores {place} the label show NaN and near ties; the label counts")
            known = self.view.specs.get(scores)
            axes = [] if known is None else [d for d in known.shape[1:] if d != 1]
            return Output(
                scores,
                spec,
                "scores",
                dtype,
                classes=label.classes,
                edits=tuple(edits),
                is_vector=len(axes) != 1,
                label=replace(label, evidence=beside),
            )
        evidence = self._rows_of_floats((*label.evidence, *filter(None, [scores]), *beside))
        label = replace(label, scores=None, decision=None, evidence=evidence)
        said = tuple(edits)
        return Output(
            label.tensor, spec, "label", spec.dtype, None, label.classes, said, label=label
        )

    def _floats_beside(self, label: Label) -> tuple[str, ...]:
        """Return other outputs of floats for the same input: NaN in them is an answer of no class.

        A label may be taken of scores in which NaN was replaced.
        """
        inputs = self.view.inputs_behind(label.tensors)
        known = {self.view.source(tensor) for tensor in label.tensors}
        own = self.spec.shape[0]
        return tuple(
            other.name
            for other in self.view.outputs
            if other.dtype in FLOATS
            and self.view.source(other.name) not in known
            and len(other.shape) in (1, 2)
            # Exporters give a free batch several names.
            and (other.shape[0] == own or not {type(other.shape[0]), type(own)} & {int})
            and set() < self.view.inputs_behind([other.name]) <= inputs
        )

    def _are_scores(self, tensor: str) -> bool:
        """Return whether an output beside a label is seen to hold scores of classes."""
        node = self.view.maker(tensor)
        squashed = node is not None and node.op_type in {"LogSoftmax", "Sigmoid", "Softmax"}
        return squashed or _SCORE_NAME.search(tensor) is not None

    def _rows_of_floats(self, tensors: tuple[str, ...]) -> tuple[str, ...]:
        known = self.view.specs
        return tuple(
            tensor
            for tensor in dict.fromkeys(tensors)
            if tensor not in known or (known[tensor].dtype in FLOATS and known[tensor].shape)
        )

    def _type_of(self, tensor: str) -> str:
        """Return a tensor's element type; where it is not known float64, which holds any score."""
        known = self.view.specs.get(tensor)
        return "float64" if known is None else known.dtype
