"""Classifiers whose smoothed version is known in closed form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class HalfSpace:
    """Class 1 where the mean direction exceeds the offset; inputs of ``size`` values."""

    size: int
    offset: float
    shape: tuple[int, ...] = ()
    bounds: tuple[float, float] = (-np.inf, np.inf)
    num_classes: int = 2

    def __post_init__(self) -> None:
        self.shape = (self.size,)

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        along = batch.astype(np.float64).sum(axis=1) / np.sqrt(self.size)
        return (along > self.offset).astype(np.int64)
