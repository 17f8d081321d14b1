"""What the proof knows of a tensor: its shape, with the number of rows N as a symbol in it.

An axis of length k·N holds the rows of a batch: its entries i·k to (i+1)·k - 1 depend on row i of
the input, and on no other; or its rows come round several times, see :class:`Multiple`. A tensor
whose shape has no such axis depends on no input.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_VALUES = 1024
"""Tensors of more values are followed by their shape alone."""

MOST_SIZE, MOST_AXES = 2**62, 64
"""Bounds on a shape, which no runtime reaches."""

_MOST_FACTOR = 2**14
"""Up to this factor a multiple of N has 32 bits for batches of up to 2^17 rows."""


class UnprovedError(Exception):
    """A step that the proof cannot follow; its text says what in few words, or is empty."""


@dataclass(frozen=True)
class Multiple:
    """The number ``factor``·N, for a batch of N >= 1 rows.

    Attributes:
        factor: at least 1.
        of: the mask whose true entries are counted in place of rows, N >= 0 of them; None where all
            rows are. Masks are told apart by their identity.
        outer: of an axis, how often its rows come round, a divisor of ``factor``: its entries
            (o·N + i)·k + j are those of row i, for o below ``outer`` and j below k.
        some: whether the mask is known to have true entries, N >= 1.
    """

    factor: int
    of: Tensor | None = None
    outer: int = 1
    some: bool = field(default=False, compare=False)

    @property
    def least(self) -> int:
        """The smallest that the number can be."""
        return self.factor if self.of is None or self.some else 0

    def __add__(self, other: Any) -> Multiple:
        if isinstance(other, Multiple):
            return self._times(self.factor + other.factor, other)
        return self._if(other == 0)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Multiple | int:
        if isinstance(other, Multiple):
            return 0 if other == self else self._times(self.factor - other.factor, other)
        return self._if(other == 0)

    def __mul__(self, other: Any) -> Multiple | int:
        return 0 if _integer(other) == 0 else self._times(self.factor * int(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Multiple | int:
        if isinstance(other, Multiple):
            if self.of is not other.of or not other.least:
                raise UnprovedError("a division by a number that may be 0")
            return self.factor // other.factor
        return self._times(_exact(self.factor, _integer(other)))

    def __mod__(self, other: Any) -> int:
        _exact(self.factor, _integer(other))
        return 0

    def _times(self, factor: int, other: Multiple | None = None) -> Multiple:
        self._if(factor >= 1 and (other is None or other.of is self.of))
        return Multiple(factor, self.of, some=self.some)

    def _if(self, holds: bool) -> Multiple:
        if not holds:
            raise UnprovedError("a number that is no multiple of the rows")
        return self


@dataclass(frozen=True)
class NonEmpty:
    """Whether a mask has a true entry: a truth value that depends on all rows of a batch.

    Attributes:
        of: the mask, told apart by its identity.
    """

    of: Tensor


Dim = int | Multiple | None
"""One entry of a shape; None is a number that depends on no input and is not known."""

Shape = tuple[Dim, ...]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of which each row depends on its own row of the input alone, or on none at all.

    Attributes:
        shape: at most one entry is a multiple of N; None where not even the rank is known, which
            only a tensor that depends on no input may be.
        value: what it holds, where it is small, known and depends on no input: an array of numbers,
            or of objects where some of them are multiples of N, or the lone truth value that a
            mask has true entries.
        narrow: whether the numbers among those objects have 32 bits.
        places: the mask whose true entries' places along its one axis it holds, in their order;
            they are row numbers, so they may be used to take those rows and for nothing else.
        long: whether it may hold whole numbers of 64 bits that depend on rows.
    """

    shape: Shape | None
    value: NDArray[Any] | None = None
    narrow: bool = False
    places: Tensor | None = None
    long: bool = False

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.dims)

    @property
    def dims(self) -> Shape:
        """The shape, where it must be known."""
        if self.shape is None:
            raise UnprovedError("a shape that is not known")
        return self.shape

    @property
    def axis(self) -> int | None:
        """The axis of the rows; None where the tensor depends on no input."""
        return rows_axis(self.shape or ())

    @property
    def counts_rows(self) -> bool:
        """Whether its values depend on the number of rows."""
        return self.value is not None and self.value.dtype == object

    @property
    def is_fixed(self) -> bool:
        """Whether it depends neither on an input nor on the number of rows."""
        return self.axis is None and not self.counts_rows


