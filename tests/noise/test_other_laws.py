"""The block interface takes any symmetric law: a Laplace and a uniform one, on the grid and off it.

The laws here are no part of the package, which has no radius for them yet; they show that drawing
needs nothing but a distribution function and a generator's draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from rsonnx.noise import InputSpace, NoisyStream
from rsonnx.noise.lattice import LatticeBlock
from rsonnx.noise.stream import exact_block

STEP = 1 / 255
SHAPE = (3, 16, 16)
SAMPLES = 700


@dataclass(frozen=True)
class Symmetric:
    """A law of standard deviation ``sigma``, symmetric about 0."""

    sigma: float
    norm = "l1"

    def radius(self, p_a_lower: float) -> float:
        raise NotImplementedError

    def probability_for(self, radius: float) -> float:
        raise NotImplementedError


@dataclass(frozen=True)
class Laplace(Symmetric):
    """Laplace noise of scale sigma/√2 (Teng et al.)."""

    name = "laplace"

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        return mpmath.exp(value * mpmath.sqrt(2) / self.sigma) / 2

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        return generator.laplace(0.0, self.sigma / 2**0.5, size)

    def frozen(self) -> Any:
        return stats.laplace(scale=self.sigma / 2**0.5)


@dataclass(frozen=True)
class Uniform(Symmetric):
    """Uniform noise on [-λ, λ], λ = sigma·√3 (arXiv 1906.04948)."""

    name = "uniform"

    def cumulative(self, value: mpmath.mpf) -> mpmath.mpf:
        half = self.sigma * mpmath.sqrt(3)
        return max(mpmath.mpf(0), (value + half) / (2 * half))

    def draw(self, generator: np.random.Generator, size: int) -> NDArray[np.float64]:
        half = self.sigma * 3**0.5
        return generator.uniform(-half, half, size)

    def frozen(self) -> Any:
        half = self.sigma * 3**0.5
        return stats.uniform(-half, 2 * half)


LAWS = [Laplace(0.1), Laplace(0.5), Uniform(0.1), Uniform(0.5)]


def noise(law: Any, arithmetic: Any) -> NDArray[np.float64]:
    """Noisy samples less their input, in steps of the grid where it is exact."""
    point = InputSpace(SHAPE).point(np.full(SHAPE, 100, np.uint8), arithmetic)
    out = np.empty((SAMPLES, *SHAPE), np.float32)
    NoisyStream(point, law, 5, "estimation").write(0, out)
    if arithmetic == "exact":
        return np.rint(out.astype(np.float64) * 255 - 100)
    return out.astype(np.float64) - 100 / 255


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_exact_noise_has_the_rounded_law(law: Any) -> None:
    """A chi-square test over bins of at least 50 expected draws; p below 1e-9 fails."""
    drawn = noise(law, "exact").ravel()
    edges = np.arange(-2_000, 2_001) - 0.5
    mass = np.diff(law.frozen().cdf(edges * STEP))
    expected = mass * len(drawn)
    kept = expected >= 50
    counted = np.histogram(drawn, edges)[0]
    rest = np.array([len(drawn) - counted[kept].sum()])
    found = np.append(counted[kept], rest)
    awaited = np.append(expected[kept], max(len(drawn) - expected[kept].sum(), 1e-9))
    if awaited[-1] < 50:
        assert found[-1] <= 200  # too rare to test: 50 expected at most
        found, awaited = found[:-1], awaited[:-1] * found[:-1].sum() / awaited[:-1].sum()
    assert stats.chisquare(found, awaited).pvalue > 1e-9
    assert kept.sum() > 50


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_float_noise_has_the_law(law: Any) -> None:
    """A Kolmogorov-Smirnov test, p below 1e-9 fails; float32 rounds by less than it can see."""
    drawn = noise(law, "float").ravel()[:50_000]
    assert stats.kstest(drawn, law.frozen().cdf).pvalue > 1e-9


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_compiled_and_reference_draw_the_same(law: Any) -> None:
    point = InputSpace(SHAPE).point(np.full(SHAPE, 100, np.uint8))
    table = NoisyStream(point, law, 5, "estimation").table
    expected = LatticeBlock(table, 77, 3).draw(50_001)
    np.testing.assert_array_equal(exact_block()(table, 77, 3).draw(50_001), expected)


def test_another_law_fails_the_test() -> None:
    wrong = noise(Laplace(0.5), "float").ravel()[:50_000]
    assert stats.kstest(wrong, Uniform(0.5).frozen().cdf).pvalue < 1e-9
