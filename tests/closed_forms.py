"""Forms made by hand from the stumps of :mod:`exact_oracle`, and what a form's test needs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from exact_oracle import Cut, Oracle, Stump, cuts_of
from numpy.typing import NDArray

from rsonnx.closed_form import Cuts, Decision, Form, Splits, StumpSum
from rsonnx.noise import InputSpace, Point

ANYWHERE = (-math.inf, math.inf)


def first_above(cut: Cut) -> float:
    """Return the smallest float32 number above a cut."""
    at = np.float32(cut.at)
    return float(np.nextafter(at, np.float32(math.inf)) if cut.leq else at)


def cells_of(cuts: Mapping[int, Sequence[Cut]]) -> tuple[Cuts, ...]:
    """Return the cuts of each value as a form has them."""
    return tuple(Cuts(at, np.array([first_above(c) for c in own])) for at, own in cuts.items())


def stump_sum(
    stumps: Sequence[Stump], decision: Decision, base: Sequence[float] | None = None
) -> StumpSum:
    """Return stumps as a form whose leaves are added in doubles."""
    splits = []
    for at, cuts in cuts_of(stumps).items():
        own = [stump for stump in stumps if stump.feature == at]
        leaves = [
            np.sum([s.below if k <= cuts.index(s.cut) else s.above for s in own], axis=0)
            for k in range(len(cuts) + 1)
        ]
        firsts = np.array([first_above(cut) for cut in cuts])
        splits.append(Splits(at, firsts, np.array(leaves, np.float64)))
    scores = len(stumps[0].below)
    return StumpSum(tuple(splits), np.array(base or [0.0] * scores, np.float64), decision)


def oracle_of(form: Form, cuts: Mapping[int, Sequence[Cut]], size: int) -> Oracle:
    """Return the boxes of a form with the labels that it has inside, one by one."""
    inside = []
    for own in cuts.values():
        points = [first_above(cut) for cut in own]
        lowest = float(np.nextafter(np.float32(points[0]), np.float32(-math.inf)))
        inside.append([lowest, *points])
    rows = np.zeros((math.prod(map(len, inside)), size), np.float32)
    rows[:, list(cuts)] = list(itertools.product(*inside))
    return Oracle(cuts, form.labels(rows).reshape([len(x) for x in inside]))


def real_point(x: Sequence[float]) -> Point:
    """Return an input of real numbers."""
    return InputSpace((len(x),), ANYWHERE).point(np.array(x, np.float64))


@dataclass(frozen=True)
class FormClassifier:
    """A base classifier that is a form."""

    own: Form
    shape: tuple[int, ...]
    num_classes: int = 2
    bounds: tuple[float, float] = ANYWHERE

    def form(self) -> Form:
        """Return it."""
        return self.own

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return its labels."""
        return self.own.labels(batch.reshape(len(batch), -1))
