"""Counts that several threads add to."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.runtime.ranges import CountRequest, Span
from rsonnx.runtime.tally import Tally

LABELS = st.lists(st.integers(-1, 5), min_size=1, max_size=20)
PARTS = st.lists(st.lists(st.tuples(st.integers(0, 3), LABELS), min_size=1, max_size=6), max_size=5)


@given(PARTS, st.sampled_from([0, 6]))
def test_each_request_gets_the_labels_of_its_spans(
    parts: list[list[tuple[int, list[int]]]], num_classes: int
) -> None:
    """A request may have several spans in a part, and a classifier need not name its classes."""
    heard: list[int] = []
    requests = [CountRequest(cast(Any, None), 0, 1)] * 4
    tally = Tally(requests, num_classes, heard.append)
    expected: list[list[int]] = [[] for _ in requests]
    rows = np.zeros((4, 2), np.int64)
    for part in parts:
        spans = [Span(request, 7, 7 + len(labels)) for request, labels in part]
        watched = [(len(labels), request) for request, labels in part]
        for (request, labels), seen in zip(part, watched, strict=True):
            expected[request] += labels
            rows[request] += seen
        tally.add(spans, _joined(part), watched)
    assert tally.counts == [
        Counts(np.bincount([k for k in labels if k >= 0], minlength=1), labels.count(-1), *seen)
        for labels, seen in zip(expected, rows.tolist(), strict=True)
    ]
    assert sum(heard) == sum(map(len, expected))


def _joined(part: list[tuple[int, list[int]]]) -> NDArray[np.int64]:
    return np.concatenate([np.array(labels, np.int64) for _, labels in part])
