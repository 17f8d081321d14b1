"""Noise of density exp(-‖x/λ‖∞): radii in l1 and linf, and its draws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii, float_noise, kept_along_diagonal, kept_along_value
from numpy.typing import NDArray
from scipy import integrate, stats

from rsonnx.errors import UsageError
from rsonnx.noise import noise_of
from rsonnx.noise.laws.exponential_linf import ExponentialLinf

PROBABILITIES = st.floats(0.0, 1.0, exclude_max=True)


def density(norm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-norm)


def test_golden_l1_radius() -> None:
    # λ = 1, d = 3072, p = .99: 2d(p - 1/2) = 3010.56.
    assert ExponentialLinf(1.0, size=3_072).radius(0.99) == pytest.approx(3010.56, rel=1e-14)


@pytest.mark.parametrize("size", [1, 2, 5, 40])
@pytest.mark.parametrize("p", [0.6, 0.8, 0.99, 0.9999])
def test_radii_are_the_integrals(size: int, p: float) -> None:
    """Φ(q) = min(q, 1/(2d)) in l1 and q in linf, by quadrature."""
    corner = 1 / (2 * size)
    l1 = sum(
        integrate.quad(lambda q: 1 / min(q, corner), a, b, epsrel=1e-12)[0]
        for a, b in ((1 - p, max(1 - p, corner)), (max(1 - p, corner), 0.5))
    )
    assert ExponentialLinf(1.0, "l1", size).radius(p) == pytest.approx(l1, rel=1e-11)
    linf = integrate.quad(lambda q: 1 / q, 1 - p, 0.5, epsrel=1e-12)[0]
    assert ExponentialLinf(1.0, "linf", size).radius(p) == pytest.approx(linf, rel=1e-11)


@pytest.mark.parametrize("p", [0.6, 0.9, 0.99])
def test_worst_classifier_in_linf(p: float) -> None:
    """Tight: the noise along the diagonal is a Laplace variable."""
    radius = ExponentialLinf(1.0, "linf", 3).radius(p)
    assert kept_along_diagonal(density, 3, 25, p, radius * 0.99) >= 0.5
    assert kept_along_diagonal(density, 3, 25, p, radius * 1.02) < 0.5


@pytest.mark.parametrize("p", [0.6, 0.9, 0.99])
def test_worst_classifier_of_many_values_in_l1(p: float) -> None:
    """Tight for 40 values, on both sides of 1 - 1/(2d) = .9875."""
    radius = ExponentialLinf(1.0, "l1", 40).radius(p)
    assert kept_along_value(density, 40, 120, p, radius * 0.99) >= 0.5
    assert kept_along_value(density, 40, 120, p, radius * 1.02) < 0.5


@pytest.mark.parametrize("p", [0.6, 0.75, 0.9, 0.99])
def test_worst_classifier_of_two_values_in_l1(p: float) -> None:
    """Not tight for few values: the largest true radius is up to 4 % larger here."""
    radius = ExponentialLinf(1.0, "l1", 2).radius(p)
    assert kept_along_value(density, 2, 25, p, radius * 0.99) >= 0.5
    assert kept_along_value(density, 2, 25, p, radius * 1.05) < 0.5


def test_one_value_is_laplace_noise() -> None:
    for norm in ("l1", "linf"):
        radius = ExponentialLinf(0.5, norm, 1).radius(0.9)
        assert radius == pytest.approx(stats.laplace.ppf(0.9, scale=0.5))


def test_two_sided_radius() -> None:
    """(S(p_A) - S(p_B))/2: the lead in l1 within the linear part, Laplace quantiles in linf."""
    law = ExponentialLinf(1.0, "l1", 100)
    assert law.radius_between(0.9, 0.05) == pytest.approx(100 * 0.85)
    assert law.radius_between(0.4, 0.1) == pytest.approx(100 * 0.3)
    law = ExponentialLinf(1.0, "linf", 100)
    assert law.radius_between(0.9, 0.05) == pytest.approx(-0.5 * math.log(4 * 0.1 * 0.05))


@pytest.mark.parametrize("norm", ["l1", "linf"])
@given(data=st.data())
def test_radii_in_order(norm: str, data: st.DataObject) -> None:
    low, high = sorted([data.draw(PROBABILITIES), data.draw(PROBABILITIES)])
    check_radii(ExponentialLinf(0.3, norm, 30), low, high, data.draw(st.floats(0.01, 1)))


def test_refusals() -> None:
    with pytest.raises(UsageError, match="l1 or linf"):
        ExponentialLinf(0.5, "l2", 3)
    with pytest.raises(UsageError, match="no size was given"):
        ExponentialLinf(0.5)
    with pytest.raises(UsageError, match="no size was given"):
        noise_of("exp-linf", sigma=0.5)


def test_draws_have_the_law() -> None:
    """‖x‖∞ ~ Gamma(d), a uniform face, uniform on it; p-values below 1e-9 fail, each test."""
    size, samples = 6, 20_000
    drawn = float_noise(ExponentialLinf(0.5, size=size), (size,), samples)
    norm = np.abs(drawn).max(axis=1)
    assert stats.kstest(norm, stats.gamma(size, scale=0.5).cdf).pvalue > 1e-9
    face = np.abs(drawn).argmax(axis=1)
    assert stats.chisquare(np.bincount(face, minlength=size)).pvalue > 1e-9
    inside = drawn / norm[:, None]
    inside = inside[np.arange(size) != face[:, None]]
    assert stats.kstest(inside, stats.uniform(-1, 2).cdf).pvalue > 1e-9
    assert stats.kstest(norm, stats.gamma(size + 1, scale=0.5).cdf).pvalue < 1e-9


def test_sigma_is_the_deviation_of_a_value() -> None:
    """σ² = λ²(d + 1)(d + 2)/3; 2e5 values give σ to 1 % with odds of error below 1e-9."""
    law = noise_of("exp-linf", sigma=0.5, size=10)
    assert law.deviation == 0.5
    assert law.parameters["lam"] == pytest.approx(0.5 / math.sqrt(11 * 12 / 3))
    drawn = float_noise(law, (10,), 60_000)  # type: ignore[arg-type]
    assert drawn.std() == pytest.approx(0.5, rel=0.015)
