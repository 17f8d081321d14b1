"""What an engine is: it answers count requests.

An engine knows no statistics. It is asked for ranges of samples and gives back counts; how it cuts
the ranges into batches and spreads them over workers cannot be seen in the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, UsageError
from rsonnx.runtime.ranges import CountRequest
from rsonnx.runtime.tally import Progress
from rsonnx.scalars import shown


class Call(Protocol):
    """Requests that an engine is counting."""

    @property
    def over(self) -> bool:
        """Whether all is counted, or it has failed."""

    def result(self) -> list[Counts]:
        """Wait, and return one vector of counts a request; raises as :meth:`Engine.count` does."""

    def stop(self) -> list[Counts]:
        """Begin nothing more, wait for what is under way, and return what was counted.

        That is of each request the samples from its start on, up to some; none where it failed.
        """


@dataclass(frozen=True)
class Answered:
    """A call that is over."""

    counts: list[Counts]
    over = True

    def result(self) -> list[Counts]:
        """Return the counts."""
        return self.counts

    stop = result


class Engine(Protocol):
    """Answers count requests; new engines need only this.

    One that counts while its caller does something else has ``start(requests, progress)`` too,
    which returns a :class:`Call`. Several may be under way; each is then asked for its result, or
    stopped.
    """

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request, each summing to the length of its range.

        Raises:
            InferenceError: the model failed or gave something that is no label, the memory is too
                small for any batch, or a worker was lost; nothing is counted then.
            CouplingError: a watched row had another label alone.
            UsageError: the samples or the batches do not fit, or the engine is closed.
        """

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that all workers stay busy."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine; it never changes a count."""


def check_engine(engine: object) -> Engine:
    """Return what counts, or refuse what cannot."""
    if not all(callable(getattr(engine, name, None)) for name in ("count", "appetite")):
        raise UsageError(
            f"the engine is {shown(engine)}, but one that answers requests was expected, such as "
            "rsonnx.runtime.ThreadEngine"
        )
    return cast("Engine", engine)


@dataclass(frozen=True)
class _Checked:
    """A call whose counts are checked when they are there."""

    requests: Sequence[CountRequest]
    call: Call

    @property
    def over(self) -> bool:
        return self.call.over

    def result(self) -> list[Counts]:
        return checked_counts(self.requests, self.call.result())

    def stop(self) -> list[Counts]:
        return self.call.stop()


def start(engine: Engine, requests: Sequence[CountRequest], progress: Progress | None) -> Call:
    """Have an engine begin to count, or count, where it cannot do so beside its caller."""
    begin: Callable[..., Call] | None = getattr(engine, "start", None)
    if begin is None:
        return Answered(checked_counts(requests, engine.count(requests, progress)))
    return _Checked(requests, begin(requests, progress))


def checked_counts(requests: Sequence[CountRequest], answers: list[Counts]) -> list[Counts]:
    """Return an engine's counts, or refuse them where an answer was lost or doubled."""
    for request, counts in zip(requests, answers, strict=True):
        if counts.total != request.stop - request.start:
            raise InferenceError(
                f"the engine counted {counts.total} answers to {request.stop - request.start} "
                "samples, so none of them can be used; look into the engine"
            )
    return answers
