"""Pure reasoning: counts and parameters in, a frozen certificate or prediction out."""

from typing import TYPE_CHECKING, TypeAlias

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.certificate.adaptive import ADAPTIVE_BOUND, AdaptiveSamples, target_radii
    from rsonnx.certificate.certify import RADIUS_RULES, FixedSamples, certify_from_counts
    from rsonnx.certificate.exact import EXACT, ExactCounts
    from rsonnx.certificate.predict import (
        PREDICT_METHODS,
        PredictMethod,
        check_method,
        predict_from_counts,
    )
    from rsonnx.certificate.result import (
        ABSTAIN,
        AbstainReason,
        Certificate,
        CertificateCounts,
        Prediction,
    )
    from rsonnx.certificate.top_k import (
        TopKCertificate,
        certify_top_k,
        proves_top_k_radius,
        top_k_radius,
    )
    from rsonnx.certificate.two_sided import (
        ALPHA_SPLITS,
        AlphaSplit,
        TwoSidedBounds,
        rival_shares,
        two_sided_bounds,
    )

offer_lazily(__name__)

Rule: TypeAlias = "FixedSamples | AdaptiveSamples | ExactCounts"
"""How counts become a certificate."""

__all__ = [
    "ABSTAIN",
    "ADAPTIVE_BOUND",
    "ALPHA_SPLITS",
    "EXACT",
    "PREDICT_METHODS",
    "RADIUS_RULES",
    "AbstainReason",
    "AdaptiveSamples",
    "AlphaSplit",
    "Certificate",
    "CertificateCounts",
    "ExactCounts",
    "FixedSamples",
    "PredictMethod",
    "Prediction",
    "Rule",
    "TopKCertificate",
    "TwoSidedBounds",
    "certify_from_counts",
    "certify_top_k",
    "check_method",
    "predict_from_counts",
    "proves_top_k_radius",
    "rival_shares",
    "target_radii",
    "top_k_radius",
    "two_sided_bounds",
]
