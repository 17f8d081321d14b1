"""Small ONNX models and data for every noise: the class follows from a sum, so it is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx_models import build, parsed

CLASSES = 4
_CENTRES = np.arange(CLASSES) / (CLASSES - 1)


def _linear(path: Path, shape: tuple[int, ...], weights: NDArray[np.float64]) -> None:
    nodes = parsed("flat = Flatten(x); scores = Gemm(flat, w, b)")
    *slopes, bias = weights.astype(np.float32)
    stored = {"w": np.array(slopes), "b": bias}
    onnx.save(build(nodes, ("N", *shape), ("N", CLASSES), stored, opset=17), path)


def declare(path: Path, bounds: tuple[float, float], training: str | None = None) -> None:
    """Write preprocessing and bounds, and what it was trained for, into a model file."""
    model = onnx.load(path)
    stored = {"rsonnx.preprocess": '"none"', "rsonnx.bounds": f"[{bounds[0]}, {bounds[1]}]"}
    if training is not None:
        stored["rsonnx.training"] = training
    helper.set_model_props(model, stored)
    onnx.save(model, path)


def save_nearest(
    path: Path,
    shape: tuple[int, ...],
    bounds: tuple[float, float] = (0, 1),
    training: str | None = None,
) -> None:
    """Class k has its mean nearest to k/3 of the way between the bounds."""
    low, high = bounds
    size = int(np.prod(shape))
    centres = low + (high - low) * _CENTRES
    _linear(path, shape, np.vstack([np.tile(2 * centres / size, (size, 1)), -(centres**2)]))
    declare(path, bounds, training)


def save_paired(path: Path, shape: tuple[int, ...], axis: int, training: str | None = None) -> None:
    """The same for inputs of x and 1 - x, which are 0 both where nothing is shown.

    ``shape`` has the channels of both, and ``axis`` says where. The mean is that of what is shown:
    its scores 2c·Σx - c²·(Σx + Σ(1 - x)) are linear in both.
    """
    half = shape[axis] // 2
    first = np.take(np.arange(np.prod(shape)).reshape(shape), range(half), axis)
    weights = np.tile(-(_CENTRES**2), (int(np.prod(shape)), 1))
    weights[first.reshape(-1)] += 2 * _CENTRES
    _linear(path, shape, np.vstack([weights, np.zeros(CLASSES)]))
    declare(path, (0, 1), training)


def make_shelf(here: Path) -> Path:
    """Write models and data of all kinds into a folder.

    image, pair, pair_last, codes, bits, flatpair (.onnx) and grey, tall, grey_off, codes,
    bits (.npz), four inputs each, of the classes 0 to 3.
    """
    save_nearest(here / "image.onnx", (1, 8, 8), training='{"method": "gaussian", "sigma": 0.25}')
    save_paired(here / "pair.onnx", (2, 8, 8), 0, '{"method": "columns", "width": 2}')
    save_paired(here / "pair_last.onnx", (8, 4, 2), 2)
    save_paired(here / "flatpair.onnx", (24,), 0)
    save_nearest(here / "codes.onnx", (12,), (0, 3))
    save_nearest(here / "bits.onnx", (12,), (0, 1))
    labels = np.arange(CLASSES)
    grey = np.rint(labels / 3 * 255).astype(np.uint8)[:, None, None] * np.ones((8, 8), np.uint8)
    grey[:, 0, 0] ^= 3
    np.savez(here / "grey.npz", x=grey, y=labels)
    np.savez(here / "tall.npz", x=grey[:, :, :4], y=labels)
    np.savez(here / "grey_off.npz", x=grey[:, None] / 260 + 0.001, y=labels)
    np.savez(here / "codes.npz", x=np.tile(labels[:, None], 12).astype(np.float32), y=labels)
    bits = (np.arange(12) < np.rint(labels / 3 * 12)[:, None]).astype(np.float64)
    np.savez(here / "bits.npz", x=bits, y=labels)
    (here / "sigmas.txt").write_text("0.25\n" * 64)
    return here
