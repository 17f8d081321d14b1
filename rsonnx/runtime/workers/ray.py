"""Many machines: Ray actors that hold the classifier, and work that outlives them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import count as numbers
from types import TracebackType
from typing import Any

from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, ModelError, ProviderError, UsageError
from rsonnx.runtime.classifier import BaseClassifier
from rsonnx.runtime.engine import CountRequest, Progress
from rsonnx.runtime.workers.cluster import Cluster, Needs
from rsonnx.runtime.workers.loads import Load, appetite_of, deal
from rsonnx.runtime.workers.units import Unit, Work
from rsonnx.runtime.workers.worker import (
    Done,
    EngineFactory,
    Failed,
    Ready,
    Worker,
    WorkerPlan,
    check_alike,
)

_POLL = 1.0
"""Seconds between two looks at the clock while nothing arrives."""

_RECRUIT = 5.0
"""Seconds between two looks for nodes that have joined."""

_MOST_DEATHS = 3
"""Workers that one unit, or loading the model, may cost before it is held to be the cause."""


class RayEngine:
    """Counts with Ray actors, each with a classifier of its own, on any number of machines.

    A worker or a node that is lost costs the units that it held: they are counted again elsewhere,
    and never twice. Nodes that join are used. Every node needs the same version of rsonnx.

    Args:
        factory: makes the classifier on a node; sent there by Ray, with what it holds, once a node.
            :func:`rsonnx.runtime.workers.shipped` sends a model file along.
        address: of the cluster; see :class:`rsonnx.runtime.workers.cluster.Cluster`.
        workers: how many; None takes as many as the cluster has room for at any time.
        gpus_per_worker: devices that Ray keeps for a worker, which sees no others.
        cpus_per_worker: cores that Ray keeps for a worker, and threads of a model on the processor.
        batch_size: inputs a call of the model; None chooses. For the default engine.
        engine_factory: makes what counts inside a worker; None takes
            :class:`rsonnx.runtime.ThreadEngine`.
        patience: seconds to wait while there is no worker at all.

    Raises:
        UsageError: Ray is missing, an argument is out of range, the factory cannot be sent.
        ProviderError: there is no cluster, no room in it, or a node without this rsonnx.
        RsonnxError: what a factory raised, in its own class, naming the node.
        InferenceError: no worker could be had in time, or all died while they loaded the model.
    """

    def __init__(
        self,
        factory: Callable[[], BaseClassifier],
        *,
        address: str | None = None,
        workers: int | None = None,
        gpus_per_worker: float = 0.0,
        cpus_per_worker: float = 1.0,
        batch_size: int | None = None,
        engine_factory: EngineFactory | None = None,
        patience: float = 300.0,
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}, but it must be at least 1")
        self._needs = Needs(cpus_per_worker, gpus_per_worker)
        self._asked = workers
        self._patience = patience
        self._lock = threading.Lock()
        self._actors: list[_Actor] = []
        self._numbers = numbers(1)
        self._deaths: Counter[int] = Counter()
        self._early_deaths = 0
        self._next_look = 0.0
        self._alone_since = time.monotonic()
        self._alike: Ready | None = None
        self._cluster: Cluster | None = Cluster(address)
        self._ray = self._cluster.ray
        plan = WorkerPlan(factory, engine_factory, batch_size, max(1, int(cpus_per_worker)))
        try:
            self._plan = self._sent(plan)
            self._actor_class = self._ray.remote(
                num_cpus=cpus_per_worker,
                num_gpus=gpus_per_worker,
                max_restarts=0,
                scheduling_strategy="SPREAD",
            )(Worker)
            if workers is None and not self._cluster.room(self._needs):
                raise ProviderError(
                    f"no node of the Ray cluster has the {self._needs} of a worker "
                    f"({self._cluster.describe()}); ask for less, or start nodes"
                )
            while not any(actor.ready for actor in self._actors):
                self._recruit(self._cluster)
                self._hear(None)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and leave the cluster; a unit that they count is given up."""
        cluster, self._cluster = self._cluster, None
        if cluster is None:
            return
        while self._actors:
            self._kill(self._actors.pop())
        cluster.close()

    def appetite(self, sample_shape: tuple[int, ...]) -> int:
        """Return how many samples a call should ask for, so that all workers stay busy."""
        return appetite_of(max(1, len(self._actors)), sample_shape)

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine."""
        return {"ray workers": max(1, len(self._actors))}

    def count(
        self, requests: Sequence[CountRequest], progress: Progress | None = None
    ) -> list[Counts]:
        """Return one vector of counts a request.

        Raises:
            UsageError: the engine is closed.
            RsonnxError: what the classifier raised on a node; that is not tried again.
            InferenceError: no worker could be had in time, or several died of the same unit.
        """
        with self._lock:
            if self._cluster is None:
                raise UsageError("the engine is closed; make another one")
            classes = (self._alike.num_classes if self._alike else None) or 0
            work = Work(requests, classes, progress)
            self._deaths.clear()
            try:
                while not work.finished:
                    self._recruit(self._cluster)
                    self._feed(work)
                    self._hear(work)
            except BaseException:  # what is in flight must never meet the next call
                self.close()
                raise
            return work.counts

    def _sent(self, plan: WorkerPlan) -> Any:
        """Put the plan where every node can fetch it once."""
        try:
            return self._ray.put(plan)
        except Exception as error:  # Ray and cloudpickle raise many classes here
            if isinstance(error, self._ray.exceptions.RayError):
                raise InferenceError(f"Ray cannot hold the model: {_first(error)}") from None
            raise UsageError(
                f"the factory cannot be sent to a Ray worker ({_first(error)}); make it of "
                "functions and values that can be pickled"
            ) from None

    def _recruit(self, cluster: Cluster) -> None:
        """Now and then, have as many workers as were asked for or find room."""
        now = time.monotonic()
        if any(actor.ready for actor in self._actors):
            self._alone_since = now
        elif now - self._alone_since > self._patience:
            raise InferenceError(
                f"no Ray worker could be had within {self._patience:g} s: each needs {self._needs} "
                f"of the cluster ({cluster.describe()}), which others may use; free or add nodes, "
                "and run again"
            )
        if now < self._next_look:
            return
        self._next_look = now + _RECRUIT
        wanted = self._asked or cluster.room(self._needs)
        while len(self._actors) < wanted:
            name = f"Ray worker {next(self._numbers)}"
            self._actors.append(_Actor(name, self._actor_class.remote(), self._plan))

    def _feed(self, work: Work) -> None:
        ready = [actor for actor in self._actors if actor.ready]
        for index, unit in deal(work, [actor.load for actor in ready]):
            actor = ready[index]
            actor.answers.append(actor.handle.count.remote(work.requests_of(unit)))

    def _hear(self, work: Work | None) -> None:
        """Wait for the next answer of any worker, but not for long, and take in all there are."""
        waiting = {actor.answers[0]: actor for actor in self._actors if actor.answers}
        if not waiting:
            time.sleep(_POLL)
            return
        self._ray.wait(list(waiting), num_returns=1, timeout=_POLL)
        found, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for answer in found:
            self._take_in(waiting[answer], work)

    def _take_in(self, actor: _Actor, work: Work | None) -> None:
        try:
            answer = self._ray.get(actor.answers.popleft())
        except self._ray.exceptions.RayTaskError as error:  # a stream that cannot be read there
            raise Failed.of(error.cause).error(actor.name) from None
        except self._ray.exceptions.RayError as error:
            self._lose(actor, error, work)
            return
        if isinstance(answer, Failed | Ready) and not actor.ready:
            actor.name += f" on {answer.host}"
        if isinstance(answer, Failed):
            raise answer.error(actor.name)
        if isinstance(answer, Ready):
            self._alike = self._alike or answer
            check_alike(self._alike, answer, actor.name)
            actor.ready = True
            self._early_deaths = 0
        elif isinstance(answer, Done) and work is not None:
            work.add(actor.load.done(answer.seconds), answer.counts)

    def _lose(self, actor: _Actor, error: Any, work: Work | None) -> None:
        """Bury a worker, and have its units counted elsewhere."""
        if getattr(error, "actor_init_failed", False):
            raise ProviderError(
                f"a {actor.name} cannot start on its node ({_last(error)}); install the same "
                "version of rsonnx on every node"
            )
        self._actors.remove(actor)
        self._kill(actor)
        self._next_look = 0.0
        units = list(actor.load.units)
        if units and work is not None:
            # Only the oldest was being counted.
            self._deaths[units[0].number] += 1
            if self._deaths[units[0].number] >= _MOST_DEATHS:
                raise InferenceError(
                    f"{_MOST_DEATHS} Ray workers died one after the other of {_words(units[0])} "
                    f"({_last(error)}); see the logs of Ray, and give a worker more memory or a "
                    "smaller batch"
                )
            for unit in units:
                work.give_back(unit)
        elif not actor.ready:
            self._early_deaths += 1
            if self._early_deaths >= _MOST_DEATHS:
                raise ModelError(
                    f"{_MOST_DEATHS} Ray workers died while they loaded the model "
                    f"({_last(error)}); see the logs of Ray, and give a worker more memory"
                )

    def _kill(self, actor: _Actor) -> None:
        with contextlib.suppress(Exception):  # it may be dead, or Ray gone
            self._ray.kill(actor.handle)


class _Actor:
    """One worker, as its engine sees it.

    Attributes:
        answers: what it was asked, oldest first: to open, then the units of its load.
        ready: whether it has loaded the model.
    """

    def __init__(self, name: str, handle: Any, plan: Any) -> None:
        self.name = name
        self.handle = handle
        self.load = Load()
        self.answers: deque[Any] = deque([handle.open.remote(plan)])
        self.ready = False


def _first(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _last(error: Any) -> str:
    """Return why Ray says that a worker is gone: the last line of a long account, cut short."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".")[:200] if lines else type(error).__name__


def _words(unit: Unit) -> str:
    parts = [f"{p.start}..{p.stop} of request {p.request}" for p in unit.pieces]
    return f"samples {parts[0]}" + (f" and {len(parts) - 1} more ranges" if parts[1:] else "")
