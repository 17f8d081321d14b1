"""Run a base classifier on noisy blocks: providers, sessions, and engines that count answers."""

from rsonnx.runtime.classifier import BaseClassifier, Geometry, OnnxClassifier, checked_labels
from rsonnx.runtime.device_options import DeviceOptions
from rsonnx.runtime.engine import CountRequest, Engine, Progress, SampleStream, ThreadEngine
from rsonnx.runtime.providers import (
    ProviderChoice,
    choose_provider,
    installed_wheels,
    provider_problem,
)
from rsonnx.runtime.session import Session

__all__ = [
    "BaseClassifier",
    "CountRequest",
    "DeviceOptions",
    "Engine",
    "Geometry",
    "OnnxClassifier",
    "Progress",
    "ProviderChoice",
    "SampleStream",
    "Session",
    "ThreadEngine",
    "checked_labels",
    "choose_provider",
    "installed_wheels",
    "provider_problem",
]
