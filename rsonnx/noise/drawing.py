"""The randomness of one block of samples, and where a block lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.space import InputSpace


class Drawing(Protocol):
    """The randomness of one block in its order."""

    def draw(self, count: int) -> NDArray[Any]:
        """Return the next ``count`` values; whole samples at a time where they are not apart."""

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples.

        Args:
            base: the input, flat: uint8 levels, or float64 values.
            divisor: what a level is divided by, see :attr:`InputSpace.divisor`; 1 for values.
            out: float32 (samples, values of a sample).
        """


@dataclass(frozen=True)
class Place:
    """Where a block of samples lies.

    Attributes:
        key: of the stream: the seed, the input and the stage.
        block: number of the block.
        first: index of its first sample in the stream.
        space: of the input.
        exact: whether the input is given in levels of the grid.
    """

    key: int
    block: int
    first: int
    space: InputSpace
    exact: bool
