"""Ways of certifying and predicting: what each asks for, and what follows from the counts."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.procedures.adaptive import PROCESS_SHARE, Adaptive
    from rsonnx.procedures.catalogue import (
        PROCEDURES,
        certify_procedure,
        predict_procedure,
        procedure_recorded,
    )
    from rsonnx.procedures.choices import PREDICT_METHODS, RADIUS_RULES, PredictMethod
    from rsonnx.procedures.counting import CountRange
    from rsonnx.procedures.enumerated import Enumerated
    from rsonnx.procedures.fixed import Fixed, certify_from_counts
    from rsonnx.procedures.planning import Cost, MachineTime, Plan, plan
    from rsonnx.procedures.predict import (
        Predict,
        PredictSequential,
        check_method,
        predict_from_counts,
    )
    from rsonnx.procedures.procedure import (
        LOOK,
        Ask,
        Asking,
        Evidence,
        Procedure,
        Proof,
        Steps,
        Task,
    )
    from rsonnx.procedures.radii import as_radii, default_radii, radius_text
    from rsonnx.procedures.result import (
        ABSTAIN,
        AbstainReason,
        Certificate,
        CertificateCounts,
        Prediction,
    )
    from rsonnx.procedures.top_k import TopKCertificate, certify_top_k
    from rsonnx.procedures.two_sided import ALPHA_SPLITS, TwoSidedBounds, two_sided_bounds

offer_lazily(__name__)

__all__ = [
    "ABSTAIN",
    "ALPHA_SPLITS",
    "LOOK",
    "PREDICT_METHODS",
    "PROCEDURES",
    "PROCESS_SHARE",
    "RADIUS_RULES",
    "AbstainReason",
    "Adaptive",
    "Ask",
    "Asking",
    "Certificate",
    "CertificateCounts",
    "Cost",
    "CountRange",
    "Enumerated",
    "Evidence",
    "Fixed",
    "MachineTime",
    "Plan",
    "Predict",
    "PredictMethod",
    "PredictSequential",
    "Prediction",
    "Procedure",
    "Proof",
    "Steps",
    "Task",
    "TopKCertificate",
    "TwoSidedBounds",
    "as_radii",
    "certify_from_counts",
    "certify_procedure",
    "certify_top_k",
    "check_method",
    "default_radii",
    "plan",
    "predict_from_counts",
    "predict_procedure",
    "procedure_recorded",
    "radius_text",
    "two_sided_bounds",
]
