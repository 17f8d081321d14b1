"""CERTIFY of Cohen, Rosenfeld and Kolter (arXiv 1902.02918), from counts alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import ArrayLike

from rsonnx.certificate.result import ABSTAIN, AbstainReason, Certificate, CertificateCounts
from rsonnx.certificate.two_sided import two_sided_bounds
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian, SampledNoise, SmoothingDistribution, norm_named
from rsonnx.statistics import (
    DEFAULT_BOUND,
    certifying_bound,
    check_alpha,
    check_samples,
    fewest_samples_to_exceed_half,
    samples_to_exceed_half,
)

RADIUS_RULES = ("one-sided", "two-sided")


def certify_from_counts(
    selection: Counts | ArrayLike,
    estimation: Counts | ArrayLike,
    *,
    sigma: float | None = None,
    noise: SampledNoise | None = None,
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
        radius: ``"one-sided"`` or ``"two-sided"``, see :class:`FixedSamples`.
        num_classes: K, for the two-sided radius, if the counts may not list every class.
        uniform: for the randomised bound, a number in (0, 1] drawn before the samples.

    Raises:
        UsageError: an argument is outside its range, or there are no samples.
    """
    selection, estimation = Counts.of(selection), Counts.of(estimation)
    _check_stages(selection, estimation)
    if (sigma is None) == (noise is None):
        raise UsageError("a certificate needs the noise of its counts; give either sigma or noise")
    law = Gaussian(sigma) if noise is None else noise  # type: ignore[arg-type]
    rule = FixedSamples(law, estimation.total, alpha, bound, radius, num_classes)
    return rule.certify(selection, estimation, uniform)


@dataclass(frozen=True)
class FixedSamples:
    """How counts of fixed n0 and n become a certificate; settled before the first sample.

    Attributes:
        noise: the smoothing distribution.
        n: estimation samples, >= 1.
        alpha: probability of error, in (0, 1).
        bound: name of a sound bound on a probability, see ``rsonnx bounds``.
        radius: ``"one-sided"``: from p_A alone; ``"two-sided"``: from p_A and every other class.
        num_classes: K, where it is known; the two-sided rule shares alpha among K - 1 rivals.

    Raises:
        UsageError: an argument is outside its range, or the bound may not certify.
    """

    noise: SampledNoise
    n: int
    alpha: float
    bound: str = DEFAULT_BOUND
    radius: str = "one-sided"
    num_classes: int | None = None

    def __post_init__(self) -> None:
        check_samples("n", self.n)
        check_alpha(self.alpha)
        certifying_bound(self.bound)
        if self.radius not in RADIUS_RULES:
            raise UsageError(
                f"the radius rule is {self.radius!r}, but {' or '.join(RADIUS_RULES)} was expected"
            )
        if self.radius == "two-sided" and not self.noise.two_sided:
            raise UsageError(
                f"no theorem gives {self.noise.name} noise a two-sided radius; use the one-sided "
                "radius"
            )
        if self.radius == "two-sided" and self.bound != DEFAULT_BOUND:
            raise UsageError(
                f"the two-sided radius rests on the {DEFAULT_BOUND} bound; {self.bound} can be had "
                "with the one-sided radius only"
            )

    @property
    def needs_uniform(self) -> bool:
        """Whether :meth:`certify` needs a number drawn before the samples."""
        return certifying_bound(self.bound).needs_uniform

    @property
    def largest_radius(self) -> float:
        """The radius if all n estimation samples agree: the most that (n, alpha) can give.

        A randomised bound gives more with a chance of ``alpha``.
        """
        if self.radius == "two-sided":
            return two_sided_bounds(
                [1, 0],
                [self.n, 0],
                noise=self.noise,
                alpha=self.alpha,
                num_classes=self.num_classes,
            ).radius
        bound = certifying_bound(self.bound)
        return self.noise.radius(bound.lower(self.n, self.n, self.alpha, self.alpha))

    def to_json(self) -> dict[str, Any]:
        """Return what a run's header records: with it a row's certificate can be derived again."""
        return {
            "n": self.n,
            "alpha": self.alpha,
            "bound": self.bound,
            "radius_rule": self.radius,
            "num_classes": self.num_classes,
            "target_radii": None,
        }

    def certify(
        self, selection: Counts, estimation: Counts, uniform: float | None = None
    ) -> Certificate:
        """Derive the certificate from the counts of the two stages."""
        _check_stages(selection, estimation)
        top = selection.top()[0] if selection.classes.any() else ABSTAIN
        p_a_lower, p_b_upper, one_sided = 0.0, None, None
        if self.radius == "two-sided":
            bounds = two_sided_bounds(
                selection,
                estimation,
                noise=self.noise,
                alpha=self.alpha,
                num_classes=self.num_classes,
            )
            p_a_lower, p_b_upper, radius = bounds.p_a_lower, bounds.p_b_upper, bounds.radius
            one_sided = replace(self, radius="one-sided").certify(selection, estimation).radius
        elif top != ABSTAIN:
            bound = certifying_bound(self.bound)
            p_a_lower = bound.lower(estimation[top], estimation.total, self.alpha, uniform)
            radius = self.noise.radius(p_a_lower)
        else:
            radius = 0.0
        above = p_a_lower > (0.5 if p_b_upper is None else p_b_upper)
        certificate = make_certificate(
            selection,
            estimation,
            top,
            p_a_lower,
            radius,
            certified=radius > 0.0 or (norm_named(self.noise.norm).whole and above),
            noise=self.noise,
            alpha=self.alpha,
        )
        return replace(
            certificate,
            bound=self.bound,
            radius_rule=self.radius,
            p_b_upper=p_b_upper,
            one_sided_radius=one_sided,
            uniform=uniform if self.needs_uniform else None,
        )


