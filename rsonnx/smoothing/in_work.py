"""One input on its way through a procedure: what is asked for, what was counted, what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Generic

from rsonnx.counts import Counts
from rsonnx.errors import UsageError
from rsonnx.noise import Point
from rsonnx.procedures import Ask, Asking, Steps, Task
from rsonnx.procedures.procedure import Result
from rsonnx.runtime.ranges import SampleStream
from rsonnx.smoothing.noisy import NoisyClassifier

_NOTHING = Counts([])


@dataclass(frozen=True)
class Answer:
    """What was counted for an ask of a procedure, or for its beginning.

    Attributes:
        stream: of the ask.
        start: index of the first sample.
        counts: of as many samples as they sum to.
        point: digest of the ask's point; None for the input itself.
    """

    stream: str
    start: int
    counts: Counts
    point: str | None = None

    @property
    def stop(self) -> int:
        """Index behind the last sample."""
        return self.start + self.counts.total


@dataclass(frozen=True)
class Done(Generic[Result]):
    """What a procedure returned for one of many inputs.

    Attributes:
        index: what the caller calls the input.
        point: the input.
        result: a certificate, a prediction, or counts.
        seconds: its share, by samples, of the time that was spent on all, and its own at the end.
    """

    index: int
    point: Point
    result: Result
    seconds: float


@dataclass(eq=False)
class InWork(Generic[Result]):
    """One input on its way: what its procedure asks for at present, and what was counted.

    Of each of the present asks so many samples are counted, and so many given to the engine, from
    its start on. ``open`` are those that were not given yet.
    """

    index: int
    point: Point
    open_stream: Callable[[Point, str], SampleStream]
    steps: Steps[Result]
    stored: list[Answer]
    streams: dict[tuple[str, Point | None], SampleStream] = field(default_factory=dict)
    asked: Sequence[Ask] = ()
    counted: list[Counts] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    open: int = 0
    past: list[Answer] = field(default_factory=list)
    done: Done[Result] | None = None
    seconds: float = 0.0

    def stream(self, ask: Ask) -> SampleStream:
        """Return what an ask is drawn from, always the same, since it remembers where it is."""
        key = (ask.stream, ask.point)
        if key not in self.streams:
            self.streams[key] = self.open_stream(ask.point or self.point, ask.stream)
        return self.streams[key]

    def begin(self) -> None:
        """Ask for the first time, and answer from what is stored as far as it goes."""
        self._go_on(lambda: next(self.steps))
        self.advance()

    def give(self, most: int) -> Iterator[tuple[int, Ask]]:
        """Give so many open samples away at most: parts of the present asks, with their places."""
        for place, ask in enumerate(self.asked):
            start = ask.start + self.given[place]
            samples = min(ask.stop - start, most)
            if samples > 0:
                self.given[place] += samples
                self.open -= samples
                most -= samples
                yield place, Ask(ask.stream, start, start + samples, ask.point)

    def take(self, place: int, counts: Counts) -> None:
        """Take note of what was counted of one of the present asks."""
        self.counted[place] += counts

    def advance(self) -> None:
        """Let the procedure go on as long as all that it asks for is there."""
        while self.done is None and all(
            counts.total == ask.stop - ask.start
            for ask, counts in zip(self.asked, self.counted, strict=True)
        ):
            self.past += self._present()
            self._go_on(lambda: self.steps.send(self.counted))

    def answers(self) -> Iterator[Answer]:
        """Return all that was counted so far."""
        return chain(self.past, self._present())

    def _present(self) -> Iterator[Answer]:
        """Return what was counted of the present asks."""
        for ask, counts in zip(self.asked, self.counted, strict=True):
            if counts.total:
                yield Answer(ask.stream, ask.start, counts, _digest(ask))

    def _go_on(self, step: Callable[[], Sequence[Ask]]) -> None:
        """Take a step of the procedure: it asks for more, or it is done."""
        begun = time.perf_counter()
        try:
            self.asked = step()
        except StopIteration as stop:
            self.seconds += time.perf_counter() - begun
            self.done = Done(self.index, self.point, stop.value, self.seconds)
            self.asked, self.counted, self.open = (), [], 0
            self.streams.clear()
            return
        self.counted = [self._from_store(ask) for ask in self.asked]
        self.given = [counts.total for counts in self.counted]
        self.open = sum(ask.stop - ask.start for ask in self.asked) - sum(self.given)

    def _from_store(self, ask: Ask) -> Counts:
        counts = _NOTHING
        same = (ask.stream, _digest(ask))
        for answer in [kept for kept in self.stored if (kept.stream, kept.point) == same]:
            at = ask.start + counts.total
            if answer.start != at or answer.stop > ask.stop:
                break
            counts += answer.counts
            self.stored.remove(answer)
        return counts


def _digest(ask: Ask) -> str | None:
    return None if ask.point is None else ask.point.digest


def take_up(
    smoothed: NoisyClassifier,
    procedure: Asking[Result],
    seed: int,
    index: int,
    point: Point,
    answers: Sequence[Answer],
) -> InWork[Result]:
    """Take an input into work; answers that are not asked for are left in its store."""
    steps = procedure.steps(Task(point, seed, smoothed.form))
    open_stream = partial(smoothed.stream, seed=seed)
    work: InWork[Result] = InWork(index, point, open_stream, steps, list(answers))
    work.begin()
    return work


def asked_for(
    smoothed: NoisyClassifier,
    procedure: Asking[Result],
    point: Point,
    answers: Sequence[Answer],
    *,
    seed: int,
) -> tuple[Answer, ...]:
    """Return those of the answers for one input that :func:`run_many` can go on with."""
    try:
        return tuple(take_up(smoothed, procedure, seed, 0, point, answers).answers())
    except UsageError:  # counts from which nothing can be derived
        return ()
