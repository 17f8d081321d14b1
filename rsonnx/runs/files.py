"""Read run files: JSON lines, a header first, a row an input, and a last line on how it ended."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs.fields import NAME, Kind, one_of, shown, whole
from rsonnx.runs.header import Header
from rsonnx.runs.header_fields import FORMAT
from rsonnx.runs.rows import CountsRow, Row
from rsonnx.runs.strict_json import MOST_BYTES, read_object

Ending = Literal["complete", "interrupted", "failed", "void"]
"""``"void"``: the classifier was seen to be no function of one input, so no row speaks of it."""

START = b'{"kind": "header", "format": "rsonnx-run"'
"""How every run file starts, down to its first bytes."""


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
    header: Header
    rows: tuple[Row, ...]
    status: str


@dataclass(frozen=True)
class Part:
    """A run file that was read and may hold a part of a run only.

    Attributes:
        path: the file.
        header: its first line.
        rows: one an input: certificates, or counts of a range of samples.
        status: how it ended; ``"incomplete"`` where no last line says so.
        identity: SHA-256 of the first line: what belongs to this run names it.
        length: bytes from the start to the end of the last row.
    """

    path: Path
    header: Header
    rows: tuple[Row | CountsRow, ...]
    status: str
    identity: str
    length: int


def as_path(what: str, value: object) -> Path:
    """Return where a file is, or refuse what can name none."""
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise UsageError(f"{what} is {shown(value)}, but a path was expected")
    return Path(value)


def identity_of(line: bytes) -> str:
    """Return the SHA-256 of the first line of a run file, without its end."""
    return hashlib.sha256(line.removesuffix(b"\n")).hexdigest()


def is_torn_start(content: bytes, start: bytes = START) -> bool:
    """Say whether a file holds nothing but the beginning of a header, as a killed process left."""
    return b"\n" not in content and (content.startswith(start) or start.startswith(content))


def written_part(path: Path, content: bytes) -> Part | None:
    """Return what a run file holds; None where not even its header was written."""
    return None if is_torn_start(content) else parse_part(path, BytesIO(content))


def parse_part(path: Path, file: BinaryIO) -> Part:
    """Read an open run file, a line at a time; nothing but what is read of it stays in memory."""
    lines = whole_lines(path, file)
    first = next(lines, None)
    if first is None:
        raise RunFileError(f"{path} is not a run file: it has no complete line")
    header = _header(path, first)
    rows: dict[int, Row | CountsRow] = {}
    status: str | None = None
    length = len(first)
    for number, line in enumerate(lines, start=2):
        if status is not None:
            raise RunFileError(f"{path}, line {number}: there is a line behind the end of the run")
        value = parse_line(path, number, line)
        if value.get("kind") == "end":
            status = ending_of(path, number, value, len(rows))
            if status == "void":
                raise RunFileError(
                    f"{path} is void, and none of its {len(rows)} rows holds: "
                    f"{shown(value.get('error'))}; run it again without --rows watched, into "
                    "another file"
                )
            continue
        row = _row(path, number, value, header)
        if row.index in rows:
            raise RunFileError(f"{path}, line {number}: the input {row.index} was there before")
        rows[row.index] = row
        length += len(line)
    if header.inputs < len(rows):
        raise RunFileError(
            f"{path}, line 1: the header says {header.inputs} inputs, but there are {len(rows)}"
        )
    return Part(
        path,
        header,
        tuple(rows.values()),
        status or "incomplete",
        identity_of(first),
        length,
    )


def whole_lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that have an end, each with it.

    Raises:
        RunFileError: one is too long.
    """
    for number in count(1):
        line = file.readline(MOST_BYTES + 1)
        if len(line) > MOST_BYTES:
            raise RunFileError(
                f"{path}, line {number} has more than {MOST_BYTES >> 20} MiB, so it is not one of "
                "a run file"
            )
        if not line.endswith(b"\n"):
            return
        yield line


def _row(path: Path, number: int, value: Mapping[str, Any], header: Header) -> Row | CountsRow:
    samples = header.samples
    kind = "input" if samples is None else "counts"
    if value.get("kind") != kind:
        raise RunFileError(
            f"{path}, line {number}: kind is {shown(value.get('kind'))}, but {kind} or end was "
            "expected"
        )
    try:
        row = (Row if samples is None else CountsRow).from_json(value)
        if isinstance(row, CountsRow) and row.samples != samples:
            raise RunFileError(f"the samples are {row.samples}, but the header says {samples}")
        if row.arithmetic != header.arithmetic:
            raise RunFileError(
                f"the arithmetic is {row.arithmetic}, but the header says "
                f"{shown(header.arithmetic)}"
            )
        return row
    except RunFileError as error:
        raise RunFileError(f"{path}, line {number}: {error}") from None


def _header(path: Path, line: bytes) -> Header:
    header = parse_line(path, 1, line)
    if header.get("format") == "rsonnx-breaks":
        raise RunFileError(
            f"{path} is a file of `rsonnx falsify` and no run; `rsonnx falsify --check` checks it"
        )
    if header.get("format") != "rsonnx-run":
        raise RunFileError(
            f"{path} is not a run file: its first line is no header; `rsonnx certify -o` writes one"
        )
    if header.get("format_version") != FORMAT:
        raise RunFileError(
            f"{path} has format version {shown(header.get('format_version'))}, but this rsonnx "
            f"reads version {FORMAT}; use the rsonnx that wrote it"
        )
    try:
        return Header.from_json(header)
    except RunFileError as error:
        raise RunFileError(f"{path}, line 1: {error}") from None


def ending_of(path: Path, number: int, value: dict[str, Any], rows: int) -> str:
    """Return how a file of so many rows ended, as its last line says, or refuse the line."""
    try:
        end = {name: kind.of({"error": None} | value, name) for name, kind in _END.items()}
    except KeyError as error:
        raise RunFileError(f"{path}, line {number}: the end lacks the field {error}") from None
    except TypeError as error:
        raise RunFileError(f"{path}, line {number}: {error}") from None
    if unknown := value.keys() - _END.keys():
        raise RunFileError(
            f"{path}, line {number}: {shown(min(unknown))} is no field of the end of a run"
        )
    if end["inputs"] != rows:
        raise RunFileError(
            f"{path}, line {number}: the run ended with {end['inputs']} inputs, but the file holds "
            f"{rows}"
        )
    return str(end["status"])


_END: dict[str, Kind[Any]] = {
    "kind": one_of("end"),
    "status": one_of(*get_args(Ending)),
    "inputs": whole(0),
    "error": NAME.or_null(),
}


def parse_line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the object that a line of a file is, or refuse it by its number."""
    try:
        return read_object(line)
    except TypeError as error:
        raise RunFileError(f"{path}, line {number}: {error}") from None
    except ValueError as error:
        raise RunFileError(f"{path}, line {number} is not a line of JSON: {error}") from None


def line_of(value: dict[str, Any]) -> bytes:
    """Return an object as a line of a run file.

    ASCII throughout: file names may hold what UTF-8 cannot, and a torn line splits no letter.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(value, allow_nan=False).encode("ascii") + b"\n"
