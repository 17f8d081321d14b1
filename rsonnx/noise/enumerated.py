"""Noise of which all outcomes are counted, so that a certificate is certain."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.noise.drawing import Place
from rsonnx.noise.law import ExactOutcome, Law


class EnumeratedNoise(Law):
    """A change with finitely many outcomes, all of which are counted: no sampling, no alpha.

    Sample i of a stream is outcome i of the change, whatever the seed of the run, for i below
    :meth:`evaluations`; behind these the outcomes begin again.
    """

    enumerated: ClassVar[bool] = True
    additive: ClassVar[bool] = False

    @property
    def deviation(self) -> None:
        """None: what is done to a value depends on the value, or leaves nothing of it."""
        return None

    @abstractmethod
    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Return how many outcomes there are for an input of ``shape``; see :class:`Law`."""

    @abstractmethod
    def radius_within(self, changed: int) -> float:
        """Return the largest radius in which no input has more than ``changed`` other outcomes.

        Rounded down; 0 where already the least change of an input may alter more of them.
        """

    def certify(self, counts: Counts) -> ExactOutcome:
        """Return the smoothed classifier's answer and its exact radius; see :class:`Law`.

        The answer is the class with the most outcomes, the lowest one among equals. Answers that
        are no class (NaN, say) compete as one more class behind all others: they lose
        every tie, and where they win there is no answer.

        An input near by, at which c of the n outcomes are other ones, has n_A' >= n_A - c and
        n_B' <= n_B + c for every rival B, since each outcome has one answer. A is still in front
        where n_A' > n_B', or where they are equal and A < B: where n_A' - n_B' >= 1[B < A]. So A
        stays wherever 2c <= n_A - n_B - 1[B < A]. Each outcome that changes costs two, one for
        leaving A and one for joining B, hence the half: c <= floor((n_A - n_B - 1[B < A]) / 2), for
        the rival with the largest n_B + 1[B < A]. Classes that were never seen are rivals too.
        """
        votes = counts.seen
        if not votes:
            return ExactOutcome(-1, 0.0)
        top = counts.top()[0]
        unseen = int(any(k not in votes for k in range(top)))
        rivals = (count + (k < top) for k, count in votes.items() if k != top)
        margin = votes[top] - max(unseen, counts.no_class, *rivals)
        if margin < 0:
            return ExactOutcome(-1, 0.0)
        return ExactOutcome(top, self.radius_within(margin // 2))


class OutcomeBlock:
    """The outcomes of one block in their order, which begin again behind the last.

    Args:
        outcomes: how many there are.
        place: of the block.
    """

    def __init__(self, outcomes: int, place: Place) -> None:
        self._outcomes = outcomes
        self._space = place.space
        self._next = place.first

    def draw(self, count: int) -> NDArray[np.int64]:
        """Return the numbers of the outcomes of the next ``count`` / size samples."""
        stop = self._next + count // self._space.size
        drawn = np.arange(self._next, stop, dtype=np.int64) % self._outcomes
        self._next = stop
        return drawn
