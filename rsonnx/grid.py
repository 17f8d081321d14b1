"""Exact noise in plain numbers: what a device must know to draw the noise of a stream itself.

A device that is given a :class:`GridNoise` draws the same words of the same Philox counters, looks
them up in the same table and brings the noisy levels into the units of the input by the same
roundings as the stream does, so that its samples are the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Cells:
    """The inverse distribution function of an integer law, cut into 65,536 cells.

    Attributes:
        outcome: int16 (65536,): the outcome of a cell, or -32768 where the cell is unsettled.
        lowest: int16 (65536,): the outcome at the lower end of each cell.
        first: int64 (65536,): index of the first threshold inside each cell.
        inside: int64 (65536,): how many thresholds lie inside each cell.
        high, low: the thresholds' upper 64 and lower 16 bits, ascending. Outcome number j of the
            law is drawn where exactly j thresholds are <= the uniform number of 80 bits.
    """

    outcome: NDArray[np.int16]
    lowest: NDArray[np.int16]
    first: NDArray[np.int64]
    inside: NDArray[np.int64]
    high: NDArray[np.uint64]
    low: NDArray[np.uint16]


@dataclass(frozen=True)
class Scaling:
    """How a noisy level becomes a value: divided, multiplied, then shifted, each in float32.

    None leaves a step out.
    """

    divisor: float | None
    factor: float | None
    offset: float | None


@dataclass(frozen=True, eq=False)
class GridNoise:
    """The exact noise of one stream.

    Attributes:
        key: the Philox key, lower and upper 64 bits.
        block: samples in a block; block number b is drawn from the counters (·, ·, b, region).
        size: values in a sample.
        levels: uint8 (size,): the input without noise.
        table: the law.
        scaling: from a noisy level to a value of the input.
    """

    key: tuple[int, int]
    block: int
    size: int
    levels: NDArray[np.uint8]
    table: Cells
    scaling: Scaling
