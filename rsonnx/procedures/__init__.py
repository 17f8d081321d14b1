"""Ways of certifying and predicting: what each asks for, and what follows from the counts."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.procedures.adaptive import Adaptive
    from rsonnx.procedures.catalogue import (
        PROCEDURES,
        certify_procedure,
        predict_procedure,
        procedure_recorded,
    )
    from rsonnx.procedures.choices import (
        GENERATORS,
        PREDICT_METHODS,
        RADIUS_RULES,
        WAYS,
        PredictMethod,
    )
    from rsonnx.procedures.counting import CountRange
    from rsonnx.procedures.covered import Covered
    from rsonnx.procedures.enumerated import Enumerated
    from rsonnx.procedures.evidence import Bracket, Evidence
    from rsonnx.procedures.exact import Exact
    from rsonnx.procedures.fixed import Fixed, certify_from_counts
    from rsonnx.procedures.planning import Cost, MachineTime, Plan, plan
    from rsonnx.procedures.precise import Precise
    from rsonnx.procedures.predict import (
        check_method,
        predict_from_counts,
    )
    from rsonnx.procedures.procedure import Ask, Asking, Procedure, Steps, Task
    from rsonnx.procedures.radii import as_radii, default_radii, radius_text
    from rsonnx.procedures.result import (
        ABSTAIN,
        AbstainReason,
        Certificate,
        CertificateCounts,
        Prediction,
    )
    from rsonnx.procedures.two_sided import two_sided_bounds

offer_lazily(__name__)
