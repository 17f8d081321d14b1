"""CERTIFY of Cohen, Rosenfeld and Kolter (arXiv 1902.02918), with fixed n0 and n."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any, Self

from numpy.typing import ArrayLike

from rsonnx.arguments import check_choice
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian, Law, check_law
from rsonnx.procedures.abstain import certificate_or_reason
from rsonnx.procedures.choices import RADIUS_RULES
from rsonnx.procedures.evidence import Evidence, Figures, Proof
from rsonnx.procedures.procedure import Ask, Procedure, Steps, Task, check_classes
from rsonnx.procedures.result import ABSTAIN, Certificate
from rsonnx.procedures.two_sided import (
    TwoSidedBounds,
    rival_shares,
    two_sided_bounds,
)
from rsonnx.statistics import (
    BOUNDS,
    DEFAULT_BOUND,
    LAST_DIGITS,
    as_recorded,
    certifying_bound,
    check_alpha,
    check_samples,
    lower_as_recorded,
    proves_lower_bound,
    proves_upper_bound,
)


@dataclass(frozen=True)
class Fixed(Procedure):
    """How counts of fixed n0 and n become a certificate.

    Attributes:
        noise: the smoothing distribution.
        n0: selection samples, >= 1.
        n: estimation samples, >= 1.
        alpha: probability of error, in (0, 1).
        bound: name of a sound bound on a probability, see ``rsonnx bounds``.
        radius_rule: ``"one-sided"``: from p_A alone; ``"two-sided"``: from p_A and every other
            class.
        num_classes: K, where it is known; the two-sided rule shares alpha among K - 1 rivals.

    Raises:
        UsageError: an argument is outside its range, or the bound may not certify.
    """

    noise: Law
    n0: int
    n: int
    alpha: float
    bound: str = DEFAULT_BOUND
    radius_rule: str = "one-sided"
    num_classes: int | None = None
    target_radii: tuple[float, ...] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._settle(
            n0=check_samples("n0", self.n0),
            n=check_samples("n", self.n),
            alpha=check_alpha(self.alpha),
            num_classes=check_classes(self.num_classes),
        )
        certifying_bound(self.bound)
        check_choice("the radius rule", self.radius_rule, RADIUS_RULES)
        if self.two_sided and not self.noise.two_sided:
            raise UsageError(
                f"no theorem gives {self.noise.name} noise a two-sided radius; use the one-sided "
                "radius"
            )
        if self.two_sided and self.bound != DEFAULT_BOUND:
            raise UsageError(
                f"the two-sided radius rests on the {DEFAULT_BOUND} bound; {self.bound} can be had "
                "with the one-sided radius only"
            )

    @property
    def two_sided(self) -> bool:
        """Whether the radius follows from p_A and every other class."""
        return self.radius_rule == "two-sided"

    @property
    def needs_uniform(self) -> bool:
        """Whether the bound is randomised."""
        return certifying_bound(self.bound).needs_uniform

    def steps(self, task: Task) -> Steps[Certificate]:
        """Ask for both stages at once: with fixed n neither depends on the other's counts."""
        if self.two_sided and self.num_classes is None:
            raise UsageError(  # counts that tell K would set the shares of their own bounds
                "the two-sided radius shares alpha among the classes, but the procedure does not "
                "say how many there are; give num_classes"
            )
        selection, estimation = yield (
            Ask("selection", 0, self.n0),
            Ask("estimation", 0, self.n),
        )
        uniform = task.uniform if self.needs_uniform else None
        return self.derive(Evidence(selection, estimation, uniform))

    def derive(self, evidence: Evidence) -> Certificate:
        """Bound p_A from below, or p_A and every rival, and take the law's radius."""
        self._check_totals(evidence)
        top, p_a_lower, p_b_upper, one_sided, radius = evidence.chosen, 0.0, None, None, 0.0
        if self.two_sided:
            bounds = two_sided_bounds(
                evidence.selection,
                evidence.estimation,
                noise=self.noise,
                alpha=self.alpha,
                num_classes=self.num_classes,
            )
            bounds = self._as_recorded(bounds, evidence)
            p_a_lower, p_b_upper, radius = bounds.p_a_lower, bounds.p_b_upper, bounds.radius
            alone = replace(evidence, near=None, near_b=None)  # which are of other bounds
            one_sided = replace(self, radius_rule="one-sided").derive(alone).radius
        elif top != ABSTAIN:
            p_a_lower = self._lower(evidence.hits, evidence.uniform)
            p_a_lower = as_recorded(
                p_a_lower, evidence.near, self._proves(evidence.hits, p_a_lower)
            )
            radius = self.noise.radius(p_a_lower)
        above = p_a_lower > (0.5 if p_b_upper is None else p_b_upper)
        certificate = certificate_or_reason(
            self,
            evidence,
            p_a_lower,
            radius,
            certified=radius > 0.0 or (self.noise.measure.whole and above),
        )
        return replace(certificate, p_b_upper=p_b_upper, one_sided_radius=one_sided)

    def _lower(self, hits: int, uniform: float | None) -> float:
        return certifying_bound(self.bound).lower(hits, self.n, self.alpha, uniform)

    def _proves(self, hits: int, bound: float) -> Callable[[float], bool]:
        """Return what proves a recorded bound: integers, or the margin of a randomised one."""
        if self.needs_uniform:
            return partial(math.isclose, bound, rel_tol=LAST_DIGITS)
        return lambda p: proves_lower_bound(p, hits, self.n, self.alpha)

    def _as_recorded(self, bounds: TwoSidedBounds, evidence: Evidence) -> TwoSidedBounds:
        """Return the bounds that a row has, where they are these but for their last digits."""
        top, stages = bounds.top_class, evidence.stages
        p_a_lower = lower_as_recorded(
            bounds.p_a_lower, evidence.near, evidence.hits, self.n, self.alpha / 2
        )
        p_b_upper = as_recorded(
            bounds.p_b_upper,
            evidence.near_b,
            lambda p: self._proves_rivals(stages, top, p_a_lower, p),
        )
        if (p_a_lower, p_b_upper) == (bounds.p_a_lower, bounds.p_b_upper):
            return bounds
        certain = p_a_lower > p_b_upper
        radius = self.noise.radius_between(p_a_lower, p_b_upper) if certain else 0.0
        return replace(bounds, p_a_lower=p_a_lower, p_b_upper=p_b_upper, radius=radius)

    def same_radii(self, figures: Figures, derived: Certificate) -> bool:
        """Compare both radii; what is recorded of the one-sided one is no bound, so ours is taken.

        Above one half, where alone it gives a radius, a bound is good to far less than its margin.
        """
        recorded, beside = figures.one_sided_radius, derived.one_sided_radius
        if recorded is None or beside is None:
            return super().same_radii(figures, derived)
        if figures.top_class == ABSTAIN:
            return False  # both are 0
        noise, p_a, p_b = self.noise, figures.p_a_lower, figures.p_b_upper
        one_sided = self._lower(figures.counts.estimation[figures.top_class], None)
        least = min(one_sided * (1 + LAST_DIGITS), 1.0)
        return noise.same_radius(
            figures.radius, derived.radius, lambda radius: noise.proves(radius, p_a, p_b)
        ) and noise.same_radius(recorded, beside, lambda radius: noise.proves(radius, least, None))

    def _check_totals(self, evidence: Evidence) -> None:
        evidence.check_stages()
        for stage, counts, name, expected in (
            ("selection", evidence.selection, "n0", self.n0),
            ("estimation", evidence.estimation, "n", self.n),
        ):
            if counts.total != expected:
                raise UsageError(
                    f"it has {counts.total:,} {stage} samples, but {name} = {expected:,}"
                )

    def prove(self, figures: Figures) -> Proof:
        """Prove the bounds, and the radius where the law has a proof of it."""
        if self.needs_uniform:
            return Proof()
        counts, top = figures.counts, figures.top_class
        n, hits = counts.estimation.total, counts.estimation[top] if top != ABSTAIN else 0
        alpha = self.alpha / 2 if self.two_sided else self.alpha
        faults = []
        if not proves_lower_bound(figures.p_a_lower, hits, n, alpha):
            faults.append(f"p_a_lower = {figures.p_a_lower!r} is not proved for {hits} hits")
        stages = (counts.selection, counts.estimation)
        rest = 1.0 if figures.p_b_upper is None else figures.p_b_upper
        if self.two_sided and not self._proves_rivals(stages, top, figures.p_a_lower, rest):
            faults.append(f"p_b_upper = {figures.p_b_upper!r} is not proved")
        p_b_upper = (figures.p_b_upper or 1.0) if self.two_sided else None
        proved = self.noise.proves(figures.radius, figures.p_a_lower, p_b_upper)
        if proved is False:
            faults.append(f"radius = {figures.radius!r} is not proved")
        return Proof(not faults, proved is True and not faults, tuple(faults))

    def _proves_rivals(
        self, stages: tuple[Counts, Counts], top: int, p_a_lower: float, p_b_upper: float
    ) -> bool:
        """Prove the bound on every rival: by what is left of 1, or by the rivals' own counts."""
        if top == ABSTAIN:
            return p_b_upper >= 1.0
        if Fraction(p_b_upper) >= 1 - Fraction(p_a_lower):
            return True
        selection, estimation = stages
        classes = self.num_classes or max(len(selection), len(estimation))
        shares = rival_shares(selection, estimation, top, classes, self.alpha)
        n = estimation.total
        return all(proves_upper_bound(p_b_upper, hits, n, share) for hits, share in shares)

    @property
    def largest_radius(self) -> float:
        """The radius if all n estimation samples agree: the most that (n, alpha) can give.

        A randomised bound gives more with a chance of ``alpha``.
        """
        if self.two_sided:
            return two_sided_bounds(
                [1, 0],
                [self.n, 0],
                noise=self.noise,
                alpha=self.alpha,
                num_classes=self.num_classes,
            ).radius
        return self.noise.radius(self._lower(self.n, self.alpha))

    def restated(self, alpha: float, bound: str, radius: str) -> Fixed:
        """Return the procedure that derives certificates from the same counts at other settings."""
        if bound != self.bound and certifying_bound(bound).needs_uniform:
            raise UsageError(
                f"{bound} needs a uniform number drawn before the samples, which the bound "
                f"{self.bound} does not record; certify again with --bound {bound}"
            )
        if radius == "two-sided" != self.radius_rule and self.num_classes is None:
            raise UsageError(
                "it does not say how many classes its model has, among which the two-sided radius "
                "shares alpha; use the one-sided radius"
            )
        return replace(self, alpha=alpha, bound=bound, radius_rule=radius)

    def of_classes(self, num_classes: int | None) -> Fixed:
        """Return the same procedure for a model of so many classes."""
        return replace(self, num_classes=num_classes)

    @property
    def words(self) -> str:
        """How many samples of an input are drawn, and by which rules a radius follows."""
        return (
            f"n0 = {self.n0:,}, n = {self.n:,} an input, alpha = {self.alpha:g}, {self.bound}, "
            f"{self.radius_rule}"
        )

    @classmethod
    def recorded(cls, fields: Mapping[str, Any], noise: Law, shape: tuple[int, ...]) -> Self:
        """Return the procedure that :meth:`to_json` recorded."""
        del shape
        if fields["target_radii"] is not None or fields["bound"] not in BOUNDS:
            raise UsageError(f"the bound {fields['bound']!r:.60} is none of a fixed n")
        names = ("n0", "n", "alpha", "bound", "radius_rule", "num_classes")
        return cls(noise, **{name: fields[name] for name in names})


