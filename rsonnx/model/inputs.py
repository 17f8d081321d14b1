"""Which input of a model is smoothed, its shape, and what the other inputs are fed with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.columns import Column
from rsonnx.errors import Ask, ModelError, UsageError, refuse
from rsonnx.model.columns import JOINED, Part, check_columns, join_inputs, takes_columns
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import FLOATS, Dimension, TensorSpec, listed
from rsonnx.model.outputs import Output
from rsonnx.scalars import shown

INTEGERS = {"uint8": (0, 255), "int8": (-128, 127)}
"""Integer types that an input may have, with what they hold."""

CODES = ("int32", "int64")
"""Those that hold more than float32 tells apart: such an input takes whole numbers between the
bounds as they are, and noise on codes alone changes it into such."""

_SMOOTHED = (*FLOATS, *INTEGERS, *CODES)

_SIDE = 224
"""Pixels that an example of a picture has where nothing says how many."""

_IMAGE_CHANNELS = (1, 3)
_CHANNELS = (*_IMAGE_CHANNELS, 2, 6)
"""With those of classifiers for ablated images, which see x and 1 - x of every channel."""

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
        columns: what its values are, where they are columns of a table; else empty.
        parts: the inputs of the file that are joined to this one; empty where it is the file's own.
    """

    spec: TensorSpec
    batch: int | None
    shape: tuple[int, ...]
    layout: str | None
    has_batch_axis: bool
    feeds: Mapping[str, NDArray[Any]]
    columns: tuple[Column, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The inputs of the file."""
        return tuple(part.spec for part in self.parts) or (self.spec,)


def find_input(
    model: ModelFile,
    output: Output,
    *,
    layout: str | None = None,
    size: tuple[int, int] | None = None,
    input_shape: Sequence[int] | None = None,
    feeds: Mapping[str, Any] | None = None,
    columns: Sequence[Column] = (),
    ask: Ask = refuse,
) -> Input:
    """Find the data input on which the output depends; inputs of columns are joined to one.

    Args:
        model: the model.
        output: the tensor that answers; inputs on which it does not depend are left out.
        layout: ``"NCHW"`` or ``"NHWC"`` where the shape leaves it open.
        size: (height, width) that images are brought to, where that is declared: it is named where
            axes are open, and never taken unasked.
        input_shape: of one input, without the batch axis, where the file leaves axes open.
        feeds: values for inputs that are not smoothed, by name: numbers or arrays.
        columns: of the table that the data are; empty for other data.
        ask: hears what else has to be declared; where it returns, so does this, with a guess.

    Raises:
        DataError: the columns are not those that the model takes.
        ModelError: there is not exactly one input left, or it is of a kind that cannot be smoothed.
        UsageError: a feed, shape or layout contradicts the file.
    """
    needed = model.view.inputs_behind(output.tensors)
    used = [spec for spec in model.view.inputs if spec.name in needed]
    specs = {spec.name: spec for spec in used}
    unknown = [name for name in feeds or {} if name not in specs]
    if unknown:
        raise UsageError(
            f"a value was given for the input {unknown[0]!r}, but {model} uses {listed(used)}"
        )
    fed = {name: _fed_value(specs[name], value) for name, value in (feeds or {}).items()}
    left = [spec for spec in used if spec.name not in fed]
    if len(left) > 1 and (columns or takes_columns(left)):
        return _joined(model, left, columns, fed)
    if len(left) != 1:
        several = ModelError(
            f"{model} takes {len(left)} inputs ({listed(left)}), but noise is added to one; "
            + ("fix the values of the others with --feed NAME=VALUE" if left else "none is left")
        )
        left = [spec for spec in left if spec.dtype in _SMOOTHED]
        if not left:
            raise several
        ask(several)
        if len(left) > 1:  # nothing is asked of one that may be fixed
            return Input(left[0], None, (), layout, has_batch_axis=True, feeds=fed)
    reader = _Reader(model, left[0], layout, size, len(columns), ask)
    data = reader.read(output, input_shape, fed)
    if columns:
        check_columns(model, data.shape, columns)
    return replace(data, columns=tuple(columns))


def _joined(
    model: ModelFile,
    specs: Sequence[TensorSpec],
    columns: Sequence[Column],
    fed: Mapping[str, NDArray[Any]],
) -> Input:
    """Return the inputs of a model as one, with a value a column."""
    parts, joined = join_inputs(model, specs, columns)
    sizes = {spec.shape[0] for spec in specs}
    fixed = {size for size in sizes if isinstance(size, int)}
    if len(fixed) > 1 or (fixed and len(sizes) > 1):
        raise ModelError(
            f"{model} takes {listed(specs)}, whose first axes are of several lengths; export it "
            "with one free batch size"
        )
    batch = fixed.pop() if fixed else None
    spec = TensorSpec(JOINED, "float32", (batch, len(joined)))
    return Input(spec, batch, (len(joined),), None, True, fed, joined, parts)


class _Reader:
    """Understands one input as what is smoothed, or refuses it."""

    def __init__(
        self,
        model: ModelFile,
        spec: TensorSpec,
        layout: str | None,
        size: tuple[int, int] | None,
        columns: int,
        ask: Ask,
    ) -> None:
        self.spec, self.layout, self.size, self.ask = spec, layout, size, ask
        self.columns = columns
        self.model = model
        self.where = f"the input {spec.name!r} of {model}"

    def read(
        self, output: Output, input_shape: Sequence[int] | None, fed: Mapping[str, NDArray[Any]]
    ) -> Input:
        spec = self.spec
        if spec.dtype not in _SMOOTHED:
            raise ModelError(
                f"{self.where} has type {spec.dtype}, which no noise gives; one of "
                f"{', '.join(_SMOOTHED)} is needed"
            )
        has_batch = _has_batch_axis(spec, output)
        declared = spec.shape[1:] if has_batch else spec.shape
        if self.columns and len(declared) == 1 and input_shape is None:  # a table knows its width
            declared = tuple(d if isinstance(d, int) else self.columns for d in declared)
        if input_shape is None:
            self._refuse_contradictions(declared)
            shape = tuple(d for d in declared if isinstance(d, int))
            if len(shape) < len(declared) or not declared:
                self.ask(
                    ModelError(
                        f"{self.where} has shape {spec.dimensions}, which leaves axes of one input "
                        f"open; fix them with --input-shape{self._example(declared)}"
                    )
                )
                shape = tuple(d if isinstance(d, int) else _SIDE for d in declared)
        else:
            shape = tuple(map(int, input_shape))
            if not (_fits(declared, shape) or not declared) or min(shape, default=1) < 1:
                raise UsageError(
                    f"the input shape {','.join(map(str, shape))} was declared, but one input of "
                    f"{spec.name!r} of {self.model} has shape "
                    f"{TensorSpec('', '', declared).dimensions}"
                )
        first = spec.shape[0] if has_batch and spec.shape else None
        batch = (first if isinstance(first, int) else None) if has_batch else 1
        values = math.prod(shape) * (batch or 1)
        if values > _MOST_VALUES:
            raise ModelError(
                f"{self.where} has {values:,} values, but at most {_MOST_VALUES:,} can be "
                "smoothed; correct its shape"
            )
        return Input(spec, batch, shape, self._layout(shape), has_batch, fed)

    def _example(self, declared: tuple[Dimension, ...]) -> str:
        """Return how ``--input-shape`` goes on for an image, else that it needs numbers.

        The channels are where the layout or their number says, else in front, as in most exports.
        """
        if self.size is not None and not declared:
            declared = (None, None, None)
        axes = len(declared)
        if axes != 3 and (self.size is None or axes != 2):
            return ", a whole number an axis" if axes > 1 else ", such as 4"
        sides = self.size or (_SIDE, _SIDE)
        last = axes == 3 and self._channels_last(declared)
        usual = sides if axes == 2 else (*sides, 3) if last else (3, *sides)
        shape = [d if isinstance(d, int) else u for d, u in zip(declared, usual, strict=True)]
        text = ",".join(map(str, shape))
        return f", such as {text}" if self.size is None else f" {text}, the declared size"

    def _channels_last(self, declared: tuple[Dimension, ...]) -> bool:
        return self.layout == "NHWC" or (self.layout is None and declared[-1] in _IMAGE_CHANNELS)

    def _refuse_contradictions(self, declared: tuple[Dimension, ...]) -> None:
        """Refuse a layout or size that axes contradict, before saying how to fix the others."""
        if len(declared) not in (2, 3) or all(isinstance(axis, int) for axis in declared):
            return
        sides = declared
        if len(declared) == 3:
            last = self._channels_last(declared)
            sides = declared[:2] if last else declared[1:]
            channels, other = (declared[2], declared[0]) if last else (declared[0], declared[2])
            if isinstance(channels, int):
                turned = isinstance(declared[1], int) and not isinstance(other, int)
                wrong = channels not in _CHANNELS and (other in _CHANNELS or turned)
            else:
                wrong = other in _IMAGE_CHANNELS
            if self.layout is not None and wrong:
                raise self._no_channels()
        size = self.size or sides
        if any(isinstance(s, int) and s != w for s, w in zip(sides, size, strict=True)):
            raise UsageError(
                f"the preprocessing makes images of {'x'.join(map(str, size))} (height x width), "
                f"but {self.where} has shape {self.spec.dimensions}; correct its resize and crop"
            )

    def _no_channels(self) -> UsageError:
        return UsageError(
            f"the layout {self.layout} was declared, but {self.where} has shape "
            f"{self.spec.dimensions}, which has no 1 or 3 channels there (nor 2 or 6)"
        )

    def _layout(self, shape: tuple[int, ...]) -> str | None:
        is_image = len(shape) == 3
        if self.layout is not None:
            at, other = (0, 2) if self.layout == "NCHW" else (2, 0)
            if is_image and shape[at] not in _CHANNELS and shape[other] in _CHANNELS:
                raise self._no_channels()
            # A flat input may be a colour image of either layout, whose values stand in a row.
            flat = len(shape) == 1 and shape[0] % 3 == 0
            return self.layout if flat or is_image else None
        ends = (("NCHW", shape[0]), ("NHWC", shape[2])) if is_image else ()
        possible = [layout for layout, channels in ends if channels in _IMAGE_CHANNELS]
        denoted = self._denoted_layout()
        if len(possible) == 2 and denoted not in possible:
            self.ask(
                ModelError(
                    f"{self.where} has shape {self.spec.dimensions}, which can be NCHW or NHWC; "
                    "declare the layout in the preprocessing"
                )
            )
        return denoted if denoted in possible else possible[0] if possible else None

    def _denoted_layout(self) -> str | None:
        """Return the layout that the denotations of the axes tell, or None.

        ONNX denotes the axis of the channels as DATA_CHANNEL (its DimensionDenotation.md).
        """
        for value in self.model.proto.graph.input:
            axes = [d.denotation for d in value.type.tensor_type.shape.dim]
            if value.name == self.spec.name and len(axes) == 4 and axes.count("DATA_CHANNEL") == 1:
                return {1: "NCHW", 3: "NHWC"}.get(axes.index("DATA_CHANNEL"))
        return None


def _fits(declared: Sequence[Dimension], shape: Sequence[int]) -> bool:
    return len(declared) == len(shape) and all(
        not isinstance(d, int) or d == length for d, length in zip(declared, shape, strict=True)
    )


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


def _fed_value(spec: TensorSpec, value: Any) -> NDArray[Any]:
    """Return a fed value as its input takes it: one number fills it, a list is taken in order."""
    try:
        dtype, array = np.dtype(spec.dtype), np.asarray(value)
        with np.errstate(all="ignore"):
            converted = array.astype(dtype)
        changed = dtype.kind in "iub" and not np.array_equal(converted, array)
        if changed or np.isfinite(converted).sum() != np.isfinite(array).sum():
            raise ValueError("the value changes its meaning")
        shape = tuple(d if isinstance(d, int) else 1 for d in spec.shape)
        if converted.ndim == 0:
            return np.full(shape, converted)
        # An input of no known shape may have any.
        is_fitting = not shape or _fits(spec.shape, converted.shape)
        return converted if is_fitting else converted.reshape(shape)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"the value {shown(value)} was given for the input {spec.name!r}, but it takes "
            f"{spec.dtype} {spec.dimensions}"
        ) from None
