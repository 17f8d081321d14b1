"""One writer of a run file at a time: a lock of the operating system, which dies with its holder.

A file beside the run file would outlive a killed process and then keep everybody out.
"""

from __future__ import annotations

import errno
import sys
from io import FileIO
from pathlib import Path

from rsonnx.errors import RunFileError

if sys.platform == "win32":
    import msvcrt

    _FAR = (1 << 31) - 2
    """Locks of Windows bind readers too, so the byte that is locked is one that nobody reads; its
    C library takes no position beyond 31 bits."""

    def _try_lock(file: FileIO) -> None:
        position = file.tell()
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(position)
else:
    import fcntl

    def _try_lock(file: FileIO) -> None:
        # flock belongs to this opening of the file; a POSIX record lock would be lost as soon as
        # the process closed the file anywhere, after reading it for example.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


def lock(file: FileIO, path: Path) -> bool:
    """Lock an open run file until it is closed or the process ends, however it ends.

    Returns:
        Whether it is locked; False where the file system has no locks.

    Raises:
        RunFileError: another process holds the lock.
    """
    try:
        _try_lock(file)
    except OSError as error:
        if error.errno in _HELD:
            raise RunFileError(
                f"the run file {path} is being written by another process; wait until it ends, or "
                "stop it"
            ) from None
        return False
    return True
