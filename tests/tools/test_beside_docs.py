"""The page that compares smoothing and verification is of the measured figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def test_the_published_page_is_of_the_figures(tool: Callable[[str], ModuleType]) -> None:
    made = tool("make_beside_docs")
    assert made.PAGE.read_text("utf-8") == made.page()


@pytest.mark.slow
def test_a_linear_model_is_measured_alike_in_every_way(
    tool: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    beside, path = tool("benching.beside"), tmp_path / "linear.onnx"
    data = beside.two_digits(path)
    ways = (beside.SAMPLED, beside.EXACT, beside.CROWN)
    records = [beside.measured("linear", path, data, way, "l2", 3, 1_000) for way in ways]
    assert all(record["certified"] == record["inputs"] == 3 for record in records)
    assert all(record["seconds"] > 0 for record in records)
    sampled, exact, crown = (record["radius"] for record in records)
    assert sampled < exact <= crown * 1.01  # a half-space, smoothed, is itself
    assert crown * 0.95 < exact