def make_certificate(
    selection: Counts,
    estimation: Counts,
    top: int,
    p_a_lower: float,
    radius: float,
    *,
    certified: bool,
    noise: SmoothingDistribution,
    alpha: float,
) -> Certificate:
    """Return a certificate of ``radius`` for class ``top``, or an abstention.

    In a norm of whole numbers a certificate may have the radius 0: of the point itself.
    """
    reason = None if certified else _reason(top, estimation)
    return Certificate(
        label=top if certified else ABSTAIN,
        radius=radius,
        p_a_lower=p_a_lower,
        top_class=top,
        counts=CertificateCounts(selection, estimation),
        reason=reason,
        explanation=None if reason is None else _explain(reason, top, selection, estimation, alpha),
        noise=noise.name,
        sigma=noise.deviation,
        alpha=alpha,
        norm=noise.norm,
        bound=DEFAULT_BOUND,
    )


def _check_stages(selection: Counts, estimation: Counts) -> None:
    if selection.total < 1 or estimation.total < 1:
        raise UsageError(
            f"there are {selection.total} selection and {estimation.total} estimation samples, "
            "but each stage needs at least 1"
        )


def _reason(top: int, estimation: Counts) -> AbstainReason:
    favourite = estimation.top()[0] if len(estimation) else ABSTAIN
    if ABSTAIN in (top, favourite) or estimation.no_class > estimation[favourite]:
        return AbstainReason.NO_CLASS
    if 2 * estimation[favourite] <= estimation.total:
        return AbstainReason.LOW_PROBABILITY
    return AbstainReason.LOOSE_BOUND if favourite == top else AbstainReason.WRONG_GUESS


def _explain(
    reason: AbstainReason, top: int, selection: Counts, estimation: Counts, alpha: float
) -> str:
    n = estimation.total
    if top == ABSTAIN:
        return (
            f"all {selection.total:,} answers to the selection samples were no class (NaN, or an "
            "infinite largest score); look for an overflow in the model at this sigma"
        )
    favourite = estimation.top()[0] if len(estimation) else ABSTAIN
    share = estimation[favourite] / n if favourite != ABSTAIN else 0.0
    if reason is AbstainReason.WRONG_GUESS:
        return (
            f"the {selection.total} selection samples chose class {top}, but class {favourite} has "
            f"{100 * share:.4g} % of the estimation samples; use a larger n0"
        )
    if reason is AbstainReason.LOOSE_BOUND:
        needed = samples_to_exceed_half(share, alpha)
        enough = "no practical n" if needed is None else f"about n = {needed:,}"
        least = fewest_samples_to_exceed_half(alpha)
        few = f" (below n = {least} nothing can be certified)" if n < least else ""
        return (
            f"class {top} has {estimation[top]:,} of {n:,} samples, too few to be sure of more "
            f"than half at alpha = {alpha:g}; {enough} would do{few}"
        )
    if reason is AbstainReason.NO_CLASS:
        return (
            f"{estimation.no_class:,} of {n:,} answers were no class (NaN, or an infinite largest "
            "score), which is never certified; look for an overflow in the model at this sigma"
        )
    return (
        f"no class has more than half of the samples (the most is {100 * share:.4g} %); train the "
        "model with noise of this sigma, or use a smaller sigma"
    )
