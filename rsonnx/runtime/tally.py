"""Counts of many requests, that several threads add to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.runtime.ranges import CountRequest, Span

Progress = Callable[[int], None]
"""Called with the number of samples that have been counted since the last call."""


class Tally:
    """What was answered to each of some requests.

    Args:
        requests: whose samples are counted.
        num_classes: of the classifier; 0 where it does not say how many it has.
        progress: hears of samples that were counted.

    Attributes:
        requests: as given.
    """

    def __init__(
        self, requests: Sequence[CountRequest], num_classes: int, progress: Progress | None
    ) -> None:
        self.requests = requests
        # Bin 0 is for no class.
        self._bins = np.zeros((len(requests), num_classes + 1), np.int64)
        self._watched = np.zeros((len(requests), 2), np.int64)
        self._progress = progress
        self._lock = threading.Lock()

    @property
    def counts(self) -> list[Counts]:
        """What was counted for each request."""
        return Counts.of_tallies(self._bins, self._watched)

    def add(
        self,
        part: Sequence[Span],
        labels: NDArray[np.int64],
        watched: Sequence[tuple[int, int]],
    ) -> None:
        """Add the labels of spans, one behind the other, and their watched rows and near ties.

        Args:
            part: the spans.
            labels: int64 (samples,), >= 0 or ``NO_CLASS``.
            watched: of each span; empty where no row is watched.
        """
        bins = labels + 1
        width = max(self._bins.shape[1], 1 + int(bins.max()))
        lengths = [len(span) for span in part]
        bins += width * np.repeat(np.arange(len(part)), lengths)
        added = np.bincount(bins, minlength=width * len(part)).reshape(len(part), width)
        owners = [span.request for span in part]
        with self._lock:
            missing = width - self._bins.shape[1]
            if missing > 0:  # of a classifier that does not say how many classes it has
                self._bins = np.pad(self._bins, ((0, 0), (0, missing)))
            # A request may have several spans in a part; another thread may have made more room.
            np.add.at(self._bins[:, :width], owners, added)
            if watched:
                np.add.at(self._watched, owners, watched)
            if self._progress is not None:
                self._progress(len(labels))
