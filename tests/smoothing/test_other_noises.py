"""SmoothedClassifier with other noise than Gaussian: what it takes, refuses and shares."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from rsonnx import SmoothedClassifier
from rsonnx.errors import DataError, UsageError
from rsonnx.noise import (
    Ablation,
    AnisotropicGaussian,
    Ball,
    Columns,
    ExponentialLinf,
    Flips,
    Laplace,
    Law,
    NoisyStream,
    Splitting,
)


def _base(shape: tuple[int, ...], bounds: tuple[float, float] = (0.0, 1.0)) -> SimpleNamespace:
    """Class 1 where the first value is above a half of what may be there."""

    def classify(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        return (batch.reshape(len(batch), -1)[:, 0] > sum(bounds) / 2).astype(np.int64)

    return SimpleNamespace(
        classify=classify, shape=shape, bounds=bounds, num_classes=2, layout=None
    )


FLAT = np.linspace(0, 1, 6)
IMAGE = np.full((1, 4, 4), 255, np.uint8)


@pytest.mark.parametrize("noise", [Laplace(0.5, "linf", 7), Ball(0.5, "l2", 7)])
def test_a_law_of_another_size_is_refused(noise: Law) -> None:
    smoothed = SmoothedClassifier(_base((6,)), noise=noise)
    made_elsewhere = SmoothedClassifier(_base((6,)), 0.5).point(FLAT)
    for x in (FLAT, made_elsewhere):
        with pytest.raises(UsageError, match="7 values, but these have 6"):
            smoothed.certify(x, n0=10, n=20, seed=1)
        with pytest.raises(UsageError, match="7 values"):
            smoothed.predict(x, n=20, seed=1)
    with pytest.raises(UsageError, match="5"):
        SmoothedClassifier(_base((6,)), noise=AnisotropicGaussian((0.1,) * 5)).point(FLAT)


def test_point_checks_what_the_law_can_change() -> None:
    splitting = SmoothedClassifier(_base((1, 4, 4)), noise=Splitting(0.5))
    assert splitting.point(IMAGE).arithmetic == "exact"
    with pytest.raises(DataError, match="grid of 256 levels"):
        splitting.point(np.full((1, 4, 4), 0.123456))
    flips = SmoothedClassifier(_base((6,), (0.0, 3.0)), noise=Flips(0.8, 4, "l0", 6))
    assert flips.point(np.array([0, 1, 2, 3, 0, 1])).values().tolist() == [0, 1, 2, 3, 0, 1]
    with pytest.raises(DataError, match=r"value number 2 of the input is 0\.5"):
        flips.point(np.array([0, 1, 0.5, 3, 0, 1]))
    with pytest.raises(DataError, match=r"whole numbers|another type"):
        flips.point(np.zeros(6, np.uint8))
    columns = SmoothedClassifier(_base((2, 4, 4), (0.0, 2.0)), noise=Columns(1, "NCHW"))
    with pytest.raises(UsageError, match="bounds 0 and 1"):
        columns.point(np.zeros((1, 4, 4)))


def test_the_layout_of_the_noise_is_that_of_the_inputs() -> None:
    assert SmoothedClassifier(_base((2, 4, 4)), noise=Columns(1, "NCHW")).layout == "NCHW"
    last = SmoothedClassifier(_base((4, 4, 6)), noise=Ablation(3, 3, "NHWC", "l0", 48))
    first = SmoothedClassifier(_base((6, 4, 4)), noise=Ablation(3, 3, "NCHW", "l0", 48))
    assert (last.layout, last.input_shape) == ("NHWC", (4, 4, 3))
    x = np.random.default_rng(1).integers(0, 256, (4, 4, 3), np.uint8)
    # One image has one digest in both layouts.
    assert last.point(x).digest == first.point(np.moveaxis(x, -1, 0)).digest


@pytest.mark.parametrize("noise", [ExponentialLinf(0.5, "l1", 6), Ball(0.5, "l2", 6), Laplace(0.5)])
def test_shared_noise_is_the_same_for_every_input(noise: Law) -> None:
    drawn = {}
    for shared in (True, False):
        smoothed = SmoothedClassifier(
            _base((6,)), noise=noise, arithmetic="float", share_noise=shared
        )
        found = []
        for x in (FLAT, FLAT[::-1].copy()):
            out = np.empty((300, 6), np.float32)
            stream = smoothed.stream(smoothed.point(x), "estimation", 5)
            assert isinstance(stream, NoisyStream)
            stream.write(0, out)
            found.append(out - x)
        drawn[shared] = found
    # Noise below 10 on values of [0, 1]: two float32 roundings of at most 2^-21 each.
    np.testing.assert_allclose(*drawn[True], atol=2e-6)
    assert not np.allclose(*drawn[False], atol=0.01)


@pytest.mark.parametrize("noise", [Splitting(0.5), Columns(1, "NCHW")])
def test_enumerated_noise_has_nothing_to_predict_or_share(noise: Law) -> None:
    shape = (2, 4, 4) if noise.name == "columns" else (1, 4, 4)
    smoothed = SmoothedClassifier(_base(shape), noise=noise)
    # Of a white image the first value is shown by one column of four, and always by splitting.
    assert smoothed.certify(IMAGE).label == (0 if noise.name == "columns" else 1)
    with pytest.raises(UsageError, match="use certify"):
        smoothed.predict(IMAGE)
    with pytest.raises(UsageError, match="no bound, radius rule"):
        smoothed.certify(IMAGE, radius="two-sided")
    with pytest.raises(UsageError, match="none to share"):
        SmoothedClassifier(_base(shape), noise=noise, share_noise=True)
    with pytest.raises(UsageError, match="no exact arithmetic"):
        SmoothedClassifier(_base((6,)), noise=Ball(0.5, "l2", 6), arithmetic="exact")
