"""Run files: what is written, how it ends, and what a reader refuses."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from headers import certified_row, record

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import RunWriter, disk, read_run

Make = Callable[..., Path]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode("utf-8").splitlines()]


def _stopped(path: Path, error: BaseException, rows: int = 1) -> None:
    """Write a run file that an error stops behind so many rows."""

    def write() -> None:
        with RunWriter(path, record()) as writer:
            for index in range(rows):
                writer.write(certified_row(index))
            raise error

    with pytest.raises(type(error)):
        write()


def test_header_rows_and_end_are_written_and_read_back(run_file: Make) -> None:
    path = run_file(3)
    rows = tuple(certified_row(index, hits) for index, hits in enumerate((990, 700, 500)))
    written, end = _lines(path)[:-1], _lines(path)[-1]
    assert written == [record(), *(row.to_json() for row in rows)]
    assert end == {"kind": "end", "status": "complete", "inputs": 3, "error": None}
    run = read_run(path)
    assert (run.path, run.header.to_json(), run.status) == (path, record(), "complete")
    assert run.rows == rows
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_run(path) == run
    at_once = path.with_name("at_once.jsonl")
    with RunWriter(at_once, record()) as writer:
        writer.write_all(rows)
        assert writer.rows == 3
    assert at_once.read_bytes() == run_file(3, name="again.jsonl").read_bytes()


def test_every_line_is_on_disk_before_the_next_is_computed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with RunWriter(path, record()) as writer:
        for index in range(3):
            assert (read_run(path).status, len(read_run(path).rows)) == ("incomplete", index)
            writer.write(certified_row(index))


def test_names_that_utf8_cannot_hold_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    names = ["\udcff.png", "数/\u2028.png", "a\nb\r\x1b[31m.png"]
    with RunWriter(path, record(data={"path": "\udc80"})) as writer:
        for index, name in enumerate(names):
            writer.write(certified_row(index, name=name))
    assert [row.name for row in read_run(path, checked=False).rows] == names
    assert read_run(path, checked=False).header.record["data"]["path"] == "\udc80"
    assert len(path.read_bytes().splitlines()) == 5


def test_what_cannot_be_created_is_refused_and_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")  # not written through
    long = "a" * 300
    for name in ("precious", "link", ".", "nowhere/run.jsonl", long, f"{long}/run.jsonl"):
        with pytest.raises(UsageError, match=name):
            RunWriter(tmp_path / name, record())
    # The superuser may write everywhere, so only the check can be tested.
    with monkeypatch.context() as context:
        context.setattr(os, "access", lambda *_: False)
        with pytest.raises(UsageError, match="not writable"):
            RunWriter(tmp_path / "run.jsonl", record())
    with pytest.raises(ValueError, match="JSON"):
        RunWriter(tmp_path / "run.jsonl", record(n=float("nan")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "precious"]
    assert (tmp_path / "precious").read_text() == "precious"
    for name in ("nowhere", long, "."):
        with pytest.raises(UsageError, match=name):
            read_run(tmp_path / name)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), "interrupted", None),
        (ValueError("the model broke"), "failed", "the model broke"),
        (MemoryError(), "failed", "MemoryError"),
    ],
)
def test_the_last_line_says_how_it_ended(
    tmp_path: Path, error: BaseException, status: str, message: str | None
) -> None:
    path = tmp_path / "run.jsonl"
    _stopped(path, error)
    end = {"kind": "end", "status": status, "inputs": 1, "error": message}
    assert _lines(path)[-1] == end
    assert (read_run(path).status, len(read_run(path).rows)) == (status, 1)


@pytest.mark.parametrize(("length", "rows"), [(0, 1), (99, 1), (10**9, 2)])
def test_an_interrupt_inside_a_write_leaves_a_file_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, rows: int
) -> None:
    path = tmp_path / "run.jsonl"
    append, pressed = disk.append, iter([True])

    def press(file: FileIO, data: bytes) -> None:
        if not next(pressed, False):
            append(file, data)
            return
        append(file, data[:length])
        raise KeyboardInterrupt

    def run() -> None:
        with RunWriter(path, record()) as writer:
            writer.write(certified_row(0))
            monkeypatch.setattr(disk, "append", press)
            writer.write(certified_row(1))

    with pytest.raises(KeyboardInterrupt):
        run()
    assert (read_run(path).status, len(read_run(path).rows)) == ("interrupted", rows)


def _no_space(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("refused", [("append",), ("append", "cut")])
def test_a_full_disk_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Sequence[str]
) -> None:
    path = tmp_path / "run.jsonl"

    def run() -> None:
        with RunWriter(path, record()) as writer:
            writer.write(certified_row(0))
            for name in refused:
                monkeypatch.setattr(disk, name, _no_space)
            writer.write(certified_row(1))

    with pytest.raises(RunFileError, match=r"run\.jsonl .*No space left.* first 1 inputs"):
        run()
    assert (read_run(path).status, len(read_run(path).rows)) == ("incomplete", 1)


@pytest.mark.parametrize("refused", ["append", "cut"])
def test_a_full_disk_at_the_end_of_a_failed_run_is_a_sentence_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def run() -> None:
        with RunWriter(tmp_path / "run.jsonl", record()):
            monkeypatch.setattr(disk, refused, _no_space)
            raise KeyboardInterrupt

    with pytest.raises(RunFileError, match="No space left"):
        run()


def test_a_torn_last_line_is_left_out(run_file: Make, tmp_path: Path) -> None:
    content = run_file(3).read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    torn = tmp_path / "torn.jsonl"
    for cut in range(ends[0], ends[3], 7):
        torn.write_bytes(content[:cut])
        run = read_run(torn)
        assert (run.status, len(run.rows)) == ("incomplete", sum(end <= cut for end in ends[1:]))
    torn.write_bytes(content[: ends[1]] + '{"name": "é'.encode()[:-1])  # inside a letter
    assert (read_run(torn).status, len(read_run(torn).rows)) == ("incomplete", 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"garbage", "not a line of JSON"),
        (b'{"kind": "input", "kind": "input"}', "'kind' is there twice"),
        (b"[1, 2]", "not an object"),
        (b'{"kind": "header"}', "kind is 'header'"),
        (b'{"kind": ["x"]}', "kind is a list"),
        (b'{"kind": "' + b"x" * 5000 + b'"}', "kind is 'xxx"),
        (b"{}", "kind is None"),
        (b'{"kind": "input"}', "'index' is missing"),
        (b'{"kind": "end", "status": "complete", "inputs": 9}', "9 inputs"),
        (b'{"kind": "end", "status": "complete", "inputs": 1}', "behind the end"),
        (b'{"kind": "end", "status": "splendid", "inputs": 1}', "'splendid'"),
        (b'{"kind": "end", "status": ["complete"], "inputs": 1}', "a list"),
        (json.dumps(certified_row(0).to_json()).encode(), "input 0"),  # it was there before
    ],
    ids=range(13),
)
def test_a_bad_line_is_named(run_file: Make, line: bytes, words: str) -> None:
    path = run_file(3)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], line, *lines[3:]]))
    number = 4 if "behind" in words else 3
    with pytest.raises(RunFileError, match=f", line {number}:? .*{words}") as caught:
        read_run(path)
    assert len(str(caught.value)) < len(str(path)) + 200


def test_more_rows_than_the_header_announces_are_refused(run_file: Make) -> None:
    with pytest.raises(RunFileError, match=r"line 1: .*2 inputs.* 3"):
        read_run(run_file(3, data={"inputs": 2, "size": 3}))


@pytest.mark.parametrize("version", [0, 2, "1", None, [1], 10**100])
def test_an_unknown_format_version_is_refused(run_file: Make, version: object) -> None:
    with pytest.raises(RunFileError, match="format version"):
        read_run(run_file(1, format_version=version))


NOTHING_LIKE_IT = (b"no newline", b"\x00" * 99 + b"\n", b"{}\n", b"\x89PNG\r\n\x1a\n", b"3\n")
NOTES = (b"my notes", b"{}", b"\x00", b'{"kind": "head of state')


@pytest.mark.parametrize("content", [b"", *NOTHING_LIKE_IT, *NOTES])
def test_a_file_of_somebody_else_is_no_run_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(RunFileError, match=r"notes\.txt"):
        read_run(path)
    if content:  # nothing at all may be what a killed process left
        with pytest.raises(RunFileError, match=r"notes\.txt"):
            RunWriter.reopen(path)
    assert path.read_bytes() == content
