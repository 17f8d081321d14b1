"""What additive laws draw, against the laws that they claim: Kolmogorov-Smirnov and chi-square.

A p-value below 1e-9 fails, which a right law has with odds of 1e-9 a test, and a law that is only
near the right one must have it; seeds are fixed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from noise_laws import Density, chi_square_of_rounded, exact_noise, float_noise
from numpy.typing import NDArray
from scipy import integrate, stats

from rsonnx.noise import (
    AnisotropicGaussian,
    Ball,
    ExponentialL2,
    ExponentialLinf,
    Gaussian,
    InputSpace,
    Laplace,
    Law,
    NoisyStream,
    Pareto,
    PowerLinf,
    Uniform,
)
from rsonnx.noise.additive import quickest_block
from rsonnx.noise.lattice import LatticeBlock


def pareto(a: float) -> Density:
    def of(value: NDArray[np.float64]) -> NDArray[np.float64]:
        tail = 0.5 * (1 + np.abs(value)) ** -a
        return np.where(value < 0, tail, 1 - tail)

    return of


VALUES: list[tuple[Any, Density, Density]] = [
    (Laplace(0.35), stats.laplace(scale=0.35).cdf, stats.laplace(scale=0.385).cdf),
    (Laplace(0.07), stats.laplace(scale=0.07).cdf, stats.laplace(scale=0.077).cdf),
    (Uniform(0.9), stats.uniform(-0.9, 1.8).cdf, stats.laplace(scale=0.9 / 6**0.5).cdf),
    (Uniform(0.2), stats.uniform(-0.2, 0.4).cdf, stats.laplace(scale=0.2 / 6**0.5).cdf),
    (Pareto(1.0, 0.5), pareto(0.5), pareto(0.55)),
    (Pareto(1.0, 3.0), pareto(3.0), pareto(3.3)),
]


@pytest.mark.parametrize(
    ("law", "cumulative", "other"), VALUES, ids=[str(case[0]) for case in VALUES]
)
def test_independent_values(law: Any, cumulative: Density, other: Density) -> None:
    drawn = float_noise(law, (3, 16, 16), 70).ravel()
    assert np.isfinite(drawn).all()
    assert stats.kstest(drawn, cumulative).pvalue > 1e-9
    assert stats.kstest(drawn, other).pvalue < 1e-9
    for value in (-4.0, -0.3, 0.0):
        expected = float(cumulative(np.array(value)))
        assert float(law.cumulative(mpmath.mpf(value))) == pytest.approx(expected)
    if law.exact:
        assert chi_square_of_rounded(law, cumulative, 1 / 255) > 1e-9
        table = law.table(1 / 255)
        expected_draws = LatticeBlock(table, 77, 3).draw(50_001)
        np.testing.assert_array_equal(quickest_block()(table, 77, 3).draw(50_001), expected_draws)


def test_exact_uniform_noise_stays_inside_the_rounded_cube() -> None:
    assert not exact_noise(Uniform(0.3 / 255), (2, 3), 50).any()
    assert set(np.unique(exact_noise(Uniform(2.2 / 255), (8, 8), 50))) == {-2, -1, 0, 1, 2}


D = 6
Of = Callable[[NDArray[np.float64]], NDArray[np.float64]]
LENGTHS: list[tuple[Law, float, Of, Any, Any]] = [
    # law; norm; a function of the norm over λ; its distribution, and one that it does not have
    (Ball(0.5, size=D), 2, lambda s: s**D, stats.uniform, stats.beta(1, 1.1)),
    (ExponentialL2(0.5, size=D), 2, lambda s: s, stats.gamma(D), stats.gamma(D + 1)),
    (ExponentialLinf(0.5, size=D), np.inf, lambda s: s, stats.gamma(D), stats.gamma(D + 1)),
    (PowerLinf(0.5, 9.0, size=D), np.inf, lambda s: s / (1 + s), stats.beta(D, 3),
     stats.beta(D + 1, 3)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("law", "order", "of", "law_of_it", "other"), LENGTHS, ids=[str(case[0]) for case in LENGTHS]
)
def test_values_drawn_together(law: Law, order: float, of: Of, law_of_it: Any, other: Any) -> None:
    """The norm has its law, the direction is uniform on the sphere, or on a face of the cube."""
    drawn = float_noise(law, (D,), 20_000)
    norm = np.linalg.norm(drawn, order, axis=1)
    assert stats.kstest(of(norm / 0.5), law_of_it.cdf).pvalue > 1e-9
    assert stats.kstest(of(norm / 0.5), other.cdf).pvalue < 1e-9
    if order == 2:
        angle = stats.beta((D - 1) / 2, (D - 1) / 2, loc=-1, scale=2)
        for direction in (drawn[:, 0], drawn.sum(axis=1) / math.sqrt(D)):
            assert stats.kstest(direction / norm, angle.cdf).pvalue > 1e-9
        return
    face = np.abs(drawn).argmax(axis=1)
    assert stats.chisquare(np.bincount(face, minlength=D)).pvalue > 1e-9
    inside = (drawn / norm[:, None])[np.arange(D) != face[:, None]]
    assert stats.kstest(inside, stats.uniform(-1, 2).cdf).pvalue > 1e-9


def test_the_deviation_of_pareto_noise_is_that_of_its_density() -> None:
    square, _ = integrate.quad(lambda x: x * x * 5 * (1 + x) ** -6, 0, np.inf)
    assert Pareto(1.0, 5.0).deviation == pytest.approx(math.sqrt(square))
    assert Pareto(1.0, 2.0).deviation is None


SIGMAS = (0.02, 1.5, 40.0, 7.0, 1000.0)
"""Standard deviations of values in five different units."""


def test_every_feature_has_its_own_law_and_no_other() -> None:
    noise = float_noise(AnisotropicGaussian(SIGMAS), (5,), 20_000)
    for j, sigma in enumerate(SIGMAS):
        assert stats.kstest(noise[:, j], stats.norm(scale=sigma).cdf).pvalue > 1e-9
        assert stats.kstest(noise[:, j], stats.norm(scale=1.1 * sigma).cdf).pvalue < 1e-9
        for k in range(j):
            assert stats.pearsonr(noise[:, j], noise[:, k]).pvalue > 1e-9


def test_images_and_shared_noise_take_the_sigmas_in_row_major_order() -> None:
    law = AnisotropicGaussian(tuple(float(10**j) for j in range(6)))
    point = InputSpace((2, 3)).point(np.full((2, 3), 7, np.uint8), "float")
    for shared in (False, True):
        out = np.empty((4_000, 2, 3), np.float32)
        NoisyStream(point, law, 3, "selection", shared).write(0, out)
        # The standard error of a standard deviation of 4,000 is 1.1 %; 10 % is 9 of them.
        np.testing.assert_allclose(out.std(axis=0), 10.0 ** np.arange(6).reshape(2, 3), rtol=0.1)


def test_drawn_noise_turns_the_worst_half_space_at_the_radius() -> None:
    """Simulated: a half-space of p = .9 stands before the radius of .9 and falls behind it."""
    law, p, sigma = AnisotropicGaussian(SIGMAS), 0.9, np.array(SIGMAS)
    w = np.array([30.0, -1.0, 0.02, 0.1, 0.0005])
    spread = float(np.linalg.norm(w * sigma))
    noise = float_noise(law, (5,), 20_000) @ w
    for share in (0.0, 0.5, 0.95, 1.05):
        moved = float(w @ (share * law.radius(p) * sigma**2 * w / spread))
        hits = int((noise + moved <= float(stats.norm.ppf(p)) * spread).sum())
        exact = float(stats.norm.cdf(stats.norm.ppf(p) * (1 - share)))
        assert stats.binomtest(hits, 20_000, exact).pvalue > 1e-9
        assert (exact >= 0.5) == (share < 1)


@pytest.mark.parametrize(
    "law",
    [
        *(Gaussian(1e300), Gaussian(1.7e308), AnisotropicGaussian((1e300,) * 6)),
        *(Pareto(1e30, 0.01), PowerLinf(1e30, 6.0000001, "l1", 6)),
    ],
)
def test_noise_beyond_the_numbers_is_drawn_without_a_word(law: Law) -> None:
    point = InputSpace((6,), (-5.0, 5.0)).point(np.full(6, 0.3))
    out = np.zeros((4096, 6), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NoisyStream(point, law, 1, "estimation").write(0, out)
    assert np.isinf(out).any()
