"""Kinds of networks as exported, loaded and compared with onnxruntime on the original by rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from onnx_models import FLOAT, INT64, Dim, build, linear, node, tensor, with_outputs
from originals import opened, original, rows

from rsonnx.errors import ModelError, UsageError
from rsonnx.runtime import OnnxClassifier
from rsonnx.smoothing import candidate

RNG = np.random.default_rng(8)
W = RNG.standard_normal((4, 3)).astype(np.float32)


def check(
    base: OnnxClassifier, proto: onnx.ModelProto, batch: NDArray[np.float32], **feeds: Any
) -> None:
    """Compare the classes with the largest scores of the original."""
    scores = original(proto, "scores", batch, **feeds)
    assert base.classify(batch).tolist() == [int(np.argmax(row)) for row in scores]


def test_a_label_of_no_known_classes_is_the_model_s_own(tmp_path: Path) -> None:
    made = [node("Abs", ["x"], "size"), node("ReduceSum", ["size", "axis"], "sum", keepdims=0)]
    made += [node("Mul", ["sum", "ten"], "real"), node("Cast", ["real"], "label", to=INT64)]
    weights = {"axis": np.array([1]), "ten": np.full(1, 10, np.float32)}
    base = opened(with_outputs(made, [tensor("label", INT64, ["n"])], weights), tmp_path)
    assert (base.num_classes, base.class_names) == (None, ())
    assert base.facts["label"] == "the model's own label"
    batch = rows(16, 4)
    own = np.trunc(np.float32(10) * np.abs(batch).sum(axis=1))
    assert base.classify(batch).tolist() == own.tolist()


@pytest.mark.parametrize("shape", [("n", 1), ("n",)])
def test_labels_of_a_map_are_refused_though_the_file_hides_them(
    tmp_path: Path, shape: tuple[Dim, ...]
) -> None:
    """The file declares one label an input, and its ArgMax gives 16."""
    made = [node("ArgMax", ["x"], "wide", axis=1, keepdims=0), node("Identity", ["wide"], "label")]
    proto = with_outputs(made, [tensor("label", INT64, shape)], shape=("n", 3, 4, 4))
    with pytest.raises(ModelError):
        opened(proto, tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_quantised_scores_go_to_the_lowest_index_on_a_tie(tmp_path: Path, dtype: Any) -> None:
    kind = TensorProto.UINT8 if dtype is np.uint8 else TensorProto.INT8
    weights = {"step": np.array(0.25, np.float32), "zero": np.array(0, dtype)}
    made = [node("QuantizeLinear", ["x", "step", "zero"], "scores")]
    proto = with_outputs(made, [tensor("scores", kind, ["n", 4])], weights)
    batch = rows(64, 4)
    check(opened(proto, tmp_path), proto, batch)
    steps = np.array(original(proto, "scores", batch))
    assert sum(np.sum(row == row.max()) > 1 for row in steps) > 8


def score(output: tuple[Dim, ...], maker: str = "Identity", many: bool = False) -> onnx.ModelProto:
    """Make a model of one score, the sum of 4 inputs, or of the 4; () leaves the shape open."""
    made = [node(maker, ["sum"], "scores")]
    if many:
        made = [node("Identity", ["x"], "sum"), *made]
    else:
        made = [node("ReduceSum", ["x", "axis"], "sum", keepdims=int(len(output) > 1)), *made]
    proto = build(made, ("n", 4), output, {} if many else {"axis": np.array([1])})
    if not output:
        proto.graph.output[0].type.tensor_type.ClearField("shape")
    return proto


@pytest.mark.parametrize("output", [("n", 1), ("n",), ()])
def test_one_score_needs_a_threshold_and_many_have_none(
    tmp_path: Path, output: tuple[Dim, ...]
) -> None:
    base = opened(score(output), tmp_path, threshold=2.0)
    assert (base.num_classes, base.batch_size) == (2, None)
    assert base.facts["label"] == "1 where the score is above 2.0, else 0"
    batch = np.array(
        [[0.5] * 4, [0.5, 0.5, 0.5, 0.75], [0.5, 0.5, 0.5, 0.25], [np.nan] * 4, [np.inf, 0, 0, 0]],
        np.float32,
    )
    assert base.classify(batch).tolist() == [0, 1, 0, -1, -1]
    with pytest.raises(ModelError, match="--threshold"):
        opened(score(output), tmp_path)
    with pytest.raises(ModelError):
        opened(score(output, "Relu", many=True), tmp_path, threshold=0.5)


@pytest.mark.parametrize(("kind", "declared"), [("uint8", None), ("int8", "scale=255,mean=128")])
def test_8_bit_inputs_are_what_numpy_says(tmp_path: Path, kind: str, declared: str | None) -> None:
    made = [node("Cast", ["x"], "real", to=FLOAT), node("MatMul", ["real", "w"], "scores")]
    proto = build(made, ("n", 4), ("n", 3), {"w": W})
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.DataType.Value(kind.upper())
    base = opened(proto, tmp_path, preprocess=declared)
    batch = (RNG.standard_normal((200, 4)) * 0.7 + 0.5).astype(np.float32)
    levels = np.clip(np.floor(255 * batch.astype(np.float64) + 0.5), 0, 255)
    stored = (levels - (128 if kind == "int8" else 0)).astype(kind)
    expected = (stored.astype(np.float64) @ W).argmax(axis=1)
    assert base.classify(batch).tolist() == expected.tolist()
    assert (base.facts["preprocess"]["source"] == "argument") is (declared is not None)
    if declared is not None:
        with pytest.raises(UsageError, match="preprocessing"):
            opened(proto, tmp_path, preprocess=None)


@pytest.mark.parametrize("shape", [(784,), (3, 8, 8)])
def test_a_model_without_a_batch_axis_runs_one_by_one(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    w = RNG.standard_normal((int(np.prod(shape)), 5)).astype(np.float32)
    made = [node("Reshape", ["x", "all"], "flat"), node("MatMul", ["flat", "w"], "scores")]
    proto = build(made, shape, (5,), {"w": w, "all": np.array([-1])})
    base, batch = opened(proto, tmp_path), rows(7, *shape)
    assert (base.shape, base.batch_size, base.num_classes) == (shape, 1, 5)
    expected = (batch.reshape(7, -1) @ w).argmax(axis=1)
    assert base.classify(batch).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [("n", 28, 28), (1, 28, 28), ("n", 784, 1), ("h", 28, 28)])
def test_inputs_of_two_axes_are_taken(tmp_path: Path, shape: tuple[Dim, ...]) -> None:
    base = opened(linear(shape), tmp_path)
    assert (base.shape, base.layout, base.batch_size) == (shape[1:], None, None)
    check(base, linear(("n", *shape[1:])), rows(7, *base.shape))


def test_a_declared_shape_fixes_open_axes(tmp_path: Path) -> None:
    made = [node("GlobalAveragePool", ["x"], "scores")]
    proto = build(made, ("n", 3, "h", "w"), ("n", 3, 1, 1))
    with pytest.raises(ModelError, match="--input-shape"):
        opened(proto, tmp_path)
    base, batch = opened(proto, tmp_path, input_shape=[3, 5, 4]), rows(16, 3, 5, 4)
    assert (base.shape, base.layout) == ((3, 5, 4), "NCHW")
    assert base.classify(batch).tolist() == batch.mean(axis=(2, 3)).argmax(axis=1).tolist()


def test_a_second_input_is_fed(tmp_path: Path) -> None:
    made = [
        node("MatMul", ["x", "w"], "open"),
        node("Where", ["flip", "minus", "one"], "sign"),
        node("Mul", ["open", "sign"], "scores"),
    ]
    signs = {"minus": np.array(-1, np.float32), "one": np.array(1, np.float32)}
    proto = build(made, ("n", 4), ("n", 3), {"w": W} | signs)
    proto.graph.input.append(tensor("flip", TensorProto.BOOL, [1]))
    with pytest.raises(ModelError, match=r"'flip'.*--feed"):
        opened(proto, tmp_path)
    for flip in (True, False):
        base = opened(proto, tmp_path, feeds={"flip": flip})
        check(base, proto, rows(16, 4), flip=np.array([flip]))
        assert (base.facts["feeds"], base.facts["unused_inputs"]) == ({"flip": [flip]}, [])


def test_an_input_that_is_not_needed_is_left_out_and_named(tmp_path: Path) -> None:
    proto = linear(("n", 4))
    proto.graph.input.append(tensor("length", INT64, ["n"]))
    base = opened(proto, tmp_path)
    assert base.facts["unused_inputs"] == ["length"]
    check(base, linear(("n", 4)), rows(16, 4))


def test_onnx_s_metadata_are_taken(tmp_path: Path) -> None:
    metadata = {
        "Image.NominalPixelRange": "NominalRange_0_255",
        "Image.BitmapPixelFormat": "Bgr8",
    }
    base = opened(linear(("n", 3, 4, 4), metadata=metadata), tmp_path, preprocess=None)
    taken = {"scale": 255.0, "mean": [0.0], "std": [1.0], "channels": "bgr"}
    assert base.facts["preprocess"] == taken | {"source": "model metadata"}
    batch = rows(16, 3, 4, 4)
    ready = np.ascontiguousarray(255 * batch[:, ::-1])
    scores = original(linear(("n", 3, 4, 4)), "scores", ready)
    assert base.classify(batch).tolist() == np.argmax(scores, axis=1).tolist()


@pytest.mark.parametrize("center", ["round", "floor"])
def test_resizing_and_cropping_are_handed_on(tmp_path: Path, center: str) -> None:
    words = "imagenet,resize=8,crop=4" + ",center=floor" * (center == "floor")
    base = opened(linear(("n", 3, 4, 4)), tmp_path, preprocess=words)
    assert (base.geometry.resize, base.geometry.crop) == (8, (4, 4))
    assert (base.geometry.interpolation, base.geometry.center) == ("bilinear", center)
    assert base.facts["preprocess"]["resize"] == 8


def test_a_freed_model_that_does_not_load_falls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening: Any = candidate.Session
    refused = []

    def strict(model: bytes, *rest: Any) -> Any:
        first = onnx.load_from_string(model).graph.input[0].type.tensor_type.shape.dim[0]
        if first.dim_param:
            refused.append(first.dim_param)
            raise ModelError("onnxruntime cannot load it")
        return opening(model, *rest)

    monkeypatch.setattr(candidate, "Session", strict)
    base = opened(linear((1, 1, 4, 4)), tmp_path)
    assert (base.batch_size, base.num_classes, base.rows) == (1, 5, "alone")
    assert refused
    check(base, linear(), rows(9, 1, 4, 4))
