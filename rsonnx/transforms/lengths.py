"""How far a transformation moves an image at most, from one parameter to the next: proved.

The path of an image, as the parameter goes on, is a curve in the space of images, and no point of
it is farther from another than it is long in between. Its speed is bounded pixel by pixel. While
the parameter goes from one knot to the next, the place that a pixel reads stays inside a box: the
chord of its path and the height of an arc, at most (largest acceleration)·(time)²/8. Inside a cell
between four pixels the slope of the interpolation along one axis is itself linear along the other,
so over the box it lies between its values at the ends, and at the border of a cell where the box
crosses one. The pixel's speed is slope times velocity, summed over both axes, in intervals.

All of it is float64 whose rounding errors are below the margins that are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise

import numpy as np

from rsonnx.transforms.families import Family
from rsonnx.transforms.images import Cells, Floats, Frame

_MARGIN = 2.0**-40
"""Relative margin of sums, and of places in units of the image's reach: a few hundred operations of
relative error 2^-53 each lie far below it."""

_CHUNK = 1 << 16
"""Places at a time; so many boxes take some 10 MB."""


@dataclass(frozen=True)
class Boxes:
    """Where the places that all pixels read are, at some knots and from each to the next.

    Attributes:
        u, v: at the knots, (knots, pixels), counted from the middle.
        down, right: where a box begins and ends, two of (steps, pixels) each.
        velocity: middle and half width of the velocity in a box, down and to the right.
        times: how long each step takes, (steps,).
    """

    u: Floats
    v: Floats
    down: tuple[Cells, Cells]
    right: tuple[Cells, Cells]
    velocity: tuple[tuple[Floats, Floats], tuple[Floats, Floats]]
    times: Floats


@lru_cache(maxsize=16)
def _boxes(family: Family, frame: Frame, knots: tuple[float, ...]) -> Boxes:
    """Return the boxes of all steps; they are the same for all images of a size."""
    u, v = np.array([frame.places(family.matrix(knot)) for knot in knots]).swapaxes(0, 1)
    times = np.array([family.time(start, stop) for start, stop in pairwise(knots)])
    # |p''| = |p - middle|, which on the way is at most what it is at one of the ends.
    far = np.hypot(u, v)
    height = np.maximum(far[:-1], far[1:]) * (times**2)[:, np.newaxis] / 8.0
    height += _MARGIN * frame.reach
    low_u, high_u = np.minimum(u[:-1], u[1:]) - height, np.maximum(u[:-1], u[1:]) + height
    low_v, high_v = np.minimum(v[:-1], v[1:]) - height, np.maximum(v[:-1], v[1:]) + height
    down, right = zip(frame.cells(low_u, low_v), frame.cells(high_u, high_v), strict=True)
    along = family.velocity((low_u + high_u) / 2.0, (low_v + high_v) / 2.0)
    half = map(np.abs, family.velocity((high_u - low_u) / 2.0, (high_v - low_v) / 2.0))
    velocity_u, velocity_v = zip(along, half, strict=True)
    return Boxes(u, v, down, right, (velocity_u, velocity_v), times)


@dataclass(frozen=True)
class Curve:
    """The path of an image, from knot to knot.

    Attributes:
        points: the image at each knot, (knots, values).
        lengths: of each step, rounded up, (steps,).
    """

    points: Floats
    lengths: Floats

    def farthest(self, image: Floats, first: int, last: int) -> Floats:
        """Return how far the path is from an image at most, rounded up, in each of some steps.

        A distance grows no faster than the path is long, so on a step it is at most half of the
        sum of the distances at its ends and its length.

        Args:
            image: (values,).
            first, last: knots where the steps begin and end.
        """
        distances = np.linalg.norm(self.points[first : last + 1] - image, axis=1)
        most: Floats = (distances[:-1] + distances[1:] + self.lengths[first:last]) / 2.0
        return most * (1.0 + _MARGIN)


def curve(image: Floats, family: Family, knots: Sequence[float]) -> Curve:
    """Return the path of an image.

    Args:
        image: (channels, height, width).
        family: of the transformation.
        knots: at least two parameters, rising; near enough for no place to move by a pixel from
            one to the next.
    """
    frame = Frame(*image.shape[1:])
    padded = frame.padded(image)
    down, right = (np.roll(padded, -stride, axis=1) - padded for stride in (frame.stride, 1))
    steps = max(1, _CHUNK // (frame.height * frame.width))
    points, lengths = [], []
    for start in range(0, len(knots) - 1, steps):
        boxes = _boxes(family, frame, tuple(knots[start : start + steps + 1]))
        here = frame.interpolated(padded, boxes.u, boxes.v).swapaxes(0, 1)
        points.append(here.reshape(len(here), -1)[bool(start) :])
        lengths.append(_lengths((down, right), boxes, frame.stride))
    return Curve(np.concatenate(points), np.concatenate(lengths))


def _lengths(differences: tuple[Floats, Floats], boxes: Boxes, stride: int) -> Floats:
    """Return how long each step is at most, (steps,).

    Args:
        differences: of neighbours, down and to the right, (channels, places).
        boxes: of the steps.
        stride: how far apart neighbours in a column are.
    """
    down, half_down = _slope(differences[0], boxes.down, boxes.right, 1)
    right, half_right = _slope(differences[1], boxes.right, boxes.down, stride)
    (along_u, half_u), (along_v, half_v) = boxes.velocity
    speed = (
        np.abs(down * along_u + right * along_v)
        + np.abs(down) * (half_u + _MARGIN * np.abs(along_u))
        + np.abs(right) * (half_v + _MARGIN * np.abs(along_v))
        + half_down * (np.abs(along_u) + half_u)
        + half_right * (np.abs(along_v) + half_v)
    )
    length: Floats = np.sqrt((speed**2).sum(axis=(0, 2))) * boxes.times * (1.0 + _MARGIN)
    return length


def _slope(
    differences: Floats, along: tuple[Cells, Cells], across: tuple[Cells, Cells], stride: int
) -> tuple[Floats, Floats]:
    """Return middle and half width of the slope along one axis, (channels, steps, pixels) each.

    Args:
        differences: of neighbours along that axis, (channels, places).
        along: where the boxes begin and end along it.
        across: the same along the other axis.
        stride: how far apart neighbours along the other axis are.
    """
    crossed = across[0].at != across[1].at
    values: list[Floats] = []
    for cell in along:
        ends = [
            differences[:, cell.at + end.at] * (1.0 - end.share)
            + differences[:, cell.at + end.at + stride] * end.share
            for end in across
        ]
        border = np.where(crossed, differences[:, cell.at + across[1].at], ends[0])
        values += [*ends, border]
    low, high = reduce(np.minimum, values), reduce(np.maximum, values)
    return (low + high) / 2.0, (high - low) / 2.0
