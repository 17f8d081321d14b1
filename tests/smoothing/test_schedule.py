"""Many inputs at once: the same certificates as one by one, in order, with full batches."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count as count_up
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rsonnx.counts import Counts
from rsonnx.errors import DataError, InferenceError, RunFileError
from rsonnx.noise import InputSpace, Point
from rsonnx.procedures import (
    ABSTAIN,
    Ask,
    Asking,
    Certificate,
    Procedure,
    Steps,
    Task,
    certify_procedure,
    predict_procedure,
)
from rsonnx.runtime import CountRequest, ThreadEngine
from rsonnx.smoothing import Answer, SmoothedClassifier, run_many

SHAPE = (1, 4, 4)
SEED = 11


class Stripes:
    """Four classes by the sum of the values, NaN for a fifth of them; it notes its batches."""

    num_classes = 4
    shape = SHAPE
    thread_safe = True

    def __init__(self) -> None:
        self.batches: list[int] = []

    def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
        self.batches.append(len(batch))
        along = batch.reshape(len(batch), -1).sum(axis=1)
        return np.asarray(np.floor(along / 3.0) % 5 - 1, np.int64)


def smoothed(sigma: float = 0.25, **options: Any) -> SmoothedClassifier:
    return SmoothedClassifier(Stripes(), sigma, **options)


def inputs(g: SmoothedClassifier, count: int = 23) -> list[tuple[int, Point]]:
    rng = np.random.default_rng(3)
    return [(10 * k, g.point(rng.integers(0, 256, SHAPE, np.uint8))) for k in range(count)]


def by_one(g: SmoothedClassifier, procedure: Asking[Any], points: Any) -> list[Any]:
    """What the inputs give one by one."""
    return [next(run_many(g, procedure, [one], seed=SEED)).result for one in points]


def procedures(g: SmoothedClassifier) -> Iterator[Procedure]:
    for radii in (None, (0.2,), (0.1, 0.3, 0.5)):
        yield certify_procedure(g.noise, n0=50, n=1_500, alpha=0.01, target_radii=radii)


@pytest.mark.parametrize("options", [{}, {"batch_size": 7, "workers": 3}, {"share_noise": True}])
def test_together_is_the_same_as_alone(options: dict[str, Any]) -> None:
    g = smoothed(**options)
    labels = set()
    for procedure in procedures(g):
        found = list(run_many(g, procedure, inputs(g), seed=SEED))
        assert [one.index for one in found] == [index for index, _ in inputs(g)]
        alone = by_one(g, procedure, inputs(g))
        assert [one.result for one in found] == alone
        assert all(one.seconds > 0 for one in found)
        labels |= {one.label for one in alone}
    assert len(labels - {ABSTAIN}) > 1


def test_early_stops_do_not_empty_the_batches() -> None:
    """An adaptive run of many inputs makes few calls: its looks of 32 fill batches of 64."""
    base = Stripes()
    g = SmoothedClassifier(base, 0.1, batch_size=64, workers=1)
    procedure = certify_procedure(g.noise, n0=50, n=10_000, alpha=0.01, target_radii=(0.05,))
    samples = sum(
        one.result.counts.selection.total + one.result.counts.estimation.total
        for one in run_many(g, procedure, inputs(g, 200), seed=SEED)
    )
    assert sum(base.batches) == samples
    assert len(base.batches) < 1.5 * samples / 64


@pytest.mark.parametrize("count", [0, 255, 256, 257, 600])
def test_inputs_that_all_end_at_once_are_not_the_last(count: int) -> None:
    """256 inputs are in work at once; with few samples each, all of them end in the same call."""
    g = smoothed()
    procedure = certify_procedure(g.noise, n0=1, n=10, alpha=0.1)
    found = list(run_many(g, procedure, inputs(g, count), seed=SEED))
    assert [one.index for one in found] == [10 * k for k in range(count)]


def test_inputs_are_drawn_from_as_they_are_needed() -> None:
    g = smoothed()
    source = iter(inputs(g, 400))
    procedure = certify_procedure(g.noise, n0=50, n=20_000, alpha=0.01)
    next(run_many(g, procedure, source, seed=SEED))
    assert len(list(source)) > 390


class Dying(ThreadEngine):
    """An engine that stops after so many calls, as a killed process does; it notes what it counted.

    Args:
        calls: how many it answers.
        appetite: how many samples it wants at a time.
    """

    def __init__(self, calls: int, appetite: int) -> None:
        super().__init__(Stripes(), 16, 1)
        self.left = calls
        self.wanted = appetite
        self.seen: Counter[tuple[str, str, int]] = Counter()

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        return self.wanted

    def count(self, requests: Sequence[CountRequest], progress: Any = None) -> list[Counts]:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        for request in requests:
            stream: Any = request.stream
            where = stream.point.digest, stream.stage
            self.seen.update((*where, k) for k in range(request.start, request.stop))
        return super().count(requests, progress)


def gone_on_with(
    procedure: Asking[Any], points: Sequence[tuple[int, Point]], engines: Iterator[Dying]
) -> tuple[list[Any], Counter[tuple[str, str, int]], int]:
    """Go on with a run that is killed again and again: its results, all counted, its sessions."""
    results: list[Any] = []
    kept: Mapping[int, Sequence[Answer]] = {}
    seen: Counter[tuple[str, str, int]] = Counter()
    sessions = 0
    while len(results) < len(points):
        engine, left = next(engines), points[len(results) :]
        state: dict[str, Any] = {"kept": kept}
        g = smoothed(engine=engine)
        save = partial(dict.__setitem__, state, "kept")
        run = run_many(g, procedure, left, seed=SEED, answered=kept, checkpoint=save)
        try:
            for one in run:
                assert one.index == points[len(results)][0]
                results.append(one.result)
        except KeyboardInterrupt:
            pass
        unfinished = {index for index, _ in points[len(results) :]}
        kept = {k: v for k, v in state["kept"].items() if k in unfinished}
        seen += engine.seen
        sessions += 1
    return results, seen, sessions


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_what_was_counted_is_not_counted_again(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted after every call in turn and gone on with, the whole costs no sample twice."""
    monkeypatch.setattr("rsonnx.smoothing.schedule._FIRST_SLICE", 1)
    monkeypatch.setattr("rsonnx.smoothing.schedule._SLICE_SECONDS", 0.0)
    g = smoothed()
    procedure, points = list(procedures(g))[kind], inputs(g, 9)
    expected = by_one(g, procedure, points)
    engines = (Dying(1, 150) for _ in count_up())
    results, seen, sessions = gone_on_with(procedure, points, engines)
    assert results == expected
    samples = sum(c.counts.selection.total + c.counts.estimation.total for c in expected)
    assert sum(seen.values()) == len(seen) == samples
    assert sessions > 5


