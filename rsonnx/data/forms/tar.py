"""Tar archives, gzipped or not, read without extracting anything."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from rsonnx.errors import DataError, first_line

GZIP_MAGIC = b"\x1f\x8b"
"""How a gzip stream begins."""

_MOST_HEADERS = 2**20
"""Bytes before the first entry: there may be a few of its own."""


def first_entry(path: Path) -> str | None:
    """Return the name of a tar archive's first entry; None for what is no tar archive."""
    try:
        with _archive(path, _MOST_HEADERS) as archive:
            entry = archive.next()
    except Exception:  # zlib, struct, ...: whatever other files provoke
        return None
    return None if entry is None else entry.name


def read_files(path: Path, wanted: Callable[[str], bool], most: int) -> dict[str, bytes]:
    """Return the contents of an archive's files by their names without folders.

    Args:
        path: of the archive.
        wanted: says of such a name whether its file is read.
        most: bytes that the whole archive may have, unpacked.

    Raises:
        DataError: it is broken or larger, or has two such files of one name.
    """
    contents: dict[str, bytes] = {}
    try:
        with _archive(path, most) as archive:
            for entry in archive:
                name = PurePosixPath(entry.name).name
                file = archive.extractfile(entry) if entry.isreg() and wanted(name) else None
                if file is None:
                    continue
                if name in contents:
                    raise DataError(f"{path} has {name!r} twice; fetch it again")
                contents[name] = file.read()
    except DataError:
        raise
    except Exception as error:  # as above
        raise broken(path, error) from error
    return contents


def broken(path: Path, error: Exception) -> DataError:
    """Return the refusal of an archive that cannot be read."""
    return DataError(
        f"{path} is a broken tar archive ({type(error).__name__}: {first_line(error)}); fetch it "
        "again"
    )


@dataclass
class _Bounded:
    """A stream that ends in a refusal after so many bytes."""

    stream: IO[bytes]
    left: int
    path: Path

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise DataError(
                f"{self.path} holds more than is read of an archive; unpack it and name the folder"
            )
        return data


@contextmanager
def _archive(path: Path, most: int) -> Iterator[tarfile.TarFile]:
    """Open an archive, to be read in turn and no further than so many bytes."""
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
        bounded = cast(IO[bytes], _Bounded(stream, most, path))
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            yield archive
