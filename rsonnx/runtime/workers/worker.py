"""The far end of an engine: one classifier, the engine that counts with it, and plain answers.

A worker never raises. What goes wrong is an answer too: an error of ours, which can be sent
anywhere, and is raised where the caller is.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rsonnx import errors
from rsonnx._version import __version__
from rsonnx.counts import Counts
from rsonnx.errors import InferenceError, ModelError, ProviderError, RsonnxError, first_line
from rsonnx.runtime.base_classifier import BaseClassifier
from rsonnx.runtime.engine import Engine
from rsonnx.runtime.ranges import CountRequest
from rsonnx.runtime.watchdog import STUCK, end_process_if_stuck

EngineFactory = Callable[[BaseClassifier], Engine]
"""Makes the engine that counts inside a worker."""


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model.

    Attributes:
        num_classes: of the model; None where it does not say.
        model: SHA-256 of the model; None where the classifier does not say.
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


Answer = Ready | Done | RsonnxError


class Worker:
    """A classifier and its engine, made when :meth:`open` is called, in a process of their own.

    Args:
        where: what errors say of the place; its machine is added where there may be several.
    """

    def __init__(self, where: str = "") -> None:
        self._where = f" ({where} {socket.gethostname()})" if where else ""
        self._engine: Engine | None = None
        end_process_if_stuck(STUCK)

    def open(
        self, factory: Callable[[], BaseClassifier], engine_factory: EngineFactory
    ) -> Ready | RsonnxError:
        """Load the model and make the engine."""
        try:
            classifier = factory()
            self._engine = engine_factory(classifier)
        except BaseException as error:  # a factory may even exit
            return portable(error, self._where)
        facts: dict[str, Any] = getattr(classifier, "facts", {})
        classes = getattr(classifier, "num_classes", None)
        return Ready(classes, facts.get("sha256"), __version__, socket.gethostname())

    def count(self, requests: Sequence[CountRequest]) -> Done | RsonnxError:
        """Count a unit."""
        start = time.perf_counter()
        try:
            if self._engine is None:
                raise RuntimeError("a worker was asked to count before it was opened")
            return Done(self._engine.count(requests), time.perf_counter() - start)
        except BaseException as error:
            return portable(error, self._where)


def portable(error: BaseException, where: str = "") -> RsonnxError:
    """Return an error of this machine as one of a class that is known everywhere."""
    known = next((c for c in type(error).__mro__ if c.__module__ == errors.__name__), None)
    if known is not None:
        return known(f"{error}{where}")  # type: ignore[no-any-return]
    if isinstance(error, MemoryError):
        return InferenceError(f"there is not enough memory{where}")
    name, words = type(error).__name__, first_line(error)
    why = name if words == name else f"{name}: {words}"
    return InferenceError(f"a worker failed with {why}{where}")
