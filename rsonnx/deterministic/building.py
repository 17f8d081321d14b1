"""Layers as they are put together, and the tensors of a graph in terms of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rsonnx.deterministic.layers import Affine, Matrix, Relu
from rsonnx.deterministic.operators import selection


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the input.

    Attributes:
        layer: whose values it holds.
        places: int64, in the tensor's shape: which of the values each element is.
        softened: ``"Softmax"`` or ``"LogSoftmax"`` where it is that of those values, else empty.
    """

    layer: int
    places: NDArray[np.int64]
    softened: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape, the batch axis of length 1 included."""
        return self.places.shape


@dataclass(eq=False)
class Builder:
    """Puts one layer behind the other.

    Attributes:
        size: values of an input, which are layer 0.
        layers: numbered from 1.
    """

    size: int
    layers: list[Affine | Relu] = field(default_factory=list)

    def width(self, number: int) -> int:
        """Return how many values a layer has."""
        if number == 0:
            return self.size
        layer = self.layers[number - 1]
        return self.width(layer.source) if isinstance(layer, Relu) else len(layer.bias)

    def relu(self, value: Value) -> Value:
        """Add the positive part of a tensor."""
        self.layers.append(Relu(value.layer))
        return Value(len(self.layers), value.places)

    def affine(
        self,
        parts: Sequence[tuple[int, Matrix]],
        shape: Sequence[int],
        bias: NDArray[np.float64] | float = 0.0,
        mass: NDArray[np.float64] | None = None,
    ) -> Value:
        """Add an affine layer, and return its values as a tensor.

        Args:
            parts: see :class:`Affine`.
            shape: of the tensor, of whose axes bias and mass are broadcast.
            bias: what is added.
            mass: see :class:`Affine`; None for the size of the bias.
        """
        width = math.prod(shape)
        added = np.broadcast_to(np.asarray(bias, np.float64), shape).ravel()
        sizes = abs(added) if mass is None else np.broadcast_to(mass, shape).ravel()
        self.layers.append(Affine(tuple(parts), added, sizes))
        return Value(len(self.layers), np.arange(width).reshape(shape))

    def in_order(self, value: Value) -> int:
        """Return a layer that holds a tensor's elements in their order."""
        places, width = value.places.ravel(), self.width(value.layer)
        if len(places) == width and bool((places == np.arange(width)).all()):
            return value.layer
        return self.affine([(value.layer, selection(places, width))], places.shape).layer
