"""What noise costs: nanoseconds a value, on one thread, beside numpy's own normal draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import numpy as np
from bench_subjects import KINDS
from bench_timing import Spread, take_turns

from rsonnx.noise import Gaussian, InputSpace, NoisyStream, SmoothingDistribution
from rsonnx.noise.additive import exact_block
from rsonnx.noise.lattice import LatticeBlock

LAWS: tuple[SmoothingDistribution, ...] = (Gaussian(0.5),)
YARDSTICK = "numpy standard_normal float32"


@dataclass(frozen=True)
class NoiseCost:
    """Nanoseconds a value.

    Attributes:
        what: the law, its arithmetic and what draws it; or numpy's yardstick.
        values: drawn in a round.
        written: all that a worker does: drawn, added to an input, and scaled into float32.
    """

    what: str
    values: int
    written: Spread


class Writing:
    """Writes noisy samples of one stream, with the code that is to draw its exact noise."""

    def __init__(self, stream: NoisyStream, values: int, drawer: type = LatticeBlock) -> None:
        self._stream = stream
        self._batch = np.empty((stream.block, *stream.sample_shape), np.float32)
        self._blocks = -(-values // self._batch.size)
        self._drawer = drawer
        self.values = self._blocks * self._batch.size

    def __call__(self) -> None:
        """Write whole blocks, as the engine does."""
        with mock.patch("rsonnx.noise.additive.exact_block", return_value=self._drawer):
            for block in range(self._blocks):
                self._stream.write(block * self._stream.block, self._batch)


def measure_noise(*, rounds: int, values: int) -> list[NoiseCost]:
    """Let every law and numpy's yardstick take turns on an input of 3x32x32 pixels.

    Args:
        rounds: turns of each.
        values: drawn in a turn, at least.
    """
    shape = KINDS["resnet20"].shape
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    exact, floating = (InputSpace(shape).point(image, a) for a in ("exact", "float"))
    drawers: dict[str, type] = {"numpy": LatticeBlock}
    if exact_block() is not LatticeBlock:
        drawers["compiled"] = exact_block()
    writings = {}
    for law in LAWS:
        for how, drawer in drawers.items():
            stream = NoisyStream(exact, law, 1, "estimation")
            writings[f"{law.name} exact, {how}"] = Writing(stream, values, drawer)
        stream = NoisyStream(floating, law, 1, "estimation")
        writings[f"{law.name} float"] = Writing(stream, values)
    size = next(iter(writings.values())).values
    generator = np.random.Generator(np.random.PCG64(1))
    buffer = np.empty(size // 16, np.float32)

    def yardstick() -> None:
        for _ in range(16):
            generator.standard_normal(dtype=np.float32, out=buffer)

    runs: dict[str, Callable[[], object]] = {**writings, YARDSTICK: yardstick}
    seconds = take_turns(runs, rounds)
    return [NoiseCost(name, size, _each(taken, size)) for name, taken in seconds.items()]


def _each(seconds: list[float], values: int) -> Spread:
    return Spread.of([1e9 * s / values for s in seconds])
