"""Denoisers and diffusion models in front of classifiers: as their rules written out in numpy."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import onnx
import pytest
from commands import command
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx_models import build, linear, node

import rsonnx
from rsonnx.compose import check, denoise, diffuse
from rsonnx.compose.schedules import read_schedule
from rsonnx.errors import ModelError, RsonnxError, UsageError

NONE: dict[str, Any] = {"preprocess": "none"}


def unet(
    matrix: NDArray[np.float32], time: str = "timestep", channels: int = 1, **options: Any
) -> onnx.ModelProto:
    """Make a model of images and a time that gives images times a matrix, plus time / 1000."""
    d = len(matrix)
    nodes = [
        node("MatMul", ["sample", "c"], "product"),
        node("Cast", [time], "float", to=TensorProto.FLOAT),
        node("Div", ["float", "thousand"], "share"),
        node("Add", ["product", "share"], "told"),
        helper.make_node("Concat", ["told"] * channels, ["noise"], axis=1),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "unet",
        [
            info("sample", TensorProto.FLOAT, ["n", d]),
            info(time, TensorProto.INT64, options.pop("time_shape", [])),
        ],
        [info("noise", TensorProto.FLOAT, ["n", channels * d])],
        [
            numpy_helper.from_array(np.asarray(matrix, np.float32), "c"),
            numpy_helper.from_array(np.float32(1000), "thousand"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def half_space(w: NDArray[np.float32], b: float) -> onnx.ModelProto:
    """Make a classifier of class 1 where w.x + b > 0."""
    weights = {"w": np.stack([0 * w, w], 1), "b": np.array([0, b], np.float32)}
    return build([node("Gemm", ["x", "w", "b"], "scores")], ("n", len(w)), ("n", 2), weights)


# Schedule, sigma, 16 C, 8 w, 8 b, 255 x, then p of class 1 and the exact radius: eps(x_t) = C x_t
# before a half-space is a half-space (`diffusion.json`, shared half, 18 digits; no clipping).
PIPELINES: list[tuple[Any, ...]] = [
    ("squaredcos_cap_v2", 4000, 0.25, [[4, -5, -4], [-3, -4, 4], [5, 1, -6]], [-7, -3, -1], 1,
     [127, 97, 82], 0.029540058610959136348, 0.47189916798103837),
    ("linear", 1000, 0.5, [[6, -6, 4, -3], [-3, -6, -5, 6], [4, -3, 4, -3], [0, -2, -4, -1]],
     [-8, -8, -8, 8], -1, [76, 103, 163, 179], 0.24942319442314397165, 0.338152996274782539),
]  # fmt: skip


@pytest.mark.parametrize("golden", PIPELINES)
def test_linear_pipelines_never_exceed_their_exact_radii(golden: Any) -> None:
    kind, steps, sigma, c, w, b, x, p, radius = golden
    schedule = {"beta_schedule": kind, "num_train_timesteps": steps, "clip_sample": False}
    # The golden model does not look at the time.
    model = unet(np.array(c, np.float32).T / 16)
    model.graph.node[3].input[1] = "zero"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "zero"))
    composed = diffuse(
        model,
        half_space(np.array(w, np.float32) / 8, b / 8),
        sigma=sigma,
        schedule=schedule,
        declared=NONE,
    )
    classifier = rsonnx.load(composed, providers=["cpu"])
    assert classifier.rows == "proved"
    smooth = rsonnx.SmoothedClassifier(classifier, sigma=sigma)
    for seed in range(3):
        made = smooth.certify(np.array(x, np.float32) / 255, n0=100, n=20_000, seed=seed)
        # 5 standard deviations: a false alarm in 1.7 million, 6 times.
        share = made.counts.estimation[1] / 20_000
        assert abs(share - p) < 5 * (p * (1 - p) / 20_000) ** 0.5
        assert made.label == 0
        # Above the exact one with odds of 0.001, 6 times.
        assert 0.9 * radius < made.radius <= radius
    assert sigma * NormalDist().inv_cdf(1 - p) == pytest.approx(radius, rel=1e-12)


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("clip", [False, True])
def test_one_step_of_diffusion_is_its_formula(prediction: str, clip: bool) -> None:
    schedule = {
        "prediction_type": prediction,
        "clip_sample": clip,
        "clip_sample_range": 0.75,
        "variance_type": "learned_range",
    }
    generator = np.random.default_rng(1)
    matrix = generator.standard_normal((4, 4)).astype(np.float32)
    classifier = linear(("n", 4), classes=3, seed=2)
    declared = {"preprocess": "mean=.5,std=.25", "bounds": (0, 1)}
    for shape in ([], [1], ["n"]):
        model = diffuse(
            unet(matrix, channels=2, time_shape=shape),
            classifier,
            sigma=0.3,
            schedule=schedule,
            declared=declared,
        )
        x = generator.random((7, 4)).astype(np.float32) * 2 - 0.5
        step = read_schedule(schedule).step(0.6)
        assert step is not None
        signal, noise = float(step.signal), float(step.noise)
        noisy = signal * (2 * x - 1)
        answer = noisy @ matrix + step.t / 1000
        image = {
            "epsilon": (noisy - noise * answer) / signal,
            "sample": answer,
            "v_prediction": signal * noisy - noise * answer,
        }[prediction]
        pixels = (np.clip(image, -0.75, 0.75) if clip else image) / 2 + 0.5
        weights = [numpy_helper.to_array(t) for t in classifier.graph.initializer]
        expected = (pixels - 0.5) / 0.25 @ weights[0] + weights[1]
        loaded = rsonnx.load(model, providers=["cpu"])
        assert loaded.rows == "proved"
        np.testing.assert_allclose(loaded.scores(x), expected, rtol=1e-3, atol=1e-4)


def convolution(shape: Any, metadata: dict[str, str] | None = None, **options: Any) -> Any:
    """Make a denoiser that mixes channels: a convolution of 1 x 1."""
    weight = np.random.default_rng(3).standard_normal((3, 3, 1, 1)).astype(np.float32)
    made = [node("Conv", ["x", "w"], "denoised")]
    return build(made, shape, shape, {"w": weight}, output_name="denoised", metadata=metadata,
                 **options)  # fmt: skip


@pytest.mark.parametrize("ends", [(0, 1), (-1, 1)])
def test_each_part_keeps_its_preprocessing_layout_and_operator_set(ends: tuple[int, int]) -> None:
    declared = {"preprocess": "scale=255,mean=10,std=20,layout=NHWC", "bounds": (0, 1)}
    classifier = linear(("n", 6, 5, 3), seed=2, opset=17)
    x = np.random.default_rng(4).random((9, 3, 6, 5)).astype(np.float32)
    weights = [numpy_helper.to_array(t) for t in classifier.graph.initializer]
    for shape in (("n", 3, 6, 5), ("n", 3, "h", "w"), (1, 3, 6, 5)):
        denoiser = convolution(shape, opset=11)
        weight = numpy_helper.to_array(denoiser.graph.initializer[0])[:, :, 0, 0]
        model = denoise(denoiser, classifier, range=ends, declared=declared)
        inside = x * (ends[1] - ends[0]) + ends[0]
        mixed = np.einsum("oc,nchw->nohw", weight, inside)
        pixels = ((mixed - ends[0]) / (ends[1] - ends[0])).transpose(0, 2, 3, 1)
        expected = ((255 * pixels - 10) / 20).reshape(9, -1) @ weights[0] + weights[1]
        loaded = rsonnx.load(model, providers=["cpu"])
        assert (loaded.shape, loaded.layout, loaded.rows) == ((3, 6, 5), "NCHW", "proved")
        assert loaded.batch_size is None
        np.testing.assert_allclose(loaded.scores(x), expected, rtol=1e-3, atol=1e-2)


def test_group_norm_and_a_time_embedding_are_proved() -> None:
    """As torch exports a U-Net: groups by reshape, the time broadcast over rows."""
    nodes = [
        node("Cast", ["t"], "time", to=TensorProto.FLOAT),
        node("Unsqueeze", ["time", "last"], "column"),
        node("MatMul", ["column", "rates"], "angles"),
        node("Sin", ["angles"], "waves"),
        node("Unsqueeze", ["waves", "sides"], "added"),
        node("Conv", ["sample", "w"], "convolved", pads=[1, 1, 1, 1]),
        node("Add", ["convolved", "added"], "told"),
        node("Reshape", ["told", "groups"], "grouped"),
        node("InstanceNormalization", ["grouped", "ones", "zeros"], "normal"),
        node("Shape", ["told"], "sizes"),
        node("Reshape", ["normal", "sizes"], "maps"),
        node("Conv", ["maps", "v"], "noise", pads=[1, 1, 1, 1]),
    ]
    generator = np.random.default_rng(5)
    weights: dict[str, NDArray[Any]] = {
        "last": np.array([1]),
        "sides": np.array([2, 3]),
        "rates": generator.random((1, 4)).astype(np.float32),
        "w": generator.standard_normal((4, 1, 3, 3)).astype(np.float32),
        "v": generator.standard_normal((1, 4, 3, 3)).astype(np.float32),
        "groups": np.array([0, 2, -1]),
        "ones": np.ones(2, np.float32),
        "zeros": np.zeros(2, np.float32),
    }
    info = helper.make_tensor_value_info
    shape = ["n", 1, 4, 4]
    graph = helper.make_graph(
        nodes,
        "unet",
        [info("sample", TensorProto.FLOAT, shape), info("t", TensorProto.INT64, ["n"])],
        [info("noise", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    composed = diffuse(model, linear(), sigma=0.25, schedule="cosine-100", declared=NONE)
    assert rsonnx.load(composed, providers=["cpu"]).rows == "proved"


def test_a_label_stays_the_label_and_what_is_no_class_is_none() -> None:
    labels = build(
        [
            node("Gemm", ["x", "w"], "product"),
            node("Neg", ["product"], "turned"),
            node("ArgMax", ["turned"], "label", axis=1, keepdims=0),
        ],
        ("n", 3),
        ("n",),
        {"w": np.eye(3, dtype=np.float32)},
        output_name="label",
    )
    labels.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    root = build([node("Sqrt", ["x"], "denoised")], ("n", 3), ("n", 3), output_name="denoised")
    x = np.array([[4, 1, 9], [1, 0, 0], [-1, 1, 1]], np.float32)
    composed = denoise(root, labels, range=(0, 1), declared=NONE)
    assert rsonnx.load(composed, providers=["cpu"]).classify(x)[:2].tolist() == [1, 1]
    scored = half_space(np.array([1, -2, 0], np.float32), 0)
    composed = denoise(root, scored, range=(0, 1), declared=NONE)
    assert rsonnx.load(composed, providers=["cpu"]).classify(x).tolist() == [0, 1, -1]


def squashing(operator: str) -> onnx.ModelProto:
    """Make a denoiser that ends in an operator."""
    shape = ("n", 3, 6, 5)
    return build([node(operator, ["x"], "denoised")], shape, shape, output_name="denoised")


CLASSIFIER = linear(("n", 3, 6, 5), seed=2)
PLAIN = convolution(("n", 3, 6, 5))
EYE = np.eye(90, dtype=np.float32)
FLAT = linear(("n", 90), seed=2)


@pytest.mark.parametrize(
    ("front", "classifier", "options", "named"),
    [
        (PLAIN, CLASSIFIER, {}, "0,1"),
        (PLAIN, CLASSIFIER, {"range": (0, 255)}, "255"),
        (convolution(("n", 3, 6, 5), {"rsonnx.bounds": "[0, 1]"}), CLASSIFIER,
         {"range": (-1, 1)}, "metadata"),
        (convolution(("n", 3, 6, 5), {"rsonnx.bounds": "[0, 255]"}), CLASSIFIER, {}, "255"),
        (convolution(("n", 3, 6, 5), {"rsonnx.bounds": "[0, 255]"}), CLASSIFIER,
         {"range": (0, 1)}, "255.*export"),
        (convolution(("n", 3, 6, 5), {"rsonnx.bounds": "none"}), CLASSIFIER, {}, "model given"),
        (squashing("Tanh"), CLASSIFIER, {"range": (0, 1)}, "Tanh"),
        (squashing("Sigmoid"), CLASSIFIER, {"range": (-1, 1)}, "Sigmoid"),
        (CLASSIFIER, PLAIN, {"range": (0, 1)}, "first"),
        (CLASSIFIER, CLASSIFIER, {"range": (0, 1)}, "first"),
        (convolution(("n", 3, 4, 4)), CLASSIFIER, {"range": (0, 1)}, "values"),
        (convolution((2, 3, 6, 5)), CLASSIFIER, {"range": (0, 1)}, "batch"),
        (unet(EYE), FLAT, {"range": (0, 1)}, "diffuse"),
    ],
)  # fmt: skip
def test_denoisers_that_do_not_fit_are_refused(
    front: Any, classifier: Any, options: Any, named: str
) -> None:
    with pytest.raises((UsageError, ModelError), match=named) as refused:
        denoise(front, classifier, declared=NONE, **options)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("front", "options", "named"),
    [
        (unet(EYE, time="steps"), {}, "--time-input"),
        (FLAT, {}, "time step"),
        (unet(EYE, channels=2), {}, "variance_type"),
        (unet(EYE), {"sigma": 200}, "smaller"),
        (unet(EYE), {"sigma": 0}, "above 0"),
        (unet(EYE), {"schedule": "cosine"}, "cosine-4000"),
        (unet(EYE), {"time_input": "t"}, "--time-input"),
    ],
)
def test_diffusion_models_that_do_not_fit_are_refused(front: Any, options: Any, named: str) -> None:
    options = {"sigma": 0.5, "schedule": "linear-1000"} | options
    with pytest.raises((UsageError, ModelError), match=named):
        diffuse(front, FLAT, declared=NONE, **options)
    if "steps" in [value.name for value in front.graph.input]:
        diffuse(front, FLAT, declared=NONE, **options, time_input="steps")


@pytest.mark.usefixtures("children")
def test_the_command_line_composes_and_checks(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.onnx" for name in ("d", "u", "c", "flat")}
    for path, model in zip(files.values(), (PLAIN, unet(EYE), CLASSIFIER, FLAT), strict=True):
        path.write_bytes(model.SerializeToString())
    schedule = tmp_path / "scheduler_config.json"
    schedule.write_text(json.dumps({"clip_sample": False}))
    denoised, diffused = tmp_path / "denoised.onnx", tmp_path / "diffused.onnx"
    words = ["compose denoise", files["d"], files["c"], "-o", denoised, "--preprocess", "none"]
    assert command(*words).code == 2
    assert not denoised.exists()
    done = command(*words, "--range", "-1,1")
    assert done.code == 0, done.said
    assert "denoiser d.onnx before classifier c.onnx" in done.said
    words = ["compose diffuse", files["u"], files["flat"], "-o", diffused, "--preprocess", "none"]
    done = command(*words, "--sigma", 0.5, "--schedule", schedule)
    assert done.code == 0, done.said
    schedule.unlink()  # what matters of it stands in the composed file
    assert command("compose check", denoised, files["d"], files["c"]).code == 0
    assert command("compose check", diffused, files["u"], files["flat"]).code == 0
    assert command("compose check", diffused, files["flat"], files["u"]).code == 4
    with pytest.raises(RsonnxError):
        check(denoised, files["c"], files["c"])
