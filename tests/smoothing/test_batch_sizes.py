"""In which batch size a loaded model runs: freed and proved, as the file fixes it, or 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_models import batch_mean, build, linear, model_file, node, save
from onnxruntime.quantization import QuantType, quantize_dynamic
from originals import check_labels, one_by_one, opened, rows

from rsonnx.errors import ModelError
from rsonnx.model import Batch, adapt, find_input, find_output, parse_preprocessing
from rsonnx.smoothing import load

RNG = np.random.default_rng(4)
W16 = RNG.standard_normal((16, 3)).astype(np.float32)


def reshaping(target: Sequence[int], batch: int | str = 1, **options: Any) -> onnx.ModelProto:
    """Make a classifier of 4x4 pixels with a hard-coded Reshape before its weights."""
    made = [
        node("Reshape", ["x", "target"], "shaped"),
        node("Flatten", ["shaped"], "flat"),
        node("MatMul", ["flat", "w"], "scores"),
    ]
    weights = {"target": np.array(target), "w": W16}
    return build(made, (batch, 1, 4, 4), (batch, 3), weights, **options)


def with_constant(how: str) -> onnx.ModelProto:
    proto = reshaping([1, 16])
    del proto.graph.initializer[0]
    value = numpy_helper.from_array(np.array([1, 16])) if how == "value" else [1, 16]
    proto.graph.node.insert(0, node("Constant", [], "target", **{how: value}))
    return proto


def bias_reshaped() -> onnx.ModelProto:
    """Make a model whose bias, 3 numbers, is brought to [1, 3]; [0, 3] would not do."""
    made = [
        node("Reshape", ["flat_bias", "row"], "bias"),
        node("MatMul", ["x", "w"], "product"),
        node("Add", ["product", "bias"], "scores"),
    ]
    bias = np.array([0.1, -0.2, 0.3], np.float32)
    return build(made, (1, 4), (1, 3), {"w": W16[:4], "flat_bias": bias, "row": np.array([1, -1])})


def folded() -> onnx.ModelProto:
    """Make a model whose computed [1, 16, -1] runs at any batch size, and then mixes the rows."""
    made = [
        node("Concat", ["one", "rest"], "target", axis=0),
        node("Reshape", ["x", "target"], "folded"),
        node("ReduceMean", ["folded"], "flat", axes=[2], keepdims=0),
        node("MatMul", ["flat", "w"], "scores"),
    ]
    weights = {"one": np.array([1]), "rest": np.array([16, -1]), "w": W16}
    return build(made, (1, 1, 4, 4), (1, 3), weights)


def turned() -> onnx.ModelProto:
    """Make a model of as many classes as rows, whose scores are turned on their side."""
    made = [
        node("Transpose", ["x"], "turned", perm=[1, 0]),
        node("Reshape", ["turned", "t"], "scores"),
    ]
    return build(made, (1, 8), (1, 8), {"t": np.array([-1, 8])})


def added_to(proto: onnx.ModelProto, values: Any) -> onnx.ModelProto:
    """Add numbers to the scores of a model."""
    proto.graph.node[-1].name = proto.graph.node[-1].output[0] = "open"
    proto.graph.node.append(node("Add", ["open", "more"], "scores"))
    more = np.asarray(values, np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(more, "more"))
    return proto


IMAGE = (1, 4, 4)
FREED = "any; the file's {} was freed"
KINDS: dict[str, tuple[onnx.ModelProto, tuple[int, ...], int | None, str]] = {
    "free": (linear(), IMAGE, None, "any; as the file declares"),
    "1": (linear((1, *IMAGE)), IMAGE, None, FREED.format(1)),
    "3": (linear((3, *IMAGE)), IMAGE, None, FREED.format(3)),
    # Before IR version 4 the weights are listed as inputs, and one without a use is refused.
    "a reshape of an old file": (
        reshaping([1, 16], opset=8, ir_version=3, list_weights=True), IMAGE, None, FREED.format(1)
    ),
    "a reshape by a Constant": (with_constant("value"), IMAGE, None, FREED.format(1)),
    "a reshape by its integers": (with_constant("value_ints"), IMAGE, None, FREED.format(1)),
    "a hard-coded reshape under a free batch": (reshaping([1, 16], "n"), IMAGE, 1, ""),
    "a reshape of weights": (bias_reshaped(), (4,), None, FREED.format(1)),
    "a reshape that folds the batch in silence": (folded(), IMAGE, 1, ""),
    "a fold that keeps the shape": (turned(), (8,), 1, ""),
    # A weight a place: zeros here, so that the places do not matter.
    "a weight a place": (added_to(linear((3, *IMAGE)), np.zeros((3, 5))), IMAGE, 3, ""),
} | {
    f"{[batch, *rest]}": (reshaping([batch, *rest], batch), IMAGE, None, FREED.format(batch))
    for batch in (1, 3, 8)
    for rest in ([16], [-1], [4, 4], [1, -1, 4], [16, 1])
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_freed_where_the_graph_proves_it(tmp_path: Path, kind: str) -> None:
    proto, shape, size, why = KINDS[kind]
    base = opened(proto, tmp_path)
    assert base.batch_size == size
    assert base.rows == ("proved" if size is None else "alone")
    assert why in base.facts["batch"]
    check_labels(base, proto, shape)
    assert len(base.classify(rows(128, *shape))) == 128


def test_a_loaded_model_says_what_it_takes(tmp_path: Path) -> None:
    base = opened(linear(), tmp_path)
    assert (base.num_classes, base.shape, base.layout) == (5, IMAGE, "NCHW")
    assert base.bounds == (0.0, 1.0)


def test_a_reshape_of_weights_stays_as_it_is() -> None:
    model = model_file(bias_reshaped())
    output = find_output(model)
    data = find_input(model, output)
    patched = adapt(model, data, output, parse_preprocessing("none"), (0, 1), Batch.PATCHED)
    reshape = next(n for n in onnx.load_from_string(patched).graph.node if n.output[0] == "bias")
    assert list(reshape.input) == ["flat_bias", "row"]


def test_a_dynamically_quantised_model_runs_alone(tmp_path: Path) -> None:
    filed = save(linear(("n", 16), 10), tmp_path, "float.onnx")
    target = tmp_path / "quantised.onnx"
    quantize_dynamic(filed, target, weight_type=QuantType.QInt8)
    proto = onnx.load(target)
    assert "DynamicQuantizeLinear" in {n.op_type for n in proto.graph.node}
    base = load(target, preprocess="none", providers=["cpu"])
    assert base.batch_size == 1
    assert "DynamicQuantizeLinear couples" in base.facts["batch"]
    scaled = rows(16, 16) * np.linspace(0.01, 1, 16, dtype=np.float32)[:, None]
    alone = [int(base.classify(row[None])[0]) for row in scaled]
    assert base.classify(scaled).tolist() == alone
    agreeing = np.mean(np.array(alone) == one_by_one(proto, scaled))
    assert agreeing >= 0.9  # two evaluators may round a quantised score to different steps


@pytest.mark.parametrize(
    ("proto", "size"),
    [
        (batch_mean(), 1),
        (batch_mean(3), 3),
        # A masked class, beside whose score the effect of the batch looks small, hides nothing.
        (added_to(batch_mean(classes=5), [0, 0, 0, 0, -1e9]), 1),
    ],
)
def test_a_mean_over_the_batch_is_of_copies(
    tmp_path: Path, proto: onnx.ModelProto, size: int
) -> None:
    """That is a function of one input, whatever is asked beside it."""
    base = opened(proto, tmp_path)
    assert (base.batch_size, base.rows) == (size, "alone")
    inputs = rows(20, *base.shape)
    alone = [int(base.classify(row[None])[0]) for row in inputs]
    assert base.classify(inputs).tolist() == alone


def test_copies_that_are_answered_by_their_place_are_refused(tmp_path: Path) -> None:
    places = np.arange(15, dtype=np.float32).reshape(3, 5)[:, ::-1] ** 2
    with pytest.raises(ModelError, match="place"):
        opened(added_to(linear((3, *IMAGE)), places), tmp_path)


def test_a_model_that_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx"):
        opened(reshaping([4, 16], "n"), tmp_path)
