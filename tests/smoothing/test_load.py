"""What loading refuses, what it takes from arguments and metadata, and the facts it states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from against_evaluator import check_labels, one_by_one, opened, rows
from onnx import helper, numpy_helper
from onnx_models import build, echo, linear, node, save

from rsonnx.errors import ModelError, ProviderError, UsageError
from rsonnx.model import Preprocessing
from rsonnx.runtime import provider_problem
from rsonnx.smoothing import load


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


def test_nan_or_an_infinite_largest_score_is_label_minus_1(tmp_path: Path) -> None:
    found = opened(echo(3), tmp_path)
    batch = np.array([[1, 2, 3], [np.nan, 1, 0], [0, np.inf, 1], [-np.inf, 1, 2]], np.float32)
    assert found.classify(batch).tolist() == [2, -1, -1, 2]


def test_the_header_facts_say_what_was_found(tmp_path: Path) -> None:
    path = save(linear(opset=17), tmp_path, "net.onnx")
    facts = load(path, preprocess="none", providers="cpu").facts
    assert facts["file"] == "net.onnx"
    assert facts["opset"] == {"ai.onnx": 17}
    assert facts["input_shape"] == [1, 4, 4]
    assert facts["classes"] == 5
    assert "ties go to the lowest" in facts["label"]
    assert facts["bytes"] == path.stat().st_size
