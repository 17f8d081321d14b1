"""Noise of density exp(-‖x/λ‖₂): its l2 radius and its draws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii, float_noise, kept_along_l2
from numpy.typing import NDArray
from scipy import integrate, stats

from rsonnx.errors import UsageError
from rsonnx.noise import noise_of
from rsonnx.noise.laws.exponential_l2 import ExponentialL2

PROBABILITIES = st.floats(0.0, 1.0, exclude_max=True)


def density(norm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-norm)


def test_golden_radius() -> None:
    # λ = 1, d = 3072, p = .99: 128.94773035805792.
    assert ExponentialL2(1.0, size=3_072).radius(0.99) == pytest.approx(
        128.94773035805792, rel=1e-14
    )


@pytest.mark.parametrize("p", [0.6, 0.9, 0.999, 1 - 1e-9])
def test_radius_of_two_values(p: float) -> None:
    """Caps of the circle are arcs: Φ(q) = sin(πq)/π, whose integral is -ln tan(π(1 - p)/2)."""
    true = -math.log(math.tan(math.pi * (1 - p) / 2))
    assert ExponentialL2(1.0, size=2).radius(p) == pytest.approx(true, rel=1e-13)


@pytest.mark.parametrize("size", [3, 10, 784])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.999])
def test_radius_is_the_integral(size: int, p: float) -> None:
    """∫ f(c)/Φ(c) dc with Φ the mean cosine over the cap of edge c, by two quadratures."""
    angle = stats.beta((size - 1) / 2, (size - 1) / 2, loc=-1, scale=2)

    def growth(c: float) -> float:
        found = integrate.quad(lambda t: t * angle.pdf(t), c, 1, epsabs=0, epsrel=1e-9)
        return float(found[0])

    edge = angle.isf(1 - p)
    true, _ = integrate.quad(lambda c: angle.pdf(c) / growth(c), 0, edge, epsabs=0, epsrel=1e-8)
    assert ExponentialL2(1.0, size=size).radius(p) == pytest.approx(true, rel=1e-6)


@pytest.mark.parametrize(("size", "reach"), [(2, 25), (3, 25), (40, 120)])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.99])
def test_worst_classifier(size: int, reach: float, p: float) -> None:
    """Nearly tight: the largest true radius is up to 5 % larger for 3 values, 0.6 % for 40."""
    radius = ExponentialL2(1.0, size=size).radius(p)
    assert kept_along_l2(density, size, reach, p, radius * 0.99) >= 0.5
    assert kept_along_l2(density, size, reach, p, radius * (1.02 if size == 40 else 1.07)) < 0.5


def test_one_value_is_laplace_noise() -> None:
    law = ExponentialL2(0.5, size=1)
    assert law.radius(0.9) == pytest.approx(stats.laplace.ppf(0.9, scale=0.5))
    assert law.radius(law.probability_for(0.7)) >= 0.7


def test_two_sided_radius() -> None:
    law = ExponentialL2(1.0, size=20)
    half = (law.radius(0.9) + law.radius(0.95)) / 2
    assert law.radius_between(0.9, 1 - 0.95) == pytest.approx(half, rel=1e-12)
    half = (law.radius(0.9) - law.radius(0.6)) / 2
    assert law.radius_between(0.4, 1 - 0.9) == pytest.approx(half, rel=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 784])
@given(data=st.data())
def test_radii_in_order(size: int, data: st.DataObject) -> None:
    low, high = sorted([data.draw(PROBABILITIES), data.draw(PROBABILITIES)])
    check_radii(ExponentialL2(0.3, size=size), low, high, data.draw(st.floats(0.01, 1)))


def test_refusals() -> None:
    with pytest.raises(UsageError, match="certifies in l2"):
        ExponentialL2(0.5, "linf", 3)
    with pytest.raises(UsageError, match="no size was given"):
        ExponentialL2(0.5)


def test_draws_have_the_law() -> None:
    """‖x‖₂ ~ Gamma(d) and a uniform direction; p-values below 1e-9 fail, each test."""
    size, samples = 6, 20_000
    drawn = float_noise(ExponentialL2(0.5, size=size), (size,), samples)
    norm = np.linalg.norm(drawn, axis=1)
    assert stats.kstest(norm, stats.gamma(size, scale=0.5).cdf).pvalue > 1e-9
    angle = stats.beta((size - 1) / 2, (size - 1) / 2, loc=-1, scale=2)
    for direction in (drawn[:, 0], drawn.sum(axis=1) / math.sqrt(size)):
        assert stats.kstest(direction / norm, angle.cdf).pvalue > 1e-9
    assert stats.kstest(norm, stats.gamma(size + 1, scale=0.5).cdf).pvalue < 1e-9


def test_sigma_is_the_deviation_of_a_value() -> None:
    """σ = λ·√(d + 1); 6e5 values give σ to 1.5 % with odds of error below 1e-9."""
    law = noise_of("exp-l2", sigma=0.5, size=10)
    assert law.deviation == 0.5
    assert law.parameters["lam"] == pytest.approx(0.5 / math.sqrt(11))
    assert float_noise(law, (10,), 60_000).std() == pytest.approx(0.5, rel=0.015)  # type: ignore[arg-type]
