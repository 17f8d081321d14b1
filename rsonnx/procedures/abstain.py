"""What is said of an input that gets no certificate: the one reason that fits best, in words."""

from __future__ import annotations

from rsonnx.counts import Counts
from rsonnx.procedures.evidence import Evidence
from rsonnx.procedures.procedure import Procedure
from rsonnx.procedures.result import ABSTAIN, AbstainReason, Certificate, CertificateCounts
from rsonnx.statistics import fewest_samples_to_exceed_half, samples_to_exceed_half


def certificate_or_reason(
    procedure: Procedure,
    evidence: Evidence,
    p_a_lower: float,
    radius: float,
    *,
    certified: bool,
) -> Certificate:
    """Return a certificate of ``radius`` for the chosen class, or an abstention.

    In a norm of whole numbers a certificate may have the radius 0: of the point itself.
    """
    top, noise = evidence.chosen, procedure.noise
    selection, estimation = evidence.selection, evidence.estimation
    reason = None if certified else _reason(top, estimation)
    return Certificate(
        label=top if certified else ABSTAIN,
        radius=radius,
        p_a_lower=p_a_lower,
        top_class=top,
        counts=CertificateCounts(selection, estimation),
        reason=reason,
        explanation=None
        if reason is None
        else _explain(reason, top, selection, estimation, procedure.alpha),
        noise=noise.name,
        sigma=noise.deviation,
        alpha=procedure.alpha,
        norm=noise.norm,
        bound=procedure.bound,
        radius_rule=procedure.radius_rule,
        uniform=evidence.uniform if procedure.needs_uniform else None,
        claim=None if procedure.fixed_n else evidence.claim,
        cover=evidence.cover,
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
