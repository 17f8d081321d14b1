"""The proved distances against dense sampling: never below it, and not far above."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformed_images import by_scipy, digits, images

from rsonnx.transforms.cover import Cell, Interval, knots_of
from rsonnx.transforms.families import ROTATION, SCALING, Family
from rsonnx.transforms.images import Frame
from rsonnx.transforms.lengths import curve

INTERVALS = [(ROTATION, -10.0, 10.0), (ROTATION, 0.0, 33.3), (SCALING, 0.9, 1.1), (SCALING, 0.5, 2)]


def interval(
    image: NDArray[np.float64], family: Family, low: float, high: float, *, rounded: bool = True
) -> Interval:
    knots = knots_of(family, Frame(*image.shape[1:]), low, high, 1 / 16)
    return Interval(image, family, knots, rounded)


def farthest(image: NDArray[np.float64], whole: Interval, cell: Cell, samples: int) -> float:
    """How far images of a cell are from its centre's, by sampling."""
    centre = whole.at(cell.centre)
    return max(
        float(np.linalg.norm(by_scipy(image, whole.family, at) - centre))
        for at in np.linspace(cell.low, cell.high, samples)
    )


@pytest.mark.parametrize(("family", "low", "high"), INTERVALS)
@pytest.mark.parametrize("radius", [90.0, 300.0])
def test_digits_are_covered(family: Family, low: float, high: float, radius: float) -> None:
    for image in digits(3):
        whole = interval(image, family, low, high)
        cells = sorted(whole.cells(lambda _: (radius,)), key=lambda cell: cell.low)
        assert (cells[0].low, cells[-1].high) == (low, high)
        assert all(a.high == b.low for a, b in pairwise(cells))
        assert any(cell.centre == family.identity for cell in cells)
        far = [farthest(image, whole, cell, 40) for cell in cells]
        proved = [whole.farthest(cell) for cell in cells]
        assert max(proved) <= radius
        assert all(f <= p <= 1.3 * f for f, p in zip(far, proved, strict=True))


@given(images(), st.sampled_from(INTERVALS), st.floats(5, 2000), st.booleans())
def test_no_image_is_farther_than_proved(
    image: NDArray[np.float64], at: tuple[Family, float, float], radius: float, rounded: bool
) -> None:
    whole = interval(image, *at, rounded=rounded)
    cells = list(whole.cells(lambda _: (radius, 4 * radius)))
    for cell in cells:
        assert farthest(image, whole, cell, 25) <= whole.farthest(cell) <= cell.radius
    if cells:
        reached = min(c.low for c in cells), max(c.high for c in cells)
        assert sum(c.high - c.low for c in cells) == pytest.approx(reached[1] - reached[0])


@given(images(), st.sampled_from([(ROTATION, -20.0, 20.0), (SCALING, 0.5, 1.5)]))
def test_steps_are_no_longer_than_proved(
    image: NDArray[np.float64], at: tuple[Family, float, float]
) -> None:
    """Inside each step a path of many chords, whose sum is below the length, is as long at most."""
    family, low, high = at
    knots = knots_of(family, Frame(*image.shape[1:]), low, high, 0.5)
    lengths = curve(image, family, knots).lengths
    for (start, stop), length in zip(pairwise(knots), lengths, strict=True):
        chord = [by_scipy(image, family, p) for p in np.linspace(start, stop, 9)]
        total = sum(np.linalg.norm(b - a) for a, b in pairwise(chord))
        assert total <= length


def test_a_disc_moves_little_and_an_edge_as_far_as_it_is_long() -> None:
    """A slope along the columns, turned by a small angle: pixel (i, j) changes by angle times i."""
    ramp = np.tile(np.arange(40.0), (40, 1))[None]
    path = curve(ramp, ROTATION, (0.0, 0.0625))
    i, j = np.indices((40, 40)) - 19.5
    inside = (abs(i) < 19) & (abs(j) < 19)
    change = np.abs(path.points[1] - path.points[0]).reshape(40, 40)[inside]
    assert change == pytest.approx(np.abs(i)[inside] * np.deg2rad(0.0625), abs=1e-3)
    border = np.sqrt((40**2) * 40) * 20  # the border's own pixels against the zeros behind them
    least = np.deg2rad(0.0625) * np.sqrt((i[inside] ** 2).sum())
    assert least <= path.lengths[0] <= np.hypot(least, np.deg2rad(0.0625) * 2 * border)


def test_the_identity_is_a_knot_however_little_the_image_moves() -> None:
    whole = interval(np.full((3, 1, 1), 100.0), SCALING, 0.125, 8.0)
    (cell,) = whole.cells(lambda _: (1.0,))
    assert (cell.low, cell.centre, cell.high) == (0.125, 1.0, 8.0)


def test_cells_of_other_ends_are_not_covered() -> None:
    whole = interval(digits(1)[0], ROTATION, -10, 10)
    (cell, *_) = whole.cells(lambda _: (300.0,))
    for other in (
        Cell(cell.low - 0.01, cell.high, cell.centre, cell.radius),
        Cell(cell.low, cell.high, cell.high + 1, cell.radius),
        Cell(cell.centre, cell.centre, cell.centre, cell.radius),
    ):
        assert whole.farthest(other) == np.inf
    wider = Cell(cell.low - 2, cell.high, cell.centre, cell.radius)
    assert cell.radius < whole.farthest(wider) < np.inf
    assert not list(whole.cells(lambda _: (0.01,)))
