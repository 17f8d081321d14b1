"""Preprocessing declared by presets, texts and mappings, and what a header records of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from declarations import declarations
from hypothesis import given

from rsonnx.errors import UsageError
from rsonnx.model import PRESETS, Preprocessing, parse_preprocessing, preprocessing_in


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


def test_a_text_is_understood() -> None:
    found = parse_preprocessing("mean=0.1/0.2/0.3, std = 0.5 ,scale=255,layout=NHWC")
    assert found == Preprocessing((0.1, 0.2, 0.3), (0.5,), 255.0, "NHWC")


def test_a_mapping_is_understood() -> None:
    found = parse_preprocessing({"mean": [0.1, 0.2], "std": 2, "layout": "NCHW"})
    assert found == Preprocessing((0.1, 0.2), (2.0,), 1.0, "NCHW")


def test_a_declaration_passes_through() -> None:
    given_one = Preprocessing(scale=7.0)
    assert parse_preprocessing(given_one) is given_one


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("cifar", "preprocessing is 'cifar', but a preset .*cifar10"),
        ("", "preprocessing is '', but a preset"),
        ("mean=0.5,0.25", "preprocessing has '0.25', but key=value"),
        ("mean=0.5,mean=0.6", "each key only once"),
        ("meen=0.5", "unknown key 'meen'; mean, std, scale, layout"),
        ({"Mean": 0.5}, "unknown key 'Mean'"),
        ("std=0", "std or scale of 0"),
        ("std=0.5/0/0.5", "std or scale of 0"),
        ("scale=0", "std or scale of 0"),
        ("scale=255/1", "2 numbers for scale, but one was expected"),
        ("mean=nan", "mean = .*one finite number"),
        ("std=inf", "std = .*one finite number"),
        ("mean=1e400", "mean = .*one finite number"),
        ({"mean": 10**400}, "mean = .*one finite number"),
        ({"scale": math.nan}, "scale = .*one finite number"),
        ("mean=a/b", "mean = .*one finite number"),
        ("mean=", "mean = .*one finite number"),
        ({"mean": []}, "mean = .*one finite number"),
        ({"mean": None}, "mean = .*one finite number"),
        ("mean=1/2,std=1/2/3", "2 means and 3 stds"),
        ("layout=HWC", "layout is 'HWC', but one of NCHW, NHWC was expected"),
        ({"identity": False}, "identity is true and stands without mean, std and scale"),
        ({"identity": True, "mean": 0.5}, "identity is true and stands without mean, std"),
    ],
)
def test_a_bad_declaration_is_refused_with_what_was_expected(value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_preprocessing(value)
    assert caught.value.exit_code == 2


@given(declarations())
def test_what_a_header_records_is_understood_again(declared: Preprocessing) -> None:
    stored = json.loads(json.dumps(declared.to_json()))
    assert parse_preprocessing(stored) == declared
    assert preprocessing_in({"rsonnx.preprocess": json.dumps(stored)}) == declared


@given(declarations())
def test_the_text_of_a_declaration_is_understood_again(declared: Preprocessing) -> None:
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


def test_a_preset_may_be_changed() -> None:
    found = parse_preprocessing("imagenet,resize=256,crop=224")
    assert found == replace(PRESETS["imagenet"], resize=256, crop=(224, 224))
    found = parse_preprocessing("raw-255,channels=bgr,layout=NHWC,mean=104/117/123")
    assert found == Preprocessing((104.0, 117.0, 123.0), scale=255.0, layout="NHWC", channels="bgr")
    found = parse_preprocessing("none,resize=32/40,interpolation=box")
    assert found == Preprocessing(identity=True, resize=(32, 40), interpolation="box")


def test_every_key_is_kept_by_a_header() -> None:
    text = "imagenet,scale=2,layout=NHWC,channels=bgr,resize=20/30,crop=10/12,"
    text += "interpolation=hamming,center=floor"
    found = parse_preprocessing(text)
    assert found == Preprocessing(
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 2.0, "NHWC", "bgr", (20, 30), (10, 12),
        "hamming", "floor",
    )  # fmt: skip
    assert parse_preprocessing(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("none,mean=0.5", "preprocessing is none, which stands without mean"),
        ("none,scale=2", "preprocessing is none"),
        ("imagenet,cifar10", "'cifar10', but key=value was expected"),
        ("channels=rbg", "channels is 'rbg', but one of rgb, bgr was expected"),
        ("interpolation=cubic", "interpolation is 'cubic', but one of nearest, bilinear"),
        ("center=ceil", "center is 'ceil', but one of round, floor"),
        ("resize=0", "resize = '0', but one or two whole numbers of pixels"),
        ("resize=-4", "resize = '-4'"),
        ("resize=2.5", "resize = '2.5'"),
        ("resize=1/2/3", "resize = '1/2/3'"),
        ("resize=99999", "at most 16384"),
        ("crop=0/5", "crop = '0/5'"),
        ("crop=nan", "crop = .*'nan'.*, but one finite number"),
        ({"crop": {"height": 4}}, "crop = "),
        ({"resize": [[4]]}, "resize = "),
        (7, "preprocessing is 7, but a text or a mapping"),
        ([("mean", 0.5)], "but a text or a mapping"),
        (b"mnist", "but a text or a mapping"),
    ],
)
def test_a_bad_change_is_refused(value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_preprocessing(value)
