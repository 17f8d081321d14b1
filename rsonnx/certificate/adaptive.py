"""Adaptive certification at target radii: sample until they are decided.

The statistics are those of :class:`rsonnx.statistics.AdaptiveRule`: an e-process that may be looked
at after every batch, and one fixed bound at the ceiling (arXiv 1810.08240, 2010.09686). Selection
stops at a lead of votes; its samples are apart from the others, so that costs no validity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

from rsonnx.certificate.certify import make_certificate
from rsonnx.certificate.result import ABSTAIN, Certificate
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import SampledNoise, norm_named
from rsonnx.statistics import AdaptiveRule

ADAPTIVE_BOUND = "e-process"

PROCESS_SHARE = 0.3
"""Of alpha for the e-process. On the radii of published logs (tools/bench.py) 0.3 draws 2
to 3 % fewer samples than 0.2 and decides at most 0.045 percentage points of inputs otherwise."""


@dataclass(frozen=True)
class AdaptiveSamples:
    """How an adaptive run becomes a certificate; settled before the first sample.

    Attributes:
        noise: the smoothing distribution.
        n: the most estimation samples, >= 1.
        alpha: probability of error of all that is claimed of one input, in (0, 1).
        target_radii: the radii to decide, rising, each > 0; all hold at once.

    Raises:
        UsageError: an argument is outside its range, or a target is beyond what n and alpha reach.
    """

    noise: SampledNoise
    n: int
    alpha: float
    target_radii: tuple[float, ...]

    def __post_init__(self) -> None:
        radii = self.target_radii
        if not radii or not all(0 < r < float("inf") for r in radii):
            raise UsageError(
                f"the target radii are {list(radii)}, but at least one number above 0 was expected"
            )
        if any(b <= a for a, b in pairwise(radii)):
            raise UsageError(f"the target radii are {list(radii)}, but they must rise")
        least = AdaptiveRule((0.5,), self.n, self.alpha, PROCESS_SHARE)
        reachable = self.noise.radius(least.lower(self.n, self.n))
        if radii[-1] > reachable:
            raise UsageError(
                f"the target radius {radii[-1]:g} cannot be reached: n = {self.n:,} samples at "
                f"alpha = {self.alpha:g} and {self.noise.label} give at most "
                f"{_down(reachable)}; use a larger n, wider noise or a smaller target"
            )

    @cached_property
    def rule(self) -> AdaptiveRule:
        """The rule on probabilities: the targets are the p that give the target radii."""
        targets = tuple(self.noise.probability_for(r) for r in self.target_radii)
        return AdaptiveRule(targets, self.n, self.alpha, PROCESS_SHARE)

    @property
    def largest_radius(self) -> float:
        """The most that a run to the ceiling can give."""
        return self.noise.radius(self.rule.lower(self.n, self.n))

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records: with it a row's certificate can be derived again."""
        return {
            "n": self.n,
            "alpha": self.alpha,
            "bound": ADAPTIVE_BOUND,
            "radius_rule": "one-sided",
            "num_classes": None,
            "target_radii": list(self.target_radii),
        }

    def certify(self, selection: Counts, estimation: Counts, claim: tuple[int, int]) -> Certificate:
        """Derive the certificate.

        Args:
            selection: counts of the selection samples.
            estimation: counts of all estimation samples up to the stop.
            claim: (hits, samples) of the look that the bound is claimed from; (0, 0) for none.

        Raises:
            UsageError: the claim contradicts the counts.
        """
        top = selection.top()[0] if selection.classes.any() else ABSTAIN
        hits, samples = claim
        most = estimation[top] if top != ABSTAIN else 0
        if not (0 <= hits <= most and 0 <= samples - hits <= estimation.total - most):
            raise UsageError(
                f"the claim of {hits} hits in {samples} samples is not part of the counts "
                f"{estimation.to_json()}"
            )
        p_a_lower = self.rule.lower(hits, samples) if samples else 0.0
        radius = self.noise.radius(p_a_lower)
        whole = norm_named(self.noise.norm).whole
        certificate = make_certificate(
            selection,
            estimation,
            top,
            p_a_lower,
            radius,
            certified=radius > 0.0 or (whole and p_a_lower > 0.5),
            noise=self.noise,
            alpha=self.alpha,
        )
        return replace(certificate, bound=ADAPTIVE_BOUND, claim=claim)


def _down(radius: float) -> Decimal:
    """Return a radius for print: four decimals, never above it."""
    return Decimal(radius).quantize(Decimal("0.0001"), rounding=ROUND_FLOOR)


def target_radii(radii: Sequence[float]) -> tuple[float, ...]:
    """Return radii as the targets of an adaptive run: 0 is no target, since any radius is above."""
    return tuple(float(r) for r in radii if r != 0)
