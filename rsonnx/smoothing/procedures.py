"""Procedures: which samples to ask for next, and what follows from their counts.

A procedure is a generator. It yields the ranges that it wants counted, is sent their counts, and
returns its result; it knows no model and no device. What runs it is :func:`run_procedure`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from rsonnx.certificate import (
    ABSTAIN,
    AdaptiveSamples,
    Certificate,
    ExactCounts,
    FixedSamples,
    Prediction,
    Rule,
    check_method,
    predict_from_counts,
)
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import EnumeratedNoise, SampledNoise, SmoothingDistribution, Stage
from rsonnx.statistics import (
    DEFAULT_BOUND,
    SequentialPredict,
    Verdict,
    align_looks,
    check_alpha,
    check_samples,
    look_schedule,
    selection_settled,
)

Result = TypeVar("Result")

LOOK = 32
"""Looks are at multiples of this many samples: fewer waste calls, more waste samples."""

_SELECTION_LOOK = 16


@dataclass(frozen=True)
class Ask:
    """A range of samples of one stage, ``start`` <= index < ``stop``."""

    stage: Stage
    start: int
    stop: int


Steps = Generator[Sequence[Ask], Sequence[Counts], Result]


class CertifyProcedure(Protocol):
    """A procedure that certifies one input."""

    @property
    def samples(self) -> int:
        """The most samples that it draws."""

    @property
    def rule(self) -> Rule:
        """How its counts become a certificate."""

    @property
    def n0(self) -> int:
        """The most selection samples."""

    def steps(self, uniform: float) -> Steps[Certificate]:
        """Ask for samples until the certificate is settled; ``uniform`` is drawn before them."""


@dataclass(frozen=True)
class Certify:
    """CERTIFY with fixed n0 and n (Cohen et al., arXiv 1902.02918)."""

    n0: int
    rule: FixedSamples

    def __post_init__(self) -> None:
        check_samples("n0", self.n0)

    @property
    def samples(self) -> int:
        """How many samples it draws."""
        return self.n0 + self.rule.n

    def steps(self, uniform: float) -> Steps[Certificate]:
        """Ask for both stages at once: with fixed n neither depends on the other's counts."""
        selection, estimation = yield (
            Ask("selection", 0, self.n0),
            Ask("estimation", 0, self.rule.n),
        )
        return self.rule.certify(selection, estimation, uniform)


@dataclass(frozen=True)
class CertifyAdaptive:
    """Certify at target radii with as few samples as decide them; n0 and n are ceilings."""

    n0: int
    rule: AdaptiveSamples

    def __post_init__(self) -> None:
        check_samples("n0", self.n0)

    @property
    def samples(self) -> int:
        """The most samples that it draws."""
        return self.n0 + self.rule.n

    def steps(self, uniform: float) -> Steps[Certificate]:
        """Select until a lead settles the class, then look at the counts until all is decided."""
        del uniform  # no randomised bound
        selection = Counts([])
        while True:
            stop = min(self.n0, selection.total + _SELECTION_LOOK)
            (more,) = yield (Ask("selection", selection.total, stop),)
            selection += more
            if selection_settled(selection.classes, selection.no_class, ceiling=self.n0):
                break
        top = selection.top()[0] if selection.classes.any() else ABSTAIN
        decision = self.rule.rule.start()
        estimation = Counts([])
        for look in align_looks(self.rule.rule.looks, LOOK):
            (more,) = yield (Ask("estimation", estimation.total, look),)
            estimation += more
            hits = estimation[top] if top != ABSTAIN else 0
            if decision.update(hits, look) is not Verdict.CONTINUE:
                break
        return self.rule.certify(selection, estimation, decision.claim)


@dataclass(frozen=True)
class Enumerate:
    """Count every change of an input that the noise can make; nothing is left to chance."""

    rule: ExactCounts

    @property
    def n0(self) -> int:
        """No selection samples: the class is read from all counts."""
        return 0

    @property
    def samples(self) -> int:
        """How many changes there are."""
        return self.rule.n

    def steps(self, uniform: float) -> Steps[Certificate]:
        """Ask for all changes."""
        del uniform  # nothing is random
        (counts,) = yield (Ask("estimation", 0, self.rule.n),)
        return self.rule.certify(Counts([]), counts)


