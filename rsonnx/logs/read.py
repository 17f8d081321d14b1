"""Read a log of the field: tab-separated ``idx label predict radius correct time``.

The format is that of https://github.com/locuslab/smoothing (``certify.py``, ``predict.py``), which
most later projects kept, each in its own way. Every departure is noted with its line; what cannot
be understood is refused with its line; nothing is passed over.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs import cells
from rsonnx.logs.columns import Columns, guess, header
from rsonnx.logs.correctness import judge_correct
from rsonnx.logs.log import ABSTAIN, Log, LogRow, Note


@dataclass(frozen=True)
class _Line:
    """A line that is not blank, cut at its tabs; ``ended`` unless the file stops within it."""

    number: int
    fields: tuple[str, ...]
    ended: bool


@dataclass
class _Reading:
    """What has been read so far."""

    notes: list[Note] = field(default_factory=list)
    rows: list[LogRow] = field(default_factory=list)
    first_line_of: dict[int, int] = field(default_factory=dict)

    def note(self, line: int, text: str) -> None:
        self.notes.append(Note(line, text))


class _LineError(Exception):
    """A line that is not understood: its number and the reason."""

    def __init__(self, number: int, reason: object) -> None:
        super().__init__(f"line {number}: {reason}")


def read_log(path: str | os.PathLike[str]) -> Log:
    """Read a log with or without radii.

    Understood and noted: CRLF, blank lines, a byte order mark, no header, further columns, True and
    False, short rows, a torn last line, an empty label, a running count as ``correct``, one that
    contradicts label and prediction, a repeated ``idx``, radii that are not finite (they count as
    0) and abstentions with a radius (it counts as 0). A row without its radius is an abstention, so
    that nothing leaves the denominator and nothing is certified that the log does not certify; only
    a last line that breaks off before its prediction is left out.

    Raises:
        UsageError: there is no such file.
        RunFileError: a line is not what the format says; the message names the line.
    """
    path = Path(path)
    if not os.path.exists(path):  # unlike Path.exists, False for a name that is too long
        raise UsageError(f"the log {path} does not exist")
    if not path.is_file():
        raise UsageError(f"{path} is not a file, but a log was expected")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFileError(f"the log {path} cannot be read: {error.strerror}") from None
    if content.startswith(b"{"):
        raise RunFileError(
            f"{path}, line 1: this is JSON and no tab-separated log; `rsonnx report` and `rsonnx "
            "verify` read rsonnx's own run files"
        )
    reading = _Reading()
    try:
        columns = _read(reading, content)
    except _LineError as error:
        raise RunFileError(f"{path}, {error}") from None
    notes = sorted(reading.notes, key=lambda note: note.line)
    return Log(path, columns.kind, tuple(reading.rows), tuple(notes))


def _read(reading: _Reading, content: bytes) -> Columns:
    lines = list(_lines(reading, content))
    if not lines:
        raise _LineError(1, "the log is empty, but a header or a row was expected")
    columns, body = _columns(reading, lines)
    for line in body:
        try:
            row = _row(reading, line, columns)
        except ValueError as error:
            raise _LineError(line.number, error) from None
        if row is not None:
            reading.rows.append(row)
    if not reading.rows:
        reading.note(lines[0].number, "the log has a header and no rows")
    _note_booleans(reading, body, columns)
    _note_correct(reading)
    return columns


def _lines(reading: _Reading, content: bytes) -> Iterator[_Line]:
    """Yield the lines that are not blank."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
        reading.note(1, "the file begins with a byte order mark")
    *whole, last = content.split(b"\n")
    returns = []
    for number, raw in enumerate([*whole, last] if last else whole, start=1):
        if raw.endswith(b"\r"):
            returns.append(number)
        try:
            text = raw.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError:
            raise _LineError(number, "the line is no UTF-8 text") from None
        if "\r" in text:
            raise _LineError(number, "there is a carriage return within the line")
        if text.strip():
            yield _Line(number, tuple(text.split("\t")), ended=number <= len(whole))
        else:
            reading.note(number, "the line is blank")
    if returns:
        many = f"{len(returns):,} lines end" if len(returns) > 1 else "the line ends"
        reading.note(returns[0], f"{many} in CRLF")


