from __future__ import annotations

import json
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.counts import NO_CLASS, Counts
from rsonnx.errors import UsageError

numbers = st.integers(0, 2**40)
counts = st.builds(Counts, st.lists(numbers, max_size=12), numbers)


@given(counts)
def test_counts_survive_json(found: Counts) -> None:
    stored = json.loads(json.dumps(found.to_json()))
    assert Counts.from_json(stored) == found
    again = Counts.from_json(stored, num_classes=len(found))
    assert again.total == found.total
    assert len(again) == len(found)


@given(counts, counts)
def test_addition_adds_each_class(a: Counts, b: Counts) -> None:
    both = a + b
    assert both == b + a
    assert both.total == a.total + b.total
    assert both.no_class == a.no_class + b.no_class
    assert all(both[k] == a[k] + b[k] for k in range(13))


@given(counts, st.integers(0, 5))
def test_trailing_zeros_make_no_difference(found: Counts, zeros: int) -> None:
    longer = Counts([*found.classes, *[0] * zeros], found.no_class)
    assert longer == found
    assert hash(longer) == hash(found)
    assert Counts([*found.classes, *[0] * zeros, 1], found.no_class) != found
    assert found != list(found.classes)


@given(counts, st.integers(1, 12))
def test_top_takes_the_largest_and_the_lowest_on_a_tie(found: Counts, most: int) -> None:
    expected = sorted(range(len(found)), key=lambda k: (-found[k], k))[:most]
    assert list(found.top(most)) == expected


@given(st.lists(st.integers(NO_CLASS, 6), max_size=50))
def test_labels_are_counted(labels: list[int]) -> None:
    found = Counts.from_labels(np.array(labels, np.int64), 5)
    assert found.total == len(labels)
    assert found.no_class == labels.count(NO_CLASS)
    assert all(found[k] == labels.count(k) for k in range(8))
    assert len(found) >= 5


def test_the_parts_of_a_count() -> None:
    found = Counts([3, 0, 4], 2)
    assert (found[0], found[2], found[9], found.no_class, found.total) == (3, 4, 0, 2, 9)
    assert found.to_json() == {"0": 3, "2": 4, "no_class": 2}
    assert repr(found) == "Counts({'0': 3, '2': 4, 'no_class': 2})"
    np.testing.assert_array_equal(np.asarray(found), [3, 0, 4])
    assert Counts.of(found) is found
    assert Counts.of([3, 0, 4]) == Counts([3, 0, 4])


def test_counts_cannot_be_changed() -> None:
    given_array = np.array([1, 2])
    found = Counts(given_array)
    given_array[0] = 9
    assert found[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        found.classes[0] = 5


@pytest.mark.parametrize(
    ("classes", "no_class", "message"),
    [
        ([-1, 2], 0, "cannot be negative"),
        ([1, 2], -1, "cannot be negative"),
        ([1.0, 2.0], 0, "a list of whole numbers"),
        ([[1, 2]], 0, "a list of whole numbers"),
        (5, 0, "a list of whole numbers"),
        ([True], 0, "a list of whole numbers"),
        (["1"], 0, "a list of whole numbers"),
    ],
)
def test_what_is_no_count_is_refused(classes: Any, no_class: int, message: str) -> None:
    with pytest.raises(UsageError, match=f"counts are .*{message}") as caught:
        Counts(classes, no_class)
    assert caught.value.exit_code == 2


def test_a_negative_class_is_refused() -> None:
    with pytest.raises(UsageError, match=r"class -1 was asked for.*numbered from 0"):
        Counts([1])[-1]


def test_counts_are_added_to_counts_alone() -> None:
    with pytest.raises(TypeError):
        operator.add(Counts([1]), [1])


@pytest.mark.parametrize(
    "stored",
    [
        {"-1": 100},
        {"01": 5, "1": 4},
        {"one": 5},
        {"no_class": 1.5},
        {"0": 1.5},
        {"0": None},
        {"0": "5"},
    ],
    ids=str,
)
def test_json_that_no_counts_wrote_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Counts.from_json(stored, 3)


def test_counts_too_large_for_64_bits_are_refused() -> None:
    with pytest.raises(UsageError):
        Counts([2**63])


def test_going_through_counts_ends() -> None:
    found = iter(Counts([3, 0, 4]))
    assert [next(found, None) for _ in range(4)] == [3, 0, 4, None]
