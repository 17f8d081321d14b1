"""Deterministic splitting noise and its exact l1 radius (Levine & Feizi, arXiv 2103.10834).

A value x of [0, 1] is told only as the piece that it lies in. The cuts are at s, s ± 2λ, ..., and
the classifier sees the middle of that part of the piece that is in [0, 1]. For x on the grid k/255
only L = 2λ·255 values of s differ, those half-way between two levels, and all of them are tried:
s = ((v_j + o) mod L + 1/2)/255 at feature j in outcome o = 0, ..., L - 1, with fixed offsets v_j.

Inputs are levels of the grid alone, and so are those that a radius speaks of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import DataError, UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.enumerated import EnumeratedNoise, OutcomeBlock
from rsonnx.noise.options import option
from rsonnx.noise.philox import bits, check_seed, stream_key
from rsonnx.noise.rounding import quotient_down
from rsonnx.noise.scale import check_scale
from rsonnx.noise.space import LEVELS, InputSpace, Point

_MOST_LAMBDA = 1000
"""A value is cut in one of 2λ outcomes: far below this already, nearly none tells anything."""

_SAME = 1e-9
"""How far from a λ that works, relatively, a double may be and still mean it."""

_TILE = 1 << 16
"""Values written at a time: what is computed on the way stays in a core's nearer caches."""


@dataclass(frozen=True)
class Splitting(EnumeratedNoise):
    """Every value is told as the middle of the piece of width 2λ that it lies in.

    A change of one value by one level crosses the cuts of exactly one of the L outcomes, and leaves
    all other outcomes as they are to the last bit. So a change of l1 norm c/255 alters at most c
    outcomes, however it is spread over the features, and c outcomes cannot change an answer whose
    lead over every rival is 2c (see :meth:`EnumeratedNoise.certify`):
    R = floor((n_A - n_B - 1[B < A]) / 2) / 255. At R itself the answer still stands.

    Attributes:
        lam: λ, half the width of a piece, such that L = 2λ·255 is a whole number; there are L
            outcomes. The paper's σ is λ/√3, and its code rounds L down.
        norm: l1.
        seed: >= 0, of the offsets v_j: a part of the classifier, and not of the run's randomness.
    """

    lam: float
    norm: str = "l1"
    seed: int = field(default=0, metadata=option("N", "seed of the offsets of the cuts"))

    name: ClassVar[str] = "splitting"
    norms: ClassVar[tuple[str, ...]] = ("l1",)

    def __post_init__(self) -> None:
        lam = check_scale("lambda", self.lam)
        self._settle(lam=_whole(lam) / (2 * LEVELS), seed=check_seed(self.seed))
        self._check_norm()

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Images of 8 bits."""
        if space.layout is None or space.bounds != (0.0, 1.0):
            return None
        return "8-bit images, if the model was trained for it; without chance"

    @property
    def levels(self) -> int:
        """L, the width of a piece in levels of the grid, >= 1."""
        return round(self.lam * 2 * LEVELS)

    @property
    def within(self) -> str:
        """Where the answer is certified: on the grid, where alone it is defined."""
        return "at every 8-bit input closer than the row's radius in the l1 norm"

    @property
    def settings(self) -> str:
        """``lambda = 0.5``."""
        return f"lambda = {self.lam:g}"

    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return L, whatever the shape."""
        del shape
        return self.levels

    def radius_within(self, changed: int) -> float:
        """Return ``changed``/255, rounded down to a double."""
        return quotient_down(changed, LEVELS)

    def check(self, point: Point) -> None:
        """Refuse an input that is not given in levels of the bounds 0 and 1."""
        super().check(point)
        self._check_grid(point.arithmetic == "exact")

    def check_space(self, space: InputSpace) -> None:
        """Refuse bounds other than 0 and 1."""
        if space.bounds != (0.0, 1.0):
            low, high = space.bounds
            raise UsageError(
                f"splitting noise is for 8-bit inputs of [0, 1], but these have the bounds {low:g} "
                f"and {high:g}; declare others"
            )

    def open(self, place: Place) -> Drawing:
        """Return the outcomes of a block."""
        self.check_space(place.space)
        self._check_grid(place.exact)
        return _SplittingBlock(self, place)

    @staticmethod
    def _check_grid(exact: bool) -> None:
        if not exact:
            raise DataError(
                "splitting noise needs inputs on the grid of 256 levels between 0 and 1, but this "
                "one is in floating point, off the grid; give 8-bit values"
            )


