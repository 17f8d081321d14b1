"""Functions between sums and a label: onnxruntime keeps sums in order that are apart enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from closed_models import closed_model
from numpy.typing import NDArray
from onnx_models import parsed

RESOLUTION = np.float32(2.0**-18)


def run(text: str, rows: NDArray[np.float32]) -> NDArray[Any]:
    proto = closed_model(parsed(text), rows.shape[1], "scores", {"one": np.ones(1, np.float32)})
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"x": rows})[0])


def pairs(reach: float) -> NDArray[np.float32]:
    """Rows of two sums, of which the second is larger by the resolution and little more."""
    first = np.random.default_rng(0).uniform(-reach, reach, 200_000).astype(np.float32)
    first = np.concatenate([first, first * np.float32(1e-4)])
    second = np.nextafter(first + RESOLUTION, np.float32(np.inf))
    return np.stack([first, second], axis=1)


@pytest.mark.parametrize(
    ("text", "reach"),
    [("scores = Exp(x)", 40), ("scores = Softmax<axis=1>(x)", 1000)],
)
def test_the_larger_of_two_stays_larger(text: str, reach: float) -> None:
    results = run(text, pairs(reach))
    assert (results[:, 1] > results[:, 0]).all()


def test_a_sigmoid_is_above_a_half_where_its_sum_is_above_0() -> None:
    sizes = RESOLUTION * np.exp(np.random.default_rng(0).uniform(0, 18, 200_000))
    sums = np.float32([*sizes, *-sizes, RESOLUTION, -RESOLUTION])[:, None]
    np.testing.assert_array_equal(run("scores = Sigmoid(x)", sums) > 0.5, sums > 0)
    both = run("p = Sigmoid(x); q = Sub(one, p); scores = Concat<axis=1>(q, p)", 2 * sums)
    np.testing.assert_array_equal(both.argmax(axis=1), sums[:, 0] > 0)


def test_logarithms_of_shares_stay_in_order_at_any_size() -> None:
    """What is taken off is as large as the sums, and so are the roundings that are allowed."""
    rows = pairs(1000)
    rows[:, 1] += 4 * np.float32(2.0**-24) * np.abs(rows).max(axis=1) + 2 * RESOLUTION
    results = run("scores = LogSoftmax<axis=1>(x)", rows)
    assert (results[:, 1] > results[:, 0]).all()
