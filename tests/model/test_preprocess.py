"""Preprocessing declared by presets, texts, mappings and a model's metadata, and its record."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from declarations import declarations, written
from hypothesis import given

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import PRESETS, Preprocessing, bounds_in, parse_preprocessing, preprocessing_in


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_known_by_its_name(name: str) -> None:
    assert parse_preprocessing(name) == PRESETS[name]


def test_the_presets_hold_the_published_numbers() -> None:
    assert PRESETS["imagenet"].mean == (0.485, 0.456, 0.406)  # torchvision's models
    assert PRESETS["imagenet"].std == (0.229, 0.224, 0.225)
    assert PRESETS["none"].identity
    assert not PRESETS["zero-one"].identity
    assert PRESETS["raw-255"].scale == 255.0
    assert PRESETS["cifar10-kuangliu"].std == (0.2023, 0.1994, 0.2010)
    assert PRESETS["cifar10-kuangliu"].mean == PRESETS["cifar10"].mean
    caffe, vgg = PRESETS["caffe"], PRESETS["vgg"]
    assert (caffe.mean, caffe.scale, caffe.channels) == ((104.0, 117.0, 123.0), 255.0, "bgr")
    assert (vgg.mean, vgg.scale, vgg.channels) == ((123.68, 116.78, 103.94), 255.0, "rgb")


EVERY_KEY = Preprocessing(
    (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 2.0, "NHWC", "bgr", (20, 30), (10, 12),
    "hamming", "floor",
)  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "meant"),
    [
        ("mean=0.1/0.2/0.3, std = 0.5 ,scale=255,layout=NHWC",
         Preprocessing((0.1, 0.2, 0.3), (0.5,), 255.0, "NHWC")),
        ({"mean": [0.1, 0.2], "std": 2, "layout": "NCHW"},
         Preprocessing((0.1, 0.2), (2.0,), 1.0, "NCHW")),
        (Preprocessing(scale=7.0), Preprocessing(scale=7.0)),
        ("imagenet,resize=256,crop=224", replace(PRESETS["imagenet"], resize=256, crop=(224, 224))),
        ("raw-255,channels=bgr,layout=NHWC,mean=104/117/123",
         Preprocessing((104.0, 117.0, 123.0), scale=255.0, layout="NHWC", channels="bgr")),
        ("none,resize=32/40,interpolation=box",
         Preprocessing(identity=True, resize=(32, 40), interpolation="box")),
        ("imagenet,scale=2,layout=NHWC,channels=bgr,resize=20/30,crop=10/12,interpolation=hamming,"
         "center=floor", EVERY_KEY),
    ],
)  # fmt: skip
def test_a_declaration_is_understood(declared: Any, meant: Preprocessing) -> None:
    assert parse_preprocessing(declared) == meant
    assert parse_preprocessing(json.loads(json.dumps(meant.to_json()))) == meant


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("cifar", "'cifar'"), ("", "''"), ("mean=0.5,0.25", "0.25"), ("mean=0.5,mean=0.6", "mean"),
        ("meen=0.5", "'meen'"), ({"Mean": 0.5}, "'Mean'"), ("std=0", "std"),
        ("std=0.5/0/0.5", "std"), ("scale=0", "scale"), ("scale=255/1", "scale"),
        ("mean=nan", "mean"), ("std=inf", "std"), ("mean=1e400", "mean"),
        ({"mean": 10**400}, "mean"),
        ({"scale": math.nan}, "scale"), ("mean=a/b", "mean"), ("mean=", "mean"),
        ({"mean": []}, "mean"), ({"mean": None}, "mean"), ("mean=1/2,std=1/2/3", "2 means and 3"),
        ("layout=HWC", "'HWC'"), ({"identity": False}, "identity"),
        ({"identity": True, "mean": 0.5}, "identity"), ("none,mean=0.5", "none"),
        ("none,scale=2", "none"), ("imagenet,cifar10", "cifar10"), ("channels=rbg", "'rbg'"),
        ("interpolation=cubic", "'cubic'"), ("center=ceil", "'ceil'"), ("resize=0", "resize"),
        ("resize=-4", "resize"), ("resize=2.5", "resize"), ("resize=1/2/3", "resize"),
        ("resize=99999", "16384"), ("crop=0/5", "crop"), ("crop=nan", "crop"),
        ({"crop": {"height": 4}}, "crop"), ({"resize": [[4]]}, "resize"), (7, "7"),
        ([("mean", 0.5)], "mean"), (b"mnist", "mnist"),
    ],
)  # fmt: skip
def test_a_bad_declaration_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_preprocessing(value)
    assert named in str(caught.value)
    assert caught.value.exit_code == 2


@given(declarations())
def test_what_a_header_records_and_a_text_says_is_understood_again(declared: Preprocessing) -> None:
    stored = json.loads(json.dumps(declared.to_json()))
    assert parse_preprocessing(stored) == declared
    assert preprocessing_in({"rsonnx.preprocess": json.dumps(stored)}) == declared
    assert parse_preprocessing(declared.to_text()) == declared


@pytest.mark.parametrize(
    ("declared", "size"),
    [
        ("none", None),
        ("none,resize=256", None),
        ("none,resize=20/30", (20, 30)),
        ("none,resize=256,crop=224", (224, 224)),
        ("none,crop=10/12", (10, 12)),
    ],
)
def test_the_size_of_the_images_that_it_gives(declared: str, size: tuple[int, int] | None) -> None:
    assert parse_preprocessing(declared).size == size


def test_a_header_without_a_rule_for_the_centre_is_of_the_rounding_one() -> None:
    assert parse_preprocessing({"identity": True, "crop": [4, 4]}).center == "round"
    assert "center" not in parse_preprocessing("none,crop=4").to_json()
    assert parse_preprocessing("none,crop=4,center=floor").to_json()["center"] == "floor"


# What a model's own metadata declare: rsonnx's keys, then ONNX's.


def test_metadata_declare_bounds_and_preprocessing_or_nothing() -> None:
    assert preprocessing_in({"author": "me"}) is None
    assert bounds_in({"author": "me"}) is None
    assert bounds_in({"rsonnx.bounds": "[-1, 1.5]"}) == (-1.0, 1.5)
    assert preprocessing_in({"rsonnx.preprocess": '"mnist"'}) == PRESETS["mnist"]
    found = preprocessing_in({"rsonnx.preprocess": '"none"', "rsonnx.layout": "NHWC"})
    assert found == Preprocessing(identity=True, layout="NHWC")
    found = preprocessing_in({"rsonnx.preprocess": '{"scale": 255}', "rsonnx.layout": "NCHW"})
    assert found == Preprocessing(scale=255.0, layout="NCHW")


@pytest.mark.parametrize(
    ("stored", "layout"),
    [
        *((text, None) for text in ("mnist", "{", "", "7", "null", "[0.5]", '"nonsense"')),
        *((text, None) for text in ('{"std": 0}', '{"mean": NaN}', "[" * 100_000)),
        ('"mnist"', "CHW"),
        ('{"layout": "NHWC"}', "NCHW"),
    ],
    ids=lambda text: str(text)[:20],
)
def test_broken_metadata_are_refused_by_name(stored: str, layout: str | None) -> None:
    metadata = {"rsonnx.preprocess": stored} | ({"rsonnx.layout": layout} if layout else {})
    with pytest.raises(ModelError, match=r"'rsonnx\.preprocess'") as caught:
        preprocessing_in(metadata)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "text", ["", "5", "[1]", "[0, 1, 2]", '["a", 1]', '"01"', '{"0": 1, "1": 2}', "[null, 1]"]
)
def test_broken_bounds_are_refused_by_name(text: str) -> None:
    with pytest.raises(ModelError, match=r"'rsonnx\.bounds'"):
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
def test_onnx_s_own_metadata_are_understood_behind_rsonnx_s(
    pixels: str | None, order: str | None, expected: Preprocessing | None
) -> None:
    stated = {"Image.NominalPixelRange": pixels, "Image.BitmapPixelFormat": order}
    metadata = {key: value for key, value in stated.items() if value is not None}
    assert preprocessing_in(metadata) == expected
    assert preprocessing_in(metadata | {"rsonnx.preprocess": '"mnist"'}) == PRESETS["mnist"]


@pytest.mark.parametrize("form", ["{}", '"{}"', '{{"mean": "{}"}}'])
def test_metadata_never_make_us_read_a_file(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, {"scale": 255})
    with pytest.raises(ModelError, match=r"'rsonnx\.preprocess'"):
        preprocessing_in({"rsonnx.preprocess": form.format(path)})
