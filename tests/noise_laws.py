"""What every law of additive noise is put to: the worst classifier, and what it draws.

The worst classifier is that of Neyman and Pearson: of all sets of noise with probability p around
an input, the one that keeps least when the input moves. It takes points in the order of the ratio
of the two densities. Here it is found on cells of one to three coordinates that the two densities
depend on, whose masses are exact (independent values) or density times size at the midpoint, so
that it is known to about 1e-4.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rsonnx.noise import InputSpace, Law, NoisyStream

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


def _kept_along(
    norm: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    density: Density,
    size: int,
    reach: float,
    p: float,
    distance: float,
) -> float:
    """Noise of a density of a norm on ``size`` >= 2 values, moved by ``distance`` along the first
    of the two coordinates that the norm depends on; the other has the volume of size - 2 more."""
    first, rest = np.meshgrid(
        _middles(-reach, reach + distance, 1_600), _middles(0, reach, 800), indexing="ij"
    )
    weight = rest ** (size - 2)
    before = density(norm(first, rest)) * weight
    after = density(norm(first - distance, rest)) * weight
    return least_kept(_normed(before), _normed(after), p)


kept_along_l2 = partial(_kept_along, np.hypot)
"""Of ‖x‖₂: a value, and the length of the others."""

kept_along_value = partial(_kept_along, lambda first, rest: np.maximum(np.abs(first), rest))
"""Of ‖x‖∞: a value that moves, and the largest of the others."""

kept_along_diagonal = partial(_kept_along, lambda middle, half: np.abs(middle) + half)
"""Of ‖x‖∞, where all values move: c = (max + min)/2 and h = (max - min)/2, the norm is |c| + h."""


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


def float_noise(law: Law, shape: tuple[int, ...], samples: int) -> NDArray[np.float64]:
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


def check_radii(law: Law, low: float, high: float, share: float) -> None:
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


def every_classifier(
    masses: NDArray[Any], inputs: list[tuple[int, ...]], classes: int
) -> Iterator[tuple[float, float, int]]:
    """Yield what every classifier gives the top class and the next, and the radius that it has.

    Args:
        masses: of every sample at every input, (inputs, samples), whole numbers.
        inputs: between which the distance is the number of values that differ.
        classes: of which the first is meant to be the answer.
    """
    choices = np.array(list(itertools.product(range(classes), repeat=masses.shape[1])), np.int8)
    counts = np.array(
        [(choices == c).astype(float) @ masses.T.astype(float) for c in range(classes)]
    )
    distance = (np.array(inputs)[:, None] != np.array(inputs)[None]).sum(axis=2)
    top, rest = counts[0], counts[1:].max(axis=0)
    remains = top > rest
    for x in range(len(inputs)):
        nearest = np.where(remains, distance.max() + 1, distance[x]).min(axis=1)
        cases = np.stack([top[:, x], rest[:, x], nearest - 1], axis=1)
        yield from map(tuple, np.unique(cases[remains[:, x]], axis=0).tolist())


def by_chance(seed: int, shares: dict[int, float]) -> Callable[[NDArray[Any]], NDArray[np.int64]]:
    """Return a classifier with an answer of its own for every sample; each has its share."""

    def classify(batch: NDArray[np.float32]) -> NDArray[np.int64]:
        mixed = np.full(len(batch), seed + 1, np.uint64)
        for column in batch.reshape(len(batch), -1).view(np.uint32).astype(np.uint64).T:
            mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        drawn = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
        edges = np.cumsum(list(shares.values()))
        return np.array(list(shares))[np.searchsorted(edges[:-1], drawn, side="right")]

    return classify
