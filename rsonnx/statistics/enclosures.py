"""Integer enclosures of the binomial term and of the normal distribution, for :mod:`rigorous`.

A *big* is a pair (mantissa, exponent) that stands for mantissa·2^exponent; mantissas are cut to
``BITS`` bits, in the direction that the name of the function says. Relative errors stay below
2^-160 for n up to 2^30.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

Big = tuple[int, int]

BITS = 192
"""Bits of a mantissa."""

CDF_BITS = 256
"""Bits after the binary point of the normal distribution's enclosure."""

_EXACT_FACTORIAL = 512
"""Factorials up to here are exact; beyond, Stirling's series is good to 2^-90."""

_STIRLING = tuple(Fraction(1, d) for d in (12, -360, 1260, -1680, 1188))
"""Coefficients of 1/n, 1/n³, ... in ln n!; the series envelops, so each term changes the side."""

_FAR = 16
"""Beyond 16 standard deviations the normal tail is below 2^-185: enclose it by 0 and 2^-185."""

_TAIL_TO = 1 << 10
"""Up to here the normal tail is enclosed by its series."""

_TAIL_FROM = 10
"""From here on the normal tail is enclosed by its series; before, by the cdf's enclosure."""

_TAIL_TERMS = 50
"""Of the series of the normal tail, an even number; beyond ``_TAIL_FROM`` so many terms fall."""


def cut(mantissa: int, exponent: int, up: bool) -> Big:
    """Return the number with at most ``BITS`` bits, rounded up or down."""
    extra = mantissa.bit_length() - BITS
    if extra <= 0:
        return mantissa, exponent
    return (-(-mantissa >> extra) if up else mantissa >> extra), exponent + extra


def multiply(a: Big, b: Big, up: bool) -> Big:
    """Return a·b, rounded up or down."""
    return cut(a[0] * b[0], a[1] + b[1], up)


def divide(a: Big, b: Big, up: bool) -> Big:
    """Return a/b, rounded up or down."""
    quotient, rest = divmod(a[0] << 2 * BITS, b[0])
    return cut(quotient + (1 if up and rest else 0), a[1] - b[1] - 2 * BITS, up)


def power(a: Big, k: int, up: bool) -> Big:
    """Return a^k for k >= 0, rounded up or down."""
    result: Big = (1, 0)
    for bit in bin(k)[2:]:
        result = multiply(result, result, up)
        if bit == "1":
            result = multiply(result, a, up)
    return result


@lru_cache(maxsize=4096)
def factorial(n: int, up: bool) -> Big:
    """Return n!, rounded up or down: exactly, or by Stirling's series with its remainder."""
    if n <= _EXACT_FACTORIAL:
        return cut(math.factorial(n), 0, up)
    # sqrt(2πn) (n/e)^n exp(1/12n - 1/360n³ + ...): stop after a positive term to be above.
    terms = _STIRLING if up else _STIRLING[:-1]
    exponent = sum((c / n ** (2 * i + 1) for i, c in enumerate(terms)), Fraction(0))
    root = math.isqrt(2 * n * _pi_fixed(up) << CDF_BITS) + (1 if up else 0)
    value = cut(root, -CDF_BITS, up)
    value = multiply(value, power(divide((n, 0), _e(not up), up), n, up), up)
    return multiply(value, _exp_small(exponent, up), up)


def binomial_term_up(k: int, n: int, hits: int, scale: int) -> Big:
    """Return an upper bound on C(n, k) p^k (1-p)^(n-k) for p = hits/scale, scale a power of 2."""
    shift = scale.bit_length() - 1
    value = divide(
        factorial(n, True), multiply(factorial(k, False), factorial(n - k, False), False), True
    )
    value = multiply(value, power(cut(hits, -shift, True), k, True), True)
    return multiply(value, power(cut(scale - hits, -shift, True), n - k, True), True)


def normal_cdf_bounds(x: Fraction) -> tuple[int, int]:
    """Return integers (a, b) with a <= Φ(x)·2^CDF_BITS <= b, for any rational x.

    Φ(x) = 1/2 + φ(x)·(x + x³/3 + x⁵/15 + ...), all terms positive for x > 0.
    """
    one = 1 << CDF_BITS
    if x < 0:
        low, high = normal_cdf_bounds(-x)
        return one - high, one - low
    if x > _FAR:
        return one - (one >> 185), one
    down = (x.numerator << CDF_BITS) // x.denominator
    return _normal_cdf(down, False), _normal_cdf(down + 1, True)


