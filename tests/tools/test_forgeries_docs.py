"""The published table of forgeries is the one that the tests hold the checks to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from types import ModuleType


def test_the_published_page_is_of_the_table(tool: Callable[[str], ModuleType]) -> None:
    made = tool("make_forgeries_docs")
    assert made.PAGE.read_text("utf-8") == made.page()


def test_the_chance_of_a_replay_is_that_of_all_draws(tool: Callable[[str], ModuleType]) -> None:
    chance = tool("make_forgeries_docs").chance
    for forged in range(7):  # of 6 inputs
        for replayed in range(7):
            draws = [*combinations(range(6), replayed)]
            hits = sum(any(index < forged for index in draw) for draw in draws)
            assert chance(6, forged, replayed) * len(draws) == hits
