"""Pure reasoning: counts and parameters in, a frozen certificate or prediction out."""

from rsonnx.certificate.adaptive import ADAPTIVE_BOUND, AdaptiveSamples, target_radii
from rsonnx.certificate.certify import RADIUS_RULES, FixedSamples, certify_from_counts
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
from rsonnx.certificate.two_sided import (
    ALPHA_SPLITS,
    AlphaSplit,
    TwoSidedBounds,
    rival_shares,
    two_sided_bounds,
    two_sided_radius,
)

__all__ = [
    "ABSTAIN",
    "ADAPTIVE_BOUND",
    "ALPHA_SPLITS",
    "PREDICT_METHODS",
    "RADIUS_RULES",
    "AbstainReason",
    "AdaptiveSamples",
    "AlphaSplit",
    "Certificate",
    "CertificateCounts",
    "FixedSamples",
    "PredictMethod",
    "Prediction",
    "TwoSidedBounds",
    "certify_from_counts",
    "check_method",
    "predict_from_counts",
    "rival_shares",
    "target_radii",
    "two_sided_bounds",
    "two_sided_radius",
]
