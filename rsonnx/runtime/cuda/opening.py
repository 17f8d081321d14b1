"""Open a device with CuPy, or say in one sentence why that cannot be done."""

from __future__ import annotations

import importlib
from typing import Any

from rsonnx.errors import ProviderError, UsageError
from rsonnx.runtime.cuda.cupy_device import CupyDevice
from rsonnx.runtime.device_options import DeviceOptions
from rsonnx.runtime.providers import first_line


def cupy_problem() -> str | None:
    """Return why CuPy cannot draw noise here, or None where it can, as far as is known now."""
    try:
        cupy = _cupy()
        if cupy.cuda.runtime.getDeviceCount() < 1:
            return "CuPy finds no device"
    except (ProviderError, UsageError) as error:
        return str(error)
    except Exception as error:  # CuPy raises classes of its own, which cannot be named here
        return f"CuPy finds no device that works: {first_line(error)}"
    return None


def open_device(number: int) -> CupyDevice:
    """Open a device for drawing noise and counting labels.

    Raises:
        UsageError: CuPy is not installed, or ``number`` is no device number.
        ProviderError: CuPy does not work here, or there is no such device.
    """
    cupy = _cupy()
    DeviceOptions(device=number)  # refuses what is no number of a device
    try:
        found = int(cupy.cuda.runtime.getDeviceCount())
        if number < found:
            return CupyDevice(cupy, number)
    except Exception as error:
        raise ProviderError(
            f"CuPy cannot use device {number}: {first_line(error)}; run `rsonnx doctor`"
        ) from None
    raise ProviderError(
        f"device {number} was asked for, but there are {found}, numbered from 0; nvidia-smi -L "
        "lists them"
    )


def _cupy() -> Any:
    try:
        return importlib.import_module("cupy")
    except ModuleNotFoundError:
        raise UsageError(
            "drawing noise on the device needs CuPy, which is not installed: "
            "pip install 'rsonnx[cuda]'"
        ) from None
    except ImportError as error:
        raise ProviderError(
            f"CuPy is installed but cannot be loaded: {first_line(error)}; run `rsonnx doctor`"
        ) from None
