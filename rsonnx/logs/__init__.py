"""Logs of other projects: reading them, and what can be told of how they were made."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.logs.audit import Audit, GridAudit, Indices, Restatement, audit_log
    from rsonnx.logs.fit import ALPHAS, SAMPLES, SIGMAS, Fit
    from rsonnx.logs.log import ABSTAIN, Correctness, Log, LogRow, Note
    from rsonnx.logs.read import read_log

offer_lazily(__name__)

__all__ = [
    "ABSTAIN",
    "ALPHAS",
    "SAMPLES",
    "SIGMAS",
    "Audit",
    "Correctness",
    "Fit",
    "GridAudit",
    "Indices",
    "Log",
    "LogRow",
    "Note",
    "Restatement",
    "audit_log",
    "read_log",
]
