"""Printed figures: never above the computed ones, and never lower than they must be."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rsonnx.report import fraction_down, percent, percent_down, percent_up, text_down, text_up
from rsonnx.report.rounding import alpha_up
from rsonnx.scalars import duration


@given(st.floats(1e-300, 1, exclude_max=True))  # below, floats lack the digits
@example(0.001 / 7)
@example(1e-300)
def test_a_probability_of_error_is_rounded_up(alpha: float) -> None:
    printed = Fraction(alpha_up(alpha))
    assert Fraction(repr(alpha)) <= printed <= Fraction(repr(alpha)) * (1 + Fraction(1, 10**5))


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite | st.fractions(), st.integers(0, 20))
@example(0.29, 2)
@example(Fraction(2, 3), 4)
@example(Fraction(29, 100), 2)
@example(0.0, 4)
@example(1e300, 4)
@example(sys.float_info.max, 20)
@example(5e-324, 4)
@example(-0.05, 1)
@example(-5e-324, 0)
@example(math.nextafter(1.0, 0.0), 15)
@example(123456789012345678901234567890.0, 4)
def test_text_down_is_the_largest_figure_not_above(value: float | Fraction, digits: int) -> None:
    text = text_down(value, digits)
    printed = Fraction(text)
    assert printed <= Fraction(value) < printed + Fraction(1, 10**digits)
    assert len(text.partition(".")[2]) == digits
    assert "e" not in text.lower()


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_percent_down_is_never_above_the_share(k: int, n: int) -> None:
    share = Fraction(min(k, n), n)
    printed = Fraction(percent_down(share)) / 100
    assert printed <= share < printed + Fraction(1, 1000)
    above = Fraction(percent_up(share)) / 100
    assert above - Fraction(1, 1000) < share <= above


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (text_down(0.29, 2), "0.28"),  # the float is below 0.29
        (text_down(Fraction(29, 100), 2), "0.29"),
        (text_down(0, 4), "0.0000"),
        (text_down(2, 0), "2"),
        (text_down(Fraction(-1, 20), 1), "-0.1"),
        (percent_down(Fraction(2, 3)), "66.6"),
        (percent_down(Fraction(1)), "100.0"),
        (percent_down(Fraction(1, 10**9)), "0.0"),
        *((alpha_up(float(text)), text) for text in ("0.001", "0.05", "1e-06", "1e-12")),
    ],
)
def test_examples(shown: str, text: str) -> None:
    assert shown == text


@given(st.fractions())
@example(Fraction(29, 100))
@example(Fraction(2, 3))
@example(Fraction(0))
@example(Fraction(1, 10**400))
@example(Fraction(10**300 + 1))
def test_fraction_down_is_the_largest_float_not_above(value: Fraction) -> None:
    found = fraction_down(value)
    above = math.nextafter(found, math.inf)
    assert min(Fraction(found), Fraction(repr(found))) <= value
    assert value < Fraction(above)
    assert value < Fraction(repr(above))


@given(st.integers(1, 10**6), st.data())
def test_what_reaches_a_decimal_does_so_in_json(of: int, data: st.DataObject) -> None:
    """k/N >= t exactly where both are written for a program and compared there as doubles."""
    figure = Fraction(data.draw(st.integers(0, of)), of)
    digits = data.draw(st.integers(0, 6))
    near = round(figure * 10**digits) + data.draw(st.integers(-1, 1))
    least = Fraction(near, 10**digits)
    for written in (float(figure), fraction_down(figure)):
        assert (figure >= least) == (written >= float(least))


@given(st.fractions(0, 1))
@example(Fraction(2, 3))
@example(Fraction(1, 3))
def test_a_share_in_percent_is_correctly_rounded(share: Fraction) -> None:
    assert abs(Fraction(percent(share)) - 100 * share) <= Fraction(1, 20)


def test_fraction_down_of_what_no_float_reaches() -> None:
    assert fraction_down(Fraction(10**400)) == sys.float_info.max
    assert fraction_down(Fraction(-(10**400))) == -math.inf


@given(st.floats(0, 1))
@example(0.0010004)
@example(0.001)
@example(0.9999)
@example(1.0)
@example(0.0)
@example(5e-324)
def test_text_up_is_never_below_a_p_value(value: float) -> None:
    text = text_up(value, 3)
    assert float(text) >= value
    assert float(text) <= value * 1.01 + 5e-324
    assert len(text) <= 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (360_000, "100 h 0 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
