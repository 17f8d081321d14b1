"""The nodes in front of a model: from inputs in declared units to what the model takes.

The preprocessing is folded into one multiplication and one addition; then a cast, for integer types
after rounding and clipping (to what an 8-bit type holds, or to the bounds), and for a model without
a batch axis a reshape. All of it is a
deterministic function of one input, so it belongs to the base classifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from rsonnx.errors import UsageError
from rsonnx.model.columns import part_nodes
from rsonnx.model.graph import onnx_type
from rsonnx.model.inputs import CODES, INTEGERS, Input
from rsonnx.model.preprocess import Preprocessing

INPUT = "rsonnx_input"


def make_head(
    data: Input, preprocessing: Preprocessing, bounds: tuple[float, float]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from ``INPUT`` to the model's own input, and their constants.

    Raises:
        UsageError: the preprocessing does not fit the input.
    """
    whole = _codes(data, preprocessing, bounds) or INTEGERS.get(data.spec.dtype)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def add(operator: str, constant: NDArray[Any] | None = None, **attributes: int) -> None:
        step = len(nodes)
        operands = [f"rsonnx_head_{step - 1}" if step else INPUT]
        if constant is not None:
            operands.append(f"rsonnx_head_constant_{step}")
            weights.append(numpy_helper.from_array(constant, operands[1]))
        name = f"rsonnx_head_{step}"
        nodes.append(helper.make_node(operator, operands, [name], **attributes))  # type: ignore[arg-type]

    if preprocessing.channels == "bgr":
        colours = _colours(data)
        if colours is None or colours.channels != 3:
            raise UsageError(
                f"the preprocessing says bgr, but an input of shape {list(data.shape)} has no 3 "
                "channels"
            )
        add("Gather", colours.reversed, axis=colours.axis)
    if not preprocessing.identity:
        factor, offset = _affine(data, preprocessing, bounds)
        if (factor != 1).any():
            add("Mul", factor)
        if (offset != 0).any():
            add("Add", offset)
    if whole is not None:
        low, high = whole
        # round(y) clipped to [low, high]: floor(y + 1/2) = low + min(max(. - low, 0), high - low),
        # written with Relu, which every operator set has in the same form.
        add("Add", np.full(1, 0.5 - low, np.float32))
        add("Floor")
        for above in (high - low, high):
            add("Relu")
            add("Sub", np.full(1, above, np.float32))
            add("Neg")
    if not data.has_batch_axis:
        add("Reshape", np.array(data.shape, np.int64))
    if data.spec.dtype != "float32":
        add("Cast", to=onnx_type(data.spec.dtype))
    if not nodes:
        add("Identity")
    nodes[-1].output[0] = data.spec.name
    apart, constants = part_nodes(data.parts)
    return [*nodes, *apart], [*weights, *constants]


_MOST_CODE = 1 << 22
"""Up to here float32 tells halves apart, so that rounding to whole numbers is exact."""


def _codes(
    data: Input, preprocessing: Preprocessing, bounds: tuple[float, float]
) -> tuple[int, int] | None:
    """Return the least and the largest code of an input that takes codes; None for any other."""
    if data.spec.dtype not in CODES:
        return None
    what = f"the input {data.spec.name!r} takes {data.spec.dtype}, whole numbers as they are"
    if not preprocessing.identity:
        raise UsageError(f"{what}, but a preprocessing was declared; declare none")
    low, high = bounds
    if not all(abs(end) <= _MOST_CODE and float(end).is_integer() for end in bounds):
        raise UsageError(
            f"{what}, but the bounds are {low:g} and {high:g}; declare its least and largest code, "
            f"at most {_MOST_CODE:,}"
        )
    return int(low), int(high)


@dataclass(frozen=True, eq=False)
class _Colours:
    """Where the channels of an image are.

    Attributes:
        axis: of a batch, along which they change.
        channels: how many there are.
        of: int64 (length of the axis,): which channel a place belongs to.
        apart: places from a channel to the next one of the same pixel.
    """

    axis: int
    channels: int
    of: NDArray[np.int64]
    apart: int

    @property
    def reversed(self) -> NDArray[np.int64]:
        """The place, for each place, of the opposite channel of the same pixel."""
        return np.arange(len(self.of)) + (self.channels - 1 - 2 * self.of) * self.apart


