"""Where noise crosses the cuts of a classifier, and how likely each cell is."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from closed_forms import real_point
from exact_oracle import Noise
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.closed_form import Cuts
from rsonnx.errors import UsageError
from rsonnx.noise import (
    AnisotropicGaussian,
    Columns,
    Gaussian,
    InputSpace,
    Laplace,
    Law,
    Pareto,
    Uniform,
)
from rsonnx.noise.cells import crossings, first_levels, midpoints

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(FLOATS)
def test_a_real_number_rounds_to_a_cut_or_above_it_where_it_is_beyond_the_midpoint(
    cut: float,
) -> None:
    (edge,) = midpoints(np.array([cut]))
    with np.errstate(over="ignore"):
        assert np.float32(np.nextafter(edge, math.inf)) >= np.float32(cut)
        assert np.float32(np.nextafter(edge, -math.inf)) < np.float32(cut)


@given(
    st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (0.1, 0.7)]),
    st.floats(-2, 3, width=32),
)
def test_a_level_is_the_first_whose_value_is_not_below_a_cut(
    bounds: tuple[float, float], cut: float
) -> None:
    space = InputSpace((1,), bounds)
    (first,) = first_levels(space, np.array([cut]))
    before, at = space.values_of(np.array([first - 1, first])).tolist()
    assert before < cut <= at


@given(
    st.sampled_from(["gaussian", "laplace", "uniform"]),
    st.floats(0.01, 10),
    st.floats(-5, 5),
    st.lists(st.floats(-300, 300, width=32), min_size=1, max_size=5, unique=True),
)
def test_a_mass_is_never_below_the_true_one_and_close_to_it(
    name: str, scale: float, x: float, cuts: list[float]
) -> None:
    law: Law = {"gaussian": Gaussian, "laplace": Laplace, "uniform": Uniform}[name](scale)
    cuts = sorted(cuts)
    (where,) = crossings(law, real_point([x]), [Cuts(0, np.array(cuts))])
    edges = [-math.inf, *(Fraction(edge) for edge in midpoints(np.array(cuts)).tolist()), math.inf]
    with mpmath.workprec(300):
        for first in range(len(cuts) + 1):
            for last in range(first, len(cuts) + 1):
                low, high = edges[first], edges[last + 1]
                true = Noise(name, scale).between(low - Fraction(x), high - Fraction(x))
                mass = where.mass(first, last)
                assert mass >= true or true > 1
                assert mass <= true * (1 + mpmath.mpf(2) ** -45) + mpmath.mpf(2) ** -139
    assert where.masses().sum() >= 1


def test_a_fixed_value_is_where_it_is() -> None:
    law = AnisotropicGaussian((0.0, 1.0))
    cuts = [Cuts(0, np.array([0.0, 1.0])), Cuts(1, np.array([0.0]))]
    for value, masses in ((-1e-30, [1, 0, 0]), (0.0, [0, 1, 0]), (1.0, [0, 0, 1])):
        fixed, noisy = crossings(law, real_point([value, 0.0]), cuts)
        assert fixed.masses().tolist() == masses
        assert noisy.masses() == pytest.approx([0.5, 0.5])


def test_what_is_no_independent_noise_has_no_masses() -> None:
    point = InputSpace((2, 8, 8)).point(np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(UsageError, match="column"):
        crossings(Columns(1, "NCHW"), point, [Cuts(0, np.array([0.5]))])


@given(st.floats(1e-307, 0.499))
def test_a_radius_from_the_other_side_is_never_above_the_true_one(p: float) -> None:
    for name, law in (
        ("gaussian", Gaussian(0.5)),
        ("laplace", Laplace(0.5)),
        ("uniform", Uniform(0.5)),
    ):
        radius = law.radius_beside(p)
        with mpmath.workprec(1200):
            true = Noise(name, 0.5).radius(mpmath.mpf(p))
            assert true * (1 - mpmath.mpf(2) ** -46) <= radius <= true
        assert law.proves_beside(radius, p) in (True, None)
        if name == "gaussian":
            assert not law.proves_beside(radius * (1 + 2**-40), p)


@pytest.mark.parametrize(
    "law", [Gaussian(0.5, "linf", 9), Laplace(0.5, "linf", 9), Pareto(0.5), Uniform(0.5, "linf", 9)]
)
def test_from_the_other_side_the_radius_is_that_of_p_a(law: Law) -> None:
    for p in (0.4, 0.1, 1e-3):
        radius = law.radius(1 - p)
        assert radius * (1 - 1e-9) <= law.radius_beside(p) <= radius * (1 + 1e-9)
        assert law.proves_beside(law.radius_beside(p), p) in (True, None)
    assert law.radius_beside(0.5) == law.radius_beside(0.9) == 0


@pytest.mark.parametrize("law", [Gaussian(4.5), Laplace(4.5), Uniform(4.5)])
def test_cells_that_are_narrow_beside_the_noise_have_no_less_than_their_mass(law: Law) -> None:
    """At mpmath's own precision, as in a run: within 300 bits nothing would be seen."""
    drawn = np.random.default_rng(5)
    noise = Noise(law.name, 4.5)
    for _ in range(400):
        x = float(drawn.uniform(0, 1))
        edges = x + drawn.choice([-1, 1], 3) * 10 ** drawn.uniform(-6, 0, 3)
        cuts = np.unique(edges.astype(np.float32)).astype(np.float64)
        (where,) = crossings(law, real_point([x]), [Cuts(0, cuts)])
        masses = where.masses()
        ends = [Fraction(edge) - Fraction(x) for edge in midpoints(cuts).tolist()]
        with mpmath.workprec(300):
            for mass, low, high in zip(masses[1:], ends, ends[1:], strict=False):
                assert noise.between(low, high) <= mpmath.mpf(float(mass))
