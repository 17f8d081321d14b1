"""CERTIFY of Cohen, Rosenfeld and Kolter (arXiv 1902.02918), from counts alone."""

from __future__ import annotations

from numpy.typing import ArrayLike

from rsonnx.certificate.result import ABSTAIN, AbstainReason, Certificate, CertificateCounts
from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Gaussian, SmoothingDistribution
from rsonnx.statistics import (
    check_alpha,
    clopper_pearson_lower,
    fewest_samples_to_exceed_half,
    samples_to_exceed_half,
)

BOUND = "clopper-pearson"


def certify_from_counts(
    selection: Counts | ArrayLike,
    estimation: Counts | ArrayLike,
    *,
    sigma: float,
    alpha: float = 0.001,
) -> Certificate:
    """Derive a certificate for Gaussian smoothing from counts; no model is needed.

    Args:
        selection: counts per class of the n0 samples that choose the class, shape (classes,).
        estimation: counts per class of the n further samples that bound its probability.
            The two must come from independent noise: never pass the same counts twice.
        sigma: standard deviation of the noise, > 0, in the units in which the radius is wanted.
        alpha: probability of error, in (0, 1).

    Raises:
        UsageError: an argument is outside its range, or there are no samples.
    """
    return certify_counts(
        Counts.of(selection), Counts.of(estimation), noise=Gaussian(sigma), alpha=alpha
    )


def certify_counts(
    selection: Counts, estimation: Counts, *, noise: SmoothingDistribution, alpha: float
) -> Certificate:
    """CERTIFY for any smoothing distribution whose radius follows from p_A alone."""
    alpha = check_alpha(alpha)
    if selection.total < 1 or estimation.total < 1:
        raise UsageError(
            f"there are {selection.total} selection and {estimation.total} estimation samples, "
            "but each stage needs at least 1"
        )
    top = selection.top()[0] if selection.classes.any() else ABSTAIN
    p_a_lower = (
        0.0 if top == ABSTAIN else clopper_pearson_lower(estimation[top], estimation.total, alpha)
    )
    certified = p_a_lower > 0.5
    reason = None if certified else _reason(top, estimation)
    return Certificate(
        label=top if certified else ABSTAIN,
        radius=noise.radius(p_a_lower) if certified else 0.0,
        p_a_lower=p_a_lower,
        top_class=top,
        counts=CertificateCounts(selection, estimation),
        reason=reason,
        explanation=None if reason is None else _explain(reason, top, selection, estimation, alpha),
        noise=noise.name,
        sigma=noise.sigma,
        alpha=alpha,
        norm=noise.norm,
        bound=BOUND,
    )


def largest_radius(noise: SmoothingDistribution, n: int, alpha: float) -> float:
    """Return the radius if all n estimation samples agree: the most that (n, alpha) can give."""
    return noise.radius(clopper_pearson_lower(n, n, alpha))


def _reason(top: int, estimation: Counts) -> AbstainReason:
    if top == ABSTAIN:
        return AbstainReason.LOW_PROBABILITY
    favourite = estimation.top()[0] if len(estimation) else ABSTAIN
    if favourite == ABSTAIN or 2 * estimation[favourite] <= estimation.total:
        return AbstainReason.LOW_PROBABILITY
    return AbstainReason.LOOSE_BOUND if favourite == top else AbstainReason.WRONG_GUESS


def _explain(
    reason: AbstainReason, top: int, selection: Counts, estimation: Counts, alpha: float
) -> str:
    n = estimation.total
    if top == ABSTAIN:
        return (
            f"all {selection.total:,} answers to the selection samples were NaN or infinite scores, "
            "which are never certified; look for an overflow in the model at this sigma"
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
    if 2 * estimation.no_class > n:
        return (
            f"{estimation.no_class:,} of {n:,} answers were NaN or infinite scores, which are "
            "never certified; look for an overflow in the model at this sigma"
        )
    return (
        f"no class has more than half of the samples (the most is {100 * share:.4g} %); train the model "
        "with noise of this sigma, or use a smaller sigma"
    )
