"""Runs over a data set, and the files that hold them."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.runs.attest import check_statement, read_statement, statement
    from rsonnx.runs.certify import Answers, Work, counting, do_work
    from rsonnx.runs.counted import CountsRow
    from rsonnx.runs.fields import text_field, whole_field
    from rsonnx.runs.files import Part, Run, read_part, read_run
    from rsonnx.runs.header import (
        Arguments,
        SeedUsed,
        certify_header,
        recorded_seed,
        resume_command,
        versions,
    )
    from rsonnx.runs.job import Job, prepare_job
    from rsonnx.runs.keep import keep_rows
    from rsonnx.runs.manifest import Manifest, make_manifest, manifest_digest
    from rsonnx.runs.merge import Merged, merge
    from rsonnx.runs.partial import Checkpoint, check_partial
    from rsonnx.runs.parts import SampleRange, Shard
    from rsonnx.runs.replay import Replay, check_data, check_model, replay
    from rsonnx.runs.restate import restate
    from rsonnx.runs.resume import check_continues
    from rsonnx.runs.rows import Row
    from rsonnx.runs.verify import Fault, Verification, verify
    from rsonnx.runs.writing import RunWriter, check_output

offer_lazily(__name__)

__all__ = [
    "Answers",
    "Arguments",
    "Checkpoint",
    "CountsRow",
    "Fault",
    "Job",
    "Manifest",
    "Merged",
    "Part",
    "Replay",
    "Row",
    "Run",
    "RunWriter",
    "SampleRange",
    "SeedUsed",
    "Shard",
    "Verification",
    "Work",
    "certify_header",
    "check_continues",
    "check_data",
    "check_model",
    "check_output",
    "check_partial",
    "check_statement",
    "counting",
    "do_work",
    "keep_rows",
    "make_manifest",
    "manifest_digest",
    "merge",
    "prepare_job",
    "read_part",
    "read_run",
    "read_statement",
    "recorded_seed",
    "replay",
    "restate",
    "resume_command",
    "statement",
    "text_field",
    "verify",
    "versions",
    "whole_field",
]
