"""Derandomised ablation against patches: columns and blocks (Levine & Feizi, arXiv 2002.10733).

The classifier sees one band or block of the image and nothing of the rest, once for each place that
this may have. A patch can only change the answers at the places where it is seen.

A sample has two channels for each channel of the image: x where a pixel is kept and 0 elsewhere,
then 1 - x where it is kept and 0 elsewhere, so that a black pixel, (0, 1), differs from an ablated
one, (0, 0). The x-channels come first, all of them, on the channel axis of either layout. Both are
float32: x is the input without noise, 1 - x the difference rounded once. The models of the paper
take this from inputs in [0, 1], as do those of the ablation that came before (arXiv 1911.09272).

The paper lets a base classifier vote for every class whose score is above a threshold, none or
several. Here each place has the vote of the class with the highest score and no other. The
certificate holds for any function of the sample as long as a place has one vote to change, and so
holds for this.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.law import EnumeratedNoise
from rsonnx.noise.space import InputSpace, Point

_LAYOUTS = ("NCHW", "NHWC")


@dataclass(frozen=True)
class _Part(EnumeratedNoise):
    """What columns and blocks have in common.

    Attributes:
        width: s, the side of what is kept, in pixels; at least 1 and at most the image's.
        layout: where the channels of the images are, ``"NCHW"`` or ``"NHWC"``.
        norm: patch: a radius is the side, in pixels, of a square of the image in which every value
            may become any other one; a whole number.
    """

    width: int
    layout: str
    norm: str = "patch"

    norms: ClassVar[tuple[str, ...]] = ("patch",)

    def __post_init__(self) -> None:
        width = self.width
        if isinstance(width, bool) or not isinstance(width, Integral) or width < 1:
            raise UsageError(
                f"the width is {width!r}, but a whole number of pixels, at least 1, was expected"
            )
        object.__setattr__(self, "width", int(width))
        if self.layout not in _LAYOUTS:
            raise UsageError(
                f"the layout is {self.layout!r}, but {' or '.join(_LAYOUTS)} was expected"
            )
        self._check_norm()

    @property
    def settings(self) -> str:
        """``width 4``."""
        return f"width {self.width}"

    @property
    def label(self) -> str:
        """``columns of width 4``."""
        return f"{self.name} of {self.settings}"

    @abstractmethod
    def kept(self, places: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
        """Return the pixels that are kept at each of some places, (places, 1 or height, width)."""

    @abstractmethod
    def places(self, height: int, width: int) -> int:
        """Return how many places there are in an image."""

    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return how many places there are, the first being 0, in an image of ``shape``."""
        return self.places(*self.sides(shape))

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a sample, with twice the channels of an input of ``shape``."""
        self.sides(shape)
        axis = self.channel_axis
        return (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :])

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an input, with half the channels that a classifier takes."""
        self.sides(shape)
        axis = self.channel_axis
        if shape[axis] % 2:
            raise UsageError(
                f"the classifier takes images of {shape[axis]} channels ({self.layout}), but one "
                f"for {self.name} noise takes x and 1 - x of every channel, which is an even "
                "number; use a model that was trained for it, or declare the other layout"
            )
        return (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])

    def check(self, point: Point) -> None:
        """Refuse an input that is no image of the layout with values in [0, 1]."""
        super().check(point)
        self._check_space(point.space)

    def unchanged(self, point: Point) -> NDArray[np.float32]:
        """Return an input of which everything is kept, in the shape of a sample."""
        x = point.values()
        return np.concatenate([x, np.float32(1) - x], axis=self.channel_axis)

    def open(self, place: Place) -> Drawing:
        """Return the outcomes of a block."""
        self._check_space(place.space)
        return _PartBlock(self, place)

    @property
    def channel_axis(self) -> int:
        """Which of the three axes of an image has its channels."""
        return 0 if self.layout == "NCHW" else 2

    def sides(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return height and width of an image, or refuse what is none or is too small."""
        if len(shape) != 3 or not all(shape):
            raise UsageError(
                f"{self.name} noise is for images, whose shape has three axes ({self.layout[1:]}), "
                f"but these inputs have the shape {list(shape)}"
            )
        height, width = shape[1:] if self.layout == "NCHW" else shape[:2]
        if self.width > self._room(height, width):
            raise UsageError(
                f"the width is {self.width}, but the images have {height} x {width} pixels "
                f"({self.layout}); keep fewer of them"
            )
        return height, width

    @staticmethod
    @abstractmethod
    def _room(height: int, width: int) -> int:
        """Return the largest width that can be kept of an image."""

    def _check_space(self, space: InputSpace) -> None:
        if space.layout not in (None, self.layout):
            raise UsageError(
                f"the noise was made for images in {self.layout}, but these are in {space.layout}; "
                "make it for their layout"
            )
        self.sides(space.shape)
        if space.bounds != (0.0, 1.0):
            low, high = space.bounds
            raise UsageError(
                f"{self.name} noise is for inputs with the bounds 0 and 1, since it shows x and "
                f"1 - x, but these have {low:g} and {high:g}; declare inputs of [0, 1]"
            )


@dataclass(frozen=True)
class Columns(_Part):
    """A band of ``width`` columns is kept, beginning at any of the W columns and wrapping around.

    An m x m patch is seen in a band if one of its m columns is: from m + s - 1 places at most. So
    an answer whose lead is 2(m + s - 1) stands (see :meth:`EnumeratedNoise.certify`), whatever is
    in the patch, wherever it is, and though it reaches over the edge.
    """

    name: ClassVar[str] = "columns"

    def radius_within(self, changed: int) -> float:
        """Return the largest whole m >= 0 with m + s - 1 <= ``changed``."""
        return float(max(0, changed - self.width + 1))

    def places(self, height: int, width: int) -> int:
        """Return W; place p keeps the columns p, ..., p + s - 1 modulo W."""
        del height
        return width

    def kept(self, places: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
        """Return the columns that are kept at each of some places, (places, 1, width)."""
        del height
        return _near(places, width, self.width)[:, np.newaxis, :]

    @staticmethod
    def _room(height: int, width: int) -> int:
        del height
        return width


@dataclass(frozen=True)
class Blocks(_Part):
    """A block of ``width`` x ``width`` pixels is kept, at any of H·W places, wrapping around.

    An m x m patch is seen in a block if one of its pixels is: from (m + s - 1)² places at most. So
    an answer whose lead is 2(m + s - 1)² stands (see :meth:`EnumeratedNoise.certify`).
    """

    name: ClassVar[str] = "blocks"

    def radius_within(self, changed: int) -> float:
        """Return the largest whole m >= 0 with (m + s - 1)² <= ``changed``."""
        return float(max(0, math.isqrt(changed) - self.width + 1))

    def places(self, height: int, width: int) -> int:
        """Return H·W; the block's first pixel is at row p // W, column p mod W."""
        return height * width

    def kept(self, places: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
        """Return the pixels that are kept at each of some places, (places, height, width)."""
        rows = _near(places // width, height, self.width)
        columns = _near(places % width, width, self.width)
        return rows[:, :, np.newaxis] & columns[:, np.newaxis, :]

    @staticmethod
    def _room(height: int, width: int) -> int:
        return min(height, width)


def _near(starts: NDArray[np.int64], length: int, kept: int) -> NDArray[np.bool_]:
    """Return which of ``length`` places are the ``kept`` from each start on, around the end."""
    found: NDArray[np.bool_] = (np.arange(length) - starts[:, np.newaxis]) % length < kept
    return found


class _PartBlock:
    """The outcomes of one block in their order."""

    def __init__(self, law: _Part, place: Place) -> None:
        self._law = law
        self._space = place.space
        self._places = law.evaluations(place.space.shape)
        self._next = place.first

    def draw(self, count: int) -> NDArray[np.int64]:
        """Return the places of the next ``count`` / size samples."""
        stop = self._next + count // self._space.size
        drawn = np.arange(self._next, stop) % self._places
        self._next = stop
        return drawn

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        law, shape = self._law, self._space.shape
        x = base.reshape(shape).astype(np.float32) / divisor
        axis = law.channel_axis
        whole = np.concatenate([x, np.float32(1) - x], axis=axis)
        places = self.draw(len(out) * self._space.size)
        kept = law.kept(places, *law.sides(shape))
        # Copied, not multiplied: what is ablated leaves no trace, not even the sign of a zero.
        out.fill(0)
        mask = kept[:, np.newaxis] if axis == 0 else kept[..., np.newaxis]
        np.copyto(out.reshape(len(out), *whole.shape), whole, where=mask)
