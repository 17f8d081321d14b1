"""The README does what stands there, in the order in which it stands there."""

from __future__ import annotations

import re

from pages import ROOT, Reader, reader
from tried_models import models_are_tried_once

__all__ = ["models_are_tried_once", "reader"]


def test_the_blocks_of_the_readme_do_what_stands_there(reader: Reader) -> None:
    reader.read("README.md", slow=False)


def test_the_line_that_runs_the_tests_is_what_ci_looks_for() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^python3 -m venv .*pytest.*$", text, re.MULTILINE)) == 1


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1000
