"""Which of a file's outputs is the answer: its label, and its scores where it has none."""

from __future__ import annotations

import re

import onnx

from rsonnx.errors import Ask, ModelError, refuse
from rsonnx.model.elements import class_number
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import FLOATS, TensorSpec, listed
from rsonnx.model.kinds import is_detector
from rsonnx.model.label import ML_CLASSIFIERS, read_label

LABELS = {"int64", "int32", "int16", "uint16", "uint32", "uint64", "string"}
_NARROW_LABELS = {"bool", "int8", "uint8"}
"""Types of a label where there is one number an input; more of them are quantised scores."""

QUANTISED = {"uint8", "int8"}
_LABEL_NAME = re.compile("label|class|cls|pred|categor", re.IGNORECASE)
_PASSING = {"Cast", "Identity", "Normalizer", "Reshape", "ZipMap"}


def only_answer(model: ModelFile, ask: Ask = refuse) -> TensorSpec | None:
    """Return the one output that can be the answer: the label, and the scores where there is none.

    Several labels are one where they are made of the same decision, such as a number and its name.
    None where it has to be named, which ``ask`` hears.

    Raises:
        ModelError: several can be, or none.
    """
    view = model.view
    if len(view.outputs) == 1:
        return view.outputs[0]
    if is_detector(view.outputs):
        raise ModelError(
            f"{model} gives {listed(view.outputs)}, a detector's boxes and their classes; a "
            "classifier of the whole input is needed"
        )
    computed = [
        spec
        for spec in view.outputs
        if view.is_computed(spec.name) and view.depends_on_input(spec.name)
    ]
    labels = {s: read_label(view, s.name) for s in computed if is_label(model, s)}
    decided = {s: label for s, label in labels.items() if label.is_decided}
    score_types = {*FLOATS, *QUANTISED, "sequence_type"}
    scores = [s for s in computed if s not in labels and s.dtype in score_types]
    # Beside scores, a number that nothing decides may be anything, unless it is called a label.
    doubtful = [s for s in labels if scores and s not in decided and not _LABEL_NAME.search(s.name)]
    labels = decided or {s: label for s, label in labels.items() if s not in doubtful}
    if len({(label.decision, label.scores or label.tensor) for label in labels.values()}) == 1:
        return max(labels, key=lambda spec: (spec.dtype == "string", len(labels[spec].classes)))
    if not labels:
        for spec in computed:
            _refuse_several_labels(model, spec)
        if len(scores) == 1 and not doubtful:
            return scores[0]
        of_classifiers = [s for s in scores if classifier_behind(model, s.name) is not None]
        if len(of_classifiers) == 1:
            return of_classifiers[0]
    ask(
        ModelError(
            f"{model} gives {len(view.outputs)} outputs ({listed(view.outputs)}), and it is not "
            "clear which holds the class scores or the label; name it with --output-name"
        )
    )
    return None


def _refuse_several_labels(model: ModelFile, spec: TensorSpec) -> None:
    """Refuse an output that gives several labels an input: no one class is right then."""
    if spec.dtype not in {*LABELS, "bool"} or len(spec.shape) != 2 or not spec.is_wide:
        return
    number = class_number(model.view, spec.name)
    if number is None or number.node.op_type != "TopK":  # which gives the next best
        raise ModelError(
            f"{model} gives several labels an input ({spec}), any number of which can be true; to "
            "certify the largest score all the same, name it with --output-name"
        )


def is_label(model: ModelFile, spec: TensorSpec) -> bool:
    """Return whether an output is a label an input, by its type and shape or by what made it."""
    if spec.dtype in LABELS or (spec.dtype in _NARROW_LABELS and spec.shape and not spec.is_wide):
        return not spec.is_wide or read_label(model.view, spec.name).is_decided
    if spec.dtype not in FLOATS or spec.is_wide:
        return False
    label = read_label(model.view, spec.name)  # numbers of classes, cast to floats
    return label.is_decided and bool(label.values or label.decision or label.classes)


def classifier_behind(model: ModelFile, tensor: str) -> onnx.NodeProto | None:
    """Return the classifier of ai.onnx.ml whose scores a tensor is; None where it is none's."""
    node = model.view.producer(model.view.behind(tensor, _PASSING))
    return node if node is not None and node.op_type in ML_CLASSIFIERS else None
