"""The near end of an engine whose workers are elsewhere: what processes and Ray share.

Requests are cut into units by the speed of each worker. A unit comes back counted, or its worker is
lost and it is dealt again; each is added exactly once, so that how the work was cut and who did it
cannot be seen in the sums.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, RsonnxError, UsageError
from rsonnx.runtime.engine import Engine
from rsonnx.runtime.ranges import CountRequest, Ranges, Span
from rsonnx.runtime.tally import Progress
from rsonnx.runtime.thread_engine import usual_batch
from rsonnx.runtime.workers.worker import Answer, Done, Ready

_MOST_VALUES = 1 << 22
"""Values of the inputs of a unit's spans at most, which travel with it."""

_LEAST_SPANS = 16
"""Spans that a unit may have, whatever they carry."""

_LEAST_SAMPLES = 64
"""Samples of a unit at least, where there are so many: a batch or so."""

_SECONDS = (0.25, 4.0)
"""A unit shall last about so long: long enough that sending it and filling its last batch do not
show, short enough that workers finish together and little is lost with one of them."""

_IN_FLIGHT = 2
"""Units that a worker holds: the next lies ready when it has finished one."""

_BATCHES_A_CALL = 64
"""Batches a worker that a call should ask for while speeds are unknown."""

_CALL_SECONDS = 2.0
"""How long a call should keep all workers busy: some units each, so that many fast workers do not
have more units answered in a second than one machine can deal."""


@dataclass(eq=False)
class Unit:
    """What a worker counts at a time.

    Attributes:
        spans: its samples.
        deaths: how many workers were lost while they counted it.
    """

    spans: list[Span]
    deaths: int = 0

    @property
    def samples(self) -> int:
        """How many samples it has."""
        return sum(map(len, self.spans))


