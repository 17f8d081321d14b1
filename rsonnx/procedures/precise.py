"""Certify whole curves with few samples: each input draws until little of its radius is left.

The statistics are those of :class:`rsonnx.statistics.PrecisionRule`, where it is proved that the
bound of a fixed n holds at full alpha wherever the rule stops. Which share of a radius is lost is
an estimate: of what the same share of hits would give at n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Law
from rsonnx.procedures.abstain import certificate_or_reason
from rsonnx.procedures.adaptive import check_claim, select, selection_faults
from rsonnx.procedures.evidence import Evidence, Figures, Proof
from rsonnx.procedures.fixed import Fixed
from rsonnx.procedures.procedure import LOOK, Ask, Procedure, Steps, Task
from rsonnx.procedures.result import Certificate
from rsonnx.statistics import (
    PrecisionRule,
    check_alpha,
    check_samples,
    check_share,
    ends,
    lower_as_recorded,
)


@dataclass(frozen=True)
class Precise(Procedure):
    """Certify with as few samples as lose about a share of each radius.

    Attributes:
        noise: the smoothing distribution.
        n0: the most selection samples, >= 1.
        n: the estimation samples whose radius is aimed at, and the most that are drawn, >= 1.
        alpha: probability of error, in (0, 1).
        precision: the share of the radius of n samples that may be left to gain, in (0, 1); where
            that radius is below sigma, this share of sigma.

    Raises:
        UsageError: an argument is outside its range, or the radii are whole numbers.
    """

    noise: Law
    n0: int
    n: int
    alpha: float
    precision: float

    bound: str = field(init=False, default="stopped-clopper-pearson")
    radius_rule: str = field(init=False, default="one-sided")
    num_classes: int | None = field(init=False, default=None)
    target_radii: tuple[float, ...] | None = field(init=False, default=None)

    fixed_n: ClassVar[bool] = False
    only_these: ClassVar[str] = (
        "stopped sampling once its radii were precise; certify again with a fixed n"
    )

    def __post_init__(self) -> None:
        self._settle(
            n0=check_samples("n0", self.n0),
            n=check_samples("n", self.n),
            alpha=check_alpha(self.alpha),
            precision=check_share("precision", self.precision),
        )
        if self.noise.measure.whole:
            raise UsageError(
                f"{self.noise.name} noise gives radii that are whole numbers, of which no small "
                "share can be lost; leave out the precision, or decide the radii (adaptive)"
            )

    @cached_property
    def rule(self) -> PrecisionRule:
        """When sampling stops."""
        return PrecisionRule(self.precision, self.n, self.alpha, self.noise.radius, LOOK)

    def steps(self, task: Task) -> Steps[Certificate]:
        """Select until a lead settles the class, then look at the counts until few hits end it."""
        del task  # no randomised bound
        evidence = Evidence((yield from select(self.n0)), Counts([]))
        for look in self.rule.looks:
            (more,) = yield (Ask("estimation", evidence.estimation.total, look),)
            evidence = Evidence(evidence.selection, evidence.estimation + more)
            if evidence.hits <= self.rule.most_hits(look):
                break
        return self.derive(_claiming(evidence, evidence.hits, evidence.estimation.total))

    def derive(self, evidence: Evidence) -> Certificate:
        """Take the bound of the look at which sampling stopped, which is what is claimed."""
        hits, samples = check_claim(evidence, self.n)
        p_a_lower = self.rule.bound(hits, samples) if samples else 0.0
        p_a_lower = lower_as_recorded(p_a_lower, evidence.near, hits, samples, self.alpha)
        radius = self.noise.radius(p_a_lower)
        return certificate_or_reason(self, evidence, p_a_lower, radius, certified=radius > 0.0)

    def check(self, evidence: Evidence, uniform: float | None) -> Iterator[str]:
        """Yield where the sampling cannot have stopped, as well."""
        yield from super().check(evidence, uniform)
        yield from selection_faults(evidence.selection, self.n0)
        hits, drawn = evidence.hits, evidence.estimation.total
        if evidence.claim != (hits, drawn):
            yield f"it claims its bound from {evidence.claim}, but drew {hits:,} hits of {drawn:,}"
        if not drawn:
            yield "it has no estimation samples"
        elif (fault := self.rule.stop_fault(hits, drawn)) is not None:
            yield fault

    def prove(self, figures: Figures) -> Proof:
        """Prove the bound and the radius of all samples, as of so many that were fixed."""
        return Fixed(self.noise, self.n0, self.n, self.alpha).prove(figures)

    def again(self, task: Task, evidence: Evidence) -> Steps[Certificate]:
        """Ask for the same samples; claimed is the look at which these hits stop."""
        del task
        drawn = evidence.estimation.total
        ends = [*(look for look in self.rule.looks if look < drawn), drawn]
        parts = zip([0, *ends], ends, strict=False)
        selection, *estimation = yield from self._ranges((0, evidence.selection.total), *parts)
        seen, claim = Evidence(selection, Counts([])), None
        for end, counts in zip(ends, estimation, strict=True):
            seen = Evidence(selection, seen.estimation + counts)
            if claim is None and (end == drawn or seen.hits <= self.rule.most_hits(end)):
                claim = seen.hits, end
        return self.derive(_claiming(seen, *(claim or (0, 0))))

    def left(self, evidence: Evidence) -> float:
        """Return by how much the radius is expected to grow with all n samples, an estimate."""
        hits, samples = evidence.claim or (0, 0)
        if not samples:
            return 0.0
        return max(0.0, self.rule.expected(hits, samples) - self.rule.radius_at(hits, samples))

    def expected_samples(self, p: float) -> float:
        """Return how many estimation samples are drawn on average of a class of probability p."""
        return sum(n * float(chances.sum()) for n, _, chances in ends(self.rule, p))

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many estimation samples the counts are looked at."""
        return self.rule.looks

    @property
    def largest_radius(self) -> float:
        """The radius if all samples agree up to the last look."""
        last = self.rule.looks[-1]
        return self.rule.radius_at(last, last)

    @property
    def words(self) -> str:
        """How many samples of an input are drawn, and what for."""
        return (
            f"as many as lose about {100 * self.precision:g} % of its radius, at most n0 = "
            f"{self.n0:,} and n = {self.n:,} an input, alpha = {self.alpha:g}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records."""
        return super().to_json() | {"precision": self.precision}

    @classmethod
    def recorded(cls, fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Self:
        """Return the procedure that :meth:`to_json` recorded."""
        del shape
        return cls(noise, *(fields[name] for name in ("n0", "n", "alpha", "precision")))


def _claiming(evidence: Evidence, hits: int, samples: int) -> Evidence:
    return Evidence(evidence.selection, evidence.estimation, claim=(hits, samples))
