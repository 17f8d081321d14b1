"""What samples can show of a noise: the largest radius, the smallest n, and the chances between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rsonnx.errors import UsageError
from rsonnx.noise import SampledNoise
from rsonnx.procedures import PROCESS_SHARE, Adaptive
from rsonnx.report import text_down
from rsonnx.statistics import (
    chance_to_certify,
    check_samples,
    fewest_samples,
    fewest_samples_to_exceed_half,
    largest_bound,
    operating_point,
    samples_for_chance,
)
from rsonnx.statistics.checks import MOST_SAMPLES

DEFAULT_N = 100_000
PROBABILITIES = (
    *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    *(0.995, 0.998, 0.999, 0.9995, 0.9999),
)  # fmt: skip
CHANCE = 0.9
"""Chance at which a fixed n is called enough."""


@dataclass(frozen=True)
class Target:
    """A radius to be certified, and what it asks for.

    Attributes:
        radius: in the noise's norm.
        probability: p that must be exceeded, rounded up.
        smallest_n: least fixed n that can certify it: if all samples agree.
        smallest_ceiling: the same for the ceiling of an adaptive run.
    """

    radius: float
    probability: float
    smallest_n: int
    smallest_ceiling: int


def target_of(noise: SampledNoise, radius: float, alpha: float) -> Target:
    """Return what a radius asks for.

    Raises:
        UsageError: it is not above 0, or beyond what any number of samples can certify.
    """
    if not (math.isfinite(radius) and radius > 0.0):
        raise UsageError(f"the target radius is {radius!r}, but a number above 0 was expected")
    p = max(0.5, noise.probability_for(radius))
    try:
        fixed = fewest_samples(p, alpha)
        # The bound at the ceiling of an adaptive run has the rest of alpha.
        ceiling = fewest_samples(p, alpha - alpha * PROCESS_SHARE)
    except UsageError:
        most = noise.radius(largest_bound(MOST_SAMPLES, alpha))
        raise UsageError(
            f"the target radius {radius!r} is out of reach of any number of samples: "
            f"{MOST_SAMPLES:,} of {noise.label} at alpha = {alpha:g} reach at most "
            f"{text_down(most, 4)}; use a smaller radius or wider noise"
        ) from None
    return Target(radius, p, fixed, ceiling)


def samples_for(noise: SampledNoise, n: int | None, alpha: float, target: Target | None) -> int:
    """Return the n to plan for, or refuse one that cannot certify what is asked."""
    if n is None:
        least = fewest_samples_to_exceed_half(alpha) if target is None else target.smallest_ceiling
        return max(DEFAULT_N, min(MOST_SAMPLES, 10 * least))
    check_samples("n", n)
    least = fewest_samples_to_exceed_half(alpha)
    if n < least:
        raise UsageError(
            f"n = {n} at alpha = {alpha:g} can never certify anything; the smallest n that can is "
            f"{least}"
        )
    if target is not None and n < target.smallest_n:
        most = noise.radius(largest_bound(n, alpha))
        raise UsageError(
            f"the target radius {target.radius!r} is above {text_down(most, 4)}, the largest that "
            f"n = {n:,} samples of {noise.label} at alpha = {alpha:g} can reach; it needs n = "
            f"{target.smallest_n:,} or more"
        )
    return n


def table_of(
    noise: SampledNoise,
    n: int,
    alpha: float,
    radii: Sequence[float],
    adaptive: Adaptive | None,
) -> list[dict[str, Any]]:
    """Return what to expect where the class has probability p, for a range of p.

    ``chances`` are those of n fixed samples to certify each of ``radii``; ``samples_for_chance`` is
    how many fixed samples certify the largest of them with a chance of 90 %, to 1 %, None where no
    number does; the adaptive fields are of a run up to n with one target, None where there is none.
    """
    needed = [noise.probability_for(radius) if radius else 0.5 for radius in radii]
    probabilities = list(PROBABILITIES)
    # Further nines until one is above what the largest radius asks for.
    for nines in range(5, 16):
        if probabilities[-1] <= needed[-1]:
            probabilities.append(float(f"0.{'9' * nines}"))
    rows = []
    for p in probabilities:
        point = None
        if adaptive is not None:
            point = operating_point(adaptive.rule, p, adaptive.looks)
        rows.append(
            {
                "p": p,
                "true_radius": noise.radius(p),
                "chances": [_share(chance_to_certify(p, n, q, alpha)) for q in needed],
                "samples_for_chance": samples_for_chance(
                    p, needed[-1], alpha, CHANCE, MOST_SAMPLES
                ),
                "adaptive_chance": None if point is None else _share(point.certified[-1]),
                "adaptive_samples": None if point is None else point.samples,
            }
        )
    return rows


def _share(chance: float) -> float:
    """Return a chance that rounding errors may have put a little outside [0, 1]."""
    return min(1.0, max(0.0, chance))
