"""Which part of a run a file holds: a share of its inputs, a range of their samples, or both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rsonnx.errors import UsageError
from rsonnx.runs.fields import Kind, object_of, whole
from rsonnx.scalars import as_whole, shown

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_SAMPLES = re.compile(r"([0-9]{1,15}):([0-9]{1,15})")


@dataclass(frozen=True)
class Shard:
    """The ``index``-th of ``of`` shares of the inputs, counted from 1: every ``of``-th input."""

    index: int
    of: int

    def __post_init__(self) -> None:
        index, of = as_whole(self.index), as_whole(self.of)
        if index is None or of is None or not 1 <= index <= of:
            raise UsageError(f"the shard is {self}, but I/K with 1 <= I <= K was expected")
        object.__setattr__(self, "index", index)
        object.__setattr__(self, "of", of)

    @classmethod
    def parse(cls, shard: Shard | str) -> Shard:
        """Read ``I/K``; a shard is taken as it is."""
        if isinstance(shard, Shard):
            return shard
        parts = _SHARD.fullmatch(shard) if isinstance(shard, str) else None
        if parts is None:
            raise UsageError(f"the shard is {shown(shard)}, but I/K such as 3/8 was expected")
        return cls(int(parts[1]), int(parts[2]))

    def take(self, indices: Sequence[int]) -> tuple[int, ...]:
        """Return the share; those of all K shards are disjoint and together all of ``indices``."""
        return tuple(indices[self.index - 1 :: self.of])

    def size(self, inputs: int) -> int:
        """Return how many of ``inputs`` inputs the share has; it may be none."""
        return len(range(inputs)[self.index - 1 :: self.of])

    def to_json(self) -> dict[str, int]:
        """Return what the header of a run says."""
        return {"index": self.index, "of": self.of}

    def __str__(self) -> str:
        return f"{shown(self.index)}/{shown(self.of)}"


@dataclass(frozen=True)
class SampleRange:
    """The estimation samples ``start`` <= i < ``stop`` of every input."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        start, stop = as_whole(self.start), as_whole(self.stop)
        if start is None or stop is None or not 0 <= start < stop:
            raise UsageError(f"the samples are {self}, but A:B with 0 <= A < B was expected")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "stop", stop)

    @classmethod
    def parse(cls, samples: SampleRange | str) -> SampleRange:
        """Read ``A:B``; a range is taken as it is."""
        if isinstance(samples, SampleRange):
            return samples
        ends = _SAMPLES.fullmatch(samples) if isinstance(samples, str) else None
        if ends is None:
            raise UsageError(
                f"the samples are {shown(samples)}, but A:B such as 0:50000 was expected"
            )
        return cls(int(ends[1]), int(ends[2]))

    @property
    def selects(self) -> bool:
        """Whether the selection samples belong to this range: they come with its first sample."""
        return self.start == 0

    def to_json(self) -> dict[str, int]:
        """Return what the header of a run says."""
        return {"start": self.start, "stop": self.stop}

    def __str__(self) -> str:
        return f"{shown(self.start)}:{shown(self.stop)}"


SHARD: Kind[Shard] = replace(
    object_of({"index": whole(1), "of": whole(1)}),
    read=lambda value: Shard(**value),
    write=Shard.to_json,
)
SAMPLE_RANGE: Kind[SampleRange] = replace(
    object_of({"start": whole(0), "stop": whole(1)}),
    read=lambda value: SampleRange(**value),
    write=SampleRange.to_json,
)
