"""Several devices of one machine: a worker process each, whose counts add."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, TypeVar

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, RsonnxError, UsageError
from rsonnx.runtime.classifier import BaseClassifier
from rsonnx.runtime.engine import CountRequest, Progress
from rsonnx.runtime.resources import usable_cores
from rsonnx.runtime.workers.loads import Load, appetite_of, deal
from rsonnx.runtime.workers.units import Work
from rsonnx.runtime.workers.worker import (
    Done,
    EngineFactory,
    Failed,
    Ready,
    Worker,
    WorkerPlan,
    check_alike,
)

Device = TypeVar("Device")

_GRACE = 3.0
"""Seconds that a worker gets to end by itself once its connection is closed."""


class ProcessEngine(Generic[Device]):
    """Counts with a worker process a device, each with a classifier of its own.

    The processes are started and have loaded their models when the constructor returns. They end
    with :meth:`close`, with this process however it ends, or when one of them fails: a run on one
    machine is not continued by halves, it is resumed. As with every process that Python spawns, a
    script must make the engine under ``if __name__ == "__main__"``.

    Args:
        factory: called with a device in that device's process; must be picklable, such as a
            function of a module or a :func:`functools.partial` of one.
        devices: what to call it with, one a process.
        batch_size: inputs a call of the model; None chooses. For the default engine.
        engine_factory: makes what counts inside a process, of the classifier; picklable. None takes
            :class:`rsonnx.runtime.ThreadEngine`, which shares the cores among the processes.

    Raises:
        UsageError: no device, or a factory that cannot be sent to another process.
        RsonnxError: what a factory raised, in its own class, naming the device.
        InferenceError: a factory raised something else, or a process died.
        ModelError: two processes loaded different models.
    """

    def __init__(
        self,
        factory: Callable[[Device], BaseClassifier],
        devices: Sequence[Device],
        *,
        batch_size: int | None = None,
        engine_factory: EngineFactory | None = None,
    ) -> None:
        if not devices:
            raise UsageError("no device was given, but a worker process needs one; name a device")
        threads = max(1, usable_cores() // len(devices))
        plans = [
            _packed(WorkerPlan(partial(factory, device), engine_factory, batch_size, threads))
            for device in devices
        ]
        self._lock = threading.Lock()
        self._workers: list[_Process] = []
        resource_tracker.ensure_running()  # it would end the holding of interrupts
        try:
            with _interrupts_held():
                for device, plan in zip(devices, plans, strict=True):
                    self._workers.append(_Process(device, plan))
            self._num_classes = self._all_ready()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ProcessEngine[Device]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; a unit that they count is given up."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.hang_up()
        for worker in workers:
            worker.end()

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that all workers stay busy."""
        return appetite_of(len(self._workers), sample_shape)

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine."""
        return {"processes": len(self._workers)}

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request.

        Raises:
            UsageError: the engine is closed, or a stream cannot be sent to another process.
            RsonnxError: what the classifier raised in a process, naming the device.
            InferenceError: a process died; nothing is counted then.
        """
        with self._lock:
            if not self._workers:
                raise UsageError("the engine is closed; make another one")
            work = Work(requests, self._num_classes, progress)
            try:
                self._feed(work)
                while not work.finished:
                    for worker in self._talking():
                        worker.finish(work)
                    self._feed(work)
            except BaseException:  # what is in flight must never meet the next call
                self.close()
                raise
            return work.counts

    def _all_ready(self) -> int:
        """Wait until every process has loaded its model; return the number of classes, or 0."""
        first: Ready | None = None
        waiting = list(self._workers)
        while waiting:
            for worker in self._talking():
                ready = worker.receive_ready()
                first = first or ready
                check_alike(first, ready, worker.name)
                waiting.remove(worker)
        return (first.num_classes if first else None) or 0

    def _talking(self) -> list[_Process]:
        """Wait until a process has something to say, or has gone."""
        found = connection.wait([worker.connection for worker in self._workers])
        return [worker for worker in self._workers if worker.connection in found]

    def _feed(self, work: Work) -> None:
        for index, unit in deal(work, [worker.load for worker in self._workers]):
            self._workers[index].send(work.requests_of(unit))


class _Process:
    """One worker process, as its engine sees it."""

    def __init__(self, device: object, plan: bytes) -> None:
        self.name = f"worker process for device {device}"
        self.load = Load()
        self._ready = False
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        with theirs:
            self._process = context.Process(
                target=_serve, args=(theirs, plan), name="rsonnx", daemon=True
            )
            self._process.start()

    def send(self, requests: list[CountRequest]) -> None:
        message = _packed(requests)
        try:
            self.connection.send_bytes(message)
        except OSError:
            raise self._death() from None

    def receive_ready(self) -> Ready:
        answer = self._receive()
        if not isinstance(answer, Ready):
            raise InferenceError(f"the {self.name} answered out of turn; run again")
        self._ready = True
        return answer

    def finish(self, work: Work) -> None:
        """Take in the answer to the oldest unit in flight."""
        answer = self._receive()
        if not isinstance(answer, Done) or not self.load.units:
            raise InferenceError(f"the {self.name} answered out of turn; run again")
        work.add(self.load.done(answer.seconds), answer.counts)

    def hang_up(self) -> None:
        """Close the connection, upon which a process that listens ends."""
        self.connection.close()

    def end(self) -> None:
        """Wait for the end of the process, a moment, and then bring it about."""
        self._process.join(_GRACE if self._ready else 0.0)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _receive(self) -> Any:
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise self._death() from None
        if isinstance(answer, Failed):
            raise answer.error(self.name)
        return answer

    def _death(self) -> RsonnxError:
        self._process.join(_GRACE)
        code = self._process.exitcode
        if code is not None and code < 0:
            known = {s.value: s.name for s in signal.Signals}
            how = f"was ended by {known.get(-code, f'signal {-code}')}"
            if -code == getattr(signal, "SIGKILL", None):
                how += ", as happens where the memory runs out"
        else:
            how = f"ended with exit code {code}"
        if self._ready:
            return InferenceError(
                f"the {self.name} {how}; use a smaller batch size or fewer devices, and run again"
            )
        return InferenceError(
            f"the {self.name} {how} before it had loaded the model; see what it wrote above, and "
            'make the engine under if __name__ == "__main__" in a script'
        )


def _packed(message: object) -> bytes:
    """Pickle what is for another process: only our own processes ever read it."""
    try:
        return pickle.dumps(message)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        what = "factory" if isinstance(message, WorkerPlan) else "noise stream"
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


def _serve(theirs: Connection, packed: bytes) -> None:
    """Answer the engine until it hangs up; runs in the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be held back
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(theirs, inbox), daemon=True).start()
    worker = Worker()
    with contextlib.suppress(OSError):  # nobody is left to hear the answer
        try:
            plan: WorkerPlan = pickle.loads(packed)  # noqa: S301 - our own engine packed it
        except Exception as error:  # a module that is not there, or fails when it is imported
            theirs.send(Failed.of(error))
            return
        theirs.send(worker.open(plan))
        while True:
            theirs.send(_answer(worker, inbox.get()))


def _answer(worker: Worker, packed: bytes) -> Done | Failed:
    try:
        requests: list[CountRequest] = pickle.loads(packed)  # noqa: S301 - our own engine again
    except Exception as error:
        return Failed.of(error)
    return worker.count(requests)


def _listen(theirs: Connection, inbox: queue.SimpleQueue[bytes]) -> None:
    """Pass on what arrives, and end the process as soon as the engine has gone, busy or not."""
    while True:
        try:
            inbox.put(theirs.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)
