"""The model that fools floating-point smoothing, and exact noise that is not fooled.

Jin et al. (arXiv 2205.10159) and Voráček & Hein (arXiv 2207.07209): the rounding of x + noise in
floating point tells a classifier where x was. This one answers class 1 iff (y - a) + a == y with
a = float32(210/255), which rounding makes true for every noisy version of x = 210/255 and for only
some of another input's.
"""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

import rsonnx

A = np.float32(210 / 255)
SIGMA = 0.25
TRUE_FLIP_DISTANCE = (210 - 48) / 255
"""At 48/255 the smoothed classifier answers 0 under float noise too (48,670 of 100,000)."""


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> rsonnx.SmoothedClassifier:
    """A one-pixel classifier: scores (0, 1) where (y - a) + a == y, else (1, 0)."""
    nodes = [
        helper.make_node("Sub", ["x", "a"], ["d"]),
        helper.make_node("Add", ["d", "a"], ["back"]),
        helper.make_node("Equal", ["back", "x"], ["same"]),
        helper.make_node("Cast", ["same"], ["one"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["unit", "one"], ["zero"]),
        helper.make_node("Concat", ["zero", "one"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "leak",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(np.array([A], np.float32), "a"),
            numpy_helper.from_array(np.ones(1, np.float32), "unit"),
        ],
    )
    path = tmp_path_factory.mktemp("leak") / "leak.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(model, path)
    return path


def certify(path: Path, x: object, **options: str) -> rsonnx.Certificate:
    base = rsonnx.load(path, preprocess="none", providers=["cpu"])
    smoothed = rsonnx.SmoothedClassifier(base, SIGMA, **options)  # type: ignore[arg-type]
    return smoothed.certify(np.asarray(x), n=100_000, alpha=0.001, seed=1)


def test_exact_noise_certifies_less_than_the_true_distance(leak: Path) -> None:
    cert = certify(leak, np.array([210], np.uint8))
    assert cert.arithmetic == "exact"
    assert cert.label == 1
    assert 0.4 < cert.radius < TRUE_FLIP_DISTANCE


def test_a_float_on_the_grid_is_treated_exactly_too(leak: Path) -> None:
    assert certify(leak, [210 / 255]) == certify(leak, np.array([210], np.uint8))


def test_plain_float32_smoothing_would_be_fooled(leak: Path) -> None:
    """What a loop without rsonnx does: float32 noise added to a float32 input."""
    base = rsonnx.load(leak, preprocess="none", providers=["cpu"])
    noise = np.random.default_rng(0).standard_normal((100_000, 1), np.float32) * np.float32(SIGMA)
    hits = {x: int(base.classify(np.float32(x / 255) + noise).sum()) for x in (210, 48)}
    assert hits[210] == 100_000
    radius = rsonnx.certify_from_counts([0, 100], [0, hits[210]], sigma=SIGMA).radius
    # Its radius is false: the class flips within it.
    assert radius > TRUE_FLIP_DISTANCE
    assert hits[48] < 50_000


def test_floating_point_certificates_are_marked(leak: Path) -> None:
    """rsonnx adds in float64 and rounds once, which leaks less; the mark stays all the same."""
    cert = certify(leak, [210 / 255], arithmetic="float")
    assert cert.arithmetic == "float"
    assert cert.radius < TRUE_FLIP_DISTANCE
