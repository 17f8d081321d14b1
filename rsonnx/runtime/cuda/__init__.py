"""Counting on a CUDA device: noise drawn there, labels counted there, K integers come back."""

from rsonnx.runtime.cuda.choosing import Place, engine_for, open_place
from rsonnx.runtime.cuda.cupy_device import cupy_problem, open_device
from rsonnx.runtime.cuda.engine import DeviceEngine

__all__ = ["DeviceEngine", "Place", "cupy_problem", "engine_for", "open_device", "open_place"]
