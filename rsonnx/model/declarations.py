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

_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Pillow's numbers, which Hugging Face writes."""

_HUGGING_FACE = {
    "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor",
    "do_normalize", "image_mean", "image_std", "do_flip_channel_order",
}  # fmt: skip
_HUGGING_FACE_SILENT = {
    "image_processor_type", "feature_extractor_type", "processor_class", "_valid_processor_keys",
    "do_convert_rgb", "data_format", "input_data_format", "return_tensors", "device",
    "disable_grouping", "image_processor_class", "do_pad", "do_reduce_labels", "crop_pct",
}  # fmt: skip
"""Keys that change nothing for an image of the right kind, or are harmless unless they are set."""

_TIMM_SIZES = {"input_size", "crop_pct", "crop_mode", "interpolation"}


def read_preprocessing_file(path: Path) -> Mapping[str, Any]:
    """Read a JSON or TOML file and return the mapping that it means.

    Raises:
        UsageError: the file cannot be read, or asks for something that cannot be done.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise UsageError(
            f"the preprocessing file {path} cannot be read: {error.strerror}"
        ) from None
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise UsageError(f"the preprocessing file {path} is not {kind}: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"the preprocessing file {path} holds no mapping of keys to values")
    try:
        return _translate(found)
    except UsageError as error:
        raise UsageError(f"the preprocessing file {path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise UsageError(
            f"the preprocessing file {path} has a value of an unexpected kind ({error})"
        ) from None


def _translate(found: dict[str, Any]) -> Mapping[str, Any]:
    if "pretrained_cfg" in found:
        return _from_timm(found["pretrained_cfg"])
    if _TIMM_SIZES & set(found) and "mean" in found:
        return _from_timm(found)
    if (_HUGGING_FACE | {"image_processor_type", "feature_extractor_type"}) & set(found):
        return _from_hugging_face(found)
    return found


def _from_hugging_face(found: dict[str, Any]) -> Mapping[str, Any]:
    unknown = set(found) - _HUGGING_FACE - _HUGGING_FACE_SILENT
    asked = {k for k in ("do_pad", "do_reduce_labels", "crop_pct") if found.get(k)}
    if unknown | asked:
        raise UsageError(
            f"it asks for {', '.join(sorted(unknown | asked))}, which is not understood; write the "
            "preprocessing as mean, std, scale, resize and crop instead"
        )
    meant: dict[str, Any] = {"layout": "NCHW"}
    rescales = found.get("do_rescale", "rescale_factor" in found)
    meant["scale"] = 255.0 * found.get("rescale_factor", 1 / 255) if rescales else 255.0
    if math.isclose(meant["scale"], 1.0, rel_tol=1e-6):
        meant["scale"] = 1.0  # 0.00392156862745098 is 1/255
    if found.get("do_normalize", "image_mean" in found):
        meant |= {"mean": found["image_mean"], "std": found["image_std"]}
    if found.get("do_resize", "size" in found):
        meant["resize"] = _edges(found["size"])
        meant["interpolation"] = _FILTERS[found.get("resample", 2)]
    if found.get("do_center_crop", False):
        crop = _edges(found["crop_size"])
        meant["crop"] = crop if isinstance(crop, list) else [crop, crop]
    if found.get("do_flip_channel_order", False):
        meant["channels"] = "bgr"
    return meant


def _edges(size: Any) -> int | list[int]:
    """Return a length of the shorter side, or [height, width]."""
    if isinstance(size, int):
        return [size, size]
    if "shortest_edge" in size and len(size) == 1:
        return int(size["shortest_edge"])
    return [int(size["height"]), int(size["width"])]


def _from_timm(found: dict[str, Any]) -> Mapping[str, Any]:
    if found.get("crop_mode", "center") != "center":
        raise UsageError(
            f"it asks for crop_mode {found['crop_mode']!r}, but only center is understood; write "
            "the preprocessing as mean, std, resize and crop instead"
        )
    _, height, width = found["input_size"]
    share = found.get("crop_pct") or 1.0
    edges = [math.floor(height / share), math.floor(width / share)]
    return {
        "layout": "NCHW",
        "mean": found["mean"],
        "std": found["std"],
        "resize": edges[0] if height == width else edges,
        "crop": [height, width],
        "interpolation": found.get("interpolation", "bilinear"),
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
    found = metadata.get("Image.NominalPixelRange")
    if found not in ranges:
        return None
    order = metadata.get("Image.BitmapPixelFormat", "")
    return ranges[found] | ({"channels": "bgr"} if order.startswith("Bgr") else {})
