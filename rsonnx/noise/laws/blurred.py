"""Brightness or contrast of an input that may be blurred as well (Li et al., arXiv 2002.12398).

A blur keeps constants and factors, so that T_t(x + b) = T_t(x) + b and T_t(e^k·x) = e^k·T_t(x): in
whatever order, the variances add up and so do the others. Moved by a variance of at most T, an
exponential law of mean λ gives no event more than e^(T/λ) times its probability, and then the
Gaussian radius follows. It is tight: the ratio is the same wherever there is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.laws.beside import Beside, Brightened, Contrasted
from rsonnx.noise.laws.blur import Blur
from rsonnx.noise.laws.gaussian import Gaussian
from rsonnx.noise.options import option
from rsonnx.noise.scale import check_scale

_OUTWARD = 1 + 2.0**-48
"""For the rounding of an exponential and two products."""


@dataclass(frozen=True)
class _Blurred(Beside):
    """A blur of an exponential variance t, and one number of N(0, sigma²) that is independent.

    Attributes:
        sigma: standard deviation of the number, > 0.
        blur: T: a radius is that of the number up to which the answer stands for all t <= T.
        blur_lambda: λ, mean of t, in squared pixels.
        layout: where the channels are; None for images of two axes.
    """

    sigma: float
    blur: float = field(metadata=option("T", "largest variance of the blur, in squared pixels"))
    blur_lambda: float = field(metadata=option("L", "mean variance of the blur"))
    layout: str | None = None

    letter: ClassVar[str] = "T"
    other: ClassVar[str] = "blurs of variances up to {}"

    def __post_init__(self) -> None:
        self._check_norm()
        self._settle(
            sigma=check_scale("sigma", self.sigma),
            blur=check_scale("blur", self.blur),
            blur_lambda=check_scale("lambda", self.blur_lambda),
        )

    @property
    def most(self) -> float:
        """T."""
        return self.blur

    @property
    def settings(self) -> str:
        """``sigma = 0.3, blur = 1``."""
        return f"sigma = {self.sigma:g}, blur = {self.blur:g}"

    @property
    def agreement(self) -> float:
        """A quarter of the margin that both normal quantiles have."""
        return 2.0**-50

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return σ/2·(Φ⁻¹(1 - (1 - p_A)e^(T/λ)) - Φ⁻¹(p_B·e^(T/λ))), rounded down."""
        if self.blur > _MOST_GROWTH * self.blur_lambda:
            return 0.0
        growth = math.exp(self.blur / self.blur_lambda) * _OUTWARD
        not_a, b = ((1 - p_a_lower) * growth * _OUTWARD, p_b_upper * growth * _OUTWARD)
        if not not_a + b < 1:
            return 0.0
        return Gaussian(self.sigma).radius_between(math.nextafter(1 - not_a, 0), b)

    def draw(self, generator: np.random.Generator, samples: int) -> NDArray[np.float64]:
        """Return t and the number of so many samples, (samples, 2)."""
        drawn = generator.standard_normal(3 * samples).reshape(-1, 3)
        # Half of a sum of two squares is exponential.
        t = self.blur_lambda * (drawn[:, 0] ** 2 + drawn[:, 1] ** 2) / 2
        return np.stack([t, self.sigma * drawn[:, 2]], axis=1)

    def otherwise(
        self, x: NDArray[np.float64], parameters: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return an input, blurred by the variance of each sample."""
        return Blur(self.blur_lambda, self.layout).change(x, parameters[:, 0])


_MOST_GROWTH = 40
"""e to it times any 1 - p_A that is not 0 is above 1."""


@dataclass(frozen=True)
class BrightnessBlur(Brightened, _Blurred):
    """T_t(x) + b."""

    norm: str = "brightness-blur"

    name: ClassVar[str] = "brightness-blur"
    norms: ClassVar[tuple[str, ...]] = ("brightness-blur",)


@dataclass(frozen=True)
class ContrastBlur(Contrasted, _Blurred):
    """e^k·T_t(x)."""

    norm: str = "contrast-blur"

    name: ClassVar[str] = "contrast-blur"
    norms: ClassVar[tuple[str, ...]] = ("contrast-blur",)
