"""Arrays as data sets: one row an input, in a .npy file or in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsonnx.data.dataset import ArrayRows, Reading
from rsonnx.data.forms.npy import MAGIC, StoredArray, in_memory, stored_file
from rsonnx.data.label_arrays import array_labels
from rsonnx.data.limits import check_examples
from rsonnx.data.look import Look
from rsonnx.data.names import checked_classes
from rsonnx.data.rows import Rows
from rsonnx.errors import DataError

_WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
"""Whole numbers, such as codes of categories; as 8-bit pixels only uint8 is read."""
_ACCEPTED = ("uint8", "float16", "float32", "float64", *_WHOLE)


def claims(look: Look) -> str | None:
    """Say that a file is an array, if it is one."""
    return "an array" if look.head.startswith(MAGIC) else None


def open_npy(look: Look) -> ArrayRows:
    """Read the rows of a .npy file, which have no labels; DataError as for array_dataset."""
    path = look.path
    x = stored_file(path, f"the array {path}")
    return array_dataset(path, x, None, look.settings.names, where=x.values.where, kind="npy")


def dataset_of(
    x: ArrayLike, y: ArrayLike | None = None, *, classes: Sequence[str] | None = None
) -> ArrayRows:
    """Return inputs that are in memory as a data set.

    Args:
        x: inputs, the first axis; an array or a list of arrays: uint8, other whole numbers, float.
        y: labels, as for :func:`~rsonnx.data.label_arrays.array_labels`; None where there are none.
        classes: names of the labels, in the order of the model's outputs.

    Raises:
        DataError: as for :func:`array_dataset`.
    """
    if np.ma.is_masked(x) or np.ma.is_masked(y):
        raise DataError(
            "some values of the inputs or labels are masked, so they are unknown; fill them, or "
            "leave these inputs out"
        )
    try:
        array, labels = np.array(x), None if y is None else np.asarray(y)
        if labels is not None and labels.dtype == object:  # as pandas holds texts
            labels = np.array(labels.tolist())
    except (ValueError, TypeError, OverflowError):  # lists of several lengths
        raise DataError(
            "the inputs or their labels are no array; give all inputs one shape"
        ) from None
    named = None if labels is None else ("y", labels)
    names = checked_classes(classes)
    where = "array 'x' of arrays"
    return array_dataset(Path("arrays"), array, named, names, where=where, kind="arrays")


def array_dataset(
    path: Path,
    x: NDArray[Any] | StoredArray,
    labels: tuple[str, NDArray[Any] | StoredArray] | None,
    classes: tuple[str, ...] | None,
    *,
    where: str,
    kind: str,
) -> ArrayRows:
    """Return the rows of an array as a data set.

    Args:
        path: where they come from.
        x: inputs, the first axis.
        labels: the name of their array, and that; None where there are none.
        classes: the given class names.
        where: what messages call the inputs.
        kind: of the data set.

    Raises:
        DataError: there is no input, or one of a type that is not accepted, or with a NaN or an
            infinite value; the labels are none (:func:`~rsonnx.data.label_arrays.array_labels`).
    """
    _check_inputs(x, where)
    numbers, names, rule = None, classes, "none"
    if labels is not None:
        name, y = labels
        of, rule = f"array {name!r} of {path}", f"array {name}"
        numbers, names, rule = array_labels(y, x.shape[0], classes, where=of, rule=rule)
    rows = x.rows() if isinstance(x, StoredArray) else in_memory(x)
    reading = Reading(largest=_largest(rows, where))
    return ArrayRows(path, numbers, names, rule, reading, kind, rows)


def _check_inputs(x: NDArray[Any] | StoredArray, where: str) -> None:
    """Refuse an array that holds no examples of a type that is accepted."""
    if x.dtype.newbyteorder("=").name not in _ACCEPTED:
        raise DataError(
            f"{where} has type {x.dtype}, but {', '.join(_ACCEPTED)} are accepted; convert 0..255 "
            "pixels with x.astype('uint8'), other numbers with x.astype('float32')"
        )
    if math.prod(x.shape or (0,)) == 0:
        raise DataError(
            f"{where} has shape {x.shape} and so no example; its first axis must count examples"
        )
    check_examples(x.shape[0], where)


def _largest(rows: Rows, where: str) -> int | None:
    """Return the largest value of an array of uint8, else None; refuse values that are no number.

    All of them are looked at, whichever inputs are taken.
    """
    at, largest, size = 0, None, math.prod(rows.shape[1:])
    for block in rows.blocks():
        if block.dtype.kind == "f" and not (finite := np.isfinite(block)).all():
            raise DataError(
                f"example {(at + int(finite.argmin())) // size} of {where} has a NaN or infinite "
                "value; correct or remove it"
            )
        if block.dtype == np.uint8:
            largest = max(largest or 0, int(block.max()))
        at += block.size
    return largest
