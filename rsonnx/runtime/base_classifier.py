"""Base classifiers: what the engine needs of one, and what it refuses of their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import MOST_CLASSES, NO_CLASS
from rsonnx.errors import InferenceError, RsonnxError, UsageError


@runtime_checkable
class BaseClassifier(Protocol):
    """A deterministic function of one input, evaluated in batches.

    Beyond :meth:`classify` these attributes are read where they exist: ``num_classes``, ``shape``,
    ``bounds``, ``layout``, ``codes``, ``watch``, ``most_rows`` and ``confirm`` (see
    :class:`OnnxClassifier`), and ``thread_safe``, which says that several threads may call at once.
    """

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return a label a row, >= 0, or -1 for an answer that is no class.

        Labels may be whole numbers of any width, in an array of numpy's, PyTorch's or JAX's.

        Args:
            batch: float32 (rows, \\*shape). It is reused: do not keep it.
        """


_SAID = ("num_classes", "shape", "bounds", "layout", "codes", "watch", "thread_safe")


class FunctionClassifier:
    """A base classifier that is a function; what it says of itself are the function's attributes.

    Args:
        function: from a batch to labels, as :meth:`BaseClassifier.classify`: a function, or an
            object that is called. Its attributes, those of its class too, say ``num_classes`` and
            the like.
    """

    def __init__(self, function: Callable[[NDArray[np.float32]], NDArray[np.int64]]) -> None:
        for name in _SAID:
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))
        self.classify = function


def base_classifier(
    base: BaseClassifier | Callable[[NDArray[np.float32]], NDArray[np.int64]],
) -> BaseClassifier:
    """Return a base classifier as it is, or one that is made of a function.

    Raises:
        UsageError: it is neither.
    """
    if callable(getattr(base, "classify", None)):
        return base  # type: ignore[return-value]
    if callable(base):
        return FunctionClassifier(base)
    raise UsageError(
        f"the base classifier is a {type(base).__name__}, but a function of a batch, or an object "
        "with classify(batch) -> int64 labels, was expected; rsonnx.load makes one of a file"
    )


def checked_labels(classifier: BaseClassifier, batch: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a classifier's labels for a batch, int64 (rows,), in an array of their own.

    Raises:
        InferenceError: the classifier failed, or answered something that is no label a row.
    """
    labels = label_a_row(classifier, batch)
    check_range(classifier, labels)
    return labels.astype(np.int64)  # a copy: the classifier may answer in a buffer of its own


def label_a_row(classifier: BaseClassifier, batch: NDArray[np.float32]) -> NDArray[Any]:
    """Return an integer a row that fits int64, (rows,), before :func:`check_range`.

    Raises:
        InferenceError: as :func:`checked_labels`.
    """
    try:
        answered = classifier.classify(batch)
        # PyTorch hands out no array of what lies on a device.
        labels = np.asarray(answered.cpu() if hasattr(answered, "cpu") else answered)
    except RsonnxError:
        raise
    except Exception as error:  # a caller's own function may raise anything
        raise InferenceError(
            f"the classifier failed on a batch of shape {list(batch.shape)} with "
            f"{type(error).__name__}: {error}"
        ) from error
    if np.ma.is_masked(answered):
        raise InferenceError("the classifier masked labels of a batch; answer -1 for no class")
    if labels.shape != (len(batch),) or labels.dtype.kind not in "iu":
        raise InferenceError(
            f"the classifier answered an array of shape {list(labels.shape)} and type "
            f"{labels.dtype} for a batch of {len(batch)}, but one integer label a row was expected"
        )
    if labels.dtype == np.uint64:
        check_range(classifier, labels)
    return labels


def check_range(classifier: BaseClassifier, labels: NDArray[Any]) -> None:
    """Refuse integers, of at least one row, some of which are no labels of a classifier.

    Raises:
        InferenceError: as :func:`checked_labels`.
    """
    classes = getattr(classifier, "num_classes", None)
    low, high = int(labels.min()), int(labels.max())
    if low < NO_CLASS or high >= (MOST_CLASSES if classes is None else classes):
        raise InferenceError(
            f"the classifier answered the label {low if low < NO_CLASS else high}, but it has "
            f"{classes or 'some'} classes, numbered from 0, and {NO_CLASS} for none"
        )
