"""Noisy versions of one input, addressed by index.

Sample i of a stream is a function of (seed, input digest, stage, i) and of nothing else: not of the
batch size, the worker, the device, the order of requests or a resumed run.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.distribution import SmoothingDistribution
from rsonnx.noise.gaussian import Gaussian
from rsonnx.noise.lattice import LatticeBlock, LatticeTable, add, lattice_table
from rsonnx.noise.philox import bits, stream_key
from rsonnx.noise.space import LEVELS, Point

if TYPE_CHECKING:
    from rsonnx.noise.compiled import CompiledBlock

Stage = Literal["selection", "estimation", "prediction"]

_BLOCK_VALUES = 1 << 18
"""Values in a block, at most: the unit in which noise is addressed."""

_MOST_BLOCK_SAMPLES = 256

_SHARED_BLOCKS = 4
"""Blocks of shared noise that are kept: the inputs in work ask for the same one at a time."""

_MOST_OPEN = 16
"""Blocks that a stream keeps open where a write ended inside them."""


def block_samples(values: int) -> int:
    """Return how many samples of ``values`` values make a block: a power of two, 1..256."""
    most = max(1, _BLOCK_VALUES // max(1, values))
    return int(min(_MOST_BLOCK_SAMPLES, 1 << (most.bit_length() - 1)))


@cache
def exact_block() -> type[LatticeBlock] | type[CompiledBlock]:
    """Return what draws a block of exact noise: compiled code where numba is, else numpy.

    Compiled code outlives the process in numba's cache, so it is used only where it is seen to draw
    what numpy draws.
    """
    try:
        from rsonnx.noise.compiled import CompiledBlock  # noqa: PLC0415 - numba is an extra
    except ImportError:
        return LatticeBlock
    return CompiledBlock if _draws_as_numpy_does(CompiledBlock) else LatticeBlock


def _draws_as_numpy_does(kind: type[CompiledBlock]) -> bool:
    """Compare a few tiles and a write of a narrow law, some of whose cells are unsettled."""
    table = lattice_table(Gaussian(0.01), 1 / LEVELS)
    base = np.arange(7, dtype=np.uint8)
    found = []
    for drawing in (kind(table, 1 << 100, 3), LatticeBlock(table, 1 << 100, 3)):
        written = np.empty((1_000, 7), np.float32)
        drawn = drawing.draw(60_001)
        drawing.write(base, np.float32(LEVELS), written)
        found.append((drawn, written))
    return all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


class _Drawing(Protocol):
    """The noise of one block in its order."""

    def draw(self, count: int) -> NDArray[Any]:
        """Return the next ``count`` values."""

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        """Write the next values, each added to its own of ``base`` and divided; see :func:`add`."""


@dataclass(frozen=True)
class _Law:
    """What decides the noise of a block, besides its number; ``step`` is None off the grid."""

    distribution: SmoothingDistribution
    step: float | None
    key: int

    def open(self, block: int) -> _Drawing:
        """Return the noise of a block, to be drawn from its first value on."""
        if self.step is None:
            return _FloatBlock(self.distribution, self.key, block)
        return exact_block()(lattice_table(self.distribution, self.step), self.key, block)


@lru_cache(maxsize=_SHARED_BLOCKS)
def _shared_block(law: _Law, block: int, values: int) -> NDArray[Any]:
    """Return a whole block of noise that several inputs share."""
    noise = law.open(block).draw(values)
    noise.setflags(write=False)
    return noise


class _FloatBlock:
    """The floating-point noise of one block in its order."""

    def __init__(self, law: SmoothingDistribution, key: int, block: int) -> None:
        self._law = law
        self._generator = np.random.Generator(bits(key, block))

    def draw(self, count: int) -> NDArray[np.float64]:
        return self._law.draw(self._generator, count)

    def write(self, base: NDArray[Any], divisor: np.float32, out: NDArray[np.float32]) -> None:
        add(self.draw(out.size), base, divisor, out)


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
    """

    point: Point
    distribution: SmoothingDistribution
    seed: int
    stage: Stage
    shared: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be derived, so that a stream travels light to another process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def block(self) -> int:
        """Samples in a block; ranges that start and stop at multiples of it cost no double work."""
        return block_samples(self.point.space.size)

    @cached_property
    def key(self) -> int:
        """The Philox key of the stream, 128 bits."""
        return stream_key(self.seed, "shared" if self.shared else self.point.digest, self.stage)

    @property
    def table(self) -> LatticeTable:
        """The table of exact noise on the grid of the input."""
        return lattice_table(self.distribution, self.point.space.step)

    @cached_property
    def _law(self) -> _Law:
        exact = self.point.arithmetic == "exact"
        return _Law(self.distribution, self.point.space.step if exact else None, self.key)

    @cached_property
    def _open(self) -> dict[tuple[int, int], _Drawing]:
        """Blocks that were written up to a sample, by (block, sample)."""
        return {}

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.point.space.shape

    def write(self, start: int, out: NDArray[np.float32]) -> None:
        """Write samples ``start`` .. ``start + len(out) - 1`` into ``out``.

        Several threads may write at once. A write that begins inside a block costs no double work
        if it goes on where another ended.

        Args:
            start: index of the first sample, >= 0.
            out: float32, C-contiguous, shape (samples, \\*sample_shape).
        """
        rows = out.reshape(len(out), -1)
        at, stop = start, start + len(rows)
        while at < stop:
            block, begin = divmod(at, self.block)
            end = min(self.block, begin + stop - at)
            self._fill(block, begin, end, rows[at - start : at - start + end - begin])
            at += end - begin

    def _fill(self, block: int, begin: int, end: int, out: NDArray[np.float32]) -> None:
        """Write the samples ``begin`` .. ``end - 1`` of a block."""
        space, base = self.point.space, self.point.data.reshape(-1)
        exact = self.point.arithmetic == "exact"
        divisor = space.divisor if exact else np.float32(1)
        if self.shared:
            noise = _shared_block(self._law, block, self.block * space.size)
            add(noise[begin * space.size : end * space.size], base, divisor, out)
        else:
            # A drawing belongs to the one thread that popped it.
            drawing = self._open.pop((block, begin), None) or self._drawing(block, begin)
            drawing.write(base, divisor, out)
            if end < self.block and len(self._open) < _MOST_OPEN:
                self._open[block, end] = drawing
        if exact:
            space.stretch(out)

    def _drawing(self, block: int, begin: int) -> _Drawing:
        """Return the noise of a block from its sample ``begin`` on."""
        drawing = self._law.open(block)
        if begin:
            drawing.draw(begin * self.point.space.size)
        return drawing
