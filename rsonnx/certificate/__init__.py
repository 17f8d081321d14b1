"""Pure reasoning: counts and parameters in, a frozen certificate or prediction out."""

from rsonnx.certificate.certify import (
    BOUND,
    certify_counts,
    certify_from_counts,
    largest_radius,
)
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

__all__ = [
    "ABSTAIN",
    "BOUND",
    "PREDICT_METHODS",
    "AbstainReason",
    "Certificate",
    "CertificateCounts",
    "PredictMethod",
    "Prediction",
    "certify_counts",
    "certify_from_counts",
    "check_method",
    "largest_radius",
    "predict_from_counts",
]
