"""What every data set looks like to the rest of rsonnx, and the check of its labels."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.columns import Column
from rsonnx.data.rows import Rows
from rsonnx.data.settings import Exif
from rsonnx.errors import DataError, UsageError

DEEP, DEEPEST = "16-bit", 65535
"""What a picture of 16 bits is called in its header, and its highest level."""


@dataclass(frozen=True)
class Reading:
    """How the files of a data set are read, and which are not.

    Attributes:
        exif: what is done about orientation; None for arrays, which have none.
        left_out: files that are no pictures in a form that is read, relative to the root.
        hidden: files and folders that are left out as hidden or a system's own.
        largest: the largest value of an array of uint8; None for all else.
        background: what transparent pixels are seen on; None refuses them.
        unused_labels: what a labels file has a label for, but is no input.
        columns: what the values of an input are, of a table; empty for all else.
    """

    exif: Exif | None = None
    left_out: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    largest: int | None = None
    background: str | None = None
    unused_labels: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def endings(self) -> dict[str, int]:
        """How many files of which ending are left out, the most frequent first."""
        counts = Counter(PurePosixPath(name).suffix.lower() for name in self.left_out)
        return dict(counts.most_common())


@dataclass(frozen=True)
class Header:
    """What is known of an example without decoding it.

    Attributes:
        shape: of its values.
        turned: whether it is read turned, as its EXIF orientation says.
        converted: what its picture is, where that is no grey, RGB or palette of 8 bits: "CMYK",
            "YCbCr", "16-bit" or "float"; else None.
    """

    shape: tuple[int, ...]
    turned: bool
    converted: str | None = None


@dataclass(frozen=True, eq=False)
class Example:
    """One input as it is stored, before any layout or range of a model.

    Attributes:
        name: stable and relative, with '/' between parts: "7/00042.png", or the index as text.
        label: the true class, or None where the data has none.
        values: read-only. An image: uint8 of shape (H, W, C), C = 1 or 3, units 0..255; uint16,
            units 0..65535, or float32 where the picture is so.
            A row of an array: as stored, uint8, or other numbers in the file's own units.
    """

    name: str
    label: int | None
    values: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Dataset(ABC):
    """A finite, ordered, immutable sequence of examples; safe to read from several threads.

    An index outside 0..len-1 raises IndexError everywhere, a negative one too: a row's name is its
    index, and "-1" would name no row.

    Attributes:
        path: where it was opened.
        labels: one label an example, in order; None where the data is unlabelled.
        class_names: `class_names[label]` is the name of a label; None where the data names no
            classes (folders that are numbers, arrays) and the caller gave no names.
        label_rule: one phrase for a run header that says where labels come from.
        reading: how its files are read, and which are not.
        kind: "image-folder", "npz", "cifar-10-binary" ...: each form's module says its own.
    """

    path: Path
    labels: tuple[int, ...] | None
    class_names: tuple[str, ...] | None
    label_rule: str
    reading: Reading
    kind: str

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of examples, at least 1."""

    @abstractmethod
    def _name(self, at: int) -> str: ...

    @abstractmethod
    def _header(self, at: int) -> Header: ...

    @abstractmethod
    def _values(self, at: int) -> NDArray[Any]: ...

    def name(self, index: int) -> str:
        """Return the name of one example."""
        return self._name(self._position(index))

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of one example's values without decoding it.

        DataError for an image whose header already rules it out, so that a whole set can be
        checked before hours of work.
        """
        return self.header(index).shape

    def header(self, index: int) -> Header:
        """Return what is known of one example without decoding it; errors as for :meth:`shape`."""
        return self._header(self._position(index))

    def __getitem__(self, index: int) -> Example:
        """Read one example; DataError where it is broken."""
        at = self._position(index)
        label = None if self.labels is None else self.labels[at]
        return Example(self._name(at), label, self._values(at))

    def levels(self, indices: Sequence[int]) -> NDArray[np.uint8] | None:  # noqa: ARG002
        """Return the values of several examples together, which are the rows of an array of uint8.

        None of all other examples, which are read one by one.
        """
        return None

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all values of all examples in their order, flat, some at a time.

        Raises:
            DataError: they are pictures, whose values are levels, not numbers.
        """
        raise DataError(
            f"{self.path} holds pictures, whose levels say nothing of their units; give numbers in "
            "place of auto or std"
        )

    def _position(self, index: int) -> int:
        at = operator.index(index)
        if not 0 <= at < len(self):
            raise IndexError(f"example {at} is outside 0..{len(self) - 1}")
        return at


