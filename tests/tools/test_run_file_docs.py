"""What is published of a row is what reads and writes it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType


def test_the_published_pages_are_of_the_table(tool: Callable[[str], ModuleType]) -> None:
    made = tool("make_run_file_docs")
    for name, text in made.documents().items():
        assert (made.DOCS / name).read_text("utf-8") == text
