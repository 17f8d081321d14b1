from __future__ import annotations

import contextlib
import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx.errors import InferenceError, ProviderError
from rsonnx.model.probe import Tolerance
from rsonnx.runtime import BaseClassifier, DeviceOptions, OnnxClassifier


class FakeSession:
    """Answers the first value of each row, and keeps the batches it was given."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.batches: list[list[float]] = []

    def run(self, output: str, name: str, batch: NDArray[np.float32]) -> NDArray[Any]:
        assert (output, name) == ("label", "in")
        self.batches.append(batch[:, 0].tolist())
        return np.asarray(batch[:, 0], np.int64) if self.answer is None else self.answer

    def run_all(self, outputs: Any, name: str, batch: NDArray[np.float32]) -> list[NDArray[Any]]:
        return [self.run(output, name, batch) for output in outputs]


def classifier(session: Any, copies: int | None) -> OnnxClassifier:
    return OnnxClassifier(
        session,
        input_name="in",
        label_name="label",
        score_name="scores",
        num_classes=10,
        shape=(2,),
        bounds=(0.0, 1.0),
        layout=None,
        batch_size=copies,
        on_cpu=True,
        facts={},
        rows="proved" if copies is None else "alone",
        tolerance=Tolerance(usual_gap=1.0, unit=2.0**-23),
    )


def rows(count: int) -> NDArray[np.float32]:
    return np.repeat(np.arange(count, dtype=np.float32)[:, None], 2, axis=1)


@pytest.mark.parametrize("count", [1, 4, 7])
@pytest.mark.parametrize("copies", [None, 1, 3])
def test_a_row_that_runs_alone_has_no_companions_but_copies(copies: int | None, count: int) -> None:
    session, alone = FakeSession(), [[float(row)] * (copies or 0) for row in range(count)]
    assert classifier(session, copies).classify(rows(count)).tolist() == list(range(count))
    assert session.batches == ([list(range(count))] if copies is None else alone)


@pytest.mark.parametrize("copies", [None, 3])
@pytest.mark.parametrize("shape", [(), (2,), (1, 3), (3, 1), (3, 10)])
def test_other_than_one_label_a_row_is_an_error(copies: int | None, shape: tuple[int, ...]) -> None:
    with pytest.raises(InferenceError):
        classifier(FakeSession(np.zeros(shape, np.int64)), copies).classify(rows(3))


def test_it_is_a_base_classifier() -> None:
    assert isinstance(classifier(FakeSession(), None), BaseClassifier)
    assert not isinstance(object(), BaseClassifier)


class Scores:
    """A session that answers its input as scores, or their labels."""

    name, device = "a.onnx", DeviceOptions()

    def run(self, output: str, name: str, batch: NDArray[np.float32]) -> NDArray[Any]:
        wrong = ~np.isfinite(batch).all(axis=1)
        return batch if output == "scores" else np.where(wrong, -1, batch.argmax(axis=1))

    def run_all(self, outputs: Any, name: str, batch: NDArray[np.float32]) -> list[NDArray[Any]]:
        return [self.run(output, name, batch) for output in outputs]


ROWS = np.array([[1, 1 - 1e-6, 0], [1 - 1e-6, 1, 0], [np.nan, 1, 0], [2, 0, 1]], np.float32)
"""Two ties of the first two classes, which are answered 0 and 1, no class, and 0."""


def test_a_label_may_be_another_by_a_near_tie_of_these_two_classes() -> None:
    """Not by one of two others: a stale label of a third class is no rounding."""
    made, harmless = classifier(Scores(), None), ({0, 1}, {0, 1}, {-1}, {0})
    for labels in itertools.product(range(-1, 4), repeat=4):
        may = all(label in allowed for label, allowed in zip(labels, harmless, strict=True))
        with contextlib.nullcontext() if may else pytest.raises(ProviderError, match="1000"):
            made.confirm(1_000, ROWS, np.array(labels))
