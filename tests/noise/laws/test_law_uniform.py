"""Uniform noise: radii in l1 and linf, and its draws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import (
    check_radii,
    chi_square_of_rounded,
    exact_noise,
    float_noise,
    kept_of_independent,
)
from scipy import stats

from rsonnx.errors import UsageError
from rsonnx.noise import noise_of
from rsonnx.noise.drawing import exact_block
from rsonnx.noise.lattice import LatticeBlock
from rsonnx.noise.laws.uniform import Uniform

PROBABILITIES = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("p", "radius"), [(0.75, 0.866025), (0.9, 1.385641), (0.99, 1.697410), (0.999, 1.728587)]
)
def test_published_l1_radii(p: float, radius: float) -> None:
    # σ = 1, Yang et al. (arXiv 2002.08118): 2λ(p - 1/2), λ = √3, six digits.
    assert noise_of("uniform", sigma=1.0).radius(p) == pytest.approx(radius, abs=6e-7)


def test_golden_linf_radius() -> None:
    # λ = 1, d = 3072, p = .99: 0.000438327320468626634.
    radius = Uniform(1.0, "linf", 3_072).radius(0.99)
    assert radius <= 0.000438327320468626634 * (1 + 1e-15)
    assert radius == pytest.approx(0.000438327320468626634, rel=1e-14)


def uncovered(change: list[float], lam: float) -> float:
    """The share of a cube that its copy moved by ``change`` does not cover."""
    return 1 - math.prod(max(0.0, 1 - abs(c) / (2 * lam)) for c in change)


@pytest.mark.parametrize("norm", ["l1", "linf"])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("p", [0.55, 0.8, 0.999])
def test_cube_cut_reaches_the_radius(norm: str, size: int, p: float) -> None:
    """The worst set holds what the moved cube does not cover, and keeps p less that: exactly."""
    lam = 0.7
    radius = Uniform(lam, norm, size).radius(p)
    worst = [1.0] * size if norm == "linf" else [1.0] + [0.0] * (size - 1)
    for distance, holds in ((radius * 0.9999, True), (radius * 1.02, False)):
        assert (p - uncovered([distance * w for w in worst], lam) >= 0.5) == holds


@pytest.mark.parametrize("size", [1, 2, 3])
def test_cube_cut_is_the_worst_classifier(size: int) -> None:
    """Cells of edges that fall on both cubes, so that the masses are exact."""
    cumulative = stats.uniform(-1, 2).cdf
    kept = kept_of_independent(cumulative, size, 1.5, 0.8, 0.2)
    assert kept == pytest.approx(0.8 - uncovered([0.2] * size, 1.0), abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_no_direction_in_l1_is_worse_than_one_value(seed: int) -> None:
    change = np.random.default_rng(seed).dirichlet(np.ones(4))
    radius = Uniform(0.7).radius(0.8)
    assert 0.8 - uncovered(list(change * radius), 0.7) >= 0.5


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.05), (0.45, 0.2), (0.97, 0.03)])
def test_two_sided_radius_is_reached(a: float, b: float) -> None:
    """A holds all that is lost, B what is won: they meet where both are (a - b)/2."""
    assert Uniform(0.7).radius_between(a, b) == pytest.approx(0.7 * (a - b), rel=1e-14)
    law = Uniform(0.7, "linf", 3)
    radius = law.radius_between(a, b)
    for distance, holds in ((radius * 0.999, True), (radius * 1.001, False)):
        moved = uncovered([distance] * 3, 0.7)
        assert (a - moved > b + moved) == holds


@pytest.mark.parametrize("law", [Uniform(0.3), Uniform(0.3, "linf", 3_072)], ids=str)
@given(data=st.data())
def test_radii_in_order(law: Uniform, data: st.DataObject) -> None:
    low, high = sorted([data.draw(PROBABILITIES), data.draw(PROBABILITIES)])
    check_radii(law, low, high, data.draw(st.floats(0.01, 1)))


def test_no_radius_beyond_the_cube() -> None:
    assert Uniform(0.5).probability_for(0.6) == 1.0
    assert Uniform(0.5).radius(1.0) == pytest.approx(0.5)


def test_scale() -> None:
    law = noise_of("uniform", sigma=0.5)
    assert law.deviation == 0.5
    assert law.parameters["lam"] == pytest.approx(0.5 * math.sqrt(3))
    with pytest.raises(UsageError, match="l1 or linf"):
        Uniform(0.5, "l2")
    with pytest.raises(UsageError, match="no size was given"):
        Uniform(0.5, "linf")


@pytest.mark.parametrize("lam", [0.2, 0.9])
def test_draws_have_the_law(lam: float) -> None:
    """A p-value below 1e-9 fails: odds of 1e-9 a test."""
    law = Uniform(lam)
    assert chi_square_of_rounded(law, stats.uniform(-lam, 2 * lam).cdf, 1 / 255) > 1e-9
    drawn = float_noise(law, (3, 16, 16), 70).ravel()
    assert stats.kstest(drawn, stats.uniform(-lam, 2 * lam).cdf).pvalue > 1e-9
    assert stats.kstest(drawn, stats.laplace(scale=lam / 6**0.5).cdf).pvalue < 1e-9


def test_exact_noise_narrower_than_half_a_step_moves_nothing() -> None:
    assert not exact_noise(Uniform(0.3 / 255), (2, 3), 50).any()


def test_exact_noise_stays_inside_the_rounded_cube() -> None:
    assert set(np.unique(exact_noise(Uniform(2.2 / 255), (8, 8), 50))) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("lam", [0.3 / 255, 2.2 / 255, 0.9])
def test_compiled_and_reference_draw_the_same(lam: float) -> None:
    table = Uniform(lam).table(1 / 255)
    expected = LatticeBlock(table, 77, 3).draw(50_001)
    np.testing.assert_array_equal(exact_block()(table, 77, 3).draw(50_001), expected)