def certify_from_counts(
    selection: Counts | ArrayLike,
    estimation: Counts | ArrayLike,
    *,
    sigma: float | None = None,
    noise: Law | None = None,
    alpha: float = 0.001,
    bound: str = DEFAULT_BOUND,
    radius: str = "one-sided",
    num_classes: int | None = None,
    uniform: float | None = None,
) -> Certificate:
    """Derive a certificate from counts; no model is needed.

    Args:
        selection: counts per class of the n0 samples that choose the class, shape (classes,).
        estimation: counts per class of the n further samples that bound its probability.
            The two must come from independent noise: never pass the same counts twice.
        sigma: standard deviation of Gaussian noise, > 0, in the units in which the radius is
            wanted.
        noise: any other smoothing distribution, in place of ``sigma``.
        alpha: probability of error, in (0, 1).
        bound: name of a sound bound on a probability; ``rsonnx bounds`` lists them.
        radius: ``"one-sided"`` or ``"two-sided"``.
        num_classes: K, for the two-sided radius, if the counts may not list every class.
        uniform: for the randomised bound, a number in (0, 1] drawn before the samples.

    Raises:
        UsageError: an argument is outside its range, or there are no samples.

    >>> rsonnx.certify_from_counts([99, 1], [99_000, 1_000], sigma=0.5)
    Certificate(label=0, radius=1.1449 in l2, gaussian noise, n=100,000, alpha=0.001)
    >>> rsonnx.certify_from_counts([99, 1], [55, 45], sigma=0.5).abstained
    True
    """
    evidence = Evidence(Counts.of(selection), Counts.of(estimation), uniform)
    evidence.check_stages()
    if (sigma is None) == (noise is None):
        raise UsageError("a certificate needs the noise of its counts; give either sigma or noise")
    law = Gaussian(sigma) if noise is None else check_law(noise)  # type: ignore[arg-type]
    n0, n = evidence.selection.total, evidence.estimation.total
    return Fixed(law, n0, n, alpha, bound, radius, num_classes).derive(evidence)
