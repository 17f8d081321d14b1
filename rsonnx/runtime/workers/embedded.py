"""Count on this machine: threads of this process, or a process for each of several devices."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial

from rsonnx.resources import usable_cores
from rsonnx.runtime.classifier import OnnxClassifier
from rsonnx.runtime.cuda import engine_for
from rsonnx.runtime.engine import Engine
from rsonnx.runtime.settings import EngineSettings
from rsonnx.runtime.workers.processes import ProcessEngine


def open_embedded(
    model: OnnxClassifier, settings: EngineSettings
) -> AbstractContextManager[Engine]:
    """Return the engine of this machine."""
    batch_size, workers = settings.batch_size, settings.workers
    if len(settings.devices) < 2:
        return nullcontext(engine_for(model, batch_size, workers))
    cores = max(1, usable_cores() // len(settings.devices))
    inside = partial(engine_for, batch_size=batch_size, workers=workers, cores=cores)
    return ProcessEngine(model.elsewhere.on, settings.devices, engine_factory=inside)