@dataclass(frozen=True, eq=False)
class ArrayRows(Dataset):
    """The rows of one array: of an .npz file or idx images, or in memory."""

    rows: Rows

    def __len__(self) -> int:
        return self.rows.shape[0]

    def _name(self, at: int) -> str:
        return str(at)

    def _header(self, at: int) -> Header:  # noqa: ARG002 - all rows are alike
        return Header(self.rows.shape[1:], turned=False)

    def _values(self, at: int) -> NDArray[Any]:
        return self.rows.row(at)

    def levels(self, indices: Sequence[int]) -> NDArray[np.uint8] | None:
        """Return several rows together where they are uint8; DataError where they are broken."""
        return None if self.rows.dtype != np.uint8 else self.rows.take(indices)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all values, some at a time; DataError for levels (uint8)."""
        return super().blocks() if self.reading.largest is not None else self.rows.blocks()


def values_between(dataset: Dataset, index: int, bounds: tuple[float, float]) -> NDArray[Any]:
    """Return the values of one example: levels of 65,535 of a picture as float64 between bounds.

    Whole numbers of arrays are values already, and levels of 255 stay levels.
    """
    values = dataset[index].values
    if values.dtype != np.uint16 or dataset.header(index).converted != DEEP:
        return values
    low, high = bounds
    return values * (high - low) / DEEPEST + low


def check_labels(dataset: Dataset, num_classes: int) -> None:
    """Check that every label is a class of the model; unlabelled data passes.

    Args:
        dataset: the data to check.
        num_classes: how many classes the model answers, at least 1.

    Raises:
        DataError: naming the first example whose label is outside 0..num_classes-1.
        UsageError: `num_classes` is below 1.
    """
    if num_classes < 1:
        raise UsageError(f"the number of classes is {num_classes}, but must be at least 1")
    for index, label in enumerate(dataset.labels or ()):
        if not 0 <= label < num_classes:
            if min(dataset.labels or ()) > 0 and max(dataset.labels or ()) == num_classes:
                raise DataError(
                    f"the labels of {dataset.path} end at {num_classes}, but the model's classes "
                    f"are 0..{num_classes - 1}; count from 0 if that is the model's order, or name "
                    "the classes"
                )
            raise DataError(
                f"example {dataset.name(index)!r} of {dataset.path} has label {label}, but the "
                f"model's classes are 0..{num_classes - 1}; correct it, or give the class names"
            )


_MOST_NUMBERS = 16
"""Largest value up to which an array of uint8 cannot be pictures: masks, grey levels, digits."""


def check_levels(dataset: Dataset, bounds: tuple[float, float]) -> None:
    """Refuse an array of uint8 whose values are numbers, which would be read as levels of 255.

    Pictures are never that dark as a whole data set, so nothing is lost by asking.

    Args:
        dataset: the data to check.
        bounds: lowest and highest value of an input of the model.

    Raises:
        DataError: no value is above 16, or above the upper bound.
    """
    largest, (low, high) = dataset.reading.largest, bounds
    if largest is None or not math.isfinite(high - low):
        return  # what has no bounds takes no levels, and says so
    if bounds == (0.0, 255.0) or largest > max(_MOST_NUMBERS, high):
        return  # between 0 and 255 a level is the number itself
    levels = "x / 255"
    if high - low != 1:
        levels += f" * {high - low:g}"
    if low != 0:
        levels += f" + {low:g}"
    declare = f" and declare --bounds {min(low, 0):g} {largest}" if largest > high else ""
    raise DataError(
        f"{dataset.path} holds uint8, read as levels of 255, but its largest value is {largest}; "
        f"save x as float32{declare} if numbers are meant, {levels} as float32 if levels"
    )
