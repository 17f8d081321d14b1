"""NumPy archives: array `x`, one row an example, and optionally array `y`, its labels."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsonnx.data.dataset import ArrayRows, Reading
from rsonnx.data.images import is_image_name
from rsonnx.data.limits import check_announced, check_entry
from rsonnx.data.look import Look
from rsonnx.data.names import checked_classes
from rsonnx.errors import DataError

_WHOLE = ("int8", "int16", "int32", "int64", "uint16", "uint32")
"""Whole numbers, such as codes of categories; as 8-bit pixels only uint8 is read."""
_ACCEPTED = ("uint8", "float16", "float32", "float64", *_WHOLE)
_HEAD_BYTES = 16 * 2**10  # numpy writes at most a few hundred for a plain array
_CHECK_VALUES = 2**22  # values looked at in one go when searching for NaN


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
    x, y = (
        _read_array(path, members[name]) if name in members else None for name in ("x.npy", "y.npy")
    )
    return _dataset(path, x, y, look.classes, "npz")


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
    labels = None if y is None else np.asarray(y)
    return _dataset(Path("arrays"), np.array(x), labels, checked_classes(classes), "arrays")


def _dataset(
    path: Path, x: Any, y: NDArray[Any] | None, classes: tuple[str, ...] | None, kind: str
) -> ArrayRows:
    rows = _checked_rows(x, path)
    labels = None if y is None else _checked_labels(y, len(rows), path)
    reading = Reading(largest=int(rows.max()) if rows.dtype == np.uint8 else None)
    rule = "none" if labels is None else "array y"
    return ArrayRows(path, labels, classes, rule, reading, kind, rows)


def _read_array(path: Path, info: zipfile.ZipInfo) -> NDArray[Any]:
    where = f"array {info.filename.removesuffix('.npy')!r} of {path}"
    check_entry(info, where)
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open(info) as stream:
                # Only a bounded beginning: the header's own length field may be a lie.
                _check_head(stream.read(_HEAD_BYTES), info, where)
            with archive.open(info) as stream:
                array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
                stream.read(1)  # reaches the end, where zipfile compares the checksum
    except DataError:
        raise
    except Exception as error:  # zlib, struct, tokenize, ...: whatever hostile bytes provoke
        raise DataError(
            f"{where} cannot be read ({type(error).__name__}: {error}); save it again with "
            "numpy.savez"
        ) from error
    return array


def _check_head(head: bytes, info: zipfile.ZipInfo, where: str) -> None:
    """Compare what an array's header announces with what the archive holds of it."""
    stream = io.BytesIO(head)
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:  # version 3 exists for field names only
        raise DataError(f"{where} is no plain array (.npy version {version}); save numbers in it")
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise DataError(
            f"{where} holds pickled Python objects, which are never loaded; save it as a plain "
            "array of numbers"
        )
    if any(length < 0 for length in shape):
        raise DataError(f"{where} announces the shape {shape}; save it again with numpy.savez")
    announced = math.prod(shape) * dtype.itemsize
    check_announced(announced, info.compress_size, where)
    present = info.file_size - stream.tell()
    if announced != present:
        raise DataError(
            f"{where} announces {announced} bytes, but {present} are present; save it again with "
            "numpy.savez"
        )


def _checked_rows(x: NDArray[Any], path: Path) -> NDArray[Any]:
    if x.dtype.newbyteorder("=").name not in _ACCEPTED:
        raise DataError(
            f"array 'x' of {path} has type {x.dtype}, but {', '.join(_ACCEPTED)} are accepted; "
            "convert 0..255 pixels with x.astype('uint8'), other numbers with x.astype('float32')"
        )
    if x.ndim == 0 or x.size == 0:
        raise DataError(
            f"array 'x' of {path} has shape {x.shape} and so no example; its first axis must count "
            "examples"
        )
    # Native byte order, rows contiguous: the same values whatever machine wrote the file.
    rows = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("="))
    if rows.dtype.kind == "f":
        step = max(1, _CHECK_VALUES // math.prod(rows.shape[1:]))
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            bad = ~np.isfinite(block).reshape(len(block), -1).all(axis=1)
            if bad.any():
                raise DataError(
                    f"example {start + int(bad.argmax())} of array 'x' of {path} has a NaN or "
                    "infinite value; correct or remove it"
                )
    rows.flags.writeable = False
    return rows


def _checked_labels(y: NDArray[Any], count: int, path: Path) -> tuple[int, ...]:
    if y.dtype.kind not in "iu":
        raise DataError(
            f"array 'y' of {path} has type {y.dtype}, but labels are integers; convert it, for "
            "instance with y.astype('int64')"
        )
    if y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] != 1):
        raise DataError(
            f"array 'y' of {path} has shape {y.shape}, but (N,) or (N, 1) is needed; turn one-hot "
            "rows into labels with y.argmax(axis=1)"
        )
    if len(y) != count:
        raise DataError(
            f"array 'y' of {path} has {len(y)} labels, but 'x' has {count} examples; save both "
            "with the same length"
        )
    return tuple(y.reshape(-1).tolist())
