"""Random ablation: the classifier sees a few pixels of an image, drawn anew for every sample (l0).

Levine and Feizi, "Robustness certificates for sparse adversarial attacks by randomized ablation",
arXiv 1911.09272.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.arguments import check_choice
from rsonnx.errors import UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.law import SampledNoise
from rsonnx.noise.options import option
from rsonnx.noise.pairs import AXES, PairedNoise
from rsonnx.noise.philox import SETTLE, bits, raw_words
from rsonnx.noise.regions import double_above
from rsonnx.noise.scale import check_whole, needed_size

_TILE = 1 << 17
"""Features drawn at a time: what is computed on the way stays in a core's nearer caches."""


@dataclass(frozen=True)
class Ablation(PairedNoise, SampledNoise):
    """Exactly k of the d features are kept, every choice alike, and the others are ablated.

    A feature is a pixel with all its channels, or a value of an input of one axis.

    The theorem: let x' differ from x in ρ features. The samples of both are the same wherever none
    of the ρ is kept, so that the answers differ with probability at most
    Δ(ρ) = 1 - C(d - ρ, k)/C(d, k). So p_A(x') >= p_A(x) - Δ, and A remains the answer while
    p_A - Δ > 1/2. And 1[f = A] - 1[f = B] falls by at most 2 where the answers differ, so that
    p_A(x') - p_B(x') >= p_A - p_B - 2Δ, and A remains the answer while p_A - p_B > 2Δ for every B.

    The radius is the largest ρ of which that is true: the answer is the same whichever of up to ρ
    features are changed, and however. It is a whole number, and no rounding enters it.

    Attributes:
        keep: k, 1..d - 1.
        channels: C, the values of a feature, >= 1.
        layout: where the channels of an image are, ``"NCHW"`` or ``"NHWC"``; None for inputs of one
            axis, whose features are its values: a sample of one is twice as long.
        norm: l0.
        size: d·C, the values of an input.
    """

    keep: int = field(metadata=option("K", "features that are kept"))
    channels: int = field(default=1, metadata=option("C", "channels of the images"))
    layout: str | None = None
    norm: str = "l0"
    size: int | None = None

    name: ClassVar[str] = "ablation"
    norms: ClassVar[tuple[str, ...]] = ("l0",)
    shows: ClassVar[str] = "a few pixels"

    def __post_init__(self) -> None:
        self._check_norm()
        size = needed_size(self.size)
        channels = check_whole("channels", self.channels, size, "the channels of an image")
        if self.layout is not None:
            check_choice("the layout", self.layout, AXES)
        elif channels != 1:
            raise UsageError(
                f"no layout was given, but {' or '.join(AXES)} was expected for inputs of "
                f"{channels} channels"
            )
        if size % channels or size == channels:
            raise UsageError(
                f"inputs have {size} values, but at least two features of {channels} channels were "
                "expected; give the channels of the image"
            )
        keep = check_whole(
            "keep", self.keep, size // channels - 1,
            f"how many of {size // channels} features are kept (45 of 784 is usual for MNIST)",
        )  # fmt: skip
        self._settle(size=size, channels=channels, keep=keep)

    @classmethod
    def from_model(cls, shape: tuple[int, ...], layout: str | None) -> dict[str, Any]:
        """Return layout, channels and size, half of what the model takes; see :class:`Law`."""
        values, odd = divmod(math.prod(shape), 2)
        if odd:
            raise UsageError(
                f"the classifier takes {math.prod(shape)} values, but an even number was expected, "
                "x and 1 - x of each; use a classifier made for ablation"
            )
        if len(shape) != 3:
            return {"layout": None, "size": values}
        own = super().from_model(shape, layout)
        return own | {"channels": max(1, shape[AXES[own["layout"]]] // 2), "size": values}

    @property
    def features(self) -> int:
        """d, the features of an input."""
        return needed_size(self.size) // self.channels

    @property
    def deviation(self) -> None:
        """Ablation has none."""

    @property
    def settings(self) -> str:
        """``keep = 45 of 784``."""
        return f"keep = {self.keep} of {self.features}"

    def units(self, low: float, high: float) -> str:
        """Return what a radius counts: pixels with all their channels, or single values."""
        return super().units(low, high) if self.layout is None else "pixels"

    def radius(self, p_a_lower: float) -> float:
        """Return the radius from a lower bound on p_A in [0, 1], a whole number of features."""
        return self._reach(Fraction(p_a_lower) - Fraction(1, 2)) if p_a_lower > 0.5 else 0.0

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the radius from bounds on p_A and on every other class, a whole number."""
        if p_a_lower <= p_b_upper:
            return 0.0
        return self._reach((Fraction(p_a_lower) - Fraction(p_b_upper)) / 2)

    def probability_for(self, radius: float) -> float:
        """Return the smallest p_A in (1/2, 1] at which :meth:`radius` is ``radius`` > 0; else 1."""
        if not radius <= self.features - self.keep:
            return 1.0
        unseen = _unseen(self.features, self.keep, max(1, math.ceil(radius)))
        return min(1.0, double_above(Fraction(3, 2) - unseen))

    def _reach(self, margin: Fraction) -> float:
        """Return the largest ρ with Δ(ρ) below ``margin`` > 0."""
        # A change of more than d - k features is seen by every sample: Δ = 1, and margin <= 1/2.
        further = range(1, self.features - self.keep + 1)
        return float(
            bisect_left(further, margin, key=lambda rho: 1 - _unseen(self.features, self.keep, rho))
        )

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse inputs of another layout or other channels."""
        super().check_shape(shape)
        if self.layout is not None and shape[self.axis] != self.channels:
            raise UsageError(
                f"inputs have the shape {list(shape)}, but {self.channels} channels "
                f"({self.layout}) were expected; give those of the images"
            )

    def open(self, place: Place) -> Drawing:
        """Return the choices of a block."""
        self.check_space(place.space)
        return _AblationBlock(self, place)


class _AblationBlock:
    """The choices of one block in their order, a function of (law, key, block) alone.

    Every feature of a sample draws a number of 32 bits, and those are kept that have the k
    smallest. Where the k-th smallest number is also the next one, the whole sample is drawn again,
    from the block's settling words. The numbers are exchangeable, and whether they are drawn again
    does not depend on which feature has which; so all choices are exactly alike.
    """

    def __init__(self, law: Ablation, place: Place) -> None:
        self._law, self._shape = law, place.space.shape
        self._words = bits(place.key, place.block)
        self._settling = bits(place.key, place.block, SETTLE)

    def draw(self, count: int) -> NDArray[np.bool_]:
        """Return which features are kept in the next samples, of ``count`` values together.

        Returns:
            bool (samples, d), with k True in every row.
        """
        law = self._law
        kept = np.empty((count // (law.features * law.channels), law.features), np.bool_)
        rows = max(1, _TILE // law.features)
        for at in range(0, len(kept), rows):
            self._choose(kept[at : at + rows])
        return kept

    def _choose(self, kept: NDArray[np.bool_]) -> None:
        self._rank(self._words, kept)
        wrong = np.count_nonzero(kept, axis=1) != self._law.keep
        for row in np.flatnonzero(wrong):
            while np.count_nonzero(kept[row]) != self._law.keep:
                self._rank(self._settling, kept[row : row + 1])

    def _rank(self, words: np.random.Philox, kept: NDArray[np.bool_]) -> None:
        """Mark what is not above the k-th smallest number of its row: more than k in a tie."""
        samples, features = kept.shape
        drawn = raw_words(words, samples * -(-features // 2)).astype("<u8", copy=False)
        numbers = drawn.view("<u4").reshape(samples, -1)[:, :features]
        last = self._law.keep - 1
        kth = np.partition(numbers, last, axis=1)[:, last : last + 1]
        np.less_equal(numbers, kth, out=kept)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples, encoded; see :class:`Drawing`."""
        law = self._law
        last = law.layout == "NHWC"
        encoded = law.encoded(base.reshape(self._shape), divisor)
        encoded = encoded.reshape((-1, 2 * law.channels) if last else (2 * law.channels, -1))
        samples = out.reshape(len(out), *encoded.shape)
        rows = max(1, _TILE // law.features)
        for at in range(0, len(out), rows):
            part = samples[at : at + rows]
            kept = self.draw(len(part) * law.features * law.channels)
            # All bits of a kept value or none: an ablated -0.0 would tell what was there.
            mask = np.negative(kept.view(np.int8)).astype(np.int32)
            mask = mask[:, :, np.newaxis] if last else mask[:, np.newaxis, :]
            np.bitwise_and(encoded.view(np.int32), mask, out=part.view(np.int32))


@lru_cache(maxsize=4096)
def _unseen(features: int, keep: int, changed: int) -> Fraction:
    """Return C(d - ρ, k)/C(d, k), the chance that none of ρ <= d - k changed features is kept."""
    # C(d - ρ, k)/C(d, k) = C(d - k, ρ)/C(d, ρ), whichever has the smaller numbers.
    few, many = sorted((keep, changed))
    return Fraction(math.comb(features - many, few), math.comb(features, few))
