"""Run files: what is written, how it ends, and what a reader refuses."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import Row, RunWriter, disk, read_run


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode("utf-8").splitlines()]


def test_header_rows_and_end_stand_in_that_order(
    run_file: Callable[..., Path], header: dict[str, Any], make_row: Callable[..., Row]
) -> None:
    lines = _lines(run_file(3))
    assert [line["kind"] for line in lines] == ["header", "input", "input", "input", "end"]
    assert lines[0] == header
    assert lines[1] == make_row(0).to_json()
    assert lines[-1] == {"kind": "end", "status": "complete", "inputs": 3, "error": None}


def test_what_was_written_is_read_back(
    run_file: Callable[..., Path], header: dict[str, Any], make_row: Callable[..., Row]
) -> None:
    path = run_file(3)
    run = read_run(path)
    assert (run.path, run.header.record, run.status) == (path, header, "complete")
    assert run.rows == tuple(make_row(i, hits=h) for i, h in enumerate((990, 700, 500)))


def test_every_line_is_on_disk_before_the_next_is_computed(
    tmp_path: Path, header: dict[str, Any], make_row: Callable[..., Row]
) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, header) as writer:
        assert len(_lines(path)) == 1
        writer.write(make_row(0))
        assert len(_lines(path)) == 2
        assert read_run(path).status == "incomplete"


def test_names_that_utf8_cannot_hold_are_kept(
    tmp_path: Path, header: dict[str, Any], make_row: Callable[..., Row]
) -> None:
    path = tmp_path / "run.jsonl"
    names = ["\udcff.png", "数/\u2028.png", "a\nb\r\x1b[31m.png"]
    with RunWriter(path, header | {"given": ["\udc80"]}) as writer:
        for index, name in enumerate(names):
            writer.write(make_row(index, name=name))
    assert [row.name for row in read_run(path).rows] == names
    assert read_run(path).header.record["given"] == ["\udc80"]
    assert len(path.read_bytes().splitlines()) == 5


def test_an_existing_file_is_refused_and_untouched(tmp_path: Path, header: dict[str, Any]) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("precious")
    with pytest.raises(UsageError, match=r"run\.jsonl exists already and is never overwritten"):
        RunWriter(path, header)
    assert path.read_text() == "precious"


def test_a_dangling_link_is_not_written_through(tmp_path: Path, header: dict[str, Any]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(UsageError, match="cannot be created"):
        RunWriter(tmp_path / "link", header)
    assert not (tmp_path / "target").exists()


def test_a_missing_folder_is_named(tmp_path: Path, header: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"the folder .*nowhere does not exist"):
        RunWriter(tmp_path / "nowhere" / "run.jsonl", header)


def test_a_name_that_is_too_long_is_refused(tmp_path: Path, header: dict[str, Any]) -> None:
    for path in (tmp_path / ("a" * 300), tmp_path / ("a" * 300) / "run.jsonl"):
        with pytest.raises(UsageError, match="cannot be created"):
            RunWriter(path, header)
    with pytest.raises(UsageError, match="does not exist"):
        read_run(tmp_path / ("a" * 300))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no permissions of this kind here")
def test_an_unwritable_folder_is_named(
    tmp_path: Path, header: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.geteuid() == 0:  # the superuser may write everywhere: only the check can be tested
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=r"the folder .*locked is not writable"):
        RunWriter(folder / "run.jsonl", header)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), "interrupted", None),
        (ValueError("the model broke"), "failed", "the model broke"),
        (MemoryError(), "failed", "MemoryError"),
    ],
)
def test_the_last_line_says_how_it_ended(
    tmp_path: Path,
    header: dict[str, Any],
    make_row: Callable[..., Row],
    error: BaseException,
    status: str,
    message: str | None,
) -> None:
    path = tmp_path / "run.jsonl"

    def run() -> None:
        with RunWriter(path, header) as writer:
            writer.write(make_row(0))
            raise error

    with pytest.raises(type(error)):
        run()
    end = {"kind": "end", "status": status, "inputs": 1, "error": message}
    assert _lines(path)[-1] == end
    assert (read_run(path).status, len(read_run(path).rows)) == (status, 1)


@pytest.mark.parametrize("moment", ["before", "middle", "after"])
def test_an_interrupt_inside_a_write_leaves_a_file_that_can_be_read(
    tmp_path: Path,
    header: dict[str, Any],
    make_row: Callable[..., Row],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    path = tmp_path / "run.jsonl"
    pressed = iter([True])
    append = disk.append

    def press(file: FileIO, data: bytes) -> None:
        if not next(pressed, False):
            append(file, data)
            return
        append(file, data[: {"before": 0, "middle": 99, "after": len(data)}[moment]])
        raise KeyboardInterrupt

    def run() -> None:
        with RunWriter(path, header) as writer:
            writer.write(make_row(0))
            monkeypatch.setattr(disk, "append", press)
            writer.write(make_row(1))

    with pytest.raises(KeyboardInterrupt):
        run()
    read = read_run(path)
    assert read.status == "interrupted"
    assert [row.index for row in read.rows] == ([0, 1] if moment == "after" else [0])


def _no_space(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("cut", [True, False])
def test_a_full_disk_is_one_sentence(
    tmp_path: Path,
    header: dict[str, Any],
    make_row: Callable[..., Row],
    monkeypatch: pytest.MonkeyPatch,
    cut: bool,
) -> None:
    path = tmp_path / "run.jsonl"

    def run() -> None:
        with RunWriter(path, header) as writer:
            writer.write(make_row(0))
            monkeypatch.setattr(disk, "append", _no_space)
            if not cut:
                monkeypatch.setattr(disk, "cut", _no_space)
            writer.write(make_row(1))

    with pytest.raises(RunFileError, match=r"cannot be written: No space left on dev") as caught:
        run()
    assert "it holds the first 1 inputs" in str(caught.value)
    assert "run.jsonl" in str(caught.value)
    assert (read_run(path).status, len(read_run(path).rows)) == ("incomplete", 1)


@pytest.mark.parametrize("refused", ["append", "cut"])
def test_a_full_disk_at_the_end_of_a_failed_run_is_a_sentence_too(
    tmp_path: Path, header: dict[str, Any], monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def run() -> None:
        with RunWriter(tmp_path / "run.jsonl", header):
            monkeypatch.setattr(disk, refused, _no_space)
            raise KeyboardInterrupt

    with pytest.raises(RunFileError, match="No space left"):
        run()


def test_a_header_that_cannot_be_written_leaves_no_file(
    tmp_path: Path, header: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        RunWriter(tmp_path / "run.jsonl", header | {"n": float("nan")})
    assert not (tmp_path / "run.jsonl").exists()


def test_a_torn_last_line_is_left_out(
    run_file: Callable[..., Path], tmp_path: Path, make_row: Callable[..., Row]
) -> None:
    content = run_file(3).read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    torn = tmp_path / "torn.jsonl"
    for cut in range(ends[0], ends[3], 7):
        torn.write_bytes(content[:cut])
        run = read_run(torn)
        assert run.status == "incomplete"
        assert len(run.rows) == sum(end <= cut for end in ends[1:])
    assert run.rows[0] == make_row(0)


def test_a_line_torn_inside_a_letter_is_left_out(
    run_file: Callable[..., Path], tmp_path: Path
) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(run_file(1).read_bytes().rsplit(b"\n", 2)[0] + '\n{"name": "é'.encode()[:-1])
    assert (read_run(torn).status, len(read_run(torn).rows)) == ("incomplete", 1)


def _with_line(lines: list[bytes], number: int, line: bytes) -> list[bytes]:
    return [*lines[: number - 1], line, *lines[number:]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"garbage", "not a line of JSON"),
        (b"", "not a line of JSON"),
        (b"\xff\xfe", "not a line of JSON"),
        (b'{"kind": "input", "radius": NaN}', "not a line of JSON"),
        (b"[" * 100_000, "not a line of JSON"),
        (b'{"kind": ' + b"9" * 5000 + b"}", "not a line of JSON"),
        (b"[1, 2]", "an object was expected"),
        (b"null", "an object was expected"),
        (b'{"kind": "header"}', "kind is 'header', but input or end was expected"),
        (b'{"kind": ["x"]}', "kind is a list"),
        (b'{"kind": "' + b"x" * 5000 + b'"}', "kind is 'xxx"),
        (b"{}", "kind is None"),
        (b'{"kind": "input"}', "the field 'index' is missing"),
        (b'{"kind": "end", "status": "complete", "inputs": 9}', "ended with 9 inputs"),
        (b'{"kind": "end", "status": "complete", "inputs": 1}', "line behind the end"),
        (b'{"kind": "end", "status": "splendid", "inputs": 1}', "status is 'splendid'"),
        (b'{"kind": "end", "status": "incomplete", "inputs": 1}', "status is 'incomplete'"),
        (b'{"kind": "end", "status": ["complete"], "inputs": 1}', "status is a list"),
    ],
)
def test_a_bad_line_is_named(
    run_file: Callable[..., Path], tmp_path: Path, line: bytes, words: str
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b"\n".join(_with_line(run_file(3).read_bytes().split(b"\n"), 3, line)))
    with pytest.raises(RunFileError) as caught:
        read_run(bad)
    number = 4 if "behind" in words else 3
    assert str(caught.value).startswith(f"{bad}, line {number}: ")
    assert words in str(caught.value)
    assert len(str(caught.value)) < len(str(bad)) + 200


def test_a_line_behind_the_end_is_refused(run_file: Callable[..., Path]) -> None:
    path = run_file(1)
    with path.open("ab") as file:
        file.write(path.read_bytes().split(b"\n")[1] + b"\n")
    with pytest.raises(RunFileError, match="line 4: there is a line behind the end"):
        read_run(path)


def test_an_input_that_is_there_twice_is_refused(
    run_file: Callable[..., Path], tmp_path: Path
) -> None:
    lines = run_file(3).read_bytes().split(b"\n")
    twice = tmp_path / "twice.jsonl"
    twice.write_bytes(b"\n".join([*lines[:4], lines[1], b""]))
    with pytest.raises(RunFileError, match="line 5: the input 0 was there before"):
        read_run(twice)


@pytest.mark.parametrize("version", [0, 2, "1", None, [1], 10**100])
def test_an_unknown_format_version_is_refused(
    run_file: Callable[..., Path], version: object
) -> None:
    with pytest.raises(RunFileError, match=r"format version .*this rsonnx reads version 1"):
        read_run(run_file(1, format_version=version))


@pytest.mark.parametrize(
    "content", [b"", b"no newline", b"\x00" * 99 + b"\n", b"{}\n", b"\x89PNG\r\n\x1a\n", b"3\n"]
)
def test_something_else_is_not_a_run_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(RunFileError) as caught:
        read_run(tmp_path / "x")
    assert str(tmp_path / "x") in str(caught.value)


def test_a_missing_file_and_a_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_run(tmp_path / "x")
    with pytest.raises(UsageError, match="is not a file"):
        read_run(tmp_path)


def test_crlf_line_ends_are_read(run_file: Callable[..., Path]) -> None:
    path = run_file(3)
    before = read_run(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_run(path) == before
