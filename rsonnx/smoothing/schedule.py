"""Certify or predict many inputs at once, so that what is asked for fills batches; lose nothing.

Several inputs are in work at the same time: all that their procedures ask for goes to the engine in
one call, which packs it into full batches. Results come out in the order of the inputs, and none
depends on which others were in work beside it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Generic, TypeVar

from rsonnx.certificate import Certificate, Prediction
from rsonnx.counts import Counts
from rsonnx.errors import RunFileError
from rsonnx.noise import NoisyStream, Point, Stage, uniform
from rsonnx.runtime import CountRequest, Progress
from rsonnx.smoothing.classifier import SmoothedClassifier
from rsonnx.smoothing.procedures import Ask, CertifyProcedure, Predict, PredictSequential, Steps

Result = TypeVar("Result", Certificate, Prediction)

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
    """What was counted for an ask of a procedure, or for its beginning."""

    ask: Ask
    counts: Counts


@dataclass(frozen=True)
class Certified:
    """A certificate of one of many inputs.

    Attributes:
        index: what the caller calls the input.
        certificate: of the input.
        seconds: its share, by samples, of the time that was spent on all.
    """

    index: int
    certificate: Certificate
    seconds: float


@dataclass(frozen=True)
class Predicted:
    """A prediction of one of many inputs; ``seconds`` as in :class:`Certified`."""

    index: int
    prediction: Prediction
    seconds: float


Checkpoint = Callable[[Mapping[int, Sequence[Answer]]], None]


def certify_many(
    smoothed: SmoothedClassifier,
    procedure: CertifyProcedure,
    inputs: Iterable[tuple[int, Point]],
    *,
    seed: int,
    answered: Mapping[int, Sequence[Answer]] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Iterator[Certified]:
    """Yield a certificate an input, in the order of the inputs.

    Args:
        smoothed: the smoothed classifier.
        procedure: how one input is certified.
        inputs: each input's index, of the caller's choice and different for each, and its point. It
            is drawn from only as far as inputs are taken into work.
        seed: of the noise, >= 0.
        answered: what an earlier, interrupted call had counted, by index, as it was given to
            ``checkpoint``; it is not counted again.
        checkpoint: called between calls of the engine with all that was counted so far for the
            inputs in work, and what is left of ``answered``. The asks of one stage of one input
            follow on each other.
        progress: called with the number of samples counted since its last call.

    Raises:
        InferenceError: the base classifier failed.
        RunFileError: ``answered`` is not what this procedure would have asked for.
        Exception: what ``inputs`` raised, after the certificates of all inputs before.
    """
    work = _Work(
        smoothed, lambda point: procedure.steps(uniform(seed, point.digest)), seed, answered or {}
    )
    for done, certificate in work.run(inputs, checkpoint, progress):
        yield Certified(done.index, certificate, done.seconds)


def predict_many(
    smoothed: SmoothedClassifier,
    procedure: Predict | PredictSequential,
    inputs: Iterable[tuple[int, Point]],
    *,
    seed: int,
    progress: Progress | None = None,
) -> Iterator[Predicted]:
    """Yield a prediction an input, in the order of the inputs; arguments as in certify_many."""
    work = _Work(smoothed, lambda _: procedure.steps(), seed, {})
    for done, prediction in work.run(inputs, None, progress):
        yield Predicted(done.index, prediction, done.seconds)


@dataclass(eq=False)
class _InWork(Generic[Result]):
    """One input on its way: what its procedure asks for at present, and what was counted."""

    index: int
    point: Point
    seed: int
    open_stream: Callable[[Point, Stage, int], NoisyStream]
    steps: Steps[Result]
    stored: list[Answer]
    streams: dict[Stage, NoisyStream] = field(default_factory=dict)
    asked: Sequence[Ask] = ()
    counted: list[Counts] = field(default_factory=list)
    past: list[Answer] = field(default_factory=list)
    result: Result | None = None
    seconds: float = 0.0

    def stream(self, stage: Stage) -> NoisyStream:
        """Return the stream of a stage, always the same one, since it remembers where it is."""
        if stage not in self.streams:
            self.streams[stage] = self.open_stream(self.point, stage, self.seed)
        return self.streams[stage]

    def begin(self) -> None:
        """Ask for the first time, and answer from what is stored as far as it goes."""
        if any(one.counts.total != one.ask.stop - one.ask.start for one in self.stored):
            raise self._foreign()
        self._go_on(lambda: next(self.steps))
        self.advance()
        if self.stored:
            raise self._foreign()

    def wanted(self) -> Iterator[tuple[int, Ask]]:
        """Return what is still to be counted of the present asks, with their places."""
        for place, (ask, counts) in enumerate(zip(self.asked, self.counted, strict=True)):
            start = ask.start + counts.total
            if start < ask.stop and self.result is None:
                yield place, replace(ask, start=start)

    def take(self, place: int, counts: Counts) -> None:
        """Take note of what was counted of one of the present asks."""
        self.counted[place] += counts

    def advance(self) -> None:
        """Let the procedure go on as long as all that it asks for is there."""
        while self.result is None and not any(self.wanted()):
            self.past += self._present()
            self._go_on(lambda: self.steps.send(self.counted))

    def answers(self) -> Iterator[Answer]:
        """Return all that was counted so far."""
        return chain(self.past, self._present())

    def _present(self) -> Iterator[Answer]:
        """Return what was counted of the present asks."""
        for ask, counts in zip(self.asked, self.counted, strict=True):
            if counts.total:
                yield Answer(replace(ask, stop=ask.start + counts.total), counts)

    def _go_on(self, step: Callable[[], Sequence[Ask]]) -> None:
        """Take a step of the procedure: it asks for more, or it is done."""
        try:
            self.asked = step()
        except StopIteration as stop:
            self.result = replace(
                stop.value,
                arithmetic=self.point.arithmetic,
                seed=self.seed,
                digest=self.point.digest,
            )
            self.asked, self.counted = (), []
            self.streams.clear()
            return
        self.counted = [self._from_store(ask) for ask in self.asked]

    def _from_store(self, ask: Ask) -> Counts:
        counts = Counts([])
        for answer in [one for one in self.stored if one.ask.stage == ask.stage]:
            at = ask.start + counts.total
            if at == ask.stop or answer.ask.start != at:
                break
            if answer.ask.stop > ask.stop:
                raise self._foreign()
            counts += answer.counts
            self.stored.remove(answer)
        return counts

    def _foreign(self) -> RunFileError:
        return RunFileError(
            f"the counts that were kept of input {self.index} are not those that this run asks "
            "for; remove them and resume without"
        )


class _Work(Generic[Result]):
    """The inputs that are in work."""

    def __init__(
        self,
        smoothed: SmoothedClassifier,
        begin: Callable[[Point], Steps[Result]],
        seed: int,
        answered: Mapping[int, Sequence[Answer]],
    ) -> None:
        self._smoothed = smoothed
        self._begin: Callable[[Point], Steps[Result]] = begin
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
    ) -> Iterator[tuple[_InWork[Result], Result]]:
        """Yield the inputs in their order, each with its result."""
        source = iter(inputs)
        while True:
            self._admit(source)
            done = False
            while self._queue and (result := self._queue[0].result) is not None:
                done = True
                yield self._queue.popleft(), result
            if done:  # there is room again: what is left of the inputs comes before the end
                continue
            asked = self._slice()
            if asked:
                self._count(asked, progress)
            elif not self._queue:
                if self._broken is not None:
                    raise self._broken
                return
            if asked and checkpoint is not None:
                now = {one.index: tuple(one.answers()) for one in self._queue}
                checkpoint(self._stored | now)

    def _admit(self, source: Iterator[tuple[int, Point]]) -> None:
        """Take inputs into work until they ask for as much as keeps the engine busy."""
        queue = self._queue
        wanted = sum(ask.stop - ask.start for one in queue for _, ask in one.wanted())
        unfinished = sum(one.result is None for one in queue)
        least = _SHARING if self._smoothed.share_noise else 1
        while len(queue) < _MOST_IN_WORK:
            if queue and unfinished >= least and wanted >= self._smoothed.appetite(queue[0].point):
                return
            found = self._next(source)
            if found is None:
                return
            index, point = found
            one = _InWork(
                index,
                point,
                self._seed,
                self._smoothed.stream,
                self._begin(point),
                list(self._stored.pop(index, ())),
            )
            one.begin()
            queue.append(one)
            unfinished += one.result is None
            wanted += sum(ask.stop - ask.start for _, ask in one.wanted())

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
        for one in self._queue:
            for place, ask in one.wanted():
                if room <= 0:
                    return taken
                part = replace(ask, stop=min(ask.stop, ask.start + room))
                taken.append((one, place, part))
                room -= part.stop - part.start
        return taken

    def _count(
        self, asked: Sequence[tuple[_InWork[Result], int, Ask]], progress: Progress | None
    ) -> None:
        begun = time.perf_counter()
        found = self._smoothed.count(
            [CountRequest(one.stream(ask.stage), ask.start, ask.stop) for one, _, ask in asked],
            progress,
        )
        seconds = time.perf_counter() - begun
        samples = sum(ask.stop - ask.start for _, _, ask in asked)
        self._speed = samples / max(seconds, 1e-9)
        for (one, place, ask), counts in zip(asked, found, strict=True):
            one.seconds += seconds * (ask.stop - ask.start) / samples
            one.take(place, counts)
        for one in {id(one): one for one, _, _ in asked}.values():
            one.advance()
