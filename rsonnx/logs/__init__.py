"""Logs of other projects: reading them, and what can be told of how they were made."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.logs.audit import Audit, Gap, GridAudit, Indices, audit_log
    from rsonnx.logs.correctness import Correctness
    from rsonnx.logs.digits import Resolution
    from rsonnx.logs.fit import ALPHAS, SAMPLES, SIGMAS, Fit, Fits, Printed
    from rsonnx.logs.grid import Grid
    from rsonnx.logs.log import ABSTAIN, Kind, Log, LogRow, Note
    from rsonnx.logs.read import read_log
    from rsonnx.logs.restate import Overstated, Restatement
    from rsonnx.logs.sigma import SigmaSource

offer_lazily(__name__)

__all__ = [
    "ABSTAIN",
    "ALPHAS",
    "SAMPLES",
    "SIGMAS",
    "Audit",
    "Correctness",
    "Fit",
    "Fits",
    "Gap",
    "Grid",
    "GridAudit",
    "Indices",
    "Kind",
    "Log",
    "LogRow",
    "Note",
    "Overstated",
    "Printed",
    "Resolution",
    "Restatement",
    "SigmaSource",
    "audit_log",
    "read_log",
]
