"""Sound bounds on scores over a ball: CROWN (arXiv 1811.00866, DeepPoly), CROWN-IBP and IBP.

A row of scores is bounded from below by linear functions of earlier layers, back to the input.
Every rounding is paid for, so a bound is a proof. The float64 of these computations errs by at most
``_unit`` times the sizes of the terms (Higham, Accuracy and Stability, 3.1: ``n u / (1 - n u)``
whatever the order of a sum). The float32 in which onnxruntime evaluates a file makes each layer's
values differ from the exact map of its *computed* inputs by as much in float32, which is a
disturbance within a box: it is carried back as an input is. So what is bounded are the numbers that
are really computed, by float32 sums in any order, with fused products or not, and with constants
that are elementwise folded into the product before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from rsonnx.deterministic.balls import Ball
from rsonnx.deterministic.layers import Affine, Network, Relu

_UNIT, _UNIT32 = 2.0**-53, 2.0**-24
_FOLDED = 16
"""Roundings of a constant that is folded from others: a variance and more into a weight."""

_LEAST32 = 2.0**-126
"""What a float32 loses at most where it becomes too small, to 0 on some machines."""

_LARGEST = 2.0**100
"""Larger numbers are not bounded: float32 may overflow."""

_VANISHED = 2.0**-600
"""More than float64 loses by numbers that become too small, as none here exceeds ``_LARGEST``."""

_SOFTENED = 2.0**-10
"""How far apart scores must be that float32's Softmax and LogSoftmax do not make equal.

Their exponentials are computed to some 2^-20, and a difference is kept relative to the scores."""

_FARTHEST = 80.0
"""How far apart scores may be of which float32's Softmax keeps both apart from 0."""

