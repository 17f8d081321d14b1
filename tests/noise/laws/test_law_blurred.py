"""Brightness or contrast beside a blur: the radius by its formula, and the worst classifier."""

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

from rsonnx.noise import Blur, BrightnessBlur, ContrastBlur, InputSpace, NoisyStream

X = np.eye(1, 64).reshape(1, 8, 8) + 1
WAVE = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
RATE = 1 - math.cos(math.pi / 8)


def read(law: Any, x: NDArray[Any], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return t and b, or k, of samples: from the mean, and from the lowest wave beside it."""
    out = np.empty((count, 1, 8, 8), np.float32)
    point = InputSpace(x.shape, (-np.inf, np.inf), "NCHW").point(x)
    NoisyStream(point, law, 5, "estimation").write(0, out)
    drawn = out[:, 0].astype(np.float64)
    mean = drawn.mean(axis=(1, 2))
    wave = (drawn.sum(axis=2) @ WAVE) / math.cos(math.pi / 16)
    if isinstance(law, BrightnessBlur):
        return -np.log(wave) / RATE, mean - X.mean()
    return -np.log(wave / (mean / X.mean())) / RATE, np.log(mean / X.mean())


@pytest.mark.parametrize("kind", [BrightnessBlur, ContrastBlur])
def test_both_parameters_have_their_law_and_the_worst_classifier_its_radius(kind: Any) -> None:
    """Wrong where t >= T and the number is >= c: half of the samples at (T, c), and the radius c.

    Simulated at 20,000 samples, where a p-value below 1e-9 fails.
    """
    law = kind(0.3, 1.0, 2.0, "NCHW")
    t, number = read(law, X, 20_000)
    assert stats.kstest(t, stats.expon(scale=2).cdf).pvalue > 1e-9
    assert stats.kstest(number, stats.norm(scale=0.3).cdf).pvalue > 1e-9
    assert stats.spearmanr(t, number).pvalue > 1e-9
    c = 0.4
    radius = law.radius(1 - math.exp(-1 / 2) * float(stats.norm.sf(c / 0.3)))
    assert c * (1 - 1e-9) < radius <= c
    for blurred, share in ((1, 0.9), (1, 1.1), (0.5, 1.0), (0, 1.0)):
        x = Blur(1.0, "NCHW").change(X, np.array([float(blurred)]))[0]
        x = x + share * c if kind is BrightnessBlur else x * math.exp(share * c)
        t, number = read(law, x, 20_000)
        # The rounding to float32 of a sample may put a t of exactly T to either side.
        wrong = int(((t >= 1 - 1e-4) & (number >= c)).sum())
        expected = math.exp(-(1 - blurred) / 2) * float(stats.norm.sf((1 - share) * c / 0.3))
        assert stats.binomtest(wrong, 20_000, expected).pvalue > 1e-9
        assert (wrong > 10_000) == (share > 1)


@given(
    p=st.floats(0.5, 1.0, exclude_min=True, exclude_max=True),
    most=st.floats(0.01, 10),
    mean=st.floats(0.1, 10),
)
def test_no_radius_is_above_its_formula(p: float, most: float, mean: float) -> None:
    """Against mpmath at 60 digits."""
    law = ContrastBlur(0.3, most, mean, None)
    with mpmath.workdps(60):
        kept = 1 - (1 - mpmath.mpf(p)) * mpmath.exp(mpmath.mpf(most) / mean)
        true = 0.3 * mpmath.sqrt(2) * mpmath.erfinv(2 * kept - 1) if kept > 0.5 else 0
        assert law.radius(p) <= true
        assert law.radius(p) >= true - 1e-9 or p > 1 - 1e-6


@given(data=st.data())
def test_radii_in_order(data: st.DataObject) -> None:
    chance = st.floats(0.0, 1.0, exclude_max=True)
    low, high = sorted([data.draw(chance), data.draw(chance)])
    check_radii(BrightnessBlur(0.3, 0.1, 2.0, None), low, high, data.draw(st.floats(0.01, 1)))
