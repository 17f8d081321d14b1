"""PREDICT: the smoothed classifier's answer at a point.

``two-class`` compares the two largest counts by a two-sided binomial test (Cohen et al.,
arXiv 1902.02918, with the guarantee of Hung & Fithian, arXiv 1610.03944); ``majority`` tests the
largest against one half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from rsonnx.arguments import check_choice
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Law
from rsonnx.procedures.choices import PREDICT_METHODS
from rsonnx.procedures.procedure import LOOK, Ask, Steps, Task, check_classes
from rsonnx.procedures.result import ABSTAIN, Prediction
from rsonnx.statistics import (
    SequentialPredict,
    Verdict,
    align_looks,
    check_alpha,
    check_samples,
    look_schedule,
    p_value_above_half,
    p_value_differs_from_half,
)


def check_method(method: str) -> str:
    """Return ``method``, or refuse it unless it is one of ``PREDICT_METHODS``."""
    return check_choice("method", method, PREDICT_METHODS)


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

    >>> rsonnx.predict_from_counts([990, 10]).label, rsonnx.predict_from_counts([55, 45]).label
    (0, -1)
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
    leads = True
    if method == "two-class":
        p_value = p_value_differs_from_half(n_a, n_a + n_b)
    else:
        p_value = p_value_above_half(n_a, counts.total)
        # By a lead of one vote alone several classes could win, each with a chance of alpha.
        leads = 2 * n_a - counts.total >= 2
    top = ABSTAIN if first == len(counts) else first
    return Prediction(
        label=top if leads and p_value <= alpha else ABSTAIN,
        p_value=p_value,
        top_class=top,
        counts=counts,
        method=method,
        alpha=alpha,
    )


@dataclass(frozen=True)
class Predict:
    """PREDICT with fixed n, by either of its tests.

    Attributes:
        noise: the smoothing distribution.
        n: samples, >= 1.
        alpha: probability of an answer that is not the smoothed classifier's, in (0, 1).
        method: ``"two-class"`` or ``"majority"``.

    Raises:
        UsageError: an argument is outside its range.
    """

    noise: Law
    n: int
    alpha: float
    method: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check_samples("n", self.n))
        object.__setattr__(self, "alpha", check_alpha(self.alpha))
        check_method(self.method)

    @property
    def samples(self) -> int:
        """The most samples that it draws of an input."""
        return self.n

    def steps(self, task: Task) -> Steps[Prediction]:
        """Ask for the samples of the prediction."""
        del task
        (counts,) = yield (Ask("prediction", 0, self.n),)
        return self._predicted(counts)

    def _predicted(self, counts: Counts) -> Prediction:
        prediction = predict_from_counts(counts, alpha=self.alpha, method=self.method)
        return replace(prediction, sigma=self.noise.deviation)


@dataclass(frozen=True)
class PredictSequential(Predict):
    """PREDICT that stops as soon as the answer is sure; n is a ceiling.

    Attributes:
        num_classes: K, among which alpha is shared.
    """

    num_classes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        SequentialPredict(self.n, self.alpha, self.method)
        object.__setattr__(self, "num_classes", check_classes(self.num_classes))

    def steps(self, task: Task) -> Steps[Prediction]:
        """Look at the votes after ever larger batches."""
        del task
        rule = SequentialPredict(self.n, self.alpha, self.method)
        counts = Counts([0] * self.num_classes)
        for stop in align_looks(look_schedule(self.n), LOOK):
            (more,) = yield (Ask("prediction", counts.total, stop),)
            counts += more
            look = rule.look(counts.classes, counts.no_class)
            if look.verdict is not Verdict.CONTINUE:
                break
        return replace(self._predicted(counts), label=look.label, sequential=True)
