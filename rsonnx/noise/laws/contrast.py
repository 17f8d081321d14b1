"""Contrast: all values are multiplied by one number (Li et al., arXiv 2002.12398)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.transformed import Changed, GaussianTransformation


@dataclass(frozen=True)
class Contrast(Changed, GaussianTransformation):
    """e^k·x with one k of N(0, sigma²) a sample, the same for all values, and no clipping.

    Attributes:
        sigma: standard deviation of k, > 0.
        norm: contrast, that is |k|.
    """

    norm: str = "contrast"

    name: ClassVar[str] = "contrast"
    norms: ClassVar[tuple[str, ...]] = ("contrast",)

    def draw(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return e^k of so many samples."""
        return exp(self.sigma * generator.standard_normal(samples))

    def change(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (samples, \\*shape)."""
        return np.multiply.outer(parameters, x)


def exp(exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e to the power of each, by the C library: numpy's own depends on the processor."""
    with np.errstate(over="ignore"):
        return np.array([math.exp(k) if k < 709 else math.inf for k in exponents.tolist()])
