"""Images and their exact transformations, by scipy: an oracle for what is computed here."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from rsonnx.transforms.families import ROTATION, Family

DIGITS = Path(__file__).parents[1] / "sample_models/mnist_test_500/images-idx3-ubyte.gz"


def digits(count: int) -> NDArray[np.float64]:
    """Every 20th image of MNIST's test data, from the first on: levels, (count, 1, 28, 28)."""
    levels = np.frombuffer(gzip.decompress(DIGITS.read_bytes()), np.uint8, offset=16)
    return levels.reshape(-1, 1, 28, 28)[:count].astype(np.float64)


def by_scipy(image: NDArray[Any], family: Family, parameter: float) -> NDArray[np.float64]:
    """Interpolate bilinearly with zeros around, as scipy's spline of order 1 does."""
    if family is ROTATION:
        cos, sin = np.cos(np.deg2rad(parameter)), np.sin(np.deg2rad(parameter))
        matrix = np.array([[cos, sin], [-sin, cos]])
    else:
        matrix = np.eye(2) / parameter
    middle = (np.array(image.shape[1:]) - 1) / 2
    offset = middle - matrix @ middle
    return np.stack(
        [affine_transform(c, matrix, offset, order=1, mode="grid-constant") for c in image]
    )


@st.composite
def images(draw: st.DrawFn) -> NDArray[np.float64]:
    """Noise, edges and blots of any small size, with one channel or several."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    shape = (draw(st.sampled_from([1, 3])), height, width)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = generator.integers(0, 256, shape).astype(np.float64)
    sparse = draw(st.sampled_from([0.0, 0.5, 0.9]))
    return np.where(generator.random(shape) < sparse, 0.0, levels)
