"""Derandomised ablation against patches: columns and blocks (Levine & Feizi, arXiv 2002.10733).

The classifier sees one band or block of the image and nothing of the rest, once for each place that
this may have. A patch can only change the answers at the places where it is seen.

The paper lets a base classifier vote for every class whose score is above a threshold, none or
several. Here each place has the vote of the class with the highest score and no other. The
certificate holds for any function of the sample as long as a place has one vote to change, and so
holds for this.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.arguments import check_choice
from rsonnx.errors import UsageError
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.enumerated import EnumeratedNoise, OutcomeBlock
from rsonnx.noise.options import option
from rsonnx.noise.pairs import AXES, PairedNoise
from rsonnx.noise.scale import check_whole


@dataclass(frozen=True)
class _Part(PairedNoise, EnumeratedNoise):
    """What columns and blocks have in common.

    Attributes:
        width: s, the side of what is kept, in pixels; at least 1 and at most the image's.
        layout: where the channels of the images are, ``"NCHW"`` or ``"NHWC"``.
        norm: patch: a radius is the side, in pixels, of a square of the image in which every value
            may become any other one; a whole number.
    """

    width: int = field(metadata=option("W", "side of what is kept, in pixels"))
    layout: str
    norm: str = "patch"

    norms: ClassVar[tuple[str, ...]] = ("patch",)
    bands: ClassVar[bool]
    """Whether what is kept has the height of the image."""

    def __post_init__(self) -> None:
        self._settle(width=check_whole("the width", self.width, 2**31, "a number of pixels"))
        check_choice("the layout", self.layout, AXES)
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
        """Return how many places there are in an image, the first being 0."""

    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return how many places there are in an image of ``shape``."""
        self.check_shape(shape)
        return self.places(*self.sides(shape))

    def sides(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return height and width of an image."""
        return shape[1:] if self.axis == 0 else shape[:2]  # type: ignore[return-value]

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse what is no image of the layout, or is too small."""
        super().check_shape(shape)
        height, width = self.sides(shape)
        if self.width > (width if self.bands else min(height, width)):
            raise UsageError(
                f"the width is {self.width}, but the images have {height} x {width} pixels "
                f"({self.layout}); keep fewer of them"
            )

    def open(self, place: Place) -> Drawing:
        """Return the outcomes of a block."""
        self.check_space(place.space)
        return _PartBlock(self, place)


@dataclass(frozen=True)
class Columns(_Part):
    """A band of ``width`` columns is kept, beginning at any of the W columns and wrapping around.

    An m x m patch is seen in a band if one of its m columns is: from m + s - 1 places at most. So
    an answer whose lead is 2(m + s - 1) stands (see :meth:`EnumeratedNoise.certify`), whatever is
    in the patch, wherever it is, and though it reaches over the edge.
    """

    name: ClassVar[str] = "columns"
    shows: ClassVar[str] = "a band of the pixels"
    bands: ClassVar[bool] = True

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


@dataclass(frozen=True)
class Blocks(_Part):
    """A block of ``width`` x ``width`` pixels is kept, at any of H·W places, wrapping around.

    An m x m patch is seen in a block if one of its pixels is: from (m + s - 1)² places at most. So
    an answer whose lead is 2(m + s - 1)² stands (see :meth:`EnumeratedNoise.certify`).
    """

    name: ClassVar[str] = "blocks"
    shows: ClassVar[str] = "a block of the pixels"
    bands: ClassVar[bool] = False

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


def _near(starts: NDArray[np.int64], length: int, kept: int) -> NDArray[np.bool_]:
    """Return which of ``length`` places are the ``kept`` from each start on, around the end."""
    near: NDArray[np.bool_] = (np.arange(length) - starts[:, np.newaxis]) % length < kept
    return near


class _PartBlock(OutcomeBlock):
    """The outcomes of one block in their order."""

    def __init__(self, law: _Part, place: Place) -> None:
        super().__init__(law.evaluations(place.space.shape), place)
        self._law = law

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next samples; see :class:`Drawing`."""
        law, shape = self._law, self._space.shape
        whole = law.encoded(base.reshape(shape), divisor)
        kept = law.kept(self.draw(len(out) * self._space.size), *law.sides(shape))
        # Copied, not multiplied: what is ablated leaves no trace, not even the sign of a zero.
        out.fill(0)
        mask = kept[:, np.newaxis] if law.axis == 0 else kept[..., np.newaxis]
        np.copyto(out.reshape(len(out), *whole.shape), whole, where=mask)
