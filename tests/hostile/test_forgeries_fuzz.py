"""Run files, parts and statements that are changed at random, and not derived anew.

Each is refused, or all that is printed of it are the figures of the honest file, but for the last
digits of bounds and radii, which another machine may have written. What is neither has other
evidence, which agrees with all that follows from it: then a replay finds it.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import command, done
from damaged import mutated
from hostile.honest_runs import ALL, OTHERS, honest_runs, inputs_of

from rsonnx.cli.attest import summary_of
from rsonnx.errors import RsonnxError
from rsonnx.runs import (
    check_against,
    check_statement,
    read_part,
    read_run,
    read_statement,
)
from rsonnx.runs.files import line_of

__all__ = ["honest_runs"]

_TOKENS = (b"1", b"0", b"9", b"-", b".5", b"e9", b"null", b"true", b"NaN", b'"', b",", b"{}", b"[]")
_LENGTHS = (1, 1, 2, 8, 60, 400)
_EVIDENCE = ("counts", "claim", "base_prediction")
"""What a row keeps of the answers of the model, from which the others follow."""

_NAMES = ("model", "variation", "rows", "preprocess", "standard_accuracy", "samples")
"""What a report says beside figures, and those of the evidence."""


def _changed(source: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Change bytes, or lines, or values of a file: those of a field are swapped or drawn anew."""
    if source.random() < 0.4:
        return mutated(source, content, _TOKENS, _LENGTHS)
    lines = content.splitlines()
    at = source.randrange(len(lines))
    if source.random() < 0.2:
        lines[at] = source.choice([*lines, *source.choice(others).splitlines()])
        return b"\n".join(lines) + b"\n"
    value = json.loads(lines[at])
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        fields, key = source.choice([*_places(value)])
        old, (other, name) = fields[key], source.choice([*_places(value)])
        match source.randrange(5):
            case 0:
                fields[key] = copy.deepcopy(other[name])
            case 1 if isinstance(fields, dict):
                fields[str(name)] = fields.pop(key)
            case 2 if isinstance(old, int | float):
                fields[key] = source.choice((old + 1, old - 1, old / 2, old * (1 + 1e-15)))
            case 3 if isinstance(old, str) and old:
                fields[key] = old.replace(source.choice(old), source.choice("0123abc"), 1)
            case _:
                fields[key] = source.choice((None, True, False, 0, 1, -1, 0.5, 1e300, "", {}, []))
        if not value:
            break
    lines[at] = json.dumps(value).encode()
    return b"\n".join(lines) + b"\n"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every field and element in a value: what it is in, and its key or index there."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


class _Doors:
    """The honest files, and what becomes of changed ones.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._folder = folder / "changed.jsonl", folder
        self.honest = {name: Path(f"{name}.jsonl").read_bytes() for name in (*ALL, *OTHERS)}
        for name in ALL:
            stated = done("attest", f"{name}.jsonl").json()
            self.honest[f"statement of {name}"] = json.dumps(stated).encode()

    def outcome(self, name: str, content: bytes) -> str:
        """Open a changed file by all doors; return what became of it."""
        self._path.write_bytes(content)
        if name.startswith("statement"):
            return self._outcome_of_statement(name)
        try:
            read_part(self._path)
        except RsonnxError:
            # `verify` reads it all the same, and says then what is wrong.
            assert command("verify", self._path).code in (1, 2)
            return "refused"
        path, whole = self._path, name
        if name in OTHERS:
            path, whole = self._folder / "merged.jsonl", "fixed"
            path.unlink(missing_ok=True)
            if command("merge", self._path, f"{OTHERS[name]}.jsonl", "-o", path).code:
                return "refused"
        run = read_run(path)
        honest = self._ended_so(whole, len(run.rows), run.status)
        same = _alike(self._figures(path), self._figures(honest))
        if _evidence(path) == _evidence(honest):
            assert same
            return "the figures of the honest file"
        replay = check_against(run, *inputs_of(whole), count=len(run.rows))
        assert replay is not None
        assert replay.faults
        return "the figures of the honest file, other evidence" if same else "found by replay"

    def _ended_so(self, name: str, rows: int, status: str) -> Path:
        """Return an honest run that was ended after so many rows."""
        path = self._folder / "honest.jsonl"
        lines = self.honest[name].splitlines(keepends=True)[: rows + 1]
        end = {"kind": "end", "status": status, "inputs": rows, "error": None}
        path.write_bytes(b"".join(lines) + line_of(end) * (status != "incomplete"))
        return path

    def _outcome_of_statement(self, name: str) -> str:
        run = read_run(f"{name.removeprefix('statement of ')}.jsonl")
        try:
            stated = read_statement(self._path)
            if check_statement(run, summary_of(run), stated):
                return "refused"
        except RsonnxError:
            return "refused"
        honest = json.loads(self.honest[name])
        for subject in (*stated["subject"], *honest["subject"]):
            if subject["annotations"]["role"] == "run file":
                del subject["name"]  # it may have been renamed
        by_role = {subject["annotations"]["role"]: subject for subject in stated["subject"]}
        stated["subject"] = [by_role[one["annotations"]["role"]] for one in honest["subject"]]
        assert json.dumps(stated, sort_keys=True) == json.dumps(honest, sort_keys=True)
        return "the figures of the honest file"

    def _figures(self, path: Path) -> Any:
        """Return what is printed of a run: the figures of its rows, and the table."""
        rows = [row.to_json() for row in read_run(path).rows]
        if not rows:  # of which nothing is reported
            return None
        (table,) = done("report", path, "--json").json()
        apart = (*_EVIDENCE, "seconds", "samples")
        figures = [{k: v for k, v in row.items() if k not in apart} for row in rows]
        return figures, {k: v for k, v in table.items() if k not in _NAMES}


def _alike(one: Any, other: Any) -> bool:
    """Say whether figures are the same, or proved ones that differ in last digits alone."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other)


def _evidence(path: Path) -> list[tuple[Any, ...]]:
    return [tuple(getattr(row, name) for name in _EVIDENCE) for row in read_run(path).rows]


def _try(cases: int, folder: Path) -> Counter[tuple[str, str]]:
    source = random.Random(16)  # noqa: S311 - a fixed sequence of cases, no secret
    doors, outcomes = _Doors(folder), Counter[tuple[str, str]]()
    names = [*ALL, *OTHERS, *OTHERS, *(name for name in doors.honest if " " in name)]
    for _ in range(cases):
        name = source.choice(names)
        content = _changed(source, doors.honest[name], [*doors.honest.values()])
        kind = "statement" if " " in name else "part" if name in OTHERS else "run"
        outcomes[kind, doors.outcome(name, content)] += 1
    return outcomes


@pytest.fixture(autouse=True)
def _beside_the_runs(
    honest_runs: Path, children: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(honest_runs)


@pytest.mark.parametrize("cases", [100, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_changed_file_is_refused_or_says_what_the_honest_one_says(
    cases: int, tmp_path: Path
) -> None:
    outcomes = _try(cases, tmp_path)
    print(
        "", *(f"{n:6,}  {kind}: {what}" for (kind, what), n in sorted(outcomes.items())), sep="\n"
    )
    for kind in ("run", "part", "statement"):  # the cases do reach both outcomes
        assert outcomes[kind, "refused"]
        assert outcomes[kind, "the figures of the honest file"]
