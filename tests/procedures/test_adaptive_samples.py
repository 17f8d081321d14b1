"""Targets out of reach: the sentence names a radius that can be reached, never one above it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian
from rsonnx.procedures import Adaptive


@given(st.integers(20, 10**6), st.floats(0.05, 5.0))
def test_the_largest_reachable_radius_is_printed_rounded_down(n: int, sigma: float) -> None:
    noise = Gaussian(sigma)
    with pytest.raises(UsageError, match="cannot be reached") as refusal:
        Adaptive(noise, 100, n, 0.001, (100 * sigma,))
    found = re.search(r"give at most ([0-9.]+);", str(refusal.value))
    assert found is not None
    exact = Adaptive(noise, 100, n, 0.001, (1e-6 * sigma,)).largest_radius
    assert exact - 1e-4 <= float(found[1]) <= exact
