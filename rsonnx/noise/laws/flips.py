"""Discrete flips for categorical or whole-number inputs, certified in features changed (l0).

Lee, Yuan, Chang and Jaakkola, "Tight certificates of adversarial robustness for randomly smoothed
classifiers", arXiv 1906.04948.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.codes import WORD, CodeBlock, CodeNoise, stored
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.options import option
from rsonnx.noise.philox import SETTLE, bits, raw_words
from rsonnx.noise.regions import Regions
from rsonnx.noise.scale import check_share, check_whole, needed_size
from rsonnx.noise.space import InputSpace

_MOST_VALUES = 1 << 16
_MOST_CHANGES = 256
"""The cap on the radius. A larger one would be sound too, but a second of exact arithmetic."""

_TILE = 1 << 16
"""Values drawn at a time: what is computed on the way stays in a core's nearer caches."""


@dataclass(frozen=True)
class Flips(CodeNoise):
    """Every feature keeps its value with probability β, else takes one of the others, each alike.

    Attributes:
        keep: β, in (0, 1). The law that is drawn and certified has ⌊β·2^64⌋/2^64, which is the
            double itself from 2^-11 on.
        values: how many values a feature can take, 2..65536.
        norm: l0.
        size: d, the features of an input. The radius is at most d, and at most 256.
    """

    keep: float = field(metadata=option("P", "probability that a value stays"))
    values: int = field(metadata=option("V", "how many values a feature can take"))
    norm: str = "l0"
    size: int | None = None

    name: ClassVar[str] = "flips"

    def __post_init__(self) -> None:
        keep = check_share("keep", self.keep, lowest=1 / WORD)
        values = check_whole(
            "values", self.values, _MOST_VALUES, "the number of values that a feature can take"
        )
        if values < 2:
            raise UsageError("values is 1, but a feature must take at least two values")
        self._check_norm()
        self._settle(keep=keep, values=values, size=needed_size(self.size))

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Tables whose bounds may be those of the codes of categories."""
        low, high = space.bounds
        whole = float(low).is_integer() and float(high).is_integer()
        if space.layout is not None or (low, high) == (0.0, 1.0):
            return None
        if not (whole and high - low < _MOST_VALUES):
            return None
        return f"if all values are whole numbers from {low:g} to {high:g}"

    @property
    def choices(self) -> int:
        """V, how many values a feature can take."""
        return self.values

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

    def open(self, place: Place) -> Drawing:
        """Return the flips of a block."""
        return _FlipBlock(self, place)


class _FlipBlock(CodeBlock):
    """The flips of one block in their order, a function of (law, key, block) alone.

    A flip is what is added to a code modulo ``values``: 0 with probability β, else one of 1..K,
    each alike. One word W of 64 bits decides: the flip is 0 where W < β·2^64. The rest
    R = W - β·2^64 is uniform over M = 2^64 - β·2^64 numbers; below the greatest multiple of K in M,
    R mod K is uniform. Above it, at odds of less than K/M, further words are drawn until one lies
    below the greatest multiple of K in 2^64. So the law is exactly the one that is certified.
    """

    def __init__(self, law: Flips, place: Place) -> None:
        super().__init__(law, place)
        self._law = law
        self._settling = bits(place.key, place.block, SETTLE)
        self._others = law.values - 1
        threshold = int(stored(law.keep) * WORD)
        left = WORD - threshold
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
            if word < WORD - WORD % self._others:
                return word % self._others

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples, whole numbers in the bounds; see :class:`Drawing`."""
        del divisor
        values = self._law.values
        flipped = self.draw(out.size).reshape(out.shape)
        flipped += self._codes(base)
        shown = np.arange(2 * values) % values + int(self._space.bounds[0])
        np.take(shown.astype(np.float32), flipped, mode="clip", out=out)
