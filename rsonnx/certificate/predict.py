"""PREDICT: the smoothed classifier's answer at a point, from counts alone.

``two-class`` compares the two largest counts by a two-sided binomial test (Cohen et al.,
arXiv 1902.02918, with the guarantee of Hung & Fithian, arXiv 1610.03944); ``majority`` tests the
largest against one half.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from rsonnx.certificate.result import ABSTAIN, Prediction
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.statistics import check_alpha, p_value_above_half, p_value_differs_from_half

PredictMethod = Literal["two-class", "majority"]
PREDICT_METHODS: tuple[str, ...] = get_args(PredictMethod)


def check_method(method: str) -> str:
    """Return ``method``, or refuse it unless it is one of ``PREDICT_METHODS``."""
    if method not in PREDICT_METHODS:
        raise UsageError(f"method is {method!r}, but {' or '.join(PREDICT_METHODS)} was expected")
    return method


def predict_from_counts(
    counts: Counts | ArrayLike, *, alpha: float = 0.001, method: str = "two-class"
) -> Prediction:
    """Derive the smoothed classifier's answer from counts, or abstain.

    Args:
        counts: counts per class, shape (classes,), of samples drawn for this prediction.
        alpha: probability of error, in (0, 1).
        method: ``"two-class"`` or ``"majority"``.

    Raises:
        UsageError: an argument is outside its range, or there are no samples.
    """
    counts = Counts.of(counts)
    alpha = check_alpha(alpha)
    check_method(method)
    if counts.total < 1:
        raise UsageError("there are no samples, but a prediction needs at least 1")
    # Answers without a class compete like one, last so that a tie goes to a class; they never win.
    votes = np.append(counts.classes, counts.no_class)
    order = np.argsort(-votes, kind="stable")
    first = int(order[0])
    n_a = int(votes[first])
    n_b = int(votes[order[1]]) if len(votes) > 1 else 0
    if method == "two-class":
        p_value = p_value_differs_from_half(n_a, n_a + n_b)
    else:
        p_value = p_value_above_half(n_a, counts.total)
    top = ABSTAIN if first == len(counts) else first
    return Prediction(
        label=top if p_value <= alpha else ABSTAIN,
        p_value=p_value,
        top_class=top,
        counts=counts,
        method=method,
        alpha=alpha,
    )
