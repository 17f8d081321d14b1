"""Runs over a data set, and the files that hold them."""

from rsonnx.runs.certify import certify_inputs
from rsonnx.runs.fields import text_field, whole_field
from rsonnx.runs.files import Run, RunWriter, check_output, read_run
from rsonnx.runs.header import Arguments, SeedUsed, certify_header, versions
from rsonnx.runs.job import Job, prepare_job
from rsonnx.runs.restate import restate
from rsonnx.runs.rows import Row
from rsonnx.runs.verify import Fault, Verification, verify

__all__ = [
    "Arguments",
    "Fault",
    "Job",
    "Row",
    "Run",
    "RunWriter",
    "SeedUsed",
    "Verification",
    "certify_header",
    "certify_inputs",
    "check_output",
    "prepare_job",
    "read_run",
    "restate",
    "text_field",
    "verify",
    "versions",
    "whole_field",
]
