"""In which batch size a loaded model runs: freed and proved, as the file fixes it, or 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from against_evaluator import check_labels, one_by_one, opened, rows
from onnx import numpy_helper
from onnx_models import batch_mean, build, linear, model_file, node, save
from onnxruntime.quantization import QuantType, quantize_dynamic

from rsonnx.errors import ModelError
from rsonnx.model import Batch, adapt, find_input, find_output, parse_preprocessing
from rsonnx.smoothing import load


def test_a_free_batch_may_have_any_size(tmp_path: Path) -> None:
    proto = linear()
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    assert found.facts["batch"] == "any; as the file declares"
    assert (found.num_classes, found.shape, found.layout) == (5, (1, 4, 4), "NCHW")
    assert found.bounds == (0.0, 1.0)
    check_labels(found, proto, (1, 4, 4))


def test_a_batch_of_1_is_freed(tmp_path: Path) -> None:
    proto = linear((1, 1, 4, 4))
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    assert found.facts["batch"] == "any; the file's 1 was freed"
    check_labels(found, proto, (1, 4, 4))


def reshaping(target: list[int], batch: int | str = 1, **options: Any) -> onnx.ModelProto:
    """Make a classifier of 4x4 pixels with a hard-coded Reshape before its weights."""
    weights = {
        "target": np.array(target),
        "w": np.random.default_rng(4).standard_normal((16, 3)).astype(np.float32),
    }
    made = [
        node("Reshape", ["x", "target"], "shaped"),
        node("Flatten", ["shaped"], "flat"),
        node("MatMul", ["flat", "w"], "scores"),
    ]
    return build(made, (batch, 1, 4, 4), (batch, 3), weights, **options)


ANY_PATCHED = "any; the file's {} was freed"


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("rest", [[16], [-1], [4, 4], [1, -1, 4], [16, 1]])
def test_a_hard_coded_reshape_is_patched_and_proved(
    tmp_path: Path, batch: int, rest: list[int]
) -> None:
    proto = reshaping([batch, *rest], batch)
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    assert found.facts["batch"] == ANY_PATCHED.format(batch)
    check_labels(found, proto, (1, 4, 4))
    assert len(found.classify(rows(128, (1, 4, 4)))) == 128


def test_a_reshape_of_an_old_file_is_patched(tmp_path: Path) -> None:
    """Before IR version 4 the weights are listed as inputs, and one without a use is refused."""
    proto = reshaping([1, 16], opset=8, ir_version=3, list_weights=True)
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    assert found.facts["batch"] == ANY_PATCHED.format(1)
    check_labels(found, proto, (1, 4, 4))


@pytest.mark.parametrize("how", ["value", "value_ints"])
def test_a_reshape_by_a_constant_node_is_patched(tmp_path: Path, how: str) -> None:
    proto = reshaping([1, 16])
    del proto.graph.initializer[0]
    value = numpy_helper.from_array(np.array([1, 16])) if how == "value" else [1, 16]
    proto.graph.node.insert(0, node("Constant", [], "target", **{how: value}))
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    check_labels(found, proto, (1, 4, 4))


def test_a_hard_coded_reshape_under_a_free_batch_falls_back_to_batch_1(tmp_path: Path) -> None:
    proto = reshaping([1, 16], "n")
    found = opened(proto, tmp_path)
    assert found.batch_size == 1
    assert found.rows == "alone"
    check_labels(found, proto, (1, 4, 4))


def test_a_reshape_of_weights_stays_as_it_is(tmp_path: Path) -> None:
    """The bias is stored as 3 numbers and brought to [1, 3]; [-1, 3] would do, [0, 3] would not."""
    weights = {
        "w": np.random.default_rng(4).standard_normal((4, 3)).astype(np.float32),
        "flat_bias": np.array([0.1, -0.2, 0.3], np.float32),
        "row": np.array([1, -1]),
    }
    made = [
        node("Reshape", ["flat_bias", "row"], "bias"),
        node("MatMul", ["x", "w"], "product"),
        node("Add", ["product", "bias"], "scores"),
    ]
    proto = build(made, (1, 4), (1, 3), weights)
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    check_labels(found, proto, (4,))
    model = model_file(proto)
    output = find_output(model)
    data = find_input(model, output)
    patched = adapt(model, data, output, parse_preprocessing("none"), (0, 1), Batch.PATCHED)
    reshape = next(n for n in onnx.load_from_string(patched).graph.node if n.output[0] == "bias")
    assert list(reshape.input) == ["flat_bias", "row"]


def test_a_reshape_that_folds_the_batch_in_silence_falls_back_to_batch_1(tmp_path: Path) -> None:
    """[1, 16, -1] runs at any batch size, and the mean behind it then mixes the rows.

    The shape is computed, so it is not patched.
    """
    weights = {
        "one": np.array([1]),
        "rest": np.array([16, -1]),
        "w": np.random.default_rng(4).standard_normal((16, 3)).astype(np.float32),
    }
    made = [
        node("Concat", ["one", "rest"], "target", axis=0),
        node("Reshape", ["x", "target"], "folded"),
        node("ReduceMean", ["folded"], "flat", axes=[2], keepdims=0),
        node("MatMul", ["flat", "w"], "scores"),
    ]
    proto = build(made, (1, 1, 4, 4), (1, 3), weights)
    found = opened(proto, tmp_path)
    assert (found.batch_size, found.rows) == (1, "alone")
    check_labels(found, proto, (1, 4, 4))


def test_a_fold_that_keeps_the_shape_falls_back_to_batch_1(tmp_path: Path) -> None:
    """With as many classes as rows, scores turned on their side have the expected shape."""
    made = [
        node("Transpose", ["x"], "turned", perm=[1, 0]),
        node("Reshape", ["turned", "t"], "scores"),
    ]
    proto = build(made, (1, 8), (1, 8), {"t": np.array([-1, 8])})
    found = opened(proto, tmp_path)
    assert found.batch_size == 1
    check_labels(found, proto, (8,))


def test_a_batch_of_3_is_freed_where_that_is_right(tmp_path: Path) -> None:
    proto = linear((3, 1, 4, 4))
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    check_labels(found, proto, (1, 4, 4))


def test_a_batch_of_3_is_kept_where_freeing_it_fails(tmp_path: Path) -> None:
    """A weight a place: zeros here, so that the places do not matter."""
    proto = linear((3, 1, 4, 4))
    proto.graph.node[-1].name = proto.graph.node[-1].output[0] = "open"
    proto.graph.node.append(node("Add", ["open", "places"], "scores"))
    zeros = np.zeros((3, 5), np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(zeros, "places"))
    found = opened(proto, tmp_path)
    assert (found.batch_size, found.rows) == (3, "alone")
    check_labels(found, proto, (1, 4, 4))


def test_a_dynamically_quantised_model_runs_alone(tmp_path: Path) -> None:
    filed = save(linear(("n", 16), 10), tmp_path, "float.onnx")
    target = tmp_path / "quantised.onnx"
    quantize_dynamic(filed, target, weight_type=QuantType.QInt8)
    proto = onnx.load(target)
    assert "DynamicQuantizeLinear" in {n.op_type for n in proto.graph.node}
    found = load(target, preprocess="none", providers=["cpu"])
    assert found.batch_size == 1
    assert "DynamicQuantizeLinear couples" in found.facts["batch"]
    scaled = rows(16, (16,)) * np.linspace(0.01, 1, 16, dtype=np.float32)[:, None]
    alone = [int(found.classify(row[None])[0]) for row in scaled]
    assert found.classify(scaled).tolist() == alone
    agreeing = np.mean(np.array(alone) == one_by_one(proto, scaled))
    assert agreeing >= 0.9  # two evaluators may round a quantised score to different steps


def test_a_mean_over_a_free_batch_means_batch_1(tmp_path: Path) -> None:
    found = opened(batch_mean(), tmp_path)
    assert found.batch_size == 1
    assert found.classify(rows(5, (4,))).tolist() == [0] * 5  # a row minus itself: ties


def test_a_mean_over_a_fixed_batch_is_of_copies(tmp_path: Path) -> None:
    """That is a function of one input, whatever is asked beside it."""
    found = opened(batch_mean(3), tmp_path)
    assert (found.batch_size, found.rows) == (3, "alone")
    inputs = rows(20, (4,))
    alone = [int(found.classify(row[None])[0]) for row in inputs]
    assert found.classify(inputs).tolist() == alone


def test_copies_that_are_answered_by_their_place_are_refused(tmp_path: Path) -> None:
    proto = linear((3, 1, 4, 4))
    proto.graph.node[-1].name = proto.graph.node[-1].output[0] = "open"
    proto.graph.node.append(node("Add", ["open", "places"], "scores"))
    places = np.arange(15, dtype=np.float32).reshape(3, 5)[:, ::-1] ** 2
    proto.graph.initializer.append(numpy_helper.from_array(places, "places"))
    with pytest.raises(ModelError) as caught:
        opened(proto, tmp_path)
    assert "place" in str(caught.value)


def test_a_model_that_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx does not run on inputs of shape") as caught:
        opened(reshaping([4, 16], "n"), tmp_path)
    assert caught.value.exit_code == 4


def test_a_masked_class_does_not_hide_coupling(tmp_path: Path) -> None:
    """The last score is always about -1e9, beside which the effect of the batch looks small."""
    proto = batch_mean(classes=5)
    proto.graph.node[-1].name = proto.graph.node[-1].output[0] = "open"
    mask = np.array([0, 0, 0, 0, -1e9], np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(mask, "mask"))
    proto.graph.node.append(node("Add", ["open", "mask"], "scores"))
    assert opened(proto, tmp_path).batch_size == 1
