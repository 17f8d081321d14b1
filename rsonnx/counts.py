"""Counts, the contract between drawing samples and reasoning about them.

``counts[k]`` is how many of a stated range of noisy samples the base classifier put in class k.
Answers that are no class (NaN, or an infinite largest score) have a bin of their own, so that every
range sums to its length. Where a model runs in batches on the assumption that their rows do not
change each other, it is counted too how many answers were checked alone. Counts over disjoint
ranges add.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import add
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsonnx.errors import UsageError
from rsonnx.scalars import shown

NO_CLASS = -1
"""The label of an answer that is no class, as a base classifier returns it."""

NOT_CLASSES = ("no_class", "watched_rows", "near_ties")
"""Keys of counts beside those of classes, in the order of :class:`Counts`' arguments."""

MOST_CLASSES = 10_000_000
"""More than any classifier has; a number beyond it in a file would only fill the memory."""


_LARGEST = 2**63 - 1


class Counts:
    """Immutable counts per class, with the answers that are no class beside them.

    Args:
        classes: counts of class 0, 1, ...: whole numbers >= 0.
        no_class: how many answers were no class, >= 0.
        watched_rows: how many of all answers were computed again alone, >= 0.
        near_ties: how many of those were another class alone, by a rounding between two scores that
            are all but equal, >= 0.

    Raises:
        UsageError: not one-dimensional, not whole numbers, or negative.

    >>> counts = rsonnx.Counts([990, 7], no_class=3)
    >>> counts.total, counts[0], counts.no_class
    (1000, 990, 3)
    >>> counts + rsonnx.Counts([10, 0])
    Counts({'0': 1000, '1': 7, 'no_class': 3})
    """

    __slots__ = ("_beside", "_size", "_votes", "total")

    total: int
    """How many samples were counted."""

    def __init__(
        self, classes: ArrayLike, no_class: int = 0, watched_rows: int = 0, near_ties: int = 0
    ) -> None:
        try:
            array = np.array(classes)
        except (ValueError, TypeError, OverflowError):  # lists of several lengths
            array = np.array(None)
        if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
            raise UsageError(
                f"counts are {shown(classes)}, but a list of whole numbers, one a class, was "
                "expected"
            )
        votes = {int(k): int(array[k]) for k in np.flatnonzero(array)}
        self._hold(votes, (int(no_class), int(watched_rows), int(near_ties)), len(array))

    def _hold(self, votes: dict[int, int], beside: tuple[int, int, int], size: int) -> None:
        """Keep the classes that have any count: of a thousand classes an input sees a few."""
        if min((*beside, *votes.values())) < 0:
            raise UsageError(f"counts are {votes!s:.100}, but a count cannot be negative")
        if max(votes.values(), default=0) > _LARGEST:
            raise UsageError(f"counts are {votes!s:.100}, but a count must fit 64 bits")
        self._votes, self._size, self._beside = votes, size, beside
        self.total = sum(votes.values()) + beside[0]

    @classmethod
    def _of_votes(cls, votes: dict[int, int], beside: tuple[int, int, int], size: int) -> Counts:
        self = cls.__new__(cls)
        self._hold(votes, beside, size)
        return self

    @classmethod
    def of_tallies(cls, bins: NDArray[np.int64], watched: NDArray[np.int64]) -> list[Counts]:
        """Read tallies, int64 (m, 1 + classes), whose first bins are of answers that are no class.

        Args:
            bins: of m counts.
            watched: rows and near ties of each, int64 (m, 2).

        >>> rsonnx.Counts.of_tallies(np.array([[3, 990, 7]]), np.zeros((1, 2), np.int64))
        [Counts({'0': 990, '1': 7, 'no_class': 3})]
        """
        votes: list[dict[int, int]] = [{} for _ in bins]
        rows, classes = bins[:, 1:].nonzero()
        seen = bins[rows, classes + 1]
        for row, k, count in zip(rows.tolist(), classes.tolist(), seen.tolist(), strict=True):
            votes[row][k] = count
        beside = zip(bins[:, 0].tolist(), *watched.T.tolist(), strict=True)
        size = bins.shape[1] - 1
        return [cls._of_votes(*each, size) for each in zip(votes, beside, strict=True)]

    @classmethod
    def of(cls, value: Counts | ArrayLike) -> Counts:
        """Return ``value`` as counts; an array is read as counts per class.

        >>> rsonnx.Counts.of([2, 0, 1])
        Counts({'0': 2, '2': 1})
        """
        return value if isinstance(value, Counts) else cls(value)

    @classmethod
    def from_labels(cls, labels: NDArray[np.int64], num_classes: int = 0) -> Counts:
        """Count labels: shape (samples,), values >= 0 or ``NO_CLASS``.

        >>> rsonnx.Counts.from_labels(np.array([2, 0, 2, -1]), num_classes=3)
        Counts({'0': 1, '2': 2, 'no_class': 1})
        """
        bins = np.bincount(labels + 1, minlength=num_classes + 1)
        return cls.of_tallies(bins[None], np.zeros((1, 2), np.int64))[0]

    @classmethod
    def from_json(cls, value: Mapping[str, Any], num_classes: int = 0) -> Counts:
        """Read what :meth:`to_json` wrote.

        >>> rsonnx.Counts.from_json({"0": 990, "no_class": 10}).total
        1000
        """
        by_class: dict[int, int] = {}
        for key, count in value.items():
            if key not in NOT_CLASSES and not (key.isascii() and key.isdecimal()):
                raise UsageError(f"counts have the key {key!r}, but a class number was expected")
            if isinstance(count, bool) or not isinstance(count, int):
                raise UsageError(
                    f"class {key} has the count {count!r}, but a whole number was expected"
                )
            if key not in NOT_CLASSES:
                by_class[int(key)] = count
        if len(by_class) + sum(key in value for key in NOT_CLASSES) < len(value):
            raise UsageError("counts name a class twice")
        if max(by_class, default=0) >= MOST_CLASSES:
            raise UsageError(
                f"counts name class {max(by_class)}, but at most {MOST_CLASSES} are read"
            )
        votes = {k: by_class[k] for k in sorted(by_class) if by_class[k]}
        size = max(num_classes, max(by_class, default=-1) + 1)
        no_class, watched_rows, near_ties = (value.get(key, 0) for key in NOT_CLASSES)
        return cls._of_votes(votes, (no_class, watched_rows, near_ties), size)

    def to_json(self) -> dict[str, int]:
        """Return the counts that are not 0, by class number as text or a key of NOT_CLASSES.

        >>> rsonnx.Counts([990, 0, 7], no_class=3).to_json()
        {'0': 990, '2': 7, 'no_class': 3}
        """
        by_class = {str(k): count for k, count in self._votes.items()}
        beside = zip(NOT_CLASSES, self._beside, strict=True)
        return by_class | {key: count for key, count in beside if count}

    @property
    def classes(self) -> NDArray[np.int64]:
        """Counts per class, int64 (classes,), read-only."""
        array = np.zeros(self._size, np.int64)
        array[list(self._votes)] = list(self._votes.values())
        array.setflags(write=False)
        return array

    @property
    def seen(self) -> Mapping[int, int]:
        """The classes that have any count, ascending, and their counts."""
        return MappingProxyType(self._votes)

    @property
    def no_class(self) -> int:
        """How many answers were no class."""
        return self._beside[0]

    @property
    def watched_rows(self) -> int:
        """How many of all answers were computed again alone."""
        return self._beside[1]

    @property
    def near_ties(self) -> int:
        """How many of those were another class alone, by rounding."""
        return self._beside[2]

    def top(self, most: int = 1) -> Sequence[int]:
        """Return the ``most`` classes with the largest counts; ties go to the lowest class.

        >>> rsonnx.Counts([5, 90, 5]).top(2)
        [1, 0]
        """
        order = sorted(self._votes, key=self._votes.__getitem__, reverse=True)[:most]
        unseen = (k for k in range(self._size) if k not in self._votes)
        return [*order, *islice(unseen, most - len(order))]

    def __getitem__(self, k: int) -> int:
        """Return the count of class ``k``; a class that was never seen has none."""
        if k < 0:
            raise UsageError(f"class {k} was asked for, but classes are numbered from 0")
        return self._votes.get(k, 0)

    def __iter__(self) -> Iterator[int]:
        return iter(self.classes.tolist())

    def __len__(self) -> int:
        return self._size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the counts per class for numpy."""
        return np.array(self.classes, dtype=dtype)

    def __add__(self, other: Counts) -> Counts:
        if not isinstance(other, Counts):
            return NotImplemented
        if not self.total and self._size <= other._size:
            return other
        votes = {k: self[k] + other[k] for k in sorted(self._votes.keys() | other._votes.keys())}
        no_class, watched_rows, near_ties = map(add, self._beside, other._beside)
        size = max(self._size, other._size)
        return Counts._of_votes(votes, (no_class, watched_rows, near_ties), size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts):
            return False
        return (self._votes, self._beside) == (other._votes, other._beside)

    def __hash__(self) -> int:
        return hash((tuple(self._votes.items()), self._beside))

    def __repr__(self) -> str:
        return f"Counts({self.to_json()})"
