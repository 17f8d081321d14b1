"""Laplace noise: radii in l1 and linf, and its draws."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii, chi_square_of_rounded, float_noise, kept_of_independent
from scipy import integrate, stats

from rsonnx.errors import UsageError
from rsonnx.noise import Laplace, noise_of
from rsonnx.noise.drawing import exact_block
from rsonnx.noise.lattice import LatticeBlock

SIZE = 3_072
PROBABILITIES = st.floats(0.0, 1.0, exclude_max=True)


@pytest.mark.parametrize(
    ("p", "radius"), [(0.75, 0.490129), (0.9, 1.138044), (0.99, 2.766218), (0.999, 4.394392)]
)
def test_published_l1_radii(p: float, radius: float) -> None:
    # σ = 1, Yang et al. (arXiv 2002.08118): λ = σ/√2, six digits.
    assert noise_of("laplace", sigma=1.0).radius(p) == pytest.approx(radius, abs=6e-7)


@pytest.mark.parametrize("p", [0.51, 0.75, 0.9, 0.99, 0.999, 1 - 1e-9])
def test_l1_radius_is_the_laplace_quantile(p: float) -> None:
    radius, true = Laplace(0.5).radius(p), stats.laplace.isf(1 - p, scale=0.5)
    assert radius == pytest.approx(true, rel=1e-13)


def test_golden_linf_radius() -> None:
    # λ = 1, d = 3, p = .9, the exact integral: 0.7675283643313486; 2^-40 of it is given up.
    radius = Laplace(1.0, "linf", 3).radius(0.9)
    assert 0.7675283643313486 * (1 - 2**-39) < radius < 0.7675283643313486


def growth(q: float, size: int) -> float:
    """Φ(q): the mean of a sum of random signs over its largest values."""
    signs = np.arange(-size, size + 1, 2)
    mass = stats.binom.pmf(np.arange(size + 1), size, 0.5)[::-1]
    before = np.concatenate([[0.0], np.cumsum(mass)[:-1]])
    return float(np.sum(np.clip(q - before, 0, mass) * signs[::-1]))


@pytest.mark.parametrize("size", [1, 2, 3, 8, 301])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.999])
def test_linf_radius_is_the_integral(size: int, p: float) -> None:
    corners = [c for c in stats.binom.sf(np.arange(size), size, 0.5) if 1 - p < c < 0.5]
    ends = [1 - p, *sorted(corners), 0.5]
    true = sum(
        integrate.quad(lambda q: 1 / growth(q, size), a, b, epsabs=0, epsrel=1e-12)[0]
        for a, b in pairwise(ends)
    )
    radius = Laplace(1.0, "linf", size).radius(p)
    assert radius == pytest.approx(true, rel=1e-9)


@pytest.mark.parametrize(
    ("p", "near"), [(0.75, 0.008605), (0.9, 0.016350), (0.99, 0.029679), (0.999, 0.039424)]
)
def test_linf_radius_of_many_values_is_near_the_normal_one(p: float, near: float) -> None:
    # λΦ⁻¹(p)/√d at σ = 1, which others print for it: an approximation, true to 2e-4 here.
    law = noise_of("laplace", sigma=1.0, size=SIZE, norm="linf")
    assert law.radius(p) == pytest.approx(near, rel=2e-4)  # type: ignore[attr-defined]


def test_golden_two_sided_radius_of_teng_is_surpassed() -> None:
    # λ = 1, p_A = .9, p_B = .05: max(½ ln(p_A/p_B), -ln(1 - p_A + p_B)) = 1.8971199848858813.
    radius = Laplace(1.0).radius_between(0.9, 0.05)
    assert radius > 1.8971199848858813
    assert radius == pytest.approx(-0.5 * math.log(4 * 0.1 * 0.05), rel=1e-13)
    assert Laplace(1.0).radius_between(0.4, 0.1) == pytest.approx(0.5 * math.log(4), rel=1e-13)


@given(PROBABILITIES, PROBABILITIES)
def test_two_sided_l1_radius_is_never_below_that_of_teng(a: float, b: float) -> None:
    if a <= b or b == 0 or 1 - a + b <= 0:
        return
    teng = max(0.5 * (math.log(a) - math.log(b)), -math.log1p(b - a))
    assert Laplace(1.0).radius_between(a, b) >= teng * (1 - 1e-9) - 1e-12


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.05), (0.45, 0.2), (0.8, 0.2), (0.97, 0.6)])
def test_half_spaces_reach_the_two_sided_l1_radius(a: float, b: float) -> None:
    """Class A where x_1 <= its quantile, B where x_1 is high: they meet at the radius."""
    radius = Laplace(1.0).radius_between(a, b)
    for distance, holds in ((radius * 0.999, True), (radius * 1.001, False)):
        of_a = stats.laplace.cdf(stats.laplace.ppf(a) - distance)
        of_b = stats.laplace.sf(stats.laplace.isf(b) - distance)
        assert (of_a > of_b) == holds


@pytest.mark.parametrize("p", [0.6, 0.75, 0.99])
def test_worst_classifier_in_l1(p: float) -> None:
    """x_1 <= t is the worst classifier: no larger radius is true."""
    radius = Laplace(1.0).radius(p)
    assert stats.laplace.cdf(stats.laplace.ppf(p) - radius * 0.999) >= 0.5
    assert stats.laplace.cdf(stats.laplace.ppf(p) - radius * 1.02) < 0.5
    assert kept_of_independent(stats.laplace.cdf, 1, 12, p, radius * 0.99) >= 0.5
    assert kept_of_independent(stats.laplace.cdf, 1, 12, p, radius * 1.02) < 0.5


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.99])
def test_worst_classifier_in_linf(size: int, p: float) -> None:
    """Not tight for more than one value: the largest true radius is up to 12 % larger here."""
    radius = Laplace(1.0, "linf", size).radius(p)
    assert kept_of_independent(stats.laplace.cdf, size, 12, p, radius * 0.99) >= 0.5
    assert kept_of_independent(stats.laplace.cdf, size, 12, p, radius * 1.15) < 0.5


@pytest.mark.parametrize("law", [Laplace(0.3), Laplace(0.3, "linf", 7)], ids=str)
@given(data=st.data())
def test_radii_in_order(law: Laplace, data: st.DataObject) -> None:
    low, high = sorted([data.draw(PROBABILITIES), data.draw(PROBABILITIES)])
    check_radii(law, low, high, data.draw(st.floats(0.01, 1)))


def test_scale() -> None:
    assert noise_of("laplace", sigma=0.5).deviation == 0.5  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="l1 or linf"):
        Laplace(0.5, "l2")
    with pytest.raises(UsageError, match="no size was given"):
        Laplace(0.5, "linf")
    with pytest.raises(UsageError, match="sigma is 'x'"):
        noise_of("laplace", sigma="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("lam", [0.07, 0.35])
def test_draws_have_the_law(lam: float) -> None:
    """A p-value below 1e-9 fails: odds of 1e-9 a test."""
    law = Laplace(lam)
    cumulative = stats.laplace(scale=lam).cdf
    assert chi_square_of_rounded(law, cumulative, 1 / 255) > 1e-9
    drawn = float_noise(law, (3, 16, 16), 70).ravel()
    assert stats.kstest(drawn, cumulative).pvalue > 1e-9
    assert stats.kstest(drawn, stats.laplace(scale=lam * 1.1).cdf).pvalue < 1e-9


def test_compiled_and_reference_draw_the_same() -> None:
    table = Laplace(0.35).table(1 / 255)
    expected = LatticeBlock(table, 77, 3).draw(50_001)
    np.testing.assert_array_equal(exact_block()(table, 77, 3).draw(50_001), expected)
