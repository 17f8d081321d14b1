"""A model that was read, and what may be read as one."""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import onnx

from rsonnx.model.apart import Weights
from rsonnx.model.graph import GraphView

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto
"""A model: its file, the bytes of one, or the model as onnx holds it."""


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A parsed model.

    Attributes:
        path: where it was read from; None for one that was given as bytes or as onnx holds it.
        hashed: its SHA-256, or what will give it.
        size: bytes of the file as it lies.
        proto: the model, with external data loaded, but for the values of ``weights``.
        external_data: relative names of the external data files.
        weights: large weights, where they lie apart.
    """

    path: Path | None
    hashed: str | Future[str]
    size: int
    proto: onnx.ModelProto
    external_data: tuple[str, ...] = ()
    weights: Weights = field(default_factory=dict)

    def __str__(self) -> str:
        return "the model given" if self.path is None else str(self.path)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file as it lies, compressed or not, and of every external data file.

        They follow on each other in the order in which they are named; of a model that onnx holds,
        it is that of its deterministic serialisation. A large file may still be read for it.

        Raises:
            ModelError: external data cannot be read, or changed since before they were loaded.
        """
        return self.hashed if isinstance(self.hashed, str) else self.hashed.result()

    @property
    def name(self) -> str:
        """Name of the file, without its folder; of a model that has none, the same every time."""
        return "(not a file)" if self.path is None else self.path.name

    @property
    def opset(self) -> int:
        """Version of the default operator set."""
        return next((o.version for o in self.proto.opset_import if o.domain in ("", "ai.onnx")), 0)

    @property
    def metadata(self) -> dict[str, str]:
        """The model's own key-value metadata."""
        return {p.key: p.value for p in self.proto.metadata_props}

    @cached_property
    def view(self) -> GraphView:
        """Look-ups over its main graph."""
        return GraphView(self.proto)
