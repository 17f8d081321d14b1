"""Options that make another classifier of a model file: the run that is made with them says so."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import command, done
from onnx import TensorProto, helper, numpy_helper

from rsonnx import certify, load, read_run

FORMS = ("table", "markdown", "latex", "csv", "json")
BASE = "--sigma 0.5 --n 100 --n0 20 --seed 3 --providers cpu --quiet"
PAIRS = {
    "float16": ("image.onnx grey.npz", "image.onnx grey.npz --float16"),
    "threshold 0.25": ("score.onnx rows.npz --threshold 0", "score.onnx rows.npz --threshold 0.25"),
    "gain=2": ("fed.onnx rows.npz --feed gain=1", "fed.onnx rows.npz --feed gain=2"),
    "output late": ("heads.onnx rows.npz", "heads.onnx rows.npz --output-name late"),
    "mean=0.5,std=0.5": (
        "image.onnx grey.npz --preprocess none",
        "image.onnx grey.npz --preprocess minus-one-one",
    ),
}
"""Two commands on one model file and one data set, by what the second must be called."""


def _save(name: str, nodes: list[onnx.NodeProto], outputs: list[str], *fed: str) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in fed]
    shapes = [["N", 1 if output == "score" else 2] for output in outputs]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4]), *values],
        [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
            for output, shape in zip(outputs, shapes, strict=True)
        ],
        [
            numpy_helper.from_array(np.float32([[1, -1]] * 4), "two"),
            numpy_helper.from_array(np.float32([[1]] * 4), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"rsonnx.preprocess": '"none"'})
    onnx.save(model, name)


@pytest.fixture
def models(here: Path) -> Path:
    """Models of one score, of a gain that must be fed, and of two heads, one of which is usual."""
    node = helper.make_node
    _save("score.onnx", [node("MatMul", ["x", "one"], ["score"])], ["score"])
    fed = [node("MatMul", ["x", "two"], ["raw"]), node("Mul", ["raw", "gain"], ["scores"])]
    _save("fed.onnx", fed, ["scores"], "gain")
    heads = [node("MatMul", ["x", "two"], ["scores"]), node("Neg", ["scores"], ["late"])]
    _save("heads.onnx", heads, ["late"])
    np.savez("rows.npz", x=np.full((3, 4), 0.5) * [[0.0], [0.5], [1.0]], y=[0, 1, 1])
    return here


@pytest.mark.parametrize("words", PAIRS)
def test_two_classifiers_of_a_file_are_two_in_every_report(words: str, models: Path) -> None:
    for name, given in zip(("own", "other"), PAIRS[words], strict=True):
        done(f"certify {given} {BASE} -o {name}.jsonl")
        done(f"report {name}.jsonl --card {name}.md --html {name}.html")
    for form in FORMS:
        assert words not in _unescaped(done(f"report own.jsonl --details --format {form}").said)
        assert words in _unescaped(done(f"report other.jsonl --details --format {form}").said)
        paired = done(f"report own.jsonl other.jsonl --paired --format {form}").said
        assert "different classifiers" in paired
    for ending in ("md", "html"):
        own, other = (
            _unescaped(Path(f"{name}.{ending}").read_text()).partition("<pre")[0]
            for name in ("own", "other")
        )
        assert words in other
        assert words not in own
    table = done("report own.jsonl other.jsonl").out.splitlines()
    assert words in table[2]
    assert words not in table[1]
    assert "*" not in table[1] + table[2]
    lines = list(csv.DictReader(io.StringIO(done("report own.jsonl other.jsonl --format csv").out)))
    assert [words in line["variation"] + line["preprocess"] for line in lines] == [False, True]


def _unescaped(text: str) -> str:
    return text.replace("\\", "").replace("{", "").replace("}", "")


def test_a_shape_that_the_file_leaves_open_is_named(here: Path) -> None:
    model = onnx.load("image.onnx")
    del model.graph.input[0].type.tensor_type.shape.dim[2:]
    for axis in ("H", "W"):
        model.graph.input[0].type.tensor_type.shape.dim.add().dim_param = axis
    onnx.save(model, "open.onnx")
    done(f"certify open.onnx grey.npz --input-shape 1,8,8 {BASE} -o open.jsonl")
    assert "open.onnx, input 1x8x8" in done("report open.jsonl").out


def test_a_loaded_model_says_how_it_was_loaded(models: Path) -> None:
    classifier = load("score.onnx", threshold=0.25, providers=["cpu"])
    made = certify(classifier, "rows.npz", sigma=0.5, n=100, seed=3, output="run.jsonl")
    assert made.header.model.variation.words == ("threshold 0.25",)
    assert "score.onnx, threshold 0.25" in repr(read_run("run.jsonl"))


def test_a_statement_has_it(models: Path) -> None:
    for name, given in zip(("own", "other"), PAIRS["float16"], strict=True):
        done(f"certify {given} {BASE} -o {name}.jsonl")
        done(f"attest {name}.jsonl -o {name}.json")
        done(f"verify {name}.jsonl --attestation {name}.json")
    own, other = (json.loads(Path(f"{name}.json").read_text()) for name in ("own", "other"))
    assert "variation" not in own["predicate"]["summary"]
    assert other["predicate"]["summary"].pop("variation") == ["float16"]
    Path("less.json").write_text(json.dumps(other))
    assert command("verify other.jsonl --attestation less.json").code == 1
