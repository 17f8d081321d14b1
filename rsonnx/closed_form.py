"""Classifiers whose class probabilities under noise follow by calculation, as they stand in files.

A sum of functions of one value each, one decision tree, or linear scores. Nothing here knows a file
or a noise. All values that a form compares are float32 numbers, so "at most t" is "below the next
float32 number", and one kind of cut serves every comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNDECIDED = -1
"""In place of the label of an input whose scores are as near as rounding may move them."""

_BESIDE = np.array([-np.inf, np.nan, np.inf], np.float32)
"""To which side of a cut a value is put; NaN puts it on the cut."""

_NEAR = 16
"""By how many times its rounding a linear score is brought near the others."""


@dataclass(frozen=True, eq=False)
class Decision:
    """How scores become a label.

    Attributes:
        classes: the label of each score, of which the largest wins, the first of equal ones; with
            one score the label below the threshold and the label above it.
        slack: (scores,), the most by which a score as the file computes it may differ from the real
            number that the form gives; a score so near to the threshold, and two scores so near to
            each other by the sum of theirs, may decide either way. 0 where it is exact.
        threshold: of a single score.
        tie_above: whether a single score that equals the threshold has the label above it.
    """

    classes: tuple[int, ...]
    slack: NDArray[np.float64]
    threshold: float = 0.0
    tie_above: bool = False

    @property
    def is_single(self) -> bool:
        """Whether one score is held against a threshold."""
        return len(self.slack) == 1

    def labels(
        self, scores: NDArray[np.float64], further: NDArray[np.float64] | float = 0.0
    ) -> NDArray[np.int64]:
        """Return the label of each row of scores, or ``UNDECIDED``.

        Args:
            scores: (rows, scores), as the form gives them.
            further: (rows, scores), what is added to the slack of each.
        """
        slack = self.slack + np.broadcast_to(further, scores.shape)
        classes = np.array(self.classes, np.int64)
        if self.is_single:
            margin, slack = scores[:, 0] - self.threshold, slack[:, 0]
            is_tie = (margin == 0) & (slack == 0)
            above = (margin > slack) | (is_tie & self.tie_above)
            below = (margin < -slack) | (is_tie & (not self.tie_above))
            return np.where(above, classes[1], np.where(below, classes[0], UNDECIDED))
        top = scores.argmax(axis=1)
        rows = np.arange(len(scores))
        margin = scores[rows, top][:, None] - scores
        reach = slack[rows, top][:, None] + slack
        is_first = (margin == 0) & (reach == 0) & (np.arange(scores.shape[1]) > top[:, None])
        beaten = (margin > reach) | is_first
        beaten[rows, top] = True
        return np.where(beaten.all(axis=1), classes[top], UNDECIDED)


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where one value of an input is cut into cells.

    Attributes:
        at: place of the value in the flat input.
        cuts: (m,), ascending and distinct, each the smallest float32 number of the cell above it;
            cell k holds the numbers from ``cuts[k - 1]`` to below ``cuts[k]``.
    """

    at: int
    cuts: NDArray[np.float64]

    def cells(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the number of the cell, from 0 to m, of each row of flat inputs."""
        return np.searchsorted(self.cuts, rows[:, self.at], side="right")


@dataclass(frozen=True, eq=False)
class Splits(Cuts):
    """What one value of an input adds to the scores.

    Attributes:
        leaves: (m + 1, scores), what each cell adds.
    """

    leaves: NDArray[np.float64]


def _at_cuts(
    several: Sequence[Cuts], rows: NDArray[np.float32], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Put about half of the values that are cut on a cut, or beside it."""
    moved = rows.copy()
    for each in several:
        values = each.cuts.astype(np.float32)[generator.integers(len(each.cuts), size=len(rows))]
        beside = _BESIDE[generator.integers(len(_BESIDE), size=len(rows))]
        near = np.where(np.isnan(beside), values, np.nextafter(values, beside))
        taken = generator.random(len(rows)) < 0.5
        moved[taken, each.at] = near[taken]
    return moved


@dataclass(frozen=True, eq=False)
class StumpSum:
    """Scores that are sums of functions of one value each.

    Attributes:
        splits: one a value that matters.
        base: (scores,), what is added whatever the input.
        decision: how the scores become a label.
    """

    splits: tuple[Splits, ...]
    base: NDArray[np.float64]
    decision: Decision

    def labels(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the label of each row of flat inputs, (rows, d), or ``UNDECIDED``."""
        scores = np.tile(self.base, (len(rows), 1))
        for split in self.splits:
            scores += split.leaves[split.cells(rows)]
        return self.decision.labels(scores)

    def near(
        self, rows: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return flat inputs, (rows, d), with about half of the values that are cut at a cut."""
        return _at_cuts(self.splits, rows, generator)


@dataclass(frozen=True, eq=False)
class Boxes:
    """One decision tree: boxes that cover the space and do not overlap.

    Attributes:
        cuts: one a value that matters.
        first: (boxes, values), the first cell of each value in a box.
        last: (boxes, values), the last one, in the box too.
        classes: (boxes,), the label of each box.
    """

    cuts: tuple[Cuts, ...]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    classes: NDArray[np.int64]

    def labels(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the label of each row of flat inputs, (rows, d)."""
        labels = np.full(len(rows), UNDECIDED, np.int64)
        cells = [cuts.cells(rows) for cuts in self.cuts]
        for first, last, label in zip(self.first, self.last, self.classes, strict=True):
            inside = np.ones(len(rows), np.bool_)
            for cell, low, high in zip(cells, first, last, strict=True):
                inside &= (low <= cell) & (cell <= high)
            labels[inside] = label
        return labels

    def near(
        self, rows: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return flat inputs, (rows, d), with about half of the values that are cut at a cut."""
        return _at_cuts(self.cuts, rows, generator)


@dataclass(frozen=True, eq=False)
class Linear:
    """Scores that are linear in the input.

    Of the real input x the file computes, on the float32 number nearest to each of its values,
    scores that differ from ``weights @ x + intercepts`` by at most ``decision.slack + rounding @
    abs(x)``, where no value of x is larger in size than ``largest``.

    Attributes:
        weights: (scores, d).
        intercepts: (scores,).
        rounding: (scores, d), what the size of each value adds to the rounding of a score.
        largest: the size of an input's values up to which that holds.
        decision: how the scores become a label.
    """

    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    rounding: NDArray[np.float64]
    largest: float
    decision: Decision

    def labels(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the label of each row of flat inputs, (rows, d), or ``UNDECIDED``."""
        values = rows.astype(np.float64)
        further = np.abs(values) @ self.rounding.T
        labels = self.decision.labels(values @ self.weights.T + self.intercepts, further)
        return np.where((np.abs(values) <= self.largest).all(axis=1), labels, UNDECIDED)

    def near(
        self, rows: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return flat inputs, (rows, d), moved to where the scores are some roundings apart.

        Two scores are, or one and its threshold.
        """
        weights, intercepts = self.weights, self.intercepts - self.decision.threshold
        if len(weights) > 1:
            order = np.tile(np.arange(len(weights)), (len(rows), 1))
            first, second = generator.permuted(order, axis=1)[:, :2].T
            normals = weights[first] - weights[second]
            offsets = intercepts[first] - intercepts[second]
        else:
            normals, offsets = np.tile(weights, (len(rows), 1)), np.repeat(intercepts, len(rows))
        values = rows.astype(np.float64)
        scores = (normals * values).sum(axis=1) + offsets
        rounding = (np.abs(values) @ self.rounding.T).max(axis=1) + self.decision.slack.max()
        wanted = rounding * generator.uniform(-_NEAR, _NEAR, len(rows))
        squares = np.maximum((normals**2).sum(axis=1), np.finfo(float).tiny)
        far = (scores - wanted) / squares
        moved: NDArray[np.float32] = (values - far[:, None] * normals).astype(np.float32)
        return moved


Form = StumpSum | Boxes | Linear
