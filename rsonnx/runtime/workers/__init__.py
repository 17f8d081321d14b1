"""Engines whose workers are elsewhere: a process a device, or many machines by Ray."""

from rsonnx.runtime.workers.processes import ProcessEngine
from rsonnx.runtime.workers.ray import RayEngine

__all__ = ["ProcessEngine", "RayEngine"]
