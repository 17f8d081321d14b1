"""Adaptive certificates on half-spaces, whose true radius is known: however a run stopped.

The exact type-I error of the stopping rule is in tests/statistics; here the whole path is run, with
its selection, its looks and its claims.
"""

import numpy as np
import pytest
from scipy import stats
from soundness_models import HalfSpace

import rsonnx

RUNS = 150
ALPHA = 0.05


def certificates(distance: float, targets: list[float]) -> list[rsonnx.Certificate]:
    smoothed = rsonnx.SmoothedClassifier(HalfSpace(2, -distance), sigma=0.5, workers=1)
    return [
        smoothed.certify(np.zeros(2), n0=50, n=1000, alpha=ALPHA, target_radii=targets, seed=seed)
        for seed in range(RUNS)
    ]


@pytest.mark.parametrize(("distance", "targets"), [(0.3, [0.3]), (0.3, [0.2, 0.3, 0.4])])
def test_false_claims_are_as_rare_as_alpha_says(distance: float, targets: list[float]) -> None:
    """Fixed seeds; the odds that a sound rule fails this are 1e-6."""
    found = certificates(distance, targets)
    wrong = sum(cert.radius > distance for cert in found)
    assert wrong <= stats.binom.isf(1e-6, RUNS, ALPHA)
    # Not sound by being useless: it stops before the ceiling, and claims something.
    assert any(cert.n < 1000 for cert in found)
    assert any(cert.radius > 0 for cert in found)


def test_an_easy_target_costs_few_samples_and_is_reached() -> None:
    found = certificates(1.2, [0.3])
    assert all(cert.radius >= 0.3 for cert in found)
    assert np.mean([cert.n for cert in found]) < 100
    # The lead of 8 settles the selection before its ceiling of 50.
    assert np.mean([cert.n0 for cert in found]) < 20


def test_a_hopeless_target_is_given_up_early() -> None:
    found = certificates(0.01, [0.4])
    assert np.mean([cert.n for cert in found]) < 300
    assert not any(cert.radius >= 0.4 for cert in found)


def test_radii_that_stop_for_precision_are_false_as_rarely() -> None:
    """Fixed seeds; the odds that a sound rule fails this are 1e-6."""
    smoothed = rsonnx.SmoothedClassifier(HalfSpace(2, -0.5), sigma=0.5, workers=1)
    made = [
        smoothed.certify(np.zeros(2), n0=50, n=2000, alpha=ALPHA, precision=0.1, seed=seed)
        for seed in range(RUNS)
    ]
    wrong = sum(cert.radius > 0.5 for cert in made)
    assert wrong <= stats.binom.isf(1e-6, RUNS, ALPHA)
    assert np.mean([cert.n for cert in made]) < 1000
    assert np.mean([cert.radius for cert in made]) > 0.42
