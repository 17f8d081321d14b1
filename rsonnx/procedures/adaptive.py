"""Adaptive certification at target radii: sample until they are decided.

The statistics are those of :class:`rsonnx.statistics.SpendingRule`: alpha is spent on fixed looks
and on one bound at the ceiling. Where its sums over all paths cannot be had, and in earlier runs,
an e-process decides (:class:`rsonnx.statistics.AdaptiveRule`; arXiv 1810.08240, 2010.09686).
Selection stops at a lead of votes; its samples are apart from the others, so that costs no
validity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Self

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Law
from rsonnx.procedures.abstain import certificate_or_reason
from rsonnx.procedures.evidence import Evidence, Figures, Proof
from rsonnx.procedures.fixed import Fixed
from rsonnx.procedures.procedure import LOOK, Ask, Procedure, Steps, Task
from rsonnx.procedures.radii import as_radii, default_radii, radius_text
from rsonnx.procedures.result import Certificate
from rsonnx.statistics import (
    AdaptiveRule,
    SpendingRule,
    Verdict,
    align_looks,
    check_alpha,
    check_samples,
    operating_point,
    selection_settled,
    spending,
    stop_fault,
)

PROCESS_SHARE = 0.3
"""Of alpha for the e-process, where it decides."""

E_PROCESS, SPENDING = "e-process", "alpha-spending"

_SELECTION_LOOK = 16
_NOTHING = Counts([])


@dataclass(frozen=True)
class Adaptive(Procedure):
    """Certify at target radii with as few samples as decide them.

    Attributes:
        noise: the smoothing distribution.
        n0: the most selection samples, >= 1.
        n: the most estimation samples, >= 1.
        alpha: probability of error of all that is claimed of one input, in (0, 1).
        target_radii: the radii to decide, rising, each > 0; all hold at once.
        bound: what decides: ``"alpha-spending"``, or ``"e-process"``; "" for the former where n and
            alpha allow it.

    Raises:
        UsageError: an argument is outside its range, or a target is beyond what n and alpha reach.
    """

    noise: Law
    n0: int
    n: int
    alpha: float
    target_radii: tuple[float, ...]
    bound: str = ""

    radius_rule: str = field(init=False, default="one-sided")
    num_classes: int | None = field(init=False, default=None)

    fixed_n: ClassVar[bool] = False
    only_these: ClassVar[str] = (
        "stopped sampling once its targets were decided; certify again with a fixed n"
    )

    def __post_init__(self) -> None:
        radii = as_radii(self.target_radii)
        self._settle(
            n0=check_samples("n0", self.n0),
            n=check_samples("n", self.n),
            alpha=check_alpha(self.alpha),
            target_radii=radii,
        )
        spends = self.n <= spending.MOST_SAMPLES and self.alpha >= spending.LEAST_ALPHA
        self._settle(bound=self.bound or (SPENDING if spends else E_PROCESS))
        if self.bound not in (E_PROCESS, SPENDING) or (self.bound == SPENDING and not spends):
            raise UsageError(
                f"the bound {self.bound!r:.60} is none of adaptive runs with n = {self.n:,} and "
                f"alpha = {self.alpha:g}; leave it out"
            )
        if not radii or not all(0 < r < float("inf") for r in radii):
            raise UsageError(
                f"the target radii are {list(radii)}, but at least one number above 0 was expected"
            )
        if any(b <= a for a, b in pairwise(radii)):
            raise UsageError(f"the target radii are {list(radii)}, but they must rise")
        least = self._rule((0.5,))
        reachable = self.noise.radius(least.lower(self.n, self.n))
        if radii[-1] > reachable:
            raise UsageError(
                f"the target radius {radii[-1]:g} cannot be reached: n = {self.n:,} samples at "
                f"alpha = {self.alpha:g} and {self.noise.label} give at most "
                f"{radius_text(reachable)}; use a larger n, wider noise or a smaller target"
            )

    @classmethod
    def of_table(cls, noise: Law, n0: int, n: int, alpha: float, bound: str = "") -> Self:
        """Return the procedure that decides all radii of the table at once; 0 needs none.

        Arguments and errors as for the class.
        """
        if noise.measure.whole:
            radii = default_radii(
                cls(noise, n0, n, alpha, (1.0,), bound).largest_radius, whole=True
            )
        else:  # the ceiling of an adaptive run is a little lower than that of a fixed one
            radii = default_radii(0.97 * Fixed(noise, n0, n, alpha).largest_radius)
        return cls(noise, n0, n, alpha, radii[1:], bound)

    @cached_property
    def rule(self) -> AdaptiveRule:
        """The rule on probabilities: the targets are the p that give the target radii."""
        targets = tuple(self.noise.probability_for(r) for r in self.target_radii)
        return self._rule(targets)

    def _rule(self, targets: tuple[float, ...]) -> AdaptiveRule:
        if self.bound == SPENDING:
            return SpendingRule(targets, self.n, self.alpha, batch=LOOK)
        return AdaptiveRule(targets, self.n, self.alpha, PROCESS_SHARE)

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """After how many estimation samples the counts are looked at."""
        return align_looks(self.rule.looks, LOOK)

    def steps(self, task: Task) -> Steps[Certificate]:
        """Select until a lead settles the class, then look at the counts until all is decided."""
        del task  # no randomised bound
        selection = yield from select(self.n0)
        decision = self.rule.start()
        evidence = Evidence(selection, _NOTHING)
        for look in self.looks:
            (more,) = yield (Ask("estimation", evidence.estimation.total, look),)
            evidence = Evidence(selection, evidence.estimation + more)
            if decision.update(evidence.hits, look) is not Verdict.CONTINUE:
                break
        return self.derive(Evidence(selection, evidence.estimation, claim=decision.claim))

    def derive(self, evidence: Evidence) -> Certificate:
        """Take the bound at the look that is claimed; (0, 0) claims none."""
        check_claim(evidence, self.n)
        p_a_lower = self._lower(evidence)
        radius = self.noise.radius(p_a_lower)
        whole = self.noise.measure.whole
        certified = radius > 0.0 or (whole and p_a_lower > 0.5)
        return certificate_or_reason(self, evidence, p_a_lower, radius, certified=certified)

    def _lower(self, evidence: Evidence) -> float:
        hits, samples = evidence.claim or (0, 0)
        return self.rule.lower(hits, samples, evidence.near) if samples else 0.0

    def check(self, evidence: Evidence, uniform: float | None) -> Iterator[str]:
        """Yield where the sampling cannot have stopped, as well."""
        yield from super().check(evidence, uniform)
        yield from selection_faults(evidence.selection, self.n0)
        if evidence.claim is not None and evidence.estimation.total:
            hits, drawn = evidence.hits, evidence.estimation.total
            bound = self._lower(evidence)
            fault = stop_fault(self.rule, self.looks, hits, drawn, evidence.claim, bound)
            if fault is not None:
                yield fault

    def prove(self, figures: Figures) -> Proof:
        """No integer arithmetic covers what was looked at more than once."""
        del figures
        return Proof()

    def again(self, task: Task, evidence: Evidence) -> Steps[Certificate]:
        """Ask for the same samples; the bound is claimed at the same look, at its hits of now."""
        del task
        claimed = evidence.estimation.total if evidence.claim is None else evidence.claim[1]
        selection, at_claim, behind = yield from self._ranges(
            (0, evidence.selection.total), (0, claimed), (claimed, evidence.estimation.total)
        )
        hits = Evidence(selection, at_claim).hits
        return self.derive(Evidence(selection, at_claim + behind, claim=(hits, claimed)))

    def expected_samples(self, p: float) -> float:
        """Return how many estimation samples are drawn on average of a class of probability p."""
        return operating_point(self.rule, p, self.looks).samples

    @property
    def largest_radius(self) -> float:
        """The most that a run to the ceiling can give."""
        return self.noise.radius(self.rule.lower(self.n, self.n))

    @property
    def words(self) -> str:
        """How many samples of an input are drawn, and what they decide."""
        targets = ", ".join(f"{r:g}" for r in self.target_radii)
        return (
            f"as many as decide the radii {targets}, at most n0 = {self.n0:,} and n = {self.n:,} "
            f"an input, alpha = {self.alpha:g}"
        )

    def as_begun(self, begun: Procedure) -> Procedure:
        """Return the same procedure by the rules of an earlier version, which began a run."""
        return replace(self, bound=begun.bound) if isinstance(begun, Adaptive) else self

    @classmethod
    def recorded(cls, fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Self:
        """Return the procedure that :meth:`to_json` recorded."""
        del shape
        targets = tuple(fields["target_radii"] or ())
        n0, n, alpha = (fields[name] for name in ("n0", "n", "alpha"))
        return cls(noise, n0, n, alpha, targets, fields["bound"])


def select(n0: int) -> Steps[Counts]:
    """Ask for selection samples until a lead settles the class, at most ``n0`` of them."""
    selection = _NOTHING
    while not selection.total or not _is_settled(selection, n0):
        stop = min(n0, selection.total + _SELECTION_LOOK)
        (more,) = yield (Ask("selection", selection.total, stop),)
        selection += more
    return selection


def selection_faults(selection: Counts, n0: int) -> Iterator[str]:
    """Yield where :func:`select` cannot have ended."""
    votes = selection.total
    if not 0 < votes <= n0 or (votes % _SELECTION_LOOK and votes < n0):
        yield f"it has {votes:,} selection samples, where it never looks"
    elif not _is_settled(selection, n0):
        yield f"its {votes:,} selection samples settle no class"


def _is_settled(selection: Counts, n0: int) -> bool:
    return selection_settled([*selection.seen.values()], selection.no_class, ceiling=n0)


def check_claim(evidence: Evidence, n: int) -> tuple[int, int]:
    """Return the hits and samples that a bound is claimed from, which are part of the counts.

    Raises:
        UsageError: they are not, there are none, or more than ``n`` samples.
    """
    drawn, most = evidence.estimation.total, evidence.hits
    if drawn > n:
        raise UsageError(f"it has {drawn:,} estimation samples, more than n = {n:,}")
    if evidence.claim is None:
        raise UsageError("it has no claim, which every input of an adaptive run has")
    hits, samples = evidence.claim
    if not (0 <= hits <= most and 0 <= samples - hits <= drawn - most):
        raise UsageError(
            f"the claim of {hits} hits in {samples} samples is not part of the counts "
            f"{evidence.estimation.to_json()}"
        )
    return hits, samples
