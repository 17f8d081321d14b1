"""The data of the examples: what scikit-learn brings along, a part of it held out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

SPLIT_SEED = 0


@dataclass(frozen=True)
class Split:
    """Rows to train with and rows held out: inputs [N, ...] and labels [N]."""

    train_x: NDArray[Any]
    train_y: NDArray[np.int64]
    test_x: NDArray[Any]
    test_y: NDArray[np.int64]


def digits() -> Split:
    """Return 1,797 handwritten digits as 8-bit images [N, 8, 8], a quarter of them held out.

    They come with 17 grey levels; as multiples of 255/16, rounded, they lie on the 8-bit grid,
    where noise is exact.
    """
    x, y = load_digits(return_X_y=True)
    return _held_out(np.rint(x * 255 / 16).astype(np.uint8).reshape(-1, 8, 8), y, 0.25)


def wine() -> Split:
    """Return 13 measurements of 178 wines, each in its own unit, [N, 13], a third held out."""
    x, y = load_wine(return_X_y=True)
    return _held_out(x, y, 1 / 3)


def breast_cancer() -> Split:
    """Return 30 measurements of 569 cell samples, each in its own unit, [N, 30], 30 % held out."""
    x, y = load_breast_cancer(return_X_y=True)
    return _held_out(x, y, 0.3)


def noisy_copies(
    x: NDArray[Any], y: NDArray[np.int64], sigma: NDArray[np.float64] | float, copies: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return so many copies of all rows, each with Gaussian noise of its own, and their labels.

    x: [N, features]; sigma: one number, or one a feature, in the units of x.
    """
    repeated = np.repeat(x, copies, axis=0)
    noise = np.random.default_rng(SPLIT_SEED).standard_normal(repeated.shape) * sigma
    return (repeated + noise).astype(np.float32), np.repeat(y, copies)


def _held_out(x: NDArray[Any], y: NDArray[np.int64], share: float) -> Split:
    train_x, test_x, train_y, test_y = train_test_split(
        x, y, test_size=share, stratify=y, random_state=SPLIT_SEED
    )
    return Split(train_x, train_y, test_x, test_y)
