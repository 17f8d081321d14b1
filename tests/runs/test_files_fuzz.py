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

Make = Callable[..., Path]
_CASES = 800
_LENGTHS = (1, 1, 2, 5, 40, 400)
_TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b"-1", b"9" * 5000, b"1" + b"0" * 400, b"[" * 3000, b"]",
    b'{"a":' * 990, b"\\ud800", b"\\u0000", b'"', b"\\", b"\n", b"\r", b"\x00", b"\xff",
    b"\xed\xa0", b"true", b"null", b"{}", b"[]", b"99999999999", b'"-1": 3, ', b",",
)  # fmt: skip
PARTS = {
    "certificates": {"shard": {"index": 1, "of": 4}},
    "counts": {"shard": {"index": 2, "of": 3}, "samples": {"start": 10, "stop": 60}},
}


@pytest.fixture(params=PARTS)
def part_file(request: pytest.FixtureRequest, run_file: Make, tmp_path: Path) -> Path:
    """A run file of a shard: certificates, or counts of the samples 10 to 59."""
    part = PARTS[request.param] | {"data": {"inputs": 12, "size": 12}}
    if request.param == "certificates":
        return run_file(3, **part)
    path = tmp_path / "counts.jsonl"
    with RunWriter(path, record(**part)) as writer:
        for index in range(3):
            counts = CertificateCounts(Counts([]), Counts([40 - index, 9], 1 + index))
            facts = (index, "x", "ab" * 32, None, 0, "exact", 0.5)
            writer.write(CountsRow(*facts, SampleRange(10, 60), counts))
    return path


def test_mutated_run_files_are_read_or_refused(part_file: Path, tmp_path: Path) -> None:
    good, path = part_file.read_bytes(), tmp_path / "fuzzed.jsonl"
    source = random.Random(20)  # noqa: S311 - a fixed sequence of cases, no secret
    refused = 0
    for case in range(_CASES):
        path.write_bytes(mutated(source, good, _TOKENS, _LENGTHS))
        try:
            run = read_part(path, checked=False)
        except (RunFileError, UsageError) as error:
            refused += 1
            sentence = str(error)
            assert "fuzzed.jsonl" in sentence, case
            assert re.search(r"line [0-9]+|is not a run file|has format version", sentence), case
            assert "\n" not in sentence, case
            continue
        _check(run, case)
        assert run.length <= path.stat().st_size, case
    assert _CASES // 2 < refused < _CASES  # the cases do reach both outcomes


def _check(run: Part, case: int) -> None:
    shard, samples = run.header.shard, run.header.samples
    assert run.status in ("complete", "interrupted", "failed", "incomplete"), case
    assert shard is None or 1 <= shard.index <= shard.of
    for row in run.rows:
        assert isinstance(row, Row) is (samples is None), case
        if isinstance(row, Row):
            assert 0 <= row.radius < float("inf"), case
        else:
            assert row.samples == samples, case
            assert row.counts.estimation.total == row.samples.stop - row.samples.start, case


def test_a_mutated_run_file_is_gone_on_with_only_where_no_row_is_lost(
    part_file: Path, tmp_path: Path
) -> None:
    good, path = part_file.read_bytes(), tmp_path / "fuzzed.jsonl"
    source = random.Random(21)  # noqa: S311 - a fixed sequence of cases, no secret
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
        writer.go_on(record())
        with writer:
            pass
        assert read_part(path, checked=False).rows == before
        kept += len(before)
    assert kept


def test_rows_of_the_wrong_kind_are_refused(part_file: Path, tmp_path: Path) -> None:
    header, row = part_file.read_bytes().splitlines(keepends=True)[:2]
    path = tmp_path / "mixed.jsonl"
    if b'"counts"' in row[:20]:
        other = header.replace(b'"samples": {"start": 10, "stop": 60}', b'"samples": null')
        cases = [
            (header.replace(b"60", b"61"), row),
            (header, row.replace(b'"stop": 60', b'"stop": 61')),
            (header, row.replace(b'"selection": {}', b'"selection": {"0": 1}')),
            (other, row),
        ]
        with pytest.raises(RunFileError, match="10:60"):  # certificates are not to be had of it
            read_run(part_file, checked=False)
    else:
        other = header.replace(b'"samples": null', b'"samples": {"start": 0, "stop": 1000}')
        cases = [(other, row)]
    for one in cases:
        assert one != (header, row)
        path.write_bytes(b"".join(one))
        with pytest.raises(RunFileError, match=r"mixed\.jsonl, line 2: "):
            read_part(path, checked=False)
