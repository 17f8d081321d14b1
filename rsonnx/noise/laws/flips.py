"""Discrete flips for categorical or whole-number inputs, certified in features changed (l0).

Lee, Yuan, Chang and Jaakkola, "Tight certificates of adversarial robustness for randomly smoothed
classifiers", arXiv 1906.04948.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import DataError, UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.philox import SETTLE, bits, raw_words
from rsonnx.noise.regions import RegionNoise, Regions
from rsonnx.noise.scale import needed_size
from rsonnx.noise.space import LEVELS, InputSpace, Point

_WORD = 1 << 64
_MOST_VALUES = 1 << 16
_MOST_CHANGES = 256
"""The cap on the radius. A larger one would be sound too, but a second of exact arithmetic."""

_OFF = 0.01
"""How far from a code a value may be at most and still mean it."""

_TILE = 1 << 16
"""Values drawn at a time: what is computed on the way stays in a core's nearer caches."""


@dataclass(frozen=True)
class Flips(RegionNoise):
    """Every feature keeps its value with probability β, else takes one of the others, each alike.

    A feature is one value of the input: a whole number ``low`` .. ``low + values - 1``, where
    (low, low + values - 1) are the bounds of the input space. Give them as floating-point numbers:
    a uint8 value is a level between the bounds, which is a code only for bounds (0, 255).

    Attributes:
        keep: β, in (0, 1). The law that is drawn and certified has ⌊β·2^64⌋/2^64, which is the
            double itself from 2^-11 on.
        values: how many values a feature can take, 2..65536.
        norm: l0.
        size: d, the features of an input. The radius is at most d, and at most 256.
    """

    keep: float
    values: int
    norm: str = "l0"
    size: int | None = None

    name: ClassVar[str] = "flips"

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep", check_share("keep", self.keep, lowest=1 / _WORD))
        if not _is_whole(self.values) or not 2 <= self.values <= _MOST_VALUES:
            raise UsageError(
                f"values is {self.values!r}, but the number of values that a feature can take, a "
                f"whole number from 2 to {_MOST_VALUES}, was expected"
            )
        object.__setattr__(self, "values", int(self.values))
        self._check_norm()
        object.__setattr__(self, "size", needed_size(self.size))

    @property
    def settings(self) -> str:
        """``keep = 0.8 of 4 values``."""
        return f"keep = {self.keep:g} of {self.values} values"

    def changes(self) -> Iterator[Sequence[Regions]]:
        """Yield the regions of 1, 2, ... changed features, at most 256.

        A changed feature shows its old value with β at x and γ = (1 - β)/K at the changed input,
        its new value the other way round, and any third one alike, K = values - 1. With u features
        that show the old value and v the new one, the likelihood ratio is (β/γ)^(u - v), so that
        regions are told apart by u - v alone: their masses are the coefficients of
        (β·z + (1 - β - γ) + γ/z)^r, read from one end here and from the other there.
        """
        beta, others = stored(self.keep), self.values - 1
        kept, whole = beta.numerator, beta.denominator
        old, new, third = kept * others, whole - kept, (whole - kept) * (others - 1)
        masses, total = [1], 1
        for _ in range(min(needed_size(self.size), _MOST_CHANGES)):
            padded = [0, 0, *masses, 0, 0]
            masses = [
                old * padded[i] + third * padded[i + 1] + new * padded[i + 2]
                for i in range(len(masses) + 2)
            ]
            total *= whole * others
            rising, falling = tuple(masses), tuple(reversed(masses))
            yield [
                Regions(falling, rising, total) if old > new else Regions(rising, falling, total)
            ]

    def check(self, point: Point) -> None:
        """Refuse an input of another size or bounds, or one with a value that is no code."""
        super().check(point)
        exact = point.arithmetic == "exact"
        codes_of(point.data.reshape(-1), point.space, exact, self.name, self.values)

    def unchanged(self, point: Point) -> NDArray[np.float32]:
        """Return the codes themselves, float32 in the shape of the input."""
        exact = point.arithmetic == "exact"
        codes = codes_of(point.data, point.space, exact, self.name, self.values)
        return (codes + int(point.space.bounds[0])).astype(np.float32)

    def open(self, place: Place) -> Drawing:
        """Return the flips of a block."""
        return _FlipBlock(self, place)


