"""Operators that give values another shape: reshape, transpose, expand, repeat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rsonnx.model.rows.call import Call, of_shape, positive, rule, spare
from rsonnx.model.rows.elementwise import broadcast
from rsonnx.model.rows.values import (
    Dim,
    Multiple,
    Shape,
    Tensor,
    UnprovedError,
    count,
    product,
    rows_axis,
    stored_shape,
)


def regroup(source: Shape, target: Shape) -> Tensor:
    """Return a tensor in another shape with the same values in the same order.

    Of source axes (before, outer·N·k, after) row i owns the values numbered (P·N + i)·R + r, for P
    below before·outer and r below R = k·after. The target has the same numbers, so its axis of rows
    comes round as often as is left of before·outer by the axes before it.
    """
    old, new = rows_axis(source), rows_axis(target)
    before, after = count(source), count(target)
    if None not in (before, after) and before != after:
        raise UnprovedError("a shape that holds another number of values")
    if old is None and new is None:
        return Tensor(target)
    rows, moved = (
        None if axis is None else shape[axis] for axis, shape in ((old, source), (new, target))
    )
    if not isinstance(rows, Multiple) or not isinstance(moved, Multiple) or 0 in (before, after):
        raise UnprovedError("rows that are merged into other axes")
    if rows.of is not moved.of:
        raise UnprovedError("rows of two masks")
    above, passed = product(source[:old]), product(target[:new])
    if not isinstance(above, int) or not isinstance(passed, int) or passed < 1:
        raise UnprovedError("rows behind an axis of unknown length")
    outer, rest = divmod(above * rows.outer, passed)
    if rest or outer < 1 or moved.factor % outer:
        raise UnprovedError("rows that are merged with an axis before them")
    return Tensor((*target[:new], replace(moved, outer=outer), *target[new + 1 :]))  # type: ignore[operator]


@rule("Reshape", sizes={1})
def _reshape(call: Call) -> Tensor:
    source, asked = call.tensor().dims, call.numbers(1, "shape")
    if asked is None:
        raise UnprovedError("no shape")
    copies = not call.attribute("allowzero", 0)
    target: list[Any] = [
        source[axis] if size == 0 and copies else size for axis, size in enumerate(asked)
    ]
    if -1 in target:
        place = target.index(-1)
        target[place] = _remaining(count(source), count((*target[:place], *target[place + 1 :])))
    if any(isinstance(size, int) and size < 0 for size in target):
        raise UnprovedError("a negative size")
    return regroup(source, tuple(target))


def _remaining(total: Dim, others: Dim) -> Dim:
    if total is None or others is None:
        # Whether this axis holds rows does not depend on what is unknown: the others do or do not.
        return None
    if isinstance(others, int) and others < 1:
        raise UnprovedError("a size of 0")
    if isinstance(total, Multiple):
        return total // others
    if isinstance(others, Multiple) or total % others:
        raise UnprovedError("a shape that holds another number of values")
    return total // others


@rule("Flatten")
def _flatten(call: Call) -> Tensor:
    source = call.tensor().dims
    axis = call.attribute("axis", 1)
    axis = axis if axis == len(source) else positive(axis, len(source))
    return regroup(source, (product(source[:axis]), product(source[axis:])))


@rule("Transpose")
def _transpose(call: Call) -> Tensor:
    source = call.tensor().dims
    asked = call.integers("perm")
    order = list(reversed(range(len(source)))) if asked is None else asked
    if sorted(order) != list(range(len(source))):
        raise UnprovedError("perm")
    return Tensor(tuple(source[axis] for axis in order))


@rule("Squeeze")
def _squeeze(call: Call) -> Tensor:
    source, asked = call.tensor().dims, call.numbers(1, "axes")
    if not asked:  # onnxruntime takes an empty list for none
        # A single row loses its axis too.
        if None in source or any(isinstance(s, Multiple) and s.factor == 1 for s in source):
            raise UnprovedError("no axes")
        return Tensor(tuple(size for size in source if size != 1))
    axes = call.axes(asked, len(source))
    if any(source[axis] not in (1, None) for axis in axes):
        raise UnprovedError("an axis that is longer than 1")
    return Tensor(tuple(size for axis, size in enumerate(source) if axis not in axes))


@rule("Unsqueeze")
def _unsqueeze(call: Call) -> Tensor:
    source, asked = call.tensor().dims, call.numbers(1, "axes")
    if asked is None:
        raise UnprovedError("no axes")
    rank = len(source) + len(asked)
    axes = set(call.axes(asked, rank))
    rest = iter(source)
    if len(axes) != len(asked):
        raise UnprovedError("axes")
    return Tensor(tuple(1 if axis in axes else next(rest) for axis in range(rank)))


@rule("ConstantOfShape", sizes={0})
@rule("Expand", sizes={1})
def _of_sizes(call: Call) -> Tensor:
    expands = call.operator == "Expand"
    asked = call.numbers(int(expands))
    if asked is None or any(isinstance(size, int) and size < 0 for size in asked):
        raise UnprovedError("sizes")
    return of_shape(*(broadcast(call.tensor().dims, tuple(asked)) if expands else asked))


@rule("Tile", sizes={1})
def _tile(call: Call) -> Tensor:
    source, repeats = call.tensor().dims, call.numbers(1)
    if repeats is None or len(repeats) != len(source):
        raise UnprovedError("repeats")
    pairs = list(zip(source, repeats, strict=True))
    if any(isinstance(size, Multiple) and times != 1 for size, times in pairs):
        raise UnprovedError()
    return of_shape(*(size if times == 1 else product((size, times)) for size, times in pairs))


@rule("DepthToSpace", "SpaceToDepth")
def _blocks(call: Call) -> Tensor:
    tensor, block = call.rows_first(rank=4), call.attribute("blocksize", 0)
    rows, *sizes = tensor.dims
    direction = 1 if call.operator == "DepthToSpace" else -1
    shape: list[Dim] = [rows]
    for size, power in zip(sizes, (-2, 1, 1), strict=True):
        if size is None:
            shape.append(None)
        elif power * direction > 0:
            shape.append(product((size, block ** abs(power))))
        else:
            shape.append(_remaining(size, block ** abs(power)))
    return of_shape(*shape)


@rule("Trilu")
def _trilu(call: Call) -> Tensor:
    tensor = call.tensor()
    call.fixed(1)
    spare(tensor, tensor.rank - 1, tensor.rank - 2)
    return Tensor(tensor.dims)


def shown(call: Call) -> Shape:
    """Return the part of its input's shape that a Shape operator gives."""
    dims = call.tensor().dims
    shape = dims[call.attribute("start", 0) : call.attribute("end", len(dims))]
    # A number tells nothing of how rows lie on an axis.
    return tuple(replace(size, outer=1) if isinstance(size, Multiple) else size for size in shape)


rule("Shape")(lambda call: Tensor((len(shown(call)),)))
rule("Size")(lambda _: Tensor(()))


@rule("Range")
def _range(call: Call) -> Tensor:
    call.fixed_from(0)
    return Tensor((None,))


@rule("Constant")
def _constant(call: Call) -> Tensor:
    for name, attribute in call.attributes.items():
        if name == "value":
            return Tensor(stored_shape(attribute.t.dims))
        if name == "sparse_value":
            return Tensor(stored_shape(attribute.sparse_tensor.dims))
        if name in ("value_int", "value_float", "value_string"):
            return Tensor(())
        if name in ("value_ints", "value_floats", "value_strings"):
            return Tensor((len(getattr(attribute, name.removeprefix("value_"))),))
    raise UnprovedError("no value")
