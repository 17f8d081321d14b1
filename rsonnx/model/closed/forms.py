"""From what decides a label to the form that is certified."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rsonnx.closed_form import Decision, Linear, Splits, StumpSum
from rsonnx.model.closed.values import UNIT, Labels, Sums, Terms, Value

_LARGEST = 2.0**125
"""Scores, and what they are made of, stay below this: far below where float32 ends."""


def decided(label: Labels, terms: Terms, known: Iterable[Value | None]) -> StumpSum | Linear:
    """Return the form of a label that a choice decides.

    Args:
        label: it, of the batch of outcomes.
        terms: what sums are of.
        known: what is known of the model's tensors.
    """
    choice = label.choice
    coefficients, sizes = choice.sums.coefficients, choice.sums.sizes
    relative = _rounding(choice.sums.roundings)
    further = choice.resolution if coefficients.shape[1] == 1 else choice.resolution / 2
    classes = tuple(int(value) for value in label.array.ravel())

    def decision(slack: NDArray[np.float64]) -> Decision:
        return Decision(classes, slack + further, choice.threshold, choice.tie_above)

    if terms.values:
        return Linear(
            coefficients[1:].T,
            coefficients[0],
            relative * sizes[1:].T,
            min(map(_largest, [choice.sums, *(v for v in known if isinstance(v, Sums))])),
            decision(relative * sizes[0]),
        )
    starts = terms.starts
    splits = (
        Splits(cuts.at, cuts.cuts, coefficients[start:stop])
        for cuts, (start, stop) in zip(terms.cuts, pairwise(starts), strict=True)
    )
    mattering = tuple(s for s in splits if (s.leaves != s.leaves[0]).any())
    base = coefficients[0] + sum(
        coefficients[start]
        for start, stop in pairwise(starts)
        if (coefficients[start:stop] == coefficients[start]).all()
    )
    return StumpSum(mattering, base, decision(relative * choice.sums.reach(terms)))


def _rounding(roundings: int) -> float:
    """Return the relative error of so many roundings, and two more for ours; 0 of none.

    n factors 1 + d, each d at most u in size, differ from 1 by at most n u / (1 - n u) (Higham,
    Accuracy and Stability of Numerical Algorithms, lemma 3.1).
    """
    if roundings == 0:
        return 0.0
    error = (roundings + 2) * UNIT
    return error / (1 - error) * (1 + 2.0**-40) if error < 0.5 else np.inf


def _largest(sums: Sums) -> float:
    """Return how large values may be so that sums stay where float32 is precise."""
    sizes = np.moveaxis(sums.sizes, sums.axis, 0)
    each = np.maximum(sizes[1:].sum(axis=0), 1.0)
    return float(((_LARGEST - sizes[0]) / each).min(initial=_LARGEST))