class _FlipBlock:
    """The flips of one block in their order, a function of (law, key, block) alone.

    A flip is what is added to a code modulo ``values``: 0 with probability β, else one of 1..K,
    each alike. One word W of 64 bits decides: the flip is 0 where W < β·2^64. The rest
    R = W - β·2^64 is uniform over M = 2^64 - β·2^64 numbers; below the greatest multiple of K in M,
    R mod K is uniform. Above it, at odds of less than K/M, further words are drawn until one lies
    below the greatest multiple of K in 2^64. So the law is exactly the one that is certified.
    """

    def __init__(self, law: Flips, place: Place) -> None:
        self._law, self._space, self._exact = law, place.space, place.exact
        self._words = bits(place.key, place.block)
        self._settling = bits(place.key, place.block, SETTLE)
        self._others = law.values - 1
        threshold = int(stored(law.keep) * _WORD)
        left = _WORD - threshold
        self._threshold = np.uint64(threshold)
        self._usable = np.uint64(left - left % self._others)

    def draw(self, count: int) -> NDArray[np.int32]:
        """Return the next ``count`` flips, int32 (count,)."""
        drawn = np.empty(count, np.int32)
        for at in range(0, count, _TILE):
            tile = drawn[at : at + _TILE]
            words = raw_words(self._words, len(tile))
            flipped = words >= self._threshold
            if self._others == 1:
                np.copyto(tile, flipped)
                continue
            words -= self._threshold
            # Whole quotients by one divisor are fast in numpy, remainders are not.
            other = words - words // np.uint64(self._others) * np.uint64(self._others)
            np.multiply(other.astype(np.int32) + np.int32(1), flipped, out=tile)
            for where in np.flatnonzero(flipped & (words >= self._usable)):
                tile[where] = 1 + self._settled()
        return drawn

    def _settled(self) -> int:
        while True:
            word = int(self._settling.random_raw())
            if word < _WORD - _WORD % self._others:
                return word % self._others

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples, whole numbers in the bounds; see :class:`Drawing`."""
        del divisor
        law = self._law
        codes = codes_of(base, self._space, self._exact, law.name, law.values)
        found = self.draw(out.size).reshape(out.shape)
        found += codes
        shown = np.arange(2 * law.values) % law.values + int(self._space.bounds[0])
        np.take(shown.astype(np.float32), found, mode="clip", out=out)


def stored(probability: float) -> Fraction:
    """Return a probability as it is drawn: in whole parts of 2^64, rounded down."""
    return Fraction(math.floor(Fraction(probability) * _WORD), _WORD)


def check_share(name: str, value: float, lowest: float) -> float:
    """Return a probability in [lowest, 1) as a float, or refuse it."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not lowest <= value < 1:
        least = "above 0" if lowest else "of at least 0"
        raise UsageError(f"{name} is {value!r}, but a probability {least} and below 1 was expected")
    return float(value)


def codes_of(
    values: NDArray[Any], space: InputSpace, exact: bool, name: str, count: int
) -> NDArray[np.int32]:
    """Return the codes 0..count - 1 of an input, int32 in the shape of ``values``.

    Args:
        values: uint8 levels where ``exact``, else values in the units of the bounds.
        space: of the input.
        exact: whether levels are given.
        name: of the noise, for what is wrong.
        count: how many values a feature can take.

    Raises:
        UsageError: the bounds are not two whole numbers that are ``count - 1`` apart.
        DataError: a value is none of the codes.
    """
    low, high = space.bounds
    if not (float(low).is_integer() and abs(low) <= 1 << 22 and high - low == count - 1):
        raise UsageError(
            f"{name} noise on {count} values needs whole-number bounds that are {count - 1} apart, "
            f"such as 0 and {count - 1}, but they are {low:g} and {high:g}; declare the bounds of "
            "the codes"
        )
    if exact:
        # The level of code c is 255·c/(count - 1), where that is whole.
        codes, odd = np.divmod(values.astype(np.int64) * (count - 1), LEVELS)
        wrong = odd != 0
    else:
        codes = np.rint(values - low)
        # A code that was computed in float32 is off by a few roundings.
        wrong = np.abs(values - low - codes) > min(_OFF, 2.0**-21 * max(abs(low), abs(high)))
        wrong |= (codes < 0) | (codes > count - 1)
    if wrong.any():
        at = int(np.argmax(wrong))
        shown = values.flat[at] * (high - low) / LEVELS + low if exact else values.flat[at]
        raise DataError(
            f"value number {at} of the input is {float(shown):g}, but {name} noise takes whole "
            f"numbers from {low:g} to {high:g}; give codes as floating-point numbers (uint8 values "
            "are levels between the bounds)"
        )
    return codes.astype(np.int32)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
