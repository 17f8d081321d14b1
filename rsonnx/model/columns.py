"""Models with an input a column: their inputs are joined to one, which is what noise is added to.

The joined input has a value a column, in the order of the data. In front of each of the model's
inputs the graph picks its values, and turns them into what that input takes: whole numbers, or the
texts that they stand for. Only inputs of floating point are given noise; the others are fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from rsonnx.columns import Column, listed_columns, plain_name
from rsonnx.errors import DataError, ModelError
from rsonnx.model.file import ModelFile
from rsonnx.model.graph import FLOATS, TensorSpec, listed, onnx_type

JOINED = "rsonnx_columns"
"""Name of the tensor that holds all columns."""

_WHOLE = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool")
_TEXT = "string"


@dataclass(frozen=True, eq=False)
class Part:
    """One of the inputs that are joined.

    Attributes:
        spec: as the file declares it.
        places: of its values in the joined input.
        texts: what these stand for, where the input takes texts.
    """

    spec: TensorSpec
    places: tuple[int, ...]
    texts: tuple[str, ...] = ()


def takes_columns(specs: Sequence[TensorSpec]) -> bool:
    """Say whether several inputs are one float value each, (N, 1), which any data can be."""
    return len(specs) > 1 and all(s.dtype in FLOATS and _width(s) == 1 for s in specs)


def join_inputs(
    model: ModelFile, specs: Sequence[TensorSpec], columns: Sequence[Column]
) -> tuple[tuple[Part, ...], tuple[Column, ...]]:
    """Return which columns each input takes, and the columns, of which some are fixed for it.

    A column goes to the input of its name, which exporters write without blanks and the like; only
    where that tells all of them apart, case and punctuation do not matter. Where no name is an
    input's, columns go to the inputs in the file's order. Inputs of several values take what is
    left, in order.

    Args:
        model: the model, for messages.
        specs: of its inputs, in the file's order.
        columns: of the data; empty for data without names, whose columns are called by the inputs.

    Raises:
        ModelError: an input is no column of a table.
        DataError: columns are missing or left over, or hold what their input does not take.
    """
    if not columns:
        columns = [Column(spec.name) for spec in specs]
    widths = {spec.name: _width(spec) for spec in specs}
    wide = [spec for spec in specs if widths[spec.name] is None]
    if wide:
        raise ModelError(
            f"{model} takes {len(specs)} inputs ({listed(specs)}), but {listed(wide[:1])} is no "
            "column of a table, (N, 1) or (N, columns); fix the values of others with --feed"
        )
    single = [name for name, width in widths.items() if width == 1]
    names = [column.name for column in columns]
    is_named = not set(map(plain_name, names)).isdisjoint(map(plain_name, single))
    apart = all(len(set(map(plain_name, several))) == len(several) for several in (names, single))
    form = plain_name if apart else str
    places = {form(name): at for at, name in enumerate(names)}
    by_name: dict[str, tuple[int, ...]] = {
        name: (places[form(name)],) for name in single if form(name) in places
    }
    left = sorted(set(range(len(columns))) - {at for (at,) in by_name.values()})
    rest = {name: width for name, width in widths.items() if name not in by_name}
    missing = [name for name, width in rest.items() if is_named and width == 1]
    if missing or sum(width or 0 for width in rest.values()) != len(left):
        raise _not_the_columns(model, rest, [columns[at].name for at in left], missing)
    for name, width in rest.items():
        by_name[name], left = tuple(left[:width]), left[width:]
    joined = list(columns)
    parts = []
    for spec in specs:
        for at in by_name[spec.name]:
            joined[at] = _taken(spec, columns[at])
        texts = columns[by_name[spec.name][0]].texts if spec.dtype == _TEXT else ()
        parts.append(Part(spec, by_name[spec.name], texts))
    return tuple(parts), tuple(joined)


def check_columns(model: ModelFile, shape: tuple[int, ...], columns: Sequence[Column]) -> None:
    """Refuse the columns of a table for a model that takes them as one input of ``shape``.

    Raises:
        DataError: they are more or fewer than its values, or hold text.
    """
    values = int(np.prod(shape))
    names = [column.name for column in columns]
    if len(columns) != values:
        raise DataError(
            f"{model} takes {values} values, but the table has {len(columns)} columns for them, "
            f"{listed_columns(names)}; take columns out, or name the label's with --label-column"
        )
    for column in columns:
        if column.texts:
            raise _no_numbers(f"{model} takes numbers", column)


def part_nodes(parts: Sequence[Part]) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from ``JOINED`` to the model's inputs, and their constants."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def add(operator: str, operands: list[str], **attributes: int) -> list[str]:
        name = f"rsonnx_column_{len(nodes)}"
        nodes.append(helper.make_node(operator, operands, [name], **attributes))  # type: ignore[arg-type]
        return [name]

    def constant(value: NDArray[Any]) -> list[str]:
        name = f"rsonnx_column_constant_{len(weights)}"
        weights.append(numpy_helper.from_array(value, name))
        return [name]

    for part in parts:
        kind = part.spec.dtype
        values = add("Gather", [JOINED, *constant(np.array(part.places, np.int64))], axis=1)
        if kind == _TEXT:
            values = add("Cast", values, to=onnx_type("int64"))
            values = add("Gather", [*constant(np.array(part.texts, object)), *values], axis=0)
        elif kind != "float32":
            values = add("Cast", values, to=onnx_type(kind))
        if len(part.spec.shape) == 1:
            add("Reshape", [*values, *constant(np.array([-1], np.int64))])
        nodes[-1].output[0] = part.spec.name
    return nodes, weights


def _width(spec: TensorSpec) -> int | None:
    """Return how many columns an input takes; None where it is no table of columns."""
    if len(spec.shape) == 1:
        return 1 if spec.shape[0] in (None, 1) or isinstance(spec.shape[0], str) else None
    if len(spec.shape) != 2:
        return None
    width = spec.shape[1] if isinstance(spec.shape[1], int) else 1
    return None if spec.dtype == _TEXT and width > 1 else width


def _taken(spec: TensorSpec, column: Column) -> Column:
    """Return a column as an input takes it: fixed unless noise can be added."""
    if spec.dtype in FLOATS:
        if column.texts:
            raise _no_numbers(f"the input {spec.name!r} takes numbers", column)
        return column
    if spec.dtype == _TEXT:
        if not column.texts:
            raise DataError(
                f"the input {spec.name!r} takes text, but the column {column.name!r} holds numbers "
                "alone; give a Parquet table, in which it is of text"
            )
    elif spec.dtype not in _WHOLE:
        raise ModelError(
            f"the input {spec.name!r} has type {spec.dtype}, but a column is of numbers or text"
        )
    elif column.texts:
        raise _no_numbers(f"the input {spec.name!r} takes {spec.dtype}", column)
    elif not column.whole:
        raise DataError(
            f"the input {spec.name!r} takes {spec.dtype}, but the column {column.name!r} has a "
            "value that is no whole number up to 2^24; correct the column"
        )
    return replace(column, fixed=True)


def _no_numbers(takes: str, column: Column) -> DataError:
    return DataError(
        f"{takes}, but the column {column.name!r} holds text, such as {_no_number(column)!r:.40}; "
        "take it out, or write numbers into it"
    )


def _no_number(column: Column) -> str:
    """Return the first text of a column that is no number; the first, if all are."""
    for text in column.texts:
        try:
            float(text)
        except ValueError:
            return text
    return column.texts[0]


def _not_the_columns(
    model: ModelFile, rest: dict[str, int | None], left: list[str], missing: list[str]
) -> DataError:
    lacks = f"lacks {listed_columns(missing or list(rest))}" if rest else ""
    extra = f"has {listed_columns(left)}, which it does not take" if left else ""
    return DataError(
        f"the columns of the table are not the inputs of {model}: it "
        f"{' and '.join(filter(None, (lacks, extra)))}; correct their names, or take columns out"
    )
