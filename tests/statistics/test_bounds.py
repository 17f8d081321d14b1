"""Every bound against reference values, its own equation, and its exact coverage."""

import json
import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf
from scipy import special

from rsonnx.statistics.bounds import (
    BOUNDS,
    certifying_bound,
    get_bound,
    randomized_clopper_pearson_lower,
)
from rsonnx.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "adaptive.json").read_text())
SOUND = [b for b in BOUNDS.values() if b.sound]
DETERMINISTIC = [b for b in SOUND if not b.needs_uniform]


def upper_tail(k: int, n: int, p: Fraction) -> Fraction:
    """P(Bin(n, p) >= k), exactly."""
    return sum((math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1)), Fraction(0))


@pytest.mark.parametrize(
    "row", GOLDEN["bounds"], ids=lambda r: f"{r['name']}-{r['k']}-{r['n']}-{r['alpha']}"
)
def test_against_high_precision(row: dict[str, object]) -> None:
    bound = get_bound(str(row["name"]))
    found = mpf(bound.lower(int(row["k"]), int(row["n"]), float(row["alpha"]), row.get("uniform")))
    true = mpf(row["value"])
    if bound.sound:
        assert found <= true
        # 2^-36 is given up of a probability, 2^-48 before a formula's terms cancel.
        assert true - found <= true * mpf(2) ** -35 + mpf(2) ** -47
    else:
        assert abs(found - true) <= mpf(2) ** -40


@pytest.mark.parametrize("bound", DETERMINISTIC, ids=lambda b: b.name)
@pytest.mark.parametrize("n", [1, 2, 7, 30])
@pytest.mark.parametrize("alpha", [0.4, 0.05, 0.001])
def test_sound_bounds_cover_exactly(bound: object, n: int, alpha: float) -> None:
    # The bound never falls in k, so it misses p = L(k) exactly when at least k samples hit: the
    # worst non-coverage over all p is the largest of these tails.
    lower = [Fraction(bound.lower(k, n, alpha)) for k in range(n + 1)]
    assert lower == sorted(lower)
    assert all(upper_tail(k, n, lower[k]) <= Fraction(alpha) for k in range(n + 1) if lower[k])
    upper = [Fraction(bound.upper(k, n, alpha)) for k in range(n + 1)]
    assert all(
        upper_tail(n - k, n, 1 - upper[k]) <= Fraction(alpha) for k in range(n + 1) if upper[k] < 1
    )


@pytest.mark.parametrize(
    ("name", "n", "least"), [("wald", 1000, 500.0), ("wilson", 100, 1.7), ("jeffreys", 1000, 4.0)]
)
def test_unsound_bounds_do_not(name: str, n: int, least: float) -> None:
    # At alpha = 0.001 and p >= 1/2: 1000, 1.7 (1.1 at n = 1000) and 4.5 times alpha.
    alpha, bound, worst = 0.001, get_bound(name), 0.0
    for k in range(n // 2, n + 1):
        p = bound.lower(k, n, alpha)
        # Where it claims p = 1 it misses every p below whenever all samples hit.
        worst = max(worst, float(special.betainc(k, n - k + 1, p)) if p < 1.0 else 1.0)
    assert worst > least * alpha


@settings(deadline=None)
@given(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(1e-6, 0.5),
    st.floats(1e-6, 1.0),
)
def test_randomized_bound_solves_its_equation(
    count: tuple[int, int], alpha: float, uniform: float
) -> None:
    k, n = count
    p = Fraction(randomized_clopper_pearson_lower(k, n, alpha, uniform))
    u = Fraction(uniform)

    def tail(p: Fraction) -> Fraction:
        return u * upper_tail(k, n, p) + (1 - u) * upper_tail(k + 1, n, p)

    assert p == 0 or tail(p) <= Fraction(alpha)
    above = p * (1 + Fraction(1, 10**9)) + Fraction(1, 10**15)
    assert above >= 1 or tail(above) > Fraction(alpha)
    assert p >= Fraction(clopper_pearson_lower(k, n, alpha)) * (1 - Fraction(1, 2**34))


def test_randomized_bound_misses_with_probability_alpha() -> None:
    # Integrating over u exactly: p is missed for hits k and u < (alpha - P(K > k)) / P(K = k).
    n, alpha, p = 12, 0.05, 0.7
    missed = 0.0
    for k in range(n + 1):
        term = math.comb(n, k) * p**k * (1 - p) ** (n - k)
        low, high = 0.0, 1.0
        if randomized_clopper_pearson_lower(k, n, alpha, 1.0) > p:
            missed += term
            continue
        for _ in range(60):
            u = (low + high) / 2
            if u > 0 and randomized_clopper_pearson_lower(k, n, alpha, u) > p:
                low = u
            else:
                high = u
        missed += term * low
    assert missed == pytest.approx(alpha, rel=1e-8)


def test_default_is_clopper_pearson() -> None:
    bound = certifying_bound("clopper-pearson")
    assert bound.lower(990, 1000, 0.001) == clopper_pearson_lower(990, 1000, 0.001)
    assert bound.upper(10, 1000, 0.001) == clopper_pearson_upper(10, 1000, 0.001)
    assert get_bound("clt") is get_bound("wald")