_VALUES_AT_ONCE = 1 << 17
"""Of rows that are carried back together: a processor keeps them near."""


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds of the values of a layer, float64 (width,)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @cached_property
    def size(self) -> NDArray[np.float64]:
        """The largest size of each value."""
        return np.maximum(abs(self.low), abs(self.high))


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines around the ReLU of each value of a layer, (width,): ``below * x`` and ``above * x +
    offset``, for every x between the bounds of the value."""

    below: NDArray[np.float64]
    above: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def around(cls, box: Box) -> _Lines:
        """Return the chord above, and below the one of 0 and x that is nearer to the ReLU."""
        low, high = np.minimum(box.low, 0), np.maximum(box.high, 0)
        width = np.where(high > low, high - low, 1.0)
        above = np.minimum(high / width, 1.0)
        # The ReLU is convex, so a line above it at both ends is above it between them.
        offset = np.maximum(-above * low, (1 - above) * high) * (1 + 8 * _UNIT)
        return cls((high > -low).astype(np.float64), above, offset)


class Verifier:
    """Bounds what a network computes over one ball.

    Args:
        network: the classifier.
        ball: the inputs.
        method: ``"crown"`` bounds every layer backwards, ``"crown-ibp"`` the scores alone, and
            ``"ibp"`` none; layers before the first ReLU always are.
        arithmetic: ``"float32"`` bounds the scores that onnxruntime computes on a processor for the
            float32 numbers nearest to an input, ``"real"`` the exact ones.
    """

    def __init__(
        self, network: Network, ball: Ball, *, method: str = "crown", arithmetic: str = "float32"
    ) -> None:
        self._network, self._ball, self._method = network, ball, method
        self._is_float32 = arithmetic == "float32"
        self._unit = 2 * (max(network.widths) + len(network.layers) + 64) * _UNIT
        self._boxes: list[Box] = []
        self._errors: list[NDArray[np.float64]] = []
        """Of each layer, how far its computed values are from the exact map of those before it."""
        self._lines: dict[int, _Lines] = {}
        self._bound_input()
        for number, layer in enumerate(network.layers, 1):
            if isinstance(layer, Relu):
                self._bound_relu(layer)
            elif not self._bound_affine(number, layer):
                break

    @property
    def scores(self) -> Box:
        """Bounds of the scores, (classes,); infinite where numbers are too large for a bound."""
        if len(self._boxes) == len(self._network.widths):
            return self._boxes[-1]
        nothing = np.full(self._network.widths[-1], np.inf)
        return Box(-nothing, nothing)

    def allows(self, scores: NDArray[np.float64]) -> bool:
        """Return whether a file's answer to the ball's center is within the bounds, (classes,).

        Of a Softmax differences are compared, but for those too large for it to hold.
        """
        low, high = self.scores.low, self.scores.high
        if not self._network.softened:
            return bool(((low <= scores) & (scores <= high)).all())
        if self._network.softened == "Softmax":
            scores = np.log(np.maximum(scores, _LEAST32))
        top = int(scores.argmax())
        behind = np.maximum(scores - scores[top], -_FARTHEST)
        least = np.maximum(low - high[top], -_FARTHEST) - _SOFTENED
        most = np.maximum(high - low[top], -_FARTHEST) + _SOFTENED
        return bool(((least <= behind) & (behind <= most)).all())

    def margins(self, label: int) -> NDArray[np.float64]:
        """Return lower bounds on how far the label's score is above each other one, (classes - 1,).

        Where one is above 0, no point of the ball is of that other class.
        """
        last = self.scores
        others = [k for k in range(len(last.low)) if k != label]
        if np.isinf(last.low).any():
            return np.full(len(others), -np.inf)
        margins = np.nextafter(last.low[label] - last.high[others], -np.inf)
        if self._method != "ibp":
            identity = np.eye(len(last.low))
            rows = scipy.sparse.csr_array(identity[[label] * len(others)] - identity[others])
            margins = np.maximum(margins, self._lowest(len(self._network.layers), rows))
        if self._network.softened:
            margins = margins - _SOFTENED * (1 + _SOFTENED * last.size.max())
        return np.asarray(margins)

    def _bound_input(self) -> None:
        low, high = self._ball.box
        error = np.zeros(len(low))
        if self._is_float32:
            error = 1.001 * _UNIT32 * np.maximum(abs(low), abs(high)) + _LEAST32
        self._errors.append(error)
        low, high = np.nextafter(low - error, -np.inf), np.nextafter(high + error, np.inf)
        self._boxes.append(Box(low, high))

    def _bound_relu(self, layer: Relu) -> None:
        box = self._boxes[layer.source]
        self._lines[layer.source] = _Lines.around(box)
        self._errors.append(np.zeros(len(box.low)))
        self._boxes.append(Box(np.maximum(box.low, 0), np.maximum(box.high, 0)))

    def _bound_affine(self, number: int, layer: Affine) -> bool:
        """Bound a layer; return False where its numbers are too large for that."""
        sizes = layer.mass + sum(matrix @ self._boxes[s].size for s, matrix in layer.sizes)
        if not sizes.max() < _LARGEST:
            return False
        self._errors.append(self._rounding(number, layer, sizes))
        box = self._interval(number, layer)
        self._boxes.append(box)
        backwards = self._method == "crown" or not self._network.bent[number]
        if backwards and number in self._network.rectified:
            self._boxes[number] = self._tightened(number, box)
        return True

    def _rounding(
        self, number: int, layer: Affine, sizes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return how far computed values are from exact ones of the computed values before them.

        Args:
            number: of the layer.
            layer: it.
            sizes: the sum of the sizes of the terms of each value.
        """
        error = self._unit * sizes + _VANISHED
        if self._is_float32:
            roundings = self._network.rounded_terms[number] + _FOLDED
            unit = roundings * _UNIT32 / (1 - roundings * _UNIT32)
            largest = max(self._boxes[source].size.max() for source in layer.sources)
            error = error + 1.001 * (unit * sizes + roundings * _LEAST32 * (1 + largest))
        return np.asarray(error)

    def _interval(self, number: int, layer: Affine) -> Box:
        """Return bounds by interval arithmetic."""
        middle, reach = layer.bias, self._errors[number]
        for (source, matrix), (_, size) in zip(layer.parts, layer.sizes, strict=True):
            box = self._boxes[source]
            half = box.low / 2 + box.high / 2
            middle = middle + matrix @ half
            reach = reach + size @ np.maximum(box.high - half, half - box.low)
        reach = reach + self._unit * (reach + abs(middle))
        return Box(middle - reach, middle + reach)

    def _tightened(self, number: int, box: Box) -> Box:
        """Return bounds of a layer by CROWN.

        Behind a ReLU only of values whose sign is open: the next one bends nothing else.
        """
        low, high = box.low.copy(), box.high.copy()
        places = np.flatnonzero(((low < 0) & (high > 0)) | (not self._network.bent[number]))
        at_once = max(1, _VALUES_AT_ONCE // (2 * max(self._network.widths)))
        for start in range(0, len(places), at_once):
            some = places[start : start + at_once]
            ones = np.ones(len(some))
            rows = scipy.sparse.csr_array(
                (ones, (np.arange(len(some)), some)), (len(some), len(low))
            )
            lowest = self._lowest(number, scipy.sparse.vstack([rows, -rows], format="csr"))
            low[some] = np.maximum(low[some], lowest[: len(some)])
            high[some] = np.minimum(high[some], -lowest[len(some) :])
        return Box(low, high)

    def _lowest(self, number: int, rows: Any) -> NDArray[np.float64]:
        """Return lower bounds of rows times a layer's computed values, (rows,).

        Args:
            number: of the layer.
            rows: a sparse array (rows, width).
        """
        behind: dict[int, Any] = {number: rows}
        constant, slack = np.zeros(rows.shape[0]), np.full(rows.shape[0], _VANISHED)

        def put(layer: int, product: Any) -> None:
            nonlocal slack
            if layer in behind:
                product = behind[layer] + product
                slack = slack + self._unit * (abs(product) @ self._boxes[layer].size)
            behind[layer] = product

        for at in range(number, 0, -1):
            held = behind.pop(at, None)
            if held is None:
                continue
            layer = self._network.layers[at - 1]
            if isinstance(layer, Affine):
                constant = constant + held @ layer.bias
                slack = slack + abs(held) @ self._errors[at]
                for source, matrix in layer.parts:
                    put(source, held @ matrix)
                continue
            held, lines = _dense(held), self._lines[layer.source]
            negative = np.minimum(held, 0)
            sizes = lines.above * self._boxes[layer.source].size + lines.offset
            added, size = (negative @ np.stack([lines.offset, sizes], axis=1)).T
            constant, slack = constant + added, slack - self._unit * size
            held = np.maximum(held, 0) * lines.below
            held += np.multiply(negative, lines.above, out=negative)
            put(layer.source, held)
        if 0 in behind:
            held = _dense(behind[0])
            slack = slack + abs(held) @ self._errors[0]
            constant = constant + self._ball.lowest(held)
        return np.asarray(constant - slack - self._unit * (slack + abs(constant)))


def _dense(rows: Any) -> NDArray[np.float64]:
    return rows if isinstance(rows, np.ndarray) else rows.toarray()
