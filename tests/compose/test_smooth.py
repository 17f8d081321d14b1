"""The smoothed classifier as one file: what it counts and answers, by plain onnxruntime."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper
from onnx_models import build, node

import rsonnx
from rsonnx.compose import check, consensus, serialized, smooth
from rsonnx.compose.deciding import decide
from rsonnx.compose.graph import Builder
from rsonnx.data import open_dataset
from rsonnx.errors import ModelError, RsonnxError, UsageError
from rsonnx.noise import Gaussian
from rsonnx.noise.exported import key_text, key_words
from rsonnx.procedures import predict_from_counts
from rsonnx.statistics import least_top_counts

SAMPLES = Path(__file__).parents[2] / "sample_models"
NONE: dict[str, Any] = {"preprocess": "none"}
KEY = 0x000102030405060708090A0B0C0D0E0F


def opened(model: onnx.ModelProto | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = model if isinstance(model, bytes) else serialized(model)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def asked(
    session: onnxruntime.InferenceSession, x: NDArray[np.uint8], key: int = KEY
) -> tuple[int, list[int]]:
    label, counts = session.run(["label", "counts"], {"input": x, "key": key_words(key)})
    return int(label), counts.tolist()


def three_classes(batch: int | str = "n", *, nan: bool = False) -> onnx.ModelProto:
    """Make a linear model of 12 values, which answers NaN where the first two sum below 0."""
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(size=(12, 3)).astype(np.float32)}
    nodes = [node("Reshape", ["x", "flat"], "rows"), node("MatMul", ["rows", "w"], "linear")]
    weights["flat"] = np.array([-1, 12])
    if nan:
        weights |= {"starts": np.array([0]), "ends": np.array([2]), "axes": np.array([1])}
        weights["zero"] = np.array([0], np.float32)
        nodes += [
            node("Slice", ["rows", "starts", "ends", "axes"], "two"),
            node("ReduceMean", ["two"], "mean", axes=[1], keepdims=1),
            node("Sqrt", ["mean"], "root"),
            node("Mul", ["root", "zero"], "nothing"),
            node("Add", ["linear", "nothing"], "scores"),
        ]
    else:
        nodes += [node("Identity", ["linear"], "scores")]
    return build(nodes, (batch, 1, 3, 4), (batch, 3), weights)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize(
    ("model", "n"),
    [(three_classes(), 1_001), (three_classes(1), 37), (three_classes(nan=True), 300)],
)
def test_counts_are_those_of_the_exported_generator(
    model: onnx.ModelProto, n: int, bounds: tuple[float, float]
) -> None:
    """On a size that is no multiple of 8, and n that are none of a chunk."""
    declared = NONE | {"bounds": bounds}
    sigma = 0.3 * (bounds[1] - bounds[0])
    session = opened(smooth(model, sigma=sigma, n=n, declared=declared))
    base = rsonnx.load(model, providers=["cpu"], **declared)
    smoothed = rsonnx.SmoothedClassifier(base, sigma)
    rng = np.random.default_rng(5)
    none = 0
    for _ in range(4):
        x = rng.integers(0, 256, (1, 3, 4)).astype(np.uint8)
        key = int.from_bytes(rng.bytes(16), "big")
        expected = smoothed.exported(key_text(key)).predict(x, n=n)
        label, counts = asked(session, x, key)
        assert counts == [*expected.counts, expected.counts.no_class]
        assert label == expected.label
        none += counts[-1]
    assert (none > 0) is ("Sqrt" in {node.op_type for node in model.graph.node})


def coupled() -> onnx.ModelProto:
    """Make a model whose rows are not independent, so that it runs on one at a time."""
    weights = {"w": np.random.default_rng(3).normal(size=(12, 3)).astype(np.float32)}
    nodes = [
        node("ReduceMax", ["x"], "most", axes=[0], keepdims=1),
        node("Mul", ["x", "most"], "scaled"),
        node("MatMul", ["scaled", "w"], "scores"),
    ]
    return build(nodes, ("n", 12), ("n", 3), weights)


def of_ml_alone() -> onnx.ModelProto:
    """Make a model that names no version of the default operator set."""
    rng = np.random.default_rng(3)
    classifier = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        coefficients=rng.normal(size=36).tolist(),
        intercepts=[0.0, 0.1, 0.0],
        classlabels_ints=[0, 1, 2],
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [classifier],
        "linear",
        [value("x", onnx.TensorProto.FLOAT, ["n", 12])],
        [
            value("label", onnx.TensorProto.INT64, ["n"]),
            value("scores", onnx.TensorProto.FLOAT, ["n", 3]),
        ],
    )
    opsets = [helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=3)


def consensus_of_three() -> onnx.ModelProto:
    """Make a model with an If of its own, whose branches read tensors outside."""
    rng = np.random.default_rng(4)
    members = [
        build(
            [node("MatMul", ["x", "w"], "scores")],
            ("n", 12),
            ("n", 3),
            {"w": rng.normal(size=(12, 3)).astype(np.float32)},
        )
        for _ in range(3)
    ]
    return consensus(*members, k=2, declared=NONE)


@pytest.mark.parametrize(
    ("model", "rows"),
    [(coupled(), "alone"), (of_ml_alone(), "proved"), (consensus_of_three(), "proved")],
)
def test_models_of_other_kinds_count_alike(model: onnx.ModelProto, rows: str) -> None:
    base = rsonnx.load(model, providers=["cpu"], **NONE)
    assert base.rows == rows
    session = opened(smooth(model, sigma=0.5, n=60, declared=NONE))
    x = np.arange(12, dtype=np.uint8) * 20
    expected = rsonnx.SmoothedClassifier(base, 0.5).exported(key_text(KEY)).predict(x, n=60)
    counts = [*expected.counts, expected.counts.no_class]
    assert asked(session, x) == (expected.label, counts)
    assert sum(count > 0 for count in counts) > 1


def test_chunks_change_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(12, dtype=np.uint8).reshape(1, 3, 4) * 21
    answers = set()
    for rows in (1, 7, 100, 256, 4_096):
        module = sys.modules["rsonnx.compose.smooth"]
        monkeypatch.setattr(module, "block_samples", {12: rows}.__getitem__)
        session = opened(smooth(three_classes(), sigma=0.5, n=300, declared=NONE))
        label, counts = asked(session, x)
        answers.add((label, *counts))
    assert len(answers) == 1


def test_two_keys_are_two_draws_and_one_key_is_one() -> None:
    session = opened(smooth(three_classes(), sigma=0.5, n=300, declared=NONE))
    x = np.full((1, 3, 4), 90, np.uint8)
    assert asked(session, x, 7) == asked(session, x, 7)
    words = [1 << 96, 1 << 64, 1 << 32, 1]  # each word of the key counts
    assert len({tuple(asked(session, x, word)[1]) for word in (0, *words)}) == 5


def test_fresh_keys_draw_independently_and_seldom_answer_another_class() -> None:
    """At an input whose class has p barely above 1/2, the worst case, of 600 queries of 100.

    False alarms: the share of class 1 is beyond 5 standard deviations once in 1.7 million; wrong
    answers, each with probability at most alpha / 2, are 6 beyond their mean once in 10^8.
    """
    weights = {"w": np.array([[-1, 1], [0, 0], [0, 0]], np.float32)}
    weights["b"] = np.array([0.5, -0.5], np.float32)
    model = build([node("Gemm", ["x", "w", "b"], "scores")], ("n", 3), ("n", 2), weights)
    alpha, queries, n = 0.2, 600, 100
    session = opened(smooth(model, sigma=0.5, n=n, alpha=alpha, declared=NONE))
    x = np.array([128, 0, 255], np.uint8)  # class 1 from level 128 on
    rng = np.random.default_rng(12)
    drawn = [asked(session, x, int.from_bytes(rng.bytes(16), "big")) for _ in range(queries)]
    thresholds = Gaussian(0.5).table(1 / 255)
    p = 1 - float(thresholds.high[-thresholds.minimum - 1]) / 2.0**64
    assert 0.5 < p < 0.502
    ones = sum(counts[1] for _, counts in drawn)
    assert abs(ones / (n * queries) - p) < 5 * (p * (1 - p) / (n * queries)) ** 0.5
    labels = [label for label, _ in drawn]
    mean = queries * alpha / 2
    assert labels.count(0) < mean + 6 * (mean * (1 - alpha / 2)) ** 0.5
    assert labels.count(1) > 0 < labels.count(-1)


# expected values: all 22 decisions with alpha, counts and answers, PREDICT's and PREDICT1's, of the
# shared half of `smoothed_export.json` (FIELD.md, J): integer arithmetic, in agreement with scipy.
DECISIONS: list[tuple[float, list[int], int, int]] = [
    (0.001, [43, 57], -1, -1),
    (0.001, [8, 92], 1, 1),
    (0.001, [0, 5, 95], 2, 2),
    (0.001, [2, 0, 63, 4, 1, 0, 14, 36, 0, 80], -1, -1),
    (0.001, [122, 0, 1, 4, 0, 29, 36, 1, 6, 1], 0, -1),
    (0.001, [263, 140, 234, 132, 231], -1, -1),
    (0.001, [11, 0], 0, 0),
    (0.001, [3, 8], -1, -1),
    (0.001, [9, 1], -1, -1),
    (0.001, [0, 18, 1, 31], -1, -1),
    (0.001, [1, 19, 18, 12], -1, -1),
    (0.01, [15, 85], 1, 1),
    (0.01, [15, 25, 60], 2, -1),
    (0.01, [1, 97, 2], 1, 1),
    (0.01, [12, 94, 0, 0, 0, 2, 26, 8, 9, 49], 1, -1),
    (0.01, [41, 39, 17, 608, 295], 3, 3),
    (0.01, [10, 0, 105, 162, 723], 4, 4),
    (0.01, [0, 11], 1, 1),
    (0.01, [8, 2], -1, -1),
    (0.01, [1, 9], -1, -1),
    (0.01, [29, 13, 0, 8], -1, -1),
    (0.001, [50, 50], -1, -1),
]


def answered(counts: list[int], n: int, alpha: float) -> int:
    """Return the label that the end of the graph gives counts of classes."""
    builder = Builder()
    decide(builder, "given", len(counts), least_top_counts(n, alpha))
    value = helper.make_tensor_value_info
    graph = builder.graph(
        "end",
        [value("given", onnx.TensorProto.INT64, [len(counts)])],
        [value("label", onnx.TensorProto.INT64, [])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return int(opened(model).run(None, {"given": np.array(counts)})[0])


@pytest.mark.parametrize(("alpha", "counts", "label", "by_majority"), DECISIONS)
def test_golden_decisions(alpha: float, counts: list[int], label: int, by_majority: int) -> None:
    assert answered(counts, sum(counts), alpha) == label
    assert predict_from_counts(counts, alpha=alpha).label == label
    assert predict_from_counts(counts, alpha=alpha, method="majority").label == by_majority


def test_decisions_are_predict_s_with_ties_and_answers_of_no_class() -> None:
    rng = np.random.default_rng(2)
    for _ in range(150):
        classes = int(rng.integers(1, 6))
        counts = rng.integers(0, rng.choice([2, 15, 120]), classes).tolist()
        no_class = int(rng.integers(0, rng.choice([2, 15, 120])))
        n = sum(counts) + no_class
        if n:
            expected = predict_from_counts(rsonnx.Counts(counts, no_class), alpha=0.01)
            assert answered(counts, n, 0.01) == expected.label


def test_the_file_is_the_same_however_its_settings_were_said_and_is_checked(
    tmp_path: Path,
) -> None:
    plain = three_classes()
    made = smooth(plain, sigma=0.25, n=50, declared=NONE | {"bounds": (0, 1)})
    assert serialized(made) == serialized(smooth(plain, sigma=0.25, n=50, declared=NONE))
    onnx.checker.check_model(made, full_check=True)
    base, deployed = tmp_path / "base.onnx", tmp_path / "deployed.onnx"
    onnx.save(plain, base)
    deployed.write_bytes(serialized(smooth(base, sigma=0.25, n=50, declared=NONE)))
    assert check(deployed, base).options == {"sigma": 0.25, "n": 50, "alpha": 0.001}

    def one_threshold_moved(model: onnx.ModelProto) -> None:
        table = next(t for t in model.graph.initializer if t.dims == [51])
        table.raw_data = (12).to_bytes(8, "little") + table.raw_data[8:]

    def another_n(model: onnx.ModelProto) -> None:
        entry = next(e for e in model.metadata_props if e.key == "rsonnx.composition")
        entry.value = entry.value.replace('"n": 50', '"n": 60')

    changes: list[Callable[[onnx.ModelProto], None]] = [one_threshold_moved, another_n]
    for change in changes:
        forged = onnx.load(deployed)
        change(forged)
        with pytest.raises(ModelError):
            check(serialized(forged), base)


@pytest.mark.parametrize(
    ("options", "declared"),
    [
        ({"sigma": 0}, NONE),
        ({"sigma": float("nan")}, NONE),
        ({"sigma": 1e6}, NONE),  # wider than the table
        ({"n": 10}, NONE),  # never answers
        ({"n": 100_001}, NONE),
        ({"alpha": 0}, NONE),
        ({}, {}),  # no preprocessing is declared
        ({}, NONE | {"bounds": (0, float("inf"))}),
        ({}, NONE | {"bounds": "auto"}),
    ],
)
def test_what_no_file_can_be_made_of_is_refused(
    options: dict[str, Any], declared: dict[str, Any]
) -> None:
    with pytest.raises(RsonnxError):
        smooth(three_classes(), **({"sigma": 0.5} | options), declared=declared)


def test_a_model_of_codes_is_refused() -> None:
    nodes = [node("Cast", ["x"], "real", to=1), node("MatMul", ["real", "w"], "scores")]
    model = build(nodes, ("n", 4), ("n", 3), {"w": np.ones((4, 3), np.float32)})
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    with pytest.raises((ModelError, UsageError), match="codes"):
        smooth(model, sigma=0.5, declared={"bounds": (0, 9)})


@pytest.mark.parametrize("inputs", [3, pytest.param(1_000, marks=pytest.mark.slow)])
def test_a_sample_model_counts_as_predict_does(inputs: int) -> None:
    """Of the model's own kind, on digits that are changed at random after the first 500."""
    model = SAMPLES / "mnist_gaussian_0.50.onnx"
    session = opened(smooth(model, sigma=0.5, n=1_000))
    smoothed = rsonnx.SmoothedClassifier(rsonnx.load(model, providers=["cpu"]), 0.5).exported()
    dataset = open_dataset(SAMPLES / "mnist_test_500")
    rng = np.random.default_rng(9)
    for at in range(inputs):
        x = dataset[at % 500].values.reshape(1, 28, 28).copy()
        if at >= 500:
            x[rng.random(x.shape) < 0.1] = 255
        expected = smoothed.predict(x, n=1_000, seed=4)
        label, counts = asked(session, x, int(expected.key or "", 16))
        assert (label, counts) == (expected.label, [*expected.counts, expected.counts.no_class])
