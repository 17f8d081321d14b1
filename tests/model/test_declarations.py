"""Files that declare preprocessing: Hugging Face's, timm's and our own in JSON or TOML."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from declarations import declarations, written
from hypothesis import given

from rsonnx.errors import UsageError
from rsonnx.model import Preprocessing, declared_preprocessing

HALF = [0.5, 0.5, 0.5]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
NORMALISED = {"do_normalize": True, "do_resize": True, "image_mean": MEAN, "image_std": STD}
RESCALED = {"do_rescale": True, "rescale_factor": 0.00392156862745098}
HF = Preprocessing(tuple(MEAN), tuple(STD), layout="NCHW")
VIT = Preprocessing((0.5,) * 3, (0.5,) * 3, layout="NCHW", resize=(224, 224))

HALVES = {"image_mean": HALF, "image_std": HALF}
CLIP = Preprocessing(tuple(CLIP_MEAN), tuple(CLIP_STD), layout="NCHW")
CENTRED: dict[str, Any] = {"crop": (224, 224), "center": "floor"}
HUGGING_FACE: dict[str, tuple[dict[str, Any], Preprocessing]] = {
    "ViT, first form": ({"do_normalize": True, "do_resize": True, "size": 224} | HALVES, VIT),
    "ViT": (
        NORMALISED | RESCALED | HALVES
        | {"image_processor_type": "ViTFeatureExtractor", "resample": 2}
        | {"size": {"height": 224, "width": 224}},
        VIT,
    ),
    "ViT, fast": (
        NORMALISED | RESCALED | HALVES
        | dict.fromkeys(["crop_size", "device", "do_center_crop", "do_convert_rgb", "pad_size"])
        | dict.fromkeys(["input_data_format", "return_tensors", "disable_grouping"])
        | {"data_format": "channels_first", "default_to_square": True, "resample": 2}
        | {"size": {"height": 224, "width": 224}, "do_pad": False}
        | {"image_processor_type": "ViTImageProcessorFast"},
        VIT,
    ),
    "ResNet": (
        NORMALISED
        | {"crop_pct": 0.875, "feature_extractor_type": "ConvNextFeatureExtractor", "resample": 3}
        | {"size": 224},
        replace(HF, resize=256, interpolation="bicubic", **CENTRED),
    ),
    "ConvNext": (
        NORMALISED | RESCALED
        | {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}},
        replace(HF, resize=256, **CENTRED),
    ),
    "ConvNext, large": (
        NORMALISED
        | {"crop_pct": 0.95, "feature_extractor_type": "ConvNextFeatureExtractor", "size": 384},
        replace(HF, resize=(384, 384)),
    ),
    "CLIP": (
        NORMALISED | RESCALED
        | {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "do_center_crop": True}
        | {"crop_size": {"height": 224, "width": 224}, "do_convert_rgb": True, "resample": 3}
        | {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}},
        replace(CLIP, resize=224, interpolation="bicubic", **CENTRED),
    ),
    "CLIP, first form": (
        NORMALISED | {"crop_size": 224, "do_center_crop": True, "size": 224}
        | {"feature_extractor_type": "CLIPFeatureExtractor"},
        replace(HF, resize=224, interpolation="bicubic", **CENTRED),
    ),
    "DeiT": (
        NORMALISED | {"crop_size": 224, "do_center_crop": True, "size": 256, "resample": 3}
        | {"feature_extractor_type": "DeiTFeatureExtractor"},
        replace(HF, resize=(256, 256), interpolation="bicubic", **CENTRED),
    ),
    "MobileViT": (
        {"do_center_crop": True, "do_flip_channel_order": True, "do_resize": True, "size": 288}
        | {"crop_size": 256, "feature_extractor_type": "MobileViTFeatureExtractor", "resample": 2},
        Preprocessing(layout="NCHW", channels="bgr", resize=288, crop=(256, 256), center="floor"),
    ),
    "not rescaled": (
        {"do_rescale": False, "do_normalize": True, "do_resize": False}
        | {"image_mean": [123.7, 116.3, 103.5], "image_std": [58.4, 57.1, 57.4]},
        Preprocessing((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), 255.0, "NCHW"),
    ),
    "raw": (
        {"do_rescale": False, "do_normalize": False}, Preprocessing(scale=255.0, layout="NCHW"),
    ),
    "to twice": (
        {"rescale_factor": 1 / 127.5, "do_rescale": True, "do_normalize": False},
        Preprocessing(scale=2.0, layout="NCHW"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HUGGING_FACE)
def test_hugging_face_s_files_are_understood(tmp_path: Path, kind: str) -> None:
    content, expected = HUGGING_FACE[kind]
    assert declared_preprocessing(written(tmp_path, content)) == expected


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"do_thumbnail": True}, "do_thumbnail"),
        ({"do_pad": True}, "do_pad"),
        ({"crop_pct": 0.9}, "crop_pct"),
        ({"rescale_offset": True, "size_divisor": 32}, "rescale_offset, size_divisor"),
        ({"image_processor_type": "LevitImageProcessor"}, "Levit"),
        ({"image_processor_type": "PoolFormerImageProcessorFast"}, "PoolFormer"),
        ({"resample": 9}, "9"),
        ({"size": {"longest_edge": 800, "shortest_edge": 600}}, "longest_edge"),
        ({"size": "large"}, "'large'"),
        ({"size": {"shortest_edge": "x"}}, "'x'"),
        ({"size": {"shortest_edge": 0}}, "resize = 0"),
        ({"image_mean": "half"}, "'half'"),
        ({"image_std": [0, 0, 0]}, "std"),
        ({"image_std": [1, 1]}, "3 means and 2 stds"),
        ({"image_mean": None, "do_normalize": True}, "image_mean"),
        ({"rescale_factor": 0}, "scale"),
        ({"rescale_factor": "x"}, ""),
        ({"do_center_crop": True}, "crop_size"),
        ({"do_center_crop": True, "crop_size": 224, "size": 256}, "256"),
    ],
)
def test_what_hugging_face_asks_for_and_is_not_understood_is_refused(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    content = NORMALISED | RESCALED | {"size": {"height": 224, "width": 224}}
    with pytest.raises(UsageError) as caught:
        declared_preprocessing(written(tmp_path, content | changes))
    assert named in str(caught.value)
    assert caught.value.exit_code == 2


TIMM = {
    "input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.95, "mean": MEAN,
    "crop_mode": "center", "std": STD, "num_classes": 1000, "pool_size": [7, 7],
    "first_conv": "conv1", "classifier": "fc",
}  # fmt: skip


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
    "changes",
    [
        {"crop_mode": "border"},
        {"interpolation": "random"},
        {"input_size": [3, 224, 192]},
        {"input_size": [224, 224]},
        {"input_size": 224},
        {"crop_pct": "all"},
        {"crop_pct": 1e-9},
        {"crop_pct": float("nan")},
        {"mean": None},
    ],
    ids=str,
)
def test_what_timm_asks_for_and_is_not_understood_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
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
    assert declared_preprocessing(written(tmp_path, {"scale": 255}, "notes")).scale == 255.0


@given(declarations())
def test_a_header_s_record_is_understood_as_a_file(declared: Preprocessing) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert declared_preprocessing(written(Path(folder), declared.to_json())) == declared


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("a.json", text) for text in ("", "{", "mean = 1", "[" * 100_000, "[1, 2]", "null")),
        *(("a.json", text) for text in ('"mnist"', '{"meen": 0.5}', '{"pretrained_cfg": 5}')),
        ("a.json", '{"pretrained_cfg": null}'),
        *(("a.toml", text) for text in ("mean: 1", '{"mean": 1}', "mean = 2026-01-01")),
        ("a.toml", "mean = [0.1, 0.2]\nstd = [1, 1, 1]"),
    ],
    ids=lambda text: text[:20],
)
def test_a_broken_file_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(UsageError) as caught:
        declared_preprocessing(written(tmp_path, content, name))
    assert caught.value.exit_code == 2


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("bytes.json", "folder.json", "gone.json", "gone.toml", "pipe.json"):
        with pytest.raises(UsageError, match=name):
            declared_preprocessing(str(tmp_path / name))


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "gone", "/"])
def test_a_text_that_is_no_file_s_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="preset"):
        declared_preprocessing(text)
