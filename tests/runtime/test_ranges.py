"""How requests are cut: every sample is taken once, and no block of noise is cut needlessly."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rsonnx.runtime import CountRequest
from rsonnx.runtime.ranges import Ranges, Span, batches

ranges_drawn = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda r: (r[0], r[0] + r[1])),
    max_size=8,
)


def requests(
    block: int, ranges: Sequence[tuple[int, int]], shape: tuple[int, ...] = (1,)
) -> list[CountRequest]:
    stream: Any = SimpleNamespace(block=block, sample_shape=shape)
    return [CountRequest(stream, start, stop) for start, stop in ranges]


def samples(parts: Sequence[Sequence[Span]]) -> list[tuple[int, int]]:
    return sorted((s.request, k) for part in parts for s in part for k in range(s.start, s.stop))


@given(
    ranges=ranges_drawn,
    block=st.sampled_from([1, 2, 16, 256]),
    size=st.integers(1, 500),
    whole_blocks=st.booleans(),
    returned=st.lists(st.booleans(), max_size=20),
    most=st.sampled_from([None, 1, 3]),
)
def test_every_sample_is_taken_once_and_cuts_are_between_blocks(
    ranges: list[tuple[int, int]],
    block: int,
    size: int,
    whole_blocks: bool,
    returned: list[bool],
    most: int | None,
) -> None:
    left = Ranges.of(requests(block, ranges))
    expected = [(k, i) for k, (start, stop) in enumerate(ranges) for i in range(start, stop)]
    assert left.total == left.left == len(expected)
    kept = []
    while part := left.take(size, whole_blocks=whole_blocks, most=most):
        length = sum(map(len, part))
        if whole_blocks:
            assert length < size + block
            for span in part:
                start, stop = ranges[span.request]
                assert span.start == start or span.start % block == 0
                assert span.stop == stop or span.stop % block == 0
        elif most is None:
            assert length == size or not left.left
        if returned and returned.pop():
            left.give_back(part)
        else:
            kept.append(part)
    assert samples(kept) == expected
    assert left.left == 0


@given(rows=st.integers(0, 3_000), size=st.integers(1, 500))
def test_batches_are_few_and_evenly_filled(rows: int, size: int) -> None:
    cut = batches(rows, size)
    assert [row for batch in cut for row in range(rows)[batch]] == list(range(rows))
    lengths = [batch.stop - batch.start for batch in cut]
    assert len(cut) == -(-rows // size)
    assert max(lengths, default=0) - min(lengths, default=0) <= 1
    assert max(lengths, default=0) <= size


def test_requests_are_served_in_turn_by_blocks() -> None:
    """So that those that share their noise ask for the same block one after the other."""
    left = Ranges.of(requests(16, [(0, 40), (0, 40)]))
    taken = [left.take(16, whole_blocks=True)[0] for _ in range(4)]
    assert [(span.request, span.start) for span in taken] == [(0, 0), (1, 0), (0, 16), (1, 16)]


def test_a_closed_range_gives_nothing_and_a_shape_takes_its_own() -> None:
    asked = requests(4, [(0, 8)], (1,)) + requests(4, [(0, 8)], (2,))
    assert samples([Ranges.of(asked, (2,)).take(100)]) == [(1, k) for k in range(8)]
    left = Ranges.of(asked)
    left.close()
    assert left.take(1) == []
