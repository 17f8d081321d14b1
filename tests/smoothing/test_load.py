from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import batch_mean, build, echo, linear, model_file, node, save
from onnxruntime.quantization import QuantType, quantize_dynamic

from rsonnx.errors import ModelError, ProviderError, UsageError
from rsonnx.model import (
    Batch,
    Preprocessing,
    adapt,
    find_input,
    find_output,
    parse_preprocessing,
)
from rsonnx.runtime import OnnxClassifier, provider_problem
from rsonnx.smoothing import load


def opened(proto: onnx.ModelProto, folder: Path, **options: Any) -> OnnxClassifier:
    return load(save(proto, folder), **{"preprocess": "none", "providers": ["cpu"]} | options)


def rows(count: int, shape: tuple[int, ...], seed: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, *shape)).astype(np.float32)


def one_by_one(proto: onnx.ModelProto, batch: NDArray[np.float32]) -> list[int]:
    """Label each row alone, in the batch size that the file fixes, by onnx's own evaluator."""
    fixed = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    run = ReferenceEvaluator(proto).run
    scores = [run(None, {"x": np.repeat(row[None], fixed, axis=0)})[0][0] for row in batch]
    return [int(np.argmax(s)) for s in scores]


def check_labels(
    classifier: OnnxClassifier, proto: onnx.ModelProto, shape: tuple[int, ...]
) -> None:
    for count in (1, 2, 3, 4, 7):
        batch = rows(count, shape, seed=count)
        labels = classifier.classify(batch)
        assert labels.dtype == np.int64
        assert labels.tolist() == one_by_one(proto, batch)


def test_a_free_batch_may_have_any_size(tmp_path: Path) -> None:
    proto = linear()
    found = opened(proto, tmp_path)
    assert found.batch_size is None
    assert found.facts["batch"] == "any, as the file declares"
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
    assert "larger batches fail" in found.facts["batch"]
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
    assert found.batch_size == 1
    assert found.facts["batch"] == "1, as the file fixes it"
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
    assert found.batch_size == 3
    assert found.facts["batch"] == "3, as the file fixes it"
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


def test_a_mean_over_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx runs only at batch size 3.*batch size of 1"):
        opened(batch_mean(3), tmp_path)


def test_batch_normalisation_in_training_mode_is_refused(tmp_path: Path) -> None:
    """onnxruntime moves the running mean at every call; at this momentum too slowly to be seen."""
    ones = np.ones(4, np.float32)
    names = ["scale", "shift", "mean", "var"]
    made = helper.make_node(
        "BatchNormalization", ["x", *names], ["scores", "m", "v"], training_mode=1, momentum=0.99999
    )
    for batch in ("n", 1, 3):
        proto = build([made], (batch, 4), (batch, 4), dict.fromkeys(names, ones), opset=15)
        with pytest.raises(ModelError, match="BatchNormalization in training mode"):
            opened(proto, tmp_path)


def test_random_operators_are_refused(tmp_path: Path) -> None:
    made = [node("RandomNormalLike", ["x"], "r"), node("Add", ["x", "r"], "scores")]
    with pytest.raises(ModelError, match="random operator RandomNormalLike"):
        opened(build(made, ("n", 3), ("n", 3)), tmp_path)


@pytest.mark.parametrize("as_constant", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_dropout_counts_only_in_training_mode(
    tmp_path: Path, training: bool, as_constant: bool
) -> None:
    weights = {"ratio": np.array(0.5, np.float32)}
    before = []
    if as_constant:
        value = numpy_helper.from_array(np.array(training))
        before = [node("Constant", [], "mode", value=value)]
    else:
        weights["mode"] = np.array(training)
    made = [*before, node("Dropout", ["x", "ratio", "mode"], "scores")]
    proto = build(made, ("n", 3), ("n", 3), weights)
    if training:
        with pytest.raises(ModelError, match="Dropout in training mode"):
            opened(proto, tmp_path)
    else:
        check_labels(opened(proto, tmp_path), proto, (3,))


def test_custom_operators_are_refused(tmp_path: Path) -> None:
    proto = build(
        [node("Magic", ["x"], "scores", domain="my.ops")], ("n", 3), ("n", 3), domains=["my.ops"]
    )
    with pytest.raises(ModelError, match=r"custom operator my\.ops\.Magic"):
        opened(proto, tmp_path)


def test_an_operator_that_onnxruntime_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"onnxruntime cannot load .*model\.onnx"):
        opened(build([node("Magic", ["x"], "scores")], ("n", 3), ("n", 3)), tmp_path)


