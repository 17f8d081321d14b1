"""A run stopped after every single byte and step, and gone on with: the same file."""

from __future__ import annotations

import errno
import math
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torture_runs import Killed, Session, World, adaptive, fixed, without_times

from rsonnx.errors import InferenceError, RunFileError
from rsonnx.runs import CountsRow, Row, Work, keep, read_part

PROCEDURES = {"fixed": fixed, "adaptive": adaptive}
Make = Callable[..., Session]


def _die(session: Session, world: World, budget: float) -> bool:
    """Run until the world ends; say whether it did."""
    world.budget, world.spent, world.dead = budget, 0, False
    try:
        session.go()
    except Killed:
        return True
    finally:
        world.budget, world.dead = math.inf, False
    return False


def _undisturbed(session: Session, world: World) -> tuple[bytes, int]:
    """Return the file of a run that nothing stops, and what it costs."""
    world.spent = 0
    session.go()
    assert session.left() == {session.name}
    return without_times(session.path.read_bytes()), world.spent


def _finish(session: Session, expected: bytes) -> None:
    session.go()
    assert without_times(session.path.read_bytes()) == expected
    assert session.left() == {session.name}


@pytest.mark.parametrize("every", [30, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", PROCEDURES)
def test_a_run_that_dies_after_any_byte_goes_on_to_the_same_file(
    session: Make, world: World, kind: str, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = PROCEDURES[kind]
    before = session(make(), checkpoint=0)
    expected, cost = _undisturbed(before, world)
    rows = read_part(before.path).rows

    def as_before(work: Work, **_: Any) -> Iterator[Row | CountsRow]:
        """What was certified once need not be certified at every byte."""
        yield from (row for row in rows if row.index in (work.indices or ()))

    monkeypatch.setattr(keep, "do_work", as_before)
    dying = session(make(), checkpoint=0)
    source = random.Random(5)  # noqa: S311 - a fixed sequence of cases, no secret
    for budget in sorted(source.sample(range(cost), cost // every)):
        assert _die(dying, world, budget), budget
        if dying.path.exists() and dying.path.read_bytes().count(b"\n"):
            done = len(read_part(dying.path).rows)
            whole = b"\n".join(expected.splitlines()[: 1 + done])
            assert without_times(dying.path.read_bytes()).startswith(whole)
        _finish(dying, expected)
        dying.path.unlink()


@pytest.mark.parametrize("kind", PROCEDURES)
def test_a_run_with_checkpoints_that_dies_anywhere_goes_on_to_the_same_file(
    session: Make, world: World, kind: str
) -> None:
    make = PROCEDURES[kind]
    expected, cost = _undisturbed(session(make()), world)
    dying = session(make())
    source = random.Random(6)  # noqa: S311 - a fixed sequence of cases, no secret
    for budget in source.sample(range(cost), 20):
        assert _die(dying, world, budget), budget
        _finish(dying, expected)
        dying.path.unlink()


def test_a_run_that_dies_again_and_again_goes_on_to_the_same_file(
    session: Make, world: World
) -> None:
    expected, _ = _undisturbed(session(fixed()), world)
    header = expected.index(b"\n")
    source = random.Random(7)  # noqa: S311 - a fixed sequence of cases, no secret
    deaths = []
    for _ in range(5):
        dying = session(fixed())
        died = 0
        while _die(dying, world, source.randrange(1, header + 1700)):
            died += 1
            assert died < 200
        deaths.append(died)
        _finish(dying, expected)
    assert sum(deaths) > 10


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("refuses", ["writes", "everything", "once"])
def test_a_disk_that_refuses_a_byte_is_a_sentence_and_the_run_goes_on_later(
    session: Make, world: World, number: int, refuses: str
) -> None:
    refusal = OSError(number, os.strerror(number))
    world.error, world.once = refusal, refuses == "once"
    world.only_writes = refuses != "everything"
    expected, cost = _undisturbed(session(fixed()), world)
    refused = session(fixed())
    source = random.Random(number)  # noqa: S311 - a fixed sequence of cases, no secret
    for budget in source.sample(range(cost - 5), 10):  # tidying up at the end may fail
        world.error = refusal
        world.budget, world.spent = budget, 0
        with pytest.raises(RunFileError, match=r"cannot be (written|kept in)") as caught:
            refused.go()
        assert os.strerror(number) in str(caught.value)
        world.error, world.budget = None, math.inf
        if refused.path.exists() and world.only_writes:
            assert refused.path.read_bytes().endswith(b"\n")  # no torn line is left
        _finish(refused, expected)
        refused.path.unlink()


def test_what_a_checkpoint_kept_is_not_counted_again(session: Make, world: World) -> None:
    whole = session(fixed(600), 1)
    whole.go()
    needed = whole.job.classifier.samples
    dying = session(fixed(600), 1)
    assert _die(dying, world, 20_000)
    before = dying.job.classifier.samples
    assert before > needed / 4
    dying.go()
    # The model looks at each input once without noise, and a slice that was cut off is lost.
    assert needed <= dying.job.classifier.samples <= needed + 1 + 16
    assert without_times(dying.path.read_bytes()) == without_times(whole.path.read_bytes())


@pytest.mark.parametrize("error", [KeyboardInterrupt, InferenceError, MemoryError])
def test_a_run_that_is_stopped_keeps_its_counts_though_it_is_not_yet_time(
    session: Make, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session(fixed(600), 2)
    whole.go()
    stopped = session(fixed(600), 2, checkpoint=3600)
    classify = stopped.job.classifier.classify

    def stopping(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        if stopped.job.classifier.samples > 900:
            raise error("enough")
        return classify(batch)

    monkeypatch.setattr(stopped.job.classifier, "classify", stopping)
    with pytest.raises((error, InferenceError)):
        stopped.go()
    assert stopped.left() == {"run.jsonl", "run.jsonl.partial"}
    assert read_part(stopped.path).status == (
        "interrupted" if error is KeyboardInterrupt else "failed"
    )
    monkeypatch.undo()
    _finish(stopped, without_times(whole.path.read_bytes()))
    assert stopped.job.classifier.samples < 2 * 621 + 100
