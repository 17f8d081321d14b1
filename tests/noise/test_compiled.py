"""Compiled noise is the same noise: numpy's is the reference, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsonnx.noise import Gaussian, InputSpace, NoisyStream, additive
from rsonnx.noise.lattice import LatticeBlock

compiled = pytest.importorskip("rsonnx.noise.compiled", reason="numba is not installed")

STEP = 1 / 255


@pytest.mark.parametrize("sigma", [1e-5, 0.004, 0.12, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("size", [1, 3, 784, 40_001, 1 << 18])
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


NOWHERE = """
import numba.core.caching as caching

def refuse(self):
    raise OSError("read-only")

for name in dir(caching):
    if name.endswith("Locator") or name.endswith("LocatorFsAgnostic"):
        getattr(caching, name).ensure_cache_path = refuse
from rsonnx.noise import Gaussian
from rsonnx.noise.lattice import LatticeBlock
from rsonnx.noise.additive import quickest_block
table = Gaussian(0.5).table(1 / 255)
assert quickest_block() is not LatticeBlock
assert (quickest_block()(table, 3, 1).draw(5000) == table.draw(3, 1, 5000)).all()
"""


def test_it_needs_no_folder_to_write_to() -> None:
    """In a read-only container without a home numba has nowhere to keep what it compiled."""
    done = subprocess.run([sys.executable, "-c", NOWHERE], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("wrong", ["draw", "write"])
def test_it_is_not_used_where_it_draws_otherwise(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a stale cache of compiled code would: one outcome of 60,000, or the last value written."""

    class Stale(compiled.CompiledBlock):  # type: ignore[misc, name-defined]
        def draw(self, count: int) -> np.ndarray:
            drawn = super().draw(count)
            drawn[-1] += wrong == "draw"
            return drawn

        def write(self, base: np.ndarray, divisor: np.float32, out: np.ndarray) -> None:
            super().write(base, divisor, out)
            out[-1, -1] += wrong == "write"

    monkeypatch.setattr(compiled, "CompiledBlock", Stale)
    additive.quickest_block.cache_clear()
    try:
        assert additive.quickest_block() is LatticeBlock
    finally:
        additive.quickest_block.cache_clear()
