"""Pareto noise: its l1 radius and its draws."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii, float_noise, kept_of_independent
from numpy.typing import NDArray
from scipy import integrate, stats

from rsonnx.errors import UsageError
from rsonnx.noise import InputSpace, NoisyStream, law_from_json, noise_of
from rsonnx.noise.laws.pareto import Pareto

PROBABILITIES = st.floats(0.0, 1.0, exclude_max=True)


def cumulative(a: float):  # type: ignore[no-untyped-def]
    def of(value: NDArray[np.float64]) -> NDArray[np.float64]:
        tail = 0.5 * (1 + np.abs(value)) ** -a
        return np.where(value < 0, tail, 1 - tail)

    return of


def test_golden_radius() -> None:
    # λ = 1, a = 3, p = .99: 1.03240994109837758.
    assert Pareto(1.0, 3.0).radius(0.99) == pytest.approx(1.03240994109837758, rel=1e-14)


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0, 50.0])
@pytest.mark.parametrize("p", [0.51, 0.9, 0.999, 1 - 1e-9])
def test_radius_is_the_integral(a: float, p: float) -> None:
    """Φ(q) from the density at both ends of an interval above 0, by quadrature at 30 digits."""

    def inverse(q: mpmath.mpf) -> mpmath.mpf:
        end = (1 - 2 * q) ** (-1 / mpmath.mpf(a)) - 1
        return 1 / (a / mpmath.mpf(2) * (1 - (1 + end) ** -(mpmath.mpf(a) + 1)))

    with mpmath.workdps(30):
        low = 1 - mpmath.mpf(p)
        ends = mpmath.linspace(mpmath.log(low), mpmath.log(0.5), 12)
        true = mpmath.quad(lambda u: mpmath.exp(u) * inverse(mpmath.exp(u)), ends)
        radius = Pareto(1.0, a).radius(p)
        assert true * (1 - 1e-12) < radius < true * (1 + 1e-13)


@pytest.mark.parametrize("p", [0.6, 0.9, 0.99])
def test_worst_classifier(p: float) -> None:
    """Not tight: the largest true radius is up to 1.9 times as large for a = 3, p = .99."""
    radius = Pareto(1.0, 3.0).radius(p)
    assert kept_of_independent(cumulative(3), 1, 40, p, radius * 0.99) >= 0.5
    assert kept_of_independent(cumulative(3), 1, 40, p, radius * 2) < 0.5


def test_worst_set_at_a_small_distance() -> None:
    """Tight for p near 1/2, where the worst set is an interval from the input on."""
    radius = Pareto(1.0, 3.0).radius(0.505)
    assert kept_of_independent(cumulative(3), 1, 3, 0.505, radius * 0.99) >= 0.5
    assert kept_of_independent(cumulative(3), 1, 3, 0.505, radius * 1.02) < 0.5


@pytest.mark.parametrize("a", [0.5, 3.0, 20.0])
@given(data=st.data())
def test_radii_in_order(a: float, data: st.DataObject) -> None:
    low, high = sorted([data.draw(PROBABILITIES), data.draw(PROBABILITIES)])
    check_radii(Pareto(0.3, a), low, high, data.draw(st.floats(0.01, 1)))


def test_parameters() -> None:
    law = noise_of("pareto", sigma=0.5, a=4)
    assert law.parameters["lam"] == pytest.approx(0.5 / math.sqrt(2 / (3 * 2)))
    assert law.deviation == 0.5
    assert law_from_json(law.to_json()) == law
    assert noise_of("pareto", sigma=0.5).parameters["a"] == 3.0
    assert noise_of("pareto", lam=0.5, a=1.5).deviation is None
    for bad in (0, -1, math.nan, math.inf, True, "x"):
        with pytest.raises(UsageError, match=r"a is .* above 0"):
            noise_of("pareto", lam=0.5, a=bad)
    with pytest.raises(UsageError, match="no standard deviation"):
        noise_of("pareto", sigma=0.5, a=2)
    with pytest.raises(UsageError, match="certifies in l1"):
        noise_of("pareto", lam=0.5, norm="linf")


@pytest.mark.parametrize("a", [0.5, 3.0])
def test_draws_have_the_law(a: float) -> None:
    """A p-value below 1e-9 fails: odds of 1e-9 a test."""
    drawn = float_noise(Pareto(1.0, a), (3, 16, 16), 70).ravel()
    assert stats.kstest(drawn, cumulative(a)).pvalue > 1e-9
    assert stats.kstest(drawn, cumulative(a * 1.1)).pvalue < 1e-9
    assert np.isfinite(drawn).all()


def test_cumulative_is_the_law() -> None:
    law = Pareto(0.5, 3.0)
    for value in (-4.0, -0.3, 0.0):
        found = float(law.cumulative(mpmath.mpf(value)))
        assert found == pytest.approx(float(cumulative(3)(np.array(value / 0.5))))
    density = integrate.quad(lambda x: 3 * (1 + x / 0.5) ** -4, 0.3, np.inf)[0]
    assert float(law.cumulative(mpmath.mpf(-0.3))) == pytest.approx(density)


def test_sigma_is_the_deviation_of_a_value() -> None:
    """E x² at λ = 1 by quadrature; no simulation: the fourth moment is far out in the tail."""
    square, _ = integrate.quad(lambda x: x * x * 5 * (1 + x) ** -6, 0, np.inf)
    assert noise_of("pareto", lam=1.0, a=5).deviation == pytest.approx(math.sqrt(square))


def test_samples_do_not_depend_on_what_is_asked_for() -> None:
    point = InputSpace((5,)).point(np.full(5, 0.3), "float")
    whole, parts = np.empty((40, 5), np.float32), np.empty((40, 5), np.float32)
    NoisyStream(point, Pareto(0.5), 1, "estimation").write(0, whole)
    stream = NoisyStream(point, Pareto(0.5), 1, "estimation")
    for start, stop in ((30, 40), (0, 7), (7, 30)):
        stream.write(start, parts[start:stop])
    np.testing.assert_array_equal(whole, parts)
