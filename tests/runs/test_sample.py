"""Which inputs of a data set a run takes."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pytest
from headers import first_version
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.errors import UsageError
from rsonnx.runs import Header
from rsonnx.runs.sample import Sample, spread_over

SAMPLES = st.one_of(
    st.builds(Sample, st.none() | st.integers(1, 60), st.integers(1, 9)),
    st.builds(Sample, st.integers(1, 60), st.integers(1, 9), st.just(value=True)),
    st.builds(Sample, st.integers(1, 60), seed=st.integers(0, 2**70)),
)


@given(SAMPLES, st.integers(1, 200))
def test_a_sample_is_as_many_inputs_as_it_says_in_order(sample: Sample, size: int) -> None:
    found = list(sample.indices(size))
    assert len(found) == sample.count(size) == len(set(found))
    assert found == sorted(found)
    assert set(found) <= set(range(0, size, sample.skip_every))
    assert Sample.from_json(sample.to_json()) == sample


@given(SAMPLES, st.integers(1, 200), st.integers(0, 20), st.integers(1, 20))
def test_a_slice_of_a_sample_is_that_of_its_inputs(
    sample: Sample, size: int, start: int, step: int
) -> None:
    assert [*sample.indices(size, start, step)] == [*sample.indices(size)][start::step]


def test_the_last_of_ever_so_many_inputs_is_there_at_once() -> None:
    """A stranger's header announced 2^53 inputs, and readers counted to them."""
    for sample in (Sample(), Sample(2**52), Sample(2**52, first=True)):
        assert next(sample.indices(2**53, 2**51)) in (2**51, 2**52)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 300))
def test_a_spread_has_even_gaps_from_the_first_input_on(limit: int, every: int, size: int) -> None:
    found = list(Sample(limit, every).indices(size))
    assert found[0] == 0
    gaps = {b - a for a, b in zip(found, [*found[1:], -(-size // every) * every], strict=True)}
    assert max(gaps) - min(gaps) in (0, every)


@given(st.integers(2, 12), st.integers(1, 9), st.integers(1, 9))
def test_a_spread_over_sorted_classes_has_as_many_of_each(
    classes: int, each: int, taken: int
) -> None:
    labels = [k for k in range(classes) for _ in range(each * taken)]
    found = Sample(classes * taken).indices(len(labels))
    assert set(Counter(labels[i] for i in found).values()) == {taken}


def test_a_random_sample_is_the_documented_hash_for_ever() -> None:
    found = list(Sample(5, seed=7).indices(100))
    ranks = {i: hashlib.sha256(b"rsonnx sample 1\x007\x00%d" % i).digest() for i in range(100)}
    assert found == sorted(sorted(range(100), key=ranks.__getitem__)[:5])
    assert found == [11, 15, 70, 76, 88]
    assert found != list(Sample(5, seed=8).indices(100))


def test_every_input_is_drawn_as_often_as_any_other() -> None:
    """2,000 seeds draw 4 of 20: 400 times each, with a standard error of 18; the bound is 5.6."""
    drawn = Counter(i for seed in range(2000) for i in Sample(4, seed=seed).indices(20))
    assert all(abs(drawn[i] - 400) < 100 for i in range(20))


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"skip_every": 0},
        {"first": True},
        {"seed": 3},
        {"limit": 3, "seed": -1},
        {"limit": 3, "seed": 3, "first": True},
        {"limit": 3, "seed": 3, "skip_every": 2},
    ],
)
def test_what_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Sample(**wrong)


@pytest.mark.parametrize(
    ("limit", "every", "rule"), [(None, 1, "all"), (None, 2, "spread"), (3, 2, "first")]
)
def test_a_file_that_does_not_say_it_took_the_first(
    limit: int | None, every: int, rule: str
) -> None:
    resolved = {"limit": limit, "skip_every": every}
    record = first_version(arguments={"resolved": resolved})
    found = Header.from_json(record).data.sample
    assert found is not None
    assert (found.rule, list(found.indices(9))) == (rule, list(range(0, 9, every))[:limit])


SAMPLE = Sample(3).to_json()


@pytest.mark.parametrize(
    "change",
    [{"rule": "all"}, {"limit": "3"}, {"seed": "x"}, {"seed": 3}, {"seed": "9" * 5000}, {"new": 1}],
)
def test_a_sample_that_a_header_cannot_have_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, UsageError)):
        Sample.from_json(SAMPLE | change)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=200),
    st.integers(1, 60),
)
def test_inputs_spread_over_classes_hold_each_by_its_share(labels: list[int], limit: int) -> None:
    found = spread_over(labels, limit)
    count = min(limit, len(labels))
    assert found == sorted(set(found))
    assert len(found) == count
    taken, there = Counter(labels[index] for index in found), Counter(labels)
    for label, total in there.items():
        assert abs(taken[label] - total * count / len(labels)) <= 1


@pytest.mark.parametrize("period", [2, 4, 10])
def test_inputs_spread_over_classes_alias_with_no_turns_inside_a_class(period: int) -> None:
    """Of one class, a regular stride would meet one kind of picture alone."""
    assert {index % period for index in spread_over([0] * 400, 100)} == set(range(period))
