"""The tool that compares counted classes with a file's own labels."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import linear, node, save, tensor, tree_classifier, with_outputs

_TOOLS = str(Path(__file__).resolve().parents[2] / "tools")


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(_TOOLS)
    return importlib.import_module("check_labels")


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
    tool: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([str(folder), "--inputs", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| largest.onnx | label | 100 | 4 | 0 | 0 |" in lines
    assert "| trees.onnx | label | 100 | 3 | 0 | 0 |" in lines
    assert "differences: 0" in lines
    assert not any("scores.onnx" in line for line in lines)
    assert lines[-1].startswith("refused: open.onnx")


def test_a_difference_is_counted(
    tool: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tool.own_labels

    def turned(path: Path, inputs: np.ndarray) -> tuple[str, list[str]]:
        output, labels = own(path, inputs)
        return output, ["z", *labels[1:]]

    monkeypatch.setattr(tool, "own_labels", turned)
    assert tool.main([str(folder / "trees.onnx"), "--inputs", "10"]) == 1
