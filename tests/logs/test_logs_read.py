"""Reading logs: the field's format, and every departure from it that was seen or is likely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rsonnx.errors import RunFileError, UsageError
from rsonnx.logs import Log, read_log

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
PREDICT_HEADER = "idx\tlabel\tpredict\tcorrect\ttime\n"
ROWS = "0\t3\t3\t0.378\t1\t15.4\n20\t7\t-1\t0.0\t0\t15.6\n40\t4\t5\t0.341\t0\t15.7\n"
THREE = HEADER + ROWS

Reader = Callable[[str | bytes], Log]


@pytest.fixture
def read(log_file: Callable[..., Path]) -> Reader:
    return lambda content: read_log(log_file(content))


def notes(log: Log) -> list[str]:
    return [str(note) for note in log.notes]


def table(log: Log) -> list[tuple[object, ...]]:
    return [(r.index, r.label, r.prediction, r.radius, r.correct, r.abstained) for r in log.rows]


PLAIN = [
    (0, 3, 3, 0.378, True, False),
    (20, 7, -1, 0.0, False, True),
    (40, 4, 5, 0.341, False, False),
]


def test_a_plain_log_has_no_notes(read: Reader) -> None:
    log = read(THREE)
    assert log.kind == "certify"
    assert table(log) == PLAIN
    assert log.notes == ()
    assert [row.line for row in log.rows] == [2, 3, 4]
    assert [row.seconds for row in log.rows] == [15.4, 15.6, 15.7]
    assert [row.stated for row in log.rows] == [1, 0, 0]
    assert log.rows[0].printed == "0.378"


def test_a_predict_log_has_no_radii(read: Reader) -> None:
    log = read(PREDICT_HEADER + "0\t3\t3\t1\t0:00:06.513843\n1\t3\t-1\t0\t0:00:01\n")
    assert log.kind == "predict"
    assert table(log) == [(0, 3, 3, 0.0, True, False), (1, 3, -1, 0.0, False, True)]
    assert [row.seconds for row in log.rows] == [6.513843, 1.0]
    assert log.notes == ()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (THREE.replace("\n", "\r\n"), ["line 1: 4 lines end in CRLF"]),
        (b"\xef\xbb\xbf" + THREE.encode(), ["line 1: the file begins with a byte order mark"]),
        (
            THREE.replace("20\t7", "\n20\t7") + "  \n",
            ["line 3: the line is blank", "line 6: the line is blank"],
        ),
        (
            ROWS,
            [
                "line 1: no header: the columns are taken to be idx label predict radius correct "
                "time"
            ],
        ),
        (THREE.replace("20\t7", HEADER + "20\t7"), ["line 3: the header stands here again"]),
        (
            THREE.replace("\t1\t15", "\tTrue\t15").replace("\t0\t15", "\tFalse\t15"),
            ["line 2: 3 rows say True or False for 1 or 0"],
        ),
        (THREE.replace("\t15.7", ""), ["line 4: short row: 5 of 6 columns"]),
        (THREE.replace("\t0\t15.7", ""), ["line 4: short row: 4 of 6 columns"]),
        (
            THREE.removesuffix("\n"),
            ["line 4: the last line does not end in a newline: its last cell is not read"],
        ),
        (
            THREE.replace("\t-1\t0.0", "\t-1\t0.25"),
            ["line 3: the abstention has the radius 0.25, which counts as 0"],
        ),
        (
            THREE.replace("\t0\t15.7", "\t1\t15.7"),
            ["line 4: correct contradicts label and predict, which are believed"],
        ),
        (THREE.replace("\t1\t15", "\t+\t15").replace("\t0\t15", "\t1\t15").replace("+", "1"),
         ["line 2: the column correct is a running count"]),
    ],
)  # fmt: skip
def test_departures_are_noted_and_change_no_table(
    read: Reader, content: str | bytes, expected: list[str]
) -> None:
    log = read(content)
    assert notes(log) == expected
    assert table(log) == PLAIN


@pytest.mark.parametrize("printed", ["inf", "-inf", "nan", "Infinity", "NaN"])
def test_a_radius_that_is_not_finite_counts_as_0(read: Reader, printed: str) -> None:
    log = read(THREE.replace("0.378", printed))
    assert log.rows[0].radius == 0.0
    assert log.rows[0].printed == printed
    assert log.rows[0].correct
    assert notes(log) == [f"line 2: the radius {printed} is not finite and counts as 0"]


def test_a_row_without_its_radius_stays_in_the_denominator(read: Reader) -> None:
    log = read(THREE.replace("\t0.378\t1\t15.4", ""))
    assert len(log.rows) == 3
    assert log.rows[0].abstained
    assert not log.rows[0].correct
    assert notes(log) == [
        "line 2: short row: 3 of 6 columns",
        "line 2: prediction 3 has no radius and counts as an abstention",
    ]


@pytest.mark.parametrize("kept", range(1, len("40\t4\t5\t0.341\t0\t15.7")))
def test_a_torn_last_line_never_certifies_more(read: Reader, kept: int) -> None:
    """Torn anywhere: 0.341 may be cut to 0.3 or 5 to nothing, 12 to 1; only whole cells count."""
    last = "40\t4\t5\t0.341\t0\t15.7"[:kept]
    log = read(HEADER + "".join(ROWS.splitlines(keepends=True)[:2]) + last)
    assert table(log)[:2] == PLAIN[:2]
    cells = last.count("\t")
    if cells < 3:
        assert len(log.rows) == 2
        assert notes(log) == [
            "line 4: the last line breaks off before its prediction and is left out"
        ]
    elif cells == 3:
        assert table(log)[2] == (40, 4, -1, 0.0, False, True)
    else:
        assert table(log)[2] == PLAIN[2]


def test_an_empty_label_is_unknown(read: Reader) -> None:
    log = read(THREE.replace("0\t3\t3", "0\t\t3"))
    assert log.rows[0].label is None
    assert not log.rows[0].correct
    assert "line 2: the label is empty" in notes(log)


def test_a_repeated_idx_is_noted_and_counts(read: Reader) -> None:
    log = read(THREE + "20\t7\t7\t0.2\t1\t15.6\n")
    assert len(log.rows) == 4
    assert notes(log) == ["line 5: idx 20 stands on line 3 already; both rows count"]


def test_columns_are_found_by_name(read: Reader) -> None:
    log = read("time\tradius\tpABar\tpredict\tlabel\tidx\n15.4\t0.378\t0.93\t3\t3\t0\n")
    assert table(log) == [PLAIN[0]]
    assert notes(log) == ["line 1: the column 'pabar' is not read", "line 1: there is no column "
                          "correct"]  # fmt: skip


def test_a_header_alone_is_a_log_without_rows(read: Reader) -> None:
    log = read(HEADER)
    assert (log.kind, log.rows) == ("certify", ())
    assert notes(log) == ["line 1: the log has a header and no rows"]


def test_without_a_header_five_columns_are_told_apart(read: Reader) -> None:
    predict = read("0\t3\t3\t1\t0:00:01\n1\t4\t-1\t0\t0:00:01\n")
    certify = read("0\t3\t3\t0.25\t1\n1\t4\t-1\t0.0\t0\n")
    assert (predict.kind, certify.kind) == ("predict", "certify")
    assert certify.rows[0].radius == 0.25


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:02:31.238689", 151.238689),
        ("15", 15.0),
        ("1 day, 1:00:00", 90_000.0),
        ("2 days, 0:00:01.5", 172_801.5),
        ("27:00:00.000001", 97_200.000001),
        ("1e-05", 1e-05),
    ],
)
def test_times(read: Reader, text: str, seconds: float) -> None:
    assert read(THREE.replace("15.7", text)).rows[2].seconds == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", 1, "the log is empty"),
        (b"\n\n", 1, "the log is empty"),
        (b"hello\n", 1, "idx is 'hello'"),
        (b"idx\tlabel\tcorrect\n", 1, "lacks the column predict"),
        (b"idx\tlabel\tpredict\tidx\n", 1, "twice"),
        (b"1\t2\t3\n", 1, "3 columns separated by tabs"),
        (b'{"kind": "header"}\n', 1, "rsonnx verify"),
        (THREE.replace("\t", ","), 1, "idx is"),
        (THREE.replace("40\t4\t5\t", "40\t4\n"), 4, "breaks off before its prediction"),
        (THREE.replace("15.7", "15.7\t9"), 4, "7 columns"),
        (THREE.replace("40\t", "-40\t"), 4, "idx is '-40'"),
        (THREE.replace("40\t", "4_0\t"), 4, "idx is '4_0'"),
        (THREE.replace("40\t", "\u0664\u0660\t"), 4, "idx is"),
        (THREE.replace("40\t", "9" * 5000 + "\t"), 4, "idx is"),
        (THREE.replace("\t4\t5", "\t-1\t5"), 4, "label is '-1'"),
        (THREE.replace("\t4\t5", "\t4\t-2"), 4, "predict is '-2'"),
        (THREE.replace("\t4\t5", "\t4\t05"), 4, "predict is '05'"),
        (THREE.replace("0.341", "-0.341"), 4, "radius is '-0.341'"),
        (THREE.replace("0.341", "1e999"), 4, "radius is '1e999'"),
        (THREE.replace("0.341", ""), 4, "radius is ''"),
        (THREE.replace("\t0\t15.7", "\t-1\t15.7"), 4, "correct is '-1'"),
        (THREE.replace("\t0\t15.7", "\t4\t15.7"), 4, "correct is 4"),
        (THREE.replace("15.7", "0:61:00"), 4, "time is '0:61:00'"),
        (THREE.replace("15.7", "9" * 400 + ":00:00"), 4, "time is"),
        (THREE.encode().replace(b"0.341", b"0.3\xff1"), 4, "no UTF-8"),
        (THREE.replace("\n", "\r"), 1, "carriage return within"),
        (THREE.replace("radius", "radiux"), 1, "no column radius, and 'radiux' is unknown"),
    ],
)
def test_what_is_no_log_is_refused_with_its_line(
    read: Reader, content: str | bytes, line: int, words: str
) -> None:
    with pytest.raises(RunFileError, match=rf"log\.tsv, line {line}: .*{words}") as raised:
        read(content)
    assert len(str(raised.value)) < 700
    assert str(raised.value).isprintable()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_log(tmp_path / "none")
    with pytest.raises(UsageError, match="not a file"):
        read_log(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        read_log("x" * 5000)
