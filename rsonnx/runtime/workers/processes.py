"""Several devices of one machine: a worker process each, whose counts add."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import connection, parent_process, resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from rsonnx.errors import InferenceError, UsageError
from rsonnx.resources import usable_cores
from rsonnx.runtime.base_classifier import BaseClassifier
from rsonnx.runtime.cuda import engine_for
from rsonnx.runtime.ranges import CountRequest
from rsonnx.runtime.watchdog import STUCK
from rsonnx.runtime.workers.remote import Link, RemoteEngine
from rsonnx.runtime.workers.worker import Answer, EngineFactory, Worker, portable

_GRACE = 3.0
"""Seconds that a worker gets to end once it is told to."""


class _Process(Link):
    """One worker process."""

    def __init__(self, device: object, plan: bytes) -> None:
        super().__init__(f"worker process for device {device}")
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        with theirs:
            self._process = context.Process(
                target=_serve, args=(theirs, plan), name="rsonnx", daemon=True
            )
            self._process.start()

    def send(self, requests: list[CountRequest]) -> None:
        message = _packed((requests,), "noise stream")
        with contextlib.suppress(OSError):  # it has died, which is heard next
            self.connection.send_bytes(message)

    def hang_up(self) -> None:
        self.connection.close()
        self._process.terminate()

    def end(self) -> None:
        self._process.join(_GRACE)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def death(self) -> InferenceError:
        """Return how the process ended by itself."""
        self._process.join(_GRACE)
        code = self._process.exitcode
        names = {-s.value: f"signal {s.name}" for s in signal.Signals}
        how = f"ended with {names.get(code or 0, f'exit code {code}')}"
        if code == -9:  # SIGKILL
            how += ", as happens where the memory runs out"
        if code == STUCK:
            how = "was stuck in a call for longer than --time-limit-per-call allows"
        if self.ready:
            return InferenceError(
                f"the {self.name} {how}; use a smaller batch size or fewer devices, and run again"
            )
        return InferenceError(
            f"the {self.name} {how} before it had loaded the model; see what it wrote above, and "
            'make the engine under if __name__ == "__main__" in a script'
        )


class ProcessEngine(RemoteEngine[_Process]):
    """Counts with a worker process a device, each with a classifier of its own.

    The processes are started and have loaded their models when the constructor returns. They end
    with :meth:`close`, with this process however it ends, or when one of them fails: a run on one
    machine is not continued by halves, it is resumed. As with every process that Python spawns, a
    script must make the engine under ``if __name__ == "__main__"``.

    Args:
        factory: called with a device in that device's process; must be picklable, such as a
            function of a module or a :func:`functools.partial` of one.
        devices: what to call it with, one a process.
        engine_factory: makes what counts inside a process, of the classifier; picklable. None takes
            :func:`rsonnx.runtime.cuda.engine_for`, and shares the cores among the processes.

    Raises:
        UsageError: no device, or a factory that cannot be sent to another process.
        RsonnxError: what a factory raised, in its own class, naming the device.
        InferenceError: a factory raised something else, or a process died.
        ModelError: two processes loaded different models.
    """

    def __init__(
        self,
        factory: Callable[[Any], BaseClassifier],
        devices: Sequence[Any],
        *,
        engine_factory: EngineFactory | None = None,
    ) -> None:
        if not devices:
            raise UsageError("no device was given, but a worker process needs one; name a device")
        super().__init__()
        cores = max(1, usable_cores() // len(devices))
        inside = engine_factory or partial(engine_for, cores=cores)
        plans = [_packed((partial(factory, device), inside), "factory") for device in devices]
        resource_tracker.ensure_running()  # it would end the holding of interrupts
        try:
            with _interrupts_held():
                for device, plan in zip(devices, plans, strict=True):
                    self._links.append(_Process(device, plan))
            while not all(link.ready for link in self._links):
                self._listen(None)
        except BaseException:
            self.close()
            raise

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine."""
        return {"processes": len(self._links)}

    def _hear(self) -> Iterator[tuple[_Process, Answer]]:
        talking = connection.wait([link.connection for link in self._links])
        for link in [link for link in self._links if link.connection in talking]:
            try:
                answer: Answer = link.connection.recv()
            except (EOFError, OSError):
                raise link.death() from None
            yield link, answer

    def _end(self, links: Sequence[_Process]) -> None:
        for link in links:
            link.hang_up()
        for link in links:
            link.end()


def _packed(message: tuple[Any, ...], what: str) -> bytes:
    """Pickle what is for another process: only our own processes ever read it."""
    try:
        return pickle.dumps(message)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            f"the {what} cannot be sent to a worker process ({error}); make it of functions and "
            "classes of a module, not of local ones or lambdas"
        ) from None


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for a moment; what starts then never gets it, and leaves it to us."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(theirs: Connection, plan: bytes) -> None:
    """Answer the engine until it hangs up or its process has gone; runs in the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be held back
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker()
    with contextlib.suppress(OSError, EOFError):  # nobody is left to hear the answer
        theirs.send(_answer(worker.open, plan))
        while True:
            theirs.send(_answer(worker.count, theirs.recv_bytes()))


def _answer(ask: Callable[..., Answer], packed: bytes) -> Answer:
    try:
        message = pickle.loads(packed)  # noqa: S301 - our own engine packed it
    except Exception as error:  # a module that is not there, or fails when it is imported
        return portable(error)
    return ask(*message)


def _end_with_parent() -> None:
    """End this process, busy or not, as soon as the one that started it has gone."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
