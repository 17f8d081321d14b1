"""Runs over a data set, and the files that hold them."""

from typing import TYPE_CHECKING

from rsonnx._lazy import offer_lazily

if TYPE_CHECKING:
    from rsonnx.runs.attest import check_statement, read_statement, statement
    from rsonnx.runs.base_certificates import BaseCertificate, BaseCertificates
    from rsonnx.runs.breaks import Attempt, Breaks, read_breaks
    from rsonnx.runs.certify import certify, commit
    from rsonnx.runs.check_breaks import check_breaks
    from rsonnx.runs.commitment import Commitment, read_commitment
    from rsonnx.runs.deployed import Deployed, check_deployed
    from rsonnx.runs.deterministic import deterministic
    from rsonnx.runs.falsify import falsify
    from rsonnx.runs.files import Part, Run
    from rsonnx.runs.header import Header, resume_command
    from rsonnx.runs.job import Job, prepare_job
    from rsonnx.runs.manifest import Manifest, make_manifest, manifest_digest
    from rsonnx.runs.merge import merge
    from rsonnx.runs.new_header import SeedUsed, new_header, versions
    from rsonnx.runs.opening import open_job
    from rsonnx.runs.partial import Checkpoint, check_partial
    from rsonnx.runs.parts import SampleRange, Shard
    from rsonnx.runs.predict import Predicted, predict
    from rsonnx.runs.reading import read_part, read_run
    from rsonnx.runs.reopening import check_against
    from rsonnx.runs.replay import Replay, replay
    from rsonnx.runs.restate import restate
    from rsonnx.runs.rows import CountsRow, Row
    from rsonnx.runs.sample import Sample
    from rsonnx.runs.timing import time_on
    from rsonnx.runs.verify import Fault, Verification, verify
    from rsonnx.runs.work import Work, do_work
    from rsonnx.runs.writing import RunWriter, check_output

offer_lazily(__name__)
