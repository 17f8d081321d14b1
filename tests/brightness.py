"""A classifier that sees no more than how bright an input is, and an input for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx import SmoothedClassifier


class Brightness:
    """Class 1 where the mean of an input is above one half."""

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.asarray(batch.reshape(len(batch), -1).mean(axis=1) > 0.5, np.int64)


X = np.random.default_rng(1).integers(100, 200, (2, 3), np.uint8)  # means about .59
DRAW = {"n0": 50, "n": 1000}


def smooth(base: Any = None, sigma: float = 0.5, **options: Any) -> SmoothedClassifier:
    return SmoothedClassifier(base or Brightness(), sigma, **options)
