"""Run a procedure on many inputs at once, so that what is asked for fills batches; lose nothing.

Several inputs are in work at the same time: all that their procedures ask for goes to the engine in
one call, which packs it into full batches. Results come out in the order of the inputs, and none
depends on which others were in work beside it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Generic, Protocol

from rsonnx.closed_form import Form
from rsonnx.counts import Counts
from rsonnx.errors import RunFileError, UsageError
from rsonnx.noise import NoisyStream, Point, uniform
from rsonnx.procedures import Ask, Asking, Steps, Task
from rsonnx.procedures.procedure import Result
from rsonnx.runtime import CountRequest, Progress

_MOST_IN_WORK = 256
"""Inputs in work at once, finished ones that wait for their turn included."""

_SLICE_SECONDS = 10.0
"""How long one call of the engine may take: between calls a checkpoint can be taken."""

_FIRST_SLICE = 1
"""The first slice, while the speed is not known, in appetites of the engine."""

_SHARING = 16
"""Inputs in work at least where they share their noise, which is then drawn once for all."""


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


Checkpoint = Callable[[Mapping[int, Sequence[Answer]]], None]


class Smoothed(Protocol):
    """What answers for noisy samples: a smoothed classifier."""

    @property
    def share_noise(self) -> bool: ...  # noqa: D102
    def form(self) -> Form: ...  # noqa: D102
    def point(self, x: Point) -> Point: ...  # noqa: D102
    def stream(self, point: Point, stream: str, seed: int) -> NoisyStream: ...  # noqa: D102
    def appetite(self, point: Point) -> int: ...  # noqa: D102
    def count(  # noqa: D102
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> Sequence[Counts]: ...


def run_many(
    smoothed: Smoothed,
    procedure: Asking[Result],
    inputs: Iterable[tuple[int, Point]],
    *,
    seed: int,
    answered: Mapping[int, Sequence[Answer]] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Iterator[Done[Result]]:
    """Yield a result an input, in the order of the inputs.

    Args:
        smoothed: the smoothed classifier.
        procedure: what is done with one input.
        inputs: each input's index, of the caller's choice and different for each, and its point. It
            is drawn from only as far as inputs are taken into work.
        seed: of the noise, >= 0.
        answered: what an earlier, interrupted call had counted, by index, as it was given to
            ``checkpoint``; it is not counted again.
        checkpoint: called between calls of the engine with all that was counted so far for the
            inputs in work, and what is left of ``answered``. The asks of one stream of one point
            follow on each other.
        progress: called with the number of samples counted since its last call.

    Raises:
        InferenceError: the base classifier failed.
        RunFileError: ``answered`` is not what this procedure would have asked for.
        Exception: what ``inputs`` raised, after the results of all inputs before.
    """
    return _Work(smoothed, procedure, seed, answered or {}).run(inputs, checkpoint, progress)


def asked_for(
    smoothed: Smoothed,
    procedure: Asking[Result],
    point: Point,
    answers: Sequence[Answer],
    *,
    seed: int,
) -> tuple[Answer, ...]:
    """Return those of the answers for one input that :func:`run_many` can go on with."""
    try:
        return tuple(_begun(smoothed, procedure, seed, 0, point, answers).answers())
    except UsageError:  # counts from which nothing can be derived
        return ()


@dataclass(eq=False)
class _InWork(Generic[Result]):
    """One input on its way: what its procedure asks for at present, and what was counted."""

    index: int
    point: Point
    open_stream: Callable[[Point, str], NoisyStream]
    steps: Steps[Result]
    stored: list[Answer]
    streams: dict[tuple[str, Point | None], NoisyStream] = field(default_factory=dict)
    asked: Sequence[Ask] = ()
    counted: list[Counts] = field(default_factory=list)
    past: list[Answer] = field(default_factory=list)
    done: Done[Result] | None = None
    seconds: float = 0.0

    def stream(self, ask: Ask) -> NoisyStream:
        """Return what an ask is drawn from, always the same, since it remembers where it is."""
        key = (ask.stream, ask.point)
        if key not in self.streams:
            self.streams[key] = self.open_stream(ask.point or self.point, ask.stream)
        return self.streams[key]

    def begin(self) -> None:
        """Ask for the first time, and answer from what is stored as far as it goes."""
        self._go_on(lambda: next(self.steps))
        self.advance()

    def wanted(self) -> Iterator[tuple[int, Ask]]:
        """Return what is still to be counted of the present asks, with their places."""
        for place, (ask, counts) in enumerate(zip(self.asked, self.counted, strict=True)):
            start = ask.start + counts.total
            if start < ask.stop and self.done is None:
                yield place, replace(ask, start=start)

    def take(self, place: int, counts: Counts) -> None:
        """Take note of what was counted of one of the present asks."""
        self.counted[place] += counts

    def advance(self) -> None:
        """Let the procedure go on as long as all that it asks for is there."""
        while self.done is None and not any(self.wanted()):
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
            self.asked, self.counted = (), []
            self.streams.clear()
            return
        self.counted = [self._from_store(ask) for ask in self.asked]

    def _from_store(self, ask: Ask) -> Counts:
        counts = Counts([])
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


def _begun(
    smoothed: Smoothed,
    procedure: Asking[Result],
    seed: int,
    index: int,
    point: Point,
    answers: Sequence[Answer],
) -> _InWork[Result]:
    """Take an input into work; answers that are not asked for are left in its store."""
    steps = procedure.steps(Task(point, uniform(seed, point.digest), smoothed.form))
    open_stream = partial(smoothed.stream, seed=seed)
    work: _InWork[Result] = _InWork(index, point, open_stream, steps, list(answers))
    work.begin()
    return work


class _Work(Generic[Result]):
    """The inputs that are in work."""

    def __init__(
        self,
        smoothed: Smoothed,
        procedure: Asking[Result],
        seed: int,
        answered: Mapping[int, Sequence[Answer]],
    ) -> None:
        self._smoothed = smoothed
        self._procedure = procedure
        self._seed = seed
        self._stored = dict(answered)
        self._queue: deque[_InWork[Result]] = deque()
        self._speed = 0.0
        self._broken: Exception | None = None

    def run(
        self,
        inputs: Iterable[tuple[int, Point]],
        checkpoint: Checkpoint | None,
        progress: Progress | None,
    ) -> Iterator[Done[Result]]:
        """Yield the results in the order of the inputs."""
        source = iter(inputs)
        while True:
            self._admit(source)
            room = False
            while self._queue and (done := self._queue[0].done) is not None:
                room = True
                self._queue.popleft()
                yield done
            if room:  # there is room again: what is left of the inputs comes before the end
                continue
            asked = self._slice()
            if asked:
                self._count(asked, progress)
            elif not self._queue:
                if self._broken is not None:
                    raise self._broken
                return
            if asked and checkpoint is not None:
                now = {entry.index: tuple(entry.answers()) for entry in self._queue}
                checkpoint(self._stored | now)

    def _admit(self, source: Iterator[tuple[int, Point]]) -> None:
        """Take inputs into work until they ask for as much as keeps the engine busy."""
        queue = self._queue
        wanted = sum(ask.stop - ask.start for entry in queue for _, ask in entry.wanted())
        unfinished = sum(entry.done is None for entry in queue)
        least = _SHARING if self._smoothed.share_noise else 1
        while len(queue) < _MOST_IN_WORK:
            if queue and queue[0].done is not None:  # which asked for nothing
                return
            if queue and unfinished >= least and wanted >= self._smoothed.appetite(queue[0].point):
                return
            following = self._next(source)
            if following is None:
                return
            index, point = following
            stored = self._stored.pop(index, ())
            entry = _begun(self._smoothed, self._procedure, self._seed, index, point, stored)
            if entry.stored:
                raise RunFileError(
                    f"the counts that were kept of input {index} are not those that this run asks "
                    "for; remove them and resume without"
                )
            queue.append(entry)
            unfinished += entry.done is None
            wanted += sum(ask.stop - ask.start for _, ask in entry.wanted())

    def _next(self, source: Iterator[tuple[int, Point]]) -> tuple[int, Point] | None:
        """Return the next input, None where there is none; a broken one waits for its turn.

        The inputs before it are finished first, as they would have been one by one.
        """
        if self._broken is None:
            try:
                for index, point in source:
                    return index, self._smoothed.point(point)
            except Exception as error:
                self._broken = error
        return None

    def _slice(self) -> list[tuple[_InWork[Result], int, Ask]]:
        """Return what goes to the engine next: all that is wanted, or as much as a slice takes."""
        if not self._queue:
            return []
        appetite = self._smoothed.appetite(self._queue[0].point)
        room = max(round(self._speed * _SLICE_SECONDS), _FIRST_SLICE * appetite, 1)
        taken: list[tuple[_InWork[Result], int, Ask]] = []
        for entry in self._queue:
            for place, ask in entry.wanted():
                if room <= 0:
                    return taken
                part = replace(ask, stop=min(ask.stop, ask.start + room))
                taken.append((entry, place, part))
                room -= part.stop - part.start
        return taken

    def _count(
        self, asked: Sequence[tuple[_InWork[Result], int, Ask]], progress: Progress | None
    ) -> None:
        begun = time.perf_counter()
        answers = self._smoothed.count(
            [CountRequest(entry.stream(ask), ask.start, ask.stop) for entry, _, ask in asked],
            progress,
        )
        seconds = time.perf_counter() - begun
        samples = sum(ask.stop - ask.start for _, _, ask in asked)
        self._speed = samples / max(seconds, 1e-9)
        for (entry, place, ask), counts in zip(asked, answers, strict=True):
            entry.seconds += seconds * (ask.stop - ask.start) / samples
            entry.take(place, counts)
        for entry in {id(entry): entry for entry, _, _ in asked}.values():
            entry.advance()
