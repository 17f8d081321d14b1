"""Sums of independent values on a lattice, against exact enumeration in fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.statistics.convolution import BINS, LatticeSum, SumLaw

_WHOLE = st.integers(-20, 20).map(lambda k: Fraction(k, 4))
_FLOAT = st.floats(-4, 4, width=32).map(Fraction)
_PARTS = st.integers(1, 9)


def _terms(value: st.SearchStrategy[Fraction]) -> st.SearchStrategy[list[list[Fraction]]]:
    return st.lists(st.lists(value, min_size=1, max_size=4), min_size=1, max_size=5)


@pytest.mark.parametrize(("value", "exact"), [(_WHOLE, True), (_FLOAT, False)])
def test_every_sum_is_on_the_side_that_the_lattice_says(
    value: st.SearchStrategy[Fraction], exact: bool
) -> None:
    @given(_terms(value), value, st.booleans(), st.sampled_from([0, Fraction(1, 1000)]))
    def check(
        terms: list[list[Fraction]], threshold: Fraction, tie_above: bool, slack: Fraction
    ) -> None:
        lattice = LatticeSum.of(terms)
        below, above = lattice.places(threshold, Fraction(slack), tie_above=tie_above)
        assert below < above
        assert sum(int(steps.max()) for steps in lattice.steps) <= BINS + len(terms)
        masses = [np.full(len(term), 1 / len(term)) for term in terms]
        law = SumLaw.of(lattice.steps, masses)
        chance, sides = Fraction(1), [Fraction(0), Fraction(0)]
        for term in terms:
            chance /= len(term)
        for cells in itertools.product(*(range(len(term)) for term in terms)):
            total = sum(term[k] for term, k in zip(terms, cells, strict=True))
            k = sum(int(steps[c]) for steps, c in zip(lattice.steps, cells, strict=True))
            is_above = total >= threshold if tie_above else total > threshold
            assert is_above or k < above
            assert not is_above or k > below
            for moved in (total - slack, total + slack):
                side = moved >= threshold if tie_above else moved > threshold
                assert side or k < above
                assert not side or k > below
            if exact and not slack:
                assert k >= above if is_above else k <= below
            sides[0 if k < above else 1] += chance
        upper = law.upper(None, above)
        assert Fraction(upper) >= sides[0]
        assert upper <= sides[0] * (1 + Fraction(1, 2**36)) + Fraction(1, 2**1000)
        assert Fraction(law.upper(above, None)) >= sides[1]

    check()


@given(st.floats(0.001, 10), st.lists(st.integers(-50, 50), min_size=2, max_size=9))
def test_multiples_of_a_unit_that_float32_rounds_are_told_from_others(
    unit: float, multiples: list[int]
) -> None:
    values = [Fraction(float(np.float32(unit * k))) for k in multiples]
    lattice = LatticeSum.of([[Fraction(0), value] for value in values])
    if any(multiples):
        span = sum(abs(k) for k in multiples)
        assert sum(int(steps.max()) for steps in lattice.steps) <= span
        width = lattice.errors[1] - lattice.errors[0]
        assert width < lattice.unit / 4


def test_probabilities_far_below_the_doubles_are_bounded_by_the_smallest_normal_one() -> None:
    steps, masses = [np.array([0, 1])] * 100, [np.array([1.0, 1e-9])] * 100
    law = SumLaw.of(steps, masses)
    assert law.upper(100, None) == 2.0**-1022
    assert law.upper(30, 31) == pytest.approx(float(2.93723398e25 * 1e-270), rel=1e-6)
    assert law.upper(101, None) == 2.0**-1022
