"""Ends calls of a model that take longer than they may.

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
from dataclasses import dataclass
from typing import Any

from rsonnx.errors import TimeLimitError

SECONDS_A_CALL = 600.0
"""Longest time that a call of a model may take, unless the caller says otherwise."""

SECONDS_TO_TRY = 300.0
"""Longest time that a model may take to be read, loaded and tried, unless the caller says so."""

STUCK = 124
"""Exit code of a worker process that was stuck in a call."""

_LOOK = 0.25
"""Seconds between two looks at the calls under way."""

_STOPPED = 5.0
"""Seconds by which a look is late only where the whole process was stopped: by a scheduler, or a
shell, or with its machine. They are no time of a call."""

_POLL = 1e-4
"""Seconds between two questions whether a device is done."""

_PATIENCE = 10.0
"""Seconds that a call gets to end after it was told to."""


@dataclass(eq=False)
class limited:  # noqa: N801 - used as a context
    """Inside, a call of a model, which is told to end once it takes too long.

    Args:
        name: of the model, for messages.
        shape: of the batch.
        seconds: that it may take; 0 for any time.
        options: the ``RunOptions`` that it is made with; None where nothing can be told to end.

    Raises:
        TimeLimitError: it took longer.
    """

    name: str
    shape: tuple[int, ...]
    seconds: float
    options: Any = None
    begun: float = 0.0
    told: bool = False
    stuck: bool = False

    def __enter__(self) -> limited:
        self.begun = time.monotonic()
        if self.seconds:
            _WATCHDOG.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _WATCHDOG.calls.pop(id(self), None)
        if self.told and kind is not None:
            raise self.error from None

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
    """Looks at the calls of this process, from a thread that the first of them starts."""

    def __init__(self) -> None:
        self.calls: dict[int, limited] = {}
        self.exit_code: int | None = None
        self.last_words: list[Callable[[], None]] = []
        self._process: int | None = None
        self._lock = threading.Lock()

    def add(self, call: limited) -> None:
        if self._process != os.getpid():  # the first call, or a fork, which has no thread of ours
            with self._lock:
                if self._process != os.getpid():
                    self._process = os.getpid()
                    self.calls.clear()
                    threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        self.calls[id(call)] = call

    def _watch(self) -> None:
        now = time.monotonic()
        while True:
            looked = now
            time.sleep(_LOOK)
            now = time.monotonic()
            stopped = now - looked if now - looked > _STOPPED else 0.0
            for call in list(self.calls.values()):
                call.begun = min(call.begun + stopped, now)  # it may have begun after that
                late = now - call.begun - call.seconds
                if late > 0:
                    call.told = True
                    if call.options is not None:
                        call.options.terminate = True
                if late > _PATIENCE:
                    if self.exit_code is not None:
                        self._end(call, self.exit_code)
                    call.stuck = True

    def _end(self, call: limited, exit_code: int) -> None:
        try:
            for say in self.last_words:
                say()
            os.write(2, f"\nError: {call.error}\n".encode(errors="replace"))
        finally:
            os._exit(exit_code)


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
