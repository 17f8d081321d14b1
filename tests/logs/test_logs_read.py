"""Reading logs: the field's format, and every departure from it that was seen or is likely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs import Correctness, Log, read_log

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
LAST = "40\t4\t5\t0.341\t0\t15.7"
ROWS = f"0\t3\t3\t0.378\t1\t15.4\n20\t7\t-1\t0.0\t0\t15.6\n{LAST}\n"
THREE = HEADER + ROWS
PLAIN = [
    (0, 3, 3, 0.378, True, False),
    (20, 7, -1, 0.0, False, True),
    (40, 4, 5, 0.341, False, False),
]

Reader = Callable[[str | bytes], Log]


@pytest.fixture
def read(log_file: Callable[..., Path]) -> Reader:
    return lambda content: read_log(log_file(content))


def table(log: Log) -> list[tuple[object, ...]]:
    return [(r.index, r.label, r.prediction, r.radius, r.correct, r.abstained) for r in log.rows]


def test_a_plain_log_has_no_notes(read: Reader) -> None:
    log = read(THREE)
    assert (log.kind, log.notes, log.correctness) == ("certify", (), Correctness("agrees"))
    assert table(log) == PLAIN
    assert [(row.line, row.stated) for row in log.rows] == [(2, 1), (3, 0), (4, 0)]
    assert log.rows[0].printed == "0.378"


@pytest.mark.parametrize("time", ["0:02:31.238689", "15", "1 day, 1:00:00", "27:00:00", "1e-05"])
def test_a_predict_log_has_no_radii(read: Reader, time: str) -> None:
    log = read(f"idx\tlabel\tpredict\tcorrect\ttime\n0\t3\t3\t1\t{time}\n1\t3\t-1\t0\t0:00:01\n")
    assert (log.kind, log.notes) == ("predict", ())
    assert table(log) == [(0, 3, 3, 0.0, True, False), (1, 3, -1, 0.0, False, True)]


@pytest.mark.parametrize(
    ("content", "lines", "word"),
    [
        (THREE.replace("\n", "\r\n"), [1], "CRLF: 4"),
        (b"\xef\xbb\xbf" + THREE.encode(), [1], "byte order mark"),
        (THREE.replace("20\t7", "\n20\t7") + "  \n", [3, 6], "blank"),
        (ROWS, [1], "no header"),
        (THREE.replace("20\t7", HEADER + "20\t7"), [3], "header"),
        (THREE.replace("\t1\t15", "\tTrue\t15").replace("\t0\t15", "\tFalse\t15"), [2], "True"),
        (THREE.replace("\t15.7", ""), [4], "5 of 6"),
        (THREE.replace("\t0\t15.7", ""), [4], "4 of 6"),
        (THREE.removesuffix("\n"), [4], "newline"),
        (THREE.replace("\t-1\t0.0", "\t-1\t0.25"), [3], "0.25"),
        (THREE.replace("\t0\t15.7", "\t1\t15.7"), [4], "contradicts"),
        (THREE.replace("\t0\t15", "\t1\t15"), [2], "running count"),
    ],
)
def test_departures_are_noted_and_change_no_table(
    read: Reader, content: str | bytes, lines: list[int], word: str
) -> None:
    log = read(content)
    assert [note.line for note in log.notes] == lines
    assert word in log.notes[0].text
    assert table(log) == PLAIN


@pytest.mark.parametrize("printed", ["inf", "-inf", "nan", "Infinity", "NaN"])
def test_a_radius_that_is_not_finite_counts_as_0(read: Reader, printed: str) -> None:
    log = read(THREE.replace("0.378", printed))
    row, [note] = log.rows[0], log.notes
    assert (row.radius, row.printed, row.correct, note.line) == (0.0, printed, True, 2)


def test_a_row_without_its_radius_stays_in_the_denominator(read: Reader) -> None:
    log = read(THREE.replace("\t0.378\t1\t15.4", ""))
    assert len(log.rows) == 3
    assert (log.rows[0].abstained, log.rows[0].correct) == (True, False)
    assert [note.line for note in log.notes] == [2, 2]


@pytest.mark.parametrize("kept", range(1, len(LAST)))
def test_a_torn_last_line_never_certifies_more(read: Reader, kept: int) -> None:
    """Torn anywhere: 0.341 may be cut to 0.3 or 5 to nothing, 12 to 1; only whole cells count."""
    log = read(THREE.removesuffix(f"{LAST}\n") + LAST[:kept])
    cells = LAST[:kept].count("\t")
    abstention = (40, 4, -1, 0.0, False, True)
    whole = [[], [], [], [abstention], [PLAIN[2]], [PLAIN[2]]]
    assert table(log) == PLAIN[:2] + whole[cells]
    assert {note.line for note in log.notes} == {4}


def test_what_is_unknown_or_repeated_is_noted_and_counts(read: Reader) -> None:
    log = read(THREE.replace("0\t3\t3", "0\t\t3") + "20\t7\t7\t0.2\t1\t15.6\n")
    assert (log.rows[0].label, log.rows[0].correct, len(log.rows)) == (None, False, 4)
    assert [note.line for note in log.notes] == [2, 2, 5]


def test_columns_are_found_by_name(read: Reader) -> None:
    log = read("time\tradius\tpABar\tpredict\tlabel\tidx\n15.4\t0.378\t0.93\t3\t3\t0\n")
    assert table(log) == [PLAIN[0]]
    assert log.correctness == Correctness("absent")
    assert len(log.notes) == 2


def test_a_header_alone_is_a_log_without_rows(read: Reader) -> None:
    log = read(HEADER)
    assert (log.kind, log.rows, len(log.notes)) == ("certify", (), 1)


def test_without_a_header_five_columns_are_told_apart(read: Reader) -> None:
    predict = read("0\t3\t3\t1\t0:00:01\n1\t4\t-1\t0\t0:00:01\n")
    certify = read("0\t3\t3\t0.25\t1\n1\t4\t-1\t0.0\t0\n")
    assert (predict.kind, certify.kind) == ("predict", "certify")
    assert certify.rows[0].radius == 0.25


@pytest.mark.parametrize(
    ("content", "line", "word"),
    [
        (b"", 1, "empty"),
        (b"\n\n", 1, "empty"),
        (b"hello\n", 1, "hello"),
        (b"idx\tlabel\tcorrect\n", 1, "predict"),
        (b"idx\tlabel\tpredict\tidx\n", 1, "twice"),
        (b"1\t2\t3\n", 1, "3 columns"),
        (b'{"kind": "header"}\n', 1, "rsonnx verify"),
        (THREE.replace("\t", ","), 1, "idx"),
        (THREE.replace("40\t4\t5\t", "40\t4\n"), 4, "predict"),
        (THREE.replace("15.7", "15.7\t9"), 4, "7 columns"),
        *((THREE.replace("40\t", f"{idx}\t"), 4, "idx")
          for idx in ("-40", "4_0", "\u0664\u0660", "9" * 5000)),
        (THREE.replace("\t4\t5", "\t-1\t5"), 4, "label"),
        (THREE.replace("\t4\t5", "\t4\t-2"), 4, "predict"),
        (THREE.replace("\t4\t5", "\t4\t05"), 4, "predict"),
        *((THREE.replace("0.341", radius), 4, "radius") for radius in ("-0.341", "1e999", "")),
        (THREE.replace("\t0\t15.7", "\t-1\t15.7"), 4, "correct"),
        (THREE.replace("\t0\t15.7", "\t4\t15.7"), 4, "correct"),
        (THREE.replace("15.7", "0:61:00"), 4, "time"),
        (THREE.encode().replace(b"0.341", b"0.3\xff1"), 4, "UTF-8"),
        (THREE.replace("\n", "\r"), 1, "carriage return"),
        (THREE.replace("radius", "radiux"), 1, "radiux"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_refused_with_its_line(
    read: Reader, content: str | bytes, line: int, word: str
) -> None:
    with pytest.raises(RunFileError, match=rf"log\.tsv, line {line}: .*{word}") as raised:
        read(content)
    assert len(str(raised.value)) < 700
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["none", ".", "x" * 5000])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"does not exist|not a file"):
        read_log(tmp_path / name)
