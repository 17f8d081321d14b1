"""Write a run for other programs: the field's log, CSV or Parquet. The run file stays the record.

None of the formats can hold all that a run file says, and none is read back by ``verify``.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Literal, get_args

from rsonnx._version import __version__
from rsonnx.errors import RunFileError, UsageError
from rsonnx.procedures import ABSTAIN
from rsonnx.runs.files import Run
from rsonnx.runs.row_fields import columns_of
from rsonnx.spreadsheet import spreadsheet_text

Format = Literal["tsv", "csv", "parquet"]

DECIMALS = 6
"""Digits behind the point of a radius in a log, rounded down."""

_LOG_COLUMNS = ("idx", "label", "predict", "radius", "correct", "time")


def export_run(run: Run, path: str | os.PathLike[str], file_format: Format) -> None:
    """Write the rows of a run to a new file.

    ``"tsv"``: the log of the field, as :func:`rsonnx.logs.read_log` reads it: an abstention has the
    prediction -1 and the radius 0.0, other radii are rounded down to six decimals, a label that is
    unknown is empty.

    ``"csv"`` and ``"parquet"``: all fields of all rows, radii to the last digit, null where a row
    has no value. In CSV a text that a spreadsheet could take for a formula gets an apostrophe in
    front (one that begins with = + - @ or an apostrophe, or with white space), so a reader gets the
    text back by dropping one leading apostrophe. Parquet holds texts
    as they are; its metadata have the run's header, status and version.

    Args:
        run: the run, complete or not.
        path: a file that does not exist yet.
        file_format: ``"tsv"``, ``"csv"`` or ``"parquet"``, which needs the extra
            ``rsonnx[tables]``.

    Raises:
        UsageError: the file exists or cannot be created, the format is unknown, or its library is
            not installed.
        RunFileError: the file cannot be written; nothing of it is left.
    """
    path = Path(path)
    if file_format not in get_args(Format):
        raise UsageError(
            f"the format is {file_format!r}, but {', '.join(get_args(Format))} was expected"
        )
    parquet = _pyarrow() if file_format == "parquet" else None
    try:
        file = path.open("xb")
    except FileExistsError:
        raise UsageError(
            f"the output {path} exists already and is never overwritten; name another or remove it"
        ) from None
    except OSError as error:
        raise UsageError(f"the output {path} cannot be created: {error.strerror}") from None
    try:
        with file:
            if parquet is not None:
                _write_parquet(parquet, run, file)
            else:
                for line in _log_lines(run) if file_format == "tsv" else _csv_lines(run):
                    file.write(line.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RunFileError(
                f"the output {path} cannot be written ({error.strerror or error}) and was removed"
            ) from None
        raise


def _log_lines(run: Run) -> Iterator[str]:
    yield "\t".join(_LOG_COLUMNS) + "\n"
    for row in run.rows:
        cells = (
            row.index,
            "" if row.label is None else row.label,
            ABSTAIN if row.abstained else row.prediction,
            "0.0" if row.abstained else _decimals_down(row.radius),
            int(row.correct),
            _clock(row.seconds),
        )
        yield "\t".join(map(str, cells)) + "\n"


def _decimals_down(radius: float) -> str:
    """Return a radius with :data:`DECIMALS` decimals, never above it."""
    whole, rest = divmod(int(Fraction(radius) * 10**DECIMALS), 10**DECIMALS)
    return f"{whole}.{rest:0{DECIMALS}}"


def _clock(seconds: float) -> str:
    """Return a time as h:mm:ss.ffffff, with as many hours as there are."""
    minutes, micros = divmod(round(Fraction(seconds) * 10**6), 60 * 10**6)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{micros // 10**6:02}.{micros % 10**6:06}"


def _csv_lines(run: Run) -> Iterator[str]:
    columns = columns_of(run.rows)
    yield _csv_line([column.name for column in columns])
    for row in run.rows:
        yield _csv_line([_csv_cell(_unicode(column.value(row))) for column in columns])


def _csv_cell(value: Any) -> str:
    if isinstance(value, str):
        return spreadsheet_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else repr(value)


def _csv_line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)  # as RFC 4180 has it
    return buffer.getvalue()


def _pyarrow() -> Any:
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError:
        raise UsageError(
            "the format parquet needs pyarrow, which is not installed: pip install 'rsonnx[tables]'"
        ) from None


def _write_parquet(pyarrow: Any, run: Run, file: IO[bytes]) -> None:
    types = {
        "whole": pyarrow.int64(),
        "real": pyarrow.float64(),
        "text": pyarrow.string(),
        "flag": pyarrow.bool_(),
    }
    listed = columns_of(run.rows)
    schema = pyarrow.schema(
        [(column.name, types[column.kind]) for column in listed],
        metadata={
            "rsonnx.version": __version__,
            "rsonnx.status": run.status,
            "rsonnx.header": json.dumps(run.header.to_json()),
        },
    )
    columns = {c.name: [_unicode(c.value(row)) for row in run.rows] for c in listed}
    table = pyarrow.table(columns, schema=schema)
    pyarrow.parquet.write_table(table, file)


def _unicode(value: Any) -> Any:
    """Return a text that UTF-8 can hold: half a surrogate pair, as odd names have, escaped."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
