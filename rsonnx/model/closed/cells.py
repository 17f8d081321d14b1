"""Where comparisons in a model cut the values of an input: numbers of the file, pulled back.

What stands between the input and a comparison keeps or turns the order of each value's float32
numbers (rounding does, and so do steps of which each does). So one comparison changes once along
them, and bisection finds where by running the file's own steps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Cuts
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Inside

_LARGEST = int(np.float32(np.finfo(np.float32).max).view(np.int32))
_LARGEST_FIXED = int(np.float32(2**24).view(np.int32))
"""By the order of float32 numbers."""


@dataclass(frozen=True)
class Comparison:
    """Whether an element of a tensor is below a number.

    Attributes:
        tensor: its name.
        element: place of the element in a row of the tensor.
        place: of the input's value that it is computed from.
        threshold: the number.
        or_equal: whether an element that equals it counts as below.
    """

    tensor: str
    element: int
    place: int
    threshold: float
    or_equal: bool


def find_cuts(
    inside: Inside, size: int, comparisons: Sequence[Comparison], fixed: Collection[int] = ()
) -> tuple[Cuts, ...]:
    """Return where the values of an input are cut, in the order of their places.

    Args:
        inside: the model.
        size: values of an input.
        comparisons: all that the model makes.
        fixed: places of values that are whole numbers up to 2^24 in size.

    Raises:
        NotClosedError: an input between the largest and the smallest float32 number makes NaN.
    """
    numbers: dict[int, set[int]] = defaultdict(set)
    by_tensor: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in dict.fromkeys(comparisons):
        by_tensor[comparison.tensor].append(comparison)
    # One tensor after the other: what is looked up further on fails where there is nothing.
    for tensor, asked in by_tensor.items():
        for place, number in _changes(inside, size, tensor, asked, fixed):
            numbers[place].add(number)
    return tuple(
        Cuts(place, _float_of(np.array(sorted(held))).astype(np.float64))
        for place, held in sorted(numbers.items())
    )


def _changes(
    inside: Inside,
    size: int,
    tensor: str,
    asked: Sequence[Comparison],
    fixed: Collection[int],
) -> Iterator[tuple[int, int]]:
    """Yield the place of each comparison, and by its order the number where the answer changes."""
    places = np.array([c.place for c in asked], np.intp)
    elements = np.array([c.element for c in asked], np.intp)
    thresholds = np.array([c.threshold for c in asked])
    or_equal = np.array([c.or_equal for c in asked], np.bool_)
    # Comparisons of different places are answered in one row.
    turn: Counter[int] = Counter()
    rows = np.zeros(len(asked), np.intp)
    for i, comparison in enumerate(asked):
        rows[i] = turn[comparison.place]
        turn[comparison.place] += 1

    def below(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Answer all comparisons, each with its own number in the place of its value."""
        batch = np.zeros((max(turn.values()), size), np.float32)
        batch[rows, places] = _float_of(numbers)
        (held,) = inside.run([tensor], batch)
        seen = held.reshape(len(batch), -1)[rows, elements].astype(np.float64)
        if np.isnan(seen).any():
            raise NotClosedError("what is compared is NaN for some inputs")
        return np.asarray((seen < thresholds) | (or_equal & (seen == thresholds)))

    high = np.where(np.isin(places, list(fixed)), _LARGEST_FIXED, _LARGEST)
    low = -high
    at_low, at_high = below(low), below(high)
    while (high - low > 1).any():
        middle = (low + high) // 2
        is_high = below(middle) == at_high
        high, low = np.where(is_high, middle, high), np.where(is_high, low, middle)
    for i in map(int, np.flatnonzero(at_low != at_high)):
        yield int(places[i]), int(high[i])


def cell_rows(cuts: Sequence[Cuts], size: int) -> NDArray[np.float32]:
    """Return a flat input in each cell of each cut value, (cells, size), the other values 0."""
    numbers = [least_numbers(each) for each in cuts]
    rows = np.zeros((sum(map(len, numbers)), size), np.float32)
    start = 0
    for each, held in zip(cuts, numbers, strict=True):
        rows[start : start + len(held), each.at] = held
        start += len(held)
    return rows


def least_numbers(cuts: Cuts) -> NDArray[np.float32]:
    """Return the least number of each cell, of the first cell the largest."""
    held = cuts.cuts.astype(np.float32)
    return np.concatenate([np.nextafter(held[:1], np.float32(-np.inf)), held])


def _float_of(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32 numbers by their order: 0 is 0, and the next one up is 1."""
    bits = np.abs(numbers).astype(np.int32).view(np.float32)
    return np.where(numbers < 0, -bits, bits).astype(np.float32)
