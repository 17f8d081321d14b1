"""What is known of a tensor while a graph is read to a closed form.

A row of a tensor is all that it holds of one input. Sums are kept as coefficients: one entry for
what is constant, and one for each *term*: a cell in which a value of the input may lie (which
contributes 1 or 0), or the value itself. An array of coefficients has the tensor's own shape, with
the terms in place of the batch axis, so a linear operator acts on it as on any batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Cuts

UNIT = 2.0**-24
"""Half of the distance of float32 numbers at 1: the largest relative error of one rounding."""

_EXACT = 2.0**24
"""Multiples of a unit are float32 numbers up to here."""


@dataclass(frozen=True, eq=False)
class Fixed:
    """The same for every input.

    Attributes:
        array: as onnxruntime computes it, in a batch of one.
    """

    array: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Values:
    """Each element is computed from one value of the input.

    That is by steps that keep or turn its order, or by steps of which comparisons are a part: those
    elements are steady.

    Attributes:
        places: of those values in the flat input, in the shape of a batch of one.
        steady: whether elements change at cuts alone, of which it is known where they are.
        scale: what they are multiplied by in all; None where a step is more than that.
        offset: what is added then.
        size: of the parts that the offset is made of.
        roundings: of float32 on the way, with that of the input itself.
    """

    places: NDArray[np.intp]
    steady: NDArray[np.bool_]
    scale: NDArray[np.float64] | None
    offset: NDArray[np.float64]
    size: NDArray[np.float64]
    roundings: int

    @classmethod
    def of(cls, places: NDArray[np.intp], *, steady: bool) -> Values:
        """Return values as they are; or what changes at cuts of them alone."""
        zeros = np.zeros(places.shape)
        return cls(places, zeros + steady > 0, None if steady else zeros + 1, zeros, zeros, 1)

    def reshaped(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Values:
        """Return them in another shape."""
        scale = None if self.scale is None else change(self.scale)
        steady, offset, size = change(self.steady), change(self.offset), change(self.size)
        return Values(change(self.places), steady, scale, offset, size, self.roundings)


@dataclass(frozen=True, eq=False)
class Terms:
    """What coefficients stand for: behind the constant, the cells of some values, or all values.

    Attributes:
        cuts: of the values that are cut; empty where the terms are the input's own values.
        values: how many of these there are; 0 where they are cut.
    """

    cuts: tuple[Cuts, ...] = ()
    values: int = 0

    @property
    def starts(self) -> NDArray[np.intp]:
        """Return where the cells of each cut value begin, and where the last ones end."""
        sizes = [len(cuts.cuts) + 1 for cuts in self.cuts]
        return np.cumsum([1, *sizes])

    def __len__(self) -> int:
        return 1 + self.values + sum(len(cuts.cuts) + 1 for cuts in self.cuts)


@dataclass(frozen=True, eq=False)
class Sums:
    """Each element is a sum of terms with coefficients.

    Every float32 result differs from the real one by at most ``roundings * UNIT`` (and a trifle) of
    ``sizes``, summed over the terms: a product of that many factors 1 + d, each d at most ``UNIT``
    in size, is what stands at each part of the sum, in whatever order it is added up.

    Attributes:
        coefficients: in the shape of the tensor, with the terms in place of the batch axis.
        sizes: of the parts that these are made of, in the same shape.
        axis: the batch axis.
        roundings: of float32 on the longest way; 0 where all results are exact.
        unit: of which every exact result is a multiple; 0 where none is known.
    """

    coefficients: NDArray[np.float64]
    sizes: NDArray[np.float64]
    axis: int
    roundings: int
    unit: float = 0.0

    def rounded(self, times: int, unit: float, terms: Terms) -> Sums:
        """Return the same with further roundings, none where whole multiples of a unit stay exact.

        Args:
            times: how many there are on the way to each element.
            unit: of which the exact results are multiples; 0 for none.
            terms: what the coefficients stand for.
        """
        exact = self.roundings == 0 and unit > 0 and self.reach(terms).max() <= _EXACT * unit
        return Sums(
            self.coefficients,
            self.sizes,
            self.axis,
            0 if exact else self.roundings + times,
            unit if exact else 0.0,
        )

    def reach(self, terms: Terms) -> NDArray[np.float64]:
        """Return the most that each element's parts can sum up to; of cut values alone."""
        if terms.values:
            return np.full(1, np.inf)
        sizes = np.moveaxis(self.sizes, self.axis, 0)
        most = [sizes[start:stop].max(axis=0) for start, stop in pairwise(terms.starts)]
        return np.asarray(sizes[0] + sum(most))

    @property
    def elements(self) -> int:
        """How many there are in a row."""
        return int(self.coefficients.size // self.coefficients.shape[self.axis])

    def column(self, k: int) -> Sums:
        """Return one element as (terms, 1)."""
        parts = [np.moveaxis(array, self.axis, 0) for array in (self.coefficients, self.sizes)]
        coefficients, sizes = (part.reshape(len(part), -1)[:, k : k + 1] for part in parts)
        return Sums(coefficients, sizes, 0, self.roundings, self.unit)


@dataclass(frozen=True, eq=False)
class Rising:
    """Each element is the same rising function of an element of sums, as float32 computes it.

    Of two elements of a row the one with the larger sum is larger, where the sums (as float32 has
    them) are further apart than ``resolution``.

    Attributes:
        sums: what it is a function of.
        resolution: how far apart.
        low: the least that it is.
        high: the most.
        is_sigmoid: whether it is the sigmoid of one sum, or of one and its opposite: a half where
            the sum is 0, but for the resolution.
    """

    sums: Sums
    resolution: float
    low: float
    high: float
    is_sigmoid: bool = False


@dataclass(frozen=True)
class Bounded:
    """Numbers of which only these finite bounds are known."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Choice:
    """Which of some scores is largest, or whether one is above a threshold.

    Attributes:
        sums: the scores, (terms, scores).
        threshold: of a single score.
        tie_above: whether a single score that equals it is above.
        resolution: how near scores may decide either way beyond their rounding.
    """

    sums: Sums
    threshold: float = 0.0
    tie_above: bool = False
    resolution: float = 0.0

    @property
    def outcomes(self) -> int:
        """How many answers it has."""
        return max(2, int(self.sums.coefficients.shape[1]))


@dataclass(frozen=True, eq=False)
class Labels:
    """A function of the outcome of a choice.

    Attributes:
        choice: what is chosen.
        array: what it is for each outcome, these in place of the batch axis.
    """

    choice: Choice
    array: NDArray[Any] = field(repr=False)


Value = Fixed | Values | Sums | Rising | Bounded | Labels


def unit_of(numbers: NDArray[np.float64]) -> float:
    """Return the largest power of two of which all numbers are multiples; 0 if there is none."""
    held = np.abs(numbers[numbers != 0])
    if not held.size:
        return 1.0
    mantissas, exponents = np.frexp(held)
    whole = (mantissas * 2.0**53).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    units = np.ldexp(lowest, exponents - 53)
    return float(units.min())
