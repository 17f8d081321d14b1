"""rsonnx: certify any exported ONNX classifier by randomized smoothing.

>>> import rsonnx
>>> cert = rsonnx.certify_from_counts([99, 1], [99_000, 1_000], sigma=0.5)
>>> cert.label, round(cert.radius, 3)
(0, 1.145)
"""

from rsonnx._lazy import offer_lazily
from rsonnx._version import __version__

TYPE_CHECKING = False  # what `typing` says, which takes longer to import than all of this
if TYPE_CHECKING:
    from rsonnx.api import (
        Run,
        Verified,
        certify,
        commit,
        declare,
        deterministic,
        falsify,
        predict,
        read_run,
        report,
        verify,
    )
    from rsonnx.cli.progress import ProgressBar
    from rsonnx.counts import Counts
    from rsonnx.errors import (
        DataError,
        InferenceError,
        ModelError,
        ProviderError,
        RsonnxError,
        RunFileError,
        UsageError,
    )
    from rsonnx.listener import Extent, Listener
    from rsonnx.procedures import (
        ABSTAIN,
        AbstainReason,
        Certificate,
        CertificateCounts,
        Prediction,
        certify_from_counts,
        plan,
        predict_from_counts,
    )
    from rsonnx.report import compare_bounds
    from rsonnx.smoothing import SmoothedClassifier, load

offer_lazily(__name__)

__all__ = [
    "ABSTAIN",
    "AbstainReason",
    "Certificate",
    "CertificateCounts",
    "Counts",
    "DataError",
    "Extent",
    "InferenceError",
    "Listener",
    "ModelError",
    "Prediction",
    "ProgressBar",
    "ProviderError",
    "RsonnxError",
    "Run",
    "RunFileError",
    "SmoothedClassifier",
    "UsageError",
    "Verified",
    "__version__",
    "certify",
    "certify_from_counts",
    "commit",
    "compare_bounds",
    "declare",
    "deterministic",
    "falsify",
    "load",
    "plan",
    "predict",
    "predict_from_counts",
    "read_run",
    "report",
    "verify",
]
