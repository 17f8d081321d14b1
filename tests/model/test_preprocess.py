from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import PRESETS, Preprocessing, bounds_in, parse_preprocessing, preprocessing_in

finite = st.floats(allow_nan=False, allow_infinity=False)
not_zero = finite.filter(lambda v: v != 0)


@st.composite
def declarations(draw: st.DrawFn) -> Preprocessing:
    layout = draw(st.sampled_from([None, "NCHW", "NHWC"]))
    if draw(st.booleans()):
        return Preprocessing(identity=True, layout=layout)
    channels = draw(st.sampled_from([1, 3]))
    many = draw(st.lists(finite, min_size=channels, max_size=channels))
    stds = draw(st.lists(not_zero, min_size=channels, max_size=channels))
    return Preprocessing(tuple(many), tuple(stds), draw(not_zero), layout)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_known_by_its_name(name: str) -> None:
    assert parse_preprocessing(name) == PRESETS[name]


def test_the_presets_hold_the_published_numbers() -> None:
    assert PRESETS["imagenet"].mean == (0.485, 0.456, 0.406)  # torchvision's models
    assert PRESETS["imagenet"].std == (0.229, 0.224, 0.225)
    assert PRESETS["none"].identity
    assert not PRESETS["zero-one"].identity
    assert PRESETS["raw-255"].scale == 255.0


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
