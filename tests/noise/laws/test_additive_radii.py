"""Radii of additive noise: published values, the integrals by quadrature, the worst classifier."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_laws import (
    Density,
    kept_along_diagonal,
    kept_along_l2,
    kept_along_value,
    kept_of_independent,
)
from numpy.typing import NDArray
from scipy import integrate, special, stats

from rsonnx.noise import (
    AnisotropicGaussian,
    Ball,
    ExponentialL2,
    ExponentialLinf,
    Gaussian,
    Laplace,
    Law,
    Pareto,
    PowerLinf,
    Uniform,
    noise_of,
)


@pytest.mark.parametrize(
    ("law", "p", "radius", "lost"),
    [
        (Gaussian(0.5), 0.99, 1.16317393702042055, 1e-14),
        # Φ⁻¹(.99), a table of the normal distribution; mpmath in 40 digits.
        (AnisotropicGaussian((3.0, 0.1)), 0.99, 2.3263478740408411, 1e-14),
        (ExponentialL2(1.0, size=3_072), 0.99, 128.94773035805792, 1e-14),
        (ExponentialLinf(1.0, size=3_072), 0.99, 3010.56, 1e-14),
        (Uniform(1.0, "linf", 3_072), 0.99, 0.000438327320468626634, 1e-14),
        (Pareto(1.0, 3.0), 0.99, 1.03240994109837758, 1e-14),
        (Laplace(1.0, "linf", 3), 0.9, 0.7675283643313486, 2**-39),
        (PowerLinf(1.0, 8.0, "linf", 3), 0.9, 0.26662553446610143, 1e-6),
    ],
    ids=str,
)
def test_golden_radii_are_rounded_down(law: Law, p: float, radius: float, lost: float) -> None:
    assert radius * (1 - lost) < law.radius(p) <= radius * (1 + 1e-15)


PUBLISHED = {  # σ = 1, Yang et al. (arXiv 2002.08118), six digits
    "laplace": {0.75: 0.490129, 0.9: 1.138044, 0.99: 2.766218, 0.999: 4.394392},
    "uniform": {0.75: 0.866025, 0.9: 1.385641, 0.99: 1.697410, 0.999: 1.728587},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_l1_radii(name: str) -> None:
    for p, radius in PUBLISHED[name].items():
        assert noise_of(name, sigma=1.0).radius(p) == pytest.approx(radius, abs=6e-7)


def test_published_formula_of_the_ball() -> None:
    """λ(2 - 4·b), b the quantile of 3/4 - p/2 (Yang et al.), with scipy's quantile, d = 3072."""
    for p in (0.75, 0.9, 0.99, 0.999):
        expected = 2 - 4 * stats.beta.ppf(0.75 - p / 2, 1536.5, 1536.5)
        assert Ball(1.0, size=3_072).radius(p) == pytest.approx(expected, rel=1e-11)


def exp_density(norm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-norm)


def power(exponent: float) -> Density:
    return lambda norm: (1 + norm) ** -exponent


def pareto_cumulative(a: float) -> Density:
    def of(value: NDArray[np.float64]) -> NDArray[np.float64]:
        tail = 0.5 * (1 + np.abs(value)) ** -a
        return np.where(value < 0, tail, 1 - tail)

    return of


Kept = Callable[[Density, int, float, float, float], float]
FALLS = [
    # law; of which density or distribution function, how far out; how much larger a radius is wrong
    (Laplace(1.0), kept_of_independent, stats.laplace.cdf, 1, 12, 1.02),
    (Laplace(1.0, "linf", 2), kept_of_independent, stats.laplace.cdf, 2, 12, 1.15),
    (Laplace(1.0, "linf", 3), kept_of_independent, stats.laplace.cdf, 3, 12, 1.15),
    (Pareto(1.0, 3.0), kept_of_independent, pareto_cumulative(3), 1, 40, 2.0),
    (ExponentialL2(1.0, size=2), kept_along_l2, exp_density, 2, 25, 1.07),
    (ExponentialL2(1.0, size=3), kept_along_l2, exp_density, 3, 25, 1.07),
    (ExponentialL2(1.0, size=40), kept_along_l2, exp_density, 40, 120, 1.02),
    (ExponentialLinf(1.0, "linf", 3), kept_along_diagonal, exp_density, 3, 25, 1.02),
    (ExponentialLinf(1.0, "l1", 40), kept_along_value, exp_density, 40, 120, 1.02),
    (ExponentialLinf(1.0, "l1", 2), kept_along_value, exp_density, 2, 25, 1.05),
    (PowerLinf(1.0, 8.0, "l1", 3), kept_along_value, power(8), 3, 30, 1.4),
    (PowerLinf(1.0, 40.0, "l1", 10), kept_along_value, power(40), 10, 2.5, 1.02),
    (PowerLinf(1.0, 8.0, "linf", 3), kept_along_diagonal, power(8), 3, 30, 1.6),
    (PowerLinf(1.0, 40.0, "linf", 10), kept_along_diagonal, power(40), 10, 2.5, 1.2),
]


