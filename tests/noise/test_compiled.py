"""Compiled noise is the same noise: numpy's is the reference, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.noise import Gaussian, InputSpace, NoisyStream, additive
from rsonnx.noise.additive import FloatBlock
from rsonnx.noise.drawing import Place
from rsonnx.noise.lattice import LatticeBlock

compiled = pytest.importorskip("rsonnx.noise.compiled", reason="llvmlite is not installed")

STEP = 1 / 255


@pytest.mark.parametrize("sigma", [1e-5, 0.004, 0.12, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("size", [1, 3, 784, 40_001])
def test_a_block_is_the_same_to_the_bit(sigma: float, size: int) -> None:
    table = Gaussian(sigma).table(STEP)
    for key, block in ((0, 0), (2**128 - 1, 2**40 + 5), (0xABCDEF << 60, 1)):
        expected = LatticeBlock(table, key, block).draw(size)
        np.testing.assert_array_equal(
            compiled.CompiledBlock(table, key, block).draw(size), expected
        )


@given(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**63),
    st.lists(st.integers(0, 3_000), min_size=1, max_size=6),
)
def test_it_goes_on_where_it_stopped(key: int, block: int, counts: list[int]) -> None:
    table = Gaussian(0.5).table(STEP)
    for kind in (LatticeBlock, compiled.CompiledBlock):
        drawing = kind(table, key, block)
        parts = np.concatenate([drawing.draw(count) for count in counts])
        np.testing.assert_array_equal(parts, table.draw(key, block, sum(counts)))


def test_a_stream_is_the_same_with_and_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    point = InputSpace((3, 5, 7)).point(np.arange(105, dtype=np.uint8).reshape(3, 5, 7))
    found = []
    for kind in (LatticeBlock, compiled.CompiledBlock):
        monkeypatch.setattr(additive, "exact_block", lambda kind=kind: kind)
        out = np.empty((600, 3, 5, 7), np.float32)
        NoisyStream(point, Gaussian(1.0), 3, "estimation").write(100, out)
        found.append(out)
    np.testing.assert_array_equal(found[0], found[1])
    assert np.unique(found[0]).size > 900


@given(
    st.integers(1, 70),
    st.lists(st.integers(1, 200), min_size=1, max_size=4),
    st.sampled_from([0.01, 0.5]),
)
def test_inputs_of_any_width_are_written_alike(
    width: int, samples: list[int], sigma: float
) -> None:
    table, base = Gaussian(sigma).table(STEP), np.arange(width, dtype=np.uint8)
    written = []
    for kind in (LatticeBlock, compiled.CompiledBlock):
        drawing = kind(table, 5 << 70, 2)
        for rows in samples:
            written.append(np.empty((rows, width), np.float32))
            drawing.write(base, np.float32(255), written[-1])
    for numpy_s, own in zip(written[: len(samples)], written[len(samples) :], strict=True):
        np.testing.assert_array_equal(own, numpy_s)


def test_numpy_draws_until_it_is_loaded_beside_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Callable[[], object]] = []

    class Thread:
        def __init__(self, *, target: Callable[[], object], name: str) -> None:
            self.start = lambda: begun.append(target)

    monkeypatch.setattr(additive.threading, "Thread", Thread)
    monkeypatch.setattr(additive, "_BLOCKS", count())
    additive.quickest_block.cache_clear()
    opened = [additive.exact_block() for _ in range(additive._BY_NUMPY + 2)]
    assert opened == [LatticeBlock] * len(opened)
    (load,) = begun
    load()
    assert additive.exact_block() is compiled.CompiledBlock


@pytest.mark.parametrize("error", [OSError, RuntimeError, ImportError])
def test_numpy_draws_where_no_code_can_be_made(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> bool:
        raise error("no code for this processor")

    monkeypatch.setattr(compiled, "draws_as_numpy_does", refused)
    additive.quickest_block.cache_clear()
    try:
        assert additive.quickest_block() is LatticeBlock
    finally:
        additive.quickest_block.cache_clear()


@pytest.mark.parametrize("wrong", ["draw", "write"])
def test_it_is_not_used_where_it_draws_otherwise(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As wrong code for a processor would: one outcome of 60,000, or the last value written."""

    class Wrong(compiled.CompiledBlock):  # type: ignore[misc, name-defined]
        def draw(self, count: int) -> np.ndarray:
            drawn = super().draw(count)
            drawn[-1] += wrong == "draw"
            return drawn

        def write(self, base: np.ndarray, divisor: np.float32, out: np.ndarray) -> None:
            super().write(base, divisor, out)
            out.flat[-1] += wrong == "write"

    monkeypatch.setattr(compiled, "CompiledBlock", Wrong)
    additive.quickest_block.cache_clear()
    try:
        assert additive.quickest_block() is LatticeBlock
    finally:
        additive.quickest_block.cache_clear()


def _normals(block: int, key: int, base: np.ndarray, samples: int) -> np.ndarray:
    place = Place(key, block, 0, InputSpace((base.size,)), False)
    drawing = FloatBlock(Gaussian(0.7).draw, place)
    out = np.empty((samples, base.size), np.float32)
    drawing.write(base, np.float32(1), out)
    return out


@given(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**40),
    st.lists(st.tuples(st.booleans(), st.integers(0, 90)), min_size=1, max_size=5),
    st.integers(1, 40),
)
def test_normal_noise_is_numpy_s_and_goes_on_where_it_stopped(
    key: int, block: int, parts: list[tuple[bool, int]], width: int
) -> None:
    base = np.linspace(-2, 2, width)
    drawing = _normal_block()(0.7, key, block)
    expected = _normals(block, key, base, sum(samples for _, samples in parts))
    done = 0
    for written, samples in parts:
        part = np.empty((samples, width), np.float32)
        if written:
            drawing.write(base, np.float32(1), part)
        else:
            part[...] = drawing.draw(part.size).reshape(part.shape) + base
        np.testing.assert_array_equal(part, expected[done : done + samples])
        done += samples


def test_a_million_normal_numbers_are_numpy_s() -> None:
    """Ten thousand of them at edges of layers, three hundred in the tails."""
    base = np.zeros(1000)
    out = np.empty((1000, 1000), np.float32)
    _normal_block()(0.7, 5 << 90, 1).write(base, np.float32(1), out)
    np.testing.assert_array_equal(out, _normals(1, 5 << 90, base, 1000))


def _normal_block() -> Any:
    block = additive.quickest_normal()
    if block is None:
        pytest.skip("normal noise is compiled on Linux only")
    return block
