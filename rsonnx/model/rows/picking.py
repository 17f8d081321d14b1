"""Operators that take, join and move parts of tensors."""

from __future__ import annotations

from typing import Any

from rsonnx.model.rows.call import Call, of_shape, positive, spare
from rsonnx.model.rows.values import Dim, Multiple, Shape, Tensor, UnprovedError, Value

_TO_THE_END = 2**31 - 1
"""What exporters write as the end of an axis of any length; no batch has as many rows."""


def concatenated(tensors: list[Tensor], axis: int) -> Tensor:
    """Return tensors one after the other along an axis; all of them have rows, or none has."""
    shapes = [tensor.dims for tensor in tensors]
    rest = {_without(shape, axis) for shape in shapes}
    with_rows = {tensor.axis for tensor in tensors}
    if axis in with_rows or len(with_rows) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise UnprovedError()
    rows = with_rows.pop()
    if rows is not None and len({shape[rows] for shape in shapes}) > 1:
        raise UnprovedError("rows of several lengths")
    sizes = [shape[axis] for shape in shapes]
    shape: list[Dim] = list(shapes[0]) if len(rest) == 1 else [None] * len(shapes[0])
    shape[axis] = None if None in sizes else sum(sizes)  # type: ignore[arg-type]
    if rows is not None:
        shape[rows] = shapes[0][rows]
    return of_shape(*shape)


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _concat(call: Call) -> list[Value]:
    return [concatenated(call.given, call.axis(call.tensor(0).rank))]


def _split(call: Call) -> list[Value]:
    tensor = call.tensor(0)
    axis = call.axis(tensor.rank, 0)
    spare(tensor, axis)
    sizes = _parts(call, tensor.dims[axis])
    made = []
    for size in sizes:
        shape = list(tensor.dims)
        shape[axis] = size
        made.append(Tensor(tuple(shape)))
    return list(made)


