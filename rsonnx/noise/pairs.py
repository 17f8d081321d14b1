"""Noise that shows a few pixels of an image and ablates the others: each channel twice, as pairs.

A kept pixel is (x, 1 - x) and an ablated one (0, 0), so that a black pixel, (0, 1), differs from
it: a sample has x of every channel, then 1 - x of every channel, on the channel axis of either
layout. Both are float32: x is the input without noise, 1 - x the difference rounded once. The
models of Levine and Feizi (arXiv 1911.09272, 2002.10733) take this from inputs in [0, 1].
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.noise.law import Law
from rsonnx.noise.space import LEVELS, InputSpace, Point

AXES = {"NCHW": 0, "NHWC": 2}

_CHANNELS = (2, 6)
"""The channels of a grey and of a colour image, twice."""


def layouts(shape: tuple[int, ...]) -> list[str]:
    """Return where the channels may be that show x and 1 - x of an image, in a model's inputs."""
    return [layout for layout, axis in AXES.items() if len(shape) == 3 and shape[axis] in _CHANNELS]


class PairedNoise(Law):
    """What the laws of such samples have in common."""

    additive: ClassVar[bool] = False
    claim: ClassVar[int] = 2

    shows: ClassVar[str]
    """Of an image, for a sentence: ``a band of the pixels``."""

    layout: str | None
    """Where the channels of an image are; None for inputs of one axis, where a law takes them."""

    @classmethod
    def suits(cls, space: InputSpace) -> str | None:
        """Images whose channels may be pairs."""
        if not any(space.layout in (None, layout) for layout in layouts(space.shape)):
            return None
        return f"the channels can be x and 1 - x of images of which {cls.shows} are shown"

    @classmethod
    def from_model(cls, shape: tuple[int, ...], layout: str | None) -> dict[str, Any]:
        """Return the layout, as it is said or as the channels tell it; see :class:`Law`."""
        possible = layouts(shape) if layout is None else [layout]
        if len(possible) != 1:
            raise UsageError(
                f"{cls.name} noise needs a model that takes x and 1 - x, with 2 or 6 channels "
                f"first or last, not both, but it takes {'x'.join(map(str, shape))}"
            )
        return {"layout": possible[0] if len(shape) == 3 else None}

    @property
    def axis(self) -> int:
        """The axis of an input that a sample has twice."""
        return 0 if self.layout is None else AXES[self.layout]

    def sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a sample, with twice the channels of an input of ``shape``."""
        self.check_shape(shape)
        return tuple(2 * n if i == self.axis else n for i, n in enumerate(shape))

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an input, with half the channels that a classifier takes."""
        if self.axis < len(shape) and shape[self.axis] % 2:
            raise UsageError(
                f"{self.name} noise shows x and 1 - x of each, so an even number, but the "
                f"classifier takes {shape[self.axis]} channels; declare the layout, or use another"
            )
        own = tuple(n // 2 if i == self.axis else n for i, n in enumerate(shape))
        self.check_shape(own)
        return own

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse inputs that are no images of the layout."""
        if len(shape) != (1 if self.layout is None else 3) or not all(shape):
            axes = "one axis" if self.layout is None else f"three axes ({self.layout[1:]})"
            raise UsageError(
                f"inputs have the shape {list(shape)}, but {self.name} noise was made for {axes}"
            )

    def check_space(self, space: InputSpace) -> None:
        """Refuse inputs of another shape or layout, or bounds other than (0, 1)."""
        super().check_space(space)
        self.check_shape(space.shape)
        if space.layout not in (None, self.layout):
            raise UsageError(
                f"the noise was made for inputs in {self.layout}, but these are in {space.layout}; "
                "make it for their layout"
            )
        if space.bounds != (0.0, 1.0):
            raise UsageError(
                f"{self.name} noise shows x and 1 - x, so inputs must have the bounds 0 and 1, but "
                f"they are {space.bounds[0]:g} and {space.bounds[1]:g}; declare inputs of [0, 1]"
            )

    def unchanged(self, point: Point) -> NDArray[np.float32]:
        """Return an input of which everything is kept, in the shape of a sample."""
        self.check(point)
        divisor = np.float32(LEVELS if point.arithmetic == "exact" else 1)
        return self.encoded(point.data, divisor)

    def encoded(self, x: NDArray[Any], divisor: np.float32) -> NDArray[np.float32]:
        """Return all pixels as (x, 1 - x), float32 in the shape of a sample.

        Args:
            x: the input in its shape: uint8 levels, or float64 values.
            divisor: what they are divided by.
        """
        values = x.astype(np.float32) / divisor
        return np.concatenate([values, np.float32(1) - values], axis=self.axis)
