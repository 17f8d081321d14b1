"""Logs of other projects: reading them, and what can be told of how they were made."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.logs.audit import Audit, GridAudit, Restatement, audit_log
    from rsonnx.logs.fit import ALPHAS, SAMPLES, SIGMAS, Fit
    from rsonnx.logs.log import Correctness, Log, LogRow
    from rsonnx.logs.read import read_log

offer_lazily(__name__)
