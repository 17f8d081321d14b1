"""Loads for the processor whatever the number of the device; processes can import this module."""

from __future__ import annotations

from pathlib import Path

from rsonnx.cli.engines import Loading
from rsonnx.runtime import OnnxClassifier


class OnTheProcessor(Loading):
    """A loading that knows no devices."""

    def load(self, path: Path, number: int | None = None) -> OnnxClassifier:
        del number
        return super().load(path)
