"""predict, export, inspect, doctor, help, completion, and streams that are closed."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from commands import Outcome, done, lines_of, refused, write_lines

import rsonnx as package
from rsonnx import Counts, predict_from_counts
from rsonnx.cli import cli
from rsonnx.logs import read_log
from rsonnx.runs import manifest_digest

COMMANDS = cli.list_commands(click.Context(cli))
PREDICT = "predict tiny.onnx set --sigma 0.25 --n 200 --seed 3 --providers cpu"
Command = Callable[..., Outcome]


def test_predict_answers_a_line_an_input_that_follows_from_its_counts(here: Path) -> None:
    said, found = done(PREDICT), done(f"{PREDICT} --json").lines()
    lines = [line.split("\t") for line in said.out.splitlines()]
    assert [line[0] for line in lines[:2]] == ["0/centre.png", "0/edge.png"]
    assert [int(line[1]) for line in lines] == [k // 2 for k in range(20)]
    assert all(int(line[2]) == int(line[1]) for line in lines[::2])
    for one, line in zip(found, lines, strict=True):
        counts = Counts.from_json(one["counts"])
        derived = predict_from_counts(counts, alpha=one["alpha"], method=one["method"])
        assert (derived.label, derived.p_value) == (one["prediction"], one["p_value"])
        assert derived.abstained is one["abstained"]
        assert line[2] == str(one["prediction"])
        assert 1 >= float(line[3]) >= one["p_value"]
        assert (counts.total, one["seed"], one["arithmetic"]) == (200, "3", "exact")
    abstained = sum(one["abstained"] for one in found)
    assert abstained > 0
    assert f"{abstained} abstentions" in said.err.splitlines()[-1]


def test_the_exported_generator_names_keys_that_draw_the_same_again(here: Path) -> None:
    words = "predict tiny.onnx set --sigma 0.25 --n 200 --providers cpu --json --generator exported"
    drawn = done(f"{words} --seed 3 --limit 3").lines()
    assert len({one["key"] for one in drawn}) == 3
    assert {(one["generator"], one["seed"]) for one in drawn} == {("exported", "3")}
    usual = done(f"{PREDICT} --json --limit 3").lines()
    assert {(one["generator"], one["key"]) for one in usual} == {("numpy", None)}
    said = done(f"{words} --key {drawn[1]['key']} --limit 3")
    again = said.lines()
    assert again[1] == drawn[1] | {"seed": None}
    assert drawn[1]["key"] in said.err
    for wrong in ("--key 12", f"--key {'0' * 32} --seed 1"):
        refused(f"{words} {wrong}")
    refused(f"{PREDICT.replace('--seed 3', '')} --key {'0' * 32}")


@pytest.mark.parametrize("form", ["tsv", "csv", "parquet"])
def test_a_run_is_exported_in_silence_and_a_part_is_said_to_be_one(form: str, here: Path) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    done("certify tiny.onnx set --sigma 0.25 --n 99 --seed 1 --limit 6 -o run.jsonl")
    lines = lines_of(Path("run.jsonl"))
    lines[1]["name"] = "=x\x1b[31m"  # and the manifest is of such data
    lines[0]["data"]["manifest"] = manifest_digest(SimpleNamespace(**row) for row in lines[1:-1])
    write_lines(Path("run.jsonl"), lines)
    said = done(f"export run.jsonl --{form} -o out")
    assert (said.out, said.err) == ("", "")
    if form == "tsv":
        labels = [row["prediction"] for row in lines[1:-1]]
        assert [row.prediction for row in read_log(Path("out")).rows] == labels
    elif form == "csv":
        with Path("out").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["radius"]) for row in rows] == [row["radius"] for row in lines[1:-1]]
        assert rows[0]["name"].startswith("'=")  # no formula
    shard = lines[0] | {"shard": {"index": 1, "of": 2}}
    for name, part, word in (
        ("late", lines[:-1], "incomplete"),
        ("stopped", [*lines[:-1], lines[-1] | {"status": "interrupted"}], "interrupted"),
        ("shard", [shard, *lines[1:-1:2], lines[-1] | {"inputs": 3}], "shard"),
    ):
        write_lines(Path("part.jsonl"), part)
        said = done(f"export part.jsonl --{form} -o {name}")
        assert said.out == ""
        assert word in said.err


def test_inspect(here: Path) -> None:
    assert "1x8x8" in done("inspect tiny.onnx").out
    found = done("inspect tiny.onnx --json").json()
    assert found["operators"]["Gemm"] == 1
    assert found["inputs"][0]["shape"] == ["N", 1, 8, 8]
    assert len(found["sha256"]) == 64


def test_doctor(rsonnx: Command, here: Path) -> None:
    assert "CPUExecutionProvider" in done("doctor").out
    outcome = rsonnx("doctor", "--json", cwd=here)
    assert (outcome.code, outcome.err) == (0, "")
    found = outcome.json()
    assert found["providers"]["CPUExecutionProvider"] is None
    assert found["versions"]["rsonnx"] == package.__version__
    assert found["providers"][found["default"]] is None


def test_version_and_help_of_the_group(rsonnx: Command, tmp_path: Path) -> None:
    assert rsonnx("--version", cwd=tmp_path).out == f"rsonnx {package.__version__}\n"
    said = rsonnx("--help", cwd=tmp_path)
    assert (said.code, said.err) == (0, "")
    assert all(f" {name} " in said.out for name in COMMANDS)
    assert "130" in said.out


def leaves(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Return the words that call each command, those of groups within too."""
    for name, found in group.commands.items():
        here = (*path, name)
        yield from leaves(found, *here) if isinstance(found, click.Group) else [here]


@pytest.mark.parametrize("name", [" ".join(words) for words in leaves(cli)])
def test_the_help_of_a_command_has_examples_that_it_knows(name: str) -> None:
    long = done(name, "--help")
    assert long == done(name, "-h")
    assert long.err == ""
    examples = [line.split()[1:] for line in long.out.splitlines() if "  rsonnx " in line]
    assert examples
    found: Any = cli
    for word in name.split():
        found = found.commands[word]
    options = {text for option in found.params for text in option.opts}
    for words in examples:
        assert words[: len(name.split())] == name.split()
        assert {word for word in words if re.match("--?[a-z]", word)} <= options  # not -10,10


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_shell_completion(rsonnx: Command, tmp_path: Path, shell: str) -> None:
    said = rsonnx(cwd=tmp_path, _RSONNX_COMPLETE=f"{shell}_source")
    assert said.code == 0
    assert "_RSONNX_COMPLETE" in said.out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes close in another way there")
def test_a_reader_that_leaves_early(here: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "rsonnx", *PREDICT.split()]
    try:
        ended = subprocess.run(
            words, stdout=writing, stderr=subprocess.PIPE, check=False, text=True, timeout=60
        )
    finally:
        os.close(writing)
    assert ended.returncode == 1
    for word in ("Traceback", "Exception ignored", "has a bug"):
        assert word not in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shell to close a stream")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_no_errors(here: Path, closed: str) -> None:
    script = f'exec "$0" -m rsonnx bounds -k 9 -n 10 {closed}'
    words: list[Any] = ["/bin/sh", "-c", script, sys.executable]
    ended = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
