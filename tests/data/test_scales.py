"""Spans and deviations of data are numpy's, whatever the blocks are in which they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsonnx.data import dataset_of, deviations, open_dataset, rows, span
from rsonnx.errors import DataError


@pytest.mark.parametrize("block", [1, 7, 2**20])
def test_spans_and_deviations_are_numpys(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an array in memory and of one in a file."""
    monkeypatch.setattr(rows, "_BLOCK_VALUES", block)
    x = np.random.default_rng(0).normal(3, [1, 10, 1e-3], (50, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    for dataset in (dataset_of(x), open_dataset(tmp_path / "x.npz")):
        assert span(dataset) == (x.min(), x.max())
        np.testing.assert_allclose(deviations(dataset), x.astype(float).std(axis=0), rtol=1e-12)


def test_fixed_columns_span_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,k,y\n1,1000,u,0\n2,2000,v,1\n")
    assert span(open_dataset(path)) == (1, 2000)
    assert span(open_dataset(path, fixed_columns="b")) == (1, 2)


def test_a_constant_has_no_deviation_and_no_span() -> None:
    dataset = dataset_of(np.full((3, 2), 0.1))
    assert deviations(dataset) == [0, 0]
    with pytest.raises(DataError, match="differ"):
        span(dataset)


def test_levels_say_nothing_of_their_units() -> None:
    for ask in (span, deviations):
        with pytest.raises(DataError, match="pictures"):
            ask(dataset_of(np.zeros((2, 4, 4), np.uint8)))


def test_values_whose_squares_are_no_doubles_are_refused() -> None:
    for x in ([[1e308], [-1e308], [1.7e308]], [[1e200], [0.0]], [[1.7e308], [1.6e308], [0]]):
        with pytest.raises(DataError, match="squares"):
            deviations(dataset_of(np.array(x)))
