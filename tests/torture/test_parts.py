"""Runs cut into shards and ranges of samples, some of them stopped on the way, and put together."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from torture_runs import Killed, Session, World, adaptive, fixed, rows_of

from rsonnx.runs import RunWriter, SampleRange, Shard, merge

Make = Callable[..., Session]
INPUTS = 7
N = 60


def _cuts(n: int, ways: int, source: random.Random) -> list[SampleRange]:
    """Ranges of unequal lengths, most of which start inside a block of noise."""
    ends = [0, *sorted(source.sample(range(1, n), ways - 1)), n]
    return [SampleRange(a, b) for a, b in pairwise(ends)]


def _part(whole: Session, number: int, **which: Any) -> Session:
    return replace(whole, name=f"part{number}.jsonl", **which)


def _merged(whole: Session, parts: list[Session]) -> list[dict[str, Any]]:
    merged = merge([part.path for part in parts])
    output = whole.folder / "merged.jsonl"
    with RunWriter(output, merged.header.to_json()) as writer:
        writer.write_all(merged.rows)
    return [line | {"created": None, "claim": None} for line in rows_of(output)]


def _expected(whole: Session) -> list[dict[str, Any]]:
    whole.go()
    return [line | {"created": None, "claim": None} for line in rows_of(whole.path)]


@pytest.mark.parametrize("ways", range(1, 8))
@pytest.mark.parametrize("kind", [fixed, adaptive])
def test_shards_put_together_are_the_whole_run(
    session: Make, ways: int, kind: Callable[..., Any]
) -> None:
    whole = session(kind(), INPUTS, checkpoint=0)
    parts = [_part(whole, k, shard=Shard(k, ways)) for k in range(ways, 0, -1)]
    for part in parts:
        part.go()
    assert _merged(whole, parts) == _expected(whole)


def test_more_shards_than_inputs_leave_some_empty(session: Make) -> None:
    whole = session(fixed(), 2, checkpoint=0)
    parts = [_part(whole, k, shard=Shard(k, 5)) for k in range(1, 6)]
    assert [len(part.go()) for part in parts] == [1, 1, 0, 0, 0]
    assert _merged(whole, parts) == _expected(whole)


@pytest.mark.parametrize("ways", range(1, 6))
def test_ranges_of_samples_put_together_are_the_whole_run(session: Make, ways: int) -> None:
    whole = session(fixed(N), INPUTS, checkpoint=0)
    source = random.Random(ways)  # noqa: S311 - a fixed sequence of cases, no secret
    parts = [_part(whole, k, samples=cut) for k, cut in enumerate(_cuts(N, ways, source))]
    for part in parts:
        part.go()
    source.shuffle(parts)
    assert _merged(whole, parts) == _expected(whole)


def test_shards_of_ranges_and_whole_shards_mix(session: Make) -> None:
    whole = session(fixed(N), INPUTS, checkpoint=0)
    halves = [Shard(1, 2), Shard(2, 4)]
    cuts = [SampleRange(0, 7), SampleRange(7, N)]
    parts = [
        _part(whole, 10 * a + b, shard=shard, samples=cut)
        for a, shard in enumerate(halves)
        for b, cut in enumerate(cuts)
    ]
    parts.append(_part(whole, 99, shard=Shard(4, 4)))
    for part in parts:
        part.go()
    assert _merged(whole, parts) == _expected(whole)


@pytest.mark.parametrize("kind", [fixed, adaptive])
def test_parts_that_were_killed_and_gone_on_with_are_the_whole_run(
    session: Make, world: World, kind: Callable[..., Any]
) -> None:
    whole = session(kind(), INPUTS)
    which: list[dict[str, Any]] = [{"shard": Shard(1, 2)}, {"shard": Shard(2, 2)}]
    if kind is fixed:
        which = [
            {"shard": Shard(k, 2), "samples": cut}
            for k in (1, 2)
            for cut in (SampleRange(0, 23), SampleRange(23, N))
        ]
    source = random.Random(8)  # noqa: S311 - a fixed sequence of cases, no secret
    parts = [_part(whole, k, **part) for k, part in enumerate(which)]
    deaths = 0
    for part in parts:
        while True:
            world.budget, world.spent, world.dead = source.randrange(200, 4500), 0, False
            try:
                part.go()
                break
            except Killed:
                deaths += 1
    world.budget, world.dead = math.inf, False
    assert deaths > len(parts)
    assert whole.left() == {part.name for part in parts}
    assert _merged(whole, parts) == _expected(whole)


def test_a_sidecar_is_not_taken_for_another_part(session: Make, world: World) -> None:
    """Counts of one range must never enter another, though run and file name are alike."""
    whole = session(fixed(N), 1)
    first = _part(whole, 1, samples=SampleRange(0, 30))
    second = _part(whole, 2, samples=SampleRange(30, N))
    world.budget = 4200
    with pytest.raises(Killed):
        first.go()
    world.budget, world.dead = math.inf, False
    sidecar = first.path.with_name(first.name + ".partial")
    assert sidecar.exists()
    sidecar.rename(second.path.with_name(second.name + ".partial"))
    first.go()
    second.go()
    assert _merged(whole, [first, second]) == _expected(whole)
