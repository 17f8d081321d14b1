"""Procedures: which samples to ask for next, and what follows from their counts.

A procedure is a generator. It yields the ranges that it wants counted, is sent their counts, and
returns its result; it knows no model and no device. What runs it is :func:`run_procedure`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from rsonnx.certificate import (
    Certificate,
    Prediction,
    certify_counts,
    check_method,
    predict_from_counts,
)
from rsonnx.counts import Counts
from rsonnx.noise import SmoothingDistribution, Stage
from rsonnx.statistics import check_alpha, check_samples

Result = TypeVar("Result")


@dataclass(frozen=True)
class Ask:
    """A range of samples of one stage, ``start`` <= index < ``stop``."""

    stage: Stage
    start: int
    stop: int


Steps = Generator[Sequence[Ask], Sequence[Counts], Result]


@dataclass(frozen=True)
class Certify:
    """CERTIFY with fixed n0 and n (Cohen et al., arXiv 1902.02918)."""

    noise: SmoothingDistribution
    n0: int
    n: int
    alpha: float

    def __post_init__(self) -> None:
        check_samples("n0", self.n0)
        check_samples("n", self.n)
        check_alpha(self.alpha)

    @property
    def samples(self) -> int:
        """How many samples it draws."""
        return self.n0 + self.n

    def steps(self) -> Steps[Certificate]:
        """Ask for both stages at once: with fixed n neither depends on the other's counts."""
        selection, estimation = yield (
            Ask("selection", 0, self.n0),
            Ask("estimation", 0, self.n),
        )
        return certify_counts(selection, estimation, noise=self.noise, alpha=self.alpha)


@dataclass(frozen=True)
class Predict:
    """PREDICT with fixed n, by either of its tests."""

    noise: SmoothingDistribution
    n: int
    alpha: float
    method: str

    def __post_init__(self) -> None:
        check_samples("n", self.n)
        check_alpha(self.alpha)
        check_method(self.method)

    @property
    def samples(self) -> int:
        """How many samples it draws."""
        return self.n

    def steps(self) -> Steps[Prediction]:
        """Ask for the samples of the prediction."""
        (counts,) = yield (Ask("prediction", 0, self.n),)
        found = predict_from_counts(counts, alpha=self.alpha, method=self.method)
        return replace(found, sigma=self.noise.sigma)


def run_procedure(
    steps: Steps[Result], count: Callable[[Sequence[Ask]], Sequence[Counts]]
) -> Result:
    """Run a procedure to its end with ``count``, which answers what it asks for."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(count(asked))
    except StopIteration as stop:
        result: Result = stop.value
        return result
