"""Commands of rsonnx, run in this process as a terminal runs them, and what a refusal is."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from rsonnx import cli

TIMES = re.compile(rb'"seconds": [0-9.e-]+|"created": "[^"]*"|"given": \[[^]]*\]')
"""What may differ between two files of one run."""


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and its two streams."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that was said, with lines that were wrapped put together."""
        return " ".join((self.err + self.out).split())

    def json(self) -> Any:
        """Return the JSON on stdout, which is all that stands there."""
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        """Return the JSON of every line on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


def command(*words: object) -> Outcome:
    """Run one command: ``command("certify a.onnx set --sigma", 0.25)``; the first text is split."""
    argv = ["rsonnx", *str(words[0]).split(), *map(str, words[1:])]
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    assert "has a bug" not in err.getvalue(), err.getvalue()
    return Outcome(code, out.getvalue(), err.getvalue())


def done(*words: object) -> Outcome:
    """Run one command that must succeed."""
    outcome = command(*words)
    assert outcome.code == 0, outcome.err
    return outcome


def refused(*words: object, code: int = 2, named: str = "") -> Outcome:
    """Run one command that must be refused: one sentence that names the thing, and no trace of it.

    Nothing may be printed on stdout, and nothing written, changed or removed in this folder.
    """
    before = _files()
    outcome = command(*words)
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert_sentence(outcome, named)
    assert _files() == before
    return outcome


def assert_sentence(outcome: Outcome, named: str = "") -> None:
    """Check that stderr ends with a sentence that is no traceback and that names a thing."""
    assert "Error" in outcome.err
    assert "Traceback" not in outcome.err
    assert "\x1b" not in outcome.err
    last = outcome.err.splitlines()[-1]
    assert named in last
    assert len(last) < 1500


def _files() -> dict[Path, tuple[int, int]]:
    found = {path: path.stat() for path in Path.cwd().rglob("*") if path.is_file()}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a run file: header, rows, end."""
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Write a run file."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a run, but for the time that they took."""
    return [line | {"seconds": 0} for line in lines_of(path) if line["kind"] == "input"]


def same_run(one: Path, other: Path) -> bool:
    """Say whether two files are of one run, to the last bit."""
    return TIMES.sub(b"", one.read_bytes()) == TIMES.sub(b"", other.read_bytes())