@pytest.mark.parametrize(
    ("law", "kept", "of", "size", "reach", "falls"), FALLS, ids=[str(case[0]) for case in FALLS]
)
@pytest.mark.parametrize("p", [0.6, 0.99])
def test_the_worst_classifier_stands_within_the_radius_and_falls_behind_it(
    law: Law, kept: Kept, of: Density, size: int, reach: float, falls: float, p: float
) -> None:
    """Where the last factor is 1.02 no larger radius is true; cells are true to about 1e-4."""
    radius = law.radius(p)
    assert kept(of, size, reach, p, radius * 0.98) >= 0.5
    assert kept(of, size, reach, p, radius * falls) < 0.5


def test_pareto_is_tight_at_a_small_distance() -> None:
    """For p near 1/2 the worst set is an interval from the input on."""
    radius = Pareto(1.0, 3.0).radius(0.505)
    assert kept_of_independent(pareto_cumulative(3), 1, 3, 0.505, radius * 0.99) >= 0.5
    assert kept_of_independent(pareto_cumulative(3), 1, 3, 0.505, radius * 1.02) < 0.5


# Uniform noise on a body: what the moved body does not cover.


def cube_uncovered(change: list[float]) -> float:
    """The share of the cube [-1, 1]^d that its copy moved by ``change`` does not cover."""
    return 1 - math.prod(max(0.0, 1 - abs(c) / 2) for c in change)


def ball_uncovered(distance: float, size: int) -> float:
    """The share of the unit ball that a copy moved by ``distance`` does not cover."""
    half, _ = integrate.quad(
        lambda x: (1 - x * x) ** ((size - 1) / 2), 0, min(1.0, distance / 2), epsabs=1e-13
    )
    return 2 * half / special.beta(0.5, (size + 1) / 2)


BODIES = [
    *((Ball(1.0, size=d), lambda r, d=d: ball_uncovered(r, d)) for d in (1, 2, 3, 50)),
    *((Uniform(1.0, "linf", d), lambda r, d=d: cube_uncovered([r] * d)) for d in (1, 2, 3)),
    (Uniform(1.0), lambda r: cube_uncovered([r, 0.0])),
]


@pytest.mark.parametrize(("law", "uncovered"), BODIES, ids=[str(case[0]) for case in BODIES])
def test_the_radius_is_where_what_is_uncovered_decides(
    law: Law, uncovered: Callable[[float], float]
) -> None:
    """The worst set holds what the moved body leaves, and loses just that: no radius is larger."""
    for p in (0.55, 0.8, 0.999):
        radius = law.radius(p)
        assert p - uncovered(radius * 0.9999) >= 0.5 > p - uncovered(radius * 1.02)
    for a, b in ((0.9, 0.05), (0.45, 0.2), (0.97, 0.03)):
        radius = law.radius_between(a, b)
        for distance, holds in ((radius * 0.999, True), (radius * 1.001, False)):
            assert (a - uncovered(distance) > b + uncovered(distance)) == holds


