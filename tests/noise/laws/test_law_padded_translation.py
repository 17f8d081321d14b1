"""Shifts with a padded edge, against numpy's own padding and classifiers of a known boundary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx.noise import InputSpace, PaddedTranslation
from rsonnx.smoothing import SmoothedClassifier

BOUNDS = (-1.0, 1.0)


def shifted(
    image: NDArray[Any], layout: str | None, dy: int, dx: int, lowest: float
) -> NDArray[Any]:
    """Pad by as much on all sides, and look at the image from elsewhere."""
    rows, columns = (1, 2) if layout == "NCHW" else (0, 1)
    sides = [(9, 9) if axis in (rows, columns) else (0, 0) for axis in range(image.ndim)]
    around = np.pad(image, sides, constant_values=lowest)
    for axis, shift in ((rows, dy), (columns, dx)):
        around = around.take(range(9 - shift, 9 - shift + image.shape[axis]), axis)
    return around


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", None])
@pytest.mark.parametrize("arithmetic", ["exact", "float"])
def test_every_shift_up_to_the_longest_is_asked_about_once(
    layout: str | None, arithmetic: str
) -> None:
    law = PaddedTranslation(0.5, 5)
    expected = {(y, x) for y in range(-5, 6) for x in range(-5, 6) if y * y + x * x <= 25}
    assert set(law.every) == expected
    assert len(law.every) == len(expected) == 81
    lengths = [math.hypot(*shift) for shift in law.every]
    assert lengths == pytest.approx(sorted(lengths))
    shape = {"NCHW": (3, 4, 6), "NHWC": (4, 6, 3), None: (4, 6)}[layout]
    levels = np.random.default_rng(1).integers(1, 256, shape).astype(np.uint8)
    space = InputSpace(shape, BOUNDS, layout)
    exact = arithmetic == "exact"
    values = levels if exact else np.random.default_rng(2).uniform(*BOUNDS, shape)
    point = space.point(values, "exact" if exact else "float")
    for shift in law.every:
        made = law.image(point, shift)
        oracle = shifted(values, layout, *shift, 0 if exact else BOUNDS[0])
        np.testing.assert_array_equal(made.data, oracle)
        assert made.noise_digest == point.noise_digest


class Linear:
    """Class 1 where a weighted sum of all values of a colour image is above 0: smoothed, too."""

    layout, num_classes, bounds, thread_safe = "NCHW", 2, BOUNDS, True

    def __init__(self, weights: NDArray[np.float64], threshold: float) -> None:
        self.weights, self.threshold, self.shape = weights, threshold, weights.shape

    def margin(self, images: NDArray[Any]) -> NDArray[np.float64]:
        return np.tensordot(images.astype(np.float64), self.weights, 3) - self.threshold

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return (self.margin(batch) > 0).astype(np.int64)


def test_false_certificates_are_as_rare_as_alpha_says() -> None:
    """One shift of which class 1 has just half: 100 certificates at alpha = 0.1, 22 or fewer false.

    More have odds of 1e-4 where each is false with a chance of 0.1.
    """
    image = np.random.default_rng(3).integers(100, 156, (3, 3, 4)).astype(np.uint8)
    values = image / 255 * 2 - 1
    there = shifted(values, "NCHW", 0, 1, -1.0)
    weights = values - there
    model = Linear(weights, float((weights * there).sum()) + 1e-9)
    smoothed = SmoothedClassifier(model, noise=PaddedTranslation(0.5, 1))  # type: ignore[arg-type]
    made = [smoothed.certify(image, n0=20, n=100, alpha=0.1, seed=seed) for seed in range(100)]
    assert all(one.label == 1 for one in made)
    assert 0 < sum(one.radius >= 1 for one in made) <= 22


def test_the_radius_is_that_of_the_shifts_before_the_first_that_is_answered_otherwise() -> None:
    """All shifts are known: where the sum is sure in all of them, so is the certificate.

    A sum that is nearer than 4 standard deviations of its noise to the threshold is passed over.
    """
    law, generator, radii = PaddedTranslation(0.01, 3), np.random.default_rng(3), []
    for seed in range(40):
        image = generator.integers(0, 256, (3, 4, 5)).astype(np.uint8)
        values = image / 255 * 2 - 1
        weights = generator.normal(size=image.shape)
        many = np.stack([shifted(values, "NCHW", *shift, -1.0) for shift in law.every])
        sums = np.tensordot(many, weights, 3)
        rising = np.sort(sums)
        gap = generator.choice(np.diff(rising).argsort()[-8:])  # one of the widest
        model = Linear(weights, float(rising[gap : gap + 2].mean()))
        margins = model.margin(many)
        if np.abs(margins).min() < 4 * law.sigma * np.linalg.norm(weights):
            continue
        changed = [at for at, m in enumerate(margins) if (m > 0) != (margins[0] > 0)]
        end = law.from_identity(law.every[changed[0]]) if changed else math.inf
        lengths = [law.from_identity(shift) for shift in law.every]
        smoothed = SmoothedClassifier(model, noise=law)  # type: ignore[arg-type]
        certificate = smoothed.certify(image, n=100, seed=seed)
        assert certificate.label == (margins[0] > 0)
        assert certificate.radius == max(length for length in lengths if length < end)
        radii.append(certificate.radius)
    assert len(set(radii)) > 2
