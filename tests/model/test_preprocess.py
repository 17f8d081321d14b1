from __future__ import annotations

import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import ModelError, UsageError
from rsonnx.model import (
    PRESETS,
    Preprocessing,
    bounds_in,
    declared_preprocessing,
    parse_preprocessing,
    preprocessing_in,
)

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
    return Preprocessing(
        tuple(many),
        tuple(stds),
        draw(not_zero),
        layout,
        draw(st.sampled_from(["rgb", "bgr"])),
        *draw(st.sampled_from([(None, None), (7, None), (None, (5, 6)), ((9, 8), (3, 3))])),
    )


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


# Presets with changes, files of the ecosystem, and ONNX's own metadata.


def test_a_preset_may_be_changed() -> None:
    found = parse_preprocessing("imagenet,resize=256,crop=224")
    assert found == replace(PRESETS["imagenet"], resize=256, crop=(224, 224))
    found = parse_preprocessing("raw-255,channels=bgr,layout=NHWC,mean=104/117/123")
    assert found == Preprocessing((104.0, 117.0, 123.0), scale=255.0, layout="NHWC", channels="bgr")
    found = parse_preprocessing("none,resize=32/40,interpolation=box")
    assert found == Preprocessing(identity=True, resize=(32, 40), interpolation="box")


def test_every_key_is_kept_by_a_header() -> None:
    text = "imagenet,scale=2,layout=NHWC,channels=bgr,resize=20/30,crop=10/12,interpolation=hamming"
    found = parse_preprocessing(text)
    assert found == Preprocessing(
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 2.0, "NHWC", "bgr", (20, 30), (10, 12),
        "hamming",
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


HALF = [0.5, 0.5, 0.5]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
NORMALISED = {"do_normalize": True, "do_resize": True, "image_mean": MEAN, "image_std": STD}
RESCALED = {"do_rescale": True, "rescale_factor": 0.00392156862745098}
HF = Preprocessing(tuple(MEAN), tuple(STD), layout="NCHW")
VIT = Preprocessing((0.5,) * 3, (0.5,) * 3, layout="NCHW", resize=(224, 224))

HUGGING_FACE: dict[str, tuple[dict[str, Any], Preprocessing]] = {
    "ViT, first form": (
        {"do_normalize": True, "do_resize": True, "image_mean": HALF, "image_std": HALF}
        | {"size": 224},
        VIT,
    ),
    "ViT": (
        NORMALISED
        | RESCALED
        | {"image_mean": HALF, "image_std": HALF, "image_processor_type": "ViTFeatureExtractor"}
        | {"resample": 2, "size": {"height": 224, "width": 224}},
        VIT,
    ),
    "ViT, fast": (
        NORMALISED
        | RESCALED
        | {"image_mean": HALF, "image_std": HALF, "image_processor_type": "ViTImageProcessorFast"}
        | dict.fromkeys(["crop_size", "device", "do_center_crop", "do_convert_rgb", "pad_size"])
        | dict.fromkeys(["input_data_format", "return_tensors", "disable_grouping"])
        | {"data_format": "channels_first", "default_to_square": True, "resample": 2}
        | {"size": {"height": 224, "width": 224}, "do_pad": False},
        VIT,
    ),
    "ResNet": (
        NORMALISED
        | {"crop_pct": 0.875, "feature_extractor_type": "ConvNextFeatureExtractor", "resample": 3}
        | {"size": 224},
        replace(HF, resize=256, crop=(224, 224), interpolation="bicubic"),
    ),
    "ConvNext": (
        NORMALISED
        | RESCALED
        | {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}},
        replace(HF, resize=256, crop=(224, 224)),
    ),
    "ConvNext, large": (
        NORMALISED
        | {"crop_pct": 0.95, "feature_extractor_type": "ConvNextFeatureExtractor", "size": 384},
        replace(HF, resize=(384, 384)),
    ),
    "CLIP": (
        NORMALISED
        | RESCALED
        | {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "do_center_crop": True}
        | {"crop_size": {"height": 224, "width": 224}, "do_convert_rgb": True, "resample": 3}
        | {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}},
        Preprocessing(
            tuple(CLIP_MEAN),
            tuple(CLIP_STD),
            layout="NCHW",
            resize=224,
            crop=(224, 224),
            interpolation="bicubic",
        ),
    ),
    "CLIP, first form": (
        NORMALISED
        | {"crop_size": 224, "do_center_crop": True, "size": 224}
        | {"feature_extractor_type": "CLIPFeatureExtractor"},
        replace(HF, resize=224, crop=(224, 224), interpolation="bicubic"),
    ),
    "DeiT": (
        NORMALISED
        | {"crop_size": 224, "do_center_crop": True, "size": 256, "resample": 3}
        | {"feature_extractor_type": "DeiTFeatureExtractor"},
        replace(HF, resize=(256, 256), crop=(224, 224), interpolation="bicubic"),
    ),
    "MobileViT": (
        {"do_center_crop": True, "do_flip_channel_order": True, "do_resize": True, "size": 288}
        | {"crop_size": 256, "feature_extractor_type": "MobileViTFeatureExtractor", "resample": 2},
        Preprocessing(layout="NCHW", channels="bgr", resize=288, crop=(256, 256)),
    ),
    "not rescaled": (
        {"do_rescale": False, "do_normalize": True, "do_resize": False}
        | {"image_mean": [123.7, 116.3, 103.5], "image_std": [58.4, 57.1, 57.4]},
        Preprocessing((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), 255.0, "NCHW"),
    ),
    "raw": (
        {"do_rescale": False, "do_normalize": False},
        Preprocessing(scale=255.0, layout="NCHW"),
    ),
    "to twice": (
        {"rescale_factor": 1 / 127.5, "do_rescale": True, "do_normalize": False},
        Preprocessing(scale=2.0, layout="NCHW"),
    ),
}