class Work:
    """The requests of one call: what is left of them, and what was counted.

    Attributes:
        counts: one vector of counts a request.
    """

    def __init__(
        self, requests: Sequence[CountRequest], num_classes: int, progress: Progress | None
    ) -> None:
        self._requests = requests
        self._progress = progress
        self._ranges = Ranges.of(requests)
        self._lost: deque[Unit] = deque()
        self._to_count = self._ranges.total
        size = max((math.prod(r.stream.sample_shape) for r in requests), default=1)
        self._most_spans = max(_LEAST_SPANS, _MOST_VALUES // max(1, size))
        self.counts = [Counts([0] * num_classes) for _ in requests]

    @property
    def finished(self) -> bool:
        """Whether every sample was counted."""
        return self._to_count == 0

    def take(self, rate: float | None, workers: int) -> Unit | None:
        """Return a lost unit as it was, else a new one, or None where all are taken.

        Units shrink towards the end, so that all workers finish together. Their sizes are powers of
        two, which most batch sizes divide.

        Args:
            rate: samples a second that its worker counts, None where that is not known.
            workers: how many there are.
        """
        if self._lost:
            return self._lost.popleft()
        shortest, longest = ((rate or 0.0) * seconds for seconds in _SECONDS)
        least = min(shortest, self._ranges.total / workers)
        share = max(_LEAST_SAMPLES, least, min(longest, self._ranges.left / workers))
        samples = 1 << (int(share).bit_length() - 1)
        spans = self._ranges.take(samples, whole_blocks=True, most=self._most_spans)
        return Unit(spans) if spans else None

    def requests_of(self, unit: Unit) -> list[CountRequest]:
        """Return a unit as requests for the engine of a worker."""
        return [CountRequest(self._requests[s.request].stream, s.start, s.stop) for s in unit.spans]

    def give_back(self, unit: Unit) -> None:
        """Take back a unit whose worker was lost before it answered."""
        self._lost.append(unit)

    def add(self, unit: Unit, counts: Sequence[Counts]) -> None:
        """Add what a worker counted of a unit that it had taken.

        Raises:
            InferenceError: the counts do not sum to the lengths of the unit's spans.
        """
        totals, lengths = [c.total for c in counts], [len(span) for span in unit.spans]
        if totals != lengths:
            raise InferenceError(
                f"a worker counted {totals} answers to spans of {lengths} samples, so none of "
                "them can be used; look into its engine"
            )
        for span, some in zip(unit.spans, counts, strict=True):
            self.counts[span.request] += some
        self._to_count -= unit.samples
        if self._progress is not None:
            self._progress(unit.samples)


class Link(ABC):
    """One worker, as its engine sees it.

    Attributes:
        name: what to call it in messages.
        ready: whether it has loaded the model.
        units: handed to it and not answered, oldest first.
        rate: samples a second; None where it has not counted enough to tell.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = False
        self.units: deque[Unit] = deque()
        self.rate: float | None = None
        self._warm = False

    @abstractmethod
    def send(self, requests: list[CountRequest]) -> None:
        """Ask for the counts of a unit, which has been put behind :attr:`units`."""

    def done(self, seconds: float) -> Unit:
        """Take the oldest unit off, which was counted in so many seconds."""
        unit = self.units.popleft()
        if self._warm:  # the first unit also paid for what is made once
            self.rate = unit.samples / max(seconds, 1e-6)
        self._warm = True
        return unit


AnyLink = TypeVar("AnyLink", bound=Link)


class RemoteEngine(AbstractContextManager[Engine], Generic[AnyLink]):
    """Counts with workers elsewhere; a subclass says how they are had, heard and lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._links: list[AnyLink] = []
        self._alike: Ready | None = None
        self._open = True

    @abstractmethod
    def _hear(self) -> Iterable[tuple[AnyLink, Answer | Exception]]:
        """Wait a while for answers; an exception that is not ours is why a worker is lost."""

    @abstractmethod
    def _end(self, links: Sequence[AnyLink]) -> None:
        """End the workers and whatever leads to them; called once."""

    def _lose(self, link: AnyLink, why: Exception, work: Work | None) -> None:  # noqa: ARG002
        """Give a worker up: have its units counted elsewhere, or raise an error."""
        raise why

    def _recruit(self) -> None:
        """Have as many workers as there should be; called between any two answers."""

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; a unit that they count is given up."""
        links, self._links = self._links, []
        was_open, self._open = self._open, False
        if was_open:
            self._end(links)

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that all workers stay busy."""
        usual = max(1, len(self._links)) * _BATCHES_A_CALL * usual_batch(sample_shape)
        return max(usual, round(_CALL_SECONDS * sum(link.rate or 0.0 for link in self._links)))

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request; see Engine.

        What a classifier raised in a worker is raised here, naming it, and not tried again.
        """
        with self._lock:
            if not self._open:
                raise UsageError("the engine is closed; make another one")
            work = Work(requests, (self._alike.num_classes if self._alike else None) or 0, progress)
            try:
                while not work.finished:
                    self._recruit()
                    self._deal(work)
                    self._listen(work)
            except BaseException:  # what is in flight must never meet the next call
                self.close()
                raise
            return work.counts

    def _listen(self, work: Work | None) -> None:
        """Take in what the workers have answered."""
        for link, answer in self._hear():
            if isinstance(answer, RsonnxError):
                raise type(answer)(f"{answer} (in the {link.name})")
            if isinstance(answer, Exception):
                self._lose(link, answer, work)
            elif isinstance(answer, Ready) and not link.ready:
                self._alike = self._alike or answer
                self._alike.check_alike(answer, link.name)
                link.ready = True
            elif isinstance(answer, Done) and work is not None and link.units:
                work.add(link.done(answer.seconds), answer.counts)
            else:
                raise InferenceError(f"the {link.name} answered out of turn; run again")

    def _deal(self, work: Work) -> None:
        """Deal units out until every worker holds enough or all are taken, one each first."""
        links = [link for link in self._links if link.ready]
        for depth in range(_IN_FLIGHT):
            for link in [link for link in links if len(link.units) <= depth]:
                unit = work.take(link.rate, len(links))
                if unit is None:
                    return
                link.units.append(unit)
                link.send(work.requests_of(unit))
