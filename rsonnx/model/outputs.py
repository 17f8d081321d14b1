"""Which tensor of a model answers, and how: class scores, one score with a threshold, or a label.

Classical models give a label beside their scores, the scores as a list of dicts (ZipMap), or the
label alone. The scores are preferred, since ties and NaN can be seen in them; a ZipMap is cut off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import onnx

from rsonnx.errors import ModelError, UsageError
from rsonnx.model.graph import GraphView, attribute, class_names
from rsonnx.model.read import ModelFile
from rsonnx.model.tensors import FLOATS, TensorSpec, inner_specs, outputs_of

_LABELS = {"int64", "int32", "uint32", "uint64", "int16", "string"}
_QUANTISED = {"uint8", "int8"}

_ML_CLASSIFIERS = {
    "LinearClassifier",
    "TreeEnsembleClassifier",
    "SVMClassifier",
}


@dataclass(frozen=True)
class Output:
    """The tensor that answers.

    Attributes:
        tensor: its name in the graph.
        spec: the graph output that it was found by.
        kind: ``"scores"``: a vector an input, the largest wins; ``"score"``: one number an input,
            class 1 above the threshold; ``"label"``: the class itself.
        threshold: for ``"score"``.
        classes: names of the classes, in order, where the file has them.
        edits: what is changed to get at it, in words.
        is_vector: whether the scores must be (batch, classes) as they are; otherwise axes of
            length 1 are flattened away.
    """

    tensor: str
    spec: TensorSpec
    kind: Literal["scores", "score", "label"]
    threshold: float | None = None
    classes: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    is_vector: bool = False

    @property
    def dtype(self) -> str:
        """Element type of the tensor; float32 behind a ZipMap."""
        return "float32" if self.spec.dtype == "sequence_type" else self.spec.dtype


def find_output(
    model: ModelFile, *, name: str | None = None, threshold: float | None = None
) -> Output:
    """Find the tensor that answers.

    Args:
        model: the model.
        name: the output to use, where there are several.
        threshold: for a model of one score: class 1 is answered above it, class 0 otherwise.

    Raises:
        UsageError: there is no output of that name, or a threshold that is no number or for
            something else.
        ModelError: no output can be understood as a classifier's, or several can.
    """
    if threshold is not None and not math.isfinite(threshold):
        raise UsageError(f"the threshold is {threshold}, but a finite number was expected")
    view = GraphView(model.proto.graph)
    outputs = outputs_of(model)
    if name is not None:
        chosen = next((spec for spec in outputs if spec.name == name), None)
        if chosen is None:
            raise UsageError(f"{model.path} has no output {name!r}; it has {_names(outputs)}")
    else:
        chosen = _only_answer(model, view, outputs)
    found = _understand(model, view, chosen, threshold)
    if threshold is not None and found.kind != "score":
        raise UsageError(
            f"a threshold was given, but the output {chosen.name!r} of {model.path} gives "
            f"{'class scores' if found.kind == 'scores' else 'labels'}, not one score an input"
        )
    return found


def _only_answer(model: ModelFile, view: GraphView, outputs: tuple[TensorSpec, ...]) -> TensorSpec:
    """Return the one output that can be the answer; scores are preferred to the label beside."""
    if len(outputs) == 1:
        return outputs[0]
    computed = [spec for spec in outputs if view.is_computed(spec.name)]
    labels = [s for s in computed if s.dtype in _LABELS]
    scores = [
        spec
        for spec in computed
        if spec.dtype in {*FLOATS, *_QUANTISED, "sequence_type"}
        and not (labels and _is_pairwise(view, spec.name))
    ]
    if len(scores) == 1 and len(labels) <= 1:
        return scores[0]
    of_classifiers = [spec for spec in scores if _is_classifiers(view, spec.name)]
    if len(of_classifiers) == 1:
        return of_classifiers[0]
    if not scores and len(labels) == 1:
        return labels[0]
    raise ModelError(
        f"{model.path} gives {len(outputs)} outputs ({_names(outputs)}), and it is not clear which "
        "holds the class scores; name it with --output-name"
    )


def _is_classifiers(view: GraphView, tensor: str) -> bool:
    """Return whether a tensor is the scores that a classifier of ai.onnx.ml gives."""
    node = _behind(view, tensor, {"Cast", "Identity", "Normalizer", "ZipMap"})
    return node is not None and node.op_type in _ML_CLASSIFIERS


def _is_pairwise(view: GraphView, tensor: str) -> bool:
    """Return whether a tensor is a support vector machine's score for each pair of classes.

    They are no scores of classes: the label is found by a vote among them.
    """
    node = _behind(view, tensor, {"Cast", "Identity", "Normalizer", "ZipMap"})
    return node is not None and node.op_type == "SVMClassifier" and not _has_chances(node)


def _has_chances(node: onnx.NodeProto) -> bool:
    found = attribute(node, "prob_a")
    return found is not None and len(found.floats) > 0


def _understand(
    model: ModelFile, view: GraphView, spec: TensorSpec, threshold: float | None
) -> Output:
    tensor = view.source(spec.name)
    node = view.producer(tensor)
    if _is_pairwise(view, spec.name) and node is not None and tensor not in node.output[:1]:
        raise ModelError(
            f"the output {spec.name!r} of {model.path} holds a support vector machine's scores of "
            "pairs of classes, but scores of classes or a label are needed; name the label with "
            "--output-name, or export it with probabilities"
        )
    if node is not None and node.op_type == "ZipMap" and node.input:
        return Output(
            node.input[0], spec, "scores", None, class_names(node), ("the ZipMap is cut off",)
        )
    if spec.dtype == "sequence_type":
        raise ModelError(
            f"the output {spec.name!r} of {model.path} is a sequence that no ZipMap made, but a "
            "tensor of class scores is needed; export the model with its scores as a tensor"
        )
    if spec.dtype in _LABELS:
        return _from_label(model, view, spec, tensor)
    if spec.dtype not in FLOATS and spec.dtype not in _QUANTISED:
        raise ModelError(
            f"the output {spec.name!r} of {model.path} has type {spec.dtype}, but class scores or "
            "labels are needed"
        )
    _refuse_joined_heads(model, view, spec, node)
    names = class_names(node) if node is not None and node.op_type in _ML_CLASSIFIERS else ()
    axes = [d for d in spec.shape[1:] if d != 1]
    if len(axes) > 1:
        raise ModelError(
            f"the output {spec.name!r} of {model.path} has shape {spec.dimensions}, but one vector "
            "of class scores an input is needed; a map of values is no classifier's answer"
        )
    # One value an input: (N, 1) or (N, 1, 1). A lone axis may be the batch or the classes: a
    # threshold says that it is the batch, and running the model shows whether it is.
    lone = not any(isinstance(d, int) and d > 1 for d in spec.shape)
    if (len(spec.shape) > 1 and not axes) or (lone and threshold is not None):
        return _one_score(model, view, Output(tensor, spec, "score", threshold))
    return Output(tensor, spec, "scores", None, names)


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
        f"the output {output.spec.name!r} of {model.path} is one number an input: if that is the "
        f"score of a binary classifier, declare from where on it means class 1 with --threshold "
        f"({hint}); a regressor cannot be certified"
    )


def _from_label(model: ModelFile, view: GraphView, spec: TensorSpec, tensor: str) -> Output:
    """Understand a label output, by the scores behind it where they can be found."""
    if not spec.shape:
        raise ModelError(
            f"the output {spec.name!r} of {model.path} is one {spec.dtype} for a whole batch, but "
            "a label an input is needed"
        )
    if any(d != 1 for d in spec.shape[1:]):
        raise ModelError(
            f"the output {spec.name!r} of {model.path} is {spec.dtype} of shape {spec.dimensions}, "
            "but one label an input, or scores of classes, are needed; a map of labels is no "
            "classifier's answer"
        )
    node = _behind(view, tensor, {"Cast", "Reshape", "Squeeze", "Identity"})
    if (
        node is not None
        and node.op_type in _ML_CLASSIFIERS
        and len(node.output) > 1
        and node.output[1]
        and (node.op_type != "SVMClassifier" or _has_chances(node))
    ):
        scores = replace(spec, name=node.output[1], dtype="float32", shape=())
        edits = (f"the scores of {node.op_type} are used in place of its label",)
        return Output(node.output[1], scores, "scores", None, class_names(node), edits)
    if node is not None and node.op_type == "ArrayFeatureExtractor" and len(node.input) > 1:
        # skl2onnx looks the label up in a constant list: the position in it is our label.
        names = view.constant(node.input[0])
        if names is not None:
            texts = tuple(
                n.decode(errors="replace") if isinstance(n, bytes) else str(n)
                for n in names.ravel().tolist()
            )
            edits = ("the look-up of class names is cut off",)
            before = _scores_before(model, view, spec, node.input[1])
            if before is not None:
                return replace(before, classes=texts, edits=(*edits, *before.edits))
            return Output(node.input[1], replace(spec, dtype="int64"), "label", None, texts, edits)
    before = _scores_before(model, view, spec, tensor)
    if before is not None:
        return before
    if spec.dtype == "string":
        raise ModelError(
            f"the output {spec.name!r} of {model.path} is a text, and the classes behind it cannot "
            "be found in the file; export the model with its scores, or name them with "
            "--output-name"
        )
    return Output(tensor, spec, "label")


def _scores_before(
    model: ModelFile, view: GraphView, spec: TensorSpec, tensor: str
) -> Output | None:
    """Return the scores of which a label is the ArgMax: NaN can be seen in them."""
    node = _behind(view, tensor, {"Cast", "Reshape", "Squeeze", "Identity"})
    if node is None or node.op_type != "ArgMax" or not node.input:
        return None
    axis, last = attribute(node, "axis"), attribute(node, "select_last_index")
    if axis is None or axis.i not in (1, -1) or (last is not None and last.i):
        return None
    name = node.input[0]
    dtype = next((s.dtype for s in inner_specs(model) if s.name == name), "float32")
    if dtype not in FLOATS:
        return None
    scores = replace(spec, name=name, dtype=dtype, shape=())
    edits = ("the scores before the ArgMax are used in place of its label",)
    return Output(name, scores, "scores", None, (), edits, is_vector=True)


def _behind(view: GraphView, tensor: str, passing: set[str]) -> onnx.NodeProto | None:
    """Return the node that made a tensor, looking through operators that do not compute."""
    for _ in range(16):
        node = view.producer(tensor)
        if node is None or node.op_type not in passing or not node.input:
            return node
        tensor = node.input[0]
    return None


def _refuse_joined_heads(
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
            f"the output {spec.name!r} of {model.path} joins the results of separate heads "
            f"({', '.join(sorted(kinds))}), which cannot be compared as class scores; name the "
            "classifier's own head with --output-name or export it alone"
        )


def _names(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{s.name!r} {s.dtype} {s.dimensions}" for s in specs) or "none"
