"""Read a log of the field: tab-separated ``idx label predict radius correct time``.

The format is that of https://github.com/locuslab/smoothing (``certify.py``, ``predict.py``), which
most later projects kept, each in its own way. Every departure is noted with its line; what cannot
be understood is refused with its line; nothing is passed over.
"""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs.log import ABSTAIN, Correctness, Log, LogRow, Note

_CERTIFY = ("idx", "label", "predict", "radius", "correct", "time")
_NEEDED = _CERTIFY[:3]
_PREDICT = (*_NEEDED, "correct", "time")

_BOOLEANS = {"True": "1", "False": "0", "true": "1", "false": "0"}
_WHOLE = "(?:0|[1-9][0-9]{0,14})"
_REAL = r"(?:[0-9]{1,310}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?"
_CLOCK = r"(?:[0-9]+ days?, )?[0-9]+:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_CELLS = {
    "idx": (_WHOLE, "a whole number of at least 0"),
    "label": (f"{_WHOLE}?", "a class or nothing"),
    "predict": (f"-1|{_WHOLE}", "a class or -1"),
    "radius": (f"[+-]?(?i:inf|infinity|nan)|{_REAL}", "a number of at least 0"),
    "correct": (f"{'|'.join(_BOOLEANS)}|{_WHOLE}", "0, 1 or a running count"),
    "time": (f"{_CLOCK}|{_REAL}", "h:mm:ss or a number of seconds"),
}
"""The form of each cell and its words; strict, since ``int`` and ``float`` take more than that."""
_MOST_SHOWN = 40


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
    reader = _Reader()
    try:
        reader.read(content)
    except ValueError as error:
        raise RunFileError(f"{path}, line {reader.line}: {error}") from None
    return Log(
        path,
        "certify" if "radius" in reader.names else "predict",
        tuple(reader.rows),
        reader.correctness,
        tuple(sorted(reader.notes, key=lambda note: note.line)),
    )


