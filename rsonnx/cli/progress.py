"""Progress on stderr: a live line on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class ProgressLine:
    """Counts samples and inputs and says how far a run is and how long it will still take.

    Args:
        inputs: how many inputs there are.
        samples_each: how many samples one of them takes.
    """

    def __init__(self, inputs: int, samples_each: int) -> None:
        self._inputs = inputs
        self._samples = inputs * samples_each
        self._drawn = 0
        self._done = 0
        self._certified = 0
        self._start = time.monotonic()
        self._live = sys.stderr.isatty()
        self._pauses = iter((2.0, 10.0))
        self._next = self._start + (0.2 if self._live else next(self._pauses))

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the live line away, so that something else can be printed."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def drawn(self, samples: int) -> None:
        """Take note of samples; the engine calls this."""
        self._drawn += samples
        if time.monotonic() >= self._next:
            self._show()

    def finished(self, *, certified: bool) -> None:
        """Take note of a finished input."""
        self._done += 1
        self._certified += certified

    def _show(self) -> None:
        now = time.monotonic()
        self._next = now + (0.2 if self._live else next(self._pauses, 60.0))
        elapsed = now - self._start
        rate = self._drawn / elapsed
        left = (self._samples - self._drawn) / rate if rate else 0.0
        text = (
            f"{self._done} of {self._inputs} inputs, {self._certified} certified, "
            f"{rate:,.0f} samples/s, {duration(left)} left"
        )
        sys.stderr.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Return a time as a person says it: 1 h 5 min, 3 min 20 s, 12 s."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