def test_what_is_uncovered_is_the_worst_classifier() -> None:
    """Cells of 1/400 across the edge of the ball, and of edges that fall on both cubes."""
    for size in (2, 3):
        kept = kept_along_l2(lambda norm: (norm <= 1) * 1.0, size, 1.05, 0.8, 0.3)
        assert kept == pytest.approx(0.8 - ball_uncovered(0.3, size), abs=5e-3)
    for size in (1, 2, 3):
        kept = kept_of_independent(stats.uniform(-1, 2).cdf, size, 1.5, 0.8, 0.2)
        assert kept == pytest.approx(0.8 - cube_uncovered([0.2] * size), abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_no_direction_in_l1_is_worse_than_one_value(seed: int) -> None:
    change = np.random.default_rng(seed).dirichlet(np.ones(4))
    assert 0.8 - cube_uncovered(list(change * Uniform(1.0).radius(0.8))) >= 0.5


# The differential method: ∫ dq/Φ(q) from 1 - p to 1/2, by quadrature.


def laplace_growth(q: float, size: int) -> float:
    """Φ(q): the mean of a sum of random signs over its largest values."""
    signs = np.arange(-size, size + 1, 2)
    mass = stats.binom.pmf(np.arange(size + 1), size, 0.5)[::-1]
    before = np.concatenate([[0.0], np.cumsum(mass)[:-1]])
    return float(np.sum(np.clip(q - before, 0, mass) * signs[::-1]))


@pytest.mark.parametrize("size", [1, 2, 3, 8, 301])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.999])
def test_laplace_in_linf_is_the_integral(size: int, p: float) -> None:
    corners = [c for c in stats.binom.sf(np.arange(size), size, 0.5) if 1 - p < c < 0.5]
    ends = [1 - p, *sorted(corners), 0.5]
    true = sum(
        integrate.quad(lambda q: 1 / laplace_growth(q, size), a, b, epsabs=0, epsrel=1e-12)[0]
        for a, b in pairwise(ends)
    )
    assert Laplace(1.0, "linf", size).radius(p) == pytest.approx(true, rel=1e-9)


@pytest.mark.parametrize("size", [1, 2, 5, 40])
@pytest.mark.parametrize("p", [0.6, 0.8, 0.99, 0.9999])
def test_exp_linf_is_the_integral(size: int, p: float) -> None:
    """Φ(q) = min(q, 1/(2d)) in l1 and q in linf."""
    corner = 1 / (2 * size)
    l1 = sum(
        integrate.quad(lambda q: 1 / min(q, corner), a, b, epsrel=1e-12)[0]
        for a, b in ((1 - p, max(1 - p, corner)), (max(1 - p, corner), 0.5))
    )
    assert ExponentialLinf(1.0, "l1", size).radius(p) == pytest.approx(l1, rel=1e-11)
    linf = integrate.quad(lambda q: 1 / q, 1 - p, 0.5, epsrel=1e-12)[0]
    assert ExponentialLinf(1.0, "linf", size).radius(p) == pytest.approx(linf, rel=1e-11)


@pytest.mark.parametrize("p", [0.6, 0.9, 0.999])
def test_exp_l2_is_the_integral(p: float) -> None:
    """∫ f(c)/Φ(c) dc with Φ the mean cosine over the cap of edge c; arcs for two values."""
    arcs = -math.log(math.tan(math.pi * (1 - p) / 2))
    assert ExponentialL2(1.0, size=2).radius(p) == pytest.approx(arcs, rel=1e-13)
    for size in (3, 10, 784):
        angle = stats.beta((size - 1) / 2, (size - 1) / 2, loc=-1, scale=2)

        def growth(c: float, angle: stats.rv_frozen = angle) -> float:
            return float(integrate.quad(lambda t: t * angle.pdf(t), c, 1, epsabs=0, epsrel=1e-9)[0])

        edge = angle.isf(1 - p)
        true, _ = integrate.quad(
            lambda c, angle=angle, growth=growth: angle.pdf(c) / growth(c),
            0, edge, epsabs=0, epsrel=1e-8,
        )  # fmt: skip
        assert ExponentialL2(1.0, size=size).radius(p) == pytest.approx(true, rel=1e-6)


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0, 50.0])
@pytest.mark.parametrize("p", [0.51, 0.9, 0.999, 1 - 1e-9])
def test_pareto_is_the_integral(a: float, p: float) -> None:
    """Φ(q) from the density at both ends of an interval above 0, by quadrature at 30 digits."""

    def inverse(q: mpmath.mpf) -> mpmath.mpf:
        end = (1 - 2 * q) ** (-1 / mpmath.mpf(a)) - 1
        return 1 / (a / mpmath.mpf(2) * (1 - (1 + end) ** -(mpmath.mpf(a) + 1)))

    with mpmath.workdps(30):
        low = 1 - mpmath.mpf(p)
        ends = mpmath.linspace(mpmath.log(low), mpmath.log(0.5), 12)
        true = mpmath.quad(lambda u: mpmath.exp(u) * inverse(mpmath.exp(u)), ends)
        assert true * (1 - 1e-12) < Pareto(1.0, a).radius(p) < true * (1 + 1e-13)


