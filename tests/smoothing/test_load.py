"""What loading refuses, what it takes from arguments and metadata, and the facts it states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_models import build, echo, linear, node, save
from originals import check_labels, one_by_one, opened, rows

from rsonnx.errors import ModelError, ProviderError, UsageError
from rsonnx.model import Preprocessing
from rsonnx.runtime import provider_problem
from rsonnx.smoothing import load


def normalisation(batch: int | str) -> onnx.ModelProto:
    """Normalise in training mode: onnxruntime moves the running mean at every call; at this
    momentum too slowly to be seen."""
    names = ["scale", "shift", "mean", "var"]
    made = helper.make_node(
        "BatchNormalization", ["x", *names], ["scores", "m", "v"], training_mode=1, momentum=0.99999
    )
    weights = dict.fromkeys(names, np.ones(4, np.float32))
    return build([made], (batch, 4), (batch, 4), weights, opset=15)


def of(*made: onnx.NodeProto, **options: Any) -> onnx.ModelProto:
    return build(made, ("n", 3), ("n", 3), **options)


@pytest.mark.parametrize(
    ("proto", "named"),
    [
        *((normalisation(batch), "BatchNormalization") for batch in ("n", 1, 3)),
        (of(node("RandomNormalLike", ["x"], "r"), node("Add", ["x", "r"], "scores")), "RandomNorm"),
        (of(node("Magic", ["x"], "scores", domain="my"), domains=["my"]), r"my\.Magic"),
        (of(node("Magic", ["x"], "scores")), "onnxruntime"),  # which does not know it
        (linear(classes=1), "--threshold"),
    ],
)
def test_what_is_no_function_of_one_input_is_refused(
    tmp_path: Path, proto: onnx.ModelProto, named: str
) -> None:
    with pytest.raises(ModelError, match=named) as caught:
        opened(proto, tmp_path)
    assert "model.onnx" in str(caught.value)


@pytest.mark.parametrize("as_constant", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_dropout_counts_only_in_training_mode(
    tmp_path: Path, training: bool, as_constant: bool
) -> None:
    mode, weights = np.array(training), {"ratio": np.array(0.5, np.float32)}
    made = [node("Dropout", ["x", "ratio", "mode"], "scores")]
    if as_constant:
        made.insert(0, node("Constant", [], "mode", value=numpy_helper.from_array(mode)))
    proto = of(*made, weights=weights if as_constant else weights | {"mode": mode})
    if training:
        with pytest.raises(ModelError, match="Dropout"):
            opened(proto, tmp_path)
    else:
        check_labels(opened(proto, tmp_path), proto, (3,))


def test_what_is_no_model_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="function"):
        load(lambda batch: batch)  # type: ignore[arg-type]


def test_undeclared_preprocessing_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = save(linear(), tmp_path)
    with pytest.raises(UsageError, match=r"none, .*mean=.*std=") as caught:
        load(path, providers="cpu")
    assert str(path) in str(caught.value)


def test_what_the_metadata_declare_is_taken(tmp_path: Path) -> None:
    metadata = {"rsonnx.preprocess": '"minus-one-one"', "rsonnx.bounds": "[0, 255]"}
    base = opened(linear(metadata=metadata), tmp_path, preprocess=None)
    assert base.bounds == (0.0, 255.0)
    assert base.facts["preprocess"]["source"] == "model metadata"
    assert base.facts["bounds"]["source"] == "model metadata"
    batch = rows(7, 1, 4, 4)
    assert base.classify(255 * batch).tolist() == one_by_one(linear(), 2 * batch - 1)


def test_an_argument_goes_before_the_metadata(tmp_path: Path) -> None:
    metadata = {"rsonnx.preprocess": '"raw-255"', "rsonnx.bounds": "[0, 255]"}
    declared = Preprocessing(identity=True)
    base = opened(linear(metadata=metadata), tmp_path, preprocess=declared, bounds=(-1, 1))
    assert base.bounds == (-1.0, 1.0)
    assert base.facts["preprocess"] == {"identity": True, "source": "argument"}
    check_labels(base, linear(), (1, 4, 4))


@pytest.mark.parametrize("broken", [{"rsonnx.preprocess": "mnist"}, {"rsonnx.bounds": "wide"}])
def test_broken_metadata_are_refused_unless_an_argument_stands_in(
    tmp_path: Path, broken: dict[str, str]
) -> None:
    options: dict[str, Any] = {"preprocess": "none", "bounds": (0, 1)}
    (missing,) = (name.removeprefix("rsonnx.") for name in broken)
    with pytest.raises(ModelError, match="yourself"):
        opened(linear(metadata=broken), tmp_path, **options | {missing: None})
    assert opened(linear(metadata=broken), tmp_path, **options).num_classes == 5


@pytest.mark.parametrize("bounds", [(1, 0), (0, 0), (0, np.nan), (1,), 5])
def test_bounds_must_be_two_ascending_numbers(tmp_path: Path, bounds: Any) -> None:
    with pytest.raises(UsageError, match="bounds are"):
        opened(linear(), tmp_path, bounds=bounds)


@pytest.mark.parametrize("providers", [None, [], "cpu", ["cpu"]])
def test_the_processor_is_used_where_it_is_asked_for_or_all_there_is(
    tmp_path: Path, providers: Any
) -> None:
    if provider_problem("CUDAExecutionProvider") is None:
        pytest.skip("this machine has CUDA")
    base = opened(linear(), tmp_path, providers=providers)
    assert base.on_cpu
    assert base.facts["providers"]["used"] == ["CPUExecutionProvider"]
    with pytest.raises(ProviderError, match="'cuda'"):
        opened(linear(), tmp_path, providers="cuda")


def test_nan_or_an_infinite_largest_score_is_label_minus_1(tmp_path: Path) -> None:
    batch = np.array([[1, 2, 3], [np.nan, 1, 0], [0, np.inf, 1], [-np.inf, 1, 2]], np.float32)
    assert opened(echo(3), tmp_path).classify(batch).tolist() == [2, -1, -1, 2]


def test_the_header_facts_say_what_was_found(tmp_path: Path) -> None:
    path = save(linear(opset=17), tmp_path, "net.onnx")
    facts = load(path, preprocess="none", providers="cpu").facts
    assert facts["file"] == "net.onnx"
    assert facts["opset"] == {"ai.onnx": 17}
    assert facts["input_shape"] == [1, 4, 4]
    assert facts["classes"] == 5
    assert "ties go to the lowest" in facts["label"]
    assert facts["bytes"] == path.stat().st_size
