"""Noise that leaves the numbers is drawn without a word; the classifier is asked all the same."""

import warnings

import numpy as np
import pytest

from rsonnx.noise import (
    AnisotropicGaussian,
    Gaussian,
    InputSpace,
    NoisyStream,
    Pareto,
    PowerLinf,
    SmoothingDistribution,
)


@pytest.mark.parametrize(
    "law",
    [
        Gaussian(1e300),
        Gaussian(1.7e308),
        AnisotropicGaussian((1e300,) * 6),
        Pareto(1e30, 0.01),
        PowerLinf(1e30, 6.0000001, "l1", 6),
    ],
)
def test_noise_beyond_the_numbers_of_float32(law: SmoothingDistribution) -> None:
    point = InputSpace((6,), (-5.0, 5.0)).point(np.full(6, 0.3))
    out = np.zeros((4096, 6), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NoisyStream(point, law, 1, "estimation").write(0, out)
    assert np.isinf(out).any()
