"""The base classifier that is an ONNX model in a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pickle import PicklingError
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Form
from rsonnx.columns import Column
from rsonnx.errors import (
    CouplingError,
    InferenceError,
    ModelError,
    ProviderError,
    UsageError,
)
from rsonnx.runtime.origin import Origin
from rsonnx.runtime.session import Session

TF32_UNIT = 2.0**-10
"""Relative rounding of a product with TF32, which keeps 10 bits of float32's 23."""

CONFIRMED_ROWS = 8
"""Rows whose labels in a large batch are compared with those in a small one: that of the probes on
which a model was tried when it was loaded, and found to answer each row as it does alone."""


class ScoreTolerance(Protocol):
    """How far rounding may move the scores of a model, arrays of (rows, classes)."""

    def agree(self, alone: NDArray[Any], together: NDArray[Any]) -> bool:
        """Return whether two arrays of scores are the same but for rounding."""

    def near_ties(self, scores: NDArray[Any], unit: float = 0.0) -> NDArray[np.bool_]:
        """Return for each row whether rounding, relative to ``unit`` or coarser, may decide it."""


@dataclass(frozen=True)
class Geometry:
    """How an image is brought to the model's size before the noise; all None leaves it as it is.

    Attributes:
        resize: length of the shorter side, or (height, width), in pixels.
        crop: (height, width) that are cut out of the middle.
        interpolation: the filter for resizing.
        center: ``"round"`` or ``"floor"``: how half of an odd margin is rounded.
    """

    resize: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    interpolation: str = "bilinear"
    center: str = "round"


@dataclass(frozen=True)
class Pace:
    """How long a call takes, as probes show.

    Attributes:
        first: seconds of one row.
        more: seconds of every further row.
    """

    first: float
    more: float

    @classmethod
    def of(cls, one: float, several: float, rows: int) -> Pace:
        """Return the pace at which one row and several took so many seconds."""
        return cls(min(one, several), max(0.0, several - one) / max(1, rows - 1))

    def seconds(self, rows: int) -> float:
        """Return the seconds of a call of so many rows."""
        return self.first + self.more * (rows - 1)

    def most_rows(self, seconds: float) -> int:
        """Return how many rows a call should have at most, at least 1, to end in about a time.

        Where further rows cost little a call may take four times as long as that of one row.
        """
        if self.more < self.first / 2:
            seconds = max(seconds, 4 * self.first)
        return 1 + int(max(0.0, seconds - self.first) / max(self.more, 1e-9))


