"""Runs of a model on chosen inputs, for tensors within it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rsonnx.model.closed.refusal import NotClosedError
from rsonnx.model.graph import GraphView
from rsonnx.model.head import INPUT

Runner = Callable[[Sequence[str], NDArray[np.float32]], list[NDArray[Any]]]
"""Gives tensors of a model, by name, for a batch of inputs."""

Opener = Callable[[bytes], Runner]
"""Opens a serialized model as it will be run."""

_BATCHES = (2, 3)
"""Sizes that tell which axis of a tensor is the batch's."""


class Inside:
    """A model and its tensors, for batches of inputs.

    Args:
        model: an adapted model.
        shape: of one input.
        opener: opens models.
    """

    def __init__(self, model: onnx.ModelProto, shape: tuple[int, ...], opener: Opener) -> None:
        self.shape, self._model, self._opener = shape, model, opener
        self._view = GraphView(model)
        self._runners: dict[tuple[str, ...], Runner] = {}

    def run(self, names: Sequence[str], rows: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Return tensors for flat inputs, (rows, d)."""
        asked = tuple(names)
        if asked not in self._runners:
            self._runners[asked] = self._opener(self._giving(asked))
        return self._runners[asked](asked, rows.reshape(-1, *self.shape))

    def applied(
        self, node: onnx.NodeProto, operands: Sequence[NDArray[Any] | None]
    ) -> list[NDArray[Any]]:
        """Return what one of the model's nodes makes of arrays; None for one that is left out.

        Raises:
            NotClosedError: it does not take them.
        """
        alone = onnx.NodeProto()
        alone.CopyFrom(node)
        stored = []
        for i, held in enumerate(operands):
            alone.input[i] = "" if held is None else f"operand_{i}"
            if held is not None:
                array = held.astype(object) if held.dtype.kind == "U" else held
                stored.append(numpy_helper.from_array(array, alone.input[i]))
        outputs = [name for name in alone.output if name]
        unused = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1])
        made = [helper.make_empty_tensor_value_info(name) for name in outputs]
        part = helper.make_model(
            helper.make_graph([alone], "step", [unused], made, stored),
            opset_imports=self._model.opset_import,
            ir_version=self._model.ir_version,
        )
        try:
            return self._opener(part.SerializeToString())(outputs, np.zeros(1, np.float32))
        except Exception:  # onnxruntime raises a class of its own for each status code
            raise NotClosedError(
                f"what its operator {node.op_type} makes of sums is not followed"
            ) from None

    def _giving(self, names: Sequence[str]) -> bytes:
        """Return the part of the model that tensors need, serialized, with these as its outputs."""
        needed, nodes = self._view.needed(names)
        part = onnx.ModelProto()
        part.CopyFrom(self._model)
        graph = part.graph
        del graph.node[:], graph.output[:]
        graph.node.extend(nodes)
        graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
        weights = [t for t in graph.initializer if t.name in needed]
        del graph.initializer[:]
        graph.initializer.extend(weights)
        return bytes(part.SerializeToString())


class Tensors:
    """What small batches show of tensors: the batch axis, the shape, and constant contents.

    Args:
        inside: the model.
        names: of the tensors.
        size: values of an input.
    """

    def __init__(self, inside: Inside, names: Sequence[str], size: int) -> None:
        self._inside, self._size, self.applied = inside, size, inside.applied
        generator = np.random.default_rng(20130888)  # these are no samples
        batches = [generator.random((rows, size), np.float32) for rows in _BATCHES]
        runs = [inside.run(names, batch) for batch in batches]
        self._seen = {name: arrays for name, *arrays in zip(names, *runs, strict=True)}
        self._seen[INPUT] = [batch.reshape(-1, *inside.shape) for batch in batches]

    def axis(self, name: str) -> int | None:
        """Return the batch axis of a tensor; None where it has none, or no single one."""
        small, large = self._seen[name]
        if small.ndim != large.ndim:
            return None
        axes = [a for a in range(small.ndim) if small.shape[a] != large.shape[a]]
        fits = len(axes) == 1 and (small.shape[axes[0]], large.shape[axes[0]]) == _BATCHES
        return axes[0] if fits else None

    def shape(self, name: str, rows: int) -> tuple[int, ...]:
        """Return a tensor's shape in a batch of so many rows."""
        small, axis = self._seen[name][0], self.axis(name)
        return tuple(rows if a == axis else length for a, length in enumerate(small.shape))

    def range(self, name: str) -> tuple[float, float]:
        """Return the least and the largest element for inputs from end to end of float32.

        It is of steps that keep or turn the order of values.
        """
        ends = np.finfo(np.float32).max * np.array([[-1], [1]], np.float32)
        (held,) = self._inside.run([name], np.repeat(ends, self._size, axis=1))
        return float(held.min()), float(held.max())

    def is_real(self, name: str) -> bool:
        """Return whether a tensor holds float32 or float64."""
        return self._seen[name][0].dtype in (np.float32, np.float64)

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return what a tensor that depends on no input holds; None if its rows are not alike."""
        small, axis = self._seen[name][0], self.axis(name)
        if axis is None:
            alike = small.shape == self._seen[name][1].shape
            return small if alike and np.array_equal(small, self._seen[name][1]) else None
        first = np.take(small, [0], axis)
        return first if np.array_equal(np.broadcast_to(first, small.shape), small) else None
