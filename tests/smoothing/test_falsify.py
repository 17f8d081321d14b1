"""Breaks of linear classifiers, whose smoothed boundary is known: never nearer, and near it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx.noise import AnisotropicGaussian, Gaussian, Laplace, Law, Uniform
from rsonnx.smoothing import SmoothedClassifier
from rsonnx.smoothing.falsify import (
    CONFIRMATION,
    NO_DIRECTION,
    NOT_REACHED,
    Candidate,
    Effort,
    Start,
    confirm,
    distance_between,
    search,
)
from rsonnx.statistics import normal_cdf_up

D = 30
EFFORT = Effort(draws=2_000, rounds=4, samples=4_000)
ALPHA = 1e-6
SIGMAS = tuple(np.linspace(0.1, 0.6, D).tolist())


def half_space(
    weights: NDArray[np.float64], threshold: float
) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    """Class 1 where weights · x > threshold; the sum is of doubles, so the same in every batch."""

    def classify(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        flat = batch.reshape(len(batch), -1).astype(np.float64)
        return ((flat * weights).sum(axis=1) > threshold).astype(np.int64)

    classify.thread_safe = True  # type: ignore[attr-defined]
    classify.num_classes = 2  # type: ignore[attr-defined]
    return classify


def looked_for(
    smoothed: SmoothedClassifier, x: NDArray[np.floating | np.uint8], distance: float, scale: float
) -> tuple[Candidate, float]:
    """Search from class 0, whose boundary is at a distance, and return the break's distance."""
    point = smoothed.point(x)
    start = Start(point, 0, 0.9 * distance, min(0.49, normal_cdf_up(-distance / scale)))
    found = search(smoothed, start, seed=3, alpha=ALPHA, effort=EFFORT)
    if found.point is None:
        return found, math.inf
    answer = confirm(
        smoothed, found.point, CONFIRMATION, seed=3, samples=EFFORT.samples, alpha=ALPHA
    )
    assert answer.label == 1
    return found, distance_between(smoothed.noise, point, found.point)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("law", "dual"),
    [
        (Gaussian(0.25), 2),
        (Gaussian(0.25, "linf", D), 1),
        (Laplace(lam=0.2), math.inf),
        (Uniform(lam=0.5), math.inf),
        (AnisotropicGaussian(SIGMAS), 2),
    ],
    ids=str,
)
def test_a_half_space_is_broken_behind_its_boundary(law: Law, dual: float, seed: int) -> None:
    """By symmetry the smoothed boundary is the boundary, at gap / dual norm of the weights."""
    random = np.random.default_rng(seed)
    weights, x = random.normal(size=D), random.uniform(0.3, 0.7, D)
    deviation = law.deviation or 1.0
    spread = np.linalg.norm(weights * np.array(SIGMAS if law.deviation is None else deviation))
    threshold = float(x @ weights + 2 * spread)
    units = 1.0 if law.deviation else np.array(SIGMAS)
    distance = 2 * spread / np.linalg.norm(weights * units, dual)
    smoothed = SmoothedClassifier(half_space(weights, threshold), noise=law, bounds=(-50, 50))
    _, broken = looked_for(smoothed, x, distance, distance / 2)
    assert distance < broken
    # In l2 and linf the direction is the best one; in l1 that would be a single value.
    assert broken < (2.5 if law.norm == "l1" else 1.4) * distance


def test_a_break_of_pictures_lies_on_the_grid_and_between_the_bounds() -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 8, 8), dtype=np.uint8)
    gap = 0.5
    threshold = float(x.mean() / 255 + gap / 8)
    smoothed = SmoothedClassifier(half_space(np.full(64, 1 / 64), threshold), 0.3)
    found, broken = looked_for(smoothed, x, gap, 0.3)
    assert found.point is not None
    assert found.point.arithmetic == "exact"
    assert gap < broken < 1.5 * gap
    assert found.point.data.mean() / 255 > threshold


def test_a_class_that_is_never_left_has_no_direction() -> None:
    smoothed = SmoothedClassifier(half_space(np.ones(4), math.inf), 0.5)
    found, _ = looked_for(smoothed, np.full(4, 0.5), 1.0, 0.3)
    assert found == Candidate(None, NO_DIRECTION, found.samples)
    assert found.samples <= EFFORT.most


def test_a_class_that_is_always_left_under_stretched_noise_has_no_direction_either() -> None:
    def inside(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return (np.abs(batch - np.float32(0.5)).max(axis=1) > 0.45).astype(np.int64)

    smoothed = SmoothedClassifier(inside, noise=Uniform(lam=0.45), bounds=(0, 1))
    point = smoothed.point(np.full(400, 0.5))
    start = Start(point, 0, 0.1, 0.1)
    found = search(smoothed, start, seed=1, alpha=ALPHA, effort=EFFORT)
    assert found.reason == NO_DIRECTION


def test_a_boundary_beyond_the_bounds_is_not_reached() -> None:
    smoothed = SmoothedClassifier(half_space(np.ones(1), 2.0), 0.5)
    found, _ = looked_for(smoothed, np.full(1, 0.9), 1.1, 0.5)
    assert (found.point, found.reason) == (None, NOT_REACHED)
    assert found.samples <= EFFORT.most


def test_a_candidate_is_the_same_whatever_the_batch_and_the_threads() -> None:
    random = np.random.default_rng(9)
    weights, x = random.normal(size=(1, 8, 8)), random.integers(60, 190, (1, 8, 8), np.uint8)
    spread = 0.25 * float(np.linalg.norm(weights))
    base = half_space(weights.reshape(-1), float((x / 255 * weights).sum()) + spread)
    digests = set()
    for batch, workers in ((None, None), (7, 1), (64, 3)):
        smoothed = SmoothedClassifier(base, 0.25, batch_size=batch, workers=workers)
        found, _ = looked_for(smoothed, x, 0.25, 0.25)
        assert found.point is not None
        digests.add((found.point.digest, found.samples))
    assert len(digests) == 1
    shared = SmoothedClassifier(base, 0.25, share_noise=True)
    assert looked_for(shared, x, 0.25, 0.25)[0].point is not None
