"""What a device must know to draw the exact noise of a stream itself: plain numbers, no code.

A device that is given a :class:`GridNoise` draws the same words of the same Philox counters, looks
them up in the same table and brings the noisy levels into the units of the input by the same
roundings as :meth:`NoisyStream.write`, so that its samples are the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.distribution import IndependentNoise
from rsonnx.noise.lattice import LatticeTable, lattice_table
from rsonnx.noise.space import LEVELS, InputSpace
from rsonnx.noise.stream import NoisyStream


@dataclass(frozen=True)
class Scaling:
    """How a noisy level becomes a value: divided, multiplied, then shifted, each in float32.

    None leaves a step out. This is :meth:`InputSpace.scale_levels` in numbers.
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
        table: the law, as 65,536 cells.
        scaling: from a noisy level to a value of the input.
    """

    key: tuple[int, int]
    block: int
    size: int
    levels: NDArray[np.uint8]
    table: LatticeTable
    scaling: Scaling


_SMALLEST = 2.0**-100
"""Steps and bounds from here on give no subnormal float32, which a device may round to 0: what is
left of a difference of two such numbers is at least 2^-24 of them, and normal ones begin at
2^-126."""


def grid_noise(stream: object) -> GridNoise | None:
    """Return what a device must know of a stream, or None where only the stream can draw it.

    Floating-point noise stays with numpy: its sampler rejects draws, and no second implementation
    would be the same to the last bit. So does noise whose values depend on each other, and so do
    bounds so narrow that values are subnormal.
    """
    if not isinstance(stream, NoisyStream) or stream.point.arithmetic != "exact":
        return None
    law, space, key = stream.distribution, stream.point.space, stream.key
    if not isinstance(law, IndependentNoise):
        return None
    if space.step < _SMALLEST or 0 < abs(space.bounds[0]) < _SMALLEST:
        return None
    return GridNoise(
        key=(key & 0xFFFF_FFFF_FFFF_FFFF, key >> 64),
        block=stream.block,
        size=space.size,
        levels=stream.point.data.reshape(space.size),
        table=lattice_table(law, space.step),
        scaling=_scaling(space),
    )


def _scaling(space: InputSpace) -> Scaling:
    low, high = space.bounds
    if (low, high) == (0.0, 1.0):
        return Scaling(float(LEVELS), None, None)
    return Scaling(None, space.step if space.step != 1.0 else None, low if low != 0.0 else None)
