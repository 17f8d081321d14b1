"""How far a long call is: a bar on a terminal and in a notebook, a line now and then in a log."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Self, TextIO, cast

from rsonnx.listener import Extent, Listener
from rsonnx.scalars import duration

if TYPE_CHECKING:
    from rich.progress import Progress

_TICK = 0.2
"""Seconds between two looks at the rate, and between two pictures of a bar."""

_LOG_PAUSES = (2.0, 10.0, 60.0)
"""Seconds before the first line of a log, the second, and every further one."""


class ProgressBar(Listener):
    """Says on stderr what a call does, and shows how far it is and how long it will still take.

    It is a courtesy: a stream that can no longer be written to ends it, and not the call. As a
    context manager it takes the bar away at the end, however that comes.

    Args:
        quiet: say nothing at all.
        stream: where to; None is stderr.
        clock: seconds that never go back.

    >>> with rsonnx.ProgressBar(stream=sys.stdout) as bar:
    ...     run = rsonnx.certify("model.onnx", "images/", sigma=0.5, n=100, listener=bar)
    ... # doctest: +ELLIPSIS
    model      model.onnx (sha256 3e44e999dd4ad664...), 10 classes, input 1x28x28...
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = _Courtesy(sys.stderr if stream is None else stream)
        self._clock = clock
        self._silent = quiet
        self._work: _Work | None = None
        # The engine's threads draw while the main one may finish, or clear in a signal handler.
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()
        self._silent = True

    def said(self, topic: str, text: str) -> None:
        """Print a line.

        >>> with rsonnx.ProgressBar(stream=sys.stdout) as bar:
        ...     bar.said("warning", "the battery is low")
        warning    the battery is low
        """
        if not self._silent:
            self.clear()
            self._print(f"{topic:<11}{text}")

    def begun(self, extent: Extent) -> None:
        """Count from here on.

        >>> with rsonnx.ProgressBar(stream=sys.stdout) as bar:
        ...     bar.begun(rsonnx.Extent(inputs=4, samples_each=200))
        """
        if self._silent:
            return
        self._bar = _bar_on(self._stream, self._clock)
        console = self._bar.console
        self._live = console.is_jupyter or (console.is_terminal and not console.is_dumb_terminal)
        self._bar.add_task("", total=extent.inputs, text="")
        self._samples = self._bar.add_task("", total=None, visible=False, text="")
        self._pauses = repeat(_TICK) if self._live else chain(_LOG_PAUSES, repeat(_LOG_PAUSES[-1]))
        self._tick = self._clock()
        self._due = self._tick + next(self._pauses)
        self._work = _Work(extent, extent.already_certified)

    def clear(self) -> None:
        """Take the bar away until it is next drawn, so that something else can be printed.

        >>> with rsonnx.ProgressBar(stream=sys.stdout) as bar:
        ...     bar.clear()
        """
        with self._lock:
            if self._work is not None and self._live:
                self._bar.stop()

    def drawn(self, samples: int) -> None:
        """Take note of samples; the engine calls this, from any thread.

        >>> with rsonnx.ProgressBar(stream=sys.stdout) as bar:
        ...     bar.begun(rsonnx.Extent(inputs=1, samples_each=200))
        ...     bar.drawn(100)
        """
        with self._lock:
            if self._silent or self._work is None:
                return
            self._work.drawn += samples
            now = self._clock()
            if now - self._tick >= _TICK:
                self._tick = now
                self._bar.update(self._samples, completed=self._work.drawn)
            if now >= self._due:
                self._due = now + next(self._pauses)
                self._show(self._work)

    def finished(self, result: object, *, certified: bool) -> None:
        """Take note of a finished input; the bar goes away with the last.

        >>> with rsonnx.ProgressBar(stream=sys.stdout) as bar:
        ...     bar.begun(rsonnx.Extent(inputs=1, samples_each=200))
        ...     bar.finished(g.certify(x, n0=100, n=100), certified=True)
        """
        del result
        with self._lock:
            if self._work is not None:
                self._work.finish(certified=certified)
                if self._work.done >= self._work.extent.inputs:
                    self.clear()

    def _show(self, work: _Work) -> None:
        inputs, samples = self._bar.tasks
        # rich looks back half a minute; batches that take longer leave it without a rate.
        rate = samples.speed or work.drawn / (samples.elapsed or math.inf)
        text = ", ".join(work.words(rate))
        if not self._live:
            self._print(text)
            return
        position = work.position()
        percent = int(100 * position / max(1, work.extent.inputs))
        self._bar.update(inputs.id, completed=position, text=f"{percent:3d} %  {text}")
        self._bar.start()
        self._bar.refresh()

    def _print(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


@dataclass
class _Work:
    """How much there is to do, and how much of it is done."""

    extent: Extent
    certified: int
    drawn: int = 0
    finished: int = 0
    drawn_by_finished: int = 0

    def finish(self, *, certified: bool) -> None:
        self.finished += 1
        self.certified += certified
        self.drawn_by_finished = self.drawn

    @property
    def done(self) -> int:
        """How many inputs are done, in this session or before."""
        return self.extent.already + self.finished

    def position(self) -> float:
        """Return how many inputs are done, with a share of those that are under way."""
        each = self._expected_each()
        if self.extent.adaptive:
            under_way = (self.drawn - self.drawn_by_finished) / each
            here = self.finished + min(1.0, under_way)
        else:
            here = self.drawn / each
        return min(self.extent.already + here, self.extent.inputs)

    def words(self, rate: float) -> Iterator[str]:
        """Say how far it is at a rate in samples a second, the most telling first."""
        extent = self.extent
        yield f"{self.done} of {extent.inputs} inputs"
        if rate > 0:
            seconds = self._samples_left() / rate
            hedge = ("about " if self.finished else "at most ") if extent.adaptive else ""
            yield f"{hedge}{duration(seconds)} left"
        if extent.outcome is not None:
            yield f"{self.certified} {extent.outcome}"
        speed = f"{rate:,.0f}" if rate >= 10 or rate == 0 else f"{rate:.1f}"
        yield f"{speed} {extent.unit}/s"

    def _samples_left(self) -> float:
        """Return how many samples are still to come, as it seems.

        An adaptive input that takes long is expected to take as long again, if it may.
        """
        left = (self.extent.inputs - self.position()) * self._expected_each()
        if not self.extent.adaptive or self.done >= self.extent.inputs:
            return left
        under_way = self.drawn - self.drawn_by_finished
        return max(left, min(under_way, self.extent.samples_each - under_way))

    def _expected_each(self) -> float:
        if self.extent.adaptive and self.drawn_by_finished:
            return self.drawn_by_finished / self.finished
        return max(1, self.extent.samples_each)


class _Courtesy:
    """A stream that swallows what cannot be written: its reader has gone, or it was closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return 0

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return not self._stream.closed and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _bar_on(stream: _Courtesy, clock: Callable[[], float]) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    class Visible(Console):
        """A console that leaves the cursor alone, which a killed process could not bring back."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002
            return False

    return Progress(
        BarColumn(30),
        TextColumn("{task.fields[text]}", markup=False),
        console=Visible(file=cast(TextIO, stream), force_terminal=stream.isatty()),
        auto_refresh=False,
        transient=True,
        # Results go to stdout, which may be a file.
        redirect_stdout=False,
        redirect_stderr=False,
        get_time=clock,
    )
