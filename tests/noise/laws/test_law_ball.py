"""Uniform noise in a ball: its l2 radius and its draws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii, float_noise, kept_along_l2
from scipy import integrate, special, stats

from rsonnx.errors import UsageError
from rsonnx.noise import noise_of
from rsonnx.noise.laws.ball import Ball

PROBABILITIES = st.floats(0.0, 1.0)


def uncovered(distance: float, size: int) -> float:
    """The share of the unit ball that a copy moved by ``distance`` does not cover."""
    half, _ = integrate.quad(
        lambda x: (1 - x * x) ** ((size - 1) / 2), 0, min(1.0, distance / 2), epsabs=1e-13
    )
    return 2 * half / special.beta(0.5, (size + 1) / 2)


@pytest.mark.parametrize("size", [1, 2, 3, 50])
@pytest.mark.parametrize("p", [0.55, 0.8, 0.999])
def test_ball_cut_reaches_the_radius(size: int, p: float) -> None:
    """The worst set holds what the moved ball does not cover, and keeps p less that: exactly."""
    radius = Ball(1.0, size=size).radius(p)
    assert p - uncovered(radius * 0.9999, size) >= 0.5
    assert p - uncovered(radius * 1.02, size) < 0.5


@pytest.mark.parametrize("size", [2, 3])
def test_ball_cut_is_the_worst_classifier(size: int) -> None:
    """Cells of 1/400 across the edge of the ball: true to 5e-3."""
    kept = kept_along_l2(lambda norm: (norm <= 1) * 1.0, size, 1.05, 0.8, 0.3)
    assert kept == pytest.approx(0.8 - uncovered(0.3, size), abs=5e-3)


def test_published_formula() -> None:
    """λ(2 - 4·b), b the quantile of 3/4 - p/2 (Yang et al.), with scipy's quantile, d = 3072."""
    for p in (0.75, 0.9, 0.99, 0.999):
        expected = 2 - 4 * stats.beta.ppf(0.75 - p / 2, 1536.5, 1536.5)
        assert Ball(1.0, size=3_072).radius(p) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.05), (0.45, 0.2), (0.97, 0.03)])
def test_two_sided_radius_is_reached(a: float, b: float) -> None:
    """A holds all that is lost, B what is won: they meet where both are (a - b)/2."""
    radius = Ball(1.0, size=4).radius_between(a, b)
    for distance, holds in ((radius * 0.999, True), (radius * 1.001, False)):
        moved = uncovered(distance, 4)
        assert (a - moved > b + moved) == holds


@pytest.mark.parametrize("size", [1, 2, 784])
@given(data=st.data())
def test_radii_in_order(size: int, data: st.DataObject) -> None:
    low, high = sorted([data.draw(PROBABILITIES), data.draw(PROBABILITIES)])
    check_radii(Ball(0.3, size=size), low, high, data.draw(st.floats(0.01, 1)))


def test_no_radius_beyond_the_ball() -> None:
    assert Ball(0.5, size=5).probability_for(1.1) == 1.0


def test_refusals() -> None:
    with pytest.raises(UsageError, match="certifies in l2"):
        Ball(0.5, "l1", 3)
    with pytest.raises(UsageError, match="no size was given"):
        Ball(0.5)


def test_draws_have_the_law() -> None:
    """(‖x‖₂/λ)^d is uniform, as is the direction; p-values below 1e-9 fail, each test."""
    size, samples = 6, 20_000
    drawn = float_noise(Ball(0.5, size=size), (size,), samples)
    norm = np.linalg.norm(drawn, axis=1)
    assert stats.kstest((norm / 0.5) ** size, stats.uniform.cdf).pvalue > 1e-9
    angle = stats.beta((size - 1) / 2, (size - 1) / 2, loc=-1, scale=2)
    assert stats.kstest(drawn[:, 0] / norm, angle.cdf).pvalue > 1e-9
    value = stats.beta((size + 1) / 2, (size + 1) / 2, loc=-0.5, scale=1)
    assert stats.kstest(drawn[:, 1], value.cdf).pvalue > 1e-9
    assert stats.kstest((norm / 0.5) ** (size - 1), stats.uniform.cdf).pvalue < 1e-9


def test_sigma_is_the_deviation_of_a_value() -> None:
    """σ = λ/√(d + 2); 6e5 values give σ to 1 % with odds of error below 1e-9."""
    law = noise_of("ball", sigma=0.5, size=10)
    assert law.deviation == 0.5
    assert law.parameters["lam"] == pytest.approx(0.5 * math.sqrt(12))
    assert float_noise(law, (10,), 60_000).std() == pytest.approx(0.5, rel=0.01)  # type: ignore[arg-type]