@dataclass(frozen=True)
class Coupled:
    """A tensor of which nothing is known, since ``by`` may mix rows or was not understood."""

    by: str


Value = Tensor | Coupled


def where_some(value: Tensor, mask: Tensor) -> Tensor:
    """Return a tensor as it is known where a mask has true entries; itself if that adds nothing."""
    dims = value.shape or ()
    if not any(isinstance(size, Multiple) and size.of is mask for size in dims):
        return value
    shape = (replace(size, some=True) if isinstance(size, Multiple) else size for size in dims)
    return replace(value, shape=tuple(shape))


def known(value: NDArray[Any], *, narrow: bool = False) -> Tensor:
    """Return the tensor of a small value; numbers of Python, ``narrow`` ones of 32 bits, become an
    array of numbers again.
    """
    if value.dtype != object or (value.shape == () and isinstance(value[()], NonEmpty)):
        return Tensor(value.shape, value)
    limit, most_factor = (2**31, _MOST_FACTOR) if narrow else (MOST_SIZE, MOST_SIZE)
    kinds = {type(number) for number in value.flat}
    if any(
        number.factor >= most_factor if isinstance(number, Multiple) else abs(number or 0) >= limit
        for number in value.flat
    ):
        raise UnprovedError("a number that is too large")
    if Multiple in kinds:
        return Tensor(value.shape, value, narrow)
    if type(None) in kinds:
        return Tensor(value.shape)
    return Tensor(value.shape, value.astype(bool if kinds <= {bool} else "i4" if narrow else "i8"))


def stored_shape(sizes: Sequence[int]) -> Shape:
    """Return the shape of a tensor that a file stores."""
    if len(sizes) > MOST_AXES:
        raise UnprovedError("a shape without sense")
    return tuple(sizes)


def rows_axis(shape: Shape) -> int | None:
    """Return the axis of the rows, None where there is none."""
    axes = [axis for axis, size in enumerate(shape) if isinstance(size, Multiple)]
    if len(axes) > 1:
        raise UnprovedError("rows that meet rows")
    return axes[0] if axes else None


def product(sizes: Iterable[Dim]) -> Dim:
    """Return the product of some entries of a shape, None where one is not known."""
    sizes = tuple(sizes)
    if None in sizes and any(isinstance(size, Multiple) for size in sizes):
        raise UnprovedError("a number of values that is not known")
    return None if None in sizes else reduce(mul, sizes, 1)


def count(shape: Shape | None) -> Dim:
    """Return how many values a tensor has, None where a size is not known."""
    return None if shape is None or None in shape else product(shape)


def join(a: Value, b: Value, by: str) -> Value:
    """Return what is true of both values; ``by`` is to blame where that is nothing."""
    if isinstance(a, Coupled):
        return a
    if isinstance(b, Coupled):
        return b
    equal = _same(a.value, b.value)
    if a.places is not b.places or (not equal and (a.counts_rows or b.counts_rows)):
        return Coupled(by)
    value = a.value if equal else None
    if a.shape is not None and b.shape is not None and len(a.shape) == len(b.shape):
        shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True))
        if rows_axis(shape) == a.axis == b.axis:
            return Tensor(shape, value, a.narrow or b.narrow, a.places)
    return Tensor(None) if a.is_fixed and b.is_fixed else Coupled(by)


def same(a: Value, b: Value) -> bool:
    """Return whether two values say the same."""
    if isinstance(a, Coupled) or isinstance(b, Coupled):
        return a == b
    alike = a.shape == b.shape and a.narrow == b.narrow and a.places is b.places
    return alike and _same(a.value, b.value)


def _same(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and bool(np.all(a == b))


def _integer(value: Any) -> int:
    if isinstance(value, bool | int | np.integer):
        return int(value)
    raise UnprovedError("arithmetic with the number of rows")


def _exact(factor: int, divisor: int) -> int:
    if divisor < 1 or factor % divisor:
        raise UnprovedError("a division of the number of rows")
    return factor // divisor
