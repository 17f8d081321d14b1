"""See on probe inputs whether an adapted model answers a class, and the one its file states."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import MOST_CLASSES, NO_CLASS
from rsonnx.errors import ModelError
from rsonnx.model.outputs import USUAL_THRESHOLDS, Output

_MOST_SCORES = 1_000_000
"""Of an input: the dozen probe inputs are compared in float64, several arrays of them at a time."""


def check_scores(path: str, scores: NDArray[Any], kind: str) -> None:
    """Check the shape of scores.

    Args:
        path: the model's file, for messages.
        scores: (rows, classes); a column of labels for ``"label"``.
        kind: as of :class:`Output`.

    Raises:
        ModelError: they are of another shape, or absurdly many.
    """
    if kind == "score" and scores.shape[1:] != (2,):  # the threshold and the score
        raise ModelError(
            f"a threshold was given, but {path} gives {math.prod(scores.shape[1:]) // 2} numbers "
            "an input; leave the threshold out"
        )
    if kind == "scores" and scores.shape[1:] == (1,):
        raise ModelError(
            f"{path} gives one number an input: if that is a binary classifier's score, declare "
            f"from where on it means class 1 with --threshold ({USUAL_THRESHOLDS})"
        )
    if scores.ndim != 2 or (scores.shape[1] < 2 and kind != "label"):
        raise ModelError(
            f"{path} gives an output of shape {list(scores.shape[1:])} an input, but a vector of "
            "at least 2 class scores is needed"
        )
    if scores.shape[1] > _MOST_SCORES:
        raise ModelError(
            f"{path} gives {scores.shape[1]:,} class scores an input, but at most {_MOST_SCORES:,} "
            "are read; certify a model of fewer classes"
        )


def check_answers(path: str, output: Output, scores: NDArray[Any], labels: NDArray[Any]) -> None:
    """Check that the labels are classes, and those that the scores mean where there are scores.

    Args:
        path: the model's file, for messages.
        output: what answers.
        scores: (rows, classes); a column of labels for ``"label"``.
        labels: int64 (rows,), as the adapted model gives them; ``NO_CLASS`` where a score is NaN or
            the largest is infinite.

    Raises:
        ModelError: a label is no class, or another than its scores mean.
    """
    if labels.shape != scores.shape[:1]:
        raise ModelError(
            f"{path} gives {labels.size} labels for {len(scores)} inputs, but one label an input "
            "is needed; a map of labels is no classifier's answer"
        )
    none = labels == NO_CLASS
    if output.kind == "label":
        _check_numbers(path, output, labels[~none])
        return
    top = scores.max(axis=1, keepdims=True)
    expected = np.where(np.isfinite(top[:, 0]), scores.argmax(axis=1), NO_CLASS)
    same = labels == expected
    if output.label is not None:
        # On a tie the file's own label may be any of the largest; NaN may be in other scores too.
        same |= _is_largest(scores, top, labels) | (
            none & bool(output.label.evidence + output.label.shown)
        )
    if not same.all():
        raise ModelError(
            f"{path} answers the labels {labels.tolist()} to probe inputs whose scores mean "
            f"{expected.tolist()}; "
            + (
                "the execution provider computes them wrongly, so try another"
                if output.label is None
                else "its label is not the largest of them, so name another with --output-name"
            )
        )


def _is_largest(scores: NDArray[Any], top: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
    inside = (labels >= 0) & (labels < scores.shape[1])
    own = np.take_along_axis(scores, np.where(inside, labels, 0)[:, None], axis=1)
    return np.asarray(inside & np.isfinite(top[:, 0]) & (own == top)[:, 0])


def _check_numbers(path: str, output: Output, labels: NDArray[Any]) -> None:
    """Check labels that come with no scores."""
    classes = len(output.classes)
    beyond = labels[(labels < 0) | (labels >= (classes or MOST_CLASSES))]
    if beyond.size:
        label = int(beyond[0])
        raise ModelError(
            f"the output {output.spec.name!r} of {path} gave the label "
            + (
                f"that is none of the {classes} classes its graph lists; export it again"
                if classes
                else f"{label + 1 if label < 0 else label}, but without a list classes are "
                f"numbered 0 to {MOST_CLASSES:,}; export it with scores, or with numbers from 0"
            )
        )
