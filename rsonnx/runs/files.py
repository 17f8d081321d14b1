"""Run files: JSON lines, a header first, a row an input, and a last line that says how it ended."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

from rsonnx.errors import RunFileError, UsageError
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
        except RunFileError:
            self._file.close()
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
            self._file.close()

    def write(self, row: Row) -> None:
        """Append a row and hand it to the operating system.

        Raises:
            RunFileError: the file cannot be written, on a full disk for example.
        """
        self._write(row.to_json())
        self._rows += 1

    def _end(self, status: Ending, error: str | None) -> None:
        self._write({"kind": "end", "status": status, "inputs": self._rows, "error": error})

    def _write(self, value: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunFileError(
                f"the output {self._path} cannot be written: {error.strerror}; it holds the first "
                f"{self._rows} inputs"
            ) from None


def check_output(path: Path) -> None:
    """Refuse an output file that exists or whose folder does not.

    Raises:
        UsageError: with what to do.
    """
    if path.exists():
        raise UsageError(
            f"the output {path} exists already and is never overwritten; name another or remove it"
        )
    if not path.parent.is_dir():
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
    if not path.is_file():
        raise UsageError(f"the run file {path} does not exist; `rsonnx certify -o FILE` writes one")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFileError(f"the run file {path} cannot be read: {error}") from None
    *lines, _torn = text.split("\n")
    if not lines:
        raise RunFileError(f"{path} is not a run file: it has no complete line")
    header = _header(path, lines[0])
    rows: list[Row] = []
    status = "incomplete"
    for number, line in enumerate(lines[1:], start=2):
        if status != "incomplete":
            raise RunFileError(f"{path}, line {number}: there is a line behind the end of the run")
        value = _parse(path, number, line)
        if value.get("kind") == "end":
            status = _status(path, number, value, len(rows))
        elif value.get("kind") == "input":
            try:
                rows.append(Row.from_json(value))
            except RunFileError as error:
                raise RunFileError(f"{path}, line {number}: {error}") from None
        else:
            raise RunFileError(
                f"{path}, line {number}: kind is {value.get('kind')!r}, but input or end was "
                "expected"
            )
    return Run(path, header, tuple(rows), status)


def _header(path: Path, line: str) -> dict[str, Any]:
    header = _parse(path, 1, line)
    if header.get("format") != "rsonnx-run":
        raise RunFileError(
            f"{path} is not a run file: its first line is no header; `rsonnx certify -o` writes one"
        )
    if header.get("format_version") != FORMAT:
        raise RunFileError(
            f"{path} has format version {header.get('format_version')!r}, but this rsonnx reads "
            f"version {FORMAT}; use the rsonnx that wrote it"
        )
    return header


def _status(path: Path, number: int, value: dict[str, Any], rows: int) -> str:
    if value.get("inputs") != rows:
        raise RunFileError(
            f"{path}, line {number}: the run ended with {value.get('inputs')!r} inputs, but the "
            f"file holds {rows}"
        )
    return str(value.get("status"))


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise RunFileError(f"{path}, line {number}: this is not a line of JSON") from None
    if not isinstance(value, dict):
        raise RunFileError(f"{path}, line {number}: an object was expected")
    return value
