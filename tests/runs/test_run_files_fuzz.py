"""A run file from a stranger: any bytes give a run or a refusal, and never another exception."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from rsonnx.errors import RunFileError, UsageError
from rsonnx.runs import Run, read_run

_CASES = 800
_TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b"-1", b"9" * 5000, b"1" + b"0" * 400, b"[" * 3000, b"]",
    b'{"a":' * 990, b"\\ud800", b"\\u0000", b'"', b"\\", b"\n", b"\r", b"\x00", b"\xff",
    b"\xed\xa0", b"true", b"null", b"{}", b"[]", b"99999999999", b'"-1": 3, ', b",",
)  # fmt: skip


def _mutated(random_source: random.Random, content: bytes) -> bytes:
    for _ in range(random_source.randint(1, 3)):
        at = random_source.randrange(len(content))
        to = min(len(content), at + random_source.choice((1, 1, 2, 5, 40, 400)))
        lines = content.split(b"\n")
        match random_source.randrange(6):
            case 0:
                content = content[:at] + bytes([random_source.randrange(256)]) + content[at + 1 :]
            case 1:
                content = content[:at] + content[to:]
            case 2:
                content = content[:at] + random_source.choice(_TOKENS) + content[at:]
            case 3:
                content = content[:at] + random_source.choice(_TOKENS) + content[to:]
            case 4:
                random_source.shuffle(lines)
                content = b"\n".join(lines)
            case _:
                content = b"\n".join([*lines, random_source.choice(lines)])
        content = content or b" "
    return content


def _read(path: Path) -> Run | str:
    """Return the run, or the sentence with which it is refused."""
    try:
        return read_run(path)
    except (RunFileError, UsageError) as error:
        return str(error)


def test_mutated_run_files_are_read_or_refused(
    run_file: Callable[..., Path], tmp_path: Path
) -> None:
    good = run_file(3).read_bytes()
    source = random.Random(20)  # noqa: S311 - a fixed sequence of cases, no secret
    path = tmp_path / "fuzzed.jsonl"
    refused = 0
    for case in range(_CASES):
        path.write_bytes(_mutated(source, good))
        run = _read(path)
        if isinstance(run, Run):
            assert run.status in ("complete", "interrupted", "failed", "incomplete"), case
            assert all(0 <= row.radius < float("inf") for row in run.rows), case
        else:
            refused += 1
            assert "fuzzed.jsonl" in run, case
            assert "\n" not in run, case
    assert _CASES // 2 < refused < _CASES  # the cases do reach both outcomes
