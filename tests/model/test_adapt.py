from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import NUMPY, build, echo, linear, model_file, node

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import (
    INPUT,
    LABEL,
    SCORES,
    Batch,
    Preprocessing,
    adapt,
    find_input,
    find_output,
    parse_preprocessing,
)

OPSETS = [7, 9, 11, 13, 18, 21]
TOLERANCE = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-5}
"""Relative to the largest score: float16 has 11 bits, and a sum of 48 products in it loses a few;
preprocessing and inputs are float32 in all cases, whose sums differ by the order of addition."""


def run_adapted(
    proto: onnx.ModelProto,
    batch: NDArray[np.float32],
    preprocess: str | Preprocessing = "none",
    bounds: tuple[float, float] = (0.0, 1.0),
    *,
    batch_as: Batch = Batch.AS_FILED,
    **options: Any,
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    declared = parse_preprocessing(preprocess)
    model = model_file(proto)
    named = {k: options.pop(k) for k in ("name", "threshold") if k in options}
    output = find_output(model, **named)
    data = find_input(model, output, layout=declared.layout, **options)
    made = adapt(model, data, output, declared, bounds, batch_as)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    labels, scores = session.run([LABEL, SCORES], {INPUT: batch})
    return labels, scores


def reference(proto: onnx.ModelProto, batch: NDArray[Any]) -> NDArray[Any]:
    """Evaluate the original model, whose scores are brought to (rows, classes), elsewhere."""
    scores = ReferenceEvaluator(proto).run(None, {"x": batch})[0]
    return np.asarray(scores).reshape(len(batch), -1)


def pixels(
    shape: tuple[int, ...], bounds: tuple[float, float] = (0.0, 1.0), seed: int = 5
) -> NDArray[np.float32]:
    low, high = bounds
    unit = np.random.default_rng(seed).random((16, *shape))
    return (low + (high - low) * unit).astype(np.float32)


def check(
    labels: NDArray[np.int64], scores: NDArray[Any], expected: NDArray[Any], tolerance: float
) -> None:
    assert labels.dtype == np.int64
    assert labels.shape == (len(expected),)
    assert scores.shape == expected.shape
    margin = tolerance * np.abs(expected).max()
    np.testing.assert_allclose(scores, expected, rtol=0, atol=margin)
    two = np.sort(expected.astype(np.float64), axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 2 * margin
    assert clear.sum() >= len(expected) // 2  # else this test would show little
    np.testing.assert_array_equal(labels[clear], expected.argmax(axis=1)[clear])


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_labels_and_scores_are_those_of_the_original(opset: int, dtype: str) -> None:
    proto = linear(("n", 1, 4, 4), dtype=dtype, opset=opset)
    batch = pixels((1, 4, 4))
    labels, scores = run_adapted(proto, batch)
    assert scores.dtype == (np.float64 if dtype == "float64" else np.float32)
    check(labels, scores, reference(proto, batch.astype(NUMPY[dtype])), TOLERANCE[dtype])


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("tail", ["maps", "steps"])
def test_scores_with_axes_of_one_are_flattened(opset: int, tail: str) -> None:
    proto = linear(opset=opset, tail=tail)
    batch = pixels((1, 4, 4))
    labels, scores = run_adapted(proto, batch)
    check(labels, scores, reference(proto, batch), TOLERANCE["float32"])


MEAN, STD = np.array([0.1, 0.2, 0.4]), np.array([0.5, 0.25, 2.0])


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_preprocessing_is_what_numpy_says(
    bounds: tuple[float, float], layout: str, dtype: str
) -> None:
    shape = (3, 4, 4) if layout == "NCHW" else (4, 4, 3)
    channels = (3, 1, 1) if layout == "NCHW" else (1, 1, 3)
    proto = linear(("n", *shape), dtype=dtype)
    batch = pixels(shape, bounds)
    unit = (batch.astype(np.float64) - bounds[0]) / (bounds[1] - bounds[0])
    ready = (unit - MEAN.reshape(channels)) / STD.reshape(channels)
    expected = reference(proto, ready.astype(NUMPY[dtype]))
    labels, scores = run_adapted(proto, batch, "mean=0.1/0.2/0.4,std=0.5/0.25/2", bounds)
    check(labels, scores, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    ("declared", "affine"),
    [
        ("raw-255", lambda u: 255 * u),
        ("zero-one", lambda u: u),
        ("minus-one-one", lambda u: 2 * u - 1),
        ("scale=255,mean=104/117/124", lambda u: 255 * u - MEAN_255),
        ("std=0.5/0.25/2", lambda u: u / STD.reshape(3, 1, 1)),
        ("mean=0.1/0.2/0.4", lambda u: u - MEAN.reshape(3, 1, 1)),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_each_kind_of_preprocessing(opset: int, declared: str, affine: Any) -> None:
    proto = linear(("n", 3, 4, 4), opset=opset)
    batch = pixels((3, 4, 4))
    expected = reference(proto, affine(batch.astype(np.float64)).astype(np.float32))
    labels, scores = run_adapted(proto, batch, declared)
    check(labels, scores, expected, TOLERANCE["float32"])


MEAN_255 = np.array([104.0, 117.0, 124.0]).reshape(3, 1, 1)


def test_a_declared_layout_settles_an_ambiguous_shape() -> None:
    proto = linear(("n", 3, 3, 3))
    batch = pixels((3, 3, 3))
    for layout, channels in (("NCHW", (3, 1, 1)), ("NHWC", (1, 1, 3))):
        ready = (batch.astype(np.float64) - MEAN.reshape(channels)).astype(np.float32)
        labels, scores = run_adapted(proto, batch, f"mean=0.1/0.2/0.4,layout={layout}")
        check(labels, scores, reference(proto, ready), TOLERANCE["float32"])


def test_a_vector_takes_one_mean_and_std() -> None:
    proto = linear(("n", 16))
    batch = pixels((16,))
    labels, scores = run_adapted(proto, batch, "minus-one-one")
    check(labels, scores, reference(proto, 2 * batch - 1), TOLERANCE["float32"])


@pytest.mark.parametrize("ir_version", [3, 8])
def test_weights_listed_as_inputs_stay_weights(ir_version: int) -> None:
    proto = linear(("n", 3, 4, 4), opset=8, ir_version=ir_version, list_weights=True)
    batch = pixels((3, 4, 4))
    labels, scores = run_adapted(proto, batch, "minus-one-one")
    check(labels, scores, reference(proto, 2 * batch - 1), TOLERANCE["float32"])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("opset", OPSETS)
def test_ties_go_to_the_lowest_index(opset: int, dtype: str) -> None:
    rows = [[1, 1, 1], [0, 1, 1], [2, 1, 2], [0, 0, 1], [-1, -1, -2], [0, -0.0, 0]]
    labels, _ = run_adapted(echo(dtype=dtype, opset=opset), np.array(rows, np.float32))
    assert labels.tolist() == [0, 1, 0, 2, 0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("opset", OPSETS)
def test_a_score_that_is_not_finite_makes_an_answer_of_no_class(
    opset: int, dtype: str, bad: float
) -> None:
    """Row i has the bad score at position i; the last two rows have none."""
    rows = np.tile(np.array([3, 2, 1], np.float32), (5, 1))
    np.fill_diagonal(rows, bad)
    labels, scores = run_adapted(echo(dtype=dtype, opset=opset), rows)
    assert labels.tolist() == [-1, -1, -1, 0, 0]
    np.testing.assert_array_equal(scores, rows)


def test_opposite_infinities_and_huge_scores() -> None:
    huge = np.finfo(np.float32).max
    rows = [[np.inf, -np.inf, 0], [np.nan] * 3, [huge, huge, -huge], [-huge, huge, huge]]
    labels, _ = run_adapted(echo(), np.array(rows, np.float32))
    assert labels.tolist() == [-1, -1, 0, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_that_overflow_inside_the_model_are_no_class(dtype: str) -> None:
    """exp(1000) is infinite in both types, and inf - inf is NaN."""
    made = [
        node("Exp", ["x"], "e"),
        node("Sub", ["e", "e"], "z"),
        node("Add", ["x", "z"], "scores"),
    ]
    proto = build(made, ("n", 3), ("n", 3), dtype=dtype)
    rows = np.array([[1, 5, 2], [1, 1000, 2], [1000, 3, 2]], np.float32)
    assert run_adapted(proto, rows)[0].tolist() == [1, -1, -1]


def test_a_freed_batch_gives_the_same_answers() -> None:
    proto = linear((1, 1, 4, 4))
    batch = pixels((1, 4, 4))
    expected = np.concatenate([reference(proto, row[None]) for row in batch])
    labels, scores = run_adapted(proto, batch, batch_as=Batch.FREED)
    check(labels, scores, expected, TOLERANCE["float32"])
    with pytest.raises(Exception, match="invalid dimensions"):  # onnxruntime's own class
        run_adapted(proto, batch, batch_as=Batch.AS_FILED)


def test_the_original_is_not_changed() -> None:
    proto = linear((1, 3, 4, 4))
    before = proto.SerializeToString(deterministic=True)
    run_adapted(proto, pixels((3, 4, 4))[:1], "imagenet")
    assert proto.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("shape", "found"), [(("n", 16), "no channels"), (("n", 1, 4, 4), "1 channels")]
)
def test_three_means_need_three_channels(shape: tuple[Any, ...], found: str) -> None:
    with pytest.raises(UsageError, match=f"has 3 numbers for mean or std.*{found}; give one"):
        run_adapted(linear(shape), pixels(shape[1:]), "imagenet")


def test_preprocessing_needs_finite_bounds() -> None:
    with pytest.raises(UsageError, match="bounds are infinite; declare finite bounds, or none"):
        run_adapted(linear(), pixels((1, 4, 4)), "mnist", (-np.inf, np.inf))


@pytest.mark.parametrize("output", [("n", 4, 4, 4), ("n", 2, "h", "w"), ("n", 5, 1, 7)])
def test_outputs_that_are_no_vector_of_scores_are_refused(output: tuple[Any, ...]) -> None:
    proto = build([node("Identity", ["x"], "scores")], ("n", 4, 4, 4), output)
    with pytest.raises(ModelError, match=r"'scores' of model\.onnx has shape .*no classifier"):
        run_adapted(proto, pixels((4, 4, 4)))


@pytest.mark.parametrize(
    ("declared", "bounds"),
    [
        ("std=1e-300", (0.0, 1.0)),
        ("std=1e60", (0.0, 1.0)),
        ("mean=1e300", (0.0, 1.0)),
        ("scale=1e-60", (0.0, 1.0)),
        ("mnist", (0.0, 1e-320)),
    ],
)
def test_preprocessing_that_float32_cannot_hold_is_refused(
    declared: str, bounds: tuple[float, float]
) -> None:
    with pytest.raises(UsageError, match="which float32 cannot hold; correct its mean, std"):
        run_adapted(linear(), pixels((1, 4, 4)), declared, bounds)


@pytest.mark.parametrize("opset", [1, 6])
def test_old_operator_sets_are_refused(opset: int) -> None:
    with pytest.raises(ModelError, match=f"set {opset}, but at least 7.*version_converter"):
        run_adapted(linear(opset=opset), pixels((1, 4, 4)))


# 8-bit inputs: rounded half up and clipped.


def echo_of_bytes(kind: str, opset: int = 13) -> onnx.ModelProto:
    """Make a model of two scores: its one 8-bit input as a float, and 0."""
    made = [
        node("Cast", ["x"], "real", to=1),
        node("Mul", ["real", "to_two"], "scores"),
    ]
    weights = {"to_two": np.array([[1, 0]], np.float32)}
    proto = build(made, ("n", 1), ("n", 2), weights, opset=opset)
    proto.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DataType.Value(kind.upper())
    return proto


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    ("kind", "declared", "low"), [("uint8", "raw-255", 0), ("int8", "scale=255,mean=128", -128)]
)
def test_8_bit_inputs_are_rounded_and_clipped(
    opset: int, kind: str, declared: str, low: int
) -> None:
    levels = np.concatenate(
        [np.arange(-300, 600), np.arange(0, 256) + 0.25, [-1e6, 1e6, 0.49, -0.49, 255.4, 255.6]]
    )
    batch = (levels / 255).astype(np.float32)[:, None]
    _, scores = run_adapted(echo_of_bytes(kind, opset), batch, declared)
    expected = np.clip(np.floor(levels + 0.5), 0, 255) + low
    np.testing.assert_array_equal(scores[:, 0], expected)


def test_halves_are_rounded_up() -> None:
    halves = np.array([[-1.5], [-0.5], [0.5], [1.5], [2.5], [254.5], [127.5]], np.float32)
    _, scores = run_adapted(echo_of_bytes("uint8"), halves, "none", (0.0, 255.0))
    assert scores[:, 0].tolist() == [0, 0, 1, 2, 3, 255, 128]
    _, scores = run_adapted(echo_of_bytes("int8"), halves - 128, "none", (-128.0, 127.0))
    assert scores[:, 0].tolist() == [-128, -128, -127, -126, -125, 127, 0]


# Blue first.


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("opset", OPSETS)
def test_bgr_swaps_the_channels_before_mean_and_std(opset: int, layout: str) -> None:
    """Mean and std are in the model's own order, so the first belongs to blue."""
    axis = {"NCHW": 1, "NHWC": 3}[layout]
    shape = (3, 4, 5) if layout == "NCHW" else (4, 5, 3)
    channels = (3, 1, 1) if layout == "NCHW" else (1, 1, 3)
    proto = linear(("n", *shape), opset=opset)
    batch = pixels(shape)
    ready = (255 * np.flip(batch.astype(np.float64), axis) - MEAN_255.reshape(channels)) / (
        STD.reshape(channels)
    )
    expected = reference(proto, ready.astype(np.float32))
    declared = "scale=255,mean=104/117/124,std=0.5/0.25/2,channels=bgr"
    labels, scores = run_adapted(proto, batch, declared)
    check(labels, scores, expected, TOLERANCE["float32"])


def test_bgr_stands_beside_none() -> None:
    proto = linear(("n", 3, 4, 4))
    batch = pixels((3, 4, 4))
    expected = reference(proto, np.ascontiguousarray(batch[:, ::-1]))
    labels, scores = run_adapted(proto, batch, "none,channels=bgr")
    check(labels, scores, expected, TOLERANCE["float32"])


@pytest.mark.parametrize("shape", [("n", 1, 4, 4), ("n", 4, 4, 1), ("n", 12), ("n", 4, 4, 4)])
def test_bgr_needs_three_channels(shape: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match=r"says bgr, but an input of shape .* has no 3 channels"):
        run_adapted(linear(shape), pixels(shape[1:]), "none,channels=bgr")


# No batch axis.


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("shape", [(16,), (3, 4, 4), (1, 4, 4), (4, 4)])
def test_a_model_without_a_batch_axis_gets_one(opset: int, shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(8)
    size = int(np.prod(shape))
    weights = {"w": generator.standard_normal((size, 5)).astype(np.float32), "all": np.array([-1])}
    made = [node("Reshape", ["x", "all"], "flat"), node("MatMul", ["flat", "w"], "scores")]
    proto = build(made, shape, (5,), weights, opset=opset)
    batch = pixels(shape)
    expected = np.stack(
        [ReferenceEvaluator(proto).run(None, {"x": row})[0] for row in 2 * batch - 1]
    )
    found = [run_adapted(proto, row[None], "minus-one-one") for row in batch]
    labels, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    check(labels, scores, expected, TOLERANCE["float32"])


# One score.


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("output", [("n", 1), ("n",)])
def test_one_score_is_class_1_above_the_threshold(
    opset: int, dtype: str, output: tuple[str, ...]
) -> None:
    made = [node("Identity", ["x"], "scores")]
    weights: dict[str, NDArray[np.generic]] = {}
    if len(output) == 1:
        made = [node("Reshape", ["x", "all"], "scores")]
        weights["all"] = np.array([-1])
    proto = build(made, ("n", 1), output, weights, dtype=dtype, opset=opset)
    above = np.nextafter(np.array(0.25, NUMPY[dtype] if dtype == "float16" else np.float32), 1)
    rows = [[0.2], [0.25], [above], [1], [-1], [np.nan], [np.inf], [-np.inf]]
    labels, scores = run_adapted(proto, np.array(rows, np.float32), threshold=0.25)
    assert labels.tolist() == [0, 0, 1, 1, 0, -1, -1, -1]
    assert scores.shape == (8, 2)
    np.testing.assert_array_equal(scores[:5, 0], np.full(5, 0.25))


def test_a_feed_is_a_constant_of_the_rewritten_model() -> None:
    proto = linear()
    proto.graph.input.append(onnx.helper.make_tensor_value_info("t", onnx.TensorProto.FLOAT, [1]))
    proto.graph.node[-1].name = proto.graph.node[-1].output[0] = "open"
    proto.graph.node.append(node("Mul", ["open", "t"], "scores"))
    batch = pixels((1, 4, 4))
    expected = reference(linear(), batch)
    labels, scores = run_adapted(proto, batch, feeds={"t": -2.0})
    check(labels, scores, -2 * expected, TOLERANCE["float32"])


def test_what_the_answer_does_not_need_is_dropped() -> None:
    """Neither the other output nor its weights are kept."""
    proto = linear()
    proto.graph.node.append(node("Mul", ["flat", "many"], "features"))
    proto.graph.output.append(
        onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", 16])
    )
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(16, np.float32), "many"))
    model = model_file(proto)
    output = find_output(model, name="scores")
    data = find_input(model, output)
    made = onnx.load_from_string(adapt(model, data, output, parse_preprocessing("none"), (0, 1)))
    assert "features" not in {name for n in made.graph.node for name in n.output}
    assert "many" not in {t.name for t in made.graph.initializer}
    assert [o.name for o in made.graph.output] == [LABEL, SCORES]
    assert [i.name for i in made.graph.input] == [INPUT]