class _Reader:
    """What has been read so far; a ValueError is about ``line``."""

    def __init__(self) -> None:
        self.line = 1
        self.names: tuple[str, ...] = ()
        self.rows: list[LogRow] = []
        self.notes: list[Note] = []
        self.correctness = Correctness("absent")
        self._first_line_of: dict[int, int] = {}
        self._lines_that: defaultdict[str, list[int]] = defaultdict(list)

    def read(self, content: bytes) -> None:
        """Read the whole file."""
        if content.startswith(b"{"):
            raise ValueError(
                "this is JSON and no tab-separated log; `rsonnx report` and `rsonnx verify` read "
                "rsonnx's own run files"
            )
        if content.startswith(b"\xef\xbb\xbf"):
            self._note("the file begins with a byte order mark")
        header: tuple[str, ...] = ()
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        for self.line, raw in enumerate(lines, start=1):
            torn = self.line == len(lines)  # no newline follows
            fields = self._fields(raw)
            if not "".join(fields).strip():
                if raw or not torn:
                    self._note("the line is blank")
            elif fields == header:
                self._note("the header stands here again")
            elif not self.names and self._is_header(fields):
                header = fields
            else:
                self._take_row(fields, torn=torn)
        if not self.names:
            self.line = 1
            raise ValueError("the log is empty, but a header or a row was expected")
        if not self.rows:
            self._note("the log has a header and no rows")
        self._judge_correct()
        for what, numbers in self._lines_that.items():
            self.notes.append(Note(numbers[0], f"lines that {what}: {len(numbers):,}"))

    def _note(self, text: str) -> None:
        self.notes.append(Note(self.line, text))

    def _fields(self, raw: bytes) -> tuple[str, ...]:
        if raw.endswith(b"\r"):
            self._lines_that["end in CRLF"].append(self.line)
        try:
            text = raw.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError:
            raise ValueError("the line is no UTF-8 text") from None
        if "\r" in text:
            raise ValueError("there is a carriage return within the line")
        return tuple(text.split("\t"))

    def _is_header(self, fields: Sequence[str]) -> bool:
        """Take the columns from the first line's names, or their number where it is a row."""
        names = tuple(field.strip().lower() for field in fields)
        if not set(names) & set(_NEEDED):
            _check("idx", fields[0])
            if len(fields) not in (len(_PREDICT), len(_CERTIFY)):
                raise ValueError(
                    f"there is no header, and {len(fields)} columns separated by tabs where "
                    f"{' '.join(_CERTIFY)} or {' '.join(_PREDICT)} were expected"
                )
            without_radius = len(fields) == len(_PREDICT) and fields[3] in ("0", "1", *_BOOLEANS)
            self.names = _PREDICT if without_radius else _CERTIFY[: len(fields)]
            self._note(f"no header: the columns are taken to be {' '.join(self.names)}")
            return False
        missing = [name for name in _NEEDED if name not in names]
        unknown = [name for name in names if name not in _CERTIFY]
        if missing:
            raise ValueError(f"the header lacks the column {missing[0]}")
        if len(set(names)) < len(names):
            raise ValueError("the header names a column twice")
        if unknown and "radius" not in names:
            raise ValueError(
                f"the header has no column radius, and {_quoted(unknown[0])} is unknown; name the "
                f"columns {' '.join(_CERTIFY)}"
            )
        for name in unknown:
            self._note(f"the column {_quoted(name)} is not read")
        for name in ("correct", "time"):
            if name not in names:
                self._note(f"there is no column {name}")
        self.names = names
        return True

    def _take_row(self, fields: Sequence[str], *, torn: bool) -> None:
        count, expected = len(fields), len(self.names)
        if count > expected:
            raise ValueError(f"the row has {count} columns, but {expected} were expected")
        if count < expected:
            self._note(f"short row: {count} of {expected} columns")
        if torn:  # the last cell may be the beginning of a longer one
            self._note("the last line does not end in a newline: its last cell is not read")
            fields = fields[:-1]
        cells = dict(zip(self.names, fields, strict=False))
        if set(_NEEDED) <= cells.keys():
            self.rows.append(self._row(cells))
        elif torn:
            self._note("the last line breaks off before its prediction and is left out")
        else:
            raise ValueError("the row breaks off before its prediction")

    def _row(self, cells: dict[str, str]) -> LogRow:
        for name, text in cells.items():
            _check(name, text)
        index, label, prediction = int(cells["idx"]), cells["label"], int(cells["predict"])
        printed, correct = cells.get("radius"), cells.get("correct")
        radius = float(printed or 0)
        first = self._first_line_of.setdefault(index, self.line)
        if first != self.line:
            self._note(f"idx {index} stands on line {first} already; both rows count")
        if not label:
            self._note("the label is empty")
        if "radius" in self.names and printed is None and prediction != ABSTAIN:
            self._note(f"prediction {prediction} has no radius and counts as an abstention")
            prediction = ABSTAIN
        elif not math.isfinite(radius):
            self._note(f"the radius {printed} is not finite and counts as 0")
            radius = 0.0
        elif prediction == ABSTAIN and radius != 0.0:
            self._note(f"the abstention has the radius {printed}, which counts as 0")
            radius = 0.0
        if correct in _BOOLEANS:
            self._lines_that["say True or False for 1 or 0"].append(self.line)
        stated = None if correct is None else int(_BOOLEANS.get(correct, correct))
        if stated is not None and stated > len(self.rows) + 1:
            raise ValueError(f"correct is {stated}, but {_CELLS['correct'][1]} was expected")
        true_class = int(label) if label else None
        return LogRow(self.line, index, true_class, prediction, radius, printed, stated)

    def _judge_correct(self) -> None:
        """Compare the column ``correct`` with label and prediction, row by row."""
        if all(row.stated is None for row in self.rows):
            return
        wrong = [row.line for row in self.rows if row.stated not in (None, row.correct)]
        running = accumulate(row.correct for row in self.rows)
        if not wrong:
            self.correctness = Correctness("agrees")
        elif all(row.stated in (None, n) for row, n in zip(self.rows, running, strict=True)):
            self.correctness = Correctness("cumulative")
            self.notes.append(Note(self.rows[0].line, "the column correct is a running count"))
        else:
            self.correctness = Correctness("contradicts", tuple(wrong))
            contradiction = "correct contradicts label and predict, which are believed"
            self.notes += [Note(line, contradiction) for line in wrong]


def _check(name: str, text: str) -> None:
    form, expected = _CELLS.get(name, (None, ""))  # nothing is expected of an unknown column
    overflows = name == "radius" and re.fullmatch(_REAL, text) and math.isinf(float(text))
    if form and (overflows or not re.fullmatch(form, text)):
        raise ValueError(f"{name} is {_quoted(text)}, but {expected} was expected")


def _quoted(text: str) -> str:
    quoted = ascii(text)
    return quoted if len(quoted) <= _MOST_SHOWN else quoted[:_MOST_SHOWN] + "..."
