"""How far the values of data reach and spread, over all of them: what a run writes as numbers.

The sums are exact (``math.fsum``), block by block, so that every machine finds the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from rsonnx.data.dataset import Dataset
from rsonnx.errors import DataError


def span(dataset: Dataset) -> tuple[float, float]:
    """Return the least and the largest value of all columns that are not fixed.

    One pair for all: bounds say where inputs may lie, and where each column's noise is in its own
    units they are no unit.

    Raises:
        DataError: the data are pictures, or all their values are the same.
    """
    free = np.array([not column.fixed for column in dataset.reading.columns], bool)
    low, high, start = math.inf, -math.inf, 0
    for block in dataset.blocks():  # whole: wide inputs have more columns than it has rows
        values = block
        if not free.all():
            values = block[free[np.arange(start, start + block.size) % free.size]]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        start += block.size
    if not low < high:
        raise DataError(
            f"{dataset.path} has no two values that differ in its columns, so it spans no bounds; "
            "declare --bounds LOW HIGH"
        )
    return low + 0.0, high + 0.0  # of zeros of both signs, numpy may find either: one is written


def deviations(dataset: Dataset) -> list[float]:
    """Return the standard deviation of each value of an input over all the data, divided by N.

    Raises:
        DataError: the data are pictures, or their values too large.
    """
    first = dataset[0].values.reshape(-1).astype(np.float64)  # so that a constant has exactly none
    with np.errstate(over="ignore", invalid="ignore"):
        means = _means(dataset, lambda values, at: values - first[at])
        squares = _means(dataset, lambda values, at: (values - first[at] - means[at]) ** 2)
    if not all(map(math.isfinite, squares)):
        raise DataError(
            f"{dataset.path} has values whose squares are beyond the doubles; give the sigmas as "
            "numbers, in a file"
        )
    return [math.sqrt(square) for square in squares]


def _means(
    dataset: Dataset, of: Callable[[NDArray[np.float64], int], NDArray[np.float64]]
) -> list[float]:
    """Return the mean of each column's values as ``of`` has them, given the column's number."""
    sums: list[list[float]] = [[] for _ in range(math.prod(dataset.shape(0)))]
    for at, values in _columns(dataset):
        sums[at].append(_sum(of(values.astype(np.float64), at).tolist()))
    return [_sum(parts) / len(dataset) for parts in sums]


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # of infinities of both signs
        return math.nan


def _columns(dataset: Dataset) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield the values of each column, some at a time, with its number."""
    size, start = math.prod(dataset.shape(0)), 0
    for block in dataset.blocks():
        for at in range(size):
            yield at, block[(at - start) % size :: size]
        start += block.size
