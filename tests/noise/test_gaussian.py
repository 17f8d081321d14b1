"""The Gaussian radius."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian


@given(st.floats(0.5, 1.0, exclude_min=True, exclude_max=True), st.floats(1e-3, 1e3))
def test_radius_is_never_above_sigma_times_the_quantile(p: float, sigma: float) -> None:
    radius = Gaussian(sigma).radius(p)
    with mp.workprec(200):
        true = mpf(sigma) * mp.sqrt(2) * mp.erfinv(2 * mpf(p) - 1)
        assert radius <= true
        # 2^-48 relative is given up, and 2 units of rounding.
        assert true - radius <= true * mpf(2) ** -47 + mpf(2) ** -1000


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5])
def test_no_radius_without_a_majority(p: float) -> None:
    assert Gaussian(0.5).radius(p) == 0.0


@pytest.mark.parametrize("sigma", [0, -1, math.nan, math.inf, "x", None])
def test_bad_sigma(sigma: object) -> None:
    with pytest.raises(UsageError, match=r"sigma is .* above 0"):
        Gaussian(sigma)  # type: ignore[arg-type]


def test_golden_radius() -> None:
    # sigma = .5, p = .99: 1.16317393702042055 (tools/make_golden.py: 0.5 * phi_inv(0.99)).
    assert Gaussian(0.5).radius(0.99) == pytest.approx(1.16317393702042055, rel=1e-14)


def test_a_sigma_below_the_normal_doubles_is_not_halved_up() -> None:
    sigma, gap = 3 * 5e-324, 2 * 1.2815515655446004  # half of 3 steps of 5e-324 would be 2 of them
    assert Gaussian(sigma).radius_between(0.9, 0.1) <= math.floor(3 * gap / 2) * 5e-324
