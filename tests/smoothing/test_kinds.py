"""Kinds of networks as exported, loaded and compared with onnxruntime on the original by rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from against_onnxruntime import opened, original, rows
from onnx import TensorProto
from onnx_models import FLOAT, INT64, Dim, build, linear, node, tensor, with_outputs

import rsonnx.smoothing
from rsonnx.errors import ModelError, UsageError


def test_a_label_of_no_known_classes_is_the_model_s_own(tmp_path: Path) -> None:
    made = [node("Abs", ["x"], "size"), node("ReduceSum", ["size", "axis"], "sum", keepdims=0)]
    made += [node("Mul", ["sum", "ten"], "real"), node("Cast", ["real"], "label", to=INT64)]
    weights = {"axis": np.array([1]), "ten": np.full(1, 10, np.float32)}
    found = opened(with_outputs(made, [tensor("label", INT64, ["n"])], weights), tmp_path)
    assert (found.num_classes, found.class_names) == (None, ())
    assert found.facts["label"] == "the model's own label"
    batch = rows(16, 4)
    own = np.trunc(np.float32(10) * np.abs(batch).sum(axis=1))
    assert found.classify(batch).tolist() == own.tolist()


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
    made = [
        node("QuantizeLinear", ["x", "step", "zero"], "scores"),
    ]
    weights = {"step": np.array(0.25, np.float32), "zero": np.array(0, dtype)}
    proto = with_outputs(made, [tensor("scores", kind, ["n", 4])], weights)
    found = opened(proto, tmp_path)
    batch = rows(64, 4)
    steps = np.array(original(proto, "scores", batch))
    assert found.classify(batch).tolist() == steps.argmax(axis=1).tolist()
    ties = [len(set(row)) < 4 and np.sum(row == row.max()) > 1 for row in steps]
    assert sum(ties) > 8


def single(output: tuple[Dim, ...], maker: str = "Identity") -> onnx.ModelProto:
    """Make a model of one score, the sum of 4 inputs."""
    made = [
        node("ReduceSum", ["x", "axis"], "sum", keepdims=int(len(output) > 1)),
        node(maker, ["sum"], "scores"),
    ]
    return build(made, ("n", 4), output, {"axis": np.array([1])})


@pytest.mark.parametrize("output", [("n", 1), ("n",), ()])
def test_one_score_with_a_threshold(tmp_path: Path, output: tuple[Dim, ...]) -> None:
    proto = single(output)
    if not output:
        proto.graph.output[0].type.tensor_type.ClearField("shape")
    found = opened(proto, tmp_path, threshold=2.0)
    assert (found.num_classes, found.batch_size) == (2, None)
    assert found.facts["label"] == "1 where the score is above 2.0, else 0"
    batch = np.array(
        [[0.5] * 4, [0.5, 0.5, 0.5, 0.75], [0.5, 0.5, 0.5, 0.25], [np.nan] * 4, [np.inf, 0, 0, 0]],
        np.float32,
    )
    assert found.classify(batch).tolist() == [0, 1, 0, -1, -1]


@pytest.mark.parametrize("output", [("n", 1), ("n",), ()])
def test_one_score_without_a_threshold_is_refused(tmp_path: Path, output: tuple[Dim, ...]) -> None:
    with pytest.raises(ModelError, match=r"one number an input.*--threshold .*regressor"):
        opened(single(output), tmp_path)


def test_a_sigmoid_without_a_threshold_is_refused_with_the_hint(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ends in a sigmoid, so 0.5 would be usual"):
        opened(single(("n", 1), "Sigmoid"), tmp_path)


@pytest.mark.parametrize("output", [("n", 1), (), ("n",)])
def test_a_threshold_for_many_scores_is_refused_though_the_file_hides_them(
    tmp_path: Path, output: tuple[Dim, ...]
) -> None:
    proto = build([node("Relu", ["x"], "scores")], ("n", 4), output)
    if not output:
        proto.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError):
        opened(proto, tmp_path, threshold=0.5)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_8_bit_inputs_are_what_numpy_says(tmp_path: Path, kind: str) -> None:
    generator = np.random.default_rng(5)
    weights = {"w": generator.standard_normal((4, 3)).astype(np.float32)}
    made = [node("Cast", ["x"], "real", to=FLOAT), node("MatMul", ["real", "w"], "scores")]
    proto = build(made, ("n", 4), ("n", 3), weights)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.DataType.Value(kind.upper())
    declared = None if kind == "uint8" else "scale=255,mean=128"
    found = opened(proto, tmp_path, preprocess=declared)
    batch = (generator.standard_normal((200, 4)) * 0.7 + 0.5).astype(np.float32)
    levels = np.clip(np.floor(255 * batch.astype(np.float64) + 0.5), 0, 255)
    stored = (levels - (128 if kind == "int8" else 0)).astype(kind)
    expected = (stored.astype(np.float64) @ weights["w"]).argmax(axis=1)
    assert found.classify(batch).tolist() == expected.tolist()
    source = "argument" if declared else "input type uint8, which holds 0-255"
    assert found.facts["preprocess"]["source"] == source


def test_an_int8_input_without_preprocessing_is_refused(tmp_path: Path) -> None:
    proto = linear()
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
    with pytest.raises(UsageError, match="does not say what preprocessing its inputs need"):
        opened(proto, tmp_path, preprocess=None)


@pytest.mark.parametrize("shape", [(784,), (3, 8, 8)])
def test_a_model_without_a_batch_axis_runs_one_by_one(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    weights = {
        "w": np.random.default_rng(8).standard_normal((int(np.prod(shape)), 5)).astype(np.float32),
        "all": np.array([-1]),
    }
    made = [node("Reshape", ["x", "all"], "flat"), node("MatMul", ["flat", "w"], "scores")]
    found = opened(build(made, shape, (5,), weights), tmp_path)
    assert (found.shape, found.batch_size, found.num_classes) == (shape, 1, 5)
    batch = rows(7, *shape)
    expected = (batch.reshape(7, -1) @ weights["w"]).argmax(axis=1)
    assert found.classify(batch).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [("n", 28, 28), (1, 28, 28), ("n", 784, 1), ("h", 28, 28)])
def test_inputs_of_two_axes_are_taken(tmp_path: Path, shape: tuple[Dim, ...]) -> None:
    proto = linear(shape)
    found = opened(proto, tmp_path)
    assert (found.shape, found.layout, found.batch_size) == (shape[1:], None, None)
    batch = rows(7, *(d for d in shape[1:] if isinstance(d, int)))
    scores = original(linear(("n", *shape[1:])), "scores", batch)
    assert found.classify(batch).tolist() == np.argmax(scores, axis=1).tolist()


def test_a_declared_shape_fixes_open_axes(tmp_path: Path) -> None:
    made = [node("GlobalAveragePool", ["x"], "scores")]
    proto = build(made, ("n", 3, "h", "w"), ("n", 3, 1, 1))
    with pytest.raises(ModelError, match="--input-shape, such as 3,224,224"):
        opened(proto, tmp_path)
    found = opened(proto, tmp_path, input_shape=[3, 5, 4])
    assert (found.shape, found.layout) == ((3, 5, 4), "NCHW")
    batch = rows(16, 3, 5, 4)
    assert found.classify(batch).tolist() == batch.mean(axis=(2, 3)).argmax(axis=1).tolist()


def test_a_second_input_is_fed(tmp_path: Path) -> None:
    made = [
        node("MatMul", ["x", "w"], "open"),
        node("Where", ["flip", "minus", "one"], "sign"),
        node("Mul", ["open", "sign"], "scores"),
    ]
    weights = {
        "w": np.random.default_rng(8).standard_normal((4, 3)).astype(np.float32),
        "minus": np.array(-1, np.float32),
        "one": np.array(1, np.float32),
    }
    proto = build(made, ("n", 4), ("n", 3), weights)
    proto.graph.input.append(tensor("flip", TensorProto.BOOL, [1]))
    with pytest.raises(ModelError, match=r"takes 2 inputs .*'flip' bool \[1\].*--feed NAME=VALUE"):
        opened(proto, tmp_path)
    batch = rows(16, 4)
    for flip in (True, False):
        found = opened(proto, tmp_path, feeds={"flip": flip})
        scores = original(proto, "scores", batch, flip=np.array([flip]))
        assert found.classify(batch).tolist() == np.argmax(scores, axis=1).tolist()
        assert found.facts["feeds"] == {"flip": [flip]}
        assert found.facts["unused_inputs"] == []


def test_an_input_that_is_not_needed_is_left_out_and_named(tmp_path: Path) -> None:
    proto = linear(("n", 4))
    proto.graph.input.append(tensor("length", INT64, ["n"]))
    found = opened(proto, tmp_path)
    assert found.facts["unused_inputs"] == ["length"]
    batch = rows(16, 4)
    scores = original(linear(("n", 4)), "scores", batch)
    assert found.classify(batch).tolist() == np.argmax(scores, axis=1).tolist()


def test_onnx_s_metadata_are_taken(tmp_path: Path) -> None:
    metadata = {
        "Image.NominalPixelRange": "NominalRange_0_255",
        "Image.BitmapPixelFormat": "Bgr8",
    }
    found = opened(linear(("n", 3, 4, 4), metadata=metadata), tmp_path, preprocess=None)
    assert found.facts["preprocess"] == {
        "scale": 255.0,
        "mean": [0.0],
        "std": [1.0],
        "channels": "bgr",
        "source": "model metadata",
    }
    batch = rows(16, 3, 4, 4)
    ready = np.ascontiguousarray(255 * batch[:, ::-1])
    scores = original(linear(("n", 3, 4, 4)), "scores", ready)
    assert found.classify(batch).tolist() == np.argmax(scores, axis=1).tolist()


def test_resizing_and_cropping_are_handed_on(tmp_path: Path) -> None:
    found = opened(linear(("n", 3, 4, 4)), tmp_path, preprocess="imagenet,resize=8,crop=4")
    assert (found.geometry.resize, found.geometry.crop) == (8, (4, 4))
    assert found.geometry.interpolation == "bilinear"
    assert found.facts["preprocess"]["resize"] == 8
    assert found.geometry.center == "round"
    floored = "imagenet,resize=8,crop=4,center=floor"
    found = opened(linear(("n", 3, 4, 4)), tmp_path, preprocess=floored)
    assert found.geometry.center == found.facts["preprocess"]["center"] == "floor"


def test_a_freed_model_that_does_not_load_falls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening: Any = rsonnx.smoothing.load.__globals__["Session"]
    refused = []

    def strict(model: bytes, *rest: Any) -> Any:
        first = onnx.load_from_string(model).graph.input[0].type.tensor_type.shape.dim[0]
        if first.dim_param:
            refused.append(first.dim_param)
            raise ModelError("onnxruntime cannot load it")
        return opening(model, *rest)

    monkeypatch.setitem(rsonnx.smoothing.load.__globals__, "Session", strict)
    found = opened(linear((1, 1, 4, 4)), tmp_path)
    assert (found.batch_size, found.num_classes) == (1, 5)
    assert found.rows == "alone"
    assert refused
    batch = rows(9, 1, 4, 4)
    scores = original(linear(), "scores", batch)
    assert found.classify(batch).tolist() == np.argmax(scores, axis=1).tolist()
