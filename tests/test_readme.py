"""The README's commands exist, with the options that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from rsonnx.cli import cli

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_readme_can_be_parsed(words: list[str]) -> None:
    command = cli.commands[words[0]]
    # Parsing alone: an unknown option, a missing argument or a wrong kind of value raises.
    context = command.make_context(words[0], words[1:], parent=click.Context(cli))
    assert context.params


def test_the_readme_shows_commands() -> None:
    shown = {words[0] for words in commands()}
    assert shown == set(cli.commands)


def test_the_line_that_runs_the_tests_is_what_ci_looks_for() -> None:
    lines = re.findall(r"^python3 -m venv .*pytest.*$", README, re.MULTILINE)
    assert len(lines) == 1