class _SplittingBlock(OutcomeBlock):
    """The outcomes of one block in their order: outcome o begins at the offsets v_j + o."""

    def __init__(self, law: Splitting, place: Place) -> None:
        super().__init__(law.levels, place)
        self._offsets = _offsets(law.seed, law.levels, place.space.size)
        self._pieces = _pieces(law.levels)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        del divisor  # that of bounds 0 and 1, which are all that is taken
        levels = np.uint32(self._outcomes)
        outcomes = self.draw(out.size).astype(np.uint32)[:, np.newaxis]
        rows = max(1, _TILE // len(self._offsets))
        for at in range(0, len(out), rows):
            cut = self._offsets + outcomes[at : at + rows]
            # Below L a subtraction wraps around to something large, so this is the remainder.
            np.minimum(cut, cut - levels, out=cut)
            cut *= np.uint32(LEVELS + 1)
            cut += base
            # Behind the table is what its last entry says: the cuts that lie above all levels.
            np.take(self._pieces.reshape(-1), cut, mode="clip", out=out[at : at + rows])


def _whole(lam: float) -> int:
    """Return L = 2λ·255, or refuse a λ for which it is no whole number."""
    if lam > _MOST_LAMBDA:
        raise UsageError(
            f"lambda is {lam!r}, but splitting noise has 510 lambda outcomes, all of them counted, "
            f"so at most {_MOST_LAMBDA} was expected; 0.5 to 4 are usual"
        )
    exact = 2 * LEVELS * lam
    nearest = max(1, round(exact))
    if abs(exact - nearest) > _SAME * nearest:
        near = " and ".join(repr(k / (2 * LEVELS)) for k in (int(exact), int(exact) + 1) if k)
        raise UsageError(
            f"lambda is {lam!r}, but splitting noise needs one for which 2 lambda 255 is a whole "
            f"number; near are {near}"
        )
    return nearest


@lru_cache(maxsize=4)
def _offsets(seed: int, levels: int, size: int) -> NDArray[np.uint32]:
    """Return v_j, (size,): independent and uniform on 0 .. L - 1.

    Word after word of Philox, less those that a remainder would favour, modulo L.
    """
    generator = bits(stream_key(seed, "splitting", "offsets"), 0)
    fair = (1 << 64) - (1 << 64) % levels
    used = np.empty(0, np.uint64)
    while len(used) < size:
        words = generator.random_raw(size - len(used))
        used = np.append(used, words[words <= np.uint64(fair - 1)])
    offsets = (used % np.uint64(levels)).astype(np.uint32)
    offsets.setflags(write=False)
    return offsets


@lru_cache(maxsize=4)
def _pieces(levels: int) -> NDArray[np.float32]:
    """Return the middle of each level's piece, float32 (cuts, 256), for each cut.

    In steps of 1/510 level k is 2k, the lowest cut is 2t + 1 and a piece is (c - 2L, c]: whole
    numbers, so that levels in one piece get one middle to the last bit. The cuts from 255 on lie
    above all levels, whose piece then is [0, 1]: one row stands for all of them.
    """
    cut = 2 * np.arange(min(levels, LEVELS + 1), dtype=np.int64)[:, np.newaxis] + 1
    level = 2 * np.arange(LEVELS + 1, dtype=np.int64)
    width = 2 * levels
    upper = cut - (cut - level) // width * width
    ends = np.minimum(upper, 2 * LEVELS) + np.maximum(upper - width, 0)
    pieces: NDArray[np.float32] = np.divide(ends, np.float32(4 * LEVELS), dtype=np.float32)
    pieces.setflags(write=False)
    return pieces
