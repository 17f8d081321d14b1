"""MNIST and CIFAR-10 as tensors, and what training does to an image before the noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rsonnx.data import Dataset, open_dataset

ROTATION, SCALE = 0.2, 0.1
CROP = 4


@dataclass(frozen=True)
class Kind:
    """What is known of a data set before its files are read.

    Attributes:
        name: as on the command line.
        title: as in an exported file.
        shape: of an image, (channels, height, width).
        mean, std: of the training pixels in [0, 1], one a channel; a model's preprocessing.
        changes: how :func:`augment` changes an image, in words.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    changes: str


MNIST = Kind(
    "mnist",
    "MNIST training set (60,000 images)",
    (1, 28, 28),
    (0.1307,),
    (0.3081,),
    f"each image is turned by up to {ROTATION} rad and each axis scaled by up to {SCALE:.0%}, "
    "uniformly at random",
)
CIFAR10 = Kind(
    "cifar10",
    "CIFAR-10 training set (50,000 images)",
    (3, 32, 32),
    (0.4914, 0.4822, 0.4465),
    (0.2471, 0.2435, 0.2616),
    f"each image is shifted by up to {CROP} pixels either way and mirrored with probability 1/2",
)
KINDS = {kind.name: kind for kind in (MNIST, CIFAR10)}


@dataclass(frozen=True)
class Split:
    """Images [N, channels, height, width] as bytes, and their labels [N]."""

    images: Tensor
    labels: Tensor

    def pixels(self, chosen: Tensor | slice) -> Tensor:
        """Return the chosen images as float32 in [0, 1]."""
        return self.images[chosen].to(torch.float32) / 255

    def parted(self, last: int) -> tuple[Split, Split]:
        """Return all but the ``last`` images, and those."""
        first = len(self.labels) - last
        parts = (slice(0, first), slice(first, None))
        before, after = (Split(self.images[part], self.labels[part]) for part in parts)
        return before, after


def load(kind: Kind, folder: Path, split: str) -> Split:
    """Read ``"train"`` or ``"test"``.

    Args:
        kind: of the data.
        folder: of MNIST's four ``.gz`` files, or of ``cifar10_train.zip`` and ``cifar10_test.zip``,
            which hold one folder of pictures a class.
        split: which part.

    Raises:
        DataError: a file is absent or damaged.
        ValueError: the pictures are of another size or number of classes.
    """
    prefix = "train" if split == "train" else "t10k"
    path = folder / f"{prefix}-images-idx3-ubyte.gz"
    if kind is CIFAR10:
        path = folder / f"cifar10_{split}.zip"
    found = open_dataset(path)
    channels, height, width = kind.shape
    images = pictures(found)
    if images.shape[1:] != (channels, height, width) or not found.labels or max(found.labels) != 9:
        raise ValueError(f"{path} does not hold pictures of {height} x {width} in ten classes")
    return Split(images, torch.tensor(found.labels))


def pictures(dataset: Dataset) -> Tensor:
    """Return all images of a data set of 8-bit pictures of one size, [N, channels, height, width].

    Raises:
        DataError: an input cannot be read.
        ValueError: an input is no such picture, or two differ in size.
    """
    values = [dataset[index].values for index in range(len(dataset))]
    shapes = sorted({value.shape for value in values})
    if len(shapes) > 1 or len(shapes[0]) != 3 or any(v.dtype != np.uint8 for v in values):
        raise ValueError(
            f"{dataset.path} holds inputs of the shapes {shapes[:3]}, but 8-bit pictures of one "
            "size were expected"
        )
    return torch.from_numpy(np.stack(values)).permute(0, 3, 1, 2).contiguous()


def augment(kind: Kind, images: Tensor) -> Tensor:
    """Return images [B, channels, height, width] in [0, 1], changed at random as the kind says."""
    return _turn_and_scale(images) if kind is MNIST else _crop_and_mirror(images)


def _turn_and_scale(images: Tensor) -> Tensor:
    """Turn and scale each image about its centre.

    There are no shifts: MNIST digits are centred, so shifts cost certified radius.
    """
    angle = (2 * torch.rand(len(images)) - 1) * ROTATION
    scale = 1 + (2 * torch.rand(len(images), 2) - 1) * SCALE
    transform = torch.zeros(len(images), 2, 3)
    transform[:, 0, 0] = torch.cos(angle) * scale[:, 0]
    transform[:, 0, 1] = -torch.sin(angle) * scale[:, 1]
    transform[:, 1, 0] = torch.sin(angle) * scale[:, 0]
    transform[:, 1, 1] = torch.cos(angle) * scale[:, 1]
    grid = functional.affine_grid(transform, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _crop_and_mirror(images: Tensor) -> Tensor:
    """Shift each image by up to ``CROP`` pixels, filling with black, and mirror half of them."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (CROP, CROP, CROP, CROP))
    rows = torch.randint(0, 2 * CROP + 1, (count, 1)) + torch.arange(height)
    columns = torch.randint(0, 2 * CROP + 1, (count, 1)) + torch.arange(width)
    mirrored = torch.rand(count, 1) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    picked = torch.arange(count)[:, None, None]
    # Advanced indices around a slice put the channels last.
    return padded[picked, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
