"""The declared input space: the units of sigma and of the radius, and what lies on its grid.

An 8-bit image has 256 levels; level k stands for ``low + k * (high - low) / 255``. An input on that
grid can be smoothed exactly (see :mod:`rsonnx.noise.lattice`), any other only in floating point.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rsonnx.arguments import check_pair
from rsonnx.errors import DataError, UsageError
from rsonnx.grid import Scaling

LEVELS = 255
"""Steps between the lowest and the highest level of an 8-bit value."""

_ON_GRID = 1e-4
"""How far from a level, in steps, a float may be and still mean that level: float32 k/255 is within
2e-5 steps however it was computed, and the certificate is for the level itself."""

Arithmetic = Literal["exact", "float"]


@dataclass(frozen=True)
class InputSpace:
    """The space in which noise is added.

    Attributes:
        shape: of one input, without the batch axis, as the classifier takes it.
        bounds: lowest and highest value of an input, ``low < high``; infinite where there is none.
        layout: where the channels of an image are, ``"NCHW"`` or ``"NHWC"``; None where the input
            is no image. Used only to give one image one digest in both layouts.
        fixed: places of values, flat, that noise leaves as they are; bounds do not hold for them.
    """

    shape: tuple[int, ...]
    bounds: tuple[float, float] = (0.0, 1.0)
    layout: str | None = None
    fixed: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_bounds(self.bounds)

    @property
    def step(self) -> float:
        """Distance between two neighbouring levels, in the units of the input; may be infinite."""
        return (self.bounds[1] - self.bounds[0]) / LEVELS

    @property
    def size(self) -> int:
        """How many values one input has."""
        return math.prod(self.shape)

    def point(self, x: NDArray[Any], arithmetic: Arithmetic | None = None) -> Point:
        """Bring an array into this space, or refuse it with a DataError.

        Args:
            x: one input of this space's shape. ``uint8`` values are levels; numbers of any other
                type are in the units of ``bounds``, within them, and finite.
            arithmetic: ``"exact"`` to insist on the grid, ``"float"`` to stay off it; None takes
                the grid where every value is on it.
        """
        x = np.asarray(x)
        if x.shape != self.shape:
            raise DataError(f"the input has shape {x.shape}, but {self.shape} was expected")
        if not x.size:
            raise DataError(f"the input has shape {x.shape}, which holds no value to be changed")
        if x.dtype == np.uint8:
            return self._from_levels(x, x, arithmetic)
        if x.dtype.kind in "iub":
            x = x.astype(np.float64)  # whole numbers are values; only uint8 means levels
        if not np.issubdtype(x.dtype, np.floating):
            raise DataError(
                f"the input has type {x.dtype}, but uint8 (levels 0-255) or other numbers (values "
                "in the declared bounds) were expected; convert it"
            )
        self._check_values(x)
        levels = None if arithmetic == "float" else self._levels_of(x)
        if levels is not None:
            return self._from_levels(levels, x, arithmetic)
        if arithmetic == "exact":
            raise DataError(
                "exact noise needs an input on the grid of 256 levels between the bounds "
                f"{self.bounds}, but its values lie between levels; give uint8 values or use float"
            )
        return Point(self, _own(x, np.float64), *self._digests("float", x))

    def _from_levels(
        self, levels: NDArray[np.uint8], x: NDArray[Any], arithmetic: Arithmetic | None
    ) -> Point:
        if not math.isfinite(self.step):
            raise DataError(
                f"{x.dtype} values are levels between the bounds, but no finite bounds are "
                "declared; declare bounds or give floating-point values"
            )
        digests = self._digests("uint8", levels)
        if arithmetic == "float":
            return Point(self, self.values_of(levels).astype(np.float64), *digests)
        return Point(self, _own(levels, np.uint8), *digests)

    def _check_values(self, x: NDArray[Any]) -> None:
        bad = x.size - np.count_nonzero(np.isfinite(x))
        if bad:
            raise DataError(
                f"{bad} of {x.size} values of the input are NaN or infinite; only finite inputs "
                "can be certified"
            )
        noised = np.delete(x, self.fixed) if self.fixed else x
        (low, high), least, most = self.bounds, float(noised.min()), float(noised.max())
        slack = 1e-6 * (high - low) if math.isfinite(high - low) else 0.0
        if least < low - slack or most > high + slack:
            raise DataError(
                f"the input has values from {least:g} to {most:g}, but the declared bounds are "
                f"{low:g} to {high:g}; scale the input, or declare other bounds (or auto)"
            )

    def _levels_of(self, x: NDArray[Any]) -> NDArray[np.uint8] | None:
        if not math.isfinite(self.step):
            return None
        steps = (x.astype(np.float64) - self.bounds[0]) / self.step
        nearest = np.rint(steps)
        off = np.abs(steps - nearest).max(initial=0.0) > _ON_GRID
        return None if off else nearest.astype(np.uint8)

    def values_of(self, levels: NDArray[Any]) -> NDArray[np.float32]:
        """Return the float32 values of grid levels (any integers, also outside 0..255)."""
        values = np.empty(levels.shape, np.float32)
        np.copyto(values, levels)
        self.scale_levels(values)
        return values

    def scale_levels(self, levels: NDArray[np.float32]) -> None:
        """Turn grid levels, stored as float32, into values, in place.

        The map is part of the base classifier, so it must be one deterministic function of the
        level. For bounds (0, 1) it is the correctly rounded k/255 that image libraries compute.
        """
        if self.divisor != 1:
            np.divide(levels, self.divisor, out=levels)
        self.stretch(levels)

    @property
    def divisor(self) -> np.float32:
        """What :meth:`scale_levels` divides by first, a float32."""
        return np.float32(LEVELS if self.bounds == (0.0, 1.0) else 1)

    def stretch(self, levels: NDArray[np.float32]) -> None:
        """Do the rest of :meth:`scale_levels`, behind the division, in place."""
        low, high = self.bounds
        if (low, high) == (0.0, 1.0):
            return
        if self.step != 1.0:
            np.multiply(levels, np.float32(self.step), out=levels)
        if low != 0.0:
            np.add(levels, np.float32(low), out=levels)

    @property
    def scaling(self) -> Scaling:
        """The map of :meth:`scale_levels` in numbers, for a device."""
        low, high = self.bounds
        if (low, high) == (0.0, 1.0):
            return Scaling(float(LEVELS), None, None)
        return Scaling(None, self.step if self.step != 1.0 else None, low if low != 0.0 else None)

    def _digests(self, kind: str, values: NDArray[Any]) -> tuple[str, str]:
        """Return what the input is, in either layout, and what its noise is derived from."""
        picture = values.transpose(1, 2, 0) if self._channels_first else values
        return _digest(1, kind, picture), _digest(2, kind, values)

    def digests(self, levels: NDArray[np.uint8]) -> Iterator[str]:
        """Yield the digests of many points.

        Args:
            levels: of the grid, (points, *shape).
        """
        pictures = levels.transpose(0, 2, 3, 1) if self._channels_first else levels
        begun = hashlib.sha256(_prefix(1, "uint8", self.size))
        for picture in np.ascontiguousarray(pictures).reshape(len(levels), self.size):
            digest = begun.copy()
            digest.update(picture.data)
            yield digest.hexdigest()

    @property
    def _channels_first(self) -> bool:
        return self.layout == "NCHW" and len(self.shape) == 3


@dataclass(frozen=True, eq=False)
class Point:
    """One input in its declared space.

    Attributes:
        space: the space.
        data: uint8 levels of the grid, or float64 values, in the shape of the space.
        digest: SHA-256 of the values, channels last where the space has a layout: what it is.
        noise_digest: SHA-256 of the values in the order in which they are taken: what the noise is
            derived from.
    """

    space: InputSpace
    data: NDArray[Any]
    digest: str
    noise_digest: str

    @property
    def arithmetic(self) -> Arithmetic:
        """``"exact"`` for a point of the grid, else ``"float"``."""
        return "exact" if self.data.dtype == np.uint8 else "float"

    def values(self) -> NDArray[np.float32]:
        """Return the input without noise, as the classifier takes it."""
        if self.arithmetic == "exact":
            return self.space.values_of(self.data)
        return self.data.astype(np.float32)


def _digest(version: int, kind: str, values: NDArray[Any]) -> str:
    payload = np.ascontiguousarray(values, np.uint8 if kind == "uint8" else "<f8").tobytes()
    return hashlib.sha256(_prefix(version, kind, values.size) + payload).hexdigest()


def _prefix(version: int, kind: str, size: int) -> bytes:
    return f"rsonnx input {version} {kind} {size}\0".encode()


def _own(values: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """Return a read-only copy, so that a caller's later changes cannot part it from its digest."""
    copy = np.array(values, dtype, order="C")
    copy.setflags(write=False)
    return copy


def check_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    """Return ``bounds`` as two floats, or refuse them unless low < high."""
    low, high = check_pair(bounds)
    if not low < high:
        raise UsageError(f"bounds are {low:g} and {high:g}, but the first must be below the second")
    return low, high


def beyond_numbers() -> np.errstate:
    """Return a context in which noise may leave the numbers, as heavy tails and huge scales do.

    The classifier is then asked about infinities; scores that are none are never certified.
    """
    return np.errstate(over="ignore", divide="ignore", invalid="ignore")


def add(
    noise: NDArray[Any], base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]
) -> None:
    """Write (noise + base) / divisor; the sum is rounded to float32 once, and so is the quotient.

    Args:
        noise: shape (samples · size,).
        base: the input, shape (size,), which repeats from sample to sample.
        divisor: 1 leaves the sum as it is.
        out: float32 (samples, size).
    """
    with beyond_numbers():
        np.copyto(out, noise.reshape(out.shape) + base, casting="same_kind")
    if divisor != 1:
        np.divide(out, divisor, out=out)
