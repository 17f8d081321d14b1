"""NumPy archives: array `x`, one row an example, and optionally array `y`, its labels."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsonnx.data.dataset import ArrayRows, Reading
from rsonnx.data.images import is_image_name
from rsonnx.data.limits import check_announced, check_entry, check_examples, check_fits
from rsonnx.data.look import Look
from rsonnx.data.names import checked_classes
from rsonnx.data.rows import KeptRows, Rows, StoredRows
from rsonnx.errors import DataError
from rsonnx.scalars import shown

_WHOLE = ("int8", "int16", "int32", "int64", "uint16", "uint32")
"""Whole numbers, such as codes of categories; as 8-bit pixels only uint8 is read."""
_ACCEPTED = ("uint8", "float16", "float32", "float64", *_WHOLE)
_HEAD_BYTES = 16 * 2**10  # numpy writes at most a few hundred for a plain array
_MOST_AXES = 32  # of an array in numpy 1
_SAVE_AGAIN = "save it again with numpy.savez"


def claims(look: Look) -> str | None:
    """Say which arrays an archive holds, if it does."""
    if look.infos is None:
        return None
    names = [info.filename for info in look.infos]
    arrays = [name for name in names if name.endswith(".npy")]
    if arrays:
        return f"arrays ({arrays[0]!r})"
    named = look.path.suffix.lower() == ".npz" and not any(map(is_image_name, names))
    return "no array" if named else None


def open_npz(look: Look) -> ArrayRows:
    """Read `x` and, if it is there, `y` of an .npz archive; nothing is ever unpickled.

    Raises:
        DataError: `x` is missing, empty, of a type other than uint8 or float16/32/64, or has a
            NaN or infinite value; `y` is not integer, not of shape (N,) or (N, 1), or of
            another length; an array is pickled, broken, or larger than it can be.
    """
    path, infos = look.path, look.infos or ()
    members = {info.filename: info for info in infos}
    if "x.npy" not in members:
        there = ", ".join(sorted(name.removesuffix(".npy") for name in members)) or "nothing"
        raise DataError(
            f"{path} has no array 'x' (it holds: {there}); save the inputs as 'x' and the labels, "
            "if any, as 'y': numpy.savez(path, x=..., y=...)"
        )
    if len(members) != len(infos):
        raise DataError(f"{path} holds an array twice; save it again with numpy.savez")
    x, by_column = _stored(path, members["x.npy"])
    _check_kind(x, path)
    labels = None
    if "y.npy" in members:
        y, _ = _stored(path, members["y.npy"])
        _check_labels(y, x.shape[0], path)
        labels = y.kept().array
    if by_column:
        check_fits(2 * x.nbytes, x.where)
        columns = replace(x, shape=x.shape[::-1]).kept().array
        rows: Rows = _in_memory(columns.T)
    else:
        rows = x.kept_if_small()
    return _dataset(path, rows, labels, look.settings.names, "npz")


def dataset_of(
    x: ArrayLike, y: ArrayLike | None = None, *, classes: Sequence[str] | None = None
) -> ArrayRows:
    """Return inputs that are in memory as a data set.

    Args:
        x: inputs, the first axis; an array or a list of arrays: uint8 or float.
        y: labels, whole numbers, (N,) or (N, 1); None where there are none.
        classes: names of the labels, in the order of the model's outputs.

    Raises:
        DataError: as for :func:`open_npz`.
    """
    path = Path("arrays")
    try:
        array, labels = np.array(x), None if y is None else np.asarray(y)
    except (ValueError, TypeError, OverflowError):  # lists of several lengths
        raise DataError(
            "the inputs or their labels are no array; give all inputs one shape"
        ) from None
    _check_kind(array, path)
    if labels is not None:
        _check_labels(labels, len(array), path)
    return _dataset(path, _in_memory(array), labels, checked_classes(classes), "arrays")


def _dataset(
    path: Path, rows: Rows, y: NDArray[Any] | None, classes: tuple[str, ...] | None, kind: str
) -> ArrayRows:
    labels = None if y is None else tuple(y.reshape(-1).tolist())
    reading = Reading(largest=_largest(rows, path))
    rule = "none" if labels is None else "array y"
    return ArrayRows(path, labels, classes, rule, reading, kind, rows)


def _in_memory(array: NDArray[Any]) -> KeptRows:
    # Native byte order, rows contiguous: the same values whatever machine wrote the file.
    rows = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    rows.flags.writeable = False
    return KeptRows(rows)


def _stored(path: Path, info: zipfile.ZipInfo) -> tuple[StoredRows, bool]:
    """Return an array of an archive, unread, and whether it is stored column by column.

    Its header is compared with what the archive holds of it. Of an array by column the shape is
    that of the array, whose values must then be read in the other order.
    """
    where = f"array {info.filename.removesuffix('.npy')!r} of {path}"
    check_entry(info, where)
    opened = partial(_opened, path, info)
    try:
        with opened() as stream:
            # Only a bounded beginning: the header's own length field may be a lie.
            head = io.BytesIO(stream.read(_HEAD_BYTES))
        version = np.lib.format.read_magic(head)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:  # version 3 exists for field names only
            raise DataError(
                f"{where} is no plain array (.npy version {version}); save numbers in it"
            )
        shape, by_column, dtype = read(head)
    except DataError:
        raise
    except Exception as error:  # zlib, struct, tokenize, ...: whatever hostile bytes provoke
        raise DataError(
            f"{where} cannot be read ({type(error).__name__}: {error}); {_SAVE_AGAIN}"
        ) from error
    if dtype.hasobject:
        raise DataError(
            f"{where} holds pickled Python objects, which are never loaded; save it as a plain "
            "array of numbers"
        )
    # To numpy True is a length, and so is a number of thousands of digits.
    if len(shape) > _MOST_AXES or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise DataError(f"{where} announces the shape {shown(shape)}; {_SAVE_AGAIN}")
    stored = StoredRows(opened, head.tell(), tuple(shape), dtype, where, _SAVE_AGAIN)
    check_announced(stored.nbytes, info.compress_size, where)
    present = info.file_size - stored.offset
    if stored.nbytes != present:
        raise DataError(
            f"{where} announces {stored.nbytes} bytes, but {present} are present; {_SAVE_AGAIN}"
        )
    return stored, by_column


def _opened(path: Path, info: zipfile.ZipInfo) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:  # whose file stays open as long as the entry
        return archive.open(info)


def _check_kind(x: NDArray[Any] | StoredRows, path: Path) -> None:
    """Refuse an array that holds no examples of a type that is accepted."""
    if x.dtype.newbyteorder("=").name not in _ACCEPTED:
        raise DataError(
            f"array 'x' of {path} has type {x.dtype}, but {', '.join(_ACCEPTED)} are accepted; "
            "convert 0..255 pixels with x.astype('uint8'), other numbers with x.astype('float32')"
        )
    if math.prod(x.shape or (0,)) == 0:
        raise DataError(
            f"array 'x' of {path} has shape {x.shape} and so no example; its first axis must count "
            "examples"
        )
    check_examples(x.shape[0], f"array 'x' of {path}")


def _largest(rows: Rows, path: Path) -> int | None:
    """Return the largest value of an array of uint8, else None; refuse values that are no number.

    All of them are looked at, whichever inputs are taken.
    """
    at, largest, size = 0, None, math.prod(rows.shape[1:])
    for block in rows.blocks():
        if block.dtype.kind == "f" and not (finite := np.isfinite(block)).all():
            raise DataError(
                f"example {(at + int(finite.argmin())) // size} of array 'x' of {path} has a NaN "
                "or infinite value; correct or remove it"
            )
        if block.dtype == np.uint8:
            largest = max(largest or 0, int(block.max()))
        at += block.size
    return largest


def _check_labels(y: NDArray[Any] | StoredRows, count: int, path: Path) -> None:
    """Refuse an array that does not hold a label an example."""
    if y.dtype.kind not in "iu":
        raise DataError(
            f"array 'y' of {path} has type {y.dtype}, but labels are integers; convert it, for "
            "instance with y.astype('int64')"
        )
    if not y.shape or y.shape[1:] not in ((), (1,)):
        raise DataError(
            f"array 'y' of {path} has shape {y.shape}, but (N,) or (N, 1) is needed; turn one-hot "
            "rows into labels with y.argmax(axis=1)"
        )
    if y.shape[0] != count:
        raise DataError(
            f"array 'y' of {path} has {y.shape[0]} labels, but 'x' has {count} examples; save both "
            "with the same length"
        )
