"""A weight that stays in its file, from which onnxruntime takes it without a copy in between.

What was read of a file is what was hashed of it as long as the file is as it was. A session may go
on reading it, page by page, through the whole of a run: then a change would change the model.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import ModelError

_MAPPINGS = Path("/proc/self/maps")


@dataclass(frozen=True)
class Stamp:
    """What tells of a file that it is as it was.

    Attributes:
        number: of the file in its file system.
        size: its bytes.
        written, changed: when, in nanoseconds.
    """

    number: int
    size: int
    written: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Return a file's; OSError where there is none."""
        now = path.stat()
        return cls(now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)

    def check(self, path: Path) -> None:
        """Refuse a file that is not as it was; ModelError."""
        try:
            same = Stamp.of(path) == self
        except OSError:
            same = False
        if not same:
            raise ModelError(
                f"the weights {path} changed while they were read; run again when the file is whole"
            )


@dataclass(frozen=True, eq=False)
class StoredWeight:
    """Values in a file.

    Attributes:
        path: the file.
        stamp: of it, before any of it was read.
        offset: of the first value, in bytes.
        shape: of the weight, row after row.
        dtype: of its values.
        held: the values, where they must be in memory all the same.
    """

    path: Path
    stamp: Stamp
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    held: NDArray[Any] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def values(self) -> NDArray[Any]:
        """Return the values, in memory; ModelError where the file has changed."""
        if self.held is not None:
            return self.held
        try:
            with self.path.open("rb") as file:
                values = np.fromfile(file, self.dtype, math.prod(self.shape), offset=self.offset)
        except OSError as error:
            raise ModelError(f"the weights {self.path} cannot be read: {error.strerror}") from None
        self.check()
        return values.reshape(self.shape)

    def check(self) -> None:
        """Refuse a file that is not as it was; ModelError."""
        self.stamp.check(self.path)


def in_memory(weight: NDArray[Any] | StoredWeight) -> NDArray[Any]:
    """Return the values of a weight, wherever they are."""
    return weight.values() if isinstance(weight, StoredWeight) else weight


def can_stay(path: Path) -> bool:
    """Return whether weights may stay in a file: where the system says which of it is mapped."""
    return _MAPPINGS.exists() and not path.is_symlink() and path.name.isprintable()


def still_mapped(weights: Mapping[str, StoredWeight]) -> list[str]:
    """Return the names of those of which pages of this process are still those of their file."""
    mapped = list(_mapped_parts())
    ends = {
        name: tuple(os.fsencode(f"/{weight.path.name}{end}") for end in ("", " (deleted)"))
        for name, weight in weights.items()
    }
    return [
        name
        for name, weight in weights.items()
        if any(
            path.endswith(ends[name])
            and start < weight.offset + weight.nbytes
            and weight.offset < stop
            for path, start, stop in mapped
        )
    ]


def _mapped_parts() -> Iterator[tuple[bytes, int, int]]:
    """Yield the files that are mapped, and from where to where.

    A text would have more lines: at what else ends one a folder's name is not cut.
    """
    for line in _MAPPINGS.read_bytes().removesuffix(b"\n").split(b"\n"):
        addresses, _, offset, _, _, *path = line.split(maxsplit=5)
        if path:
            first, last = (int(address, 16) for address in addresses.split(b"-"))
            start = int(offset, 16)
            yield path[0], start, start + last - first
