"""Preprocessing declared in files of the ecosystem: ours, Hugging Face's and timm's.

Each is translated into one mapping of the keys that :mod:`rsonnx.model.preprocess` understands.
What a file asks for and cannot be translated is refused, never left out.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.files import read_small

_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Pillow's numbers, which Hugging Face writes."""

_HUGGING_FACE = {
    "do_resize", "size", "resample", "default_to_square", "do_center_crop", "crop_size",
    "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std", "crop_pct",
    "do_flip_channel_order",
}  # fmt: skip
_HUGGING_FACE_SILENT = {
    "image_processor_type", "feature_extractor_type", "processor_class", "_valid_processor_keys",
    "do_convert_rgb", "data_format", "input_data_format", "return_tensors", "device",
    "disable_grouping", "image_processor_class", "auto_map",
}  # fmt: skip
"""Keys that change nothing for an image of the right kind."""

_SHORTER_SIDE = {"Bit", "CLIP", "ConvNext", "MobileNetV1", "MobileNetV2", "MobileViT"}
"""Hugging Face's processors for which a size of one number is the shorter side's; for the others it
is both sides'."""

_BICUBIC = {"Beit", "CLIP", "DeiT", "Siglip"}
"""Those that resize bicubically where their file does not say, not bilinearly."""

_PECULIAR = {"EfficientNet", "Levit", "PoolFormer"}
"""Those that do more than their file says."""

_CONVNEXT_SQUARE = 384
"""ConvNext's processor crops nothing from images of this side on."""


def read_preprocessing_file(path: Path) -> Mapping[str, Any]:
    """Read a JSON or TOML file and return the mapping that it means.

    Raises:
        UsageError: the file cannot be read, or asks for something that cannot be done.
        DataError: it has more than 4 MiB.
    """
    where, kind = f"the preprocessing file {path}", "TOML" if path.suffix == ".toml" else "JSON"
    content = read_small(path, "the preprocessing file")
    try:
        text = content.decode()
        stated = tomllib.loads(text) if kind == "TOML" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not {kind}: {error}") from None
    if not isinstance(stated, dict):
        raise UsageError(f"{where} holds no mapping of keys to values")
    try:
        if "pretrained_cfg" in stated or "input_size" in stated:
            return _from_timm(stated.get("pretrained_cfg", stated))
        if (_HUGGING_FACE | {"image_processor_type", "feature_extractor_type"}) & set(stated):
            return _from_hugging_face(stated)
    except UsageError as error:
        raise UsageError(f"{where} {error}; write it as mean, std, scale, resize, crop") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise UsageError(f"{where} has a value of an unexpected kind ({error})") from None
    return stated


def _from_hugging_face(stated: dict[str, Any]) -> Mapping[str, Any]:
    stated = {key: value for key, value in stated.items() if value is not None}  # null: not set
    kind = _processor(stated)
    known = _HUGGING_FACE | _HUGGING_FACE_SILENT
    known -= set() if kind == "ConvNext" else {"crop_pct"}
    unknown = [key for key, value in stated.items() if key not in known and value is not False]
    if unknown or kind in _PECULIAR:
        asked = ", ".join(sorted(unknown)) or f"a {kind} processor"
        raise UsageError(f"asks for {asked}, which is not understood")
    meant: dict[str, Any] = {"layout": "NCHW", "scale": 255.0}
    if stated.get("do_rescale", True):
        meant["scale"] = 255.0 * stated.get("rescale_factor", 1 / 255)
        if math.isclose(meant["scale"], 1.0, rel_tol=1e-6):
            meant["scale"] = 1.0  # 0.00392156862745098 is 1/255
    if stated.get("do_normalize", "image_mean" in stated):
        meant |= {"mean": stated["image_mean"], "std": stated["image_std"]}
    if stated.get("do_resize", "size" in stated):
        meant |= _resizing(stated, kind)
        usual = "bicubic" if kind in _BICUBIC else "bilinear"
        meant["interpolation"] = _FILTERS[stated["resample"]] if "resample" in stated else usual
    if stated.get("do_center_crop", "crop_size" in stated):
        crop = _edges(stated["crop_size"], square=True)
        meant["crop"] = crop if isinstance(crop, list) else [crop, crop]
    if stated.get("do_flip_channel_order", False):
        meant["channels"] = "bgr"
    if "crop" in meant:
        meant["center"] = "floor"  # transformers' center_crop: (orig_height - crop_height) // 2
    return meant


def _processor(stated: Mapping[str, Any]) -> str:
    """Return which processor a file is for, such as ViT; an empty text where it does not say."""
    name = str(stated.get("image_processor_type") or stated.get("feature_extractor_type") or "")
    for ending in ("Fast", "ImageProcessor", "FeatureExtractor"):
        name = name.removesuffix(ending)
    return name


def _resizing(stated: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    size, crops = stated["size"], stated.get("do_center_crop", "crop_size" in stated)
    square = stated.get("default_to_square", None if kind == "" and crops else True)
    if kind in _SHORTER_SIDE:
        square = False
    if isinstance(size, int) and square is None:
        raise UsageError(
            f"has the size {size} and names no processor, so it may mean the shorter side "
            '({"shortest_edge": ...}) or both ({"height": ..., "width": ...})'
        )
    edges = _edges(size, square=bool(square))
    if kind != "ConvNext" or not isinstance(edges, int):
        return {"resize": edges}
    if edges >= _CONVNEXT_SQUARE:
        return {"resize": [edges, edges]}
    return {"resize": int(edges / stated.get("crop_pct", 224 / 256)), "crop": [edges, edges]}


def _edges(size: Any, *, square: bool) -> int | list[int]:
    """Return a length of the shorter side, or [height, width]."""
    if isinstance(size, int):
        return [size, size] if square else size
    if set(size) == {"shortest_edge"}:
        return int(size["shortest_edge"])
    if set(size) != {"height", "width"}:
        raise UsageError(f"asks for the size {size!r}, which is not understood")
    return [int(size["height"]), int(size["width"])]


def _from_timm(stated: dict[str, Any]) -> Mapping[str, Any]:
    _, height, width = stated["input_size"]
    if stated.get("crop_mode", "center") != "center" or height != width:
        raise UsageError(
            f"asks for crop_mode {stated.get('crop_mode')!r} and input_size {[height, width]}, but "
            "only the centre and squares are understood"
        )
    return {
        "layout": "NCHW",
        "mean": stated["mean"],
        "std": stated["std"],
        "resize": math.floor(height / (stated.get("crop_pct") or 1.0)),
        "crop": [height, width],
        "interpolation": stated.get("interpolation", "bilinear"),
    }


def from_onnx_metadata(metadata: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return what ONNX's own image metadata say of the pixels that a model takes, or None.

    The keys are those of ONNX's MetadataProps.md; gamma and colour space are not touched by us.
    """
    ranges: dict[str, dict[str, Any]] = {
        "NominalRange_0_255": {"scale": 255.0},
        "Normalized_0_1": {"scale": 1.0},
        "Normalized_1_1": {"mean": [0.5], "std": [0.5]},
    }
    stated = metadata.get("Image.NominalPixelRange")
    if stated not in ranges:
        return None
    order = metadata.get("Image.BitmapPixelFormat", "")
    return ranges[stated] | ({"channels": "bgr"} if order.startswith("Bgr") else {})