def written(folder: Path, content: Any, name: str = "preprocessor_config.json") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("kind", HUGGING_FACE)
def test_hugging_face_s_files_are_understood(tmp_path: Path, kind: str) -> None:
    content, expected = HUGGING_FACE[kind]
    assert declared_preprocessing(written(tmp_path, content)) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"do_thumbnail": True}, "asks for do_thumbnail, which is not understood"),
        ({"do_pad": True}, "asks for do_pad"),
        ({"crop_pct": 0.9}, "asks for crop_pct"),
        ({"rescale_offset": True, "size_divisor": 32}, "asks for rescale_offset, size_divisor"),
        ({"image_processor_type": "LevitImageProcessor"}, "asks for a Levit processor"),
        ({"image_processor_type": "PoolFormerImageProcessorFast"}, "a PoolFormer processor"),
        ({"resample": 9}, r"unexpected kind \(9\)"),
        ({"size": {"longest_edge": 800, "shortest_edge": 600}}, "the size .*longest_edge"),
        ({"size": "large"}, "the size 'large'"),
        ({"size": {"shortest_edge": "x"}}, "unexpected kind"),
        ({"size": {"shortest_edge": 0}}, "resize = 0"),
        ({"image_mean": "half"}, "mean = .*'half'"),
        ({"image_std": [0, 0, 0]}, "std or scale of 0"),
        ({"image_std": [1, 1]}, "3 means and 2 stds"),
        ({"image_mean": None, "do_normalize": True}, "unexpected kind"),
        ({"rescale_factor": 0}, "std or scale of 0"),
        ({"rescale_factor": "x"}, "unexpected kind"),
        ({"do_center_crop": True}, "unexpected kind"),
        ({"do_center_crop": True, "crop_size": 224, "size": 256}, "may mean the shorter side or"),
    ],
)
def test_what_hugging_face_asks_for_and_is_not_understood_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    content = NORMALISED | RESCALED | {"size": {"height": 224, "width": 224}}
    with pytest.raises(UsageError, match=message) as caught:
        declared_preprocessing(written(tmp_path, content | changes))
    assert caught.value.exit_code == 2


