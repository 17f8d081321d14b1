"""What is said of a model's answer: names of classes, NaN, and an output that is insisted on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import build, linear, node, save

from rsonnx.cli import run

NAMES = ["red", "green", "blue"]


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.npz"
    x = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    np.savez(path, x=x, y=np.array([0, 1, 2]))
    return path


def predicted(capsys: Any, proto: onnx.ModelProto, points: Path, *options: str) -> Any:
    model = save(proto, points.parent)
    given = [str(model), str(points), "--preprocess", "none", "--sigma", "0.1", "--n", "50"]
    code = run(["predict", *given, "--providers", "cpu", "--seed", "1", *options])
    return code, *capsys.readouterr()


def test_predict_names_classes(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proto = linear(("n", 4), 3, metadata={"names": json.dumps(NAMES)})
    code, out, _ = predicted(capsys, proto, points)
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[1] for row in rows] == NAMES
    assert {row[2] for row in rows} <= {*NAMES, "-1"}
    _, out, _ = predicted(capsys, proto, points, "--json")
    for line in map(json.loads, out.splitlines()):
        assert line["label_name"] == NAMES[line["label"]]
        named = NAMES[line["prediction"]] if line["prediction"] >= 0 else None
        assert line["prediction_name"] == named


def test_nan_on_probe_inputs_is_said(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = [node("Sub", ["x", "x"], "zeros"), node("Div", ["zeros", "zeros"], "scores")]
    code, _, said = predicted(capsys, build(made, ("n", 4), ("n", 4)), points)
    assert code == 0
    assert "8 of 8" in said
    _, _, said = predicted(capsys, linear(("n", 4), 3), points)
    assert "of 8" not in said


def test_an_output_that_was_insisted_on_is_said_and_in_the_header(
    points: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = build([node("Sigmoid", ["x"], "findings")], ("n", 4), ("n", 4), output_name="findings")
    code, _, said = predicted(capsys, proto, points)
    assert code == 4
    assert "--output-name findings" in said
    model, output = points.parent / "model.onnx", points.parent / "run.jsonl"
    options = ["--preprocess", "none", "--sigma", "0.1", "--n", "50", "--n0", "5"]
    options += ["--output-name", "findings", "-o", str(output), "--providers", "cpu"]
    assert run(["certify", str(model), str(points), *options]) == 0
    assert "independent sigmoids" in capsys.readouterr().err
    header = json.loads(output.read_text().splitlines()[0])
    assert header["model"]["insisted"].startswith("independent sigmoids")


def test_metadata_that_are_left_out_are_said(
    points: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = linear(("n", 4), 3, metadata={"names": "['a', 'b']"})
    code, out, said = predicted(capsys, proto, points)
    assert code == 0
    assert "'names'" in said
    assert out.split("\t")[1] == "0"
