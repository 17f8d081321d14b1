"""Brightness and contrast at once, in either order (Li et al., arXiv 2002.12398).

Their radius follows in two steps, of which each gives something away; this one is that of the
lemma of Neyman and Pearson for both parameters together (:mod:`rsonnx.noise.affine`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.affine import brightness_radius, rest_for
from rsonnx.noise.differential import settled
from rsonnx.noise.laws.contrast import exp
from rsonnx.noise.norms import Norm
from rsonnx.noise.options import option
from rsonnx.noise.scale import check_scale
from rsonnx.noise.transformed import Changed
from rsonnx.scalars import as_float, in_full
from rsonnx.statistics import scale_down

_MOST = 3
"""A factor of e^3 leaves nothing to see."""


@dataclass(frozen=True)
class BrightnessContrast(Changed):
    """e^k·(x + b) with independent k and b of N(0, ·), the same for all values, and no clipping.

    Attributes:
        sigma: standard deviation of b, > 0, in the units of the input.
        contrast: K <= 3: a radius is the |b| up to which the answer stands for all |k| <= K.
        sigma_contrast: standard deviation of k, > 0, at most 3 and 100·K; None for that of b.
        norm: brightness-contrast, that is |b|.
    """

    sigma: float
    contrast: float = field(metadata=option("K", "largest change of contrast, as a logarithm"))
    sigma_contrast: float | None = field(
        default=None, metadata=option("S", "standard deviation of the contrast, as a logarithm")
    )
    norm: str = "brightness-contrast"

    name: ClassVar[str] = "brightness-contrast"
    norms: ClassVar[tuple[str, ...]] = ("brightness-contrast",)

    def __post_init__(self) -> None:
        self._check_norm()
        sigma = check_scale("sigma", self.sigma)
        spread = sigma if self.sigma_contrast is None else self.sigma_contrast
        spread, contrast = as_float(spread), as_float(self.contrast)
        if not 0 < spread <= _MOST:
            raise UsageError(
                f"sigma_contrast is {spread:g}, but the deviation of a logarithm, above 0 and at "
                f"most {_MOST}, was expected; give it behind the noise's name"
            )
        if not spread / 100 <= contrast <= _MOST:
            raise UsageError(
                f"contrast is {contrast:g}, but a logarithm from {spread / 100:g}, a hundredth of "
                f"sigma_contrast, to {_MOST} was expected; for none at all use brightness noise"
            )
        self._settle(sigma=sigma, contrast=contrast, sigma_contrast=spread)

    @property
    def deviation(self) -> float:
        """Standard deviation of b."""
        return self.sigma

    @property
    def settings(self) -> str:
        """``sigma = 0.3, contrast = 0.1``."""
        return f"sigma = {self.sigma:g}, contrast = {self.contrast:g}"

    @property
    def measure(self) -> Norm:
        """What is known of the norm, with the contrasts that are allowed."""
        k, norm = in_full(self.contrast), super().measure
        within, covers = (text.replace("e^K", f"e^{k}") for text in (norm.within, norm.covers))
        return replace(
            norm, within=within.replace("e^-K", f"e^-{k}"), covers=covers.replace("e^-K", f"e^-{k}")
        )

    def units(self, low: float, high: float) -> str:
        """Return the units of b, with the contrasts that are allowed."""
        least = f"e^-{in_full(self.contrast)}"
        return f"{super().units(low, high)}, at factors between {least} and its inverse"

    @property
    def agreement(self) -> float:
        """It moves probabilities by 1e-13 at most, of the 1e-12 that is left for errors."""
        return 2.0**-46

    def radius(self, p_a_lower: float) -> float:
        """Return the largest |b| for all |k| <= K and both orders, rounded down."""
        return self.radius_between(p_a_lower, 1 - p_a_lower) if p_a_lower > 0.5 else 0.0

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the same from both bounds, rounded down; 0 unless p_A > p_B."""
        if not p_a_lower > p_b_upper:
            return 0.0
        radius = brightness_radius(self._spread, self.contrast, 1 - p_a_lower, p_b_upper)
        return max(0.0, scale_down(radius, self.sigma))

    def probability_for(self, radius: float) -> float:
        """Return a p_A in (1/2, 1] at which :meth:`radius` is at least ``radius`` > 0; else 1."""
        rest = rest_for(self._spread, self.contrast, radius / self.sigma * (1 + 1e-6))
        return settled(self.radius, 1 - rest, radius)

    def draw(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return (k, b) of so many samples, (samples, 2)."""
        return generator.standard_normal(2 * samples).reshape(-1, 2) * (self._spread, self.sigma)

    def change(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return (samples, \\*shape)."""
        k, b = (column.reshape(-1, *[1] * x.ndim) for column in parameters.T)
        changed: NDArray[np.float64] = (x + b) * exp(k.ravel()).reshape(k.shape)
        return changed

    @property
    def _spread(self) -> float:
        """Standard deviation of k."""
        return self.sigma if self.sigma_contrast is None else self.sigma_contrast
