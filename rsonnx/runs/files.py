"""Run files: JSON lines, a header first, a row an input, and a last line that says how it ended."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO, get_args

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs.fields import shown
from rsonnx.runs.header import FORMAT
from rsonnx.runs.rows import Row

Ending = Literal["complete", "interrupted", "failed"]


@dataclass(frozen=True)
class Run:
    """A run file that was read.

    Attributes:
        path: the file.
        header: its first line.
        rows: one an input.
        status: how it ended; ``"incomplete"`` where no last line says so.
    """

    path: Path
    header: dict[str, Any]
    rows: tuple[Row, ...]
    status: str


class RunWriter:
    """Writes a run file, a whole line at a time. Used as a context manager.

    Args:
        path: a file that does not exist yet.
        header: the first line.

    Raises:
        UsageError: the file exists or cannot be created.
    """

    def __init__(self, path: str | os.PathLike[str], header: dict[str, Any]) -> None:
        self._path = Path(path)
        check_output(self._path)
        try:
            self._file: TextIO = self._path.open("x", encoding="utf-8", newline="\n")
        except OSError as error:
            raise UsageError(f"the output {path} cannot be created: {error.strerror}") from None
        self._rows = 0
        try:
            self._write(header)
        except BaseException:
            self._close()
            self._path.unlink(missing_ok=True)
            raise

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._end("complete", None)
            elif issubclass(kind, KeyboardInterrupt):
                self._end("interrupted", None)
            elif not issubclass(kind, RunFileError):
                self._end("failed", str(error) or kind.__name__)
        finally:
            self._close()

    def write(self, row: Row) -> None:
        """Append a row and hand it to the operating system.

        Raises:
            RunFileError: the file cannot be written, on a full disk for example.
        """
        self._write(row.to_json())
        self._rows += 1

    def _end(self, status: Ending, error: str | None) -> None:
        if status != "complete":
            # An interrupt may have come after a row was written and before it was counted.
            self._rows = self._rows_in_file()
        self._write({"kind": "end", "status": status, "inputs": self._rows, "error": error})

    def _rows_in_file(self) -> int:
        try:
            self._file.flush()
            with self._path.open("rb") as file:
                return sum(line.endswith(b"\n") for line in file) - 1
        except OSError as error:
            raise self._unwritable(error) from None

    def _close(self) -> None:
        # What was written is on the disk already; closing tries once more to write what was not,
        # and its failure would hide the one that has been reported.
        with contextlib.suppress(OSError):
            self._file.close()

    def _unwritable(self, error: OSError) -> RunFileError:
        return RunFileError(
            f"the output {self._path} cannot be written: {error.strerror}; it holds the first "
            f"{self._rows} inputs"
        )

    def _write(self, value: dict[str, Any]) -> None:
        # ASCII throughout: file names may hold what UTF-8 cannot, and a torn line splits no letter.
        line = json.dumps(value, allow_nan=False) + "\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from None


def check_output(path: Path) -> None:
    """Refuse an output file that exists or whose folder does not.

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


def read_run(path: str | os.PathLike[str]) -> Run:
    """Read a run file.

    A last line without an end, as a killed process leaves it, is left out and the run is
    ``"incomplete"``.

    Raises:
        UsageError: there is no such file.
        RunFileError: a line is not what the format says; the message names the line.
    """
    path = Path(path)
    if not os.path.exists(path):
        raise UsageError(f"the run file {path} does not exist; `rsonnx certify -o FILE` writes one")
    if not path.is_file():
        raise UsageError(f"{path} is not a file, but a run file was expected")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFileError(f"the run file {path} cannot be read: {error.strerror}") from None
    *lines, _torn = content.split(b"\n")
    if not lines:
        raise RunFileError(f"{path} is not a run file: it has no complete line")
    header = _header(path, lines[0])
    rows: dict[int, Row] = {}
    status: str | None = None
    for number, line in enumerate(lines[1:], start=2):
        if status is not None:
            raise RunFileError(f"{path}, line {number}: there is a line behind the end of the run")
        value = _parse(path, number, line)
        if value.get("kind") == "end":
            status = _status(path, number, value, len(rows))
        elif value.get("kind") == "input":
            row = _row(path, number, value)
            if row.index in rows:
                raise RunFileError(f"{path}, line {number}: the input {row.index} was there before")
            rows[row.index] = row
        else:
            raise RunFileError(
                f"{path}, line {number}: kind is {shown(value.get('kind'))}, but input or end was "
                "expected"
            )
    return Run(path, header, tuple(rows.values()), status or "incomplete")


def _row(path: Path, number: int, value: dict[str, Any]) -> Row:
    try:
        return Row.from_json(value)
    except RunFileError as error:
        raise RunFileError(f"{path}, line {number}: {error}") from None


def _header(path: Path, line: bytes) -> dict[str, Any]:
    header = _parse(path, 1, line)
    if header.get("format") != "rsonnx-run":
        raise RunFileError(
            f"{path} is not a run file: its first line is no header; `rsonnx certify -o` writes one"
        )
    if header.get("format_version") != FORMAT:
        raise RunFileError(
            f"{path} has format version {shown(header.get('format_version'))}, but this rsonnx "
            f"reads version {FORMAT}; use the rsonnx that wrote it"
        )
    return header


def _status(path: Path, number: int, value: dict[str, Any], rows: int) -> str:
    if value.get("inputs") != rows:
        raise RunFileError(
            f"{path}, line {number}: the run ended with {shown(value.get('inputs'))} inputs, but "
            f"the file holds {rows}"
        )
    status = value.get("status")
    if status not in get_args(Ending):
        raise RunFileError(
            f"{path}, line {number}: status is {shown(status)}, but {', '.join(get_args(Ending))} "
            "was expected"
        )
    return str(status)


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_no_json)
    except (ValueError, RecursionError):
        raise RunFileError(f"{path}, line {number}: this is not a line of JSON") from None
    if not isinstance(value, dict):
        raise RunFileError(f"{path}, line {number}: an object was expected")
    return value


def _no_json(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(constant)
