"""What a smoothed classifier takes: arrays and points of the declared space, all else refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import DataError, UsageError
from rsonnx.noise import Arithmetic, InputSpace, Law, Point, check_bounds
from rsonnx.runtime import BaseClassifier
from rsonnx.scalars import shown


@dataclass(frozen=True)
class Domain:
    """The inputs of a smoothed classifier, and the point that each of them is.

    Attributes:
        noise: that is to be added.
        bounds: lowest and highest value of an input.
        arithmetic: to insist on; None takes exact noise where every value is on the grid.
        layout: where the channels of an image are, if it is one.
        shape: of every input, without the batch axis; None where the base classifier takes any.
    """

    noise: Law
    bounds: tuple[float, float]
    arithmetic: Arithmetic | None
    layout: str | None
    shape: tuple[int, ...] | None

    @classmethod
    def of(
        cls,
        base: BaseClassifier,
        noise: Law,
        declared: tuple[float, float] | None,
        arithmetic: Arithmetic | None,
    ) -> Domain:
        """Return what a base classifier takes under a noise.

        Args:
            base: whose own bounds, layout and shape count where it has them.
            noise: whose layout counts where the base classifier has none.
            declared: bounds; None takes those of the base classifier, else (0, 1).
            arithmetic: as the attribute.

        Raises:
            UsageError: bounds are declared that are not the base classifier's own.
        """
        layout: str | None = getattr(base, "layout", None)
        shape = getattr(base, "shape", None)
        return cls(
            noise,
            _bounds(base, declared),
            arithmetic,
            getattr(noise, "layout", None) if layout is None else layout,
            None if shape is None else noise.input_shape(shape),
        )

    def point(self, x: NDArray[Any] | Point) -> Point:
        """Return the point of an input, or refuse it with a DataError; an own point is itself."""
        if isinstance(x, Point):
            return self._checked(x)
        if np.ma.is_masked(x):
            raise DataError("some values of the input are masked; fill them, or leave it out")
        try:
            x = np.asarray(x)
        except (ValueError, TypeError, OverflowError):  # lists of several lengths
            raise DataError(f"the input is {shown(x)}, but an array was expected") from None
        if self.noise.in_units and x.dtype == np.uint8 and self.bounds != (0.0, 255.0):
            raise DataError(
                f"the input has type uint8, which means 256 levels between the bounds, but "
                f"{self.noise.name} noise takes whole numbers between {self.bounds[0]:g} and "
                f"{self.bounds[1]:g}; convert it to another type"
            )
        space = self._space_of(x.shape)
        point = space.point(x, self._arithmetic_of(x, space))
        self.noise.check(point)
        return point

    def _arithmetic_of(self, x: NDArray[Any], space: InputSpace) -> Arithmetic | None:
        """Return the arithmetic to insist on; None takes the grid where every value is on it."""
        if not self.noise.exact:
            return "float"
        if not self.noise.additive:
            return None  # the input's own values, which are not added to
        sigma = self.noise.deviation or 0.0
        if self.arithmetic is None and x.dtype != np.uint8 and sigma < space.step:
            return "float"  # values that happen to be levels, of which noise shows nothing
        return self.arithmetic

    def _space_of(self, shape: tuple[int, ...]) -> InputSpace:
        """Return the space of an input of this shape: the one of all, where it is known."""
        return self._space or InputSpace(shape, self.bounds, self.layout, self.noise.fixed)

    @cached_property
    def _space(self) -> InputSpace | None:
        if self.shape is None:
            return None
        return InputSpace(self.shape, self.bounds, self.layout, self.noise.fixed)

    def _checked(self, point: Point) -> Point:
        expected = self._space_of(point.space.shape)
        if point.space != expected:
            raise DataError(
                f"the point is of shape {point.space.shape} and bounds {point.space.bounds}, but "
                f"{expected.shape} and {expected.bounds} were expected; make it with point()"
            )
        if self.arithmetic not in (None, point.arithmetic):
            raise DataError(
                f"the point has {point.arithmetic} arithmetic, but {self.arithmetic} was asked "
                "for; make it with point()"
            )
        self.noise.check(point)
        return point


def _bounds(base: BaseClassifier, declared: tuple[float, float] | None) -> tuple[float, float]:
    """Return the bounds of an input: the base classifier's own, or those that are declared."""
    own = getattr(base, "bounds", None)
    if declared is None:
        return check_bounds((0.0, 1.0) if own is None else own)
    bounds = check_bounds(declared)
    if own is not None and check_bounds(own) != bounds:
        raise UsageError(
            f"the bounds {bounds} were declared, but the base classifier was made for {own}; "
            "declare them where it is loaded"
        )
    return bounds
