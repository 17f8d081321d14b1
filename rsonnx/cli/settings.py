"""From options, which are words, to the settings of a call of the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from rsonnx.errors import ProviderError, UsageError

if TYPE_CHECKING:
    from rsonnx.data import DataSettings
    from rsonnx.model import ModelSettings
    from rsonnx.runtime import EngineSettings


def data_settings(given: Mapping[str, Any]) -> DataSettings:
    """Return what the options declare of the data; a command may lack some of them."""
    from rsonnx.data import DataSettings

    names = [f.name for f in fields(DataSettings)]
    return DataSettings(**{name: given[name] for name in names if given.get(name) is not None})


def model_settings(given: Mapping[str, Any]) -> ModelSettings:
    """Return what the options declare of a model."""
    from rsonnx.model import ModelSettings, read_feed, read_shape

    shape = given["input_shape"]
    return ModelSettings(
        bounds=given["bounds"],
        preprocess=given["preprocess"],
        output_name=given["output_name"],
        threshold=given["threshold"],
        input_shape=None if shape is None else read_shape(shape),
        feeds=dict(map(read_feed, given["feed"])),
        float16=given["float16"],
        rows=given["rows"],
    )


def engine_settings(given: Mapping[str, Any]) -> EngineSettings:
    """Return what the options ask for; those that a command does not have are not given.

    Raises:
        UsageError: an option is malformed, or options exclude each other.
        ProviderError: all devices were asked for, and there is none.
    """
    from rsonnx.runtime import EngineSettings

    return EngineSettings(
        providers=provider_names(given["providers"]),
        devices=device_numbers(given.get("devices")),
        tf32=given.get("tf32", False),
        cuda_graph=given.get("cuda_graph", False),
        batch_size=given.get("batch_size"),
        workers=given.get("workers"),
        engine=given.get("engine") or "embedded",
        address=given.get("address"),
        gpus_per_worker=given.get("gpus_per_worker"),
        time_limit_per_call=given["time_limit_per_call"],
        time_limit_to_try=given["time_limit_to_try"],
    )


def provider_names(text: str | None) -> tuple[str, ...]:
    """Return the providers of a comma-separated text."""
    return () if text is None else tuple(name.strip() for name in text.split(","))


def device_numbers(text: str | None) -> tuple[int, ...]:
    """Return the devices that were asked for; none where none were."""
    if text is None:
        return ()
    if text == "all":
        from rsonnx.runtime.machine import find_driver

        driver = find_driver()
        if driver is None or driver.devices == 0:
            raise ProviderError(
                "--devices is all, but there is no CUDA device here; run `rsonnx doctor`"
            )
        return tuple(range(driver.devices))
    parts = text.split(",")
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise UsageError(f"--devices is {text!r}, but numbers such as 0,1 or all were expected")
    return tuple(map(int, parts))
