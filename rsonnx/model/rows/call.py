"""One use of an operator: what its rule may ask about it, and where the rules are listed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from rsonnx.model.rows.values import (
    MOST_VALUES,
    Multiple,
    Tensor,
    UnprovedError,
    Value,
    product,
    rows_axis,
)

T = TypeVar("T")
ML, MICROSOFT = "ai.onnx.ml.", "com.microsoft."


class Body(Protocol):
    """Follows a subgraph."""

    def __call__(
        self, graph: onnx.GraphProto, fed: Sequence[Value], some: Tensor | None = None
    ) -> list[Value]:
        """Return its outputs, given its inputs; it runs only where a mask has true entries."""


@dataclass(frozen=True, eq=False)
class Call:
    """One node, with what is known of its inputs.

    Attributes:
        operator: its name, behind that of its domain where this is not the default one.
        version: of the operator set that it belongs to.
        attributes: by name, those of a function's call put in place.
        inputs: None stands for one that is left out.
        outputs: how many outputs it has.
        body: follows its subgraphs.
    """

    operator: str
    version: int
    attributes: Mapping[str, onnx.AttributeProto]
    inputs: tuple[Tensor | None, ...]
    outputs: int
    body: Body

    def has(self, index: int) -> bool:
        """Return whether the input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def tensor(self, index: int = 0) -> Tensor:
        """Return an input that must be given."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise UnprovedError(f"no input {index}")
        return tensor

    @property
    def given(self) -> list[Tensor]:
        """The inputs that are given."""
        return [t for t in self.inputs if t is not None]

    def fixed(self, *indices: int) -> None:
        """Demand that inputs, where they are given, depend on no input of the model."""
        for index in indices:
            if self.has(index) and not self.tensor(index).is_fixed:
                raise UnprovedError(f"input {index} differs from row to row")

    def fixed_from(self, first: int) -> None:
        """Demand that all inputs from ``first`` on depend on no input of the model."""
        self.fixed(*range(first, len(self.inputs)))

    def scalar(self, *indices: int) -> None:
        """Demand that inputs, where they are given, are one number for all rows."""
        self.fixed(*indices)
        for index in indices:
            if self.has(index) and product(self.tensor(index).dims) != 1:
                raise UnprovedError(f"input {index} has several values")

    def rows_first(self, index: int = 0, rank: int | None = None, least: int = 1) -> Tensor:
        """Return an input whose first axis holds the rows, if any axis of it does."""
        tensor = self.tensor(index)
        if tensor.rank < least or (rank is not None and tensor.rank != rank):
            raise UnprovedError(f"an input of {tensor.rank} axes")
        if tensor.axis not in (None, 0):
            raise UnprovedError(f"rows on axis {tensor.axis}")
        return tensor

    def attribute(self, name: str, default: T) -> T:
        """Return an attribute of the default's type."""
        if name not in self.attributes:
            return default
        stored = self.attributes[name]
        if max(len(stored.ints), len(stored.floats), len(stored.strings)) > MOST_VALUES:
            raise UnprovedError(f"attribute {name} is long")
        value = helper.get_attribute_value(stored)
        if isinstance(value, bytes):
            value = value.decode()
        if default is not None and not isinstance(value, type(default)):
            raise UnprovedError(f"attribute {name}")
        return value  # type: ignore[no-any-return]

    def integers(self, name: str) -> list[int] | None:
        """Return an attribute that is a list of integers, None where it is not set."""
        if name not in self.attributes:
            return None
        return [int(v) for v in self.attribute(name, list[int]())]

    def value(self, index: int) -> NDArray[Any]:
        """Return what an input holds, which must be known; it may hold multiples of N."""
        value = self.tensor(index).value
        if value is None:
            raise UnprovedError(f"input {index} is not known")
        return value

    def numbers(self, index: int, name: str = "") -> list[Any] | None:
        """Return the list that an input holds or an attribute, None where neither is given."""
        if not self.has(index):
            return self.integers(name)
        if name in self.attributes:
            raise UnprovedError(f"{name} given twice")
        return list(np.atleast_1d(self.value(index)).tolist())

    def axis(self, rank: int, default: int | None = None) -> int:
        """Return the attribute ``axis``, from 0 to ``rank`` - 1."""
        if default is None and "axis" not in self.attributes:
            raise UnprovedError("no axis")
        return positive(self.attribute("axis", default or 0), rank)

    def axes(self, asked: Sequence[Any] | None, rank: int) -> list[int]:
        """Return axes, from 0 to ``rank`` - 1; all of them where none are named."""
        return [positive(axis, rank) for axis in (range(rank) if asked is None else asked)]


Rule = Callable[[Call], Value | Sequence[Value]]
"""Returns what is known of an operator's outputs.

It raises :class:`UnprovedError` where rows may mix, or where it does not surely understand.
"""

R = TypeVar("R", bound=Rule)
RULES: dict[str, Rule] = {}

SIZES: dict[str, Collection[int]] = {}
"""Which inputs say how large the output is, and so may depend on the number of rows."""

PLACES: dict[str, Collection[int]] = {}
"""Which inputs may be the places of rows, which are their numbers and nothing else's business."""


def rule(
    *operators: str, domain: str = "", sizes: Collection[int] = (), places: Collection[int] = ()
) -> Callable[[R], R]:
    """List a function as the rule of operators."""

    def lists(function: R) -> R:
        for operator in operators:
            name = domain + operator
            RULES[name], SIZES[name], PLACES[name] = function, sizes, places
        return function

    return lists


def positive(axis: int, rank: int) -> int:
    """Return an axis counted from the front."""
    if isinstance(axis, Multiple) or not -rank <= axis < rank:
        raise UnprovedError(f"axis {axis} of {rank}")
    return int(axis) % rank


def spare(tensor: Tensor, *axes: int) -> None:
    """Demand that the rows lie on none of some axes, along which an operator mixes values."""
    if tensor.axis in axes:
        raise UnprovedError()


def of_shape(*sizes: Any) -> Tensor:
    """Return a tensor of a shape, which may hold rows on one axis."""
    rows_axis(sizes)
    return Tensor(sizes)