def certify_procedure(
    noise: SmoothingDistribution,
    *,
    shape: tuple[int, ...] | None = None,
    n0: int,
    n: int,
    alpha: float,
    bound: str = DEFAULT_BOUND,
    radius: str = "one-sided",
    target_radii: Sequence[float] | None = None,
    num_classes: int | None = None,
) -> CertifyProcedure:
    """Return the procedure that these options mean; see :meth:`SmoothedClassifier.certify`.

    Args:
        noise: the smoothing distribution. One that is enumerated leaves no choice but the target
            radii that are refused: n0, n, alpha and the bound have no part in it.
        shape: of an input; enumerated noise needs it.
        n0, n, alpha, bound, radius, target_radii, num_classes: as there.

    Raises:
        UsageError: an argument is outside its range, or two of them exclude each other.
    """
    if isinstance(noise, EnumeratedNoise):
        return Enumerate(_exact(noise, shape, bound, radius, target_radii))
    if not isinstance(noise, SampledNoise):
        raise UsageError(f"{noise.name} noise can be neither sampled nor enumerated")
    if radius == "two-sided" and num_classes is None:
        raise UsageError(
            "the two-sided radius shares alpha among the classes, but the base classifier does not "
            "say how many it has (num_classes); use the one-sided radius"
        )
    if target_radii is None:
        return Certify(n0, FixedSamples(noise, n, alpha, bound, radius, num_classes))
    if bound != DEFAULT_BOUND or radius != "one-sided":
        raise UsageError(
            "an adaptive run has a bound and a radius of its own, so a bound or a radius rule "
            "cannot be chosen; leave out the target radii or the choice"
        )
    return CertifyAdaptive(n0, AdaptiveSamples(noise, n, alpha, tuple(target_radii)))


def _exact(
    noise: EnumeratedNoise,
    shape: tuple[int, ...] | None,
    bound: str,
    radius: str,
    target_radii: Sequence[float] | None,
) -> ExactCounts:
    if bound != DEFAULT_BOUND or radius != "one-sided" or target_radii is not None:
        raise UsageError(
            f"{noise.name} noise is counted in full, so there is no bound, radius rule or target "
            "radius to choose; leave them out"
        )
    if shape is None:
        raise UsageError(
            f"{noise.name} noise is counted in full, but the base classifier does not say the "
            "shape of its inputs (shape), so how many changes there are is unknown"
        )
    return ExactCounts(noise, shape)


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
        return replace(found, sigma=self.noise.deviation)


@dataclass(frozen=True)
class PredictSequential:
    """PREDICT that stops as soon as the answer is sure; n is a ceiling."""

    noise: SmoothingDistribution
    n: int
    alpha: float
    method: str
    num_classes: int

    def __post_init__(self) -> None:
        SequentialPredict(self.n, self.alpha, self.method)

    @property
    def samples(self) -> int:
        """The most samples that it draws."""
        return self.n

    def steps(self) -> Steps[Prediction]:
        """Look at the votes after ever larger batches."""
        rule = SequentialPredict(self.n, self.alpha, self.method)
        counts = Counts([0] * self.num_classes)
        for look in align_looks(look_schedule(self.n), LOOK):
            (more,) = yield (Ask("prediction", counts.total, look),)
            counts += more
            found = rule.look(counts.classes, counts.no_class)
            if found.verdict is not Verdict.CONTINUE:
                break
        fixed = predict_from_counts(counts, alpha=self.alpha, method=self.method)
        return replace(fixed, label=found.label, sequential=True, sigma=self.noise.deviation)


def predict_procedure(
    noise: SmoothingDistribution,
    *,
    n: int,
    alpha: float,
    method: str,
    sequential: bool = False,
    num_classes: int | None = None,
) -> Predict | PredictSequential:
    """Return the procedure that these options mean; see :meth:`SmoothedClassifier.predict`.

    Raises:
        UsageError: an argument is outside its range, or the number of classes is not known where
            it is needed.
    """
    if isinstance(noise, EnumeratedNoise):
        raise UsageError(
            f"{noise.name} noise is counted in full, so certify gives the smoothed classifier's "
            "answer with certainty, and a prediction from samples has nothing to add; use certify"
        )
    if not sequential:
        return Predict(noise, n, alpha, method)
    if num_classes is None:
        raise UsageError(
            "a sequential prediction shares alpha among the classes, but the base classifier "
            "does not say how many it has (num_classes); use a fixed n"
        )
    return PredictSequential(noise, n, alpha, method, num_classes)


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
