"""Noisy versions of one input, addressed by index.

Sample i of a stream is a function of (seed, values of the input, stage, i) and of nothing else: not
of the batch size, the worker, the device, the order of requests, a resumed run, or of what is known
of the classifier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsonnx.grid import Cells, GridNoise
from rsonnx.noise.drawing import Drawing, Place
from rsonnx.noise.law import Law
from rsonnx.noise.philox import place_in, stream_key
from rsonnx.noise.space import InputSpace, Point, add

STREAM_VERSIONS = (1, 2)
"""How noise is derived from an input: by the first rule from its digest with channels last, where
the classifier was known to have them first; by the second from its values as they are taken."""

STREAM_VERSION = STREAM_VERSIONS[-1]
"""The rule of what is drawn anew."""

_BLOCK_VALUES = 1 << 18
"""Values in a block, at most: the unit in which noise is addressed."""

_MOST_BLOCK_SAMPLES = 256

_SHARED_BLOCKS = 4
"""Blocks of shared noise that are kept: the inputs in work ask for the same one at a time."""

WATCHED_SPAN = 1 << 10
"""Of so many samples one is watched."""

_MOST_OPEN = 16
"""Blocks that a stream keeps open where a write ended inside them."""

UNCHANGED = "unchanged"
"""Name of the stream whose only sample is the input itself."""

_SMALLEST = 2.0**-100
"""Steps and bounds from here on give no subnormal float32, which a device may round to 0: what is
left of a difference of two such numbers is at least 2^-24 of them, and normal ones begin at
2^-126."""


def block_samples(values: int) -> int:
    """Return how many samples of so many values make a block: a power of two, 1..256."""
    most = max(1, _BLOCK_VALUES // max(1, values))
    return int(min(_MOST_BLOCK_SAMPLES, 1 << (most.bit_length() - 1)))


@dataclass(frozen=True)
class _Blocks:
    """What decides the noise of a block, besides its number and its input."""

    distribution: Law
    space: InputSpace
    exact: bool
    key: int
    samples: int

    def open(self, block: int) -> Drawing:
        """Return the noise of a block, to be drawn from its first value on."""
        place = Place(self.key, block, block * self.samples, self.space, self.exact)
        return self.distribution.open(place)


@lru_cache(maxsize=_SHARED_BLOCKS)
def _shared_block(blocks: _Blocks, block: int, values: int) -> NDArray[Any]:
    """Return a whole block of noise that several inputs share."""
    noise = blocks.open(block).draw(values)
    noise.setflags(write=False)
    return noise


@dataclass(frozen=True)
class NoisyStream:
    """All noisy samples of one input in one stage of a run, numbered from 0.

    Attributes:
        point: the input.
        distribution: the law of the noise.
        seed: the run's seed.
        stage: streams of different stages are independent of each other.
        shared: whether all inputs of the run get the same noise, so that the seed and the stage
            alone decide it.
        version: one of ``STREAM_VERSIONS``; an older one draws what older run files hold.

    Raises:
        UsageError: the point is one of levels, but the noise is added to values only.
    """

    point: Point
    distribution: Law
    seed: int
    stage: str
    shared: bool = False
    version: int = STREAM_VERSION

    def __post_init__(self) -> None:
        self.distribution.check_arithmetic(self.point)
        # Here, where many streams are made one after the other, and not between two batches, when
        # the model has taken all caches.
        _ = self._blocks

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be derived, so that a stream travels light to another process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def block(self) -> int:
        """Samples in a block; ranges that start and stop at multiples of it cost no double work."""
        return block_samples(math.prod(self.sample_shape))

    @cached_property
    def key(self) -> int:
        """The Philox key of the stream, 128 bits."""
        own = self.point.digest if self.version == 1 else self.point.noise_digest
        return stream_key(self.seed, "shared" if self.shared else own, self.stage)

    @property
    def drawn_by(self) -> dict[str, Any]:
        """What a :class:`rsonnx.procedures.Prediction` records of where its noise came from."""
        return {"seed": self.seed}

    @cached_property
    def _blocks(self) -> _Blocks:
        exact = self.point.arithmetic == "exact"
        return _Blocks(self.distribution, self.point.space, exact, self.key, self.block)

    @cached_property
    def _open(self) -> dict[tuple[int, int], Drawing]:
        """Blocks that were written up to a sample, by (block, sample)."""
        return {}

    @cached_property
    def grid(self) -> GridNoise | None:
        """What a device must know to draw the stream; None where only the stream can draw it.

        Floating-point noise stays with numpy, whose sampler rejects draws: no second one would be
        the same to the last bit. So do joint noise, and bounds so narrow that values are subnormal.
        """
        law, space = self.distribution, self.point.space
        small = space.step < _SMALLEST or 0 < abs(space.bounds[0]) < _SMALLEST
        table = None if small or self.point.arithmetic != "exact" else law.table(space.step)
        if table is None:
            return None
        return GridNoise(
            key=(self.key & 0xFFFF_FFFF_FFFF_FFFF, self.key >> 64),
            block=self.block,
            size=space.size,
            levels=self.point.data.reshape(space.size),
            table=table,
            scaling=space.scaling,
        )

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.distribution.sample_shape(self.point.space.shape)

    def write(self, start: int, out: NDArray[np.float32]) -> None:
        """Write samples from ``start`` >= 0 on into ``out``, float32 (samples, \\*sample_shape).

        ``out`` is C-contiguous. Several threads may write at once. A write that begins inside a
        block costs no double work if it goes on where another ended.
        """
        rows = out.reshape(len(out), -1)
        at, stop = start, start + len(rows)
        while at < stop:
            block, begin = divmod(at, self.block)
            end = min(self.block, begin + stop - at)
            self._fill(block, begin, end, rows[at - start : at - start + end - begin])
            at += end - begin

    def watched(self, start: int, stop: int) -> Sequence[int]:
        """Return which of the samples ``start`` .. ``stop - 1`` are watched.

        One of every 1,024, at a place that the stream's key decides: it depends on nothing else,
        as the samples do, and no model can know it.
        """
        spans = range(start // WATCHED_SPAN, -(-stop // WATCHED_SPAN))
        return [place for span in spans if start <= (place := self._watched_in(span)) < stop]

    def _watched_in(self, span: int) -> int:
        """Return the watched sample of a span; the last one is kept, since batches are smaller."""
        kept = self._kept_place
        if kept[0] != span:
            place = span * WATCHED_SPAN + place_in(self.key, span, WATCHED_SPAN)
            kept = self.__dict__["_kept_place"] = (span, place)
        return kept[1]

    @cached_property
    def _kept_place(self) -> tuple[int, int]:
        """A span and its watched sample, of which several threads may each set another."""
        return (-1, -1)

    def _fill(self, block: int, begin: int, end: int, out: NDArray[np.float32]) -> None:
        """Write the samples ``begin`` .. ``end - 1`` of a block."""
        space, base = self.point.space, self.point.data.reshape(-1)
        exact = self.point.arithmetic == "exact"
        divisor = space.divisor if exact else np.float32(1)
        if self.shared and self.distribution.additive:
            noise = _shared_block(self._blocks, block, self.block * space.size)
            add(noise[begin * space.size : end * space.size], base, divisor, out)
        else:
            # A drawing belongs to the one thread that popped it.
            drawing = self._open.pop((block, begin), None) or self._drawing(block, begin)
            drawing.write(base, divisor, out)
            if end < self.block and len(self._open) < _MOST_OPEN:
                self._open[block, end] = drawing
        if exact and not self.distribution.in_units:
            space.stretch(out)

    def _drawing(self, block: int, begin: int) -> Drawing:
        """Return the noise of a block from its sample ``begin`` on."""
        drawing = self._blocks.open(block)
        if begin:
            drawing.draw(begin * self.point.space.size)
        return drawing


class UnchangedStream(NoisyStream):
    """An input without noise, as the one sample of a stream: its answer is counted among others."""

    def __post_init__(self) -> None:
        """Nothing is drawn, so there is no key to derive."""

    @cached_property
    def block(self) -> int:
        """There is one sample."""
        return 1

    @cached_property
    def grid(self) -> GridNoise | None:
        """What a device must know to write it, where noisy samples are drawn there too."""
        noisy = super().grid
        return None if noisy is None else replace(noisy, table=_no_noise())

    def write(self, start: int, out: NDArray[np.float32]) -> None:
        """Write the sample into ``out``, float32 (1, \\*sample_shape)."""
        del start
        out[0] = self.distribution.unchanged(self.point)

    def watched(self, start: int, stop: int) -> Sequence[int]:
        """Return none."""
        del start, stop
        return ()


@cache
def _no_noise() -> Cells:
    """Return the law of a whole number that is always 0."""
    cells = np.zeros(1 << 16, np.int64)
    nothing = cells.astype(np.int16)
    return Cells(nothing, nothing, cells, cells, np.zeros(1, np.uint64), np.zeros(1, np.uint16))
