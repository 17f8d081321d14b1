"""What a rule of stopping does at a given p: exact chances, expected samples and radii.

Dynamic programming over (hits, samples): between two looks the hits grow by a binomial number, and
at a look the rule's regions take their probability out. No simulation is involved.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rsonnx.errors import UsageError
from rsonnx.statistics.adaptive import AdaptiveRule
from rsonnx.statistics.paths import binomial, convolve, trim
from rsonnx.statistics.precision import PrecisionRule

_NEGLIGIBLE_RADIUS = 1e-9
"""Chance of single counts whose radius is left out of a mean."""


@dataclass(frozen=True)
class OperatingPoint:
    """What to expect of an adaptive run.

    Attributes:
        p: the true probability of the class.
        certified: chance that each target is certified, from the lowest.
        futile: chance that the run gives up before ``n_max``.
        samples: expected number of estimation samples.
    """

    p: float
    certified: tuple[float, ...]
    futile: float
    samples: float


@dataclass(frozen=True)
class Regions:
    """Where a rule stops.

    Attributes:
        looks: numbers of samples, shape (looks,).
        certify: least hits that certify each target, int64 (targets, looks).
        give_up: most hits at which the run gives up on each target, int64 (targets, looks);
            -1 where it does not.
    """

    looks: NDArray[np.int64]
    certify: NDArray[np.int64]
    give_up: NDArray[np.int64]


@lru_cache(maxsize=64)
def stopping_regions(rule: AdaptiveRule, looks: tuple[int, ...] | None = None) -> Regions:
    """Return the hits at which ``rule`` stops at its own looks, or at others up to ``n_max``."""
    at = np.asarray(rule.looks if looks is None else looks, np.int64)
    if at[-1] != rule.n_max or np.any(np.diff(at) <= 0):
        raise UsageError(f"the looks must rise and end at n_max = {rule.n_max}")
    certify = np.stack([rule.early_hits(target, at) for target in range(len(rule.targets))])
    certify[:, -1] = np.minimum(certify[:, -1], rule.final_hits)
    give_up = np.stack([_give_up(rule, at, target) for target in range(len(rule.targets))])
    return Regions(at, certify, give_up)


def operating_point(
    rule: AdaptiveRule, p: float, looks: tuple[int, ...] | None = None
) -> OperatingPoint:
    """Return the exact behaviour of ``rule`` where the class has probability ``p`` in [0, 1].

    At p = a target it gives the probability of a false claim, which must be below alpha.
    """
    if not 0.0 <= p <= 1.0:
        raise UsageError(f"p is {p!r}, but a probability was expected")
    regions = stopping_regions(rule, looks)
    targets = len(rule.targets)
    # state[t]: probability of still sampling with t targets certified, by hits from start[t] on.
    state = [np.ones(1), *(np.zeros(0) for _ in range(targets - 1))]
    start = [0] * targets
    certified = np.zeros(targets + 1)
    futile = samples = 0.0
    before = 0
    for look, n in enumerate(regions.looks.tolist()):
        alive = sum(float(s.sum()) for s in state)
        samples += alive * (n - before)
        step, first = binomial(n - before, p)
        before = n
        for t in range(targets):
            if state[t].size:
                state[t], start[t] = convolve(state[t], step), start[t] + first
        for t in range(targets):
            if not state[t].size:
                continue
            above = max(0, int(regions.certify[t, look]) - start[t])
            moved = state[t][above:]
            certified[t + 1] += moved.sum()
            if t + 1 < targets and moved.size:
                state[t + 1], start[t + 1] = _add(
                    state[t + 1], start[t + 1], moved, start[t] + above
                )
            state[t] = state[t][:above]
            below = min(state[t].size, max(0, int(regions.give_up[t, look]) + 1 - start[t]))
            if n < rule.n_max:
                futile += float(state[t][:below].sum())
            state[t], start[t] = trim(state[t][below:], start[t] + below)
        if not any(s.size for s in state):
            break
    return OperatingPoint(p, tuple(map(float, certified[1:])), futile, samples)


def ends(rule: PrecisionRule, p: float) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Yield where a run ends whose class has probability ``p``.

    The samples, the least hits that are likely enough to be counted, and the chances of so many
    hits and of one, two ... more.
    """
    state, start, before = np.ones(1), 0, 0
    for n in rule.looks:
        step, first = binomial(n - before, p)
        state, start, before = convolve(state, step), start + first, n
        ended = max(0, rule.most_hits(n) + 1 - start)
        yield n, start, state[:ended]
        state, start = trim(state[ended:], start + ended)
        if not state.size:
            break


def expected_end(rule: PrecisionRule, p: float) -> tuple[float, float]:
    """Return the expected samples and radius of a run whose class has probability ``p``.

    Where nothing is claimed the radius counts as 0.
    """
    samples = radius = 0.0
    for n, least, chances in ends(rule, p):
        samples += n * float(chances.sum())
        radius += _mean_radius(rule, n, least, chances)
    return samples, radius


def expected_radius(rule: PrecisionRule, p: float) -> float:
    """Return the expected radius of ``n_max`` samples, whatever is left to gain."""
    chances, least = binomial(rule.n_max, p)
    return _mean_radius(rule, rule.n_max, least, chances)


def _mean_radius(rule: PrecisionRule, n: int, least: int, chances: NDArray[np.float64]) -> float:
    counted: list[float] = chances.tolist()
    return sum(
        chance * rule.radius_at(k, n)
        for k, chance in enumerate(counted, least)
        if chance > _NEGLIGIBLE_RADIUS
    )


def _give_up(rule: AdaptiveRule, looks: NDArray[np.int64], target: int) -> NDArray[np.int64]:
    most = np.full(looks.size, -1, np.int64)
    low = 0
    for i, n in enumerate(looks[:-1].tolist()):
        # Few hits give up, many do not; the edge rises with n.
        hits = range(low, min(n, rule.final_hits[target]) + 1)
        low += bisect_left(hits, True, key=lambda k: not rule.hopeless(k, n, target))
        most[i] = low - 1
    return most


def _add(
    a: NDArray[np.float64], a_start: int, b: NDArray[np.float64], b_start: int
) -> tuple[NDArray[np.float64], int]:
    if not a.size:
        return b.copy(), b_start
    start = min(a_start, b_start)
    total = np.zeros(max(a_start + a.size, b_start + b.size) - start)
    total[a_start - start : a_start - start + a.size] += a
    total[b_start - start : b_start - start + b.size] += b
    return total, start
