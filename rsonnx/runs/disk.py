"""The few ways in which a run touches the disk, each of which may fail or be cut off at any byte.

Everything durable goes through here, so that the tests can stop the world at every step.
"""

from __future__ import annotations

import contextlib
import os
from io import FileIO
from pathlib import Path


def append(file: FileIO, data: bytes) -> None:
    """Write ``data`` at the file's position: it outlives this process, though not yet the machine.

    Raises:
        OSError: it is not written; a part of it may be.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def sync(file: FileIO) -> None:
    """Wait until all that was written is on the disk."""
    os.fsync(file.fileno())


def cut(file: FileIO, length: int) -> None:
    """Cut a file to ``length`` bytes, go to its end, and wait until that is on the disk."""
    file.truncate(length)
    file.seek(length)
    sync(file)


def create(path: Path, data: bytes) -> None:
    """Write a new file, whole or not at all.

    Raises:
        FileExistsError: there is something of this name.
        OSError: it cannot be written.
    """
    with open(path, "xb", buffering=0) as file:
        try:
            append(file, data)
            sync(file)
            sync_folder(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                remove(path)
            raise


def tampering(file: FileIO, path: Path, least: int, most: int) -> str | None:
    """Say what somebody else did to a file that is being written; None where it is as it was left.

    Args:
        file: the open file.
        path: where it was opened, absolute.
        least, most: bytes that were written to it; they differ where a write was cut off.
    """
    try:
        there = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "removed or renamed"
    except (
        OSError
    ):  # a folder that may no longer be looked into, whose files are written all the same
        return None
    here = os.fstat(file.fileno())
    if os.name != "nt" and not os.path.samestat(there, here):  # Windows keeps open files in place
        return "replaced by another"
    if here.st_size < least:
        return "shortened"
    return "written to by another program" if here.st_size > most else None


def replace(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of a file: a reader finds the old content or the new, whole.

    Raises:
        OSError: the old content is still there.
    """
    temporary = temporary_of(path)
    try:
        remove(temporary)
        # "x" follows no link that somebody else may have put there.
        with open(temporary, "xb", buffering=0) as file:
            append(file, data)
            sync(file)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            remove(temporary)
        raise
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)


def temporary_of(path: Path) -> Path:
    """Return where :func:`replace` writes before it renames."""
    return path.with_name(path.name + ".tmp")


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can be asked to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems have no such call
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
