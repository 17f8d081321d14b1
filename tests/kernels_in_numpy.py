"""The kernels once more, in numpy, written for all threads at once: an independent transcription.

Philox4x64-10 is written out here with 64-bit integers alone (Salmon, Moraes, Dror, Shaw, SC 2011),
so that numpy's own generator stays the judge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
_MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def multiply(a: np.uint64, b: Words) -> tuple[Words, Words]:
    """Return the upper and lower 64 bits of a product."""
    a1, a0 = a >> _HALF, a & _LOW
    b1, b0 = b >> _HALF, b & _LOW
    middle = a1 * b0 + (a0 * b0 >> _HALF)
    other = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (other >> _HALF), a * b


def philox(counter: tuple[Words, ...], key: tuple[np.uint64, np.uint64]) -> Words:
    """Return the four words of each counter, (counters, 4)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    with np.errstate(over="ignore"):
        for _ in range(10):
            high0, low0 = multiply(_MULTIPLIERS[0], c0)
            high1, low1 = multiply(_MULTIPLIERS[1], c2)
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
            k0, k1 = k0 + _WEYL[0], k1 + _WEYL[1]
    return np.stack([c0, c1, c2, c3], axis=-1)


def words(number: Any, block: Any, region: int, key: tuple[np.uint64, np.uint64]) -> Words:
    """Return output ``number`` of a block: numpy counts up before each."""
    first = np.asarray(number, np.uint64) + np.uint64(1)
    zeros = np.zeros_like(first)
    return philox((first, zeros, zeros + np.asarray(block, np.uint64), zeros + region), key)


def _cells(common: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return cell, block, place in the block and number of every value that threads draw."""
    key0, key1, first_block, groups, threads, block_values = common[:6]
    thread = np.arange(threads)
    block, group = np.divmod(thread, groups)
    drawn = words(group, first_block + block, 0, (key0, key1))
    cell = drawn.astype("<u8").view("<u2").reshape(-1).astype(np.int64)
    here = (16 * group[:, None] + np.arange(16)).reshape(-1)
    block = np.repeat(block, 16)
    inside = here < block_values
    cell, block, here = cell[inside], block[inside], here[inside]
    return cell, block, here, block * block_values + here, np.repeat(thread, 16)[inside]


def _store(common: tuple[Any, ...], number: Any, place: Any, noise: Any) -> None:
    begin, end, _, levels, steps, divisor, factor, offset, out = common[7:16]
    wanted = (number >= begin) & (number < end)
    value = (noise + levels[place].astype(np.int64))[wanted].astype(np.float32)
    value = value / divisor if steps & 1 else value
    value = value * factor if steps & 2 else value
    value = value + offset if steps & 4 else value
    out.reshape(-1)[(number - begin)[wanted]] = value


def rsonnx_draw(*arguments: Any) -> None:
    size, outcome, (open_cells, tiles) = arguments[6], arguments[9], arguments[16:18]
    cell, block, here, number, thread = _cells(arguments)
    noise = outcome[cell].astype(np.int64)
    is_open = noise == -32768
    settled = ~is_open
    _store(arguments, number[settled], here[settled] % size, noise[settled])
    counted = np.bincount(thread, weights=is_open, minlength=arguments[4])
    open_cells[: arguments[4]] = counted
    tile = block * -(-arguments[3] // 64) + here // 16 // 64
    np.add.at(tiles, tile[is_open], np.uint32(1))


def rsonnx_sum(blocks: Any, tiles_a_block: Any, tiles: Any) -> None:
    counts = tiles[: blocks * tiles_a_block].reshape(blocks, tiles_a_block)
    counts[...] = np.cumsum(counts, axis=1) - counts


def rsonnx_settle(*arguments: Any) -> None:
    (key0, key1, first_block), outcome = arguments[:3], arguments[9]
    lowest, first, inside, high, low = arguments[18:]
    is_open = outcome[_cells(arguments)[0]] == -32768
    cell, block, here, number, thread = (part[is_open] for part in _cells(arguments))
    open_cells, tiles = arguments[16:18]
    before = np.concatenate([[0], np.cumsum(open_cells[: arguments[4]], dtype=np.int64)])
    group = thread % arguments[3]
    tile = block * -(-arguments[3] // 64) + group // 64
    in_thread = np.arange(len(thread)) - np.searchsorted(thread, thread)
    rank = tiles[tile].astype(np.int64) + before[thread] - before[thread - group % 64] + in_thread
    further = words(rank // 4, first_block + block, 1, (key0, key1))[np.arange(len(rank)), rank % 4]
    exact = [(int(h) << 16) | int(x) for h, x in zip(high, low, strict=True)]
    passed = [
        sum(t <= ((int(c) << 64) | int(f)) for t in exact[first[c] : first[c] + inside[c]])
        for c, f in zip(cell, further, strict=True)
    ]
    noise = lowest[cell].astype(np.int64) + np.array(passed, np.int64)
    _store(arguments, number, here % arguments[6], noise)


def rsonnx_count(rows: Any, labels: Any, classes: Any, counts: Any) -> None:
    label = labels[:rows]
    is_class = (label >= 0) & (label < classes)
    bins = np.where(is_class, label, np.where(label == -1, classes, classes + 1))
    np.add.at(counts, bins, np.uint64(1))


def launch(kernel: str, blocks: int, threads: int, arguments: tuple[Any, ...]) -> None:
    """Run a kernel, by name, as :func:`kernels_in_cpp.launch` does."""
    globals()[kernel](*arguments)
