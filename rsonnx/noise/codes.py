"""Noise on codes: features that take a few whole numbers, each changed on its own, certified in l0.

The codes 0..V - 1 stand for the whole numbers of the bounds of the input space, V - 1 apart. Give
inputs as floating-point numbers: a uint8 value is a level between the bounds, which is a code only
for bounds (0, 255).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import DataError, UsageError
from rsonnx.noise.drawing import Place
from rsonnx.noise.philox import bits
from rsonnx.noise.regions import RegionNoise
from rsonnx.noise.space import LEVELS, InputSpace, Point

WORD = 1 << 64

_OFF = 0.01
"""How far from a code a value may be at most and still mean it."""


class CodeNoise(RegionNoise):
    """What the laws of codes have in common."""

    additive: ClassVar[bool] = False
    codes: ClassVar[bool] = True
    in_units: ClassVar[bool] = True
    claim: ClassVar[int] = 1

    @property
    @abstractmethod
    def choices(self) -> int:
        """V, how many values a feature can take, >= 2."""

    size: int | None

    @property
    def deviation(self) -> None:
        """Codes have no unit in which noise could deviate."""

    def check(self, point: Point) -> None:
        """Refuse an input of another size or bounds, or one with a value that is no code."""
        super().check(point)
        self.unchanged(point)

    def check_space(self, space: InputSpace) -> None:
        """Refuse bounds that are not two whole numbers that are V - 1 apart."""
        super().check_space(space)
        low, high = space.bounds
        if not (float(low).is_integer() and abs(low) <= 1 << 22 and high - low == self.choices - 1):
            raise UsageError(
                f"the bounds are {low:g} and {high:g}, but {self.name} noise on {self.choices} "
                f"values needs whole numbers that are {self.choices - 1} apart; declare those of "
                "the codes"
            )

    def unchanged(self, point: Point) -> NDArray[np.float32]:
        """Return the whole numbers themselves, float32 in the shape of the input."""
        codes = self.codes_of(point.data, point.space, point.arithmetic == "exact")
        return (codes + int(point.space.bounds[0])).astype(np.float32)

    def codes_of(self, x: NDArray[Any], space: InputSpace, exact: bool) -> NDArray[np.int32]:
        """Return the codes of an input, int32 in the shape of ``x``, or refuse it.

        ``x`` are uint8 levels where ``exact``, else values in the units of the bounds.
        """
        self.check_space(space)
        (low, high), most = space.bounds, self.choices - 1
        if exact:
            # The level of code c is 255·c/(V - 1), where that is whole.
            codes, odd = np.divmod(x.astype(np.int64) * most, LEVELS)
            wrong = odd != 0
        else:
            codes = np.rint(x - low)
            # A code that was computed in float32 is off by a few roundings.
            wrong = np.abs(x - low - codes) > min(_OFF, 2.0**-21 * max(abs(low), abs(high)))
            wrong |= (codes < 0) | (codes > most)
        if wrong.any():
            at = int(np.argmax(wrong))
            shown = x.flat[at] * (high - low) / LEVELS + low if exact else x.flat[at]
            raise DataError(
                f"value number {at} of the input is {float(shown):g}, but {self.name} noise takes "
                f"whole numbers from {low:g} to {high:g}, as floats; uint8 are levels"
            )
        return np.asarray(codes, np.int32)


class CodeBlock:
    """The words of one block of such noise, of which each decides a value."""

    def __init__(self, law: CodeNoise, place: Place) -> None:
        law.check_space(place.space)
        self._noise, self._space, self._exact = law, place.space, place.exact
        self._words = bits(place.key, place.block)

    def _codes(self, base: NDArray[Any]) -> NDArray[np.int32]:
        """Return the codes of the input."""
        return self._noise.codes_of(base, self._space, self._exact)


def stored(probability: float) -> Fraction:
    """Return a probability as it is drawn: in whole parts of 2^64, rounded down."""
    return Fraction(math.floor(Fraction(probability) * WORD), WORD)