def test_one_score_an_input_needs_a_threshold(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is one number an input.*--threshold") as caught:
        opened(linear(classes=1), tmp_path)
    assert caught.value.exit_code == 4


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


def test_undeclared_preprocessing_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = save(linear(), tmp_path)
    with pytest.raises(
        UsageError, match=r"does not say what preprocessing .* declare one: none .*mean=.*std="
    ) as caught:
        load(path, providers="cpu")
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)


def test_what_the_metadata_declare_is_taken(tmp_path: Path) -> None:
    metadata = {"rsonnx.preprocess": '"minus-one-one"', "rsonnx.bounds": "[0, 255]"}
    found = opened(linear(metadata=metadata), tmp_path, preprocess=None)
    assert found.bounds == (0.0, 255.0)
    assert found.facts["preprocess"]["source"] == "model metadata"
    assert found.facts["bounds"]["source"] == "model metadata"
    batch = rows(7, (1, 4, 4))
    expected = one_by_one(linear(), 2 * batch - 1)
    assert found.classify(255 * batch).tolist() == expected


def test_an_argument_goes_before_the_metadata(tmp_path: Path) -> None:
    metadata = {"rsonnx.preprocess": '"raw-255"', "rsonnx.bounds": "[0, 255]"}
    declared = Preprocessing(identity=True)
    found = opened(linear(metadata=metadata), tmp_path, preprocess=declared, bounds=(-1, 1))
    assert found.bounds == (-1.0, 1.0)
    assert found.facts["preprocess"] == {"identity": True, "source": "argument"}
    check_labels(found, linear(), (1, 4, 4))


@pytest.mark.parametrize(
    "metadata", [{"rsonnx.preprocess": "mnist"}, {"rsonnx.bounds": "wide"}], ids=["pre", "bounds"]
)
def test_broken_metadata_are_refused_unless_an_argument_stands_in(
    tmp_path: Path, metadata: dict[str, str]
) -> None:
    path = save(linear(metadata=metadata), tmp_path)
    options: dict[str, Any] = {"providers": "cpu", "preprocess": "none", "bounds": (0, 1)}
    missing = "preprocess" if "rsonnx.preprocess" in metadata else "bounds"
    with pytest.raises(ModelError, match="yourself"):
        load(path, **options | {missing: None})
    assert load(path, **options).num_classes == 5


@pytest.mark.parametrize("bounds", [(1, 0), (0, 0), (0, np.nan), (1,), 5])
def test_bounds_must_be_two_ascending_numbers(tmp_path: Path, bounds: Any) -> None:
    with pytest.raises(UsageError, match="bounds are"):
        opened(linear(), tmp_path, bounds=bounds)


@pytest.mark.parametrize("providers", [None, [], "cpu", ["cpu"], ["CPUExecutionProvider"], ["CPU"]])
def test_the_processor_is_used_where_it_is_asked_for_or_all_there_is(
    tmp_path: Path, providers: Any
) -> None:
    if not providers and provider_problem("CUDAExecutionProvider") is None:
        pytest.skip("this machine has CUDA")
    found = opened(linear(), tmp_path, providers=providers)
    assert found.on_cpu
    assert found.facts["providers"]["used"] == ["CPUExecutionProvider"]


def test_an_unknown_provider_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'cdua' is not known; cpu, cuda") as caught:
        opened(linear(), tmp_path, providers=["cdua"])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("providers", ["cuda", ["CUDA"], ["CUDAExecutionProvider", "cpu"]])
def test_cuda_is_refused_where_it_does_not_work(tmp_path: Path, providers: Any) -> None:
    if provider_problem("CUDAExecutionProvider") is None:
        pytest.skip("this machine has CUDA")
    with pytest.raises(ProviderError, match=r"was asked for but does not work here.*cpu") as caught:
        opened(linear(), tmp_path, providers=providers)
    assert caught.value.exit_code == 4


def test_a_score_that_is_not_finite_is_label_minus_1(tmp_path: Path) -> None:
    found = opened(echo(3), tmp_path)
    batch = np.array([[1, 2, 3], [np.nan, 1, 0], [0, np.inf, 1], [-np.inf, 1, 2]], np.float32)
    assert found.classify(batch).tolist() == [2, -1, -1, -1]


def test_the_header_facts_say_what_was_found(tmp_path: Path) -> None:
    path = save(linear(opset=17), tmp_path, "net.onnx")
    facts = load(path, preprocess="none", providers="cpu").facts
    assert facts["file"] == "net.onnx"
    assert facts["opset"] == {"ai.onnx": 17}
    assert facts["input_shape"] == [1, 4, 4]
    assert facts["classes"] == 5
    assert "ties go to the lowest" in facts["label"]
    assert facts["bytes"] == path.stat().st_size
