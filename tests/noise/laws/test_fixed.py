"""Values that are fixed: no sample changes them, and radii are those of the other values."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import DataError, UsageError
from rsonnx.noise import AnisotropicGaussian, Gaussian, InputSpace, Law, NoisyStream, noise_of


def samples(law: Law, x: np.ndarray, count: int = 40) -> np.ndarray:
    """Return samples of an input, float32 (count, values)."""
    space = InputSpace(x.shape, (-5, 5), fixed=law.fixed)
    stream = NoisyStream(space.point(x, "float"), law, seed=7, stage="estimation")
    drawn = np.empty((count, x.size), np.float32)
    stream.write(0, drawn)
    return drawn


@given(
    fixed=st.sets(st.integers(0, 4), min_size=1, max_size=4),
    values=st.lists(
        st.floats(-5, 5, width=32) | st.sampled_from([-0.0, 0.0]), min_size=5, max_size=5
    ),
)
def test_fixed_values_are_the_same_bits_and_the_others_have_their_own_noise(
    fixed: set[int], values: list[float]
) -> None:
    """Minus zero stays minus zero; what else is drawn does not depend on what is fixed."""
    x = np.array(values)
    free = AnisotropicGaussian((0.1, 0.2, 0.3, 0.4, 0.5))
    law = free.with_fixed(tuple(fixed), 5)
    assert law.fixed == tuple(sorted(fixed))
    drawn, without = samples(law, x), samples(free, x)
    others = sorted(set(range(5)) - fixed)
    assert np.array_equal(drawn[:, others], without[:, others])
    kept = np.repeat(x[None].astype(np.float32), len(drawn), axis=0)[:, sorted(fixed)]
    assert drawn[:, sorted(fixed)].tobytes() == kept.tobytes()


@given(p=st.floats(0.5, 1, exclude_max=True))
def test_radii_are_those_of_the_law_over_the_other_values(p: float) -> None:
    """And with all sigmas the same, those of the isotropic law in its deviations."""
    law = AnisotropicGaussian((0.5, 0.0, 0.5))
    others = AnisotropicGaussian((0.5, 0.5))
    assert law.radius(p) == others.radius(p)
    assert law.radius_between(p, 1 - p) == others.radius_between(p, 1 - p)
    assert float(law.alone(law.radius(p), 0)) == pytest.approx(Gaussian(0.5).radius(p), rel=1e-12)
    assert law.alone(law.radius(p), 1) == 0


@given(radius=st.floats(1e-300, 1e6), sigma=st.floats(1e-300, 1e6))
def test_the_change_of_a_value_alone_is_exact(radius: float, sigma: float) -> None:
    law = AnisotropicGaussian((sigma, 1.0))
    assert law.alone(radius, 0) == Fraction(repr(radius)) * Fraction(repr(sigma))
    assert float(Gaussian(sigma).alone(radius, 0)) == radius


def test_a_gaussian_gets_a_sigma_a_value_and_other_laws_are_refused() -> None:
    law = Gaussian(0.25).with_fixed((1,), 3)
    assert law == AnisotropicGaussian((0.25, 0.0, 0.25))
    assert law.with_fixed((1,), 3) == law
    assert law.unfixed == Gaussian(0.25)
    for several in ((0.25, 0.0, 0.5), (0.25, 0.25)):
        assert AnisotropicGaussian(several).unfixed == AnisotropicGaussian(several)
    for refused in (
        Gaussian(0.25, "l1"),
        *(noise_of(n, sigma=0.5, size=3) for n in ("laplace", "uniform")),
    ):
        with pytest.raises(UsageError, match="column"):
            refused.with_fixed((1,), 3)
    with pytest.raises(UsageError, match="all 3"):
        law.with_fixed((0, 1, 2), 3)


def test_what_is_fixed_is_said_wherever_radii_are() -> None:
    free, law = AnisotropicGaussian((1.0, 2.0)), AnisotropicGaussian((1.0, 0.0))
    assert "fixed" in law.within
    assert ("fixed" in law.measure.covers, "fixed" in law.measure.measure) == (True, True)
    assert "fixed" in law.units(0, 1)
    assert "fixed" not in free.within + free.units(0, 1) + free.measure.covers


def test_bounds_hold_for_values_that_get_noise_alone() -> None:
    """A code of a text may be beyond what the numbers span; no number may be NaN."""
    space = InputSpace((2,), (0, 1), fixed=(1,))
    assert space.point(np.array([0.5, 30.0]), "float").data.tolist() == [0.5, 30]
    with pytest.raises(DataError, match="30"):
        space.point(np.array([30.0, 0.5]), "float")
    with pytest.raises(DataError, match="NaN"):
        space.point(np.array([0.5, np.nan]), "float")
