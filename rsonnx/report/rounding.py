"""Rounding for print: radii and lower bounds down, errors up, shares that are k of N correctly."""

from __future__ import annotations

import math
import sys
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction


def text_down(value: float | Fraction, digits: int) -> str:
    """Return ``value`` with ``digits`` decimals, rounded towards minus infinity."""
    return _text(math.floor(Fraction(value) * 10**digits), digits)


def decimals_up(value: float | Fraction, digits: int) -> str:
    """Return ``value`` with ``digits`` decimals, rounded towards infinity."""
    return _text(math.ceil(Fraction(value) * 10**digits), digits)


def text_up(value: float, figures: int) -> str:
    """Return ``value`` with so many significant figures, rounded towards infinity: for p-values."""
    rounded = Context(prec=figures, rounding=ROUND_CEILING).create_decimal(repr(value))
    return f"{rounded:g}"


def figures_down(value: Fraction, figures: int) -> str:
    """Return ``value`` with so many significant figures at most, rounded towards minus infinity."""
    context = Context(prec=figures, rounding=ROUND_FLOOR)
    rounded = context.divide(Decimal(value.numerator), Decimal(value.denominator)).normalize()
    return f"{rounded:f}" if -5 < rounded.adjusted() < 9 else f"{rounded:g}"


def alpha_up(alpha: float) -> str:
    """Return a probability of error with six significant figures at most, rounded up."""
    return f"{float(text_up(alpha, 6)):g}"


def error_up(alpha: float) -> str:
    """Return a probability of error with three significant figures, rounded up and written out."""
    error = Decimal(text_up(alpha, 3)).normalize()
    return f"{error}" if error < Decimal("1e-9") else f"{error:f}"


def percent(share: float | Fraction) -> str:
    """Return k/N as a percentage with one decimal, correctly rounded: 2/3 is "66.7"."""
    return _text(round(Fraction(share) * 1000), 1)


def percent_down(share: float | Fraction) -> str:
    """Return a bound as a percentage with one decimal, rounded down: 2/3 is "66.6"."""
    return text_down(Fraction(share) * 100, 1)


def percent_up(share: float | Fraction) -> str:
    """Return a bound as a percentage with one decimal, rounded up: 2/3 is "66.7"."""
    return decimals_up(Fraction(share) * 100, 1)


def fraction_down(value: Fraction) -> float:
    """Return the largest float that is not above ``value`` by itself or as it is written.

    So 9/10 is 0.9, though that float is 2e-17 more: who compares it with 0.9 finds them the same.
    """
    try:
        nearest = float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -math.inf
    above = min(Fraction(nearest), Fraction(repr(nearest))) > value
    return math.nextafter(nearest, -math.inf) if above else nearest


def _text(units: int, digits: int) -> str:
    """Return ``units`` · 10^-``digits`` in full, however large it is."""
    figures = str(abs(units)).rjust(digits + 1, "0")
    whole, decimals = figures[: len(figures) - digits], figures[len(figures) - digits :]
    return ("-" if units < 0 else "") + whole + (f".{decimals}" if decimals else "")