def _parts(call: Call, size: Dim) -> list[Any]:
    asked = call.numbers(1, "split")
    if asked is not None:
        if len(asked) != call.outputs or any(isinstance(part, Multiple) for part in asked):
            raise UnprovedError("parts")
        return asked
    if not isinstance(size, int):
        return [None] * call.outputs
    part = -(-size // call.outputs)
    last = size - part * (call.outputs - 1)
    return [part] * (call.outputs - 1) + [last]


def slices(call: Call) -> list[slice]:
    """Return what a Slice takes of each axis, all of an axis of rows."""
    tensor = call.tensor(0)
    starts, ends = call.numbers(1, "starts"), call.numbers(2, "ends")
    if starts is None or ends is None:
        raise UnprovedError("no starts or ends")
    asked = call.numbers(3, "axes")
    axes = list(range(len(starts))) if asked is None else asked
    steps = call.numbers(4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) == len(set(axes)):
        raise UnprovedError("starts, ends, axes and steps")
    found = [slice(None)] * tensor.rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = positive(axis, tensor.rank)
        size = tensor.dims[place]
        if found[place] != slice(None):
            raise UnprovedError("axes")
        if isinstance(size, Multiple):
            if start != 0 or step != 1 or not (end == size or _is_end(end)):
                raise UnprovedError()
        elif any(isinstance(v, Multiple) for v in (start, end, step)):
            raise UnprovedError("a place that depends on the number of rows")
        else:
            found[place] = slice(start, end, step)
    return found


def _is_end(end: Any) -> bool:
    return isinstance(end, int) and end >= _TO_THE_END


def _slice(call: Call) -> list[Value]:
    shape: list[Dim] = []
    for part, size in zip(slices(call), call.tensor(0).dims, strict=True):
        if part == slice(None):
            shape.append(size)
        elif part.step < 0:  # whose ends runtimes clamp in ways of their own
            shape.append(None)
        else:
            shape.append(len(range(size)[part]) if isinstance(size, int) else None)
    return [of_shape(*shape)]


def _takes_a_subset(data: Tensor, indices: Tensor, axis: int) -> bool:
    """Return whether indices are the places of rows that a mask of each row's own takes.

    What is taken are the mask's rows then, in their order. Elsewhere a place would tell a row's
    number.
    """
    if indices.places is None:
        return False
    if indices.places.dims != (data.dims[axis],):
        raise UnprovedError("row numbers used as values")
    return True


def _non_zero(call: Call) -> list[Value]:
    mask = call.tensor(0)
    if mask.rank != 1 or mask.axis is None:
        raise UnprovedError()
    return [Tensor((1, Multiple(1, mask)), places=mask)]


def _gather(call: Call) -> list[Value]:
    data, indices = call.tensor(0), call.tensor(1)
    axis = call.axis(data.rank, 0)
    if not _takes_a_subset(data, indices, axis):
        spare(data, axis)
    return [of_shape(*data.dims[:axis], *indices.dims, *data.dims[axis + 1 :])]


def _gather_elements(call: Call) -> list[Value]:
    data, indices = call.tensor(0), call.tensor(1)
    axis = call.axis(data.rank, 0)
    _same_rows(data, indices, axis)
    return [Tensor(indices.dims)]


def _same_rows(data: Tensor, indices: Tensor, axis: int) -> None:
    """Demand that indices into one axis take, for each row, values of that row or of no row.

    Into the other axes they stand at the place that they take, so into an axis of rows only where
    they have the same rows, and into a fixed one never by their row.
    """
    if data.rank != indices.rank:
        raise UnprovedError("ranks")
    if data.axis is not None:
        spare(data, axis)
        if data.dims[data.axis] != indices.dims[data.axis]:
            raise UnprovedError("indices without rows")
    elif indices.axis not in (None, axis):
        raise UnprovedError("fixed values, one for each of so many rows")


def _gather_nd(call: Call) -> list[Value]:
    data, indices = call.tensor(0), call.tensor(1)
    batch = call.attribute("batch_dims", 0)
    depth = indices.dims[-1]
    if not isinstance(depth, int) or not 0 <= batch < indices.rank or batch + depth > data.rank:
        raise UnprovedError("indices")
    if not (_takes_a_subset(data, indices, 0) and (batch, depth) == (0, 1)):
        spare(data, *range(batch, batch + depth))
    if data.dims[:batch] != indices.dims[:batch]:
        raise UnprovedError("batch_dims")
    return [of_shape(*indices.dims[:-1], *data.dims[batch + depth :])]


def _scatter_elements(call: Call) -> list[Value]:
    data, indices, updates = (call.tensor(i) for i in range(3))
    axis = call.axis(data.rank, 0)
    if data.axis is None or updates.axis not in (None, data.axis):
        raise UnprovedError()
    _same_rows(data, indices, axis)
    if updates.dims != indices.dims:
        raise UnprovedError("updates")
    return [Tensor(data.dims)]


def _scatter_nd(call: Call) -> list[Value]:
    """Replace a subset of the rows by as many others, or parts that lie across all rows."""
    data, indices, updates = (call.tensor(i) for i in range(3))
    depth = indices.dims[-1]
    if not isinstance(depth, int) or data.axis is None:
        raise UnprovedError()
    if not (_takes_a_subset(data, indices, 0) and depth == 1):
        call.fixed(1)
        if not 0 <= depth <= data.axis:
            raise UnprovedError()
    if updates.dims != indices.dims[:-1] + data.dims[depth:]:
        raise UnprovedError("updates")
    return [Tensor(data.dims)]


def _one_hot(call: Call) -> list[Value]:
    indices = call.tensor(0)
    call.fixed_from(1)
    axis = call.axis(indices.rank + 1, -1)
    depth = call.tensor(1).value
    size = None if depth is None else int(depth.reshape(()))
    return [of_shape(*indices.dims[:axis], size, *indices.dims[axis:])]


def _pad(call: Call) -> list[Value]:
    tensor = call.tensor(0)
    call.fixed(2)
    pads, asked = call.numbers(1, "pads"), call.numbers(3)
    axes = [positive(a, tensor.rank) for a in (range(tensor.rank) if asked is None else asked)]
    if pads is None or len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise UnprovedError("pads")
    shape = list(tensor.dims)
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        size = shape[axis]
        if isinstance(size, Multiple):
            if low != 0 or high != 0:
                raise UnprovedError()
        else:
            shape[axis] = None if size is None else size + low + high
    return [of_shape(*shape)]


def _compress(call: Call) -> list[Value]:
    tensor, mask = call.tensor(0), call.tensor(1)
    axis = call.axis(tensor.rank)
    taken: Dim = None
    if tensor.axis == axis and mask.dims == (tensor.dims[axis],):
        taken = Multiple(1, mask)
    else:
        call.fixed(1)
        spare(tensor, axis)
    return [of_shape(*tensor.dims[:axis], taken, *tensor.dims[axis + 1 :])]


RULES = {
    "Compress": _compress,
    "Concat": _concat,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "NonZero": _non_zero,
    "OneHot": _one_hot,
    "Pad": _pad,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "Split": _split,
}

SIZES = {"Slice": {2}}

PLACES = {"Gather": {1}, "GatherND": {1}, "ScatterND": {1}}
"""Which inputs may be the places of rows, which are their numbers and nothing else's business."""
