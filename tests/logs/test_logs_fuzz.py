"""A log from a stranger: any bytes give a refusal that names the line, or a table that is theirs.

A table is theirs if every line that is not blank is a row, or the header, or has a note; and if
every row says what its cells say, or has a note.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

from damaged import mutated

from rsonnx.errors import RunFileError
from rsonnx.logs import Log, LogRow, read_log

_CASES = 1500
_LENGTHS = (1, 1, 2, 5, 20)

_TOKENS = (
    b"nan", b"-inf", b"1e999", b"-1", b"9" * 5000, b"\t", b"\t\t", b"\n", b"\r", b"\r\n", b"\x00",
    b"\xff", b"\xed\xa0", b"\xef\xbb\xbf", b"True", b"0x1", b"1_0", b" ", b"\xc2\xa0", b"0.5",
    b"\xd9\xa3", b"idx\tlabel\tpredict\tradius\tcorrect\ttime\n", b"1e-400", b"0" * 400, b"-", b":",
    b"\x1b[31m", b"\xe2\x80\xa8", b"\x0b", b"\x85", b"{",
)  # fmt: skip
_ROW = (
    "0\t3\t3\t0.378\t1\t15.4\n20\t7\t-1\t0.0\t0\t0:00:15.6\n40\t4\t5\t0.0341\t0\t15.7\n"
    "60\t4\t4\t1.05\t1\t1 day, 0:00:15.7\n80\t4\t4\tinf\t1\t12\n100\t12\t12\t2.0\tTrue\t0.5\n"
)
_LOGS = (
    b"idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + _ROW.encode(),
    _ROW.encode(),
    b"idx\tlabel\tpredict\tcorrect\ttime\n0\t3\t3\t1\t0:00:06.5\n7\t3\t-1\t0\t0:00:01\n",
)


def _says(row: LogRow, cells: list[str], with_radius: bool) -> bool:
    plain = [str(row.index), "" if row.label is None else str(row.label), str(row.prediction)]
    return cells[:3] == plain and (not with_radius or float(cells[3]) == row.radius)


def _check(log: Log, content: bytes, names: list[str]) -> None:
    noted = {note.line for note in log.notes}
    rows = {row.line: row for row in log.rows}
    lines = content.removeprefix(b"\xef\xbb\xbf").decode().split("\n")
    named = next(line for line in lines if line.strip()).removesuffix("\r").lower().split("\t")
    for number, line in enumerate(lines, start=1):
        cells = line.removesuffix("\r").split("\t")
        if number in rows and number not in noted and named[:3] == names[:3]:
            assert _says(rows[number], cells, log.kind == "certify"), line
        elif number not in rows and line.strip():
            assert number in noted or "idx" in line.lower(), line


def _read(path: Path) -> Log | str:
    """Return the log, or the sentence with which it is refused."""
    try:
        return read_log(path)
    except RunFileError as error:
        return str(error)


def test_mutated_logs_are_read_or_refused(log_file: Callable[..., Path]) -> None:
    source = random.Random(6)  # noqa: S311 - a fixed sequence of cases, no secret
    names = ["idx", "label", "predict"]
    refused = 0
    for case in range(_CASES):
        content = mutated(source, source.choice(_LOGS), _TOKENS, _LENGTHS)
        path = log_file(content, "fuzzed.tsv")
        log = _read(path)
        if isinstance(log, str):
            refused += 1
            assert re.search(r"fuzzed\.tsv, line [1-9][0-9]*: ", log), case
            assert log.isprintable(), case
        else:
            assert all(0 <= row.radius < float("inf") for row in log.rows), case
            assert not any(row.correct and row.label != row.prediction for row in log.rows), case
            _check(log, content, names)
    assert _CASES // 8 < refused < _CASES * 7 // 8  # the cases do reach both outcomes
