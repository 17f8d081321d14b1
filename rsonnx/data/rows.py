"""The rows of an array: kept in memory where they are small, else read from their file each time.

A small file may announce a large array, of which a run takes a few rows: what is read of it at a
time must be bounded by what is needed, not by what the file says.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.data.limits import check_fits
from rsonnx.errors import DataError
from rsonnx.resources import available_memory

_KEPT_BYTES = 256 * 2**20
"""Largest array that is kept in memory, unless that is more than a quarter of what is free."""

_BLOCK_VALUES = 2**20
"""Values that are read, or looked at, in one go."""

_BYTES_A_VALUE = 16
"""What a run needs at least for each value of one row: levels, noise, and float32 of both."""


class Rows(Protocol):
    """An array whose first axis counts examples."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values, as they are stored."""

    def row(self, at: int) -> NDArray[Any]:
        """Return one row, read-only and of native byte order."""

    def take(self, places: Sequence[int]) -> NDArray[Any]:
        """Return several rows, of native byte order."""

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all values, row after row, flat, some at a time."""


@dataclass(frozen=True, eq=False)
class KeptRows:
    """Rows in memory: an array of native byte order, C-contiguous and read-only."""

    array: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""
        return self.array.dtype

    def row(self, at: int) -> NDArray[Any]:
        """Return one row."""
        return self.array[at, ...]  # `...` keeps a 0-d row an array

    def take(self, places: Sequence[int]) -> NDArray[Any]:
        """Return several rows."""
        return self.array[list(places)]

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all values, some at a time."""
        flat = self.array.reshape(-1)
        for start in range(0, flat.size, _BLOCK_VALUES):
            yield flat[start : start + _BLOCK_VALUES]


class _Own:
    """A stream for each thread of each process: a shared one would have one position."""

    def __init__(self) -> None:
        self._local = threading.local()

    def __reduce__(self) -> tuple[type[_Own], tuple[()]]:
        return _Own, ()

    def stream(self, opened: Callable[[], IO[bytes]]) -> IO[bytes]:
        """Return this thread's stream, opened at first use."""
        if getattr(self._local, "process", None) != os.getpid():
            self._local.stream = opened()
            self._local.process = os.getpid()
        stream: IO[bytes] = self._local.stream
        return stream


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows in a file, safe to read from several threads and processes.

    Reading them in their order is quick; going back in what is compressed begins anew.

    Attributes:
        open: opens what holds the array and nothing behind it.
        offset: of the first value in it, in bytes.
        shape: of the whole array, row after row.
        dtype: of its values, as they are stored.
        where: what messages call it.
        remedy: what to do where it cannot be read.
    """

    open: Callable[[], IO[bytes]]
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    where: str
    remedy: str
    _own: _Own = field(default_factory=_Own)

    @property
    def nbytes(self) -> int:
        """Size of the whole array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def row(self, at: int) -> NDArray[Any]:
        """Return one row.

        Raises:
            DataError: it cannot be read.
        """
        shape = self.shape[1:]
        size = math.prod(shape) * self.dtype.itemsize
        try:
            stream = self._own.stream(self.open)
            stream.seek(self.offset + at * size)
            data = stream.read(size)
        except Exception as error:  # zlib, struct, ...: whatever hostile bytes provoke
            raise self._unreadable(error) from error
        if len(data) != size:
            raise self._of_other_size(at * size + len(data))
        return self._values(data).reshape(shape)

    def take(self, places: Sequence[int]) -> NDArray[Any]:
        """Return several rows; DataError as for :meth:`row`."""
        return np.stack([self.row(at) for at in places])

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all values, some at a time, and look behind them.

        Raises:
            DataError: they cannot be read, or are more or fewer than announced.
        """
        left = self.nbytes
        try:
            with self.open() as stream:
                stream.seek(self.offset)
                while left and (
                    data := stream.read(min(left, _BLOCK_VALUES * self.dtype.itemsize))
                ):
                    left -= len(data)
                    yield self._values(data)
                # A byte behind tells a file that is too long, and makes an archive reach its end,
                # where it compares the checksum.
                behind = len(stream.read(1))
        except DataError:
            raise
        except Exception as error:  # as above
            raise self._unreadable(error) from error
        if left or behind:
            raise self._of_other_size(self.nbytes - left + behind)

    def kept(self) -> KeptRows:
        """Return the same rows in memory."""
        check_fits(self.nbytes, self.where)
        array = np.empty(math.prod(self.shape), self.dtype.newbyteorder("="))
        at = 0
        for block in self.blocks():
            array[at : at + block.size] = block
            at += block.size
        array.flags.writeable = False
        return KeptRows(array.reshape(self.shape))

    def kept_if_small(self) -> Rows:
        """Return the rows in memory if they are small, else as they are.

        Raises:
            DataError: as for :meth:`blocks`, or the memory is too small for a single row.
        """
        check_fits(_BYTES_A_VALUE * math.prod(self.shape[1:]), f"a row of {self.where}")
        free = available_memory()
        most = _KEPT_BYTES if free is None else min(_KEPT_BYTES, free // 4)
        return self.kept() if self.nbytes <= most else self

    def _values(self, data: bytes) -> NDArray[Any]:
        values = np.frombuffer(data, self.dtype).astype(self.dtype.newbyteorder("="), copy=False)
        values.flags.writeable = False
        return values

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"{self.where} cannot be read ({type(error).__name__}: {error}); {self.remedy}"
        )

    def _of_other_size(self, read: int) -> DataError:
        holds = "more" if read > self.nbytes else f"only {read}"
        return DataError(
            f"{self.where} announces {self.nbytes} bytes (shape {self.shape}), but holds {holds}; "
            f"{self.remedy}"
        )
