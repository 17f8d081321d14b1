"""A run on crops of the middle: which columns are certified, replayed and shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from html_pages import tree
from onnx_models import build, node

from rsonnx.cli import run

SIDE = 8
HUGGING_FACE = {
    "image_processor_type": "BitImageProcessor",
    "do_resize": False,
    "do_center_crop": True,
    "crop_size": {"height": SIDE, "width": SIDE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": False,
}


@pytest.mark.usefixtures("children")
@pytest.mark.parametrize("margin", [1, 2, 3, 7, 10, 11])
@pytest.mark.parametrize("rule", ["hugging face", "ours"])
def test_a_run_is_of_the_columns_of_its_rule(
    rule: str, margin: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model answers the column that is white: class k is column k of the crop."""
    monkeypatch.chdir(tmp_path)
    made = [
        node("ReduceMax", ["x"], "columns", axes=[1, 2], keepdims=0),
        node("Identity", ["columns"], "scores"),
    ]
    onnx.save(build(made, ("n", 1, SIDE, SIDE), ("n", SIDE)), "model.onnx")
    width = SIDE + margin
    begin = margin // 2 if rule == "hugging face" else int(round(margin / 2.0))  # noqa: RUF046
    x = np.zeros((SIDE, SIDE, width, 1), np.uint8)
    for column in range(SIDE):
        x[column, :, begin + column] = 255
    np.savez("data.npz", x=x, y=np.arange(SIDE))
    Path("preprocessor_config.json").write_text(json.dumps(HUGGING_FACE))
    stated = "preprocessor_config.json" if rule == "hugging face" else f"none,crop={SIDE}"
    command = ["certify", "model.onnx", "data.npz", "--preprocess", stated, "--sigma", "0.1"]
    options = ["--n", "20", "--n0", "5", "--alpha", "0.01", "--providers", "cpu", "--seed", "1"]
    assert run([*command, *options, "-o", "run.jsonl"]) == 0
    rows = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()][1:]
    assert [row["prediction"] for row in rows if "prediction" in row] == list(range(SIDE))
    replayed = ["--model", "model.onnx", "--data", "data.npz", "--replay", "2"]
    assert run(["verify", "run.jsonl", *replayed, "--providers", "cpu"]) == 0
    if margin > 2:  # pages of even and odd margins are enough
        return
    assert run(["report", "run.jsonl", "--html", "page.html", "--data", "data.npz"]) == 0
    assert f"{SIDE} pictures" in tree(Path("page.html").read_text()).text
