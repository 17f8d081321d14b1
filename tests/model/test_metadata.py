"""What a model's own metadata declare: rsonnx's keys, then ONNX's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from declarations import written

from rsonnx.errors import ModelError
from rsonnx.model import PRESETS, Preprocessing, bounds_in, preprocessing_in


def test_metadata_that_say_nothing_give_none() -> None:
    assert preprocessing_in({"author": "me"}) is None
    assert bounds_in({"author": "me"}) is None


def test_metadata_may_name_a_preset_and_the_layout() -> None:
    assert preprocessing_in({"rsonnx.preprocess": '"mnist"'}) == PRESETS["mnist"]
    found = preprocessing_in({"rsonnx.preprocess": '"none"', "rsonnx.layout": "NHWC"})
    assert found == Preprocessing(identity=True, layout="NHWC")
    found = preprocessing_in({"rsonnx.preprocess": '{"scale": 255}', "rsonnx.layout": "NCHW"})
    assert found == Preprocessing(scale=255.0, layout="NCHW")


@pytest.mark.parametrize(
    "metadata",
    [
        {"rsonnx.preprocess": "mnist"},
        {"rsonnx.preprocess": "{"},
        {"rsonnx.preprocess": ""},
        {"rsonnx.preprocess": "7"},
        {"rsonnx.preprocess": "null"},
        {"rsonnx.preprocess": "[0.5]"},
        {"rsonnx.preprocess": '"nonsense"'},
        {"rsonnx.preprocess": '{"std": 0}'},
        {"rsonnx.preprocess": '{"mean": NaN}'},
        {"rsonnx.preprocess": "[" * 100_000},
        {"rsonnx.preprocess": '"mnist"', "rsonnx.layout": "CHW"},
        {"rsonnx.preprocess": '{"layout": "NHWC"}', "rsonnx.layout": "NCHW"},
    ],
    ids=lambda m: " ".join(v[:20] for v in m.values()),
)
def test_broken_metadata_are_refused_with_the_remedy(metadata: dict[str, str]) -> None:
    with pytest.raises(
        ModelError, match=r"'rsonnx\.preprocess' cannot be .*declare the preprocessing"
    ) as caught:
        preprocessing_in(metadata)
    assert caught.value.exit_code == 4


def test_bounds_are_read_from_metadata() -> None:
    assert bounds_in({"rsonnx.bounds": "[-1, 1.5]"}) == (-1.0, 1.5)


@pytest.mark.parametrize(
    "text", ["", "5", "[1]", "[0, 1, 2]", '["a", 1]', '"01"', '{"0": 1, "1": 2}', "[null, 1]"]
)
def test_broken_bounds_are_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ModelError, match=r"'rsonnx\.bounds'.*declare the bounds yourself"):
        bounds_in({"rsonnx.bounds": text})


@pytest.mark.parametrize(
    ("pixels", "order", "expected"),
    [
        ("NominalRange_0_255", None, PRESETS["raw-255"]),
        ("NominalRange_0_255", "Rgb8", PRESETS["raw-255"]),
        ("NominalRange_0_255", "Gray8", PRESETS["raw-255"]),
        ("NominalRange_0_255", "Bgr8", Preprocessing(scale=255.0, channels="bgr")),
        ("Normalized_0_1", "Bgra8", Preprocessing(channels="bgr")),
        ("Normalized_0_1", "Rgba8", PRESETS["zero-one"]),
        ("Normalized_1_1", "Rgb8", PRESETS["minus-one-one"]),
        ("Normalized_1_1", "Bgr8", replace(PRESETS["minus-one-one"], channels="bgr")),
        ("NominalRange_16_235", "Rgb8", None),
        ("", "Bgr8", None),
        (None, "Bgr8", None),
    ],
)
def test_onnx_s_own_metadata_are_understood(
    pixels: str | None, order: str | None, expected: Preprocessing | None
) -> None:
    metadata = {"Image.NominalPixelRange": pixels, "Image.BitmapPixelFormat": order}
    found = preprocessing_in({k: v for k, v in metadata.items() if v is not None})
    assert found == expected


def test_rsonnx_s_metadata_go_before_onnx_s_own() -> None:
    metadata = {"Image.NominalPixelRange": "Normalized_1_1", "rsonnx.preprocess": '"mnist"'}
    assert preprocessing_in(metadata) == PRESETS["mnist"]


@pytest.mark.parametrize("form", ["{}", '"{}"', '{{"mean": "{}"}}'])
def test_metadata_never_make_us_read_a_file(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, {"scale": 255})
    with pytest.raises(ModelError, match=r"'rsonnx\.preprocess' cannot be understood"):
        preprocessing_in({"rsonnx.preprocess": form.format(path)})
