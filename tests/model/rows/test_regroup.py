"""Whose values an axis of rows holds after a reshape, against numbers that are really reshaped."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx_models import build, node
from row_oracle import assert_rows_are_independent

from rsonnx.model.rows import prove_rows
from rsonnx.model.rows.shapes import regroup
from rsonnx.model.rows.values import Multiple, Shape, UnprovedError

SIZES = st.lists(st.sampled_from([1, 2, 3]), max_size=2)


def owners(shape: Shape, axis: int, rows: int) -> NDArray[np.int64]:
    """Return for each value whose row it is, by the meaning of an axis of rows."""
    size = shape[axis]
    assert isinstance(size, Multiple)
    inner = size.factor // size.outer
    along = np.tile(np.repeat(np.arange(rows), inner), size.outer)
    whole = [one.factor * rows if isinstance(one, Multiple) else one for one in shape]
    view = along.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return np.broadcast_to(view, whole).copy()  # type: ignore[arg-type]


@given(before=SIZES, after=SIZES, outer=st.sampled_from([1, 2]), inner=st.sampled_from([1, 2]),
       data=st.data())  # fmt: skip
def test_values_stay_those_of_their_rows(
    before: list[int], after: list[int], outer: int, inner: int, data: st.DataObject
) -> None:
    source: Shape = (*before, Multiple(outer * inner, outer=outer), *after)
    total = int(np.prod([*before, outer, inner, *after]))
    factor = data.draw(st.sampled_from([d for d in range(1, total + 1) if total % d == 0]))
    rest = total // factor
    above = data.draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
    target: Shape = (above, Multiple(factor), rest // above)
    held = [owners(source, len(before), rows) for rows in (2, 5)]
    moved = [one.reshape(above, factor * n, -1) for one, n in zip(held, (2, 5), strict=True)]
    try:
        found = regroup(source, target).dims
    except UnprovedError:
        # Then its axis holds no rows in any order that the proof knows.
        for round_ in (d for d in range(1, factor + 1) if factor % d == 0):
            claimed = (above, Multiple(factor, outer=round_), rest // above)
            assert not all(
                np.array_equal(owners(claimed, 1, n), one)
                for one, n in zip(moved, (2, 5), strict=True)
            )
        return
    for one, rows in zip(moved, (2, 5), strict=True):
        np.testing.assert_array_equal(owners(found, 1, rows), one)


def attending(back: list[int]) -> onnx.ModelProto:
    """Steps first, rows and steps merged for a product, as PyTorch's attention exports it."""
    weights = {
        "w": np.random.default_rng(1).standard_normal((4, 4)).astype(np.float32),
        "merged": np.array([-1, 4]),
        "back": np.array(back),
    }
    made = [
        node("Transpose", ["x"], "first", perm=[1, 0, 2]),
        node("Reshape", ["first", "merged"], "flat"),
        node("MatMul", ["flat", "w"], "product"),
        node("Reshape", ["product", "back"], "apart"),
        node("Transpose", ["apart"], "rows", perm=[1, 0, 2] if back[0] == 3 else [0, 1, 2]),
        node("ReduceMean", ["rows"], "scores", axes=[1], keepdims=0),
    ]
    return build(made, ("n", 3, 4), ("n", 4), weights)


@pytest.mark.parametrize(("back", "proved"), [([3, -1, 4], True), ([-1, 3, 4], False)])
def test_rows_that_come_round_are_followed(back: list[int], proved: bool) -> None:
    model = attending(back)
    assert prove_rows(model, input_name="x", outputs=["scores"]).proved is proved
    if proved:
        assert_rows_are_independent(model, "scores")
