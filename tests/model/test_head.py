"""The head in front of a model: preprocessing, rounding to 8 bits, blue first."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from adapted import OPSETS, TOLERANCE, check, pixels, reference, run_adapted
from onnx_models import NUMPY, build, linear, node

from rsonnx.errors import UsageError

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


@pytest.mark.parametrize(
    ("shape", "declared", "bounds", "named"),
    [
        *((shape, "imagenet", (0.0, 1.0), "3 numbers") for shape in (("n", 16), ("n", 1, 4, 4))),
        (("n", 1, 4, 4), "mnist", (-np.inf, np.inf), "bounds"),
        *((("n", 1, 4, 4), text, (0.0, 1.0), "float32") for text in ("std=1e-300", "std=1e60")),
        *((("n", 1, 4, 4), text, (0.0, 1.0), "float32") for text in ("mean=1e300", "scale=1e-60")),
        (("n", 1, 4, 4), "mnist", (0.0, 1e-320), "float32"),
        *((shape, "none,channels=bgr", (0.0, 1.0), "bgr") for shape in (("n", 1, 4, 4), ("n", 12))),
        *((("n", *s), "none,channels=bgr", (0.0, 1.0), "bgr") for s in ((4, 4, 1), (4, 4, 4))),
        # A flat input of no known channels takes one number.
        (("n", 60), "imagenet", (0.0, 1.0), "channels"),
        (("n", 64), "imagenet,layout=NCHW", (0.0, 1.0), "channels"),
    ],
)
def test_preprocessing_that_does_not_fit_is_refused(
    shape: tuple[Any, ...], declared: str, bounds: tuple[float, float], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        run_adapted(linear(shape), pixels(shape[1:]), declared, bounds)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("blue_first", [False, True])
def test_a_flat_input_has_the_channels_of_the_layout_that_was_flattened(
    layout: str, blue_first: bool
) -> None:
    """The image is prepared as one of three axes, and flattened behind that."""
    shape = (3, 4, 5) if layout == "NCHW" else (4, 5, 3)
    channels = (3, 1, 1) if layout == "NCHW" else (1, 1, 3)
    proto = linear(("n", 60))
    batch = pixels(shape)
    ordered = np.flip(batch, 1 if layout == "NCHW" else 3) if blue_first else batch
    ready = (ordered.astype(np.float64) - MEAN.reshape(channels)) / STD.reshape(channels)
    expected = reference(proto, ready.reshape(-1, 60).astype(np.float32))
    declared = f"mean=0.1/0.2/0.4,std=0.5/0.25/2,layout={layout}"
    if blue_first:
        declared += ",channels=bgr"
    labels, scores = run_adapted(proto, batch.reshape(-1, 60), declared)
    check(labels, scores, expected, TOLERANCE["float32"])


CARD = "mean=123.675/116.28/103.53,std=58.395/57.12/57.375"


@pytest.mark.parametrize(
    ("declared", "meant"),
    [
        (CARD, f"scale=255,{CARD}"),
        (f"{CARD},channels=bgr,layout=NCHW", f"scale=255,{CARD},layout=NCHW,channels=bgr"),
        ("mean=127.5,std=127.5", "scale=255,mean=127.5,std=127.5"),
        ("mean=485/0.456/0.406,std=0.2", None),
        ("scale=255,mean=300", None),
        ("mean=1.5,std=0.5", None),
        ("scale=255,mean=-104/-117/-123", "scale=255,mean=104/117/123,std=1"),
        ("mean=-0.485/-0.456/-0.406,std=0.25", "scale=1,mean=0.485/0.456/0.406,std=0.25"),
        ("scale=-1,mean=0.5", "scale=1,mean=0.5,std=1"),
        ("mean=-0.1/0.2/0.3", None),
        # Numbers of two units.
        ("mean=0.4/0.5/0.6,std=51/102/153", "scale=1,mean=0.4/0.5/0.6,std=0.2/0.4/0.6"),
        ("mean=0,std=1000", None),
        ("scale=255,mean=0.4/0.5/0.6,std=0.2", "scale=1,mean=0.4/0.5/0.6,std=0.2"),
        ("scale=0.00392156862745098", "scale=1,mean=0,std=1"),
        ("scale=0.0039216,mean=0", "scale=1,mean=0,std=1"),
        ("scale=0.02", None),
    ],
)
def test_numbers_that_no_pixel_comes_near_are_refused_with_what_is_meant(
    declared: str, meant: str | None
) -> None:
    proto, batch = linear(("n", 3, 4, 4)), pixels((3, 4, 4))
    with pytest.raises(UsageError) as caught:
        run_adapted(proto, batch, declared)
    assert ("probably meant" in str(caught.value)) is (meant is not None)
    if meant is not None:
        assert f"; {meant} is" in str(caught.value)
        run_adapted(proto, batch, meant)


def test_what_is_no_picture_may_be_divided_by_anything() -> None:
    run_adapted(linear(("n", 7)), np.full((1, 7), 0.5, np.float32), "mean=0,std=1000")


def test_a_mean_in_the_units_of_other_bounds_needs_their_width_as_the_scale() -> None:
    proto, batch = linear(("n", 1, 4, 4)), pixels((1, 4, 4), (0.0, 16.0))
    with pytest.raises(UsageError, match="scale=16,mean=8,std=4 is probably meant"):
        run_adapted(proto, batch, "mean=8,std=4", (0.0, 16.0))


@pytest.mark.parametrize(
    ("declared", "bounds"),
    [
        ("mean=0,std=1", (0.0, 1.0)),
        ("mean=1,std=-1", (0.0, 1.0)),  # 1 - u
        ("scale=-1,mean=-1", (0.0, 1.0)),  # the same
        ("scale=255,mean=255,std=-255", (0.0, 1.0)),
        ("scale=2,mean=1", (-1.0, 1.0)),
        ("minus-128", (0.0, 255.0)),
    ],
)
def test_a_mean_among_the_pixels_is_taken(declared: str, bounds: tuple[float, float]) -> None:
    run_adapted(linear(("n", 1, 4, 4)), pixels((1, 4, 4), bounds), declared, bounds)


def test_values_that_are_no_pixels_may_be_moved_upwards() -> None:
    """Degrees between -20 and 50 to kelvins: 70·u - 20 + 273.15."""
    batch = pixels((4,), (-20.0, 50.0))
    proto = linear(("n", 4))
    labels, scores = run_adapted(proto, batch, "scale=70,mean=-253.15", (-20.0, 50.0))
    expected = reference(proto, (batch.astype(np.float64) + 273.15).astype(np.float32))
    check(labels, scores, expected, TOLERANCE["float32"])


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
