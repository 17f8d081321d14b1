"""Runs over a data set, and the files that hold them."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.runs.attest import check_statement, read_statement, statement
    from rsonnx.runs.certify import certify, commit
    from rsonnx.runs.commitment import Commitment, read_commitment
    from rsonnx.runs.files import Part, Run
    from rsonnx.runs.header import Header, resume_command
    from rsonnx.runs.job import Job, prepare_job
    from rsonnx.runs.keep import keep_rows
    from rsonnx.runs.manifest import Manifest, make_manifest, manifest_digest
    from rsonnx.runs.merge import Merged, merge
    from rsonnx.runs.new_header import SeedUsed, new_header, versions
    from rsonnx.runs.opening import open_job
    from rsonnx.runs.partial import Checkpoint, check_partial
    from rsonnx.runs.parts import SampleRange, Shard
    from rsonnx.runs.predict import Predicted, predict
    from rsonnx.runs.reading import read_part, read_run
    from rsonnx.runs.reopening import check_against, check_data, check_model
    from rsonnx.runs.replay import Replay, replay
    from rsonnx.runs.restate import restate
    from rsonnx.runs.resume import check_continues
    from rsonnx.runs.rows import CountsRow, Row
    from rsonnx.runs.rules import Rules
    from rsonnx.runs.sample import Sample
    from rsonnx.runs.timing import time_on
    from rsonnx.runs.verify import Fault, Verification, check_part, verify
    from rsonnx.runs.work import Answers, Work, do_work
    from rsonnx.runs.writing import RunWriter, check_output

offer_lazily(__name__)

__all__ = [
    "Answers",
    "Checkpoint",
    "Commitment",
    "CountsRow",
    "Fault",
    "Header",
    "Job",
    "Manifest",
    "Merged",
    "Part",
    "Predicted",
    "Replay",
    "Row",
    "Rules",
    "Run",
    "RunWriter",
    "Sample",
    "SampleRange",
    "SeedUsed",
    "Shard",
    "Verification",
    "Work",
    "certify",
    "check_against",
    "check_continues",
    "check_data",
    "check_model",
    "check_output",
    "check_part",
    "check_partial",
    "check_statement",
    "commit",
    "do_work",
    "keep_rows",
    "make_manifest",
    "manifest_digest",
    "merge",
    "new_header",
    "open_job",
    "predict",
    "prepare_job",
    "read_commitment",
    "read_part",
    "read_run",
    "read_statement",
    "replay",
    "restate",
    "resume_command",
    "statement",
    "time_on",
    "verify",
    "versions",
]
