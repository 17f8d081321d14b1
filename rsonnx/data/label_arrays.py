"""Arrays of labels: whole numbers, one-hot rows, or the names of classes."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.data.forms.npy import StoredArray
from rsonnx.data.limits import check_fits
from rsonnx.data.names import text_labels
from rsonnx.errors import DataError
from rsonnx.scalars import shown

_BYTES_A_CELL = 3
"""What a look at one-hot rows takes beside them."""

_LONGEST = 1000
"""Characters that a class name may have at most: run files hold them."""

_SURROGATES = 0xD800 >> 11
"""Halves of characters, which stand in no text, by their upper bits."""

_LARGEST = 2**53
"""Up to here a float64 that is a whole number is no other's rounding."""


def array_labels(
    y: NDArray[Any] | StoredArray,
    count: int,
    classes: tuple[str, ...] | None,
    *,
    where: str,
    rule: str,
) -> tuple[tuple[int, ...], tuple[str, ...] | None, str]:
    """Return labels as numbers, what those are called, and the label rule.

    - (N,) or (N, 1): whole numbers of any type, numbers as text, or names of classes.
    - (N, K): one-hot rows, of zeros and exactly one 1. Rows of anything else are no labels.

    Args:
        y: the array.
        count: how many inputs there are.
        classes: the given class names.
        where: what messages call the array.
        rule: the rule's phrase, of numbers.

    Raises:
        DataError: it is none of these, of another length, or a name is none of ``classes``.
    """
    kind, shape = y.dtype.kind, y.shape
    width = y.dtype.itemsize // (4 if kind == "U" else 1)
    if kind not in "iufbUS" or not 0 < width <= _LONGEST:
        raise DataError(
            f"{where} has type {y.dtype}, but labels are whole numbers or names of classes; "
            "convert it, for instance with y.astype('int64')"
        )
    one_hot = len(shape) == 2 and shape[1] > 1 and kind in "iufb"
    if not shape or (shape[1:] not in ((), (1,)) and not one_hot):
        raise DataError(
            f"{where} has shape {shape}, but (N,) or (N, 1), or (N, K) of one-hot rows, is needed; "
            "save one label an input"
        )
    if shape[0] != count:
        raise DataError(
            f"{where} has {shape[0]} labels, but there are {count} examples; save as many of both"
        )
    if one_hot:
        check_fits((_BYTES_A_CELL + y.dtype.itemsize) * math.prod(shape), where)
    values = y.array() if isinstance(y, StoredArray) else y
    if one_hot:
        return _places(values, where), classes, f"{rule}, one-hot"
    values = values.reshape(-1)
    if kind in "US":
        return text_labels(_texts(values, where), classes, where, rule)
    if kind == "f":
        values = values.astype(np.float64)
        wrong = not_whole(values)
        if wrong.size:
            raise DataError(
                f"{where} has the label {values[wrong[0]]:g} at {wrong[0]}, but labels are whole "
                "numbers or names of classes; correct it"
            )
    return tuple(map(int, values.tolist())), classes, rule


def not_whole(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return where numbers are none that a label may be: fractions, NaN, or rounded ones."""
    return np.flatnonzero((np.rint(values) != values) | ~(np.abs(values) <= _LARGEST))


def _places(rows: NDArray[Any], where: str) -> tuple[int, ...]:
    """Return where the 1 of each one-hot row is."""
    wrong = np.flatnonzero(((rows != 0) & (rows != 1)).any(axis=1) | ((rows == 1).sum(axis=1) != 1))
    if wrong.size:
        raise DataError(
            f"{where} has shape {rows.shape}, but row {wrong[0]} has not one 1 and zeros: "
            f"{shown(rows[wrong[0]].tolist())}; save one label an input"
        )
    return tuple(rows.argmax(axis=1).tolist())


def _texts(values: NDArray[Any], where: str) -> list[str]:
    refusal = DataError(f"{where} holds text that is not Unicode; save it again")
    if values.dtype.kind == "S":
        try:
            return [text.decode() for text in values.tolist()]
        except UnicodeDecodeError:
            raise refusal from None
    points = np.array(values, values.dtype.newbyteorder("=")).view(np.uint32)
    if ((points > sys.maxunicode) | (points >> 11 == _SURROGATES)).any():
        raise refusal
    return [str(text) for text in values]
