"""Transformations: golden radii, what is drawn, and worst cases with a known boundary.

Golden values: sigma·Φ⁻¹(p) and the like in 40 digits. Statistical tests fix their seeds; a p-value
below 1e-9 fails, which a right law has with odds of 1e-9 a test.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from noise_laws import exact_noise, float_noise
from numpy.typing import NDArray
from scipy import stats

from rsonnx.noise import Brightness, InputSpace, Law, NoisyStream

P = ("0.75", "0.99", "0.99993092483300939")
NORMAL = ("0.674489750196081743", "2.3263478740408411", "3.81145656338994126")

GOLDEN: list[tuple[Law, tuple[str, ...]]] = [(Brightness(1.0), NORMAL)]


@pytest.mark.parametrize(("law", "radii"), GOLDEN, ids=[law.name for law, _ in GOLDEN])
def test_golden_radii_are_rounded_down(law: Law, radii: tuple[str, ...]) -> None:
    for p, radius in zip(map(float, P), map(float, radii), strict=True):
        assert radius * (1 - 1e-13) < law.radius(p) <= radius
        assert law.proves(law.radius(p), p, None) is not False
        assert law.proves(law.radius(p), p, 1 - p) is not False
        assert not law.proves(radius * (1 + 1e-6), p, None)


def samples(law: Law, x: NDArray[Any], count: int, seed: int = 5) -> NDArray[np.float64]:
    """Return samples of an input in [0, 1], float64 (count, \\*shape)."""
    point = InputSpace(x.shape, (0.0, 1.0), "NCHW").point(x, None if law.exact else "float")
    out = np.empty((count, *x.shape), np.float32)
    NoisyStream(point, law, seed, "estimation").write(0, out)
    return out.astype(np.float64)


def test_brightness_adds_one_number_to_all_values() -> None:
    shape = (3, 4, 4)
    drawn = float_noise(Brightness(0.3), shape, 5_000)
    np.testing.assert_array_equal(drawn, np.repeat(drawn[:, :1], 48, axis=1))
    assert stats.kstest(drawn[:, 0], stats.norm(scale=0.3).cdf).pvalue > 1e-9
    steps = exact_noise(Brightness(0.3), shape, 5_000)
    np.testing.assert_array_equal(steps, np.repeat(steps[:, :1], 48, axis=1))
    assert np.abs(steps).max() > 155  # beyond the bounds: nothing is clipped
    rounded = stats.norm(scale=0.3 * 255)
    for cut in (-100.5, -20.5, 0.5, 70.5):
        below = int((steps[:, 0] < cut).sum())
        assert stats.binomtest(below, 5_000, float(rounded.cdf(cut))).pvalue > 1e-9


def test_no_mean_crosses_its_threshold_within_the_radius_of_brightness() -> None:
    """f: mean <= c. g at x + b answers so with probability Φ((c - mean - b)/σ), in closed form."""
    law, p = Brightness(0.3), 0.97
    radius, edge = law.radius(p), 0.3 * stats.norm.ppf(p)
    for b in np.linspace(-radius, radius, 1_001)[1:-1]:
        assert stats.norm.cdf((edge - b) / 0.3) > 0.5
    x = np.full((1, 2, 2), 0.25)
    for share, above in ((0.9, True), (1.1, False)):  # as it is drawn
        mean = samples(law, x + share * radius, 20_000).mean(axis=(1, 2, 3))
        hits = int((mean <= 0.25 + edge).sum())
        assert (hits > 10_000) == above
