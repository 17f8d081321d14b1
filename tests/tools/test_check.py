"""``tools/check.py``: what it compares, and that it can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import linear, node, save, tensor, tree_classifier, with_outputs

from rsonnx.noise import Gaussian

pytestmark = pytest.mark.usefixtures("no_children")
Tool = Callable[[str], ModuleType]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    label = tensor("label", TensorProto.STRING, ["n"])
    save(with_outputs([tree_classifier(("a", "b", "c"))], [label]), tmp_path, "trees.onnx")
    made = [node("ArgMax", ["x"], "label", axis=1, keepdims=0)]
    proto = with_outputs(made, [tensor("label", TensorProto.INT64, [3])], shape=(3, 4))
    save(proto, tmp_path, "largest.onnx")
    save(linear(), tmp_path, "scores.onnx")
    save(linear(("n", 1, "h", "w"), 16), tmp_path, "open.onnx")
    return tmp_path


def test_every_file_with_a_label_has_a_line_without_differences(
    tool: Tool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("check").main(["labels", str(folder), "--inputs", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| largest.onnx | label | 100 | 4 | 0 | 0 |" in lines
    assert "| trees.onnx | label | 100 | 3 | 0 | 0 |" in lines
    assert "differences: 0" in lines
    assert not any("scores.onnx" in line for line in lines)
    assert lines[-1].startswith("refused: open.onnx")


def test_a_difference_is_counted(tool: Tool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = tool("checking.labels")
    own = labels.own_labels

    def turned(path: Path, inputs: np.ndarray) -> tuple[str, list[str]]:
        output, texts = own(path, inputs)
        return output, ["z", *texts[1:]]

    monkeypatch.setattr(labels, "own_labels", turned)
    assert tool("check").main(["labels", str(folder / "trees.onnx"), "--inputs", "10"]) == 1


def test_a_catalogue_is_held_against_what_is_certified(
    tool: Tool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        {"file": "scores.onnx", "role": "classifier"},
        {"file": "open.onnx", "role": "encoder"},
    ]
    (folder / "catalogue.json").write_text(json.dumps(entries))
    assert tool("check").main(["models", str(folder), "--n", "50"]) == 0
    entries[1]["role"] = "classifier"
    (folder / "catalogue.json").write_text(json.dumps(entries))
    assert tool("check").main(["models", str(folder), "--n", "50"]) == 1
    assert "classifiers certified: 1 of 2" in capsys.readouterr().out


def test_bounds_and_errors_are_checked(
    tool: Tool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mpmath")
    check, statistics = tool("check"), tool("checking.statistics")
    assert check.main(["rounding", "--cases", "20"]) == 0
    monkeypatch.setattr(statistics, "ADAPTIVE", [(0.5, 0.01)])
    assert check.main(["adaptive", "--n", "500"]) == 0
    bound = statistics.clopper_pearson_lower
    monkeypatch.setattr(
        statistics, "clopper_pearson_lower", lambda *case: bound(*case) * (1 + 1e-6)
    )
    assert check.main(["rounding", "--cases", "20"]) == 1


def test_exact_radii_are_hunted_by_60_digits(
    tool: Tool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("check").main(["exact", "--rows", "200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(" 0 above the true radius" in line for line in lines) == 4


@pytest.mark.slow
def test_no_exact_radius_of_ten_thousand_is_too_large(tool: Tool) -> None:
    assert tool("check").main(["exact", "--rows", "10000"]) == 0


def test_a_radius_that_is_too_large_fails_the_hunt(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By 1e-12 of itself."""
    radius_beside = Gaussian.radius_beside
    monkeypatch.setattr(
        *(Gaussian, "radius_beside"), lambda law, q: radius_beside(law, q) * (1 + 1e-12)
    )
    assert tool("check").main(["exact", "--rows", "200"]) == 1
