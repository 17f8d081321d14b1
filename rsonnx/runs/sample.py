"""Which inputs of a data set a run takes."""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rsonnx.arguments import check_flag
from rsonnx.errors import UsageError
from rsonnx.noise import check_seed
from rsonnx.runs.fields import SEED, shown, whole
from rsonnx.runs.strict_json import same
from rsonnx.scalars import as_whole


@dataclass(frozen=True)
class Sample:
    """Which inputs are taken: all, or some by a rule that gives the same on every machine.

    Attributes:
        limit: take so many of the candidates, >= 1; None takes all of them.
        skip_every: the candidates are every so many-th input, >= 1.
        first: take the first candidates, instead of some that are spread evenly over all of them.
        seed: take candidates at random without replacement, by this seed, >= 0.

    Raises:
        UsageError: a number is out of its range, or two rules contradict each other.
    """

    limit: int | None = None
    skip_every: int = 1
    first: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        for field, name in (("skip_every", "skip-every"), ("limit", "limit")):
            value = getattr(self, field)
            number = as_whole(value)
            if value is not None and (number is None or number < 1):
                raise UsageError(
                    f"{name} is {shown(value)}, but a whole number of at least 1 was expected"
                )
            object.__setattr__(self, field, number)
        object.__setattr__(self, "first", check_flag("first", self.first))
        if self.seed is not None:
            object.__setattr__(self, "seed", check_seed(self.seed))
        if self.limit is None and (self.first or self.seed is not None):
            rule = "first" if self.first else "sample"
            raise UsageError(f"{rule} says which inputs are taken, but not how many; give a limit")
        if self.seed is not None and (self.first or self.skip_every > 1):
            other = "first" if self.first else "skip-every"
            raise UsageError(
                f"sample draws inputs at random and {other} takes them in order; give one of them"
            )

    @property
    def rule(self) -> str:
        """``"all"``, ``"spread"``, ``"first"`` or ``"random"``."""
        if self.seed is not None:
            return "random"
        if self.first:
            return "first"
        return "all" if self.limit is None and self.skip_every == 1 else "spread"

    def count(self, size: int) -> int:
        """Return how many of ``size`` inputs are taken."""
        candidates = len(range(0, size, self.skip_every))
        return candidates if self.limit is None else min(self.limit, candidates)

    def indices(self, size: int, start: int = 0, step: int = 1) -> Iterator[int]:
        """Yield the positions of the inputs, ascending; a header may announce any number of them.

        Of M candidates a spread takes those at floor(j·M/limit), j = 0..limit - 1; a random sample
        those with the least SHA-256 of ``rsonnx sample 1``, the seed and the position, with a zero
        byte between each.

        Args:
            size: inputs of the data set, >= 1.
            start, step: which of the positions, as in a slice.
        """
        candidates, count = range(0, size, self.skip_every), self.count(size)
        if self.seed is not None and count < size:
            drawn = sorted(heapq.nsmallest(count, candidates, key=partial(_rank, self.seed)))
            yield from drawn[start::step]
        elif self.first:
            yield from candidates[:count][start::step]
        else:
            taken = range(start, count, step)
            yield from (candidates[j * len(candidates) // count] for j in taken)

    def __str__(self) -> str:
        if self.seed is not None:
            return f"drawn at random by the seed {self.seed}"
        every = f"one in every {self.skip_every}"
        if self.first:
            return "the first of them" if self.skip_every == 1 else f"the first, {every}"
        return every if self.limit is None else "spread evenly over the data"

    def to_json(self) -> dict[str, Any]:
        """Return what the header of a run says; a seed as text, since JSON rounds large numbers."""
        return {
            "rule": self.rule,
            "limit": self.limit,
            "skip_every": self.skip_every,
            "seed": None if self.seed is None else str(self.seed),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Sample:
        """Read what :meth:`to_json` wrote.

        Raises:
            KeyError, TypeError, UsageError: a field is missing, of another kind, or contradicts
                another.
        """
        sample = cls(
            whole(1).or_null().of(value, "limit"),
            whole(1).of(value, "skip_every"),
            first=value["rule"] == "first",
            seed=SEED.or_null().of(value, "seed"),
        )
        if not same(value, sample.to_json()):
            raise TypeError(f"the sample's rule is {shown(value['rule'])}, not {sample.rule}")
        return sample


def _rank(seed: int, index: int) -> bytes:
    return hashlib.sha256(f"rsonnx sample 1\0{seed}\0{index}".encode()).digest()


def in_time(positions: Sequence[int], seconds: float) -> Iterator[int]:
    """Yield positions until the time is over, at least one; those before it are spread over all."""
    bits = len(positions).bit_length()
    due = time.monotonic() + seconds
    for at in sorted(range(len(positions)), key=lambda at: f"{at:0{bits}b}"[::-1]):
        yield positions[at]
        if time.monotonic() >= due:
            return


def spread_over(labels: Sequence[int], limit: int) -> list[int]:
    """Return positions of some inputs, ascending: as many of a class as its share, at random in it.

    A regular stride would meet one class alone where classes take turns.

    Args:
        labels: one an input.
        limit: how many are taken at most, >= 1.
    """
    size = len(labels)
    count = min(limit, size)
    by_class = sorted(range(size), key=lambda index: (labels[index], _rank(0, index)))
    return sorted(by_class[(2 * j + 1) * size // (2 * count)] for j in range(count))
