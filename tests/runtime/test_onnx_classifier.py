from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx.errors import InferenceError
from rsonnx.runtime import BaseClassifier, OnnxClassifier


class FakeSession:
    """Answers the first value of each row, and keeps the batches it was given."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.batches: list[NDArray[np.float32]] = []

    def run(self, output: str, name: str, batch: NDArray[np.float32]) -> NDArray[Any]:
        assert (output, name) == ("label", "in")
        self.batches.append(batch.copy())
        return np.asarray(batch[:, 0], np.int64) if self.answer is None else self.answer


def classifier(session: FakeSession, copies: int | None) -> OnnxClassifier:
    return OnnxClassifier(
        session,  # type: ignore[arg-type]
        input_name="in",
        label_name="label",
        num_classes=10,
        shape=(2,),
        bounds=(0.0, 1.0),
        layout=None,
        batch_size=copies,
        on_cpu=True,
        facts={},
        rows="proved" if copies is None else "alone",
        score_name="scores",
        agree=lambda *_: False,
    )


def rows(count: int) -> NDArray[np.float32]:
    return np.repeat(np.arange(count, dtype=np.float32)[:, None], 2, axis=1)


def test_it_is_a_base_classifier() -> None:
    assert isinstance(classifier(FakeSession(), None), BaseClassifier)
    assert not isinstance(object(), BaseClassifier)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("copies", [1, 3])
def test_a_row_that_runs_alone_has_no_companions_but_copies(copies: int, count: int) -> None:
    session = FakeSession()
    labels = classifier(session, copies).classify(rows(count))
    assert labels.tolist() == list(range(count))
    assert [batch[:, 0].tolist() for batch in session.batches] == [
        [float(row)] * copies for row in range(count)
    ]


def test_a_free_batch_is_run_at_once() -> None:
    session = FakeSession()
    assert classifier(session, None).classify(rows(7)).tolist() == list(range(7))
    assert [len(b) for b in session.batches] == [7]


@pytest.mark.parametrize("copies", [None, 3])
@pytest.mark.parametrize("shape", [(), (2,), (1, 3), (3, 1), (3, 10)])
def test_other_than_one_label_a_row_is_an_error(copies: int | None, shape: tuple[int, ...]) -> None:
    session = FakeSession(np.zeros(shape, np.int64))
    with pytest.raises(InferenceError):
        classifier(session, copies).classify(rows(3))
