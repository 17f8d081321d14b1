"""Every command in the README does what stands there, in the order in which it stands there."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import rows_of
from tried_models import models_are_tried_once

from rsonnx.cli import cli, run

__all__ = ["models_are_tried_once"]

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
THIRD_PARTY = ROOT.parent / "shared" / "models" / "webonnx_wonnx--opt-mnist.onnx"
NEEDED = {"ray": "--engine ray"}
TABLED = {"mnist.jsonl", "ours.jsonl", "theirs.jsonl"}
"""Runs of which the README shows a table."""


def commands() -> list[list[str]]:
    """Every command line of rsonnx in the README's shell blocks, without its comment."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words and words[0].endswith("rsonnx"):
                    found.append(words[1:])
    return found


def made_small(words: list[str]) -> list[str]:
    """A command of two inputs, unless it is of a run whose table is shown."""
    if "--limit" not in words or TABLED.intersection(words):
        return words
    at = words.index("--limit") + 1
    return [*words[:at], "2", *words[at + 1 :]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder like a clone's, with the third-party model in it where there is one."""
    here = tmp_path_factory.mktemp("readme")
    (here / "sample_models").symlink_to(ROOT / "sample_models")
    if THIRD_PARTY.is_file():
        shutil.copy(THIRD_PARTY, here / "opt-mnist.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        yield here


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_readme_runs(
    words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package, option in NEEDED.items():
        if option in " ".join(words) and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    for word in words:
        if word in ("opt-mnist.onnx", "theirs.jsonl") and not (place / "opt-mnist.onnx").exists():
            pytest.skip("the third-party model is not here")
    code = run(made_small(words))
    captured = capsys.readouterr()
    assert code == 0, captured.err
    for option in ("-o", "--html", "--plot", "--card"):
        if option in words:
            assert (place / words[words.index(option) + 1]).stat().st_size > 0


def test_the_tables_of_the_readme_are_those_of_its_commands(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of the README's tables stand word for word in what the commands print."""
    shown: list[str] = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    reports = [["report", "mnist.jsonl"]]
    if (place / "opt-mnist.onnx").exists():
        reports.append(["report", "ours.jsonl", "theirs.jsonl", "--radii", "0,0.25,0.5"])
    for words in reports:
        assert run(words) == 0
    printed = capsys.readouterr().out.splitlines()
    for block in shown[: len(reports)]:
        for line in block.splitlines():
            assert line in printed


def test_workers_of_ray_give_the_run_that_parts_give(place: Path) -> None:
    if not (place / "ray.jsonl").exists():
        pytest.skip("ray is not installed")
    assert rows_of(place / "ray.jsonl") == rows_of(place / "whole.jsonl")


def test_the_readme_shows_every_command() -> None:
    assert {words[0] for words in commands()} == set(cli.commands)


def test_the_line_that_runs_the_tests_is_what_ci_looks_for() -> None:
    lines = re.findall(r"^python3 -m venv .*pytest.*$", README, re.MULTILINE)
    assert len(lines) == 1
