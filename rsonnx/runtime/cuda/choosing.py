"""What a run is opened with on its provider, and which engine counts for a classifier.

Noise is drawn on the device where CuPy works, and by threads on the host where it does not; a run's
header says which. The samples are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rsonnx.errors import ProviderError, UsageError
from rsonnx.runtime.base_classifier import BaseClassifier
from rsonnx.runtime.cuda.cupy_device import CupyDevice, open_device
from rsonnx.runtime.cuda.engine import DeviceEngine
from rsonnx.runtime.cuda.pinned import pinned
from rsonnx.runtime.device_options import CUDA, TENSORRT, DeviceOptions
from rsonnx.runtime.engine import Engine
from rsonnx.runtime.providers import ProviderChoice
from rsonnx.runtime.thread_engine import ThreadEngine

_HOST_WORKERS = 2
"""Threads where noise is drawn on the host for a device: one draws while the other's batch runs."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a classifier runs.

    Attributes:
        options: what its session is opened with.
        device: what draws noise and counts labels, on the session's stream; None for the host.
        facts: where the noise is drawn, and why on the host, for a run's header.
    """

    options: DeviceOptions
    device: CupyDevice | None
    facts: dict[str, Any]


def open_place(provider: ProviderChoice, options: DeviceOptions) -> Place:
    """Open what a session on ``provider`` needs beside it.

    Raises:
        UsageError: a CUDA graph was asked for where nothing can be recorded.
    """
    if provider.name not in (CUDA, TENSORRT):
        return Place(options, None, {"noise": "host"})
    try:
        device = open_device(options.device)
    except (ProviderError, UsageError) as error:
        if options.cuda_graph:
            raise UsageError(
                "a CUDA graph was asked for, which needs memory that stays where it is, and so "
                f"noise that is drawn on the device; but {error}"
            ) from None
        return Place(options, None, {"noise": "host", "why": str(error)})
    return Place(replace(options, stream=device.stream), device, {"noise": "device"})


def engine_for(
    classifier: BaseClassifier,
    batch_size: int | None = None,
    workers: int | None = None,
    *,
    cores: int | None = None,
) -> Engine:
    """Return the engine that counts for a classifier in this process.

    Args:
        classifier: one with ``device`` (see :class:`OnnxClassifier`) is counted on the device, any
            other by threads.
        batch_size: inputs a run; None chooses.
        workers: threads; None chooses.
        cores: that threads may use where their number is chosen; None for all.
    """
    device = getattr(classifier, "device", None)
    if device is not None and getattr(classifier, "num_classes", None) is not None:
        return DeviceEngine(classifier, device, batch_size)  # type: ignore[arg-type]
    if getattr(classifier, "on_cpu", True):
        return ThreadEngine(classifier, batch_size, workers, cores=cores)
    workers = workers or _HOST_WORKERS
    number = classifier.session.device.device  # type: ignore[attr-defined]
    return ThreadEngine(classifier, batch_size, workers, allocate=partial(pinned, device=number))
