"""CERTIFY on classifiers whose smoothed version is known in closed form.

For a half-space f(x) = 1[w·x > b] with |w| = 1 the smoothed classifier's radius at x is exactly
|w·x - b|, whatever sigma. A certificate is false where its radius is above that; CERTIFY may be
false in at most a share alpha of its runs.
"""

import numpy as np
import pytest
from scipy import stats
from soundness_models import HalfSpace

import rsonnx

RUNS = 600


def false_certificates(distance: float, n: int, alpha: float) -> tuple[int, float]:
    """Return how many of RUNS certificates are too large, and the mean of their radii."""
    smoothed = rsonnx.SmoothedClassifier(HalfSpace(2, -distance), sigma=0.5)
    x = np.zeros(2)
    radii = np.array(
        [smoothed.certify(x, n0=10, n=n, alpha=alpha, seed=seed).radius for seed in range(RUNS)]
    )
    return int((radii > distance).sum()), float(radii.mean())


@pytest.mark.parametrize("distance", [0.2, 0.4, 0.8])
def test_false_certificates_are_as_rare_as_alpha_says(distance: float) -> None:
    """Fixed seeds; the odds that a sound CERTIFY fails this are 1e-6 for each distance."""
    alpha = 0.05
    wrong, mean = false_certificates(distance, n=400, alpha=alpha)
    assert wrong <= stats.binom.isf(1e-6, RUNS, alpha)
    # It is not sound by being useless: the mean radius comes near the truth, and some are false.
    assert mean > 0.5 * distance
    assert wrong > 0


def test_a_wrong_bound_would_be_caught() -> None:
    """The same runs with the plain share in place of the bound are false about half of the time."""
    wrong = 0
    smoothed = rsonnx.SmoothedClassifier(HalfSpace(2, -0.4), sigma=0.5)
    for seed in range(300):
        counts = smoothed.certify(np.zeros(2), n0=10, n=400, seed=seed).counts.estimation
        wrong += 0.5 * float(stats.norm.ppf(counts[1] / 400)) > 0.4
    assert wrong > stats.binom.isf(1e-6, 300, 0.05)


def test_exact_noise_agrees_with_the_closed_form() -> None:
    """On the grid the half-space sees rounded noise: P(N >= k) is known to any precision."""
    base = HalfSpace(1, (100 - 0.5) / 255, bounds=(0.0, 1.0))
    smoothed = rsonnx.SmoothedClassifier(base, sigma=0.25)
    n = 200_000
    counts = smoothed.sample_counts(np.array([120], np.uint8), 0, n, stage="estimation", seed=5)
    p = stats.norm.cdf((120 - 100 + 0.5) / 255 / 0.25)  # class 1 iff N >= -20
    low, high = stats.binom.ppf([1e-6, 1 - 1e-6], n, p)  # odds of failing: 2e-6
    assert low <= counts[1] <= high


@pytest.mark.parametrize("method", ["two-class", "majority"])
def test_wrong_predictions_are_as_rare_as_alpha_says(method: str) -> None:
    """At distance 0.002 the classes are nearly even, so a wrong answer is easy. Odds: 1e-6."""
    alpha = 0.05
    smoothed = rsonnx.SmoothedClassifier(HalfSpace(2, -0.002), sigma=0.5)
    answers = [
        smoothed.predict(np.zeros(2), n=100, alpha=alpha, method=method, seed=seed).label  # type: ignore[arg-type]
        for seed in range(RUNS)
    ]
    assert answers.count(0) <= stats.binom.isf(1e-6, RUNS, alpha)
    assert answers.count(rsonnx.ABSTAIN) > RUNS / 2
