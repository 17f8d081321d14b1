"""The matrices of linear operators, of an input's values in one row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Matrix = Any
"""float64 (outputs, inputs): a numpy array, or a sparse array of scipy."""


def diagonal(factors: NDArray[Any]) -> Matrix:
    """Return the matrix that multiplies each value by a factor, (width,)."""
    return scipy.sparse.diags_array(np.asarray(factors, np.float64), format="csr")


def selection(places: NDArray[np.int64], width: int) -> Matrix:
    """Return the matrix that takes the values at these places, (outputs,)."""
    ones, rows = np.ones(len(places)), np.arange(len(places))
    return scipy.sparse.csr_array((ones, (rows, places)), (len(places), width))


def mean(shape: Sequence[int], axes: Sequence[int]) -> Matrix:
    """Return the matrix of the mean along axes of a tensor."""
    kept = tuple(1 if axis in axes else length for axis, length in enumerate(shape))
    outputs, inputs = math.prod(kept), math.prod(shape)
    rows = np.broadcast_to(np.arange(outputs).reshape(kept), shape).ravel()
    share = np.full(inputs, outputs / inputs)
    return scipy.sparse.csr_array((share, (rows, np.arange(inputs))), (outputs, inputs))


def windows(
    shape: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> tuple[tuple[int, ...], NDArray[np.int64]]:
    """Return the shape of what slides over a picture, and the places that it sees.

    Args:
        shape: of the picture, without channels.
        kernel, strides, dilations: along each axis.
        pads: in front along each axis, then behind along each.

    Returns:
        The shape of the outputs, and int64 (outputs, values of the kernel), -1 for padding.
    """
    axes = len(shape)
    sides = tuple(zip(pads[:axes], pads[axes:], strict=True))
    places = np.pad(np.arange(math.prod(shape)).reshape(shape), sides, constant_values=-1)
    seen, counts = [], []
    for length, k, stride, dilation in zip(places.shape, kernel, strides, dilations, strict=True):
        count = (length - dilation * (k - 1) - 1) // stride + 1
        seen.append((np.arange(count)[:, None] * stride + np.arange(k) * dilation).ravel())
        counts.append(count)
    sliding = places[np.ix_(*seen)].reshape(
        [n for pair in zip(counts, kernel, strict=True) for n in pair]
    )
    order = [*range(0, 2 * axes, 2), *range(1, 2 * axes, 2)]
    return tuple(counts), sliding.transpose(order).reshape(math.prod(counts), math.prod(kernel))


def convolution(weights: NDArray[Any], groups: int, pixels: int, seen: NDArray[np.int64]) -> Matrix:
    """Return the matrix of a convolution.

    Args:
        weights: (output channels, input channels of a group, values of the kernel).
        groups: in which the channels are.
        pixels: values of an input channel.
        seen: what :func:`windows` returns.
    """
    outputs, channels, _ = weights.shape
    group = np.arange(outputs) // (outputs // groups)
    channel = group[:, None] * channels + np.arange(channels)
    # (output channels, outputs, input channels, values of the kernel)
    columns = channel[:, None, :, None] * pixels + seen[None, :, None, :]
    values = np.broadcast_to(weights[:, None].astype(np.float64), columns.shape)
    rows = np.arange(outputs * len(seen)).reshape(outputs, len(seen), 1, 1)
    real = np.broadcast_to(seen[None, :, None, :] >= 0, columns.shape)
    at = (np.broadcast_to(rows, columns.shape)[real], columns[real])
    shape = (outputs * len(seen), groups * channels * pixels)
    return scipy.sparse.csr_array((values[real], at), shape)
