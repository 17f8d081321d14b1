"""Brightness and contrast at once: the tight radius, and that nothing breaks within it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_laws import least_kept
from numpy.typing import NDArray
from scipy import stats

import rsonnx
from rsonnx.errors import UsageError
from rsonnx.noise import BrightnessContrast, InputSpace, NoisyStream, noise_of


@settings(deadline=None, max_examples=25)
@given(
    p=st.floats(0.55, 0.99999),
    spread=st.floats(0.05, 2),
    contrast=st.floats(0.02, 1),
    share=st.floats(0.1, 0.99),
)
def test_radii_in_order(p: float, spread: float, contrast: float, share: float) -> None:
    law = BrightnessContrast(0.3, min(1.0, contrast * spread * 3), spread)
    radius = law.radius(p)
    assert 0 <= radius < 0.3 * stats.norm.ppf(p)  # that without any contrast
    assert law.radius(0.5 + share * (p - 0.5)) <= radius
    assert BrightnessContrast(0.3, law.contrast * share + spread / 100, spread).radius(p) >= 0
    assert law.radius_between(p, 1 - p) == radius
    assert law.radius_between(p, share * (1 - p)) >= radius
    if radius > 1e-3:
        wanted = share * radius
        enough = law.probability_for(wanted)
        assert law.radius(enough) >= wanted
        assert enough <= p
        assert law.radius(enough - 3e-6 * (1 - enough)) < wanted * (1 + 1e-5)


def kept(p: float, spread: float, k: float, m: float) -> float:
    """Return the least probability of a class of p at (k, m), on cells of 0.02 x 0.02."""
    x = np.linspace(-7, 7, 701)
    masses = np.diff(stats.norm.cdf(x))
    there_x = np.diff(stats.norm.cdf(x - k / spread))
    there_y = np.diff(stats.norm.cdf(x, m, math.exp(-k)))
    before, after = np.outer(masses, masses), np.outer(there_x, there_y)
    return least_kept(before.ravel(), after.ravel(), p)


def test_no_classifier_turns_within_the_radius() -> None:
    """The worst one for each contrast and either order, on cells, which are good to 1e-3."""
    p, spread, contrast = 0.97, 0.3, 0.2
    b = BrightnessContrast(1.0, contrast, spread).radius(p)
    for k in (-contrast, -0.1, -0.01, 0.01, 0.1, contrast):
        for m in (b, b * math.exp(-k), -b):
            assert kept(p, spread, k, m) > 0.4995
    assert kept(p, spread, -contrast, 1.01 * b * math.exp(contrast)) < 0.5


def test_it_multiplies_after_it_adds() -> None:
    law, x = BrightnessContrast(0.3, 0.1, 0.2), np.array([[[0.2, 0.4], [1.0, 0.0]]])
    out = np.empty((5_000, *x.shape), np.float32)
    NoisyStream(InputSpace(x.shape).point(x, "float"), law, 5, "estimation").write(0, out)
    black, white = out[:, 0, 1, 1].astype(np.float64), out[:, 0, 1, 0].astype(np.float64)
    factor = white - black
    k, b = np.log(factor), black / factor
    assert stats.kstest(k, stats.norm(scale=0.2).cdf).pvalue > 1e-9
    assert stats.kstest(b, stats.norm(scale=0.3).cdf).pvalue > 1e-9
    assert stats.pearsonr(k, b).pvalue > 1e-9
    np.testing.assert_allclose(out[:, 0, 0, 1], factor * (0.4 + b), atol=1e-5)


def test_false_certificates_are_as_rare_as_alpha_says() -> None:
    """400 certificates at alpha = .05 of the classifier that is worst for the darkest colours.

    More than 40 wrong ones have odds below 1e-4 at .05; here p = .9, where 100 samples are wrong
    with probability .0237.
    """
    law, p = BrightnessContrast(0.3, 0.1), 0.9
    true, k, s = law.radius(p), -0.1, 0.3
    a1, a2 = math.exp(2 * k) * true / s * math.exp(-k) * s / 0.1, -math.expm1(2 * k) * s / 0.2

    def above(c: float) -> float:
        z = np.linspace(-9, 9, 4_001)
        return float(stats.norm.pdf(z) @ stats.norm.cdf(c + a1 * z + a2 * z * z) * (z[1] - z[0]))

    low, high = -60.0, 0.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) > 1 - p else (middle, high)

    def read(batch: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        flat = batch.reshape(len(batch), -1).astype(np.float64)
        factor = flat[:, 1] - flat[:, 0]
        return np.log(factor), flat[:, 0] / factor

    def classify(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        k, b = read(batch)
        y = b / s
        # Turned to the side of darker colours: k < 0 there.
        return np.asarray(k / s >= low + a1 * y + a2 * y * y, np.int64)

    smoothed = rsonnx.SmoothedClassifier(classify, noise=law, bounds=(-9.0, 9.0))
    x = np.array([[[0.0, 1.0]]])
    radii = [smoothed.certify(x, n0=20, n=100, alpha=0.05, seed=at).radius for at in range(400)]
    assert 0 < np.count_nonzero(np.array(radii) > true) <= 40
    for share, stands in ((0.97, True), (1.03, False)):  # the darkest colours, in the worse order
        moved = math.exp(k) * x + share * true
        votes = smoothed.sample_counts(moved, 0, 100_000, stage="estimation", seed=1)
        assert (votes[1] > 50_000) == stands


@pytest.mark.parametrize(
    ("spread", "contrast"), [(3.0, 0.03), (3.0, 3.0), (1e-9, 3.0), (0.02, 0.02)]
)
def test_scales_at_their_ends(spread: float, contrast: float) -> None:
    law = BrightnessContrast(0.3, contrast, spread)
    for p in (0.6, 0.999, 1 - 2**-53, 1.0):
        assert 0 <= law.radius(p) < 0.3 * 8.3
    assert law.probability_for(1e30) == 1
    assert (law.radius(0.999) > 0) == (contrast < 1)


@pytest.mark.parametrize(
    "bad",
    [{"contrast": 0}, {"contrast": 0.002}, {"contrast": 3.1}, {"contrast": math.nan}, {},
     {"contrast": 0.1, "sigma_contrast": 0}, {"contrast": 0.1, "sigma_contrast": 11},
     {"contrast": 2, "sigma_contrast": 4}],
)  # fmt: skip
def test_contrasts_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="contrast"):
        noise_of("brightness-contrast", sigma=0.3, **bad)
