"""A classifier as layers of two kinds, affine maps and ReLUs, each of earlier ones: a DAG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = Any
"""float64 (outputs, inputs): a numpy array, or a sparse array of scipy."""


@dataclass(frozen=True, eq=False)
class Affine:
    """Values that are sums of products with earlier ones, and a constant.

    Attributes:
        parts: pairs of an earlier layer's number and the matrix that it is multiplied by; layer 0
            is the input.
        bias: float64 (outputs,), what is added.
        mass: float64 (outputs,), at least ``|bias|``: the sum of the sizes of the constants that it
            is made of, to which the rounding of a file that computes it is relative.
    """

    parts: tuple[tuple[int, Matrix], ...]
    bias: NDArray[np.float64]
    mass: NDArray[np.float64]

    @property
    def sources(self) -> tuple[int, ...]:
        """The layers that it is made of."""
        return tuple(source for source, _ in self.parts)

    @cached_property
    def sizes(self) -> tuple[tuple[int, Matrix], ...]:
        """The parts, with the sizes of the matrices' elements."""
        return tuple((source, abs(matrix)) for source, matrix in self.parts)

    @cached_property
    def terms(self) -> int:
        """The most terms that one of its values is the sum of."""
        counts = sum(np.asarray((matrix != 0).sum(axis=1)) for _, matrix in self.parts)
        return 1 + int(np.max(counts, initial=0))


@dataclass(frozen=True, eq=False)
class Relu:
    """The positive part of an earlier layer."""

    source: int

    @property
    def sources(self) -> tuple[int, ...]:
        """The layer that it is made of."""
        return (self.source,)


@dataclass(frozen=True, eq=False)
class Network:
    """A classifier of vectors.

    Attributes:
        size: how many values an input has.
        layers: numbered from 1, each behind those that it is made of; the last holds the scores.
        softened: ``"Softmax"`` or ``"LogSoftmax"`` where the file answers that of the scores, which
            keeps their order but for rounding; else empty.
    """

    size: int
    layers: tuple[Affine | Relu, ...]
    softened: str = ""

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """How many values each layer has, the input first."""
        widths = [self.size]
        for layer in self.layers:
            widths.append(len(layer.bias) if isinstance(layer, Affine) else widths[layer.source])
        return tuple(widths)

    @cached_property
    def rounded_terms(self) -> tuple[int, ...]:
        """The most terms of a sum that each layer may be computed in, 0 of a ReLU and the input.

        onnxruntime folds scales, normalisations and residual sums into the product before them, so
        these are the terms of all affine layers that meet without a ReLU between them.
        """
        group = list(range(len(self.widths)))

        def first(number: int) -> int:
            while group[number] != number:
                number = group[number]
            return number

        affine = {k: layer for k, layer in enumerate(self.layers, 1) if isinstance(layer, Affine)}
        for number, layer in affine.items():
            for source in layer.sources:
                if source in affine:
                    group[first(number)] = first(source)
        terms = [0] * len(group)
        for number, layer in affine.items():
            terms[first(number)] += layer.terms
        return tuple(terms[first(k)] if k in affine else 0 for k in range(len(group)))

    @cached_property
    def products(self) -> int:
        """About how many products bounding every layer backwards takes, for one ball."""
        counts = [0]
        for layer in self.layers:
            parts = layer.parts if isinstance(layer, Affine) else ()
            counts.append(sum(int((matrix != 0).sum()) for _, matrix in parts))
        return sum(
            2 * self.widths[number] * sum(counts[: number + 1])
            for number in self.rectified
            if self.bent[number]
        )

    @cached_property
    def bent(self) -> tuple[bool, ...]:
        """Whether a ReLU lies between the input and each layer, or is it."""
        bent = [False]
        for layer in self.layers:
            bent.append(isinstance(layer, Relu) or any(bent[s] for s in layer.sources))
        return tuple(bent)

    @cached_property
    def rectified(self) -> frozenset[int]:
        """The layers of which there is a ReLU."""
        return frozenset(layer.source for layer in self.layers if isinstance(layer, Relu))
