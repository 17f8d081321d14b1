"""Which input of a model is smoothed, its shape, and what the other inputs are fed with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import ModelError, UsageError
from rsonnx.model.graph import FLOATS, TensorSpec, listed
from rsonnx.model.outputs import Output
from rsonnx.model.read import ModelFile

INTEGERS = {"uint8": (0, 255), "int8": (-128, 127)}
"""Integer types that an input may have, with what they hold."""

_IMAGE_CHANNELS = (1, 3)
PAIRED_CHANNELS = (2, 6)
"""Of classifiers for ablated images, which see x and 1 - x of every channel."""

_CHANNELS = (*_IMAGE_CHANNELS, *PAIRED_CHANNELS)

_MOST_VALUES = 2**28
"""A gigabyte of float32: more than any input of a classifier, and a batch of it fits no memory."""


@dataclass(frozen=True, eq=False)
class Input:
    """The input that is smoothed.

    Attributes:
        spec: as the file declares it.
        batch: the batch size that the file fixes; None where it is free.
        shape: of one input, without the batch axis.
        layout: ``"NCHW"``, ``"NHWC"`` or None where the input is no image; of a flat input, the
            declared one from which it was flattened.
        has_batch_axis: False where the model takes one bare input.
        feeds: constant values for the model's other inputs.
    """

    spec: TensorSpec
    batch: int | None
    shape: tuple[int, ...]
    layout: str | None
    has_batch_axis: bool
    feeds: Mapping[str, NDArray[Any]]


def find_input(
    model: ModelFile,
    output: Output,
    *,
    layout: str | None = None,
    size: tuple[int, int] | None = None,
    input_shape: Sequence[int] | None = None,
    feeds: Mapping[str, Any] | None = None,
) -> Input:
    """Find the data input on which the output depends.

    Args:
        model: the model.
        output: the tensor that answers; inputs on which it does not depend are left out.
        layout: ``"NCHW"`` or ``"NHWC"`` where the shape leaves it open.
        size: (height, width) that images are brought to, where that is declared: it is named where
            axes are open, and never taken unasked.
        input_shape: of one input, without the batch axis, where the file leaves axes open.
        feeds: values for inputs that are not smoothed, by name: numbers or arrays.

    Raises:
        ModelError: there is not exactly one input left, or it is of a kind that cannot be smoothed.
        UsageError: a feed, shape or layout contradicts the file.
    """
    needed, _ = model.view.needed(output.tensors)
    used = tuple(spec for spec in model.view.inputs if spec.name in needed)
    fed = _feeds(model, used, feeds or {})
    left = [spec for spec in used if spec.name not in fed]
    if len(left) != 1:
        raise ModelError(
            f"{model} takes {len(left)} inputs ({listed(left)}), but noise is added to one; "
            + ("fix the values of the others with --feed NAME=VALUE" if left else "none is left")
        )
    spec = left[0]
    if spec.dtype not in FLOATS and spec.dtype not in INTEGERS:
        raise ModelError(
            f"the input {spec.name!r} of {model} has type {spec.dtype}, to which no noise can "
            f"be added; one of {', '.join([*FLOATS, *INTEGERS])} is needed"
        )
    has_batch = _has_batch_axis(spec, output)
    declared = spec.shape[1:] if has_batch else spec.shape
    if input_shape is None:
        _refuse_contradictions(model, spec, declared, layout, size)
        shape = _fixed(model, spec, declared, _example(declared, layout, size))
    else:
        shape = _fitting(model, spec, declared, input_shape)
    first = spec.shape[0] if has_batch and spec.shape else None
    batch = (first if isinstance(first, int) else None) if has_batch else 1
    if batch is not None:
        _bounded(model, spec, (batch, *shape))
    return Input(spec, batch, shape, _layout(model, spec, shape, layout), has_batch, fed)


def _has_batch_axis(spec: TensorSpec, output: Output) -> bool:
    """Return whether the first axis of the input counts inputs.

    A single axis holds the values of one input. So do all axes where the scores have one axis that
    does not match the input's first.
    """
    if len(spec.shape) == 1:
        return False
    scores = output.spec.shape
    bare = output.kind == "scores" and output.label is None
    one_vector = bare and len(scores) == 1 and isinstance(scores[0], int)
    return not (one_vector and scores[0] not in (1, spec.shape[0]))


def _fixed(
    model: ModelFile, spec: TensorSpec, declared: tuple[int | str | None, ...], example: str
) -> tuple[int, ...]:
    fixed = tuple(d for d in declared if isinstance(d, int))
    if len(fixed) < len(declared) or not declared:
        raise ModelError(
            f"the input {spec.name!r} of {model} has shape {spec.dimensions}, which leaves "
            f"axes of one input open; fix them with --input-shape{example}"
        )
    return _bounded(model, spec, fixed)


def _example(
    declared: tuple[int | str | None, ...], layout: str | None, size: tuple[int, int] | None
) -> str:
    """Return how ``--input-shape`` goes on for an image; for anything else, that it needs numbers.

    The channels are where the layout or their number says, else in front, as in most exports.
    """
    if size is not None and not declared:
        declared = (None, None, None)
    axes = len(declared)
    if axes != 3 and (size is None or axes != 2):
        return ", a whole number an axis" if axes > 1 else ", such as 4"
    last = _channels_last(declared, layout)
    sides = size or (224, 224)
    usual = sides if axes == 2 else (*sides, 3) if last else (3, *sides)
    shape = [d if isinstance(d, int) else u for d, u in zip(declared, usual, strict=True)]
    such, why = (", such as", "") if size is None else ("", ", the declared size")
    return f"{such} {','.join(map(str, shape))}{why}"


def _channels_last(declared: tuple[int | str | None, ...], layout: str | None) -> bool:
    return layout == "NHWC" or (layout is None and declared[-1] in _IMAGE_CHANNELS)


def _refuse_contradictions(
    model: ModelFile,
    spec: TensorSpec,
    declared: tuple[int | str | None, ...],
    layout: str | None,
    size: tuple[int, int] | None,
) -> None:
    """Refuse a layout or size that axes contradict, before one is told how to fix the others."""
    if len(declared) not in (2, 3) or all(isinstance(axis, int) for axis in declared):
        return
    sides = declared
    if len(declared) == 3:
        last = _channels_last(declared, layout)
        sides = declared[:2] if last else declared[1:]
        channels, other = (declared[2], declared[0]) if last else (declared[0], declared[2])
        if isinstance(channels, int):
            turned = isinstance(declared[1], int) and not isinstance(other, int)
            wrong = channels not in _CHANNELS and (other in _CHANNELS or turned)
        else:
            wrong = other in _IMAGE_CHANNELS
        if layout is not None and wrong:
            raise _no_channels(model, spec, layout)
    if any(isinstance(s, int) and s != w for s, w in zip(sides, size or sides, strict=True)):
        raise UsageError(
            f"the preprocessing makes images of {'x'.join(map(str, size or ()))} (height x width), "
            f"but the input {spec.name!r} of {model} has shape {spec.dimensions}; correct its "
            "resize and crop"
        )


def _no_channels(model: ModelFile, spec: TensorSpec, layout: str) -> UsageError:
    return UsageError(
        f"the layout {layout} was declared, but the input {spec.name!r} of {model} "
        f"has shape {spec.dimensions}, which has no 1 or 3 channels there (nor 2 or 6)"
    )


def _fitting(
    model: ModelFile,
    spec: TensorSpec,
    declared: tuple[int | str | None, ...],
    wanted: Sequence[int],
) -> tuple[int, ...]:
    given = tuple(int(d) for d in wanted)
    fits = not declared or (
        len(given) == len(declared)
        and all(not isinstance(d, int) or d == g for d, g in zip(declared, given, strict=True))
    )
    if not fits or any(g < 1 for g in given):
        raise UsageError(
            f"the input shape {','.join(map(str, given))} was declared, but one input of "
            f"{spec.name!r} of {model} has shape {TensorSpec('', '', declared).dimensions}"
        )
    return _bounded(model, spec, given)


def _bounded(model: ModelFile, spec: TensorSpec, shape: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(shape) > _MOST_VALUES:
        raise ModelError(
            f"the input {spec.name!r} of {model} has {math.prod(shape):,} values, but at most "
            f"{_MOST_VALUES:,} can be smoothed; correct its shape"
        )
    return shape


def _layout(
    model: ModelFile, spec: TensorSpec, shape: tuple[int, ...], declared: str | None
) -> str | None:
    possible = []
    if len(shape) == 3:
        possible += ["NCHW"] if shape[0] in _IMAGE_CHANNELS else []
        possible += ["NHWC"] if shape[2] in _IMAGE_CHANNELS else []
    if declared is not None:
        at, other = (0, 2) if declared == "NCHW" else (2, 0)
        if len(shape) == 3 and shape[at] not in _CHANNELS and shape[other] in _CHANNELS:
            raise _no_channels(model, spec, declared)
        # A flat input may be a colour image of either layout, whose values stand in a row.
        flat = len(shape) == 1 and shape[0] % 3 == 0
        return declared if flat or len(shape) == 3 else None
    denoted = denoted_layout(model, spec.name)
    if denoted in possible:
        return denoted
    if len(possible) == 2:
        raise ModelError(
            f"the input {spec.name!r} of {model} has shape {spec.dimensions}, which can be "
            "NCHW or NHWC; declare the layout in the preprocessing"
        )
    return possible[0] if possible else None


def _feeds(
    model: ModelFile, used: Sequence[TensorSpec], feeds: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    known = {spec.name: spec for spec in used}
    found = {}
    for name, value in feeds.items():
        if name not in known:
            raise UsageError(
                f"a value was given for the input {name!r}, but {model} uses {listed(used)}"
            )
        found[name] = _fed_value(known[name], value)
    return found


def _fed_value(spec: TensorSpec, value: Any) -> NDArray[Any]:
    try:
        dtype = np.dtype("bool" if spec.dtype == "bool" else spec.dtype)
        array = np.asarray(value)
        with np.errstate(all="ignore"):
            converted = array.astype(dtype)
        changed = dtype.kind in "iub" and not np.array_equal(converted, array)
        overflowed = np.isfinite(converted).sum() != np.isfinite(array).sum()
        if changed or overflowed:
            raise ValueError("the value changes its meaning")
        return _in_shape(converted, spec)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"the value {value!r} was given for the input {spec.name!r}, but it takes {spec.dtype} "
            f"{spec.dimensions}"
        ) from None


def _in_shape(value: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """Give a fed value its input's shape: one number fills it, a list is taken in row order."""
    shape = tuple(d if isinstance(d, int) else 1 for d in spec.shape)
    if value.ndim == 0:
        return np.full(shape, value)
    fits = len(shape) == value.ndim and all(
        not isinstance(d, int) or d == given
        for d, given in zip(spec.shape, value.shape, strict=True)
    )
    # An input of no known shape may have any.
    return value if fits or not shape else value.reshape(shape)


def denoted_layout(model: ModelFile, name: str) -> str | None:
    """Return the layout that the denotations of an input's axes tell, or None.

    ONNX denotes the axis of the channels as DATA_CHANNEL (its DimensionDenotation.md).
    """
    for value in model.proto.graph.input:
        if value.name == name:
            axes = [d.denotation for d in value.type.tensor_type.shape.dim]
            if len(axes) == 4 and axes.count("DATA_CHANNEL") == 1:
                return {1: "NCHW", 3: "NHWC"}.get(axes.index("DATA_CHANNEL"))
    return None
