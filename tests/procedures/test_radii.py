"""How radii are printed."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rsonnx.procedures import radius_text


@given(st.floats(0, allow_infinity=False))
def test_a_radius_is_printed_to_four_decimals_and_never_above_it(radius: float) -> None:
    """Of any size: beyond 1e24 the digits of a Decimal ended it."""
    shortfall = Fraction(radius) - Fraction(radius_text(radius))
    assert 0 <= shortfall < Fraction(1, 10_000)
