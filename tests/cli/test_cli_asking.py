"""All that a run must still be told is asked for in one message."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import command, done, refused
from onnx import TensorProto, helper
from onnx_models import build, node

OPEN = {
    "shape": ("--input-shape", "--input-shape 3,8,8"),
    "layout": ("the layout", "layout=NCHW"),
    "feed": ("--feed", "--feed further=0"),
    "threshold": ("--threshold", "--threshold 0"),
    "preprocess": ("mean=", "--preprocess none"),
}
"""What a model may leave open, by what a message names it by, and what declares it."""


def save_open(path: Path, left_open: frozenset[str]) -> None:
    """Save a classifier by its mean and another input, which is added to it."""
    sides = ("h", "w") if "shape" in left_open else (8, 3 if "layout" in left_open else 8)
    nodes = [
        node("GlobalAveragePool", ["x"], "pooled"),
        node("Flatten", ["pooled"], "mean"),
        node("ReduceSum", ["mean"], "sum", axes=[1], keepdims=1),
    ]
    last = "sum" if "threshold" in left_open else "both"
    if last == "both":
        nodes.append(node("Concat", ["sum", "sum"], "both", axis=1))
    if "feed" in left_open:  # a flag, to which no noise is added
        nodes.append(node("Cast", ["further"], "float", to=TensorProto.FLOAT))
    added = "float" if "feed" in left_open else last
    nodes.append(node("Add", [last, added], "scores"))
    metadata = {} if "preprocess" in left_open else {"rsonnx.preprocess": '"none"'}
    classes = 1 if last == "sum" else 2
    model = build(nodes, ("n", 3, *sides), ("n", classes), opset=11, metadata=metadata)
    if "feed" in left_open:
        model.graph.input.append(helper.make_tensor_value_info("further", TensorProto.BOOL, [1]))
    onnx.save(model, path)


@pytest.mark.parametrize(
    "left_open",
    [
        frozenset(name for name, there in zip(OPEN, taken, strict=True) if there)
        for taken in product((False, True), repeat=len(OPEN))
        if not (taken[0] and taken[1])  # of an open shape nothing is known
    ],
    ids=lambda names: " ".join(sorted(names)),
)
def test_all_that_is_missing_is_asked_for_at_once(left_open: frozenset[str], here: Path) -> None:
    save_open(here / "open.onnx", left_open)
    outcome = command("certify open.onnx floats.npz --providers cpu")
    named = {name for name, (word, _) in OPEN.items() if word in outcome.err}
    assert named == left_open
    assert "--sigma" in outcome.err
    assert outcome.code == (2 if left_open <= {"preprocess"} else 4)
    # Each of them alone is refused as it is among others, and all together are enough.
    declared = [text for name, (_, text) in OPEN.items() if name in left_open - {"layout"}]
    if "layout" in left_open:
        declared.append("--preprocess none,layout=NCHW")
    assert command("inspect open.onnx", *" ".join(declared).split()).code == 0


@pytest.mark.parametrize("noise", ["", "--sigma 0.25"])
@pytest.mark.parametrize("name", ["certify", "predict"])
def test_what_the_data_leave_open_is_asked_for_with_the_rest(
    name: str, noise: str, here: Path
) -> None:
    arrays = np.load(here / "floats.npz")
    halves = {f"{key}_{half}": arrays[key] for key in "xy" for half in ("train", "test")}
    np.savez(here / "halves.npz", **halves)
    np.savez(here / "unusual.npz", one=arrays["x"], other=arrays["x"])
    (here / "table.csv").write_text("a,b,c\n1,2,0\n3,4,1\n")  # needs no preprocessing
    save_open(here / "open.onnx", frozenset({"preprocess"}))
    options = {"halves.npz": "--split", "unusual.npz": "--arrays", "table.csv": "--label-column"}
    for data, option in options.items():
        outcome = command(f"{name} open.onnx {data} {noise} --providers cpu")
        assert outcome.code == 2
        assert option in outcome.err
        assert ("mean=" in outcome.err) is (data != "table.csv")
        assert ("--sigma" in outcome.err) is (not noise)
    swapped = command(f"{name} halves.npz open.onnx {noise}")
    assert "model first" in swapped.err


def test_the_sigma_of_the_training_is_named(here: Path) -> None:
    done("declare tiny.onnx --trained gaussian,sigma=0.375 -o trained.onnx")
    for name in ("certify", "predict"):
        refused(f"{name} trained.onnx set", named="sigma = 0.375")
        assert "0.375" not in refused(f"{name} tiny.onnx set", named="--sigma").err