def test_a_checkpoint_holds_what_was_counted() -> None:
    g = smoothed()
    seen: list[Mapping[int, Sequence[Answer]]] = []
    procedure = certify_procedure(g.noise, n0=50, n=3_000, alpha=0.01)
    list(run_many(g, procedure, inputs(g, 3), seed=SEED, checkpoint=seen.append))
    for kept in seen:
        for answers in kept.values():
            for answer in answers:
                assert answer.counts.total == answer.stop - answer.start
    index, point = inputs(g, 3)[0]
    first = seen[0][index]
    estimation = next(answer for answer in first if answer.stream == "estimation")
    assert estimation.counts == g.sample_counts(
        point, estimation.start, estimation.stop, stage="estimation", seed=SEED
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer("estimation", 0, Counts([2_000])),
        Answer("selection", 5, Counts([4])),
        Answer("prediction", 0, Counts([10])),
        Answer("selection", 0, Counts([60])),
    ],
)
def test_counts_of_another_procedure_are_refused(answer: Answer) -> None:
    g = smoothed()
    procedure = certify_procedure(g.noise, n0=50, n=1_500, alpha=0.01)
    with pytest.raises(RunFileError, match="input 0"):
        list(run_many(g, procedure, inputs(g, 1), seed=SEED, answered={0: [answer]}))


def test_a_failing_model_stops_all() -> None:
    class Failing(Stripes):
        def classify(self, batch: NDArray[np.float32]) -> NDArray[np.int64]:
            raise ValueError("no")

    g = SmoothedClassifier(Failing(), 0.25)
    procedure = certify_procedure(g.noise, n0=50, n=100, alpha=0.1)
    with pytest.raises(InferenceError, match="ValueError: no"):
        list(run_many(g, procedure, inputs(g, 3), seed=SEED))


@pytest.mark.parametrize("broken", [True, False])
def test_an_input_that_fails_loses_nothing_before_it(broken: bool) -> None:
    """The rows before it come out, as they would have one by one; a foreign point fails too."""
    g = smoothed()
    procedure = certify_procedure(g.noise, n0=50, n=4_000, alpha=0.01, target_radii=(0.2,))
    points = inputs(g, 9)

    def source() -> Iterator[tuple[int, Point]]:
        yield from points
        if broken:
            raise DataError("the tenth is broken")
        yield 9, InputSpace(SHAPE, (0.0, 255.0)).point(np.zeros(SHAPE, np.uint8))

    results: list[Certificate] = []
    with pytest.raises(DataError, match="the tenth is broken" if broken else r"255\.0"):
        results.extend(one.result for one in run_many(g, procedure, source(), seed=SEED))
    assert results == by_one(g, procedure, points)


Tally = Mapping[tuple[str, str | None], Counts]


