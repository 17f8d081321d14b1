"""Sequential selection and prediction: pure functions of the votes counted so far.

``votes`` are counts per class; answers that are no class are given beside them, compete like a
class of their own, and are never chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rsonnx.errors import UsageError
from rsonnx.statistics.adaptive import PROCESS_SHARE, Verdict
from rsonnx.statistics.binomial_test import p_value_above_half, p_value_differs_from_half
from rsonnx.statistics.checks import check_alpha, check_samples
from rsonnx.statistics.eprocess import check_process_alpha, rejects

LEAD = 8
"""Votes ahead at which the selection stage stops: about 12 samples where p = 0.84."""

_LEAST_LEAD = 2
"""The lead that the proof of :class:`SequentialPredict` asks of the majority rule."""


def lead_of(votes: Iterable[int], no_class: int = 0) -> tuple[int, int, int]:
    """Return (top, its votes, the votes of the best rival); top is -1 where no class leads.

    Ties go to the lowest class, and to any class before no class.
    """
    counts = [*map(int, votes), no_class]
    if min(counts) < 0:
        raise UsageError(f"votes are {counts}, but a count cannot be negative")
    most = max(counts)
    top = counts.index(most)
    last = top == len(counts) - 1
    counts[top] = 0
    return (-1 if last else top), most, max(counts)


def selection_settled(votes: Collection[int], no_class: int = 0, *, ceiling: int) -> bool:
    """Whether the selection stage may stop: a lead of ``LEAD`` votes, or ``ceiling`` samples.

    The choice needs no guarantee: the estimation samples are drawn afresh, and a wrong choice costs
    an abstention, never a false certificate.
    """
    check_samples("ceiling", ceiling)
    _, most, second = lead_of(votes, no_class)
    return most - second >= LEAD or sum(votes) + no_class >= ceiling


@dataclass(frozen=True)
class PredictLook:
    """What a sequential prediction knows: ``label`` is -1 until it answers."""

    verdict: Verdict
    label: int


@dataclass(frozen=True)
class SequentialPredict:
    """PREDICT that may look after every batch.

    ``"majority"`` answers class c when the e-process against p_c <= 1/2 reaches 1/alpha_e. It pays
    nothing for not naming c in advance: let c* be the most probable class. Under p <= 1/2 the path
    to an answer with a lead of d votes has at most (2p)^d times its probability under 1/2, so c is
    ever answered with probability at most alpha_e·(2p)². Over the wrong classes, all with
    p_c <= 1/2, the sum of 4p_c² is at most 4·p₂·(1 - p*) <= 1, where p₂ <= min(p*, 1 - p*) is the
    second largest.

    ``"two-class"`` answers c when the e-process on the votes for c and one rival, against c having
    at most half of them, reaches K/alpha_e for every rival; evidence falls as the rival's votes
    rise, so the best rival decides. A wrong answer c implies that its e-process against c* reached
    that, and there are at most K such c. It answers inputs whose top class has less than half.

    At ``n_max`` the fixed tests of PREDICT at alpha_f = alpha - alpha_e have the last word (for
    ``"two-class"`` Hung & Fithian, arXiv 1610.03944; for ``"majority"`` the argument above).

    ``alpha`` is the probability of a wrong answer, of which the e-process has ``PROCESS_SHARE``.
    """

    n_max: int
    alpha: float = 0.001
    method: str = "two-class"

    def __post_init__(self) -> None:
        check_samples("n_max", self.n_max)
        check_alpha(self.alpha)
        check_process_alpha(self.alpha_e)
        if self.method not in ("two-class", "majority"):
            raise UsageError(f"method is {self.method!r}, but two-class or majority was expected")

    @property
    def alpha_e(self) -> float:
        """Probability of error of the e-processes together."""
        return self.alpha * PROCESS_SHARE

    @property
    def alpha_f(self) -> float:
        """Probability of error of the test at ``n_max``."""
        return self.alpha - self.alpha_e

    def look(self, votes: Sequence[int] | ArrayLike, no_class: int = 0) -> PredictLook:
        """Decide from the votes so far, which must list all K classes from the start.

        The verdict is ``CERTIFIED`` with the label, ``CONTINUE``, or ``EXHAUSTED`` at ``n_max``.
        """
        counts = np.asarray(votes, np.int64)
        top, hits, rival = lead_of(counts.tolist(), no_class)
        total = int(counts.sum()) + no_class
        if total > self.n_max:
            raise UsageError(f"there are {total} votes, but n_max is {self.n_max}")
        if top >= 0 and self._answers(hits, rival, total, len(counts)):
            return PredictLook(Verdict.CERTIFIED, top)
        verdict = Verdict.EXHAUSTED if total == self.n_max else Verdict.CONTINUE
        return PredictLook(verdict, -1)

    def _answers(self, hits: int, rival: int, total: int, classes: int) -> bool:
        if hits == 0:
            return False
        if self.method == "majority":
            if 2 * hits - total < _LEAST_LEAD:
                return False
            final = p_value_above_half(hits, total)
            early = rejects(hits, total, 0.5, self.alpha_e)
        else:
            final = p_value_differs_from_half(hits, hits + rival)
            early = rejects(hits, hits + rival, 0.5, self.alpha_e / classes)
        return early or (total == self.n_max and final <= self.alpha_f)
