"""Flips of binary features at two rates, for data of which most is 0 (l0).

Bojchevski, Klicpera and Günnemann, "Efficient robustness certificates for discrete data:
sparsity-aware randomized smoothing for graphs, images and more", arXiv 2008.12952.
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
from rsonnx.noise.philox import raw_words
from rsonnx.noise.regions import Regions
from rsonnx.noise.scale import check_share, needed_size
from rsonnx.noise.space import InputSpace

_MOST_CHANGES = 64
"""The cap on the radius: r changes are of r + 1 kinds, so the work grows with its third power."""


@dataclass(frozen=True)
class SparseFlips(CodeNoise):
    """A 0 becomes 1 with probability p₊, a 1 becomes 0 with probability p₋.

    A feature is one value of the input, 0 or 1, and the bounds of the input space are (0, 1).

    Attributes:
        p_plus: p₊, in [0, 1). The law that is drawn and certified has ⌊p₊·2^64⌋/2^64, which is the
            double itself from 2^-11 on.
        p_minus: p₋, likewise; one of the two must be above 0.
        norm: l0, for which every split of the changes into additions and deletions is certified.
        size: d, the features of an input. The radius is at most d, and at most 64.
    """

    p_plus: float = field(metadata=option("P", "probability that a 0 becomes 1"))
    p_minus: float = field(metadata=option("P", "probability that a 1 becomes 0"))
    norm: str = "l0"
    size: int | None = None

    name: ClassVar[str] = "sparse-flips"
    choices: ClassVar[int] = 2

    def __post_init__(self) -> None:
        for name in ("p_plus", "p_minus"):
            self._settle(**{name: check_share(name, getattr(self, name), lowest=0)})
        if not stored(self.p_plus) + stored(self.p_minus):
            raise UsageError("p_plus and p_minus are both 0, so nothing is flipped; raise one")
        self._check_norm()
        self._settle(size=needed_size(self.size))

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Tables of bits."""
        bits = space.layout is None and space.bounds == (0.0, 1.0)
        return "if all values are 0 or 1" if bits else None

    @property
    def settings(self) -> str:
        """``p+ = 0.01, p- = 0.6``."""
        return f"p+ = {self.p_plus:g}, p- = {self.p_minus:g}"

    def changes(self) -> Iterator[Sequence[Regions]]:
        """Yield the regions of all splits of 1, 2, ... changes, at most 64 changes."""
        before = [_Masses((1,), (1,))]
        for changes in range(1, min(needed_size(self.size), _MOST_CHANGES) + 1):
            before = [self._deleted(before[0]), *(self._added(masses) for masses in before)]
            yield [self._regions(masses, changes) for masses in before]

    def regions(self, additions: int, deletions: int) -> Regions:
        """Return the regions of ``additions`` features changed from 0 to 1, ``deletions`` back.

        A feature shows 0 or 1. The likelihood ratio of an added feature that shows 0 is the inverse
        of that of a deleted one, and so with 1; so it depends on q alone, the number of added
        features that show 0 less that of deleted ones. It rises with q where p₊ + p₋ <= 1.
        """
        masses = _Masses((1,), (1,))
        for _ in range(deletions):
            masses = self._deleted(masses)
        for _ in range(additions):
            masses = self._added(masses)
        return self._regions(masses, additions + deletions)

    @property
    def _weights(self) -> tuple[int, int, int]:
        """p₊, p₋ and 1 in one unit."""
        plus, minus = stored(self.p_plus), stored(self.p_minus)
        whole = max(plus.denominator, minus.denominator)  # both are powers of 2
        return int(plus * whole), int(minus * whole), whole

    def _added(self, masses: _Masses) -> _Masses:
        plus, minus, whole = self._weights
        return masses.times((plus, whole - plus), (whole - minus, minus))

    def _deleted(self, masses: _Masses) -> _Masses:
        plus, minus, whole = self._weights
        return masses.times((minus, whole - minus), (whole - plus, plus))

    def _regions(self, masses: _Masses, changes: int) -> Regions:
        plus, minus, whole = self._weights
        order = slice(None, None, -1 if plus + minus <= whole else 1)
        return Regions(masses.here[order], masses.there[order], whole**changes)

    def check_space(self, space: InputSpace) -> None:
        """Refuse inputs of another size, or bounds that are not 0 and 1."""
        if space.bounds != (0.0, 1.0):
            low, high = space.bounds
            raise UsageError(
                "sparse-flips noise is for values 0 and 1, so inputs must have the bounds 0 and 1, "
                f"but they are {low:g} and {high:g}; declare inputs of [0, 1]"
            )
        super().check_space(space)

    def open(self, place: Place) -> Drawing:
        """Return the flips of a block."""
        return _SparseBlock(self, place)


@dataclass(frozen=True)
class _Masses:
    """Masses by q, ascending: coefficients of a polynomial, at the input and at the changed one."""

    here: tuple[int, ...]
    there: tuple[int, ...]

    def times(self, here: tuple[int, int], there: tuple[int, int]) -> _Masses:
        """Return the masses with one changed feature more; its own are given by q, ascending."""
        return _Masses(_product(self.here, here), _product(self.there, there))


def _product(masses: tuple[int, ...], factor: tuple[int, int]) -> tuple[int, ...]:
    low, high = factor
    return tuple(low * a + high * b for a, b in zip((*masses, 0), (0, *masses), strict=True))


class _SparseBlock(CodeBlock):
    """The flips of one block in their order: a value flips where its word is below its rate."""

    def __init__(self, law: SparseFlips, place: Place) -> None:
        super().__init__(law, place)
        plus, minus = int(stored(law.p_plus) * WORD), int(stored(law.p_minus) * WORD)
        self._thresholds = np.array([plus, minus], np.uint64)

    def draw(self, count: int) -> NDArray[np.uint64]:
        """Return the words that decide the next ``count`` values, uint64 (count,)."""
        return raw_words(self._words, count)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples, zeros and ones; see :class:`Drawing`."""
        del divisor
        codes = self._codes(base)
        flipped = self.draw(out.size).reshape(out.shape) < self._thresholds[codes]
        np.copyto(out, flipped ^ (codes == 1))
