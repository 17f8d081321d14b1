"""Base classifiers: what the engine needs of one, and the one that is an ONNX model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import MOST_CLASSES, NO_CLASS
from rsonnx.errors import InferenceError, RsonnxError
from rsonnx.runtime.session import Session


@runtime_checkable
class BaseClassifier(Protocol):
    """A deterministic function of one input, evaluated in batches.

    Beyond :meth:`classify` these attributes are read where they exist: ``num_classes``, ``shape``,
    ``bounds`` and ``layout`` (see :class:`OnnxClassifier`), and ``thread_safe``, which says that
    several threads may call at once.
    """

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return a label a row, >= 0, or -1 for an answer that is no class.

        Args:
            batch: float32 (rows, \\*shape). It is reused: do not keep it.
        """


def checked_labels(classifier: BaseClassifier, batch: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a classifier's labels for a batch, int64 (rows,), in an array of their own.

    Raises:
        InferenceError: the classifier failed, or answered something that is no label a row.
    """
    try:
        labels = np.asarray(classifier.classify(batch))
    except RsonnxError:
        raise
    except Exception as error:  # a caller's own function may raise anything
        raise InferenceError(
            f"the classifier failed on a batch of shape {list(batch.shape)} with "
            f"{type(error).__name__}: {error}"
        ) from error
    if labels.shape != (len(batch),) or not np.issubdtype(labels.dtype, np.integer):
        raise InferenceError(
            f"the classifier answered an array of shape {list(labels.shape)} and type "
            f"{labels.dtype} for a batch of {len(batch)}, but one integer label a row was expected"
        )
    classes = getattr(classifier, "num_classes", None)
    low, high = int(labels.min()), int(labels.max())
    if low < NO_CLASS or high >= (MOST_CLASSES if classes is None else classes):
        raise InferenceError(
            f"the classifier answered the label {low if low < NO_CLASS else high}, but it has "
            f"{classes or 'some'} classes, numbered from 0, and {NO_CLASS} for none"
        )
    return labels.astype(np.int64)  # a copy: the classifier may answer in a buffer of its own


@dataclass(frozen=True)
class Geometry:
    """How an image is brought to the model's size before the noise; all None leaves it as it is.

    Attributes:
        resize: length of the shorter side, or (height, width), in pixels.
        crop: (height, width) that are cut out of the middle.
        interpolation: the filter for resizing.
    """

    resize: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    interpolation: str = "bilinear"


_AS_IT_IS = Geometry()


class OnnxClassifier:
    """An ONNX model that answers labels.

    Attributes:
        num_classes: classes that it tells apart; None where the file does not say.
        class_names: what the file calls them, in order; empty where it does not.
        shape: of one input, without the batch axis.
        bounds: lowest and highest value of an input: the units of sigma and of the radius.
        layout: ``"NCHW"``, ``"NHWC"`` or None.
        geometry: what is done to an image before the noise.
        batch_size: the only batch size at which the model runs, None where any will do.
        session: the model, open.
        input_name, label_name: names of the input and of the labels in ``session``.
        device: what draws noise and counts labels where the model runs; None for the host.
        facts: what was found and done while loading, for a run's header.
    """

    thread_safe = True

    def __init__(
        self,
        session: Session,
        *,
        input_name: str,
        label_name: str,
        num_classes: int | None,
        shape: tuple[int, ...],
        bounds: tuple[float, float],
        layout: str | None,
        batch_size: int | None,
        on_cpu: bool,
        facts: dict[str, Any],
        class_names: tuple[str, ...] = (),
        geometry: Geometry = _AS_IT_IS,
        device: Any = None,
    ) -> None:
        self.session = session
        self.input_name = input_name
        self.label_name = label_name
        self.device = device
        self.num_classes = num_classes
        self.class_names = class_names
        self.shape = shape
        self.bounds = bounds
        self.layout = layout
        self.geometry = geometry
        self.batch_size = batch_size
        self.on_cpu = on_cpu
        self.facts = facts

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the label of each row, int64 (rows,); -1 for no class.

        Args:
            batch: float32 (rows, \\*shape), in the units of ``bounds``.

        Raises:
            InferenceError: the model failed, or gave something other than one label a row.
        """
        if self.batch_size is None:
            return self._run(batch)
        size = self.batch_size
        parts = [self._run_fixed(batch[i : i + size], size) for i in range(0, len(batch), size)]
        return np.concatenate(parts)

    def _run_fixed(self, rows: NDArray[np.float32], size: int) -> NDArray[np.int64]:
        if len(rows) == size:
            return self._run(rows)
        filled = np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
        return self._run(filled)[: len(rows)]

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        labels = self.session.run(self.label_name, self.input_name, batch)
        if labels.shape != (len(batch),):
            raise InferenceError(
                f"the model gave labels of shape {list(labels.shape)} for a batch of {len(batch)}, "
                "but one label a row was expected"
            )
        return labels.astype(np.int64, copy=False)
