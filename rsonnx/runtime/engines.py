"""What can count for a model, by the names of the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rsonnx._catalogue import Catalogue

if TYPE_CHECKING:
    from rsonnx.runtime.engine import Engine
    from rsonnx.runtime.onnx_classifier import OnnxClassifier
    from rsonnx.runtime.settings import EngineSettings

ENGINES: Mapping[
    str, Callable[[OnnxClassifier, EngineSettings], AbstractContextManager[Engine]]
] = Catalogue(
    "rsonnx.runtime",
    {"embedded": "workers.embedded.open_embedded", "ray": "workers.ray.open_ray"},
)
"""To add an engine is to write a module with a function that opens it, and to name it here."""

BEFORE: Mapping[str, Callable[[EngineSettings], AbstractContextManager[None]]] = Catalogue(
    "rsonnx.runtime", {"ray": "workers.ray.join_ray"}
)
"""What an engine begins with, inside the context, before there is a model to open it for."""
