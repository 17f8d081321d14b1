"""Ctrl-C and SIGTERM end a command alike, once: with what was done, and how to go on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from rsonnx.errors import INTERRUPTED

_PATIENCE = 2
"""So many signals ask a command to end; one more ends it at once, which loses no row either."""

_IMPORTING = "<frozen importlib._bootstrap>"


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first signal inside, and leave the ending alone after that.

    Within an import the first one ends the process at once: native code that is being loaded prints
    an exception that it did not expect, or makes another one of it. A signal that the parent
    process told this one to ignore stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = 0

    def stop(number: int, frame: FrameType | None) -> None:
        del number
        nonlocal signals
        signals += 1
        if signals > _PATIENCE or (signals == 1 and _is_importing(frame)):
            os._exit(INTERRUPTED)
        if signals == 1:
            raise KeyboardInterrupt

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


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename != _IMPORTING:
        frame = frame.f_back
    return frame is not None
