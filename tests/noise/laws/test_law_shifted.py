"""Brightness or contrast beside a cyclic shift: radii by their formula, and worst classifiers."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_laws import check_radii
from numpy.typing import NDArray
from scipy import stats

from rsonnx.noise import BrightnessTranslation, ContrastTranslation, InputSpace, NoisyStream

SIGMA, SPREAD = 0.3, 2.0
KINDS = pytest.mark.parametrize("kind", [BrightnessTranslation, ContrastTranslation])
X = np.ones((1, 1, 64))
X[0, 0, 20] = 2.0


def read(kind: Any, x: NDArray[Any], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return how far to the right the bright pixel is, and b or k, of samples of an input."""
    law = kind(SIGMA, 1.0, SPREAD, "NCHW")
    out = np.empty((count, *x.shape), np.float32)
    point = InputSpace(x.shape, (-np.inf, np.inf), "NCHW").point(x)
    NoisyStream(point, law, 5, "estimation").write(0, out)
    drawn = out[:, 0, 0].astype(np.float64)
    dark = drawn.min(axis=1)
    return drawn.argmax(axis=1) - 20.0, dark - 1 if kind is BrightnessTranslation else np.log(dark)


def changed(kind: Any, shift: int, number: float) -> NDArray[np.float64]:
    x = np.roll(X, shift, 2)
    return x + number if kind is BrightnessTranslation else x * math.exp(number)


def share(shift: int, number: Any, angle: float, edge: float) -> Any:
    """P(class A): (sin φ)·number/σ + (cos φ)·pixels/S is at most an edge, for each number."""
    pixels = np.arange(-40, 41)
    of = stats.norm(scale=SPREAD)
    chance = of.cdf(pixels + 0.5) - of.cdf(pixels - 0.5)
    left = (edge - math.cos(angle) * (pixels + shift) / SPREAD) / math.sin(angle)
    return stats.norm.cdf(left - np.asarray(number)[..., None] / SIGMA) @ chance


@KINDS
@pytest.mark.parametrize("angle", [0.3, 0.8, 1.5])
def test_no_half_space_of_both_changes_its_answer_within_the_radius(
    kind: Any, angle: float
) -> None:
    """Swept in closed form: a Gaussian radius is worst for half-spaces, here of whole pixels.

    What is drawn is compared at 20,000 samples, where a p-value below 1e-9 fails.
    """
    edge, reached = 1.6, []
    p = share(0, 0.0, angle, edge)
    for most in (1, 2, 3):
        radius = kind(SIGMA, most, SPREAD, "NCHW").radius(p)
        for shift in range(-most, most + 1):
            inside = np.linspace(-radius, radius, 201)[1:-1]
            assert (share(shift, inside, angle, edge) > 0.5).all()
        reached.append(share(most, radius, angle, edge))
    assert min(reached) < 0.56  # somewhere near the worst direction
    shift, number = 2, 0.25
    right, numbers = read(kind, changed(kind, shift, number), 20_000)
    hits = math.sin(angle) * numbers / SIGMA + math.cos(angle) * right / SPREAD <= edge
    expected = float(share(shift, number, angle, edge))
    assert stats.binomtest(int(hits.sum()), 20_000, expected).pvalue > 1e-9


@KINDS
def test_both_parts_have_their_law_and_are_independent(kind: Any) -> None:
    right, numbers = read(kind, X, 20_000)
    assert stats.kstest(numbers, stats.norm(scale=SIGMA).cdf).pvalue > 1e-9
    for pixels in (-2, 0, 3):
        inside = stats.norm(scale=SPREAD).cdf([pixels - 0.5, pixels + 0.5])
        count = int((right == pixels).sum())
        assert stats.binomtest(count, 20_000, float(np.diff(inside)[0])).pvalue > 1e-9
    assert stats.spearmanr(right, numbers).pvalue > 1e-9


@given(
    p=st.floats(0.5, 1.0, exclude_min=True, exclude_max=True),
    rival=st.floats(1e-30, 0.5),
    most=st.floats(0.01, 10),
    spread=st.floats(0.1, 10),
)
def test_no_radius_is_above_its_formula(p: float, rival: float, most: float, spread: float) -> None:
    """Against mpmath at 60 digits; and what is above it is not proved."""
    law = ContrastTranslation(SIGMA, most, spread, None)
    for p_b in (None, min(rival, 1 - p)):
        radius = law.radius(p) if p_b is None else law.radius_between(p, p_b)
        with mpmath.workdps(60):
            rest = 1 - mpmath.mpf(p) if p_b is None else mpmath.mpf(p_b)
            z = sum(mpmath.erfinv(2 * q - 1) for q in (mpmath.mpf(p), 1 - rest)) / mpmath.sqrt(2)
            left = z**2 - (mpmath.mpf(most) / mpmath.mpf(spread)) ** 2
            true = SIGMA * mpmath.sqrt(left) if left > 0 else mpmath.mpf(0)
            assert radius <= true
            assert radius**2 >= true**2 - 1e-13 * (SIGMA * z) ** 2
            above = float(mpmath.sqrt(true**2 + (SIGMA * z) ** 2 / 10**6))
        assert law.proves(radius, p, p_b)
        assert not law.proves(above, p, p_b)


@given(data=st.data())
def test_radii_in_order(data: st.DataObject) -> None:
    chance = st.floats(0.0, 1.0, exclude_max=True)
    low, high = sorted([data.draw(chance), data.draw(chance)])
    law = BrightnessTranslation(0.3, 0.5, 2.0, None)
    check_radii(law, low, high, data.draw(st.floats(0.01, 1)))
