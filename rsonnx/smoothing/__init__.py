"""The smoothed classifier, and how a model file becomes its base classifier."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.smoothing.classifier import SmoothedClassifier
    from rsonnx.smoothing.isolation import try_in_child
    from rsonnx.smoothing.load import Plan, load, load_with, make_plan
    from rsonnx.smoothing.procedures import (
        Ask,
        Certify,
        CertifyAdaptive,
        CertifyProcedure,
        Enumerate,
        Predict,
        PredictSequential,
        certify_procedure,
        predict_procedure,
    )
    from rsonnx.smoothing.schedule import (
        Answer,
        Certified,
        Checkpoint,
        Predicted,
        certify_many,
        predict_many,
    )
    from rsonnx.smoothing.training import Trained, training_in

offer_lazily(__name__)

__all__ = [
    "Answer",
    "Ask",
    "Certified",
    "Certify",
    "CertifyAdaptive",
    "CertifyProcedure",
    "Checkpoint",
    "Enumerate",
    "Plan",
    "Predict",
    "PredictSequential",
    "Predicted",
    "SmoothedClassifier",
    "Trained",
    "certify_many",
    "certify_procedure",
    "load",
    "load_with",
    "make_plan",
    "predict_many",
    "predict_procedure",
    "training_in",
    "try_in_child",
]
