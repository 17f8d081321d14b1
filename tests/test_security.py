"""The figures of the threat model, and the commands that it names."""

from __future__ import annotations

import re
from fractions import Fraction
from math import comb
from pathlib import Path

import click

from rsonnx.cli import cli

TEXT = (Path(__file__).resolve().parents[1] / "docs/explanation/threat-model.md").read_text(
    encoding="utf-8"
)


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def _found(rows: int, forged: int, replayed: int) -> Fraction:
    return 1 - Fraction(comb(rows - forged, replayed), comb(rows, replayed))


def test_what_a_replay_finds_is_rounded_down() -> None:
    lines = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("|")]
    head = next(cells for cells in lines if cells[0] == "F of N")
    replayed = [_whole(cell.removeprefix("K = ")) for cell in head[1:]]
    tables = [cells for cells in lines if re.fullmatch(r"[0-9,]+ of [0-9,]+", cells[0])]
    assert len(tables) == 7
    for first, *shown in tables:
        forged, rows = map(_whole, first.split(" of "))
        for k, cell in zip(replayed, shown, strict=True):
            tenths = int(1000 * _found(rows, forged, k))
            assert cell in {f"{tenths / 10}", "> 99.9"}
            assert (cell == "> 99.9") <= (_found(rows, forged, k) > Fraction(999, 1000))
    ((most, sure),) = re.findall(r"one row in twenty: (\d+) rows find that with (\d+) %", TEXT)
    assert _found(100_000, 5_000, int(most)) >= Fraction(int(sure), 100)


def test_the_options_that_it_names_are_there() -> None:
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    options = {option for made in commands for p in made.params for option in p.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", TEXT))
    assert named <= options | {"--help"}
