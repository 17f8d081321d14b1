"""Operators that take, join and move parts of tensors."""

from __future__ import annotations

from typing import Any

from rsonnx.model.rows.call import MICROSOFT, Call, of_shape, positive, rule, spare
from rsonnx.model.rows.values import Dim, Multiple, Tensor, UnprovedError

_TO_THE_END = 2**31 - 1
"""What exporters write as the end of an axis of any length; no batch has as many rows."""


rule("Concat")(lambda call: _joined(call, call.given))


@rule("QLinearConcat", domain=MICROSOFT)
def _quantised_concat(call: Call) -> Tensor:
    call.scalar(0, 1, *(i for i in range(2, len(call.inputs)) if i % 3 != 2))
    return _joined(call, [call.tensor(i) for i in range(2, len(call.inputs), 3)])


def _joined(call: Call, tensors: list[Tensor]) -> Tensor:
    """Return tensors one after the other along an axis; all of them have rows, or none has."""
    axis = call.axis(tensors[0].rank)
    shapes = [tensor.dims for tensor in tensors]
    with_rows = {tensor.axis for tensor in tensors}
    if axis in with_rows or len(with_rows) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise UnprovedError()
    rows = with_rows.pop()
    if rows is not None and len({shape[rows] for shape in shapes}) > 1:
        raise UnprovedError("rows of several lengths")
    sizes = [shape[axis] for shape in shapes]
    same = len({shape[:axis] + shape[axis + 1 :] for shape in shapes}) == 1
    joined: list[Dim] = [size if same or i == rows else None for i, size in enumerate(shapes[0])]
    joined[axis] = None if None in sizes else sum(sizes)  # type: ignore[arg-type]
    return of_shape(*joined)


@rule("Split")
def _split(call: Call) -> list[Tensor]:
    tensor = call.tensor()
    axis = call.axis(tensor.rank, 0)
    spare(tensor, axis)
    before, after = tensor.dims[:axis], tensor.dims[axis + 1 :]
    return [Tensor((*before, size, *after)) for size in _parts(call, tensor.dims[axis])]


