"""The Gaussian radius."""

import math

from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from rsonnx.noise import Gaussian


@given(st.floats(0.5, 1.0, exclude_min=True, exclude_max=True), st.floats(1e-3, 1e3))
def test_radius_is_never_above_sigma_times_the_quantile(p: float, sigma: float) -> None:
    radius = Gaussian(sigma).radius(p)
    with mp.workprec(200):
        true = mpf(sigma) * mp.sqrt(2) * mp.erfinv(2 * mpf(p) - 1)
        assert radius <= true
        # 2^-48 relative is given up, and 2 units of rounding.
        assert true - radius <= true * mpf(2) ** -47 + mpf(2) ** -1000


def test_a_sigma_below_the_normal_doubles_is_not_halved_up() -> None:
    sigma, gap = 3 * 5e-324, 2 * 1.2815515655446004  # half of 3 steps of 5e-324 would be 2 of them
    assert Gaussian(sigma).radius_between(0.9, 0.1) <= math.floor(3 * gap / 2) * 5e-324
