"""Noise drawn on the device: which kernels, over which counters, into which rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from rsonnx.grid import Cells, GridNoise, Scaling
from rsonnx.runtime.cuda.cupy_device import CupyDevice

CELLS = 16
"""Cells of 16 bits in the four words of a counter: what one thread draws."""

TILE = 64
"""Counters whose open cells are counted together; the kernels have the same number."""


class Drawing:
    """Draws exact noise on a device, into memory that it is given.

    Tables stay on the device; a run has as many as it has laws of noise. So does the memory for
    counting open cells, which grows to what the largest piece needs.
    """

    def __init__(self, device: CupyDevice) -> None:
        self._device = device
        self._tables: dict[Cells, tuple[Any, ...]] = {}
        self._open = device.zeros((1,), np.uint8)
        self._tiles = device.zeros((1,), np.uint32)

    def upload(self, noise: GridNoise) -> Any:
        """Return the input without noise in the device's memory, uint8 (size,)."""
        return self._sent(noise.levels, np.uint8)

    def write(self, noise: GridNoise, levels: Any, start: int, rows: Any) -> None:
        """Write samples ``start`` .. ``start + len(rows) - 1`` into ``rows``.

        Args:
            noise: what to draw.
            levels: what :meth:`upload` gave for it.
            start: index of the first sample, >= 0.
            rows: float32 memory, C-contiguous, shape (samples, ...).

        Raises:
            DeviceMemoryError: there is no memory for counting the open cells.
        """
        outcome, *inverse = self.law(noise.table)
        block_values = noise.block * noise.size
        first_block, skipped = divmod(start, noise.block)
        begin = skipped * noise.size
        end = begin + len(rows) * noise.size
        groups = -(-block_values // CELLS)
        blocks = -(-end // block_values)
        # Of the last block only the counters up to the last sample are drawn.
        threads = (blocks - 1) * groups + -(-(end - (blocks - 1) * block_values) // CELLS)
        tiles_a_block = -(-groups // TILE)
        if len(self._open) < threads:
            self._open = self._device.zeros((threads,), np.uint8)
        if len(self._tiles) < blocks * tiles_a_block:
            self._tiles = self._device.zeros((blocks * tiles_a_block,), np.uint32)
        common = (
            *(np.uint64(word) for word in noise.key),
            *(np.int64(n) for n in (first_block, groups, threads, block_values, noise.size)),
            np.int64(begin),
            np.int64(end),
            outcome,
            levels,
            *_steps(noise.scaling),
            rows,
            self._open,
            self._tiles,
        )
        self._device.fill(self._tiles, 0)
        self._device.launch("rsonnx_draw", threads, *common)
        self._device.launch(
            "rsonnx_sum", blocks, np.int64(blocks), np.int64(tiles_a_block), self._tiles
        )
        self._device.launch("rsonnx_settle", threads, *common, *inverse)

    def law(self, cells: Cells) -> tuple[Any, ...]:
        """Return a law in the device's memory, in the order in which the kernels take it.

        It is sent there when it is first asked for, which waits for the device.
        """
        if cells not in self._tables:
            self._tables[cells] = (
                self._sent(cells.outcome, np.int16),
                self._sent(cells.lowest, np.int16),
                self._sent(cells.first, np.int32),
                self._sent(cells.inside, np.int32),
                self._sent(cells.high, np.uint64),
                self._sent(cells.low, np.uint16),
            )
        return self._tables[cells]

    def _sent(self, host: Any, dtype: type[np.generic]) -> Any:
        values = np.ascontiguousarray(host, dtype)
        memory = self._device.zeros(values.shape, dtype)
        self._device.copy_in(memory, values)
        return memory


def _steps(scaling: Scaling) -> tuple[np.uint32, np.float32, np.float32, np.float32]:
    """Return which steps are taken, as the kernels' bits, and their numbers."""
    numbers = (scaling.divisor, scaling.factor, scaling.offset)
    steps = sum(1 << bit for bit, number in enumerate(numbers) if number is not None)
    divisor, factor, offset = (np.float32(number or 0.0) for number in numbers)
    return np.uint32(steps), divisor, factor, offset