def _columns(reading: _Reading, lines: list[_Line]) -> tuple[Columns, list[_Line]]:
    """Return the columns, and the lines that hold rows."""
    first = lines[0]
    try:
        columns = header(first.fields)
        if columns is None:
            cells.whole("idx", first.fields[0])
            columns = guess(line.fields for line in lines)
            reading.note(
                first.number, f"no header: the columns are taken to be {' '.join(columns.names)}"
            )
            return columns, lines
    except ValueError as error:
        raise _LineError(first.number, error) from None
    for name in columns.unknown:
        reading.note(first.number, f"the column {cells.quoted(name)} is not read")
    for name in {"correct", "time"} - set(columns.names):
        reading.note(first.number, f"there is no column {name}")
    body = []
    for line in lines[1:]:
        if line.fields == first.fields:
            reading.note(line.number, "the header stands here again")
        else:
            body.append(line)
    return columns, body


def _row(reading: _Reading, line: _Line, columns: Columns) -> LogRow | None:
    number, found, expected = line.number, len(line.fields), len(columns.names)
    if found > expected:
        raise ValueError(f"the row has {found} columns, but {expected} were expected")
    # Where the file breaks off, the last cell may be the beginning of a longer one.
    sure = found if line.ended else found - 1
    if sure < columns.needed:
        if line.ended:
            raise ValueError("the row breaks off before its prediction")
        reading.note(number, "the last line breaks off before its prediction and is left out")
        return None
    if not line.ended:
        reading.note(number, "the last line does not end in a newline: its last cell is not read")
    if found < expected:
        reading.note(number, f"short row: {found} of {expected} columns")
    return _checked(reading, number, columns, columns.cells(line.fields[:sure]))


def _checked(reading: _Reading, number: int, columns: Columns, texts: dict[str, str]) -> LogRow:
    index = cells.whole("idx", texts["idx"])
    first = reading.first_line_of.setdefault(index, number)
    if first != number:
        reading.note(number, f"idx {index} stands on line {first} already; both rows count")
    label = cells.label(texts["label"])
    if label is None:
        reading.note(number, "the label is empty")
    prediction, radius = cells.prediction(texts["predict"]), 0.0
    printed = texts.get("radius")
    if printed is not None:
        radius = _radius(reading, number, printed, prediction)
    elif columns.kind == "certify" and prediction != ABSTAIN:
        reading.note(number, f"prediction {prediction} has no radius and counts as an abstention")
        prediction = ABSTAIN
    stated = cells.correct(texts["correct"]) if "correct" in texts else None
    if stated is not None and stated > len(reading.rows) + 1:
        raise ValueError(f"correct is {stated}, but 0, 1 or a running count was expected")
    seconds = cells.seconds(texts["time"]) if "time" in texts else None
    return LogRow(number, index, label, prediction, radius, printed, stated, seconds)


def _radius(reading: _Reading, number: int, printed: str, prediction: int) -> float:
    """Return the radius that counts, which is 0 where the log certifies none."""
    radius = cells.radius(printed)
    if not math.isfinite(radius):
        reading.note(number, f"the radius {printed} is not finite and counts as 0")
        return 0.0
    if prediction == ABSTAIN and radius != 0.0:
        reading.note(number, f"the abstention has the radius {printed}, which counts as 0")
        return 0.0
    return radius


def _note_booleans(reading: _Reading, body: list[_Line], columns: Columns) -> None:
    lines = [
        line.number
        for line in body
        if cells.is_boolean(columns.cells(line.fields).get("correct", ""))
    ]
    if lines:
        many = f"{len(lines):,} rows say" if len(lines) > 1 else "the row says"
        reading.note(lines[0], f"{many} True or False for 1 or 0")


def _note_correct(reading: _Reading) -> None:
    found = judge_correct(reading.rows)
    if found.standing == "cumulative":
        reading.note(reading.rows[0].line, "the column correct is a running count")
    for line in found.lines:
        reading.note(line, "correct contradicts label and predict, which are believed")