def _colours(data: Input) -> _Colours | None:
    """Return where the channels are, None where the input is no image."""
    if data.layout is None:
        return None
    if len(data.shape) == 3:
        axis = 1 if data.layout == "NCHW" else 3
        channels = data.shape[axis - 1]
        return _Colours(axis, channels, np.arange(channels), 1)
    values = data.shape[0]
    apart = values // 3 if data.layout == "NCHW" else 1
    return _Colours(1, 3, np.arange(values) // apart % 3, apart)


def _affine(
    data: Input, preprocessing: Preprocessing, bounds: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return factor and offset of (scale·(x - low)/(high - low) - mean)/std, to broadcast."""
    low, high = bounds
    if not math.isfinite(high - low):
        raise UsageError(
            "preprocessing acts on pixels between two bounds, but the bounds are infinite; declare "
            "finite bounds, or none as the preprocessing"
        )
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    unit = preprocessing.scale / (high - low)
    factor, offset = np.broadcast_arrays(unit / std, (-unit * low - mean) / std)
    axes = [1] * (1 + len(data.shape))
    if factor.size > 1:
        colours = _colours(data)
        if colours is None or colours.channels != factor.size:
            raise UsageError(
                f"preprocessing has {factor.size} numbers for mean or std, but the input of shape "
                f"{list(data.shape)} has {colours.channels if colours else 'no'} channels; give "
                "one number, or one a channel"
            )
        factor, offset = factor[colours.of], offset[colours.of]
        axes[colours.axis] = len(colours.of)
    with np.errstate(all="ignore"):
        made = factor.reshape(axes).astype(np.float32), offset.reshape(axes).astype(np.float32)
    if not np.isfinite(made).all() or (made[0] == 0).any():
        raise UsageError(
            f"preprocessing multiplies by {factor.tolist()} and adds {offset.tolist()}, which "
            "float32 cannot hold; correct its mean, std and scale, or the bounds"
        )
    _refuse_other_units(preprocessing, high - low, is_image=data.layout is not None)
    return made


_OTHER_UNITS = 16
"""Numbers this far apart are no numbers of one unit."""


def _refuse_other_units(preprocessing: Preprocessing, width: float, *, is_image: bool) -> None:
    """Refuse means that no pixel comes near, and numbers of which some count levels of 255.

    Cards have both units. What is no picture may be moved upwards, as degrees to kelvins, and
    divided by anything.
    """
    mean, std, scale = preprocessing.mean, preprocessing.std, preprocessing.scale
    least, most = sorted((0.0, scale))
    largest = max(map(abs, std))
    meant: dict[str, Any] = {}
    if max(mean) > most or (min(mean) < least and is_image):
        what = (
            f"subtracts the mean {'/'.join(f'{m:g}' for m in mean)} from values between {least:g} "
            f"and {most:g} (scale={scale:g}), but a mean among them was expected"
        )
        # A mean far below a scale is none in its units either.
        scales = [s for s in sorted({width, 255.0}) if scale < s >= max(mean) >= s / _OTHER_UNITS]
        if min(mean) >= 0 and scales:
            meant["scale"] = scales[0]
        elif least <= -max(mean) and -min(mean) <= most:
            meant["mean"] = tuple(-m for m in mean)
    elif not is_image:
        return
    elif abs(scale) < 1 / _OTHER_UNITS:
        what = f"has scale={scale:g}, which multiplies values that lie between 0 and 1 already"
        if abs(255 * scale - 1) < 0.01:
            meant["scale"] = 1.0
    elif largest > _OTHER_UNITS * abs(scale):
        what = f"divides values between 0 and {scale:g} by std={max(std):g}"
        if scale == 1.0 and largest <= 255:
            meant["std"] = tuple(float(f"{s / 255:.6g}") for s in std)
    elif scale == 255 and 0 < min(mean) <= max(mean) <= 1 and largest < 1:
        what = f"subtracts a mean and divides by a std below 1, but from values up to {scale:g}"
        meant["scale"] = 1.0
    else:
        return
    better = f"{replace(preprocessing, **meant).to_text()} is probably meant"
    raise UsageError(
        f"preprocessing {what}; "
        + (better if meant else "give scale, mean and std in the same units")
    )
