"""Small pictures of a run's inputs, checked against the digests of its rows."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rsonnx.data import (
    Dataset,
    DataSettings,
    arrange,
    open_dataset,
    resize_and_crop,
    values_between,
)
from rsonnx.errors import DataError, RsonnxError
from rsonnx.noise import InputSpace
from rsonnx.report import Figures
from rsonnx.report.page import Pictures
from rsonnx.runs import Header, Row, Run

_SIDE = 48
_COLOURS = 64


class _NoPictureError(Exception):
    """Why an input has no picture, in words."""


def pictures_for(runs: Sequence[Run], data: Path) -> list[Pictures]:
    """Return pictures of the inputs of runs, turned as each of them read them.

    Raises:
        UsageError, DataError: the data set does not exist, or is none.
    """
    ways = [DataSettings.from_json(run.header.reading, None) for run in runs]
    read = {settings: open_dataset(data, settings) for settings in set(ways)}
    return [pictures_of(read[settings], run) for settings, run in zip(ways, runs, strict=True)]


def pictures_of(dataset: Dataset, run: Run) -> Pictures:
    """Return pictures of the inputs that a data set holds under the names of a run's rows.

    A row's digest is of the values that the model was given. An input of other values is left out:
    its picture would not be of what was certified.
    """
    named = {dataset.name(index): index for index in range(len(dataset))}
    png: dict[int, bytes] = {}
    left_out: Counter[str] = Counter()
    for row in run.rows:
        try:
            values = _stored(dataset, named, row, run.header.model.bounds)
            png[row.index] = _png(_pixels(values, row, run.header))
        except _NoPictureError as why:
            left_out[str(why)] += 1
    return Pictures(source=dataset.path.name, png=png, left_out=left_out)


def end_pictures(run: Figures) -> dict[int, bytes]:
    """Return pictures of the inputs that breaks of a run lead to, as far as they are pictures."""
    header, png = run.header, dict[int, bytes]()
    shape = header.noise.input_shape(header.model.input_shape)
    layout = header.record["model"]["layout"] or getattr(header.noise, "layout", None)
    for row in [] if run.breaks is None else run.breaks.broken:
        values = row.values(header.arithmetic)
        try:
            if values.size != math.prod(shape):
                continue
            png[row.index] = _png(_levels(values.reshape(shape), header.model.bounds, layout))
        except _NoPictureError:
            continue
    return png


def _stored(
    dataset: Dataset, named: Mapping[str, int], row: Row, bounds: tuple[float, float]
) -> NDArray[Any]:
    if row.name not in named:
        raise _NoPictureError("the data has no input of this name")
    try:
        return values_between(dataset, named[row.name], bounds)
    except DataError:
        raise _NoPictureError("the data cannot be read there") from None


def _pixels(stored: NDArray[Any], row: Row, header: Header) -> NDArray[np.uint8]:
    """Return uint8 (H, W) or (H, W, 3) of what was certified."""
    other = _NoPictureError("the data has other values under this name")
    noise, model = header.noise, header.record["model"]
    layout = model["layout"] or getattr(noise, "layout", None)
    shape = noise.input_shape(header.model.input_shape)
    space = InputSpace(shape, header.model.bounds, layout, noise.fixed)
    try:
        sized = resize_and_crop(stored, **_geometry(model["preprocess"]))
        point = space.point(
            arrange(sized, space.shape, layout), "float" if row.arithmetic == "float" else None
        )
    except (
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        RsonnxError,
    ):  # it may be any preprocessing
        raise other from None
    if point.digest != row.digest:
        raise other
    if sized.dtype == np.uint8 and sized.ndim == 3 and sized.shape[2] in (1, 3):
        return _picture(sized, "NHWC")  # flat inputs have no rows of their own
    return _levels(point.data, space.bounds, layout)


def _levels(
    values: NDArray[Any], bounds: tuple[float, float], layout: str | None
) -> NDArray[np.uint8]:
    """Return levels, or values between bounds, as (H, W) or (H, W, 3)."""
    if values.dtype == np.uint8:
        return _picture(values, layout)
    low, high = bounds
    if not math.isfinite(high - low):
        raise _NoPictureError("its values have no bounds, so they are no picture")
    return _picture(np.rint((values - low) / (high - low) * 255).astype(np.uint8), layout)


def _geometry(preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a header says of sizes, as :func:`resize_and_crop` takes it."""
    names = ("resize", "crop", "interpolation", "center")
    said = {name: preprocess[name] for name in names if name in preprocess}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in said.items()}


def _picture(values: NDArray[Any], layout: str | None) -> NDArray[np.uint8]:
    """Return values as (H, W) or (H, W, 3), where they can be a picture in one way only."""
    if values.dtype == np.uint8 and values.ndim == 3:
        first, last = values.shape[0] in (1, 3), values.shape[2] in (1, 3)
        if layout == "NCHW" or (layout is None and first and not last):
            values = np.moveaxis(values, 0, -1)
        if values.shape[2] == 1:
            return values[:, :, 0]
        if values.shape[2] == 3 and (layout is not None or first != last):
            return values
    elif values.dtype == np.uint8 and values.ndim == 2 and 1 not in values.shape:
        return values
    raise _NoPictureError("its values are no picture")


def _png(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    if image.mode != "L":
        image = image.quantize(_COLOURS)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
