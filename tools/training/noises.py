"""Samples of any smoothing distribution for training: drawn by the law that will certify."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rsonnx.noise import AskedNoise, CoveredNoise, InputSpace, Law, noise_of
from rsonnx.noise.covering import IntervalNoise
from rsonnx.noise.drawing import Place
from rsonnx.noise.transformed import Transformation
from training.datasets import Kind

_LEVELS = np.float32(255)


def law_of(
    text: str,
    kind: Kind,
    sigma: float | None,
    lam: float | None,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> Law:
    """Return the distribution of ``NAME[,KEY=NUMBER]...`` for the images of a data set.

    Raises:
        UsageError: there is none such.
        ValueError: a parameter is no number.
    """
    if intervals:
        return AskedNoise(text, sigma, lam, intervals=intervals).for_model(kind.shape, "NCHW")
    name, *pairs = text.split(",")
    parameters = {
        key: int(value) if value.isdecimal() else float(value)
        for key, _, value in (pair.partition("=") for pair in pairs)
    }
    if name == "ablation":
        parameters.setdefault("channels", kind.shape[0])
    size = math.prod(kind.shape)
    return noise_of(name, size=size, sigma=sigma, lam=lam, layout="NCHW", **parameters)


def transformed(law: CoveredNoise[Any], images: Tensor) -> Tensor:
    """Return square images [B, C, H, H], each under a transformation of the law's, at random.

    A parameter is uniform on the interval, a shift one of all.
    """
    count, side = len(images), images.shape[-1]
    linear, offset = torch.eye(2).repeat(count, 1, 1), torch.zeros(count, 2, 1)
    if isinstance(law, IntervalNoise):
        low, high = law.interval
        parameters = (low + (high - low) * torch.rand(count)).tolist()
        linear = torch.tensor([law.family.matrix(parameter) for parameter in parameters])
    else:
        shifts = torch.tensor(law.every)[torch.randint(len(law.every), (count,))]
        offset = -2.0 * shifts[:, :, None] / (side - 1)
    # Theirs takes (column, row, 1) to (column, row), from -1 to 1.
    theirs = torch.cat([linear.flip(1).flip(2), offset.flip(1)], 2)
    grid = functional.affine_grid(theirs, list(images.shape), align_corners=True)
    return functional.grid_sample(images, grid, align_corners=True)


def keeps_pixels(law: Law) -> bool:
    """Return whether samples are images as the input is, and not pixels in another code."""
    return law.additive or isinstance(law, Transformation)


def samples(law: Law, images: Tensor, draws: int) -> Tensor:
    """Return samples [draws, B, ...] of images [B, channels, height, width] in [0, 1].

    The images are rounded to 8 bits, on which every law is defined. Enumerated noise gives outcomes
    that are chosen at random.
    """
    levels = (images * 255).round().to(torch.uint8).numpy()
    shape = tuple(levels.shape[1:])
    space = InputSpace(shape, layout="NCHW")
    found = np.empty((draws, len(levels), *law.sample_shape(shape)), np.float32)
    rows = found.reshape(draws * len(levels), 1, -1)
    outcomes = law.evaluations(shape) if law.enumerated else 1
    # From torch's generator, so that a checkpoint holds all that is random.
    keys = torch.randint(0, 1 << 62, (len(rows),)).tolist()
    for place, (key, row) in enumerate(zip(keys, rows, strict=True)):
        opened = law.open(Place(key, 0, key % outcomes, space, exact=law.exact))
        base = levels[place % len(levels)].reshape(-1)
        if law.exact:
            opened.write(base, _LEVELS, row)
        else:
            opened.write(base.astype(np.float64) / 255, np.float32(1), row)
    return torch.from_numpy(found)
