"""Shards and ranges of samples: laws, and what a shard's file is held to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from headers import certified_row, record
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import UsageError
from rsonnx.runs import RunWriter, SampleRange, Shard, read_run, restate, verify
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
    assert Shard(3, 8).size(2**53) == 2**50  # a huge number of inputs is no work


def test_texts() -> None:
    assert (Shard.parse("3/8"), str(Shard(3, 8))) == (Shard(3, 8), "3/8")
    assert (SampleRange.parse("0:50"), str(SampleRange(0, 50))) == (SampleRange(0, 50), "0:50")
    assert [SampleRange(start, 2).selects for start in (0, 1)] == [True, False]
    for wrong in ("", "3", "3/", "/8", "3/8/9", "-1/8", "3.0/8", " 3/8", "3/8\n", "٣/٨", "8/3"):
        with pytest.raises(UsageError):
            Shard.parse(wrong)
        with pytest.raises(UsageError):
            SampleRange.parse(wrong.replace("/", ":"))


@pytest.mark.parametrize(("inputs", "faults"), [(5, 1), (6, 0), (7, 0), (8, 0), (9, 1)])
def test_a_shard_is_held_to_its_own_number_of_inputs(
    tmp_path: Path, inputs: int, faults: int
) -> None:
    # Every third of so many inputs: 2 of them from 4 to 6, 3 from 7 to 9.
    rows = (2 if inputs <= 6 else 3) - faults
    path, data = tmp_path / "run.jsonl", {"inputs": inputs, "size": inputs}
    with RunWriter(path, record(shard={"index": 1, "of": 3}, data=data)) as writer:
        for k in range(rows):
            writer.write(certified_row(3 * k))
    assert len(verify(read_run(path, checked=False)).faults) == faults


def test_the_error_of_a_family_is_shared_by_all_inputs_of_the_run(
    run_file: Callable[..., Path],
) -> None:
    each, data = family_wise_alpha(0.05, 9), {"inputs": 9, "size": 9}
    path = run_file(3, shard={"index": 1, "of": 3}, data=data, alpha=each, family_wise=0.05)
    again = restate(read_run(path, checked=False), alpha=0.01)
    assert again.header.procedure.alpha == family_wise_alpha(0.01, 9)
