"""Run a procedure on many inputs at once, so that what is asked for fills batches; lose nothing.

Several inputs are in work at the same time: all that their procedures ask for goes to the engine in
one call, which packs it into full batches; the next call is made before that is over, so that the
engine never waits for decisions and disks. Results come out in the order of the inputs, and none
depends on which others were in work beside it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from rsonnx.counts import Counts
from rsonnx.errors import RunFileError
from rsonnx.noise import Point
from rsonnx.procedures import Ask, Asking
from rsonnx.procedures.procedure import Result
from rsonnx.runtime import Call, CountRequest, Progress
from rsonnx.smoothing.in_work import Answer, Done, InWork, take_up
from rsonnx.smoothing.noisy import NoisyClassifier

_MOST_IN_WORK = 4096
"""Inputs in work at once, finished ones that wait for their turn included: an adaptive input that
is asked about time after time holds up those behind it for so many calls."""

_MOST_VALUES = 1 << 25
"""Values that they may have together."""

_SLICE_SECONDS = 2.0
"""How long one call of the engine may take: between calls a checkpoint can be taken."""

_FIRST_SLICE, _GROWTH = 1, 2
"""The first slice, while the speed is not known, in appetites of the engine; and how many times as
large as the one before a slice is at most, so that the first result is there soon."""

_UNDER_WAY = 2
"""Calls of the engine at a time: while the older is counted, what it made of the one before is
decided and written, and the younger lies ready."""

_SHARING = 16
"""Inputs in work at least where they share their noise, which is then drawn once for all."""

Checkpoint = Callable[[Mapping[int, Sequence[Answer]]], None]


def run_many(
    smoothed: NoisyClassifier,
    procedure: Asking[Result],
    inputs: Iterable[tuple[int, Point]],
    *,
    seed: int,
    answered: Mapping[int, Sequence[Answer]] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Generator[Done[Result]]:
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
    answered = answered or {}
    return _Work(smoothed, procedure, seed, answered, checkpoint, progress).run(inputs)


@dataclass(frozen=True)
class _Slice(Generic[Result]):
    """A call of the engine, and of which asks of which inputs it counts parts.

    Attributes:
        parts: inputs, the places of asks among their present ones, and the parts of those.
        call: the call.
        begun: when.
    """

    parts: Sequence[tuple[InWork[Result], int, Ask]]
    call: Call
    begun: float

    @property
    def samples(self) -> int:
        return sum(ask.stop - ask.start for _, _, ask in self.parts)

    def take(self, answers: Sequence[Counts], seconds: float) -> None:
        """Hand out what was counted, and shares of the time that it took."""
        each = seconds / self.samples
        for (entry, place, ask), counts in zip(self.parts, answers, strict=True):
            entry.seconds += each * (ask.stop - ask.start)
            entry.take(place, counts)


class _Work(Generic[Result]):
    """The inputs that are in work."""

    def __init__(
        self,
        smoothed: NoisyClassifier,
        procedure: Asking[Result],
        seed: int,
        answered: Mapping[int, Sequence[Answer]],
        checkpoint: Checkpoint | None,
        progress: Progress | None,
    ) -> None:
        self._smoothed = smoothed
        self._procedure = procedure
        self._seed = seed
        self._stored = dict(answered)
        self._checkpoint = checkpoint
        self._progress = progress
        self._queue: deque[InWork[Result]] = deque()
        self._under_way: deque[_Slice[Result]] = deque()
        self._counted: dict[int, tuple[Answer, ...]] = {}
        self._speed = 0.0
        self._last = 0
        self._ended = 0.0
        self._broken: Exception | None = None

    def run(self, inputs: Iterable[tuple[int, Point]]) -> Generator[Done[Result]]:
        """Yield the results in the order of the inputs."""
        source = iter(inputs)
        try:
            while True:
                while self._queue and (done := self._queue[0].done) is not None:
                    try:
                        yield done
                    except GeneratorExit:
                        self._keep_what_is_counted()
                        raise
                    del self._counted[self._queue.popleft().index]
                if not (self._under_way and self._under_way[0].call.over):
                    self._admit(source)
                    if (self._queue and self._queue[0].done is not None) or self._begin():
                        continue
                    if not self._under_way:
                        break
                self._finish()
            if self._broken is not None:
                raise self._broken
        finally:
            for slice_ in self._under_way:
                slice_.call.stop()

    def _admit(self, source: Iterator[tuple[int, Point]]) -> None:
        """Take inputs into work until they ask for as much as keeps the engine busy."""
        queue = self._queue
        wanted = sum(entry.open for entry in queue)
        unfinished = sum(entry.done is None for entry in queue)
        least = _SHARING if self._smoothed.share_noise else 1
        most = appetite = 0
        while True:
            if queue and not most:
                first = queue[0].point
                most, appetite = _most_in_work(first), self._smoothed.appetite(first)
            if queue and (
                queue[0].done is not None  # which asked for nothing
                or len(queue) >= most
                or (unfinished >= least and wanted >= appetite)
            ):
                return
            following = self._next(source)
            if following is None:
                return
            index, point = following
            stored = self._stored.pop(index, ())
            entry = take_up(self._smoothed, self._procedure, self._seed, index, point, stored)
            if entry.stored:
                raise RunFileError(
                    f"the counts that were kept of input {index} are not those that this run asks "
                    "for; remove them and resume without"
                )
            queue.append(entry)
            self._counted[index] = tuple(entry.answers())
            unfinished += entry.done is None
            wanted += entry.open

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

    def _begin(self) -> bool:
        """Have the engine begin with what is open, where it is not busy for long; say if it did."""
        wanted = sum(entry.open for entry in self._queue)
        if len(self._under_way) >= _UNDER_WAY or not wanted:
            return False
        appetite = self._smoothed.appetite(self._queue[0].point)
        # Half is left for the call that is counted while what this one counts is decided; but no
        # rest so small that it would share a call, and fail, with the next input.
        most = min(round(self._speed * _SLICE_SECONDS), wanted // 2, _GROWTH * self._last)
        room = max(most, _FIRST_SLICE * appetite, 1)
        room = wanted if self._last and wanted - room < appetite else room
        parts: list[tuple[InWork[Result], int, Ask]] = []
        for entry in self._queue:
            for place, ask in entry.give(room) if entry.open else ():
                parts.append((entry, place, ask))
                room -= ask.stop - ask.start
        self._last = sum(ask.stop - ask.start for _, _, ask in parts)
        begun = time.perf_counter()
        requests = [CountRequest(entry.stream(ask), ask.start, ask.stop) for entry, _, ask in parts]
        self._under_way.append(_Slice(parts, self._smoothed.start(requests, self._progress), begun))
        return True

    def _finish(self) -> None:
        """Wait for the older of the calls, and let the procedures go on with what it counted."""
        slice_ = self._under_way[0]
        try:
            answers = slice_.call.result()
        except KeyboardInterrupt:
            self._keep_what_is_counted()
            raise
        self._under_way.popleft()
        now = time.perf_counter()
        seconds, self._ended = now - max(slice_.begun, self._ended), now
        self._speed = slice_.samples / max(seconds, 1e-9)
        slice_.take(answers, seconds)
        entries = {id(entry): entry for entry, _, _ in slice_.parts}.values()
        for entry in entries:
            entry.advance()
        self._tell_checkpoint(entries)

    def _keep_what_is_counted(self) -> None:
        """Stop all calls, and give the checkpoint what they had counted.

        This is for an end that comes while nothing is being decided, so that all counts are whole.
        """
        whole = True
        while self._under_way:
            slice_ = self._under_way.popleft()
            answers = slice_.call.stop()
            if whole and answers:
                slice_.take(answers, 0.0)
            # What a later call counted follows on the whole of an earlier one only.
            whole = whole and sum(counts.total for counts in answers) == slice_.samples
        self._tell_checkpoint(self._queue)

    def _tell_checkpoint(self, entries: Iterable[InWork[Result]]) -> None:
        """Give it all that was counted, which of these inputs is more than before."""
        if self._checkpoint is not None:
            self._counted |= {entry.index: tuple(entry.answers()) for entry in entries}
            self._checkpoint(self._stored | self._counted)


def _most_in_work(point: Point) -> int:
    """Return how many inputs like this one may be in work at once."""
    return max(_SHARING, min(_MOST_IN_WORK, _MOST_VALUES // max(1, point.space.size)))
