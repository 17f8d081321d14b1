"""Which inputs get exact noise, which floating-point noise, and which points are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brightness import DRAW, Brightness, X, smooth

from rsonnx import Counts, SmoothedClassifier
from rsonnx.errors import DataError, UsageError
from rsonnx.noise import Ball, Gaussian, InputSpace, NoisyStream
from rsonnx.procedures import certify_procedure
from rsonnx.smoothing import run_many


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_on_the_grid_are_the_levels(bounds: tuple[float, float], dtype: Any) -> None:
    low, high = bounds
    found = smooth(sigma=0.3 * (high - low), bounds=bounds)
    values = (low + X.astype(np.float64) * (high - low) / 255).astype(dtype)
    exact = found.certify(X, seed=2, **DRAW)
    assert found.certify(values, seed=2, **DRAW) == exact
    assert exact.arithmetic == "exact"


def test_values_between_levels_are_smoothed_in_floating_point() -> None:
    values = X.astype(np.float64) / 255 + 0.3 / 255
    certificate = smooth().certify(values, seed=2, **DRAW)
    assert certificate.arithmetic == "float"
    assert certificate.label == 1
    with pytest.raises(DataError, match="exact noise needs an input on the grid of 256 levels"):
        smooth(arithmetic="exact").certify(values, seed=2, **DRAW)
    assert smooth(arithmetic="exact").certify(X, seed=2, **DRAW).arithmetic == "exact"


def test_values_that_happen_to_be_levels_far_apart_are_values() -> None:
    """Exact noise of a part of a step rounds to nothing; what lies between levels would count."""
    found = smooth(sigma=1.0, bounds=(0, 1000))
    values = np.array([[0.0, 1000.0, 0.0], [1000.0, 1000.0, 0.0]])
    assert found.point(values).arithmetic == "float"
    assert found.point(np.array([[0, 255, 0], [255, 255, 0]], np.uint8)).arithmetic == "exact"
    assert smooth(sigma=4.0, bounds=(0, 1000)).point(values).arithmetic == "exact"


def test_levels_are_not_given_noise_in_units() -> None:
    """Noise that is drawn in floating point only, on a point of levels: 255 times too narrow."""
    law = Ball(1.0, size=6)
    found, levels = SmoothedClassifier(Brightness(), noise=law), smooth().point(X)
    assert found.certify(X, seed=1, **DRAW).arithmetic == "float"
    procedure = certify_procedure(law, n0=50, n=1000, alpha=0.001)
    for refused in (
        lambda: found.certify(levels, seed=1, **DRAW),
        lambda: next(run_many(found, procedure, [(0, levels)], seed=1)),
        lambda: NoisyStream(levels, law, 1, "estimation"),
    ):
        with pytest.raises(UsageError, match="in levels of the 8-bit grid, but ball noise"):
            refused()


def test_floating_point_can_be_insisted_on() -> None:
    certificate = smooth(arithmetic="float").certify(X, seed=2, **DRAW)
    assert certificate.arithmetic == "float"
    assert certificate.digest == smooth().certify(X, seed=2, **DRAW).digest


def test_very_small_noise_leaves_a_point_of_the_grid_where_it_is() -> None:
    """All samples round to x itself; the radius is then of the size of sigma."""
    certificate = smooth(sigma=1e-5).certify(X, seed=1, **DRAW)
    assert certificate.label == 1
    assert certificate.counts.estimation == Counts([0, 1000])
    assert certificate.radius < 4e-5


def test_a_point_of_another_space_is_refused() -> None:
    point = InputSpace((2, 3), (0.0, 255.0)).point(X)
    with pytest.raises(DataError):
        smooth().certify(point, seed=1, **DRAW)
    procedure = certify_procedure(Gaussian(0.5), n0=50, n=1000, alpha=0.001)
    with pytest.raises(DataError):
        next(run_many(smooth(), procedure, [(0, point)], seed=1))


def test_a_point_off_the_grid_is_refused_where_exact_noise_is_insisted_on() -> None:
    point = InputSpace((2, 3)).point(X / 255 + 0.3 / 255)
    with pytest.raises(DataError):
        smooth(arithmetic="exact").certify(point, seed=1, **DRAW)


def test_a_point_does_not_change_with_the_array_it_was_made_of() -> None:
    array = X.copy()
    point = smooth().point(array)
    before = point.values()
    array[...] = 0
    np.testing.assert_array_equal(point.values(), before)
