"""`rsonnx merge`, and the commands that parts of a run are made with."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rsonnx import cli
from rsonnx.cli import opening
from rsonnx.runs import RunWriter, disk, read_part, read_run

FEW = ("--sigma", "0.25", "--n", "400", "--providers", "cpu", "--seed", "7")
FEW += ("--limit", "5", "--first")
TIMES = re.compile(rb'"seconds": [0-9.]+|"created": "[^"]*"|"given": \[[^]]*\]')
Command = Callable[..., int]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Command:
    """Run one command in this process, in a folder of its own."""
    monkeypatch.setattr(opening, "try_in_child", lambda *_: None)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["rsonnx", *words])
        return cli.run(list(words))

    return run


@pytest.fixture
def part(command: Command, workshop: Path) -> Callable[..., str]:
    """Certify a part of one run, and return the name of its file."""

    def make(name: str, *which: str) -> str:
        data = (str(workshop / "tiny.onnx"), str(workshop / "set"))
        assert command("certify", *data, *FEW, "-o", name, "--quiet", *which) == 0
        return name

    return make


def _same(one: str, other: str) -> bool:
    return TIMES.sub(b"", Path(one).read_bytes()) == TIMES.sub(b"", Path(other).read_bytes())


def test_shards_and_ranges_make_the_whole_run(
    command: Command, part: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    part("whole", "--bound", "randomized-clopper-pearson")
    randomised = ("--bound", "randomized-clopper-pearson")
    first = part("1", "--shard", "1/2", *randomised)
    second = part("2a", "--shard", "2/2", "--samples", "0:123", *randomised)
    third = part("2b", "--shard", "2/2", "--samples", "123:400", *randomised)
    capsys.readouterr()
    assert command("merge", third, first, second, "-o", "merged") == 0
    said = capsys.readouterr()
    assert (said.out, said.err.split(";")[0]) == ("", "merged: 5 inputs from 3 parts")
    assert _same("merged", "whole")
    assert command("verify", "merged") == 0
    given = read_run("merged").header["arguments"]["given"]
    assert given == ["merge", "2b", "1", "2a", "-o", "merged"]
    # Times add, and the run began when its first part did.
    seconds = [row.seconds for row in (*read_part("2a").rows, *read_part("2b").rows)]
    merged = {row.index: row.seconds for row in read_run("merged").rows}
    assert merged[1] + merged[3] == pytest.approx(sum(seconds))
    created = [read_part(name).header["created"] for name in (first, second, third)]
    assert read_run("merged").header["created"] == min(created)


def test_adaptive_and_family_wise_shards(command: Command, part: Callable[..., str]) -> None:
    rules = {"adaptive": ("--target-radius", "0.1"), "family": ("--family-wise", "--alpha", "0.05")}
    for rule, options in rules.items():
        whole = part(f"{rule}.whole", *options)
        shards = [part(f"{rule}.{k}", *options, "--shard", f"{k}/3") for k in (1, 2, 3)]
        for shard in shards:
            assert command("verify", shard) == 0
        assert command("merge", *shards, "-o", f"{rule}.merged") == 0
        assert _same(f"{rule}.merged", whole)


def test_counts_are_no_result(
    command: Command, part: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    name = part("counts", "--samples", "0:123")
    assert capsys.readouterr().out == ""
    header, row, *_ = map(json.loads, Path(name).read_text().splitlines())
    assert header["claim"].startswith("none yet")
    assert "radius" not in row
    assert row["samples"] == {"start": 0, "stop": 123}
    for reader in ("report", "verify"):
        assert command(reader, name) == 1
        said = capsys.readouterr()
        assert said.out == ""
        (error,) = said.err.splitlines()
        assert "holds counts of the samples 0:123 only and no certificates" in error
        assert "rsonnx merge" in error


def test_a_shard_says_that_it_is_one(
    command: Command, part: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    part("2", "--shard", "2/2")
    assert "this run is shard 2/2" in capsys.readouterr().out
    part("9", "--shard", "9/9")  # more shards than inputs: nothing to do is no failure
    assert capsys.readouterr().out == ""
    part("9.json", "--shard", "9/9", "--json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.fixture
def parts(part: Callable[..., str]) -> list[str]:
    return [
        part("s1", "--shard", "1/2"),
        part("s2", "--shard", "2/2"),
        part("a", "--shard", "1/2", "--samples", "0:100"),
        part("b", "--shard", "1/2", "--samples", "100:400"),
        part("c", "--shard", "1/2", "--samples", "90:400"),
        part("d", "--shard", "1/2", "--samples", "150:400"),
        part("e", "--shard", "1/2", "--samples", "0:399"),
    ]


def test_what_does_not_make_a_whole_run_is_refused(
    command: Command, parts: list[str], part: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    part("whole")
    part("fewer", "--shard", "2/2", "--n", "300")
    part("seeded", "--shard", "2/2", "--seed", "8")
    cases = [
        (["s1"], "2 of 5 inputs are in no part, the first is the input 1"),
        (["s2"], "3 of 5 inputs are in no part, the first is the input 0"),
        (["s1", "s2", "s1"], "s1 and s1 are the same part (shard 1/2)"),
        (["s1", "s2", "a"], "the input 0 is in s1 and in a"),
        (["a", "s1", "s2"], "the input 0 is in a and in s1"),
        (["whole", "s2"], "the input 1 is in whole and in s2"),
        (["s2", "a", "c"], "the samples 0:100 of the input 0 in a and 90:400 in c overlap"),
        (["s2", "a", "d"], "the samples 100:150 of the input 0 are in no part"),
        (["s2", "b"], "the samples 0:100 of the input 0 are in no part"),
        (["s2", "e"], "the samples 399:400 of the input 0 are in no part"),
        (["s1", "fewer"], "not parts of one run: n is 400 in s1 and 300 in fewer"),
        (["s1", "seeded"], "not parts of one run: seed.value is '7' in s1 and '8' in seeded"),
        (["s1", "missing"], "the run file missing does not exist"),
    ]
    capsys.readouterr()
    for names, words in cases:
        assert command("merge", *names, "-o", "out") == 2, names
        (error,) = capsys.readouterr().err.splitlines()
        assert words in error
        assert not Path("out").exists()


def test_an_unfinished_part_is_named_with_the_command_that_finishes_it(
    command: Command, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Path("s2").read_bytes().splitlines(keepends=True)
    Path("s2").write_bytes(b"".join(lines[:2]))
    assert command("merge", "s1", "s2", "-o", "out") == 2
    error = capsys.readouterr().err
    assert "s2 (shard 2/2) is not complete, but incomplete after 1 inputs" in error
    finish = error.strip().split("finish it first: rsonnx ")[1].split(" ")
    assert finish[:2] == ["certify", "--resume"]
    assert command(*finish) == 0
    assert command("merge", "s1", "s2", "-o", "out") == 0


def test_changed_parts_are_found(
    command: Command, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [
        (b'"name": "0', b'"name": "1', "has the name '1/centre.png' in"),
        (b'"base_prediction": 0', b'"base_prediction": 1', "has the base_prediction 1 in"),
        (b'"digest": "', b'"digest": "0', "has the digest"),
        (b'"selection": {"0": ', b'"selection": {"0": 1', "selection samples, but n0 = 100"),
        (b'"estimation": {"0": ', b'"estimation": {"0": 1', "but the counts of estimation sum"),
    ]
    good = Path("a").read_bytes()
    header, rows = good.split(b"\n", 1)
    for old, new, words in cases:
        assert old in rows
        Path("a").write_bytes(header + b"\n" + rows.replace(old, new, 1))
        assert command("merge", "a", "b", "s2", "-o", "out") == 1, words
        assert words in capsys.readouterr().err
        assert not Path("out").exists()
    Path("a").write_bytes(good)
    whole = Path("s1").read_bytes()
    assert whole.count(b'"name": "0') == 1
    Path("s1").write_bytes(whole.replace(b'"name": "0', b'"name": "1'))
    assert command("merge", "s1", "s2", "-o", "out") == 1
    assert "are not those of the manifest" in capsys.readouterr().err


def test_nothing_is_overwritten_and_nothing_half_is_left(
    command: Command,
    parts: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = Path("s1").read_bytes()
    assert command("merge", "s1", "s2", "-o", "s1") == 2
    assert "exists already and is never overwritten" in capsys.readouterr().err
    assert Path("s1").read_bytes() == before
    assert command("merge", "-o", "out") == 2

    def refuse(self: RunWriter, rows: object) -> None:
        self._append(b'{"kind": "inp')
        monkeypatch.setattr(disk, "append", _no_space)
        self._append(b"x")

    def _no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunWriter, "write_all", refuse)
    assert command("merge", "s1", "s2", "-o", "out") == 1
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert not Path("out").exists()