def power_growth(q: float, a: float, size: int) -> float:
    """Φ(q) at λ = 1: the mean of a/(1 + s) over the least s, on the half that moves outward."""
    t = special.betaincinv(size, a - size, 2 * q)
    return (a - size) / 2 * special.betainc(size, a - size + 1, t)


@pytest.mark.parametrize(("size", "a"), [(1, 1.5), (3, 8.0), (10, 10.2), (784, 900.0)])
@pytest.mark.parametrize("p", [0.51, 0.9, 0.999, 1 - 1e-6])
def test_power_linf_is_the_integral_and_never_above_it(size: int, a: float, p: float) -> None:
    def linf(low: float) -> float:
        found = integrate.quad(
            lambda u: math.exp(u) / power_growth(math.exp(u), a, size),
            math.log(low), math.log(0.5), epsabs=0, epsrel=1e-11, limit=500,
        )  # fmt: skip
        return found[0]

    radius, true = PowerLinf(1.0, a, "linf", size).radius(p), linf(1 - p)
    assert true * (1 - 1e-6) <= radius <= true * (1 + 1e-10)
    l1 = PowerLinf(1.0, a, "l1", size).radius(p)
    if 1 - p >= 1 / (2 * size):
        true = 2 * size / (a - size) * (p - 0.5)
        assert true * (1 - 3e-10) <= l1 <= true
    else:
        true = (size - 1) / (a - size) + linf(size * (1 - p))
        assert true * (1 - 1e-6) <= l1 <= true * (1 + 1e-10)


def test_power_linf_of_a_large_exponent_is_near_exp_linf() -> None:
    """(1 + s/a)^-a tends to exp(-s); scipy's beta function at such parameters has its margin."""
    for size in (2, 3_072):
        assert PowerLinf(1e12, 1e12, "linf", size).radius(0.9) <= math.log(5) + 1e-9
    assert PowerLinf(1e7, 1e7, "linf", 3).radius(0.9) == pytest.approx(math.log(5), rel=1e-5)


@pytest.mark.parametrize(
    ("size", "b"), [(1, 0.01), (3, 5.0), (784, 0.5), (784, 300.0), (3_072, 10.0), (2, 2e5)]
)
@pytest.mark.parametrize("q", [2.0**-53, 1e-6, 0.1, 0.9])
def test_incomplete_beta_is_true_to_a_part_of_its_margin(size: int, b: float, q: float) -> None:
    """Against mpmath at 60 digits; a tenth of the margin, 2^-34 = 6e-11, is left to the law."""
    x = float(special.betaincinv(size, b, q))
    with mpmath.workdps(60):
        for c in (b, b + 1):
            true = mpmath.betainc(size, c, 0, x, regularized=True)
            assert abs(special.betainc(size, c, x) / true - 1) < 6e-12


# Two-sided radii in closed form.


def test_two_sided_radii_are_half_the_difference_of_the_integrals() -> None:
    for law in (ExponentialL2(1.0, size=20), Pareto(1.0), PowerLinf(1.0, 40.0, "linf", 30)):
        for a, b, other in ((0.9, 1 - 0.95, law.radius(0.95)), (0.4, 1 - 0.9, -law.radius(0.6))):
            one = law.radius(max(a, 0.9))
            half = (one + other) / 2
            assert law.radius_between(a, b) == pytest.approx(half, rel=1e-9)
    l1 = ExponentialLinf(1.0, "l1", 100)
    assert l1.radius_between(0.9, 0.05) == pytest.approx(100 * 0.85)
    assert l1.radius_between(0.4, 0.1) == pytest.approx(100 * 0.3)
    for law in (ExponentialLinf(1.0, "linf", 100), Laplace(1.0)):
        assert law.radius_between(0.9, 0.05) == pytest.approx(-0.5 * math.log(4 * 0.1 * 0.05))


