"""The smoothed classifier, and how a model file becomes its base classifier."""

from rsonnx.smoothing.classifier import SmoothedClassifier
from rsonnx.smoothing.isolation import try_in_child
from rsonnx.smoothing.load import Plan, load, make_plan
from rsonnx.smoothing.procedures import (
    Certify,
    CertifyAdaptive,
    CertifyProcedure,
    Predict,
    certify_procedure,
)

__all__ = [
    "Certify",
    "CertifyAdaptive",
    "CertifyProcedure",
    "Plan",
    "Predict",
    "SmoothedClassifier",
    "certify_procedure",
    "load",
    "make_plan",
    "try_in_child",
]
