"""Ends what takes longer than it may: calls of a model, and a child that tries one.

onnxruntime looks between two operators, and in every turn of a loop, whether a call is to end. One
that is inside an operator for hours can be ended by nothing but the end of its process, which only
a process that is rsonnx's own may choose: the command line, a worker, the child that tries a model.
So it is with a call that a device is stuck in; who waits for it elsewhere is told of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

from rsonnx.errors import TimeLimitError

SECONDS_A_CALL = 600.0
"""Longest time that a call of a model may take, unless the caller says otherwise."""

SECONDS_TO_TRY = 300.0
"""Longest time that a model may take to be read, loaded and tried, unless the caller says so."""

STUCK = 124
"""Exit code of a worker process that was stuck in a call."""

_LOOK = 0.25
"""Seconds between two looks at what is under way."""

_STOPPED = 5.0
"""Seconds by which a look is late only where the whole process was stopped: by a scheduler, or a
shell, or with its machine. They are no time of its work."""

_POLL = 1e-4
"""Seconds between two questions whether a device is done."""

_PATIENCE = 10.0
"""Seconds that a call gets to end after it was told to."""


class within:  # noqa: N801 - used as a context
    """Inside, work that may take so much of this process's time, and is told to end after it.

    Args:
        seconds: that it may take; 0 for any time.
        end: tells it to; again and again until it has ended.
    """

    def __init__(self, seconds: float, end: Callable[[], None]) -> None:
        self.seconds = seconds
        self.end = end
        self.begun = 0.0
        self.told = False

    def __enter__(self) -> Self:
        self.begun = time.monotonic()
        if self.seconds:
            _WATCHDOG.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _WATCHDOG.under_way.pop(id(self), None)

    def give_up(self) -> None:
        """Hear that it was told to end long ago."""


class limited(within):  # noqa: N801 - used as a context
    """Inside, a call of a model.

    Args:
        name: of the model, for messages.
        shape: of the batch.
        seconds: as there.
        options: the ``RunOptions`` that it is made with; None where nothing can be told to end.

    Raises:
        TimeLimitError: it took longer.
    """

    def __init__(
        self, name: str, shape: tuple[int, ...], seconds: float, options: Any = None
    ) -> None:
        super().__init__(seconds, self._terminate)
        self.name = name
        self.shape = shape
        self.options = options
        self.stuck = False

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        super().__exit__(kind, *rest)
        if self.told and kind is not None:
            raise self.error from None

    def _terminate(self) -> None:
        if self.options is not None:
            self.options.terminate = True

    def give_up(self) -> None:
        """End this process if it may be; else tell who waits."""
        _WATCHDOG.end_process(self.error)
        self.stuck = True

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait for a call that goes on elsewhere, on a device, until it is done or stuck."""
        while not done():
            if self.stuck:
                raise self.error
            time.sleep(_POLL)

    @property
    def error(self) -> TimeLimitError:
        """What is said of a call that took too long."""
        return TimeLimitError(
            f"{self.name} took more than {self.seconds:g} s for a batch of shape "
            f"{list(self.shape)}; use a smaller batch size, or allow more (--time-limit-per-call)"
        )


class _Watchdog:
    """Looks at what is under way, from a thread that the first of it starts."""

    def __init__(self) -> None:
        self.under_way: dict[int, within] = {}
        self.exit_code: int | None = None
        self.last_words: list[Callable[[], None]] = []
        self._process: int | None = None
        self._lock = threading.Lock()

    def add(self, work: within) -> None:
        if self._process != os.getpid():  # the first, or a fork, which has no thread of ours
            with self._lock:
                if self._process != os.getpid():
                    self._process = os.getpid()
                    self.under_way.clear()
                    threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        self.under_way[id(work)] = work

    def _watch(self) -> None:
        now = time.monotonic()
        while True:
            looked = now
            time.sleep(_LOOK)
            now = time.monotonic()
            stopped = now - looked if now - looked > _STOPPED else 0.0
            for work in list(self.under_way.values()):
                work.begun = min(work.begun + stopped, now)  # it may have begun after that
                late = now - work.begun - work.seconds
                if late > 0:
                    work.told = True
                    work.end()
                if late > _PATIENCE:
                    work.give_up()

    def end_process(self, error: TimeLimitError) -> None:
        if self.exit_code is None:  # another's
            return
        try:
            for say in self.last_words:
                say()
            os.write(2, f"\nError: {error}\n".encode(errors="replace"))
        finally:
            os._exit(self.exit_code)


_WATCHDOG = _Watchdog()


@contextlib.contextmanager
def last_words(say: Callable[[], None]) -> Iterator[None]:
    """Inside, have the watchdog's thread say something before a stuck call ends the process."""
    _WATCHDOG.last_words.append(say)
    try:
        yield
    finally:
        _WATCHDOG.last_words.remove(say)


def end_process_if_stuck(exit_code: int = 1) -> None:
    """Let a call that does not end when it is told to end this process, which is rsonnx's own.

    What is on the disk stays: a run goes on with its file as after any other end.
    """
    _WATCHDOG.exit_code = exit_code
