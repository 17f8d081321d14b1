"""The differential method: lines above a growth function, against integrals that are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.typing import NDArray
from scipy import special

from rsonnx.noise import Gaussian, Laplace
from rsonnx.noise.differential import GrowthLines, settled


def tangents(count: int) -> GrowthLines:
    """Lines above the growth function of Gaussian noise, φ(Φ⁻¹(q)), of slope -Φ⁻¹(q)."""
    at = np.geomspace(1e-12, 0.5, count)
    slope: NDArray[np.float64] = -special.ndtri(at)
    slope[-1] = 0.0
    height = np.exp(-(slope**2) / 2) / math.sqrt(2 * math.pi) - slope * at
    height += 1e-14
    return GrowthLines(np.concatenate([[0.0], (at[1:] + at[:-1]) / 2, [0.5]]), slope, height)


@given(st.floats(0.501, 1 - 1e-9))
def test_tangents_give_the_gaussian_radius_but_never_more(p: float) -> None:
    true = float(special.ndtri(p))
    assert true * (1 - 1e-3) <= tangents(400).radius(p, 1.0) <= true
    assert true * (1 - 1e-5) <= tangents(4_000).radius(p, 1.0) <= true


@given(st.floats(1e-6, 1 - 1e-6), st.floats(1e-6, 1 - 1e-6))
def test_tangents_give_the_two_sided_gaussian_radius_but_never_more(a: float, b: float) -> None:
    true = Gaussian(2.0).radius_between(a, b)
    found = tangents(4_000).radius_between(a, b, 2.0)
    assert true * (1 - 1e-4) - 1e-9 <= found <= true * (1 + 1e-12)


def test_lines_may_be_cut_anywhere() -> None:
    """Where a line is used too far, it is only farther above: the radius is smaller."""
    good = tangents(400)
    shifted = GrowthLines(
        np.concatenate([[0.0], np.minimum(good.cuts[1:-1] * 1.01, 0.5), [0.5]]),
        good.slopes,
        good.heights,
    )
    for p in (0.6, 0.9, 0.999):
        assert shifted.radius(p, 1.0) < good.radius(p, 1.0)


def test_ends() -> None:
    """A line through 0 is never crossed; one above 0 gives a radius even at p = 1."""
    laplace = GrowthLines(np.array([0.0, 0.5]), np.array([1.0]), np.array([0.0]))
    assert laplace.radius(1.0, 1.0) == math.inf
    assert laplace.radius_between(1.0, 0.0, 1.0) == math.inf
    assert laplace.radius(0.9, 2.0) == pytest.approx(Laplace(2.0).radius(0.9), rel=1e-11)
    flat = GrowthLines(np.array([0.0, 0.5]), np.array([0.0]), np.array([0.25]))
    assert flat.radius(1.0, 1.0) == pytest.approx(2.0)
    for lines in (laplace, flat):
        assert lines.radius(0.5, 1.0) == lines.radius(0.2, 1.0) == 0.0
        assert lines.radius_between(0.3, 0.3, 1.0) == lines.radius_between(0.2, 0.3, 1.0) == 0.0


@pytest.mark.parametrize(
    ("a", "b"), [(0.9, 0.05), (0.4, 0.1), (0.4, math.nextafter(0.4, 0)), (0.9, 0.6)]
)
def test_two_sided_closed_forms_are_rounded_down(a: float, b: float) -> None:
    def quantile(p: float) -> mpf:
        return mp.log(2 * mpf(p)) if p < 0.5 else -mp.log(2 * (1 - mpf(p)))

    radius = Laplace(1.0).radius_between(a, b)
    with mp.workprec(400):
        true = (quantile(a) - quantile(b)) / 2
        assert true * (1 - mpf(2) ** -50) <= radius <= true


def test_a_probability_is_raised_until_its_radius_is_enough() -> None:
    def radius(p: float) -> float:
        return -math.log(2 * (1 - p)) if p < 1 else math.inf

    p = settled(radius, 0.9 - 1e-13, radius(0.9))
    assert radius(p) >= radius(0.9)
    assert p - 0.9 < 1e-12
    assert settled(lambda _: 0.0, 0.9, 1.0) == 1.0
