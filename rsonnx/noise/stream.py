"""Noisy versions of one input, addressed by index.

Sample i of a stream is a function of (seed, input digest, stage, i) and of nothing else: not of the
batch size, the worker, the device, the order of requests or a resumed run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsonnx.noise.distribution import SmoothingDistribution
from rsonnx.noise.lattice import LatticeTable, lattice_table
from rsonnx.noise.philox import bits, stream_key
from rsonnx.noise.space import Point

Stage = Literal["selection", "estimation", "prediction"]

_BLOCK_VALUES = 1 << 18
"""Values drawn at a time: half a megabyte of int16, which stays in a core's cache."""

_MOST_BLOCK_SAMPLES = 256


def block_samples(values: int) -> int:
    """Return how many samples of ``values`` values make a block: a power of two, 1..256."""
    most = max(1, _BLOCK_VALUES // max(1, values))
    return int(min(_MOST_BLOCK_SAMPLES, 1 << (most.bit_length() - 1)))


@dataclass(frozen=True)
class NoisyStream:
    """All noisy samples of one input in one stage of a run, numbered from 0.

    Attributes:
        point: the input.
        distribution: the law of the noise.
        seed: the run's seed.
        stage: streams of different stages are independent of each other.
    """

    point: Point
    distribution: SmoothingDistribution
    seed: int
    stage: Stage

    @cached_property
    def block(self) -> int:
        """Samples in a block; ranges that start and stop at multiples of it cost no double work."""
        return block_samples(self.point.space.size)

    @cached_property
    def _key(self) -> int:
        return stream_key(self.seed, self.point.digest, self.stage)

    @cached_property
    def _table(self) -> LatticeTable:
        return lattice_table(self.distribution, self.point.space.step)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.point.space.shape

    def write(self, start: int, out: NDArray[np.float32]) -> None:
        """Write samples ``start`` .. ``start + len(out) - 1`` into ``out``.

        Args:
            start: index of the first sample, >= 0.
            out: float32, C-contiguous, shape (samples, \\*sample_shape).
        """
        rows = out.reshape(len(out), -1)
        stop = start + len(rows)
        for block in range(start // self.block, -(-stop // self.block)):
            begin = block * self.block
            skip, take = max(0, start - begin), min(stop - begin, self.block)
            target = rows[begin + skip - start : begin + take - start]
            if self.point.arithmetic == "exact":
                self._write_exact(block, skip, take, target)
            else:
                self._write_float(block, skip, take, target)

    def _write_exact(self, block: int, skip: int, take: int, out: NDArray[np.float32]) -> None:
        size = self.point.space.size
        noise = self._table.draw(self._key, block, self.block * size)
        noisy = noise.reshape(self.block, size)[skip:take]
        np.add(noisy, self.point.data.reshape(size), out=noisy)
        np.copyto(out, noisy)
        self.point.space.scale_levels(out)

    def _write_float(self, block: int, skip: int, take: int, out: NDArray[np.float32]) -> None:
        size = self.point.space.size
        generator = np.random.Generator(bits(self._key, block))
        noise = self.distribution.draw(generator, self.block * size).reshape(self.block, size)
        np.copyto(out, noise[skip:take] + self.point.data.reshape(size), casting="same_kind")
