"""Random ablation: the classifier sees a few pixels of an image, drawn anew for every sample (l0).

Levine and Feizi, "Robustness certificates for sparse adversarial attacks by randomized ablation",
arXiv 1911.09272.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.law import SampledNoise
from rsonnx.noise.philox import SETTLE, bits, raw_words
from rsonnx.noise.regions import double_above
from rsonnx.noise.scale import needed_size
from rsonnx.noise.space import LEVELS, InputSpace, Point

_AXES = {"NCHW": 0, "NHWC": 2}

_TILE = 1 << 17
"""Features drawn at a time: what is computed on the way stays in a core's nearer caches."""


@dataclass(frozen=True)
class Ablation(SampledNoise):
    """Exactly k of the d features are kept, every choice alike, and the others are ablated.

    A feature is a pixel with all its channels, or a value of an input of one axis. What the
    classifier takes has every channel twice: a kept pixel is (x, 1 - x), an ablated one (0, 0), as
    the paper's models expect it. So the bounds of an input are (0, 1), a sample of an image of C
    channels has 2C, and a sample of one axis is twice as long: all x, then all 1 - x.

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
            axis, whose features are its values.
        norm: l0.
        size: d·C, the values of an input.
    """

    keep: int
    channels: int = 1
    layout: str | None = None
    norm: str = "l0"
    size: int | None = None

    name: ClassVar[str] = "ablation"
    norms: ClassVar[tuple[str, ...]] = ("l0",)
    additive: ClassVar[bool] = False
    two_sided: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check_norm()
        object.__setattr__(self, "size", needed_size(self.size))
        if self.layout not in (None, *_AXES):
            raise UsageError(
                f"the layout is {self.layout!r}, but {' or '.join(_AXES)}, or none for inputs of "
                "one axis, was expected"
            )
        channels = _check_whole("channels", self.channels, "the channels of an image, 1 or more,")
        object.__setattr__(self, "channels", channels)
        if self.layout is None and self.channels != 1:
            raise UsageError(
                f"features have {self.channels} channels, but no layout was given, and in inputs "
                "of one axis a feature is one value; declare the layout of the images"
            )
        if self._values % self.channels or self._values == self.channels:
            raise UsageError(
                f"inputs have {self._values} values, but features of {self.channels} channels each "
                "were expected, at least two of them; give the channels of the image"
            )
        keep = _check_whole("keep", self.keep, f"a whole number from 1 to {self.features - 1}")
        object.__setattr__(self, "keep", keep)
        if self.keep >= self.features:
            raise UsageError(
                f"keep is {self.keep}, but inputs have {self.features} features and at least one "
                f"must be ablated; keep 1 to {self.features - 1} (45 of 784 is usual for MNIST)"
            )

    @property
    def _values(self) -> int:
        return needed_size(self.size)

    @property
    def features(self) -> int:
        """d, the features of an input."""
        return self._values // self.channels

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
        if p_a_lower <= 0.5:
            return 0.0
        return self._reach(Fraction(p_a_lower) - Fraction(1, 2))

    def radius_between(self, p_a_lower: float, p_b_upper: float) -> float:
        """Return the radius from bounds on p_A and on every other class, a whole number."""
        if p_a_lower <= p_b_upper:
            return 0.0
        return self._reach((Fraction(p_a_lower) - Fraction(p_b_upper)) / 2)

    def probability_for(self, radius: float) -> float:
        """Return the smallest p_A in (1/2, 1] at which :meth:`radius` is at least ``radius`` > 0.

        1 where none is.
        """
        if not radius <= self.features - self.keep:
            return 1.0
        unseen = _unseen(self.features, self.keep, max(1, math.ceil(radius)))
        return min(1.0, double_above(Fraction(3, 2) - unseen))

    def _reach(self, margin: Fraction) -> float:
        """Return the largest ρ with Δ(ρ) below ``margin`` > 0."""

        # A change of more than d - k features is seen by every sample: Δ = 1, and margin <= 1/2.
        most = self.features - self.keep
        return float(
            _largest(lambda rho: 1 - _unseen(self.features, self.keep, rho) < margin, most)
        )

    @classmethod
    def size_of(cls, shape: tuple[int, ...]) -> int:
        """Return the field ``size`` for a classifier that takes samples of ``shape``.

        Raises:
            UsageError: they cannot be twice the values of an input.
        """
        if math.prod(shape) % 2:
            raise UsageError(
                f"the classifier takes {math.prod(shape)} values, but an even number was expected, "
                "since ablation shows every value as x and 1 - x; use a classifier made for it"
            )
        return math.prod(shape) // 2

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a sample: twice the channels."""
        self._check_shape(shape, "inputs", self.channels)
        return tuple(2 * n if i == self._axis else n for i, n in enumerate(shape))

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an input whose samples have ``shape``: half the channels."""
        self._check_shape(shape, "the classifier's inputs", 2 * self.channels)
        return tuple(n // 2 if i == self._axis else n for i, n in enumerate(shape))

    @property
    def _axis(self) -> int:
        """The axis that a sample has twice."""
        return 0 if self.layout is None else _AXES[self.layout]

    def _check_shape(self, shape: tuple[int, ...], whose: str, channels: int) -> None:
        if self.layout is None:
            if len(shape) == 1 and shape[0] % channels == 0:
                return
            expected = "one axis" + (" and an even number of values" if channels == 2 else "")
        elif len(shape) == 3 and shape[self._axis] == channels:
            return
        else:
            expected = f"three axes ({self.layout[1:]}) and {channels} channels"
        raise UsageError(
            f"{whose} have the shape {list(shape)}, but {expected} were expected, since ablation "
            f"shows every one of {self.channels} channels as x and 1 - x; give the layout and the "
            "channels of the images, and a classifier made for ablation"
        )

    def check(self, point: Point) -> None:
        """Refuse an input of another size or layout, or bounds other than (0, 1)."""
        super().check(point)
        self._check_space(point.space)

    def _check_space(self, space: InputSpace) -> None:
        self._check_shape(space.shape, "inputs", self.channels)
        if space.layout not in (None, self.layout):
            raise UsageError(
                f"the noise was made for inputs in {self.layout}, but these are in {space.layout}; "
                "make it for their layout"
            )
        if space.bounds != (0.0, 1.0):
            raise UsageError(
                "ablation shows a pixel x as (x, 1 - x), so inputs must have the bounds 0 and 1, "
                f"but they are {space.bounds[0]:g} and {space.bounds[1]:g}; declare inputs of "
                "[0, 1]"
            )

    def unchanged(self, point: Point) -> NDArray[np.float32]:
        """Return an input with all its features, in the shape of a sample."""
        self.check(point)
        divisor = np.float32(LEVELS if point.arithmetic == "exact" else 1)
        encoded = self.encoded(point.data.reshape(-1), divisor)
        return encoded.reshape(self.sample_shape(point.space.shape))

    def encoded(self, base: NDArray[Any], divisor: np.float32) -> NDArray[np.float32]:
        """Return all features as (x, 1 - x): float32 (2C, d), or (d, 2C) where channels are last.

        Args:
            base: the input, flat: uint8 levels, or float64 values.
            divisor: what they are divided by.
        """
        last = self.layout == "NHWC"
        values = base.astype(np.float32) / divisor
        pixels = values.reshape((-1, self.channels) if last else (self.channels, -1))
        return np.concatenate([pixels, np.float32(1) - pixels], axis=1 if last else 0)

    def open(self, place: Place) -> Drawing:
        """Return the choices of a block."""
        self._check_space(place.space)
        return _AblationBlock(self, place)


class _AblationBlock:
    """The choices of one block in their order, a function of (law, key, block) alone.

    Every feature of a sample draws a number of 32 bits, and those are kept that have the k
    smallest. Where the k-th smallest number is also the next one, the whole sample is drawn again,
    from the block's settling words. The numbers are exchangeable, and whether they are drawn again
    does not depend on which feature has which; so all choices are exactly alike.
    """

    def __init__(self, law: Ablation, place: Place) -> None:
        self._law = law
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
        encoded = self._law.encoded(base, divisor)
        samples = out.reshape(len(out), *encoded.shape)
        rows = max(1, _TILE // self._law.features)
        for at in range(0, len(out), rows):
            part = samples[at : at + rows]
            kept = self.draw(len(part) * self._law.features * self._law.channels)
            # All bits of a kept value or none: an ablated -0.0 would tell what was there.
            mask = np.negative(kept.view(np.int8)).astype(np.int32)
            if self._law.layout == "NHWC":
                mask = np.repeat(mask, encoded.shape[1], axis=1).reshape(part.shape)
            else:
                mask = mask[:, np.newaxis, :]
            np.bitwise_and(encoded.view(np.int32), mask, out=part.view(np.int32))


@lru_cache(maxsize=4096)
def _unseen(features: int, keep: int, changed: int) -> Fraction:
    """Return C(d - ρ, k)/C(d, k), the chance that none of ρ <= d - k changed features is kept."""
    # C(d - ρ, k)/C(d, k) = C(d - k, ρ)/C(d, ρ), whichever has the smaller numbers.
    few, many = sorted((keep, changed))
    return Fraction(math.comb(features - many, few), math.comb(features, few))


def _largest(holds: Callable[[int], bool], most: int) -> int:
    """Return the largest whole number up to ``most`` that ``holds``, which holds from 0 on."""
    reach = 1
    while reach <= most and holds(reach):
        reach *= 2
    low, high = reach // 2, min(reach, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _check_whole(name: str, value: object, expected: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise UsageError(f"{name} is {value!r}, but {expected} was expected")
    return int(value)