def normal_tail_bounds(x: Fraction) -> tuple[Fraction, Fraction]:
    """Return bounds on Φ(-x) for x >= 0, relatively good to 2^-70.

    From some x on Φ(-x) = φ(x)/x·(1 - 1/x² + 1·3/x⁴ - 1·3·5/x⁶ + ...), a series that envelops: what
    ends with a negative term is below, and with a positive one above. Beyond ``_TAIL_TO`` it is
    bounded by 0 and by what it is there, far below the doubles.
    """
    if x > _TAIL_TO:
        return Fraction(0), normal_tail_bounds(Fraction(_TAIL_TO))[1]
    if x < _TAIL_FROM:
        one = 1 << CDF_BITS
        low, high = normal_cdf_bounds(x)
        return Fraction(one - high, one), Fraction(one - low, one)
    square = x * x
    term, series = Fraction(1), Fraction(0)
    for i in range(_TAIL_TERMS):
        series += term
        term *= -(2 * i + 1) / square
    both = []
    for up, total in ((False, series), (True, series + term)):
        growth = divide((1, 0), exp_minus(square / 2, up), not up)
        root = math.isqrt(2 * _pi_fixed(not up) << CDF_BITS) + (0 if up else 1)
        value = divide(
            _big(total / x, up), multiply(growth, cut(root, -CDF_BITS, not up), not up), up
        )
        both.append(Fraction(value[0]) * Fraction(2) ** value[1])
    return both[0], both[1]


def exp_minus(x: Fraction, up: bool) -> Big:
    """Return exp(-x) for x > 0, rounded up or down; relatively good to 2^-160."""
    # exp(x) = exp(x/2^k)^(2^k), with an exponent below 1/12.
    doublings = math.ceil(24 * x).bit_length()
    growth = power(_exp_small(x / (1 << doublings), not up), 1 << doublings, not up)
    return divide((1, 0), growth, up)


def _big(value: Fraction, up: bool) -> Big:
    """Return a number > 0, rounded up or down."""
    return divide(cut(value.numerator, 0, up), cut(value.denominator, 0, not up), up)


def _normal_cdf(x: int, up: bool) -> int:
    """Return Φ(x/2^CDF_BITS)·2^CDF_BITS for x >= 0, rounded up or down."""
    extra = 1 if up else 0
    square = x * x
    term, total, i = x, x, 1
    # Stop once terms at least halve: then the rest is at most as large as the last one.
    while term > 1 or 2 * square > (i + 2) << 2 * CDF_BITS:
        i += 2
        term = term * square // (i << 2 * CDF_BITS) + extra
        total += term
    if up:
        total += 2 * term + 2
    growth = _exp(square, not up)
    # sqrt(2π)·2^CDF_BITS, rounded away from the result.
    root = math.isqrt(2 * _pi_fixed(not up) << CDF_BITS) + (0 if up else 1)
    product = growth * root
    density = (1 << 3 * CDF_BITS) // product + extra
    return (1 << CDF_BITS - 1) + (total * density >> CDF_BITS) + extra


def _exp(square: int, up: bool) -> int:
    """Return exp(square/2^(2·CDF_BITS)/2)·2^CDF_BITS, rounded up or down."""
    extra = 1 if up else 0
    y = (square >> CDF_BITS + 1) + extra
    term = total = 1 << CDF_BITS
    i = 0
    while term > 1 or 2 * y > (i + 1) << CDF_BITS:
        i += 1
        term = (term * y // i >> CDF_BITS) + extra
        total += term
    return total + (2 * term + 2 if up else 0)


def _exp_small(x: Fraction, up: bool) -> Big:
    """Return exp(x) for 0 < x < 1/12, rounded up or down."""
    fixed = (x.numerator << BITS) // x.denominator + (1 if up else 0)
    term = total = 1 << BITS
    i = 0
    while term > 1:
        i += 1
        term = (term * fixed // i >> BITS) + (1 if up else 0)
        total += term
    return cut(total + (2 * term + 2 if up else 0), -BITS, up)


@lru_cache(maxsize=2)
def _e(up: bool) -> Big:
    bits = BITS + 32
    term = total = 1 << bits
    i = 0
    while term:
        i += 1
        term //= i
        total += term
    # Every cut loses less than one unit and is handed down a falling series: under 2i in all.
    return cut(total + (2 * i if up else 0), -bits, up)


@lru_cache(maxsize=2)
def _pi_fixed(up: bool) -> int:
    """Return π·2^CDF_BITS, rounded up or down, by Machin's formula."""
    guard = 32
    bits = CDF_BITS + guard
    count = 0

    def arctan_inverse(x: int) -> int:
        nonlocal count
        power_, total, i, sign = (1 << bits) // x, 0, 1, 1
        while power_:
            total += sign * (power_ // i)
            power_ //= x * x
            i, sign = i + 2, -sign
            count += 1
        return total

    value = 16 * arctan_inverse(5) - 4 * arctan_inverse(239)
    # Each of `count` terms is cut twice, by less than one unit each; 16 is the larger factor.
    slack = 16 * (2 * count + 2)
    return ((value + slack) >> guard) + 1 if up else (value - slack) >> guard