def _parts(call: Call, size: Dim) -> list[Any]:
    asked = call.numbers(1, "split")
    if asked is not None:
        if len(asked) != call.outputs or any(isinstance(part, Multiple) for part in asked):
            raise UnprovedError("parts")
        return asked
    if not isinstance(size, int):
        return [None] * call.outputs
    part = -(-size // call.outputs)
    return [part] * (call.outputs - 1) + [size - part * (call.outputs - 1)]


def slices(call: Call) -> list[slice]:
    """Return what a Slice takes of each axis, all of an axis of rows."""
    tensor = call.tensor()
    starts, ends = call.numbers(1, "starts"), call.numbers(2, "ends")
    if starts is None or ends is None:
        raise UnprovedError("no starts or ends")
    asked = call.numbers(3, "axes")
    axes = list(range(len(starts))) if asked is None else asked
    steps = call.numbers(4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) == len(set(axes)):
        raise UnprovedError("starts, ends, axes and steps")
    parts = [slice(None)] * tensor.rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = positive(axis, tensor.rank)
        size = tensor.dims[place]
        if parts[place] != slice(None):
            raise UnprovedError("axes")
        if isinstance(size, Multiple):
            is_whole = end == size or (isinstance(end, int) and end >= _TO_THE_END)
            if start != 0 or step != 1 or not is_whole:
                raise UnprovedError()
        elif any(isinstance(v, Multiple) for v in (start, end, step)):
            raise UnprovedError("a place that depends on the number of rows")
        else:
            parts[place] = slice(start, end, step)
    return parts


@rule("Slice", sizes={2})
def _slice(call: Call) -> Tensor:
    shape: list[Dim] = []
    for part, size in zip(slices(call), call.tensor().dims, strict=True):
        if part == slice(None):
            shape.append(size)
        elif part.step < 0:  # whose ends runtimes clamp in ways of their own
            shape.append(None)
        else:
            shape.append(len(range(size)[part]) if isinstance(size, int) else None)
    return of_shape(*shape)


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


@rule("NonZero")
def _non_zero(call: Call) -> Tensor:
    mask = call.tensor()
    if mask.rank != 1 or mask.axis is None:
        raise UnprovedError()
    return Tensor((1, Multiple(1, mask)), places=mask)


@rule("Gather", places={1})
def _gather(call: Call) -> Tensor:
    data, indices = call.tensor(), call.tensor(1)
    axis = call.axis(data.rank, 0)
    if not _takes_a_subset(data, indices, axis):
        spare(data, axis)
    return of_shape(*data.dims[:axis], *indices.dims, *data.dims[axis + 1 :])


@rule("GatherElements", "ScatterElements")
def _elements(call: Call) -> Tensor:
    """Take, or replace, values of that row or of no row, for each row of the indices.

    Into the other axes indices stand at the place that they take: into an axis of rows only where
    they have the same rows.
    """
    data, indices = call.tensor(), call.tensor(1)
    axis = call.axis(data.rank, 0)
    scatters = call.operator == "ScatterElements"
    if scatters and (data.axis is None or call.tensor(2).axis not in (None, data.axis)):
        raise UnprovedError()
    if data.rank != indices.rank:
        raise UnprovedError("ranks")
    if data.axis is not None:
        spare(data, axis)
        if data.dims[data.axis] != indices.dims[data.axis]:
            raise UnprovedError("indices without rows")
    elif indices.axis not in (None, axis):
        raise UnprovedError("fixed values, one for each of so many rows")
    if scatters and call.tensor(2).dims != indices.dims:
        raise UnprovedError("updates")
    return Tensor((data if scatters else indices).dims)


@rule("GatherND", places={1})
def _gather_nd(call: Call) -> Tensor:
    data, indices = call.tensor(), call.tensor(1)
    batch = call.attribute("batch_dims", 0)
    depth = indices.dims[-1]
    if not isinstance(depth, int) or not 0 <= batch < indices.rank or batch + depth > data.rank:
        raise UnprovedError("indices")
    if not (_takes_a_subset(data, indices, 0) and (batch, depth) == (0, 1)):
        spare(data, *range(batch, batch + depth))
    if data.dims[:batch] != indices.dims[:batch]:
        raise UnprovedError("batch_dims")
    return of_shape(*indices.dims[:-1], *data.dims[batch + depth :])


@rule("ScatterND", places={1})
def _scatter_nd(call: Call) -> Tensor:
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
    return Tensor(data.dims)


@rule("OneHot")
def _one_hot(call: Call) -> Tensor:
    indices = call.tensor()
    call.fixed_from(1)
    axis = call.axis(indices.rank + 1, -1)
    depth = call.tensor(1).value
    size = None if depth is None else int(depth.reshape(()))
    return of_shape(*indices.dims[:axis], size, *indices.dims[axis:])


@rule("Pad")
def _pad(call: Call) -> Tensor:
    tensor = call.tensor()
    call.fixed(2)
    pads, axes = call.numbers(1, "pads"), call.axes(call.numbers(3), tensor.rank)
    if pads is None or len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise UnprovedError("pads")
    shape = list(tensor.dims)
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        size = shape[axis]
        if not isinstance(size, Multiple):
            shape[axis] = None if size is None else size + low + high
        elif low != 0 or high != 0:
            raise UnprovedError()
    return of_shape(*shape)


@rule("Compress")
def _compress(call: Call) -> Tensor:
    tensor, mask = call.tensor(), call.tensor(1)
    axis = call.axis(tensor.rank)
    taken: Dim = None
    if tensor.axis == axis and mask.dims == (tensor.dims[axis],):
        taken = Multiple(1, mask)
    else:
        call.fixed(1)
        spare(tensor, axis)
    return of_shape(*tensor.dims[:axis], taken, *tensor.dims[axis + 1 :])
