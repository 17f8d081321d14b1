"""Where a run counts: threads of this process, a process a device, or workers on many machines."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rsonnx.errors import ModelError, ProviderError, UsageError
from rsonnx.model import ModelSettings
from rsonnx.runtime import BaseClassifier, DeviceOptions, Engine, OnnxClassifier
from rsonnx.runtime.cuda import engine_for
from rsonnx.runtime.machine import find_driver
from rsonnx.runtime.workers import ProcessEngine, RayEngine, shipped
from rsonnx.smoothing import load_with


@dataclass(frozen=True)
class Loading:
    """How a model file becomes a classifier; it travels to other processes.

    Attributes:
        settings: what is declared of the model.
        providers: as they were asked for; None for the best that works.
        device: how a device is used; its number is that of the first.
    """

    settings: ModelSettings
    providers: list[str] | None
    device: DeviceOptions

    def load(self, path: Path, number: int | None = None) -> OnnxClassifier:
        """Load the model, on the device of this number if one is given."""
        device = self.device
        if number is not None:
            device = DeviceOptions(number, tf32=device.tf32, cuda_graph=device.cuda_graph)
        return load_with(path, self.settings, self.providers, device)


def open_engine(
    path: Path, model: OnnxClassifier, loading: Loading, given: dict[str, Any], stack: ExitStack
) -> Engine | None:
    """Return the engine that the options ask for; None for the one in this process.

    Args:
        path: the model file.
        model: the same, loaded in this process.
        loading: how it was loaded.
        given: the options ``engine``, ``devices``, ``address``, ``gpus_per_worker``, ``workers``
            and ``batch_size``; those that a command does not have are taken as not given.
        stack: closes the engine.

    Raises:
        UsageError: options that exclude each other.
        RsonnxError: the engine does not start.
    """
    if given.get("engine", "embedded") == "ray":
        return stack.enter_context(_ray_engine(path, model, loading, given))
    for name in ("address", "gpus_per_worker"):
        if given.get(name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is of --engine ray; add that or leave it")
    numbers = device_numbers(given.get("devices"))
    if len(numbers) < 2:
        return None
    factory = partial(_load_on, loading, path, model.facts["sha256"])
    return stack.enter_context(
        ProcessEngine(
            factory,
            numbers,
            engine_factory=partial(
                _engine_in_worker, batch_size=given["batch_size"], workers=given["workers"]
            ),
        )
    )


def device_numbers(text: str | None) -> Sequence[int]:
    """Return the devices that were asked for; none where none were.

    Raises:
        UsageError: the text is no list of different numbers, nor ``all``.
        ProviderError: it is ``all``, and there is no device.
    """
    if text is None:
        return ()
    if text == "all":
        driver = find_driver(ctypes.CDLL)
        if driver is None or driver.devices == 0:
            raise ProviderError(
                "--devices is all, but there is no CUDA device here; run `rsonnx doctor`"
            )
        return range(driver.devices)
    parts = text.split(",")
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise UsageError(f"--devices is {text!r}, but numbers such as 0,1 or all were expected")
    numbers = [int(part) for part in parts]
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"--devices is {text!r}, which names a device twice; name each once")
    return numbers


def _ray_engine(
    path: Path, model: OnnxClassifier, loading: Loading, given: dict[str, Any]
) -> RayEngine:
    if given.get("devices") is not None:
        raise UsageError(
            "--devices is for the devices of this machine, and with --engine ray Ray places the "
            "workers; ask for --gpus-per-worker"
        )
    facts = model.facts
    gpus = given.get("gpus_per_worker")
    on_cpu = facts["providers"]["used"][0] == "CPUExecutionProvider"
    return RayEngine(
        shipped(path, loading.load, sha256=facts["sha256"], external_data=facts["external_data"]),
        address=given.get("address"),
        workers=given["workers"],
        gpus_per_worker=(0.0 if on_cpu else 1.0) if gpus is None else gpus,
        engine_factory=partial(_engine_in_worker, batch_size=given["batch_size"], workers=None),
    )


def _load_on(loading: Loading, path: Path, sha256: str, number: int) -> OnnxClassifier:
    model = loading.load(path, number)
    if model.facts["sha256"] != sha256:
        raise ModelError(f"{path} was changed after it had been loaded; run again")
    return model


def _engine_in_worker(
    classifier: BaseClassifier, *, batch_size: int | None, workers: int | None
) -> Engine:
    return engine_for(classifier, batch_size, workers)
