"""NumPy's .npy format: an array of a file or of an archive, of which only the header is read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.data.limits import check_announced, check_entry, check_fits
from rsonnx.data.rows import KeptRows, Rows, StoredRows
from rsonnx.errors import DataError, UsageError
from rsonnx.scalars import shown

MAGIC = b"\x93NUMPY"

_HEAD_BYTES = 16 * 2**10  # numpy writes at most a few hundred for a plain array
_MOST_AXES = 32  # of an array in numpy 1
_SAVE_AGAIN = "save it again with numpy"


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array in a file, unread.

    Attributes:
        values: row after row; of an array that is stored column by column, those of its transpose.
        by_column: whether it is.
    """

    values: StoredRows
    by_column: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.values.shape[:: -1 if self.by_column else 1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values, as they are stored."""
        return self.values.dtype

    def array(self) -> NDArray[Any]:
        """Return all of it, in memory and of native byte order; DataError if it is broken."""
        array = self.values.kept().array
        return array.T if self.by_column else array

    def rows(self) -> Rows:
        """Return its rows, in memory where they are small; DataError if it is broken."""
        if not self.by_column:
            return self.values.kept_if_small()
        check_fits(2 * self.values.nbytes, self.values.where)
        return in_memory(self.array())


def is_shape(axes: tuple[Any, ...]) -> bool:
    """Say whether an array that a stranger describes can have such axes."""
    # To numpy True is a length, and so is a number of thousands of digits.
    return len(axes) <= _MOST_AXES and all(type(n) is int and 0 <= n < 2**63 for n in axes)


def in_memory(array: NDArray[Any]) -> KeptRows:
    """Return the rows of an array, the same whatever machine wrote it."""
    rows = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    rows.flags.writeable = False
    return KeptRows(rows)


def only_array(path: Path, where: str) -> StoredArray | None:
    """Return the array of a .npy file, or the only one of an .npz; None for what is neither.

    Raises:
        UsageError: the file cannot be read.
        DataError: as for :func:`stored_array`.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) == MAGIC:
                return stored_file(path, where)
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except OSError as error:
        raise UsageError(f"{where} cannot be read ({error.strerror}); correct that") from None
    except Exception:  # no archive: whatever a hostile directory provokes
        return None
    if len(infos) != 1:
        raise DataError(f"{where} is an archive of {len(infos)} files; save one array, or text")
    return stored_entry(path, infos[0], where)


def stored_file(path: Path, where: str) -> StoredArray:
    """Return the array of a .npy file; DataError as for :func:`stored_array`."""
    size = path.stat().st_size
    return stored_array(partial(_opened, path), size, size, where)


def stored_entry(path: Path, info: zipfile.ZipInfo, where: str) -> StoredArray:
    """Return the array of an entry of an archive; DataError as for :func:`stored_array`."""
    check_entry(info, where)
    return stored_array(partial(_entry, path, info), info.file_size, info.compress_size, where)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _entry(path: Path, info: zipfile.ZipInfo) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:  # whose file stays open as long as the entry
        return archive.open(info)


def stored_array(
    opened: Callable[[], IO[bytes]], size: int, compressed: int, where: str
) -> StoredArray:
    """Return an array whose header agrees with what holds it; nothing is ever unpickled.

    Args:
        opened: opens what holds it, and nothing behind it.
        size: bytes that are said to be in that.
        compressed: bytes that are really there, before decompression.
        where: what messages call it.

    Raises:
        DataError: it is pickled, broken, no plain array, or larger than it can be.
    """
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
            f"{where} holds pickled Python objects, which are never loaded; save numbers, or text "
            "with .astype('U')"
        )
    if not is_shape(shape):
        raise DataError(f"{where} announces the shape {shown(shape)}; {_SAVE_AGAIN}")
    along = tuple(shape)[:: -1 if by_column else 1]
    values = StoredRows(opened, head.tell(), along, dtype, where, _SAVE_AGAIN)
    check_announced(values.nbytes, compressed, where)
    present = size - values.offset
    if values.nbytes != present:
        raise DataError(
            f"{where} announces {values.nbytes} bytes, but {present} are present; {_SAVE_AGAIN}"
        )
    return StoredArray(values, by_column)
