"""What every law of additive noise is put to: the worst classifier, and what it draws.

The worst classifier is that of Neyman and Pearson: of all sets of noise with probability p around
an input, the one that keeps least when the input moves. It takes points in the order of the ratio
of the two densities. Here it is found on cells of one to three coordinates that the two densities
depend on, whose masses are exact (independent values) or density times size at the midpoint, so
that it is known to about 1e-4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rsonnx.noise import InputSpace, NoisyStream, SampledNoise

Density = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Of a norm of the noise, up to a factor."""


def least_kept(before: NDArray[np.float64], after: NDArray[np.float64], p: float) -> float:
    """Return the least mass ``after`` of a set of mass ``p`` ``before``; both arrays sum to 1."""
    held = before > 0
    before, after = before[held], after[held]
    order = np.argsort(after / before, kind="stable")
    mass = np.cumsum(before[order])
    last = int(np.searchsorted(mass, p))
    kept = float(after[order[:last]].sum())
    rest = p - (float(mass[last - 1]) if last else 0.0)
    return kept + rest * float(after[order[last]] / before[order[last]])


def _normed(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights.ravel() / weights.sum()


def _middles(low: float, high: float, cells: int) -> NDArray[np.float64]:
    return low + (high - low) * (np.arange(cells) + 0.5) / cells


def kept_along_l2(density: Density, size: int, reach: float, p: float, distance: float) -> float:
    """Noise of a density of ‖x‖₂ on ``size`` >= 2 values, moved by ``distance`` in l2."""
    first, rest = np.meshgrid(
        _middles(-reach, reach + distance, 1_600), _middles(0, reach, 800), indexing="ij"
    )
    weight = rest ** (size - 2)
    before = density(np.hypot(first, rest)) * weight
    after = density(np.hypot(first - distance, rest)) * weight
    return least_kept(_normed(before), _normed(after), p)


def kept_along_value(density: Density, size: int, reach: float, p: float, distance: float) -> float:
    """Noise of a density of ‖x‖∞ on ``size`` >= 2 values, one of which moves by ``distance``."""
    first, rest = np.meshgrid(
        _middles(-reach, reach + distance, 1_600), _middles(0, reach, 800), indexing="ij"
    )
    weight = rest ** (size - 2)
    before = density(np.maximum(np.abs(first), rest)) * weight
    after = density(np.maximum(np.abs(first - distance), rest)) * weight
    return least_kept(_normed(before), _normed(after), p)


def kept_along_diagonal(
    density: Density, size: int, reach: float, p: float, distance: float
) -> float:
    """Noise of a density of ‖x‖∞ on ``size`` >= 2 values, all of which move by ``distance``.

    With c = (max + min)/2 and h = (max - min)/2 the norm is |c| + h, and h has the volume h^(d-2).
    """
    middle, half = np.meshgrid(
        _middles(-reach, reach + distance, 1_600), _middles(0, reach, 800), indexing="ij"
    )
    weight = half ** (size - 2)
    before = density(np.abs(middle) + half) * weight
    after = density(np.abs(middle - distance) + half) * weight
    return least_kept(_normed(before), _normed(after), p)


def kept_of_independent(
    cumulative: Density, size: int, reach: float, p: float, distance: float
) -> float:
    """Independent values of a distribution function, ``size`` <= 3 of which move by ``distance``.

    A cell of several values has the product of their masses.
    """
    cells = {1: 200_000, 2: 1_200, 3: 140}[size]
    edges = np.linspace(-reach, reach + distance, cells + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    before = one_before = np.diff(cumulative(edges))
    after = one_after = np.diff(cumulative(edges - distance))
    for _ in range(size - 1):
        before = np.multiply.outer(before, one_before)
        after = np.multiply.outer(after, one_after)
    return least_kept(before.ravel(), after.ravel(), p)


def float_noise(law: SampledNoise, shape: tuple[int, ...], samples: int) -> NDArray[np.float64]:
    """Return floating-point noise as a stream writes it, around 0: (samples, values)."""
    space = InputSpace(shape, (-np.inf, np.inf))
    stream = NoisyStream(space.point(np.zeros(shape)), law, 5, "estimation")
    out = np.empty((samples, *shape), np.float32)
    stream.write(0, out)
    return out.reshape(samples, -1).astype(np.float64)


def exact_noise(law: Any, shape: tuple[int, ...], samples: int) -> NDArray[np.float64]:
    """Return exact noise on the grid of [0, 1], in steps: (samples, values)."""
    point = InputSpace(shape).point(np.full(shape, 100, np.uint8))
    out = np.empty((samples, *shape), np.float32)
    NoisyStream(point, law, 5, "estimation").write(0, out)
    return np.rint(out.astype(np.float64) * 255 - 100).reshape(samples, -1)


def check_radii(law: SampledNoise, low: float, high: float, share: float) -> None:
    """Assert what holds of all radii, for two probabilities in order and a share of a radius.

    They rise; the probability for a radius gives it, and one that is 1e-9 smaller does not; the
    two-sided radius with p_B = 1 - p_A is the one-sided one, up to rounding, and rises with p_A.
    """
    assert 0 <= law.radius(low) <= law.radius(high)
    wanted = share * law.radius(high)
    if wanted > 0:
        enough = law.probability_for(wanted)
        assert 0 < enough <= 1
        assert law.radius(enough) >= wanted
        assert law.radius(enough - 1e-9) < wanted
    if law.two_sided:
        both = law.radius_between(high, 1 - high)
        assert abs(both - law.radius(high)) <= 1e-11 * both
        assert law.radius_between(low, 1 - high) <= both


def chi_square_of_rounded(law: Any, cumulative: Density, step: float) -> float:
    """Return the p-value of exact noise against a rounded law, in bins of 50 expected or more."""
    drawn = exact_noise(law, (3, 16, 16), 700).ravel()
    edges = np.arange(-2_000, 2_001) - 0.5
    expected = np.diff(cumulative(edges * step)) * len(drawn)
    kept = expected >= 50
    assert kept.sum() > 50
    found = np.histogram(drawn, edges)[0][kept]
    rest, awaited = len(drawn) - found.sum(), len(drawn) - expected[kept].sum()
    if awaited < 50:
        assert rest <= 200  # too rare to test: 50 expected at most
        return float(stats.chisquare(found, expected[kept] * found.sum() / expected[kept].sum())[1])
    return float(stats.chisquare([*found, rest], [*expected[kept], awaited])[1])
