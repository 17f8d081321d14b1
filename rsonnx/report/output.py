"""New files of a report, which are whole or not there at all."""

from __future__ import annotations

from pathlib import Path

from rsonnx.errors import UsageError


def write_new(path: Path, content: bytes) -> None:
    """Write a file that does not exist yet; nothing of it is left where that fails.

    Raises:
        UsageError: the file exists or cannot be written.
    """
    try:
        file = path.open("xb")
    except OSError as error:
        raise UsageError(
            f"the output {path} cannot be created ({error.strerror}); name another file"
        ) from None
    try:
        with file:
            file.write(content)
    except BaseException as error:  # an interrupt leaves a part too, which would pass for a whole
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"the output {path} cannot be written: {error.strerror}") from None
        raise
