"""Collections of hostile files, what is expected of some, and the graph that most are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto
from onnx_models import build, save

Maker = Callable[[Path], Path]
"""Makes a file in a folder and returns its path."""

FLOAT = TensorProto.FLOAT

HARMLESS = {
    "two kinds of data", "node without output", "output is the input", "ir 0", "ir -1",
    "3000 nodes", "200000 nodes", "external too long", "external is the model",
    "control characters", "metadata of 9 MB", "metadata of 100 MB", "preprocessing nested",
    "preprocessing of a file",
}  # fmt: skip
"""Odd, but what they compute is clear: they load where a preprocessing is declared."""

SLOW = {"200000 nodes", "metadata of 100 MB", "loop that doubles"}
"""Take seconds, or gigabytes, until they are refused."""

ENDLESS = {"endless loop"}
"""Only a limit on time ends them."""


class Makers(dict[str, Maker]):
    """Makers of files, by name."""

    def add(self, name: str, make: Callable[[], onnx.ModelProto]) -> None:
        self[name] = lambda folder: save(make(), folder, f"{name}.onnx")

    def add_bytes(self, name: str, make: Callable[[], bytes]) -> None:
        def write(folder: Path) -> Path:
            path = folder / f"{name}.onnx"
            path.write_bytes(make())
            return path

        self[name] = write


def graph(nodes: list[NodeProto], **options: object) -> onnx.ModelProto:
    return build(nodes, ("n", 4), ("n", 4), **options)  # type: ignore[arg-type]
