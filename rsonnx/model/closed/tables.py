"""Tensors whose elements depend on one cut value each, as a run of the model gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rsonnx.model.closed.cells import cell_rows
from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.closed.runs import Inside, Tensors
from rsonnx.model.closed.values import Fixed, Sums, Terms, unit_of

_MOST_NUMBERS = 1 << 28
"""Numbers that all tensors hold together in the run."""

_NONE = -1
"""In place of a cut value's number: nothing is depended on."""

MANY = -2
"""More than one cut value is."""


class Tables:
    """All tensors of a model for an input in each cell of each cut value.

    Args:
        terms: the cells.
        inside: the model.
        seen: its tensors.
        names: those that are run.
        size: values of an input.
    """

    def __init__(
        self, terms: Terms, inside: Inside, seen: Tensors, names: Sequence[str], size: int
    ) -> None:
        self._terms, self._seen = terms, seen
        self._numbers = {cuts.at: i for i, cuts in enumerate(terms.cuts)}
        rows = cell_rows(terms.cuts, size)
        if sum(math.prod(seen.shape(name, len(rows))) for name in names) > _MOST_NUMBERS:
            raise NotClosedError("it has too many cells")
        self._held = dict(zip(names, inside.run(names, rows), strict=True))

    def rows(self, name: str) -> NDArray[np.float64]:
        """Return a tensor of one row an input, (cells, elements)."""
        held = self._held[name]
        return held.reshape(len(held), -1).astype(np.float64)

    def at(self, places: NDArray[np.intp]) -> NDArray[np.int_]:
        """Return the number of the cut value at each place of the input, or that it is none."""
        numbers = [self._numbers.get(int(place), _NONE) for place in places.flat]
        return np.array(numbers, np.int_).reshape(places.shape)

    def behind(self, sums: Sums) -> NDArray[np.int_]:
        """Return the number of the cut value that each element of sums depends on."""
        rows, starts = np.moveaxis(sums.coefficients, sums.axis, 0), self._terms.starts
        numbers = np.full(rows.shape[1:], _NONE)
        for i, (start, stop) in enumerate(pairwise(starts)):
            varies = (rows[start:stop] != rows[start]).any(axis=0)
            numbers = merged(numbers, np.where(varies, i, _NONE))
        return np.expand_dims(numbers, sums.axis)

    def value(self, name: str, numbers: NDArray[np.int_]) -> Sums | Fixed | None:
        """Return a tensor as it was run, each element by the cut value that it depends on.

        Args:
            name: of the tensor.
            numbers: of the cut values, in its shape in a batch of one.
        """
        held, axis = self._held[name], self._seen.axis(name)
        if axis is None or held.dtype.kind not in "fiub":
            return None
        numbers = np.broadcast_to(numbers, self._seen.shape(name, 1))
        rows = np.moveaxis(held.astype(np.float64), axis, 0)
        if not np.isfinite(rows).all():
            raise NotClosedError("it computes numbers that are not finite")
        of = np.moveaxis(numbers, axis, 0)[0]
        coefficients, starts = np.zeros((len(self._terms), *rows.shape[1:])), self._terms.starts
        coefficients[0] = np.where(of == _NONE, rows[0], 0)
        for i, (start, stop) in enumerate(pairwise(starts)):
            coefficients[start:stop] = np.where(of == i, rows[start - 1 : stop - 1], 0)
        made = np.moveaxis(coefficients, 0, axis)
        sums = Sums(made, np.abs(made), axis, 0, unit_of(coefficients))
        if (self.behind(sums) == _NONE).all():
            return Fixed(np.take(held, [0], axis))
        return sums


def merged(*numbers: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return on which cut value elements depend that are made of others, which broadcast."""

    def two(left: NDArray[np.int_], right: NDArray[np.int_]) -> NDArray[np.int_]:
        either = np.where(left == _NONE, right, left)
        return np.where((left == right) | (left == _NONE) | (right == _NONE), either, MANY)

    return reduce(two, numbers)
