"""Many machines: Ray actors that hold the classifier, and work that outlives them."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count as numbers
from typing import Any

from rsonnx.errors import InferenceError, ModelError, ProviderError, UsageError
from rsonnx.runtime.base_classifier import BaseClassifier
from rsonnx.runtime.cuda import engine_for
from rsonnx.runtime.onnx_classifier import OnnxClassifier
from rsonnx.runtime.ranges import CountRequest
from rsonnx.runtime.settings import EngineSettings
from rsonnx.runtime.workers.cluster import joined, joining
from rsonnx.runtime.workers.remote import Link, RemoteEngine, Work
from rsonnx.runtime.workers.worker import Answer, EngineFactory, Ready, Worker, portable

_POLL = 1.0
"""Seconds between two looks at the clock while nothing arrives."""

_RECRUIT = 5.0
"""Seconds between two looks for nodes that have joined."""

_MOST_DEATHS = 3
"""Workers that one unit, or loading the model, may cost before it is held to be the cause."""


class _Actor(Link):
    """One Ray actor.

    Attributes:
        handle: Ray's.
        answers: what it was asked, oldest first: to open, then the units of its load.
    """

    def __init__(self, name: str, handle: Any, *plan: Any) -> None:
        super().__init__(name)
        self.handle = handle
        self.answers: deque[Any] = deque([handle.open.remote(*plan)])

    def send(self, requests: list[CountRequest]) -> None:
        self.answers.append(self.handle.count.remote(requests))


class RayEngine(RemoteEngine[_Actor]):
    """Counts with Ray actors, each with a classifier of its own, on any number of machines.

    A worker or a node that is lost costs the units that it held: they are counted again elsewhere,
    and never twice. Nodes that join are used. Every node needs the same version of rsonnx.

    Args:
        factory: makes the classifier on a node; sent there once, with what it holds, such as the
            files of :meth:`rsonnx.runtime.Origin.with_files`.
        address: of the cluster; see :class:`rsonnx.runtime.workers.cluster.Cluster`.
        workers: how many; None takes as many as the cluster has room for at any time.
        gpus_per_worker: devices that Ray keeps for a worker, which sees no others.
        cpus_per_worker: cores that Ray keeps for a worker, and threads of a model on the processor.
        engine_factory: makes what counts inside a worker; None takes
            :func:`rsonnx.runtime.cuda.engine_for`.
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
        engine_factory: EngineFactory | None = None,
        patience: float = 300.0,
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}, but it must be at least 1")
        for name, value in (("cpus", cpus_per_worker), ("gpus", gpus_per_worker)):
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(
                    f"{name}_per_worker is {value:g}, but a finite number from 0 was expected"
                )
        self._needs = {"CPU": cpus_per_worker, "GPU": gpus_per_worker}
        if not any(self._needs.values()):
            raise UsageError("a Ray worker needs a CPU or a GPU, but was given neither")
        super().__init__()
        self._asked = workers
        self._patience = patience
        self._names = (f"Ray worker {number}" for number in numbers(1))
        self._early_deaths = 0
        self._next_look = 0.0
        self._alone_since = time.monotonic()
        self._cluster = joined(address)
        self._ray = self._cluster.ray
        try:
            inside = engine_factory or partial(engine_for, cores=max(1, int(cpus_per_worker)))
            self._plan = (self._cluster.put(factory), inside)
            self._actor_class = self._ray.remote(
                num_cpus=cpus_per_worker,
                num_gpus=gpus_per_worker,
                max_restarts=0,
                scheduling_strategy="SPREAD",
            )(Worker)
            if workers is None and not self._room():
                raise ProviderError(f"{self._shortage()}; ask for less, or start nodes")
            while not any(link.ready for link in self._links):
                self._recruit()
                self._listen(None)
        except BaseException:
            self.close()
            raise

    @property
    def facts(self) -> dict[str, Any]:
        """What a run's header says of the engine."""
        return {"ray workers": max(1, len(self._links))}

    def _recruit(self) -> None:
        """Now and then, have as many workers as were asked for or find room."""
        now = time.monotonic()
        if any(link.ready for link in self._links):
            self._alone_since = now
        elif now - self._alone_since > self._patience:
            raise InferenceError(
                f"no Ray worker could be had within {self._patience:g} s: {self._shortage()}, or "
                "others use it; free or add nodes, and run again"
            )
        if now < self._next_look:
            return
        self._next_look = now + _RECRUIT
        wanted = self._asked or self._room()
        while len(self._links) < wanted:
            handle = self._actor_class.remote("on")
            self._links.append(_Actor(next(self._names), handle, *self._plan))

    def _room(self) -> int:
        """Return how many workers the nodes that live would hold if nothing else ran there."""
        return sum(room(node, self._needs) for node in self._cluster.nodes())

    def _shortage(self) -> str:
        nodes = self._cluster.nodes()
        needs, has = (
            ", ".join(f"{kind}: {amount:g}" for kind, amount in amounts.items())
            for amounts in (self._needs, {k: sum(n.get(k, 0) for n in nodes) for k in self._needs})
        )
        return f"no node of the Ray cluster has what a worker needs ({needs}; all nodes: {has})"

    def _hear(self) -> Iterator[tuple[_Actor, Answer | Exception]]:
        waiting = {link.answers[0]: link for link in self._links if link.answers}
        if not waiting:
            time.sleep(_POLL)
            return
        self._ray.wait(list(waiting), num_returns=1, timeout=_POLL)
        arrived, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for reference in arrived:
            link = waiting[reference]
            answer = self._get(link.answers.popleft())
            if isinstance(answer, Ready):
                link.name += f" on {answer.host}"
            yield link, answer

    def _get(self, reference: Any) -> Answer | Exception:
        try:
            answer: Answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # a stream that cannot be read there
            return portable(error.cause)
        except self._ray.exceptions.RayError as error:
            return error  # type: ignore[no-any-return]
        return answer

    def _lose(self, link: _Actor, why: Exception, work: Work | None) -> None:
        if getattr(why, "actor_init_failed", False):
            raise ProviderError(
                f"a {link.name} cannot start on its node ({_last(why)}); install the same "
                "version of rsonnx on every node"
            )
        self._links.remove(link)
        self._kill(link)
        self._next_look = 0.0
        if link.units and work is not None:
            first = link.units[0]  # only the oldest was being counted
            first.deaths += 1
            if first.deaths >= _MOST_DEATHS:
                start = first.spans[0]
                raise InferenceError(
                    f"{_MOST_DEATHS} Ray workers died of {first.samples} samples, from "
                    f"{start.start} of request {start.request} on ({_last(why)}); see Ray's logs, "
                    "and give a worker more memory or a smaller batch"
                )
            for unit in link.units:
                work.give_back(unit)
        elif not link.ready:
            self._early_deaths += 1
            if self._early_deaths >= _MOST_DEATHS:
                raise ModelError(
                    f"{_MOST_DEATHS} Ray workers died while they loaded the model "
                    f"({_last(why)}); see the logs of Ray, and give a worker more memory"
                )

    def _end(self, links: Sequence[_Actor]) -> None:
        for link in links:
            self._kill(link)
        self._cluster.close()

    def _kill(self, link: _Actor) -> None:
        with contextlib.suppress(Exception):  # it may be dead, or Ray gone
            self._ray.kill(link.handle)


def room(node: Mapping[str, float], needs: Mapping[str, float]) -> int:
    """Return how many workers of these needs a node of these resources holds."""
    return int(min(node.get(kind, 0.0) / each + 1e-9 for kind, each in needs.items() if each))


def _last(error: Exception) -> str:
    """Return why Ray says that a worker is gone: the last line of a long account, cut short."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".")[:200] if lines else type(error).__name__


def open_ray(model: OnnxClassifier, settings: EngineSettings) -> RayEngine:
    """Return the engine of a Ray cluster."""
    gpus = settings.gpus_per_worker
    return RayEngine(
        model.elsewhere.with_files().classifier,
        address=settings.address,
        workers=settings.workers,
        gpus_per_worker=float(not model.on_cpu) if gpus is None else gpus,
        engine_factory=partial(engine_for, batch_size=settings.batch_size, cores=1),
    )


def join_ray(settings: EngineSettings) -> contextlib.AbstractContextManager[None]:
    """Join the cluster before there is a model, since to start one takes seconds."""
    return joining(settings.address)
