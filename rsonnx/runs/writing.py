"""Write run files: whole lines, each out of this process before the next is computed."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from rsonnx.errors import CouplingError, RunFileError, UsageError
from rsonnx.runs import disk
from rsonnx.runs.files import Ending, Part, identity_of, line_of, written_part
from rsonnx.runs.locking import lock

_COMMIT = 0.25
"""Seconds between two waits for the disk, where rows are made faster: they are waited for together.

A machine that fails meanwhile may lose those rows, which a resumed run computes again; a process
that is killed loses none."""


class Line(Protocol):
    """A row, of a run or of another file that is written as runs are."""

    def to_json(self) -> dict[str, Any]: ...  # noqa: D102


class Written(Protocol):
    """What such a file holds."""

    @property
    def identity(self) -> str: ...  # noqa: D102
    @property
    def length(self) -> int: ...  # noqa: D102
    @property
    def rows(self) -> Sequence[Line]: ...  # noqa: D102


P = TypeVar("P", bound=Written)


class TamperedError(RunFileError):
    """Somebody removed, replaced or changed a run file while it was written.

    Attributes:
        kept: a new file with all that had been written; None where it could not be kept.
    """

    def __init__(self, message: str, kept: Path | None) -> None:
        super().__init__(message)
        self.kept = kept


class RunWriter(Generic[P]):
    """Writes a run file, a whole line at a time. Used as a context manager.

    Whatever happens at whatever instant, the file is one that :meth:`reopen` can go on with: it has
    whole lines, and at most a torn one behind them. While it is open no other process can write it.
    Where it is removed or changed all the same, what was written goes to a new file beside it.

    Args:
        path: a file that does not exist yet.
        header: the first line.

    Attributes:
        locked: whether the file system keeps other writers out.
        rows: how many rows it holds.
        identity: SHA-256 of its first line; what belongs to this run names it.
        part: what a reopened file holds; None for a new file, and where not even a header was
            written.

    Raises:
        UsageError: the file exists or cannot be created.
        RunFileError: it cannot be written, or is being written by another process.
        TamperedError: by every method that writes.
    """

    def __init__(self, path: str | os.PathLike[str], header: dict[str, Any]) -> None:
        line = line_of(header)
        self._path = Path(path)
        check_output(self._path)
        try:
            self._file: FileIO = self._path.open("xb+", buffering=0)
        except OSError as error:
            raise UsageError(f"the output {path} cannot be created: {error.strerror}") from None
        self._place = self._path.absolute()
        # What the file must hold, and what a write that was cut off may have added.
        self._content, self._unsure = bytearray(), b""
        self._writing, self._synced = False, 0.0
        self.rows = 0
        self.part: P | None = None
        self.identity = identity_of(line)
        with self._closing_on_error():
            self.locked = lock(self._file, self._path)
            try:
                self._begin(0, 0, line)
                disk.sync_folder(self._path.parent)
            except BaseException:
                with contextlib.suppress(OSError):
                    disk.remove(self._path)
                raise

    @staticmethod
    def reopen(path: str | os.PathLike[str]) -> RunWriter[Part]:
        """Open a run file that exists; see :meth:`reopen_as`."""
        return RunWriter.reopen_as(path, written_part)

    @staticmethod
    def reopen_as(
        path: str | os.PathLike[str], parse: Callable[[Path, bytes], P | None]
    ) -> RunWriter[P]:
        """Open a file that exists, read it, and keep other writers out; nothing is changed.

        Args:
            path: the file.
            parse: returns what it holds; None where not even its header was written.

        Raises:
            UsageError: it is no file, or may not be written.
            RunFileError: another process is writing it, or a line is not what the format says.
        """
        self: RunWriter[P] = RunWriter.__new__(RunWriter)
        self._path = Path(path)
        if not os.path.isfile(self._path):
            raise UsageError(f"{path} is not a file, but a run file was expected")
        try:
            self._file = self._path.open("rb+", buffering=0)
        except OSError as error:
            raise UsageError(f"the output {path} cannot be opened: {error.strerror}") from None
        self._place = self._path.absolute()
        self._writing, self._synced = False, 0.0
        self.rows = 0
        with self._closing_on_error():
            self.locked = lock(self._file, self._path)
            content = self._file.readall()
            self._content, self._unsure = bytearray(content), b""
            self.part = parse(self._path, content)
            self.identity = "" if self.part is None else self.part.identity
        return self

    def go_on(self, header: dict[str, Any]) -> None:
        """Take back how a reopened file ended, and a torn line, so that rows can follow.

        Args:
            header: written where there is none yet.
        """
        if self.part is None:
            line = line_of(header)
            self.identity = identity_of(line)
            self._begin(0, 0, line)
        else:
            self._begin(self.part.length, len(self.part.rows), b"")

    def write(self, row: Line) -> None:
        """Append a row, which a killed process leaves in the file; wait for the disk now and then.

        Raises:
            RunFileError: the file cannot be written, on a full disk for example.
        """
        self.write_all([row])

    def write_all(self, rows: Sequence[Line]) -> None:
        """Append many rows; else as :meth:`write`."""
        lines = b"".join(line_of(row.to_json()) for row in rows)
        self.check(lines)
        self._append(lines, commit=time.monotonic() - self._synced >= _COMMIT)
        self.rows += len(rows)

    def check(self, further: bytes = b"", *, every_byte: bool = False) -> None:
        """Notice what somebody did to the file since the last row; keep its rows then.

        Args:
            further: lines that are about to be written.
            every_byte: look at what the file holds, too, and not at its place and size only.

        Raises:
            TamperedError: it is not as it was left.
        """
        sure = len(self._content)
        done = disk.tampering(self._file, self._place, sure, sure + len(self._unsure))
        if done is None and every_byte:
            self._file.seek(0)
            content = self._file.readall()[: len(self._content)]
            done = None if content == self._content else "overwritten"
        if done is None:
            return
        self._writing = False
        self._content += further
        told = f"the run file {self._path} was {done} while it was written"
        rows = f"its {max(0, self._content.count(10) - 1)} rows"  # 10 ends a line
        try:
            kept = self._keep_elsewhere()
        except OSError as error:
            raise TamperedError(
                f"{told}, and {rows} cannot be kept in {error.filename}: {error.strerror}", None
            ) from None
        raise TamperedError(
            f"{told}; {rows} are in {kept}: go on with that one, by -o and --resume", kept
        )

    def __enter__(self) -> RunWriter[P]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self._writing:
                return
            self._writing = False
            if kind is None:
                self._end("complete", None)
            elif issubclass(kind, KeyboardInterrupt):
                self._end("interrupted", None)
            elif issubclass(kind, CouplingError):
                self._end("void", str(error))
            elif not issubclass(kind, RunFileError):
                self._end("failed", str(error) or kind.__name__)
        finally:
            self._close()

    def _begin(self, length: int, rows: int, line: bytes) -> None:
        self.check()
        self.rows = rows
        try:
            disk.cut(self._file, length)
        except OSError as error:
            raise self._unwritable(error) from None
        del self._content[length:]
        self._append(line)
        self._writing = True

    def _end(self, status: Ending, error: str | None) -> None:
        if status != "void":  # whose rows are worth nothing
            self.check(every_byte=True)
        if status != "complete":
            # An interrupt may have come in the middle of a row, or before anyone counted it.
            try:
                self._cut_torn_line()
            except OSError as failure:
                raise self._unwritable(failure) from None
        self._append(
            line_of({"kind": "end", "status": status, "inputs": self.rows, "error": error})
        )

    def _cut_torn_line(self) -> None:
        """Cut off what stands behind the last whole line, and count the rows before it."""
        self._file.seek(0)
        content = self._file.readall()
        length = content.rfind(b"\n") + 1
        disk.cut(self._file, length)
        self._content, self._unsure = bytearray(content[:length]), b""
        self.rows = max(0, content.count(b"\n") - 1)

    def _append(self, data: bytes, *, commit: bool = True) -> None:
        self._unsure = data
        try:
            disk.append(self._file, data)
            if commit:
                disk.sync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise self._unwritable(error) from None
        self._content += data
        self._unsure = b""

    def _keep_elsewhere(self) -> Path:
        """Write what was written to a new file: beside the old one if that can be, else elsewhere.

        Raises:
            OSError: there is no place for it.
        """
        *others, last = (self._place.parent, Path(), Path(tempfile.gettempdir()))
        for folder in others:
            with contextlib.suppress(OSError):
                return self._keep_in(folder)
        return self._keep_in(last)

    def _keep_in(self, folder: Path) -> Path:
        for number in count(1):
            path = folder / f"{self._path.name}.kept{number if number > 1 else ''}"
            with contextlib.suppress(FileExistsError):
                disk.create(path, bytes(self._content))
                return path
        raise AssertionError

    def _unwritable(self, error: OSError) -> RunFileError:
        self.check()
        # The torn line that a full disk leaves does no harm, but without it the file is tidy.
        with contextlib.suppress(OSError):
            self._cut_torn_line()
        holds = f"; it holds the first {self.rows} inputs" if self.rows else ""
        return RunFileError(f"the output {self._path} cannot be written: {error.strerror}{holds}")

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()

    @contextlib.contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._close()
            raise


def check_output(path: Path) -> None:
    """Refuse an output file that exists, whose folder does not, or whose name is too long.

    Raises:
        UsageError: with what to do.
    """
    if os.path.exists(path):  # unlike Path.exists, False for a name that is too long
        raise UsageError(
            f"the output {path} exists already and is never overwritten; name another or remove it"
        )
    if not os.path.isdir(path.parent):
        raise UsageError(
            f"the output {path} cannot be created: the folder {path.parent} does not exist"
        )
    if not os.access(path.parent, os.W_OK):
        raise UsageError(
            f"the output {path} cannot be created: the folder {path.parent} is not writable"
        )
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(f"the output {path} cannot be created: {error.strerror}") from None
