"""Run files of which any value was replaced by one that nobody expects: no reader has a bug."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import assert_sentence, command, done, lines_of, write_lines

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**400, 10**18, 1e308, -1e308, 1e-308, float("nan"), float("inf"),
    "", "\x1b[2J", "<script>\udc80", "9" * 5000, [], {}, [[[]]], {"-1": 3}, {"99999999999": 1},
    {"0": 2**63},
)  # fmt: skip
READERS = (
    "report run.jsonl",
    "report run.jsonl --alpha 0.01",
    "report run.jsonl --format markdown",
    "report run.jsonl --format latex",
    "report run.jsonl --format csv",
    "report run.jsonl --json --card out",
    "report run.jsonl --top-k 2",
    "report run.jsonl --html out --data set",
    "verify run.jsonl --model tiny.onnx --data set --replay 1",
    "attest run.jsonl",
    "export run.jsonl --csv -o out",
    "merge run.jsonl -o out",
)
EACH = 3
"""Values that are tried at every place, each with a reader of its own; other places get others."""


def _paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = range(len(value)) if isinstance(value, list) else value
    for key in keys if isinstance(value, list | dict) else ():
        yield (*prefix, key)
        yield from _paths(value[key], (*prefix, key))


@pytest.mark.parametrize("part", ["model", "data", "noise", "arguments", "header", "rows"])
def test_no_value_of_a_run_file_makes_a_bug(part: str, here: Path) -> None:
    done("certify tiny.onnx set --sigma 0.25 --n 99 --seed 1 --limit 2 --quiet -o whole.jsonl")
    whole = lines_of(here / "whole.jsonl")
    for path in list(_paths(whole)):
        if len(path) < 2 or "fields" in path or "versions" in path:
            continue
        of = "rows" if path[0] else path[1] if path[1] in ("model", "data", "noise") else "header"
        if (of if path[1] != "arguments" else "arguments") != part:
            continue
        source = random.Random(repr(path))  # noqa: S311 - a fixed choice of cases, no secret
        for value, words in zip(
            source.sample(HOSTILE, EACH), source.sample(READERS, EACH), strict=True
        ):
            lines: Any = copy.deepcopy(whole)
            inner = lines
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            write_lines(here / "run.jsonl", lines)
            outcome = command(words)
            said = outcome.out + outcome.err
            assert outcome.code in (0, 1, 2), (path, value, words)
            assert "enough memory" not in outcome.err, (path, value, words)
            assert all(c.isprintable() or c == "\n" for c in said), (path, value, words)
            if outcome.code:
                assert_sentence(outcome)
                assert not (here / "out").exists(), (path, value, words)
            else:
                (here / "out").unlink(missing_ok=True)
