"""Shards and ranges of samples: laws, headers, and what a shard's file is held to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.data import open_dataset
from rsonnx.errors import UsageError
from rsonnx.procedures import certify_procedure
from rsonnx.runs import (
    Header,
    Job,
    SampleRange,
    SeedUsed,
    Shard,
    new_header,
    prepare_job,
    read_run,
    restate,
    resume_command,
    verify,
)
from rsonnx.runs.files import START, line_of
from rsonnx.runtime import OnnxClassifier
from rsonnx.statistics import family_wise_alpha


@given(st.integers(0, 60), st.integers(1, 70))
def test_shards_are_disjoint_and_together_everything(inputs: int, ways: int) -> None:
    indices = [7 * k for k in range(inputs)]
    shards = [Shard(k, ways) for k in range(1, ways + 1)]
    shares = [shard.take(indices) for shard in shards]
    assert sorted(index for share in shares for index in share) == indices
    assert all(list(share) == sorted(share) for share in shares)
    assert [shard.size(inputs) for shard in shards] == [len(share) for share in shares]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_huge_number_of_inputs_is_no_work() -> None:
    assert Shard(3, 8).size(2**53) == 2**50


def test_texts() -> None:
    assert (Shard.parse("3/8"), str(Shard(3, 8))) == (Shard(3, 8), "3/8")
    assert (SampleRange.parse("0:50"), str(SampleRange(0, 50))) == (SampleRange(0, 50), "0:50")
    assert SampleRange(0, 1).selects
    assert not SampleRange(1, 2).selects
    for wrong in ("", "3", "3/", "/8", "3/8/9", "-1/8", "3.0/8", " 3/8", "3/8\n", "٣/٨"):
        with pytest.raises(UsageError, match="I/K such as 3/8 was expected"):
            Shard.parse(wrong)
        with pytest.raises(UsageError, match="A:B such as 0:50000 was expected"):
            SampleRange.parse(wrong.replace("/", ":"))


@pytest.fixture
def header_of(
    classifier: OnnxClassifier, image_folder: Callable[..., Path]
) -> Callable[..., Header]:
    folder = image_folder({f"{k}/a.png": (k * 20, (8, 8)) for k in range(5)})
    job: Job = prepare_job(classifier, 0.5, open_dataset(folder))

    def make(**part: Any) -> Header:
        header = new_header(
            job,
            certify_procedure(job.smoothed.noise, n0=50, n=2000, alpha=0.01),
            seed=SeedUsed(2**128 - 1, "argument"),
            **part,
        )
        line = line_of(header.to_json())
        assert line.startswith(START)  # by which a torn header is known
        assert Header.from_json(json.loads(line)) == header
        return header

    return make


def test_headers_say_which_part_they_are_of(header_of: Callable[..., Header]) -> None:
    whole = header_of(manifest="ab" * 32)
    assert (whole.shard, whole.samples) == (None, None)
    assert whole.data.manifest == "ab" * 32
    assert whole.seed == 2**128 - 1
    part = header_of(shard=Shard(2, 3), samples=SampleRange(10, 20))
    assert (part.shard, part.samples) == (Shard(2, 3), SampleRange(10, 20))
    assert part.record["shard"] == {"index": 2, "of": 3}
    assert part.record["samples"] == {"start": 10, "stop": 20}
    assert (part.data.inputs, part.inputs) == (5, 2)  # of the whole run, and of the part
    assert part.record["claim"] == part.claim != whole.claim


def test_a_shard_is_held_to_its_own_number_of_inputs(run_file: Callable[..., Path]) -> None:
    for inputs, faults in ((5, 1), (6, 0), (7, 0), (8, 0), (9, 1)):
        # Every third of so many inputs: 2 of them from 4 to 6, 3 from 7 to 9.
        rows = 2 if inputs <= 6 else 3
        path = run_file(
            rows - (inputs in (5, 9)),
            name=f"{inputs}.jsonl",
            shard={"index": 1, "of": 3},
            data={"inputs": inputs, "size": inputs},
        )
        assert len(verify(read_run(path)).faults) == faults


def test_the_error_of_a_family_is_shared_by_all_inputs_of_the_run(
    run_file: Callable[..., Path],
) -> None:
    each = family_wise_alpha(0.05, 9)
    path = run_file(
        3, shard={"index": 1, "of": 3}, data={"inputs": 9, "size": 9}, alpha=each, family_wise=0.05
    )
    again = restate(read_run(path), alpha=0.01)
    assert again.header.procedure.alpha == family_wise_alpha(0.01, 9)


def test_the_command_that_goes_on() -> None:
    given = ["certify", "--resume", "a b.onnx", "--", "-data", "--resume"]
    assert resume_command(given) == "rsonnx certify --resume 'a b.onnx' -- -data"
    program = ["python", "-m", "rsonnx"]
    assert resume_command(["certify", "m"], program) == "python -m rsonnx certify --resume m"
