"""A run file from a stranger: any bytes give a run or a refusal, and never another exception."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from damaged import mutated
from headers import record

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.procedures import CertificateCounts
from rsonnx.runs import CountsRow, Part, Row, RunWriter, SampleRange, read_part, read_run

_CASES = 800
_LENGTHS = (1, 1, 2, 5, 40, 400)

_TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b"-1", b"9" * 5000, b"1" + b"0" * 400, b"[" * 3000, b"]",
    b'{"a":' * 990, b"\\ud800", b"\\u0000", b'"', b"\\", b"\n", b"\r", b"\x00", b"\xff",
    b"\xed\xa0", b"true", b"null", b"{}", b"[]", b"99999999999", b'"-1": 3, ', b",",
)  # fmt: skip


def _read(path: Path) -> Part | str:
    """Return the run, or the sentence with which it is refused."""
    try:
        return read_part(path)
    except (RunFileError, UsageError) as error:
        return str(error)


@pytest.fixture
def counts_file(tmp_path: Path) -> Path:
    """A run file of counts of the samples 10 to 59, of a shard."""
    path = tmp_path / "counts.jsonl"
    part = {"shard": {"index": 2, "of": 3}, "samples": {"start": 10, "stop": 60}}
    part["data"] = {"inputs": 9, "size": 9}
    with RunWriter(path, record(**part)) as writer:
        for index in range(3):
            estimation = Counts([40 - index, 9], 1 + index)
            row = CountsRow(
                index, "x", "ab" * 32, None, 0, "exact", 0.5, SampleRange(10, 60),
                CertificateCounts(Counts([]), estimation),
            )  # fmt: skip
            writer.write(row)
    return path


@pytest.mark.parametrize("kind", ["certificates", "counts"])
def test_mutated_run_files_are_read_or_refused(
    run_file: Callable[..., Path], counts_file: Path, tmp_path: Path, kind: str
) -> None:
    whole = run_file(3, shard={"index": 1, "of": 4}, data={"inputs": 12, "size": 12})
    good = (whole if kind == "certificates" else counts_file).read_bytes()
    source = random.Random(20)  # noqa: S311 - a fixed sequence of cases, no secret
    path = tmp_path / "fuzzed.jsonl"
    refused = 0
    for case in range(_CASES):
        path.write_bytes(mutated(source, good, _TOKENS, _LENGTHS))
        run = _read(path)
        if isinstance(run, Part):
            assert run.status in ("complete", "interrupted", "failed", "incomplete"), case
            assert (shard := run.header.shard) is None or 1 <= shard.index <= shard.of
            assert run.length <= path.stat().st_size, case
            for row in run.rows:
                assert isinstance(row, Row) is (run.header.samples is None), case
                if isinstance(row, Row):
                    assert 0 <= row.radius < float("inf"), case
                else:
                    assert row.counts.estimation.total == row.samples.stop - row.samples.start, case
                    assert row.samples == run.header.samples, case
        else:
            refused += 1
            assert "fuzzed.jsonl" in run, case
            assert re.search(r"line [0-9]+|is not a run file|has format version", run), case
            assert "\n" not in run, case
    assert _CASES // 2 < refused < _CASES  # the cases do reach both outcomes


@pytest.mark.parametrize("kind", ["certificates", "counts"])
def test_a_mutated_run_file_is_gone_on_with_only_where_no_row_is_lost(
    run_file: Callable[..., Path], counts_file: Path, tmp_path: Path, kind: str
) -> None:
    good = (run_file(3) if kind == "certificates" else counts_file).read_bytes()
    source = random.Random(21)  # noqa: S311 - a fixed sequence of cases, no secret
    path = tmp_path / "fuzzed.jsonl"
    kept = 0
    for _ in range(_CASES // 2):
        content = mutated(source, good, _TOKENS, _LENGTHS)
        path.write_bytes(content)
        try:
            writer = RunWriter.reopen(path)
        except RunFileError:
            assert path.read_bytes() == content
            continue
        before = () if writer.part is None else writer.part.rows
        writer.go_on({"kind": "header", "format": "rsonnx-run", "format_version": 1})
        with writer:
            pass
        assert read_part(path).rows == before
        kept += len(before)
    assert kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shard", 3),
        ("shard", []),
        ("shard", {"index": 1}),
        ("shard", {"index": 0, "of": 3}),
        ("shard", {"index": 4, "of": 3}),
        ("shard", {"index": True, "of": 3}),
        ("shard", {"index": 1, "of": 10**30}),
        ("shard", {"index": 1, "of": 2, "more": 1}),
        ("samples", "0:9"),
        ("samples", {"start": 0}),
        ("samples", {"start": 5, "stop": 5}),
        ("samples", {"start": -1, "stop": 5}),
        ("samples", {"start": 0.0, "stop": 5}),
    ],
)
def test_a_header_with_a_wrong_part_is_refused(
    run_file: Callable[..., Path], field: str, value: object
) -> None:
    with pytest.raises(RunFileError, match=r"line 1: the header (is wrong|lacks)"):
        read_part(run_file(0, **{field: value}))


def test_rows_of_the_wrong_kind_are_refused(
    run_file: Callable[..., Path], counts_file: Path, tmp_path: Path
) -> None:
    certificates = run_file(1).read_bytes().splitlines(keepends=True)
    counts = counts_file.read_bytes().splitlines(keepends=True)
    path = tmp_path / "mixed.jsonl"
    for header, row, words in (
        (certificates[0], counts[1], "line 2: kind is 'counts', but input or end was expected"),
        (counts[0], certificates[1], "line 2: kind is 'input', but counts or end was expected"),
        (counts[0].replace(b"60", b"61"), counts[1], "samples are 10:60, but the header says 10:6"),
        (counts[0], counts[1].replace(b'"stop": 60', b'"stop": 61'), "counts of estimation sum"),
        (counts[0], counts[1].replace(b'"selection": {}', b'"selection": {"0": 1}'), "sample 0"),
    ):
        path.write_bytes(header + row)
        with pytest.raises(RunFileError, match=f"mixed.jsonl, line 2: .*{words.split(': ')[-1]}"):
            read_part(path)
    with pytest.raises(RunFileError, match=r"holds counts of the samples 10:60 only"):
        read_run(counts_file)
