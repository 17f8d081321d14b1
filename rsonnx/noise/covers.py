"""Which images of a transformation were certified, and what was counted of each: a row's record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.transforms.cover import Cell


@dataclass(frozen=True)
class Cover:
    """Images in the centres of cells that cover a transformation, and what was counted in each.

    Attributes:
        edges: the parameters between which the cells of an interval lie, rising, one more than
            cells; none without cells, and where every parameter has an image of its own.
        centres: the parameter of the image that stands for each cell: a number, or whole pixels
            down and to the right.
        radii: how far in l2 any other image of the cell is from that, at most.
        hits: how many of its samples were of the chosen class.
        samples: how many it had.

    Raises:
        UsageError: they do not fit together.
    """

    edges: tuple[float, ...] = ()
    centres: tuple[Any, ...] = ()
    radii: tuple[float, ...] = ()
    hits: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        cells, numbers = len(self.centres), self._numbers
        if (
            {len(self.radii), len(self.hits), len(self.samples)} != {cells}
            or len(numbers) not in (0, cells)
            or len(self.edges) != (cells + 1 if numbers else 0)
        ):
            raise UsageError("the lists of a cover are not of one length")
        if any(a >= b for a, b in pairwise(self.edges)) or not all(
            low <= at <= high for at, (low, high) in zip(numbers, pairwise(self.edges), strict=True)
        ):
            raise UsageError("the cells of a cover do not lie side by side around their centres")
        if any(hits > samples for hits, samples in zip(self.hits, self.samples, strict=True)):
            raise UsageError("a centre of a cover has more hits than samples")

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Cover:
        """Return cells that lie side by side, from the lowest on, before anything is counted."""
        none = (0,) * len(cells)
        return cls(
            edges=(*(cell.low for cell in cells), *(cell.high for cell in cells[-1:])),
            centres=tuple(cell.centre for cell in cells),
            radii=tuple(cell.radius for cell in cells),
            hits=none,
            samples=none,
        )

    @property
    def cells(self) -> list[Cell]:
        """The cells of an interval, from the lowest on."""
        ends = zip(self.edges, self.edges[1:], self._numbers, self.radii, strict=False)
        return [Cell(*cell) for cell in ends]

    @property
    def _numbers(self) -> list[float]:
        return [at for at in self.centres if not isinstance(at, tuple)]
