"""Small models and data for noise that is not added to an input, and certified runs of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx_models import build, node

SIDE, CLASSES = 9, 3
BAND = SIDE // CLASSES
CODES, FEATURES = 4, 9
MIDDLE = FEATURES * (CODES - 1) / 2


def two_channels() -> onnx.ModelProto:
    """A classifier of 9 x 9 images as x and 1 - x: class k counts light in its band of rows."""
    weights = np.zeros((2, SIDE, SIDE, CLASSES), np.float32)
    for k in range(CLASSES):
        rows = slice(BAND * k, BAND * (k + 1))
        weights[0, rows, :, k] = 1
        weights[1, rows, :, k] = -1
    made = [node("Flatten", ["x"], "flat", axis=1), node("MatMul", ["flat", "w"], "scores")]
    stored = {"w": weights.reshape(-1, CLASSES)}
    return build(made, ("batch", 2, SIDE, SIDE), ("batch", CLASSES), stored)


def codes_model() -> onnx.ModelProto:
    """A classifier of nine features with the codes 0..3: class 1 where their sum is above 13.5."""
    weights = {
        "w": np.stack([np.zeros(FEATURES), np.ones(FEATURES)], axis=1).astype(np.float32),
        "b": np.array([MIDDLE, 0.0], np.float32),
    }
    made = [node("MatMul", ["x", "w"], "sums"), node("Add", ["sums", "b"], "scores")]
    return build(made, ("batch", FEATURES), ("batch", 2), weights)


def banded_images(path: Path, count: int = 8) -> Path:
    """An npz of 9 x 9 images, uint8, whose light is in the band of their class, more or less."""
    generator = np.random.default_rng(3)
    labels = np.arange(count) % CLASSES
    images = generator.integers(0, 90, (count, 1, SIDE, SIDE))
    for i, label in enumerate(labels):
        images[i, 0, BAND * label : BAND * (label + 1)] += 8 * i
    np.savez(path, x=images.astype(np.uint8), y=labels)
    return path


def coded_table(path: Path, count: int = 8) -> Path:
    """An npz of nine features with the codes 0..3, float32, the later the further apart."""
    generator = np.random.default_rng(4)
    labels = np.arange(count) % 2
    codes = generator.integers(0, CODES, (count, FEATURES))
    sure = generator.random(codes.shape) < np.linspace(0.2, 1, count)[:, np.newaxis]
    codes[sure] = (labels[:, np.newaxis] * (CODES - 1)).repeat(FEATURES, axis=1)[sure]
    np.savez(path, x=codes.astype(np.float32), y=labels)
    return path
