"""Files that others wrote, read whole: regular and not too large ones only."""

from __future__ import annotations

import os

from rsonnx.errors import DataError, UsageError


def read_small(path: str | os.PathLike[str], what: str, most: int = 4 * 2**20) -> bytes:
    """Read a regular file: a named pipe may never be written to, and a device may have no end.

    Args:
        path: the file.
        what: what it is called in messages.
        most: bytes that it may have.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataError: it is larger.
    """
    if not os.path.isfile(path):
        problem = "is no file" if os.path.exists(path) else "does not exist"
        raise UsageError(f"{what} {path} {problem}; name a file")
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{what} {path} cannot be read ({reason}); name a file") from None
    if len(content) > most:
        raise DataError(f"{what} {path} has more than {most >> 20} MiB; name another file")
    return content
