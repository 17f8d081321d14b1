"""Translation: the pixels are shifted, around the edges (Li et al., arXiv 2002.12398)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rsonnx.noise.additive import exact_block
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.transformed import GaussianTransformation, SpatialTransformation


@dataclass(frozen=True)
class Translation(SpatialTransformation, GaussianTransformation):
    """Pixels are shifted by (dy, dx) and enter again at the other side.

    Both are N(0, sigma²) rounded to whole numbers, which belongs to the base classifier of a real
    shift; those that a radius speaks of are whole numbers, at which it is asked about the same
    images. A sample holds the input's own values, so it is exact. Cyclic shifts alone are a group:
    what an edge swallows does not come back.

    Attributes:
        sigma: standard deviation of a shift along an axis before rounding, > 0, in pixels.
        layout: where the channels are; None for images of two axes.
        norm: translation, that is the Euclidean length of (dy, dx).
    """

    layout: str | None = None
    norm: str = "translation"

    name: ClassVar[str] = "translation"
    norms: ClassVar[tuple[str, ...]] = ("translation",)

    def open(self, place: Place) -> Drawing:
        """Return the shifts of a block."""
        self.check_space(place.space)
        return _ShiftedBlock(self, place)


class _ShiftedBlock:
    """The shifts of one block in their order."""

    def __init__(self, law: Translation, place: Place) -> None:
        self._shifts = exact_block()(law.noise.table(1.0), place.key, place.block)
        self._sides, self._space = law.sides, place.space

    def draw(self, count: int) -> NDArray[np.int16]:
        """Return (dy, dx) of the next ``count`` / size samples; see :class:`Drawing`."""
        return self._shifts.draw(2 * (count // self._space.size)).reshape(-1, 2)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        image = base.reshape(self._space.shape).astype(np.float32) / divisor
        out[:] = rolled(image, self._sides, self.draw(out.size)).reshape(out.shape)


def rolled(
    image: NDArray[Any], sides: tuple[int, int], shifts: NDArray[np.integer[Any]]
) -> NDArray[Any]:
    """Return an image shifted around the edges by each of some (dy, dx), (samples, \\*shape).

    Args:
        image: of any layout.
        sides: the axes of height and width.
        shifts: whole pixels down and to the right, (samples, 2).
    """
    size = tuple(image.shape[axis] for axis in sides)
    # Every shift is a window of the image beside itself: [y, x] is that from (y, x) on.
    twice = np.concatenate([image, image], sides[0])
    twice = np.concatenate([twice, twice], sides[1])
    windows = np.moveaxis(sliding_window_view(twice, size, sides), sides, (0, 1))
    windows = np.moveaxis(windows, (-2, -1), [2 + axis for axis in sides])
    y, x = -shifts.astype(np.int64).T
    shifted: NDArray[Any] = windows[y % size[0], x % size[1]]
    return shifted
