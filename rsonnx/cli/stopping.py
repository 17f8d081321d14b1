"""Ctrl-C and SIGTERM end a command alike, once: with what was done, and how to go on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_EXIT_CODE = 130
_PATIENCE = 2
"""So many signals ask a run to end; one more ends it at once, which loses no row either."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first signal inside, and leave the ending alone after that.

    A signal that the parent process told this one to ignore stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = 0

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        nonlocal signals
        signals += 1
        if signals == 1:
            raise KeyboardInterrupt
        if signals > _PATIENCE:
            os._exit(_EXIT_CODE)

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
