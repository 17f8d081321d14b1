"""The notebook does what it shows: its cells run in order and print what stands below them."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).resolve().parents[1] / "docs" / "notebooks" / "first_certificate.ipynb"
CODE: list[dict[str, Any]] = [
    cell for cell in json.loads(PATH.read_text())["cells"] if cell["cell_type"] == "code"
]


def _words(text: str) -> list[str]:
    """The words of a text without its numbers: another processor trains a slightly other net."""
    return re.findall(r"[A-Za-z]{2,}", text)


def test_the_cells_run_and_print_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("skl2onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, Any] = {}
    for cell in CODE:
        source = "".join(cell["source"])
        if source.startswith("%pip"):
            continue
        out = io.StringIO()
        # A twentieth of the samples: the claim here is that the cells work.
        with contextlib.redirect_stdout(out):
            exec(source.replace("10_000", "500"), names)  # noqa: S102 - our own
        shown = ["".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream"]
        assert _words(out.getvalue()) == _words("".join(shown))
    assert names["checked"].faults == ()


def test_pictures_are_stored() -> None:
    drawn = [cell for cell in CODE if "plt.show()" in "".join(cell["source"])]
    kinds = [{kind for o in cell["outputs"] for kind in o.get("data", {})} for cell in drawn]
    assert len(drawn) == 3
    assert all("image/png" in each for each in kinds)
