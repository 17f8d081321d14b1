"""The far end of an engine: one classifier, the engine that counts with it, and plain answers.

A worker never raises. What goes wrong is an answer too, in words that can be sent anywhere, and
becomes an error of its own class again where the caller is.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import rsonnx.errors
from rsonnx._version import __version__
from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, ModelError, ProviderError, RsonnxError
from rsonnx.runtime.classifier import BaseClassifier
from rsonnx.runtime.engine import Engine
from rsonnx.runtime.ranges import CountRequest

EngineFactory = Callable[[BaseClassifier], Engine]
"""Makes the engine that counts inside a worker."""


@dataclass(frozen=True)
class WorkerPlan:
    """How a worker becomes ready.

    Attributes:
        factory: makes the classifier.
        engine_factory: makes the engine of the classifier.
    """

    factory: Callable[[], BaseClassifier]
    engine_factory: EngineFactory


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model.

    Attributes:
        num_classes: of the model; None where it does not say.
        model: SHA-256 of the model file; None where the classifier does not say.
        version: of rsonnx.
        host: name of the machine.
    """

    num_classes: int | None
    model: str | None
    version: str
    host: str

    def check_alike(self, other: Ready, where: str) -> None:
        """Refuse a worker that has another model than this one, or another rsonnx than we.

        Counts of two models must never be added, and another version may draw other noise.

        Raises:
            ModelError: another model.
            ProviderError: another rsonnx.
        """
        if other.version != __version__:
            raise ProviderError(
                f"the {where} has rsonnx {other.version}, but {__version__} is needed, since noise "
                "may differ; install the same version there"
            )
        if (self.model, self.num_classes) != (other.model, other.num_classes):
            raise ModelError(
                f"the {where} loaded another model than the others ({other}, not {self}); give all "
                "of them the same file"
            )

    def __str__(self) -> str:
        return f"sha256 {(self.model or 'unknown')[:12]}, {self.num_classes} classes"


@dataclass(frozen=True)
class Done:
    """A worker has counted a unit: a vector of counts a request, in so many seconds."""

    counts: list[Counts]
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A worker could not do what it was asked.

    Attributes:
        kind: name of the class in :mod:`rsonnx.errors`; None where another error was raised.
        message: what that error said; for another error, its type and what it said.
        host: name of the machine.
    """

    kind: str | None
    message: str
    host: str

    @classmethod
    def of(cls, error: BaseException) -> Failed:
        """Put an error of this machine in words."""
        host = socket.gethostname()
        if isinstance(error, RsonnxError):
            own = next(c for c in type(error).__mro__ if c.__module__ == rsonnx.errors.__name__)
            return cls(own.__name__, str(error), host)
        if isinstance(error, MemoryError):
            return cls(None, "there is not enough memory", host)
        words = str(error).strip().splitlines()
        kind = type(error).__name__
        return cls(None, f"{kind}: {words[0]}" if words else kind, host)

    def error(self, where: str) -> RsonnxError:
        """Return the error to raise; ``where`` names the worker."""
        if self.kind is None:
            return InferenceError(f"the {where} failed: {self.message}")
        kind: type[RsonnxError] = getattr(rsonnx.errors, self.kind)
        return kind(f"{self.message} (in the {where})")


Answer = Ready | Done | Failed


class Worker:
    """A classifier and its engine, made when :meth:`open` is called."""

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def open(self, plan: WorkerPlan) -> Ready | Failed:
        """Load the model."""
        try:
            classifier = plan.factory()
            self._engine = plan.engine_factory(classifier)
        except BaseException as error:  # a factory may even exit
            return Failed.of(error)
        facts: dict[str, Any] = getattr(classifier, "facts", {})
        classes = getattr(classifier, "num_classes", None)
        return Ready(classes, facts.get("sha256"), __version__, socket.gethostname())

    def count(self, requests: Sequence[CountRequest]) -> Done | Failed:
        """Count a unit."""
        start = time.perf_counter()
        try:
            if self._engine is None:
                raise RuntimeError("a worker was asked to count before it was opened")
            return Done(self._engine.count(requests), time.perf_counter() - start)
        except BaseException as error:
            return Failed.of(error)
