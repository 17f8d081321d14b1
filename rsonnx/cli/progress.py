"""Progress on stderr: a live bar on a terminal, a line now and then in a log, or nothing.

The bar has no colours, so NO_COLOR has nothing to turn off. A terminal that calls itself dumb may
not know how to go back to the start of a line, so it gets the lines of a log.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from types import TracebackType
from typing import TextIO

_LIVE_PAUSE = 0.2
_LOG_PAUSES = (2.0, 10.0, 60.0)
"""Seconds before the first line of a log, the second, and every further one."""

_RATE_SECONDS = 15.0
"""How far back the rate of a live bar looks; in a log it looks back to the last line."""

_BAR_WIDTHS = (30, 20, 10)
_NARROWEST = 4
"""Columns below which nothing fits, not even ``99 %``."""


class ProgressLine:
    """Counts samples and inputs and says how far a run is and how long it will still take.

    It is a courtesy: a stream that can no longer be written to ends it, and not the run.

    Args:
        inputs: how many inputs there are, with those that are done already.
        samples_each: how many samples one of them takes; where ``adaptive``, at most.
        adaptive: whether inputs may take fewer; the time left is then estimated from those that
            are finished, and is "at most" until there is one.
        already: how many inputs an earlier session has done, 0..inputs.
        already_certified: how many of those are certified, 0..already.
        outcome: what an input that counts is called; None where nothing is to be counted.
        quiet: say nothing at all.
        stream: where to; None is stderr.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        inputs: int,
        samples_each: int,
        *,
        adaptive: bool = False,
        already: int = 0,
        already_certified: int = 0,
        outcome: str | None = "certified",
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._silent = quiet
        self._live = _is_live(self._stream)
        self._done = already
        self._certified = already_certified
        self._outcome = outcome
        self._work = _Work(inputs, samples_each, adaptive, already)
        self._pauses: Iterator[float] = (
            repeat(_LIVE_PAUSE) if self._live else chain(_LOG_PAUSES, repeat(_LOG_PAUSES[-1]))
        )
        now = clock()
        self._rate = _Rate(now, _RATE_SECONDS if self._live else _LOG_PAUSES[-1])
        self._next = now + next(self._pauses)
        self._on_screen = 0
        # The engine's threads draw while the main one may finish, or clear in a signal handler.
        self._lock = threading.RLock()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
        self._silent = True

    def clear(self) -> None:
        """Take the live line away, so that something else can be printed."""
        with self._lock:
            if self._on_screen:
                blanks = " " * min(self._on_screen, _columns(self._stream) - 1)
                self._write(f"\r{blanks}\r")
                self._on_screen = 0

    def drawn(self, samples: int) -> None:
        """Take note of samples; the engine calls this, from any thread."""
        with self._lock:
            now = self._clock()
            self._work.drawn += samples
            self._rate.note(now, self._work.drawn)
            if now >= self._next and not self._silent:
                self._next = now + next(self._pauses)
                self._show(now)

    def finished(self, *, certified: bool) -> None:
        """Take note of a finished input."""
        with self._lock:
            self._done += 1
            self._certified += certified
            self._work.finish()

    def _show(self, now: float) -> None:
        if not self._live:
            self._write(f"{', '.join(self._parts(now))}\n")
            return
        columns = _columns(self._stream) - 1  # a letter in the last column would move the cursor
        text = next((t for t in self._candidates(now, columns) if len(t) <= columns), "")
        # Blanks over what was there, instead of an escape sequence: every terminal knows them.
        blanks = " " * (min(self._on_screen, columns) - len(text))
        self._write(f"\r{text}{blanks}")
        self._on_screen = len(text)

    def _candidates(self, now: float, columns: int) -> Iterator[str]:
        """Give what could be shown, the most telling first."""
        share = self._work.position() / max(1, self._work.inputs)
        percent = f"{int(100 * share):3d} %"
        parts = self._parts(now)
        inputs, left = parts[0], parts[-1]
        for width in _BAR_WIDTHS:
            yield f"{_bar(share, width, self._stream)} {percent}  {', '.join(parts)}"
        yield f"{percent}  {', '.join(parts)}"
        yield f"{percent}  {', '.join((*parts[:-2], left))}"
        yield f"{percent}  {', '.join((inputs, left))}"
        short = f"{self._done}/{self._work.inputs}"
        yield f"{percent}  {short}, {left}"
        yield f"{percent}  {short}"
        if columns >= _NARROWEST:
            yield percent.strip()

    def _parts(self, now: float) -> list[str]:
        rate = self._rate.at(now)
        outcome = [] if self._outcome is None else [f"{self._certified} {self._outcome}"]
        return [
            f"{self._done} of {self._work.inputs} inputs",
            *outcome,
            f"{rate:,.0f} samples/s" if rate >= 10 or rate == 0 else f"{rate:.1f} samples/s",
            self._work.time_left(rate),
        ]

    def _write(self, text: str) -> None:
        if self._silent:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # its reader has gone, or it was closed
            self._silent = True


@dataclass
class _Work:
    """How much there is to do, and how much of it is done."""

    inputs: int
    samples_each: int
    adaptive: bool
    already: int
    drawn: int = 0
    finished: int = 0
    drawn_by_finished: int = 0

    def finish(self) -> None:
        self.finished += 1
        self.drawn_by_finished = self.drawn

    def position(self) -> float:
        """Return how many inputs are done, with a share of the one that is under way."""
        each = self._expected_each()
        if self.adaptive:
            under_way = (self.drawn - self.drawn_by_finished) / each
            here = self.finished + min(1.0, under_way)
        else:
            here = self.drawn / each
        return min(self.already + here, self.inputs)

    def time_left(self, rate: float) -> str:
        """Say how long the rest takes at a rate in samples a second."""
        if rate <= 0:
            return "? left"
        seconds = (self.inputs - self.position()) * self._expected_each() / rate
        hedge = ("about " if self.finished else "at most ") if self.adaptive else ""
        return f"{hedge}{duration(seconds)} left"

    def _expected_each(self) -> float:
        if self.adaptive and self.drawn_by_finished:
            return self.drawn_by_finished / self.finished
        return max(1, self.samples_each)


class _Rate:
    """Samples a second over the last ``window`` seconds, or over more where they come rarely."""

    def __init__(self, now: float, window: float) -> None:
        self._window = window
        self._marks: deque[tuple[float, int]] = deque([(now, 0)])
        self._drawn = 0

    def note(self, now: float, drawn: int) -> None:
        # A mark a tick is enough, and bounds how many there are.
        if now - self._marks[-1][0] >= self._window / 60:
            self._marks.append((now, drawn))
        self._drawn = drawn
        while len(self._marks) > 1 and now - self._marks[1][0] >= self._window:
            self._marks.popleft()

    def at(self, now: float) -> float:
        then, drawn = self._marks[0]
        return (self._drawn - drawn) / (now - then) if now > then else 0.0


def _is_live(stream: TextIO) -> bool:
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # it is closed
        return False


def _columns(stream: TextIO) -> int:
    """Return the width of the terminal, which may change at any time."""
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # not a file of the operating system
        found = 0
    return found or shutil.get_terminal_size().columns


def _bar(share: float, width: int, stream: TextIO) -> str:
    full, empty = "█░"
    try:
        (full + empty).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        full, empty = "#-"
    filled = int(share * width)
    return full * filled + empty * (width - filled)


def duration(seconds: float) -> str:
    """Return a time as a person says it: 1 h 5 min, 3 min 20 s, 12 s."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