@pytest.mark.parametrize("law", [ExponentialL2(0.5, size=1), ExponentialLinf(0.5, "l1", 1),
                                 ExponentialLinf(0.5, "linf", 1), Laplace(0.5)])  # fmt: skip
def test_one_value_is_laplace_noise(law: Law) -> None:
    for p in (0.51, 0.9, 0.999, 1 - 1e-9):
        assert law.radius(p) == pytest.approx(stats.laplace.isf(1 - p, scale=0.5), rel=1e-13)


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.05), (0.45, 0.2), (0.8, 0.2), (0.97, 0.6)])
def test_half_spaces_reach_the_two_sided_laplace_radius(a: float, b: float) -> None:
    """Class A where x_1 <= its quantile, B where x_1 is high: they meet at the radius."""
    radius = Laplace(1.0).radius_between(a, b)
    for distance, holds in ((radius * 0.999, True), (radius * 1.001, False)):
        of_a = stats.laplace.cdf(stats.laplace.ppf(a) - distance)
        of_b = stats.laplace.sf(stats.laplace.isf(b) - distance)
        assert (of_a > of_b) == holds


@given(st.floats(0.0, 1.0, exclude_max=True), st.floats(0.0, 1.0, exclude_max=True))
def test_two_sided_laplace_radius_is_never_below_that_of_teng(a: float, b: float) -> None:
    if a <= b or b == 0 or 1 - a + b <= 0:
        return
    teng = max(0.5 * (math.log(a) - math.log(b)), -math.log1p(b - a))
    assert Laplace(1.0).radius_between(a, b) >= teng * (1 - 1e-9) - 1e-12


# A sigma a value: everything is isotropic in its own standard deviations.


@pytest.mark.parametrize(("p_a", "p_b"), [(0.6, 0.4), (0.99, 0.001), (0.45, 0.3), (0.3, 0.3)])
def test_equal_sigmas_are_the_isotropic_law(p_a: float, p_b: float) -> None:
    for sigma in (0.25, 1.0, 30.0):
        law, isotropic = AnisotropicGaussian((sigma,) * 4), Gaussian(sigma)
        for one, other in (
            (law.radius(p_a), isotropic.radius(p_a) / sigma),
            (law.radius_between(p_a, p_b), isotropic.radius_between(p_a, p_b) / sigma),
            (law.probability_for(1.0), isotropic.probability_for(sigma)),
        ):
            assert one == pytest.approx(other, rel=1e-15)


@settings(deadline=None)
@given(
    st.floats(0.51, 0.9999),
    st.lists(
        st.tuples(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3), st.floats(-1.0, 1.0)), min_size=1
    ),
)
def test_no_half_space_turns_within_the_anisotropic_radius(
    p: float, features: list[tuple[float, float, float]]
) -> None:
    """A half-space of probability p, and any change of the claimed length, in closed form.

    Under N(0, diag(σ²)) the half-space {w·x <= c} with Φ(c/s) = p, s² = Σ w_j²σ_j², has probability
    Φ(Φ⁻¹(p) - w·δ/s) after a change δ. The worst δ of length R is R·σ_j²w_j/s, which reaches 1/2.
    """
    sigma, w, way = (np.array(column) for column in zip(*features, strict=True))
    spread = float(np.linalg.norm(w * sigma))
    if spread < 1e-3:
        return
    radius = AnisotropicGaussian(tuple(sigma)).radius(p)
    worst = radius * sigma**2 * w / spread
    assert np.linalg.norm(worst / sigma) == pytest.approx(radius, rel=1e-12)
    quantile = stats.norm.ppf(p)
    assert quantile - w @ worst / spread == pytest.approx(0.0, abs=1e-12 * quantile)
    length = float(np.linalg.norm(way))
    if length > 1e-3:
        delta = radius * sigma * way / length  # of the same length, in any direction
        assert quantile - w @ delta / spread >= -1e-12 * quantile