@dataclass(frozen=True)
class Whimsical:
    """A procedure that asks for whatever comes to its mind, and sometimes for nothing at all.

    Some of it is asked at another point than the input. It returns the counts of each stream.
    """

    whim: int
    elsewhere: Point
    samples: int = 1_000

    def steps(self, task: Task) -> Steps[Tally]:
        rng = random.Random(f"{self.whim} {task.uniform}")  # noqa: S311 - no secret
        places = [("selection", None), ("estimation", None), ("estimation", self.elsewhere)]
        tally: dict[tuple[str, str | None], Counts] = {}
        for _ in range(rng.choice([0, 1, 2, 5])):
            asks = []
            for stream, point in rng.sample(places, rng.randint(0, 3)):
                at = tally.get((stream, point and point.digest), Counts([])).total
                for _ in range(rng.randint(1, 2)):
                    stop = at + rng.randint(0, 40)
                    asks.append(Ask(stream, at, stop, point))
                    at = stop
            answers = yield asks
            for ask, counts in zip(asks, answers, strict=True):
                assert counts.total == ask.stop - ask.start
                key = (ask.stream, ask.point and ask.point.digest)
                tally[key] = tally.get(key, Counts([])) + counts
            if any(counts[0] > rng.random() * counts.total for counts in tally.values()):
                break
        return tally


@given(whim=st.integers(0, 2**32), appetite=st.integers(0, 300), count=st.integers(0, 12))
def test_whatever_is_asked_is_counted_once(whim: int, appetite: int, count: int) -> None:
    """Random procedures, random interruptions, some inputs equal to each other."""
    rng = random.Random(whim)  # noqa: S311 - no secret
    g = smoothed()
    procedure = Whimsical(whim, g.point(np.full(SHAPE, 77, np.uint8)))
    levels = [rng.choice([0, 10 * k]) for k in range(count)]
    points = [(3 * k, g.point(np.full(SHAPE, v, np.uint8))) for k, v in enumerate(levels)]
    expected: list[Tally] = by_one(g, procedure, points)
    wanted: Counter[tuple[str, str, int]] = Counter()
    for (_, point), tally in zip(points, expected, strict=True):
        for (stream, digest), counts in tally.items():
            wanted.update((digest or point.digest, stream, k) for k in range(counts.total))
    engines = (Dying(rng.choice([1, 2, 30]), appetite) for _ in count_up())
    results, seen, _ = gone_on_with(procedure, points, engines)
    assert results == expected
    assert seen == wanted


@pytest.mark.parametrize("sequential", [False, True])
def test_predictions_together_are_the_same_as_alone(sequential: bool) -> None:
    g = smoothed()
    procedure = predict_procedure(
        g.noise, n=700, alpha=0.01, method="two-class", sequential=sequential, num_classes=4
    )
    found = list(run_many(g, procedure, inputs(g), seed=SEED))
    alone = by_one(g, procedure, inputs(g))
    assert [one.result for one in found] == alone
    assert [one.index for one in found] == [index for index, _ in inputs(g)]
    assert len({one.label for one in alone}) > 1


class Busy(ThreadEngine):
    """An engine whose calls are short, and under way two at a time."""

    def __init__(self) -> None:
        super().__init__(Stripes(), 16, 2)

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        return 400


def test_a_call_leaves_half_of_what_is_open_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one lies ready while the procedures decide on what the one before it counted."""
    monkeypatch.setattr("rsonnx.smoothing.schedule._SLICE_SECONDS", 1e9)
    calls: list[int] = []

    class Noting(Busy):
        def start(self, requests: Any, progress: Any = None) -> Any:
            calls.append(sum(request.stop - request.start for request in requests))
            return super().start(requests, progress)

    g = smoothed(engine=Noting())
    procedure = certify_procedure(g.noise, n0=50, n=1_500, alpha=0.01)
    list(run_many(g, procedure, inputs(g, 4), seed=SEED))
    assert sum(calls) == 4 * 1_550
    assert max(calls) <= (1_550 + 400) / 2  # another input is taken into work below 400


def test_a_run_that_is_stopped_while_it_waits_keeps_what_was_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    g = smoothed(engine=Busy())
    procedure = certify_procedure(g.noise, n0=50, n=1_500, alpha=0.01)
    points = inputs(g, 2)
    kept: list[Mapping[int, Sequence[Answer]]] = []

    def pressed(_: object) -> list[Counts]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rsonnx.runtime.thread_engine._Threaded.result", pressed)
        with pytest.raises(KeyboardInterrupt):
            list(run_many(g, procedure, points, seed=SEED, checkpoint=kept.append))
    assert kept[-1][0]
    for answer in kept[-1][0]:
        counted = (points[0][1], answer.start, answer.stop)
        assert answer.counts == g.sample_counts(*counted, stage=answer.stream, seed=SEED)
    again = run_many(g, procedure, points, seed=SEED, answered=kept[-1])
    assert [done.result for done in again] == by_one(smoothed(), procedure, points)
