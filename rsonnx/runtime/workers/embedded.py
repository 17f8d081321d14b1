"""Count on this machine: threads of this process, or a process for each of several devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from rsonnx.resources import bounded_memory, usable_cores
from rsonnx.runtime.cuda import engine_for
from rsonnx.runtime.engine import Engine
from rsonnx.runtime.onnx_classifier import OnnxClassifier
from rsonnx.runtime.settings import EngineSettings
from rsonnx.runtime.workers.processes import ProcessEngine


def open_embedded(
    model: OnnxClassifier, settings: EngineSettings
) -> AbstractContextManager[Engine]:
    """Return the engine of this machine."""
    if len(settings.devices) < 2:
        return _in_this_process(model, settings)
    batch_size, workers = settings.batch_size, settings.workers
    cores = max(1, usable_cores() // len(settings.devices))
    inside = partial(engine_for, batch_size=batch_size, workers=workers, cores=cores)
    return ProcessEngine(model.elsewhere.on, settings.devices, engine_factory=inside)


@contextmanager
def _in_this_process(model: OnnxClassifier, settings: EngineSettings) -> Iterator[Engine]:
    # What a device's driver reserves is no memory that is used.
    with bounded_memory if model.on_cpu else nullcontext():
        yield engine_for(model, settings.batch_size, settings.workers)