TIMM = {
    "input_size": [3, 224, 224],
    "interpolation": "bicubic",
    "crop_pct": 0.95,
    "crop_mode": "center",
    "mean": MEAN,
    "std": STD,
    "num_classes": 1000,
    "pool_size": [7, 7],
    "first_conv": "conv1",
    "classifier": "fc",
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("changes", "resize"), [({}, 235), ({"crop_pct": 0.875}, 256), ({"crop_pct": None}, 224)]
)
def test_timm_s_files_are_understood(
    tmp_path: Path, nested: bool, changes: dict[str, Any], resize: int
) -> None:
    """224 / .95 = 235.8, of which timm takes the floor."""
    config = TIMM | changes
    content = {"architecture": "resnet18", "pretrained_cfg": config} if nested else config
    expected = replace(HF, resize=resize, crop=(224, 224), interpolation="bicubic")
    assert declared_preprocessing(written(tmp_path, content, "config.json")) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_mode": "border"}, "asks for crop_mode 'border', but only center"),
        ({"interpolation": "random"}, "interpolation is 'random'"),
        ({"input_size": [3, 224, 192]}, "input_size .*only squares"),
        ({"input_size": [224, 224]}, "unexpected kind"),
        ({"input_size": 224}, "unexpected kind"),
        ({"crop_pct": "all"}, "unexpected kind"),
        ({"crop_pct": 1e-9}, "resize = .*at most 16384"),
        ({"crop_pct": float("nan")}, "unexpected kind"),
        ({"mean": None}, "mean = None"),
    ],
)
def test_what_timm_asks_for_and_is_not_understood_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        declared_preprocessing(written(tmp_path, TIMM | changes, "config.json"))


def test_files_of_our_own_are_understood(tmp_path: Path) -> None:
    declared = replace(HF, resize=256, crop=(224, 224), interpolation="bicubic", channels="bgr")
    assert declared_preprocessing(written(tmp_path, declared.to_json(), "own.json")) == declared
    toml = """
        mean = [0.485, 0.456, 0.406]
        std = [0.229, 0.224, 0.225]
        layout = "NCHW"
        channels = "bgr"
        resize = 256
        crop = 224
        interpolation = "bicubic"
    """
    assert declared_preprocessing(written(tmp_path, toml, "own.toml")) == declared


def test_a_file_needs_no_particular_name(tmp_path: Path) -> None:
    assert declared_preprocessing(written(tmp_path, {"scale": 255}, "notes")).scale == 255.0


@given(declarations())
def test_a_header_s_record_is_understood_as_a_file(declared: Preprocessing) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert declared_preprocessing(written(Path(folder), declared.to_json())) == declared


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "", "a.json is not JSON"),
        ("a.json", "{", "is not JSON"),
        ("a.json", "mean = 1", "is not JSON"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.json", "[1, 2]", "holds no mapping"),
        ("a.json", "null", "holds no mapping"),
        ("a.json", '"mnist"', "holds no mapping"),
        ("a.json", '{"meen": 0.5}', "unknown key 'meen'"),
        ("a.json", '{"pretrained_cfg": 5}', "unexpected kind"),
        ("a.json", '{"pretrained_cfg": null}', "unexpected kind"),
        ("a.toml", "mean: 1", "a.toml is not TOML"),
        ("a.toml", '{"mean": 1}', "is not TOML"),
        ("a.toml", "mean = [0.1, 0.2]\nstd = [1, 1, 1]", "2 means and 3 stds"),
        ("a.toml", "mean = 2026-01-01", "mean = "),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        declared_preprocessing(written(tmp_path, content, name))
    assert caught.value.exit_code == 2


def test_a_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not JSON"):
        declared_preprocessing(str(path))


@pytest.mark.parametrize("name", ["gone.json", "gone.toml"])
def test_a_missing_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} cannot be read: No such file"):
        declared_preprocessing(str(tmp_path / name))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        declared_preprocessing(str(tmp_path / "config.json"))
    with pytest.raises(UsageError, match="but a preset"):
        declared_preprocessing(str(tmp_path))


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "gone"])
def test_a_text_that_is_no_file_s_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="but a preset"):
        declared_preprocessing(text)


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