@dataclass(eq=False, repr=False)
class OnnxClassifier:
    """An ONNX model that answers labels; it pickles by its origin, and is loaded again elsewhere.

    Attributes:
        session: the model, open.
        input_name, label_name, score_name: names of the input, of the labels and of the scores in
            ``session``.
        num_classes: classes that it tells apart; None where the file does not say.
        shape: of one input, without the batch axis.
        bounds: lowest and highest value of an input: the units of sigma and of the radius.
        layout: ``"NCHW"``, ``"NHWC"`` or None.
        batch_size: the only batch size at which the model runs, None where any will do.
        codes: whether it takes codes: whole numbers between the bounds, which noise on codes gives.
        columns: what the values of an input are, where they are columns of a table; else empty.
        read_form: reads it to a form whose class probabilities follow by calculation.
        pace: how long its calls take.
        most_rows: most rows of a batch, None where any will do: larger tensors than a device's
            kernels can count come of more.
        on_cpu: whether it runs on the processor.
        facts: what was found and done while loading, for a run's header.
        rows: why a row's answer does not depend on its batch: ``"proved"`` from the graph;
            ``"alone"``, with no companions but copies of itself; ``"watched"``, which assumes it.
        tolerance: what of its scores is rounding.
        class_names: what the file calls the classes, in order; empty where it does not.
        geometry: what is done to an image before the noise.
        device: what draws noise and counts labels where the model runs; None for the host.
        origin: what it was made of; None where it cannot be made again.
    """

    session: Session
    input_name: str
    label_name: str
    score_name: str
    num_classes: int | None
    shape: tuple[int, ...]
    bounds: tuple[float, float]
    layout: str | None
    batch_size: int | None
    on_cpu: bool
    facts: dict[str, Any]
    rows: Literal["proved", "alone", "watched"]
    tolerance: ScoreTolerance
    class_names: tuple[str, ...] = ()
    geometry: Geometry = Geometry()
    device: Any = None
    origin: Origin | None = None
    most_rows: int | None = None
    codes: bool = False
    columns: tuple[Column, ...] = ()
    read_form: Callable[[], Form] | None = None
    pace: Pace | None = None
    _form: Form | None = field(init=False, default=None)

    thread_safe: ClassVar[bool] = True

    def __repr__(self) -> str:
        provider = self.session.providers[0]
        return f"<{self.session.name}: {self.num_classes} classes, {self.shape}, {provider}>"

    def __reduce__(self) -> tuple[Callable[[], OnnxClassifier], tuple[()]]:
        if self.origin is None:
            raise PicklingError("the classifier was not loaded from a model, so it cannot travel")
        return self.origin.classifier, ()

    @property
    def elsewhere(self) -> Origin:
        """What it is made of again in another process.

        Raises:
            UsageError: it was not loaded from a file.
        """
        if self.origin is None:
            raise UsageError(
                "the model was not loaded from a file, so no other process can load it"
            )
        return self.origin

    def form(self) -> Form:
        """Return the model as a form whose class probabilities follow by calculation.

        Raises:
            ModelError: it is none that is known.
        """
        if self._form is None:
            if self.read_form is None:
                raise ModelError("the model was not loaded from a file, so it is read to no form")
            self._form = self.read_form()
        return self._form

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the label of each row, int64 (rows,); -1 for an answer that is no class.

        Args:
            batch: float32 (rows, \\*shape), in the units of ``bounds``.

        Raises:
            InferenceError: the model failed, or gave something other than one label a row.
        """
        (labels,) = self._answers([self.label_name], batch)
        return self._checked(labels, batch)

    def _checked(self, labels: NDArray[Any], batch: NDArray[np.float32]) -> NDArray[np.int64]:
        if labels.shape != (len(batch),):
            raise InferenceError(
                f"the model gave labels of shape {list(labels.shape)} for a batch of {len(batch)}, "
                "but one label a row was expected"
            )
        return labels.astype(np.int64, copy=False)

    def scores(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """Return the scores of each row, (rows, classes); arguments as for :meth:`classify`."""
        return self._answers([self.score_name], batch)[0]

    def answers(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the labels and the scores of one run; see :meth:`classify` and :meth:`scores`."""
        labels, scores = self._answers([self.label_name, self.score_name], batch)
        return self._checked(labels, batch), scores

    def near_ties(self, batch: NDArray[np.float32], unit: float = 0.0) -> NDArray[np.bool_]:
        """Return for each row whether a session that rounds otherwise may answer another class.

        Args:
            batch: as for :meth:`classify`.
            unit: relative rounding of that session; 0 for that of the model's own numbers.
        """
        return self.tolerance.near_ties(self.scores(batch), unit)

    def confirm(self, batch: int, rows: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Compare the labels that rows had in a large batch on a device with those in a small one.

        Rounding differs with the size of a batch, since kernels sum in another order or another
        algorithm is chosen. So a label may differ where the scores of both classes in the small
        batch are a near tie, by the tolerance under which the model was found to answer rows alike
        in batches of several sizes when it was loaded, and only there. What answers labels alone
        may not differ.

        Args:
            batch: how many rows the large one had.
            rows: its last rows, (at most CONFIRMED_ROWS, \\*shape).
            labels: what they were answered in it, int64 (rows,).

        Raises:
            ProviderError: a label differs by more than rounding.
        """
        alone = self.classify(rows)
        differing = np.flatnonzero(alone != labels).tolist()
        if not differing:
            return
        scores = self.scores(rows)
        for k in differing:
            if not self._nearly_tied(scores[k], int(alone[k]), int(labels[k])):
                raise ProviderError(
                    f"{self.session.name} answered {labels[k]} to a row of a batch of {batch}, but "
                    f"{alone[k]} in one of {len(rows)}: the device or its driver computes wrongly; "
                    "use a smaller --batch-size, or --providers cpu"
                )

    def _nearly_tied(self, scores: NDArray[Any], first: int, second: int) -> bool:
        """Return whether rounding on this session may answer either of two labels to a row."""
        if not (0 <= first < len(scores) and 0 <= second < len(scores)):
            return False
        unit = TF32_UNIT if self.session.device.tf32 else 0.0
        return bool(self.tolerance.near_ties(scores[None, [first, second]], unit)[0])

    @property
    def watch(self) -> Callable[[NDArray[np.float32], int, int], bool] | None:
        """What compares a row's answer in a batch with its answer alone; None if none is needed.

        It is given the batch, the row's place in it and the label that it had there, and says
        whether alone it has another by the rounding of scores. It raises CouplingError where it has
        another by more.
        """
        return self._watch if self.rows == "watched" else None

    def _watch(self, batch: NDArray[np.float32], place: int, label: int) -> bool:
        alone = int(self._alone([self.label_name], batch[place])[0][0])
        if alone == label:
            return False
        (scores,) = self._alone([self.score_name], batch[place])
        if self.tolerance.agree(scores, self.scores(batch)[place][None]):
            return True
        raise CouplingError(
            f"{self.session.name} answered class {label} to a noisy input in a batch and {alone} "
            "to the same input alone, so its rows depend on each other: it is no function of one "
            "input, and nothing that was certified of it in batches holds; certify it without "
            "--rows watched, one input at a time"
        )

    def _answers(self, outputs: Sequence[str], batch: NDArray[np.float32]) -> list[NDArray[Any]]:
        if self.rows == "alone":
            rows = [self._alone(outputs, row) for row in batch]
            return [np.concatenate(answers) for answers in zip(*rows, strict=True)]
        return self.session.run_all(outputs, self.input_name, batch)

    def _alone(self, outputs: Sequence[str], row: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Return what one row is answered, in a batch of nothing but copies of it."""
        copies = np.repeat(row[None], self.batch_size or 1, axis=0)
        answers = self.session.run_all(outputs, self.input_name, copies)
        for answer in answers:
            if answer.shape[:1] != (len(copies),):
                raise InferenceError(
                    f"the model gave answers of shape {list(answer.shape)} to a batch of "
                    f"{len(copies)}, but one a row was expected"
                )
        return [answer[:1] for answer in answers]
